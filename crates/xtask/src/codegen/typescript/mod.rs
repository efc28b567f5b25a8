//! What is generated for the TypeScript package.

mod errors;

use super::Generated;

/// Every generated file of the TypeScript package, ready to be written or compared.
pub fn files() -> Vec<Generated> {
    vec![Generated { path: "node/src/errors.ts".to_owned(), content: errors::render() }]
}

//! What is generated for the TypeScript package.

mod errors;
mod models;

use super::Generated;

/// Every generated file of the TypeScript package, ready to be written or compared.
pub fn files() -> Vec<Generated> {
    let errors = Generated { path: "node/src/errors.ts".to_owned(), content: errors::render() };
    std::iter::once(errors).chain(models::files()).collect()
}

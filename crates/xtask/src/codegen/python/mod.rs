//! What is generated for the Python package.

mod exceptions;

use super::Generated;

/// Every generated file of the Python package, ready to be written or compared.
pub fn files() -> Vec<Generated> {
    vec![Generated { path: "python/alter_sdk/exceptions.py", content: exceptions::render() }]
}

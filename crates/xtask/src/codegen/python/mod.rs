//! What is generated for the Python package.

mod exceptions;
mod models;

use super::Generated;

/// Every generated file of the Python package, ready to be written or compared.
pub fn files() -> Vec<Generated> {
    let exceptions = Generated { path: "python/alter_sdk/exceptions.py".to_owned(), content: exceptions::render() };
    std::iter::once(exceptions).chain(models::files()).collect()
}

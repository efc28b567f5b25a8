//! Reading OpenAPI documents: what operations a provider's API has.
//!
//! Versions 3.0, 3.1 and 2.0 ("Swagger"), as JSON. Only what calls are judged and shown by is kept: an operation's id, method, path and summary, its
//! parameters, the schemas of what goes in and comes out, where it is served, the families that it is of and the OAuth scopes that it needs. Nothing
//! outside the document is fetched.

pub mod families;
mod inline;
mod operation;
mod security;
mod servers;

use serde_json::Value;

pub use operation::Operation;
pub use servers::Place;

/// Most operations of one document.
const MOST_OPERATIONS: usize = 5000;
/// Methods of an API that are operations, as OpenAPI writes them.
const METHODS: [&str; 7] = ["get", "put", "post", "delete", "patch", "head", "options"];

/// What a document describes.
#[derive(Clone, Debug, PartialEq)]
pub struct Description {
    /// Its title.
    pub title: Option<String>,
    /// The version of the API that it describes, as it says.
    pub version: Option<String>,
    /// The operations, in the order of the document.
    pub operations: Vec<Operation>,
}

/// Why a document cannot be used; a sentence that names the place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Fault(pub String);

/// Reads a document.
///
/// ```
/// let document = serde_json::json!({
///     "openapi": "3.1.0",
///     "info": {"title": "Mail", "version": "1"},
///     "paths": {"/emails": {"post": {"summary": "Send an e-mail"}}},
/// });
/// let mail = alter_server::openapi::read(&document).unwrap();
/// assert_eq!(mail.operations[0].operation_id, "post:/emails");
/// ```
///
/// # Errors
/// [`Fault`] for a document of another kind or version, one without operations or with too many, and for two operations of one id.
pub fn read(document: &Value) -> Result<Description, Fault> {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
    let version = text(document.get("openapi")).or_else(|| text(document.get("swagger")));
    match version.as_deref() {
        Some(version) if version.starts_with("3.") || version == "2.0" => {}
        Some(other) => return Err(fault(format!("It is of OpenAPI version {other:?}; known are 3.0, 3.1 and 2.0."))),
        None => return Err(fault("It is no OpenAPI document: it has no member openapi (or swagger).")),
    }
    let paths = document.get("paths").and_then(Value::as_object).ok_or_else(|| fault("It has no object paths."))?;
    let mut operations: Vec<Operation> = Vec::new();
    let mut ids = std::collections::BTreeSet::new();
    for (path, item) in paths {
        let item = inline::resolved(document, item);
        for method in METHODS {
            let Some(described) = item.get(method).filter(|described| described.is_object()) else { continue };
            let operation = Operation::read(document, path, method, item, described)?;
            if !ids.insert(operation.operation_id.clone()) {
                return Err(fault(format!("Two operations have the id {:?}; each needs one of its own.", operation.operation_id)));
            }
            operations.push(operation);
        }
    }
    match operations.len() {
        0 => Err(fault("It describes no operation.")),
        many if many > MOST_OPERATIONS => Err(fault(format!("It describes {many} operations; at most {MOST_OPERATIONS} can be loaded."))),
        _ => {
            let info = document.get("info");
            let about = |name| text(info.and_then(|info| info.get(name)));
            Ok(Description { title: about("title"), version: about("version"), operations })
        }
    }
}

fn fault(text: impl Into<String>) -> Fault {
    Fault(text.into())
}

#[cfg(test)]
mod tests;

//! Reading models: the public classes of `node/src/models` hold no rule of their own.

use alter_core::error::{Error, Kind, Result};
use alter_core::model::Model;
use napi_derive::napi;
use serde_json::Value;

use crate::failure;

/// What was read, or why nothing was.
#[napi(object)]
pub struct Reading {
    /// Whether `text` is an error's.
    pub failed: bool,
    /// JSON text: an object's fields.
    pub text: String,
}

impl From<Result<String>> for Reading {
    fn from(result: Result<String>) -> Self {
        match result {
            Ok(text) => Self { failed: false, text },
            Err(error) => Self { failed: true, text: failure::text(&error) },
        }
    }
}

impl From<Result<Value>> for Reading {
    fn from(result: Result<Value>) -> Self {
        result.map(|value| value.to_string()).into()
    }
}

/// The fields of a public model, read from JSON as the vault's answers are.
///
/// # Errors
/// `BackendError` if it is not what a vault writes.
pub fn fields(name: &str, text: &str) -> Result<Value> {
    let model =
        Model::named(name).ok_or_else(|| Error::new(Kind::AlterSdk, format!("The engine has no model {name}. Please report this.")))?;
    let malformed = |problem: String| Error::new(Kind::Backend, format!("{name} cannot be read: {problem}.")).with_code("malformed_answer");
    let value: Value = serde_json::from_str(text).map_err(|_| malformed("it is not JSON".to_owned()))?;
    model.read(&value).map(Value::Object).map_err(|fault| malformed(fault.to_string()))
}

//! The core's errors as JSON: `node/src/failure.ts` makes the class of them that the error's kind names.

use alter_core::error::Error;
use serde::Serialize;
use serde_json::{Map, Value};

/// One error of the core, as it crosses.
#[derive(Serialize)]
struct Failure<'a> {
    kind: &'a str,
    code: &'a str,
    message: &'a str,
    details: &'a Map<String, Value>,
    attributes: Map<String, Value>,
}

/// JSON text of an error.
pub fn text(error: &Error) -> String {
    let failure = Failure {
        kind: error.kind().name(),
        code: error.code(),
        message: error.message(),
        details: error.details(),
        attributes: error.attributes(),
    };
    serde_json::to_string(&failure).expect("texts and JSON values can always be written as JSON")
}

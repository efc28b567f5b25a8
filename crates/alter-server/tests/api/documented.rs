//! Holds answers against the OpenAPI document.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use alter_server::api::document;
use http::{Method, StatusCode};
use jsonschema::Validator;
use serde_json::{Value, json};

use super::Answer;

/// The document.
pub static DOCUMENT: LazyLock<Value> = LazyLock::new(document::document);

/// Holds an answer against the document. Nothing is said of paths that it does not name: that it names all is a test of `api`.
pub fn check(method: &Method, path: &str, answer: &Answer) {
    let Some((template, operations)) = find(path) else { return };
    let Some(operation) = operations.get(method.as_str().to_ascii_lowercase()) else {
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {template} is not in the document");
        return;
    };
    let status = answer.status.as_str();
    let shown = String::from_utf8_lossy(&answer.bytes);
    let declared = operation["responses"].get(status);
    let declared = declared.unwrap_or_else(|| panic!("{method} {template}: the document has no answer {status}: {shown}"));
    let Some(content) = declared.get("content").and_then(Value::as_object) else {
        assert!(answer.bytes.is_empty(), "{method} {template} {status}: the document has no body: {shown}");
        return;
    };
    let (kind, media) = content.iter().next().expect("a media type");
    assert_eq!(answer.header("content-type"), Some(kind.as_str()), "{method} {template} {status}");
    let validator = validator(&format!("{method} {template} {status}"), &media["schema"]);
    let read = if kind.contains("json") { answer.json() } else { shown.as_ref().into() };
    let faults: Vec<String> = validator.iter_errors(&read).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
    assert!(faults.is_empty(), "{method} {template} {status}: {faults:#?} in {shown}");
}

/// The path of the document that a request's path is one of; one that is spelt out comes before one with a place for a name.
fn find(path: &str) -> Option<(&str, &Value)> {
    let asked: Vec<&str> = path.split('?').next().unwrap_or_default().split('/').collect();
    let fits = |template: &str| {
        let parts: Vec<&str> = template.split('/').collect();
        parts.len() == asked.len() && parts.iter().zip(&asked).all(|(part, asked)| part.starts_with('{') || part == asked)
    };
    let paths = DOCUMENT["paths"].as_object().expect("paths");
    let found = paths.iter().filter(|(template, _)| fits(template));
    found.min_by_key(|(template, _)| template.matches('{').count()).map(|(template, operations)| (template.as_str(), operations))
}

/// A validator of one answer. What the document leaves open for later versions is closed here, so that a member that it does not name is found.
pub fn validator(name: &str, schema: &Value) -> Arc<Validator> {
    static KNOWN: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let made = known.entry(name.to_owned()).or_insert_with(|| {
        let mut whole = json!({ "allOf": [schema], "components": DOCUMENT["components"] });
        close(&mut whole);
        Arc::new(jsonschema::draft202012::new(&whole).unwrap_or_else(|error| panic!("{name}: {error}")))
    });
    Arc::clone(made)
}

fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            let record = members.contains_key("properties") && members.contains_key("required");
            for (name, member) in members.iter_mut() {
                // A refusal may tell more; what it is depends on the code.
                if name != "Refusal" {
                    close(member);
                }
            }
            if record && !members.contains_key("additionalProperties") {
                members.insert("additionalProperties".to_owned(), json!(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(close),
        _ => {}
    }
}

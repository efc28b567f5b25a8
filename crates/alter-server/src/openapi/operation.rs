//! One operation of a document.

use serde_json::{Map, Value, json};

use super::servers::Place;
use super::{Fault, families, fault, inline, security, servers};

const LONGEST_ID: usize = 512;
const LONGEST_PATH: usize = 2048;
const LONGEST_SUMMARY: usize = 500;
const JSON: &str = "application/json";

/// An operation of an API.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Operation {
    /// Its id: the document's, else the method in lower case, a colon and the path.
    pub operation_id: String,
    /// Its method in upper case.
    pub method: String,
    /// Its path, with names in braces.
    pub path_template: String,
    /// What it does, in a line.
    pub summary: Option<String>,
    /// Its parameters: objects with `name`, `in`, `required` and `schema`.
    pub params: Vec<Value>,
    /// The schema of what is sent.
    pub request: Option<Map<String, Value>>,
    /// The schema of the answer when all goes well.
    pub response: Option<Map<String, Value>>,
    /// Where it can be called.
    pub places: Vec<Place>,
    /// What it does beyond what its method says: families of calls (`x-alter-families`). `None` if the document does not say.
    pub families: Option<Vec<String>>,
    /// The OAuth scopes that it needs: one of these lists, whole. `None` if the document does not say.
    pub scopes: Option<Vec<Vec<String>>>,
}

impl Operation {
    /// Reads what stands under a method of a path.
    ///
    /// # Errors
    /// [`Fault`] for a path or an id that no call could name.
    pub(super) fn read(document: &Value, path: &str, method: &str, item: &Value, described: &Value) -> Result<Self, Fault> {
        if !path.starts_with('/') || path.len() > LONGEST_PATH || path.chars().any(char::is_control) {
            return Err(fault(format!("The path {path:?} is none: it must begin with / and have at most {LONGEST_PATH} characters.")));
        }
        let own = described.get("operationId").and_then(Value::as_str).map(str::trim).filter(|id| !id.is_empty());
        let operation_id = own.map_or_else(|| format!("{method}:{path}"), str::to_owned);
        if operation_id.chars().count() > LONGEST_ID || operation_id.chars().any(char::is_control) {
            return Err(fault(format!("The id of {method} {path} has more than {LONGEST_ID} characters, or a control character.")));
        }
        let summary = ["summary", "description"].iter().find_map(|name| described.get(*name)?.as_str()).and_then(first_line);
        let params = parameters(document, item, described);
        let bodies = params.iter().filter(|parameter| parameter["in"] == "body");
        let swagger_body = bodies.into_iter().find_map(|body| body["schema"].as_object()).cloned();
        let params = params.into_iter().filter(|parameter| parameter["in"] != "body").collect();
        let request = described.get("requestBody").and_then(|body| content_schema(document, inline::resolved(document, body)));
        Ok(Self {
            operation_id,
            method: method.to_ascii_uppercase(),
            path_template: path.to_owned(),
            summary,
            params,
            request: request.or(swagger_body),
            response: success(document, described),
            places: servers::places(document, item, described, path),
            families: families::declared(described).map_err(|what| fault(format!("{method} {path} {what}")))?,
            scopes: security::scopes(document, described),
        })
    }
}

fn first_line(text: &str) -> Option<String> {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    Some(line.chars().filter(|c| !c.is_control()).take(LONGEST_SUMMARY).collect())
}

/// The parameters of the path and of the operation; the operation's win.
fn parameters(document: &Value, item: &Value, described: &Value) -> Vec<Value> {
    let list = |of: &'_ Value| of.get("parameters").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut kept: Vec<Value> = Vec::new();
    for parameter in list(item).iter().chain(&list(described)) {
        let parameter = inline::resolved(document, parameter);
        let (Some(name), Some(place)) = (parameter.get("name").and_then(Value::as_str), parameter.get("in").and_then(Value::as_str)) else {
            continue;
        };
        // Of version 2.0 the parameter is its own schema.
        let schema = parameter.get("schema").cloned().unwrap_or_else(|| own_schema(parameter));
        let required = parameter.get("required").and_then(Value::as_bool).unwrap_or_default();
        let shown = json!({ "name": name, "in": place, "required": required, "schema": inline::inlined(document, &schema) });
        kept.retain(|known| known["name"] != shown["name"] || known["in"] != shown["in"]);
        kept.push(shown);
    }
    kept
}

fn own_schema(parameter: &Value) -> Value {
    let about = ["name", "in", "required", "description", "content"];
    let members = parameter.as_object().into_iter().flatten().filter(|(name, _)| !about.contains(&name.as_str()));
    Value::Object(members.map(|(name, value)| (name.clone(), value.clone())).collect())
}

/// The schema of the answer with the lowest status from 200 to 299.
fn success(document: &Value, described: &Value) -> Option<Map<String, Value>> {
    let answers = described.get("responses")?.as_object()?;
    let mut good: Vec<&String> = answers.keys().filter(|status| status.starts_with('2')).collect();
    good.sort();
    let answer = inline::resolved(document, answers.get(*good.first()?)?);
    // Of version 2.0 the schema stands in the answer itself.
    content_schema(document, answer).or_else(|| schema(document, answer))
}

fn content_schema(document: &Value, holder: &Value) -> Option<Map<String, Value>> {
    let content = holder.get("content")?.as_object()?;
    schema(document, content.get(JSON).or_else(|| content.values().next())?)
}

fn schema(document: &Value, holder: &Value) -> Option<Map<String, Value>> {
    match inline::inlined(document, holder.get("schema")?) {
        Value::Object(schema) => Some(schema),
        _ => None,
    }
}

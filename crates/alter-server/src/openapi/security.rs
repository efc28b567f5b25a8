//! The OAuth scopes that an operation needs.

use serde_json::Value;

use super::inline;

/// The lists of scopes, each of which is enough; the operation's own `security` wins over the document's. `None` if that does not tell: there is none, or
/// what it asks for is no OAuth, or asks for no scope.
pub(super) fn scopes(document: &Value, described: &Value) -> Option<Vec<Vec<String>>> {
    let security = described.get("security").or_else(|| document.get("security"))?.as_array()?;
    let alternatives: Vec<Vec<String>> = security.iter().filter_map(|alternative| of(document, alternative)).collect();
    (!alternatives.is_empty()).then_some(alternatives)
}

/// The scopes of one alternative. What asks for none says nothing about what a login needs.
fn of(document: &Value, alternative: &Value) -> Option<Vec<String>> {
    let mut scopes = Vec::new();
    for (scheme, wanted) in alternative.as_object()? {
        if is_oauth(document, scheme) {
            scopes.extend(wanted.as_array()?.iter().filter_map(|scope| scope.as_str().map(str::to_owned)));
        }
    }
    (!scopes.is_empty()).then_some(scopes)
}

fn is_oauth(document: &Value, scheme: &str) -> bool {
    let named =
        |holder: Option<&Value>| holder.and_then(|schemes| schemes.get(scheme)).map(|found| inline::resolved(document, found)).cloned();
    let found = named(document.pointer("/components/securitySchemes")).or_else(|| named(document.get("securityDefinitions")));
    found.is_some_and(|found| matches!(found.get("type").and_then(Value::as_str), Some("oauth2" | "openIdConnect")))
}

use alter_core::url::ProviderUrl;
use http::Method;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::openapi;

fn vectors() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/classification.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("the vectors")).expect("JSON")
}

fn description(vectors: &Value) -> Description {
    let mut described = openapi::read(&vectors["document"]).expect("a document");
    let families = serde_json::from_value(vectors["families"].clone()).expect("families");
    openapi::families::apply(&families, &mut described.operations).expect("they fit");
    Description::new(described.operations)
}

/// What is known about the call of a case.
fn facts(description: &Description, case: &Value) -> Facts {
    let (method, url) = case["call"].as_str().and_then(|call| call.split_once(' ')).expect("a call");
    let (method, url): (Method, _) = (method.parse().expect("a method"), ProviderUrl::parse(url).expect("a URL"));
    let body = case["body_text"].as_str().map(str::to_owned).or_else(|| case.get("body").map(Value::to_string));
    description.classify(&CallParts {
        method: &method,
        host: url.host(),
        path: url.path(),
        query: url.query(),
        content_type: Some(case["content_type"].as_str().unwrap_or("application/json")),
        body: body.as_deref().map(str::as_bytes),
    })
}

#[test]
fn a_call_is_known_by_the_description_of_its_provider() {
    let vectors = vectors();
    let description = description(&vectors);
    for case in vectors["calls"].as_array().expect("cases") {
        let facts = facts(&description, case);
        assert_eq!(json!(facts.operation.as_ref().map(|operation| &operation.id)), case["operation"], "{case}");
        if let Some(families) = case.get("families") {
            assert_eq!(json!(facts.families()), *families, "{case}");
        }
    }
    for case in vectors["scopes"].as_array().expect("cases") {
        let held: Vec<String> = serde_json::from_value(case["held"].clone()).expect("scopes");
        assert_eq!(json!(facts(&description, case).is_within_scopes(&held)), case["within"], "{case}");
    }
}

/// Whether a rule's match and conditions hold.
fn applies(facts: &Facts, rule: &Value) -> Option<bool> {
    let texts = |name: &str| serde_json::from_value::<Vec<String>>(rule["match"].get(name).cloned().unwrap_or(json!([]))).expect("texts");
    let conditions: Vec<Condition> =
        rule["params"].as_array().into_iter().flatten().map(|condition| Condition::read(condition).expect("a condition")).collect();
    facts.are(&texts("families"), &texts("operations"), &conditions)
}

#[test]
fn a_rule_applies_does_not_or_nobody_knows() {
    let vectors = vectors();
    let description = description(&vectors);
    for case in vectors["rules"].as_array().expect("cases") {
        let verdict = match applies(&facts(&description, case), case) {
            Some(true) => "applies",
            Some(false) => "does_not_apply",
            None => "unknown",
        };
        assert_eq!(verdict, case["verdict"], "{case}");
    }
}

#[test]
fn without_a_description_no_rule_about_operations_passes() {
    let vectors = vectors();
    let empty = Description::default();
    for case in vectors["rules"].as_array().expect("cases") {
        let known = applies(&facts(&empty, case), case);
        let by_method = case["match"]["families"].as_array().is_some_and(|families| families.iter().any(|f| f == "read" || f == "write"));
        assert!(known.is_none() || by_method, "{case}");
    }
}

#[test]
fn an_operators_word_about_families_wins_and_is_checked() {
    let document = json!({"openapi": "3.1.0", "paths": {
        "/a": {"post": {"operationId": "a", "x-alter-families": ["send"]}, "get": {"operationId": "b"}},
        "/c": {"post": {"operationId": "c"}},
    }});
    let read = |families: Value| {
        let mut operations = openapi::read(&document).expect("a document").operations;
        let families = serde_json::from_value(families).expect("families");
        openapi::families::apply(&families, &mut operations).map(|()| operations)
    };
    let families = |operations: &[openapi::Operation]| json!(operations.iter().map(|o| (&o.operation_id, &o.families)).collect::<Vec<_>>());
    let none = read(json!({})).expect("nothing to say");
    assert_eq!(families(&none), json!([["b", null], ["a", ["send"]], ["c", null]]));
    let said = read(json!({"*": [], "a": ["payment"], "c": ["admin"]})).expect("they fit");
    assert_eq!(families(&said), json!([["b", []], ["a", ["payment"]], ["c", ["admin"]]]));
    let rest = read(json!({"*": []})).expect("they fit");
    assert_eq!(families(&rest), json!([["b", []], ["a", ["send"]], ["c", []]]), "the document has said more of a");
    assert!(read(json!({"d": []})).expect_err("no such operation").to_string().contains("\"d\""));
    assert!(read(json!({"a": ["fly"]})).expect_err("no such family").to_string().contains("fly"));
    let wrong = json!({"openapi": "3.1.0", "paths": {"/a": {"get": {"x-alter-families": "send"}}}});
    assert!(openapi::read(&wrong).expect_err("no list").to_string().contains("x-alter-families"));
}

fn any_query() -> impl Strategy<Value = String> {
    prop::collection::vec(("[a-zA-Z_\\[\\]%;.]{0,4}", "[a-z%+;0-9]{0,4}"), 0..4)
        .prop_map(|pairs| pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&"))
}

proptest! {
    /// What hides a value from the rule never makes it pass: beside `q=bad`, whatever else the query has, the rule applies or nobody knows.
    #[test]
    fn no_company_hides_a_value(before in any_query(), after in any_query()) {
        let vectors = vectors();
        let description = description(&vectors);
        let query = [before, "q=bad".into(), after].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("&");
        let call = CallParts {
            method: &Method::GET, host: "api.example.com", path: "/v1/messages", query: Some(&query), content_type: None, body: None,
        };
        let rule = json!({"match": {"operations": ["mail.list"]}, "params": [{"name": "q", "op": "equals", "value": "bad"}]});
        prop_assert_ne!(applies(&description.classify(&call), &rule), Some(false), "{}", query);
    }

    /// A path is taken for an operation only if it is spelt as the description spells it.
    #[test]
    fn only_plain_paths_are_classified(path in "/v1/(messages|users)(/[a-z0-9%.;/]{0,8})?") {
        let vectors = vectors();
        let call = CallParts { method: &Method::GET, host: "api.example.com", path: &path, query: None, content_type: None, body: None };
        if description(&vectors).classify(&call).operation.is_some() {
            let decoded = alter_core::encoding::percent_decode(&path);
            prop_assert!(!decoded.contains([';', '%']) && !decoded.split('/').any(|segment| segment == ".." || segment == "."));
            prop_assert_eq!(decoded.matches('/').count(), path.matches('/').count());
        }
    }
}

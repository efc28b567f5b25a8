//! Holding what a client reported against what the scenario expects, and ours against the public package.

use std::collections::{BTreeMap, BTreeSet};

use alter_testkit::provider::Seen;
use serde_json::{Map, Value};

use crate::conformance::client::{Client, Observed};
use crate::conformance::scenario::{Expectation, Scenario};

/// Members that differ from call to call or are the SDK's own wording.
const VOLATILE: [&str; 3] = ["request_id", "message", "hint"];

/// What there is to judge about one call.
pub struct Evidence<'a> {
    /// Who made it.
    pub client: Client,
    /// What the client reported.
    pub observed: &'a Observed,
    /// What arrived at the provider.
    pub provider: &'a [Seen],
    /// How many token requests left the client, where that was counted.
    pub token_requests: Option<usize>,
    /// Values that no caller may see.
    pub canaries: &'a [String],
}

/// What is wrong with a call; empty if nothing is.
pub fn judge(scenario: &Scenario, evidence: &Evidence<'_>) -> Vec<String> {
    let expect = expectation(scenario, evidence.client);
    let mut wrong = outcome(expect, evidence.observed);
    let calls = evidence.provider.len();
    if calls != expect.provider_calls() {
        wrong.push(format!("{calls} calls reached the provider, not {}", expect.provider_calls()));
    }
    if evidence.provider.iter().any(|seen| !seen.authorized) {
        wrong.push("a call reached the provider without its credential".to_owned());
    }
    if let Some(body) = &expect.sent_body {
        let sent = evidence.provider.iter().map(|seen| String::from_utf8_lossy(&seen.request.body));
        wrong.extend(sent.filter(|sent| sent != body).map(|sent| format!("the body {sent} was sent, not {body}")));
    }
    if let (Some(expected), Some(counted)) = (expect.vault_calls, evidence.token_requests)
        && expected != counted
    {
        wrong.push(format!("{counted} token requests left the client, not {expected}"));
    }
    // The public package shows the credential in `response.request`; ours must not show it anywhere.
    if evidence.client.is_ours() {
        let shown = |canary: &&String| evidence.observed.visible.iter().any(|text| text.contains(canary.as_str()));
        wrong.extend(evidence.canaries.iter().filter(shown).map(|canary| format!("the caller can see the credential {canary}")));
    }
    wrong
}

fn expectation(scenario: &Scenario, client: Client) -> &Expectation {
    scenario.difference(client).map_or(&scenario.expect, |ours| &ours.expect)
}

fn outcome(expect: &Expectation, observed: &Observed) -> Vec<String> {
    let mut wrong = Vec::new();
    if (observed.status, &observed.error) != (expect.status, &expect.error) {
        wrong.push(format!("{}, not {}", told(observed.status, observed.error.as_ref()), told(expect.status, expect.error.as_ref())));
        if observed.error.is_some() {
            // The first of the visible texts is the error's own.
            let text = observed.visible.first().map(String::as_str).unwrap_or_default();
            wrong.push(format!("it says {text:?} with {}", Value::Object(observed.attributes.clone())));
        }
        return wrong;
    }
    for (path, value) in &expect.attributes {
        let there = member(&observed.attributes, path);
        if there != Some(value) {
            let there = there.map_or_else(|| "missing".to_owned(), Value::to_string);
            wrong.push(format!("{path} is {there}, not {value}"));
        }
    }
    wrong
}

/// The value at a path such as `details.error`.
fn member<'a>(attributes: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let mut parts = path.split('.');
    let first = attributes.get(parts.next()?)?;
    parts.try_fold(first, |value, part| value.get(part))
}

fn told(status: Option<u16>, error: Option<&String>) -> String {
    match (status, error) {
        (Some(status), _) => format!("a response {status}"),
        (None, Some(class)) => class.clone(),
        (None, None) => "nothing".to_owned(),
    }
}

/// Where one of ours and the public package report something different; empty if they agree or the scenario says why not.
pub fn disagreement(scenario: &Scenario, client: Client, reference: &Observed, ours: &Observed) -> Vec<String> {
    if scenario.difference(client).is_some() {
        return Vec::new();
    }
    let mut wrong = Vec::new();
    let mut compare = |what: &str, theirs: &Value, ours: &Value| {
        if theirs != ours {
            wrong.push(format!("{what}: public package {theirs}, ours {ours}"));
        }
    };
    compare("status", &reference.status.into(), &ours.status.into());
    compare("class", &reference.bases.clone().into(), &ours.bases.clone().into());
    let (theirs, ours) = (settled(&reference.attributes), settled(&ours.attributes));
    let names: BTreeSet<_> = theirs.keys().chain(ours.keys()).collect();
    for name in names {
        compare(name, theirs.get(name).unwrap_or(&Value::Null), ours.get(name).unwrap_or(&Value::Null));
    }
    wrong
}

/// Attributes without their volatile members.
fn settled(attributes: &Map<String, Value>) -> Map<String, Value> {
    let stable = attributes.iter().filter(|(name, _)| !VOLATILE.contains(&name.as_str()));
    let settle = |value: &Value| match value {
        Value::Object(members) => Value::Object(settled(members)),
        other => other.clone(),
    };
    stable.map(|(name, value)| (name.clone(), settle(value))).collect()
}

/// Replaces what is different for each client (its ids and addresses) by names, so that two reports can be compared.
pub fn rename(observed: &Observed, names: &BTreeMap<String, String>) -> Observed {
    let rename = |text: &str| names.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    let mut renamed = observed.clone();
    let text = rename(&Value::Object(observed.attributes.clone()).to_string());
    if let Ok(Value::Object(attributes)) = serde_json::from_str(&text) {
        renamed.attributes = attributes;
    }
    renamed
}

#[cfg(test)]
mod tests {
    use super::*;
    use alter_testkit::http::{Headers, Request};
    use serde_json::json;

    fn scenario(expect: &str) -> Scenario {
        toml::from_str(&format!("id = \"a/b\"\ngrant = \"g\"\n{expect}")).expect("a scenario")
    }

    fn observed(report: &Value) -> Observed {
        serde_json::from_value(report.clone()).expect("a report")
    }

    fn seen(authorized: bool, body: &str) -> Seen {
        let request = Request { method: "GET".into(), target: "/".into(), headers: Headers::default(), body: body.as_bytes().to_vec() };
        Seen { request, authorized }
    }

    fn problems(scenario: &Scenario, client: Client, report: &Value, provider: &[Seen], requests: usize) -> Vec<String> {
        let observed = observed(report);
        let canaries = ["canary".to_owned()];
        judge(scenario, &Evidence { client, observed: &observed, provider, token_requests: Some(requests), canaries: &canaries })
    }

    #[test]
    fn what_was_expected_is_in_order() {
        let response = json!({"id": "a/b", "status": 200, "visible": ["fine"]});
        let good = problems(&scenario("expect.status = 200"), Client::Rust, &response, &[seen(true, "")], 1);
        assert!(good.is_empty(), "{good:?}");
        let error = json!({"id": "a/b", "error": "E", "attributes": {"status_code": 401, "details": {"error": "x"}}});
        let expect = "expect.error = \"E\"\nexpect.attributes = { status_code = 401, \"details.error\" = \"x\" }";
        let good = problems(&scenario(expect), Client::Rust, &error, &[], 1);
        assert!(good.is_empty(), "{good:?}");
    }

    #[test]
    fn each_kind_of_trouble_is_found() {
        let ok = json!({"id": "a/b", "status": 200, "visible": ["fine"]});
        let status = scenario("expect.status = 200\nexpect.sent_body = \"x\"\nexpect.vault_calls = 1");
        let call = |report: &Value, provider: &[Seen], requests| problems(&status, Client::Rust, report, provider, requests).join("; ");
        assert_eq!(call(&ok, &[seen(true, "x")], 1), "");
        assert!(call(&json!({"id": "a/b", "status": 201}), &[seen(true, "x")], 1).contains("a response 201, not a response 200"));
        assert!(call(&ok, &[], 1).contains("0 calls reached the provider"));
        assert!(call(&ok, &[seen(false, "x")], 1).contains("without its credential"));
        assert!(call(&ok, &[seen(true, "y")], 1).contains("the body y was sent"));
        assert!(call(&ok, &[seen(true, "x")], 2).contains("2 token requests"));
        let attribute = scenario("expect.error = \"E\"\nexpect.attributes = { \"details.error\" = \"x\" }");
        let wrong = problems(&attribute, Client::Rust, &json!({"id": "a/b", "error": "E"}), &[], 1);
        assert_eq!(wrong, ["details.error is missing, not \"x\""]);
    }

    #[test]
    fn a_visible_credential_is_trouble_for_ours_only() {
        let leaky = json!({"id": "a/b", "status": 200, "visible": ["Bearer canary"]});
        let status = scenario("expect.status = 200");
        assert!(problems(&status, Client::Reference, &leaky, &[seen(true, "")], 1).is_empty());
        assert!(problems(&status, Client::Python, &leaky, &[seen(true, "")], 1)[0].contains("can see the credential"));
    }

    #[test]
    fn differences_are_told_unless_they_are_meant() {
        let theirs = observed(&json!({"id": "a/b", "error": "E", "bases": ["E"], "attributes": {"details": {"url": "u", "message": "1"}}}));
        let same = observed(&json!({"id": "a/b", "error": "E", "bases": ["E"], "attributes": {"details": {"url": "u", "message": "2"}}}));
        let other = observed(&json!({"id": "a/b", "error": "E", "bases": ["E"], "attributes": {"details": {"url": "v"}}}));
        let plain = scenario("expect.error = \"E\"");
        assert!(disagreement(&plain, Client::Python, &theirs, &same).is_empty());
        assert_eq!(disagreement(&plain, Client::Python, &theirs, &other).len(), 1);
        let meant = scenario("expect.error = \"E\"\nours = { why = \"because\", expect = { error = \"F\" } }");
        assert!(disagreement(&meant, Client::Python, &theirs, &other).is_empty());
        assert!(problems(&meant, Client::Python, &json!({"id": "a/b", "error": "F"}), &[], 1).is_empty());
        assert!(!problems(&meant, Client::Reference, &json!({"id": "a/b", "error": "F"}), &[], 1).is_empty());
    }

    #[test]
    fn a_difference_of_one_language_is_no_excuse_for_another() {
        let own = scenario("expect.error = \"E\"\ntypescript = { why = \"because\", expect = { error = \"F\" } }");
        let (e, f) = (json!({"id": "a/b", "error": "E"}), json!({"id": "a/b", "error": "F"}));
        assert!(problems(&own, Client::TypeScript, &f, &[], 1).is_empty());
        assert!(problems(&own, Client::Python, &e, &[], 1).is_empty());
        assert!(!problems(&own, Client::Python, &f, &[], 1).is_empty());
    }

    #[test]
    fn ids_and_addresses_are_replaced_by_names() {
        let names = BTreeMap::from([("/rust/".to_owned(), "/CLIENT/".to_owned()), ("1234".to_owned(), "GRANT".to_owned())]);
        let report = observed(&json!({"id": "a/b", "error": "E", "attributes": {"url": "http://h/rust/x", "grant_id": "1234"}}));
        let attributes = rename(&report, &names).attributes;
        assert_eq!(Value::Object(attributes), json!({"url": "http://h/CLIENT/x", "grant_id": "GRANT"}));
    }
}

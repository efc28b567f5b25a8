use http::Method;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::classify::{CallParts, Description, Facts};
use crate::clock::Timestamp;
use crate::model::Approver;
use crate::openapi;

fn policies(sources: &[&str]) -> Policies {
    let each = sources
        .iter()
        .enumerate()
        .map(|(at, source)| compile(&format!("p{at}"), source).unwrap_or_else(|fault| panic!("{source}\n{fault}")).into());
    Policies::new(each).expect("each has a name of its own")
}

fn description() -> Description {
    let document = json!({"openapi": "3.1.0", "paths": {
        "/messages": {"post": {"operationId": "mail.send", "x-alter-families": ["send"]}},
        "/messages/{id}": {"get": {"operationId": "mail.get"}},
    }});
    Description::new(openapi::read(&document).expect("a document").operations)
}

fn facts(method: &Method, path: &str, body: Option<&Value>) -> Facts {
    let body = body.map(Value::to_string);
    let call = CallParts {
        method,
        host: "api.example.com",
        path,
        query: None,
        content_type: Some("application/json"),
        body: body.as_deref().map(str::as_bytes),
    };
    description().classify(&call)
}

/// A call that sends a message on Saturday, 2026-11-28, at 12:30 UTC.
fn sending(body: &Value) -> Input {
    Input {
        kind: Kind::Proxy,
        app: "app-1".into(),
        agent: Some("agent-1".into()),
        grant: "grant-1".into(),
        provider: ("mail".into(), "managed"),
        delegated: true,
        in_force: Some(true),
        within_scopes: Some(true),
        key: Some("key-1".into()),
        user: Some("ada".into()),
        method: Some("POST".into()),
        host: Some("api.example.com".into()),
        path: Some("/messages".into()),
        facts: Some(facts(&Method::POST, "/messages", Some(body))),
        source: Some("192.0.2.7".parse().expect("an address")),
        now: Timestamp::parse("2026-11-28T12:30:00Z"),
    }
}

/// The names of the rules that apply, with a question mark where nobody knows.
fn applying(policies: &Policies, input: &Input) -> Vec<String> {
    let decision = policies.decide(input).expect("it can be judged");
    decision.outcomes.iter().map(|o| format!("{}{}", o.rule.name(), if o.unknown.is_some() { "?" } else { "" })).collect()
}

/// An attribute, a rule that needs it, and what makes a call one of which it is not known.
type Case = (&'static str, &'static str, fn(&mut Input));

/// Rules that apply to [`sending`], one at least for each attribute that policies speak of.
fn rules() -> Vec<Case> {
    fn undescribed(input: &mut Input) {
        let mut facts = input.facts.take().expect("facts");
        facts.operation = None;
        input.facts = Some(facts);
    }
    vec![
        ("key", r#"forbid (principal, action, resource) when { context.key == Key::"key-1" };"#, |i| i.key = None),
        ("user", r#"forbid (principal, action, resource) when { context.user == "ada" };"#, |i| i.user = None),
        ("user, by exception", r#"forbid (principal, action, resource) unless { context.user == "bob" };"#, |i| i.user = None),
        ("method", r#"forbid (principal, action, resource) when { context.method == "POST" };"#, |i| i.method = None),
        ("method, in a list", r#"forbid (principal, action, resource) when { ["POST", "PUT"].contains(context.method) };"#, |i| {
            i.method = None
        }),
        ("host", r#"forbid (principal, action, resource) when { context.host like "*.example.com" };"#, |i| i.host = None),
        ("path", r#"forbid (principal, action, resource) when { context.path like "/mess*" };"#, |i| i.path = None),
        ("operation", r#"forbid (principal, action, resource) when { context.operation == "mail.send" };"#, undescribed),
        ("family", "forbid (principal, action, resource) when { context.family.send };", undescribed),
        ("family, without facts", "forbid (principal, action, resource) when { context.family.write };", |i| i.facts = None),
        (
            "parameters",
            r#"forbid (principal, action, resource) when { context.parameters.hasTag("to") && context.parameters.getTag("to").contains("eve@evil.example") };"#,
            undescribed,
        ),
        (
            "parameters, by exception",
            r#"forbid (principal, action, resource) unless { context.parameters.hasTag("to") && ["ada@example.com"].containsAll(context.parameters.getTag("to")) };"#,
            |i| i.facts = Some(facts(&Method::POST, "/messages", Some(&json!({"to": [{"email": "eve@evil.example"}]})))),
        ),
        (
            "conditions",
            r#"@params("[{\"name\":\"to\",\"op\":\"not_subset_of\",\"value\":[\"*@example.com\"]}]") forbid (principal, action, resource);"#,
            undescribed,
        ),
        ("source", r#"forbid (principal, action, resource) when { context.source.isInRange(ip("192.0.2.0/24")) };"#, |i| i.source = None),
        ("now", r#"forbid (principal, action, resource) when { context.now > datetime("2026-01-01") };"#, |i| i.now = None),
        ("weekday", "forbid (principal, action, resource) when { context.weekday == 6 };", |i| i.now = None),
        ("minute", "forbid (principal, action, resource) when { context.minute == 750 };", |i| i.now = None),
        ("windows", r#"@outside_windows("mon-fri 09:00-17:00 Europe/Berlin") forbid (principal, action, resource);"#, |i| i.now = None),
        (
            "choice",
            r#"forbid (principal, action, resource) when { if context.operation == "mail.send" then true else false };"#,
            undescribed,
        ),
        ("either", r#"forbid (principal, action, resource) when { context.operation == "x" || context.method == "POST" };"#, undescribed),
        ("negation", r#"forbid (principal, action, resource) when { !(context.operation == "x") };"#, undescribed),
    ]
}

fn message() -> Value {
    json!({"to": ["ada@example.com", "EVE@evil.example "], "n": 5})
}

#[test]
fn what_is_not_known_never_turns_a_forbid_into_a_pass() {
    for (attribute, source, forget) in rules() {
        let policies = policies(&[source]);
        let mut input = sending(&message());
        assert_eq!(applying(&policies, &input), ["p0/1"], "{attribute}");
        forget(&mut input);
        let decision = policies.decide(&input).expect("it can be judged");
        assert!(!decision.outcomes.is_empty(), "{attribute}: passed over");
        assert!(decision.outcomes.iter().all(|outcome| outcome.unknown.as_ref().is_none_or(|missing| !missing.is_empty())), "{attribute}");
    }
}

#[test]
fn every_attribute_of_the_schema_is_one_of_those_that_were_dropped() {
    let all: String = rules().iter().map(|(_, source, _)| *source).collect();
    let attributes = SCHEMA.split("context: {").nth(1).expect("the context");
    let names = attributes.lines().filter_map(|line| line.trim().split_once(": ")).map(|(name, _)| name).filter(|name| !name.contains(' '));
    let families = ["read", "write", "delete", "send", "payment", "admin"];
    for name in names.filter(|name| !families.contains(name) && !["in_force", "within_scopes"].contains(name)) {
        assert!(all.contains(&format!("context.{name}")), "{name}");
    }
}

proptest! {
    /// Whatever is forgotten of a call, all rules at once: what refused before refuses after.
    #[test]
    fn nothing_that_is_forgotten_helps(forgotten in prop::collection::vec(0..30_usize, 0..6)) {
        let all = rules();
        let policies = policies(&all.iter().map(|(_, source, _)| *source).collect::<Vec<_>>());
        let mut input = sending(&message());
        let before = applying(&policies, &input).len();
        for at in forgotten {
            if let Some((_, _, forget)) = all.get(at) && input.facts.is_some() {
                forget(&mut input);
            }
        }
        prop_assert_eq!(applying(&policies, &input).len(), before);
        prop_assert_eq!(before, all.len());
    }
}

proptest! {
    /// Whatever is known of a call: one more policy never lets pass what fewer refuse, and what is forgotten never helps.
    #[test]
    fn one_more_policy_never_allows_more(chosen in prop::collection::vec(any::<bool>(), 21), more in 0..21_usize, forgotten in 0..21_usize) {
        let all = rules();
        let of = |chosen: &[bool]| {
            let each = all.iter().enumerate().zip(chosen).filter(|(_, chosen)| **chosen);
            let each = each.map(|((at, (_, source, _)), _)| compile(&format!("p{at}"), source).unwrap_or_else(|fault| panic!("{fault}")).into());
            Policies::new(each).expect("each has a name of its own")
        };
        let mut wider = chosen.clone();
        wider[more] = true;
        // A call that few of the rules are about.
        let mut input = Input { method: Some("GET".into()), path: Some("/messages/1".into()), user: Some("bob".into()), ..sending(&message()) };
        input.facts = Some(facts(&Method::GET, "/messages/1", None));
        let before = applying(&of(&chosen), &input);
        let refuses = |names: &[String], name: &str| names.iter().any(|known| known.trim_end_matches('?') == name.trim_end_matches('?'));
        let after = applying(&of(&wider), &input);
        prop_assert!(before.iter().all(|name| refuses(&after, name)), "{:?} {:?}", before, after);
        (all[forgotten].2)(&mut input);
        let less = applying(&of(&wider), &input);
        prop_assert!(all[forgotten].0 == "parameters, by exception" || after.iter().all(|name| refuses(&less, name)), "{:?} {:?}", after, less);
    }
}

#[test]
fn the_baseline_permits_what_is_in_force_and_within_scopes_and_nothing_else() {
    assert!(baseline_permits(Some(true), Some(true)));
    for (in_force, scopes) in [(Some(false), Some(true)), (Some(true), Some(false)), (None, Some(true)), (Some(true), None), (None, None)] {
        assert!(!baseline_permits(in_force, scopes));
    }
    let none = policies(&[]);
    assert!(none.decide(&sending(&message())).expect("judged").permitted);
    assert!(!none.decide(&Input { in_force: None, ..sending(&message()) }).expect("judged").permitted);
}

#[test]
fn a_rule_is_about_whom_and_what_it_names() {
    let applies = |scope: &str| !applying(&policies(&[&format!("forbid ({scope});")]), &sending(&message())).is_empty();
    for scope in [
        "principal, action, resource",
        r#"principal == Agent::"agent-1", action, resource"#,
        r#"principal in App::"app-1", action, resource"#,
        r#"principal, action == Action::"proxy", resource"#,
        r#"principal, action in Action::"call", resource"#,
        r#"principal, action, resource == Grant::"grant-1""#,
        r#"principal, action, resource in Provider::"mail""#,
    ] {
        assert!(applies(scope), "{scope}");
    }
    for scope in [
        r#"principal == Agent::"agent-2", action, resource"#,
        r#"principal == App::"app-1", action, resource"#,
        r#"principal, action == Action::"retrieve", resource"#,
        r#"principal, action, resource in Provider::"crm""#,
    ] {
        assert!(!applies(scope), "{scope}");
    }
    let retrieval = Input { kind: Kind::Retrieve, method: None, host: None, path: None, facts: None, ..sending(&message()) };
    let posts = policies(&[r#"forbid (principal, action, resource) when { context.method == "DELETE" };"#]);
    assert_eq!(applying(&posts, &retrieval), ["p0/1?"], "what the client will call is not known");
    assert!(applying(&posts, &sending(&message())).is_empty());
}

#[test]
fn an_unclear_parameter_is_seen_by_no_rule_that_names_it() {
    let to = r#"forbid (principal, action, resource) when { context.parameters.hasTag("to") && context.parameters.getTag("to").contains("eve@evil.example") };"#;
    let n =
        r#"forbid (principal, action, resource) when { context.parameters.hasTag("n") && context.parameters.getTag("n").contains("5") };"#;
    let both = policies(&[to, n]);
    assert_eq!(applying(&both, &sending(&json!({"to": "ada@example.com", "n": 5}))), ["p1/1"]);
    assert_eq!(applying(&both, &sending(&json!({"to": {"email": "x"}, "n": 5}))), ["p0/1?", "p1/1"]);
    assert_eq!(applying(&both, &sending(&json!({"n": 6}))), Vec::<String>::new());
}

#[test]
fn annotations_say_what_a_rule_does() {
    let read = |source: &str| compile("p", source).unwrap_or_else(|fault| panic!("{fault}")).rules().next().cloned().expect("a rule");
    let forbid = "forbid (principal, action, resource);";
    let rule = read(&format!(r#"@id("hold") @effect("approval") @approvers("ada@example.com, operator:bob") @reason("Ask.") {forbid}"#));
    assert_eq!(
        rule.effect,
        Effect::Approval([Approver::parse("ada@example.com"), Approver::parse("operator:bob")].into_iter().flatten().collect())
    );
    assert_eq!((rule.name().as_str(), rule.reason.as_deref()), ("p/hold", Some("Ask.")));
    assert_eq!(
        read(&format!(r#"@effect("step_up") @max_session_age_seconds("300") {forbid}"#)).effect,
        Effect::StepUp(std::time::Duration::from_secs(300))
    );
    assert_eq!(read(&format!(r#"@effect("redact") @fields("a, b") {forbid}"#)).effect, Effect::Redact(vec!["a".into(), "b".into()]));
    assert_eq!(
        read(&format!(r#"@rate("100/hour") @per("agent") {forbid}"#)).rate,
        Some(Rate { limit: 100, window: 3600, per: Per::Agent })
    );
    let night = policies(&[&format!(r#"@outside_windows("mon-fri 09:00-17:00, sat 13:30-14:00 Europe/Berlin") {forbid}"#)]);
    assert!(applying(&night, &sending(&message())).is_empty(), "half past one in Berlin");
    let later = Input { now: Timestamp::parse("2026-11-28T13:00:00Z"), ..sending(&message()) };
    assert_eq!(applying(&night, &later), ["p0/1"]);
}

#[test]
fn what_could_not_fail_closed_is_refused_when_it_is_saved() {
    let forbid = |condition: &str| format!("forbid (principal, action, resource) when {{ {condition} }};");
    for (source, line, part) in [
        ("forbid (principal, action, resource)".to_owned(), Some(1), ""),
        ("permit (principal, action, resource);".to_owned(), None, "permit"),
        (String::new(), None, "0 rules"),
        ("forbid (principal == ?principal, action, resource);".to_owned(), None, "template"),
        (format!("{}\n\n{}", forbid("true"), forbid("context.weather == \"fine\"")), Some(3), "weather"),
        (forbid("context.weekday == \"mon\""), Some(1), ""),
        (forbid("context.method"), Some(1), ""),
        (forbid("context has operation && context.operation == \"x\""), None, "has an attribute"),
        (forbid("context has family.send"), None, "has an attribute"),
        (forbid("context.family has send && context.family.send"), None, "has an attribute"),
        (forbid("context.family == context.family"), None, "as a whole"),
        (forbid("context == context"), None, "as a whole"),
        (forbid("context.parameters.hasTag(context.method)"), None, "Write it out"),
        (forbid("context.parameters.hasTag(\"To\")"), None, "lower case"),
        (forbid("context.parameters.hasTag(\"to\") && context.parameters.getTag(\"to\").contains(\"Eve\")"), None, "\"eve\""),
        (forbid("context.parameters.hasTag(\"to\") && [\"Eve\"].containsAny(context.parameters.getTag(\"to\"))"), None, "\"eve\""),
        (forbid("context.parameters.getTag(\"to\").contains(\"eve\")"), Some(1), "tag"),
        ("@color(\"red\") forbid (principal, action, resource);".to_owned(), None, "@color"),
        ("@effect(\"allow\") forbid (principal, action, resource);".to_owned(), None, "allow"),
        ("@effect(\"approval\") forbid (principal, action, resource);".to_owned(), None, "@approvers"),
        ("@effect(\"approval\") @approvers(\"ada\") forbid (principal, action, resource);".to_owned(), None, "@approvers"),
        ("@approvers(\"a@b\") forbid (principal, action, resource);".to_owned(), None, "@approvers"),
        ("@effect(\"step_up\") @max_session_age_seconds(\"0\") forbid (principal, action, resource);".to_owned(), None, "@max_session"),
        ("@effect(\"redact\") @fields(\"a,,b\") forbid (principal, action, resource);".to_owned(), None, "@fields"),
        ("@rate(\"100/fortnight\") forbid (principal, action, resource);".to_owned(), None, "@rate"),
        ("@per(\"agent\") forbid (principal, action, resource);".to_owned(), None, "@per"),
        ("@rate(\"1/day\") @effect(\"redact\") @fields(\"a\") forbid (principal, action, resource);".to_owned(), None, "@rate"),
        ("@outside_windows(\"mon-fri 09:00-17:00\") forbid (principal, action, resource);".to_owned(), None, "@outside_windows"),
        ("@outside_windows(\"mon-fri 09:00-17:00 Berlin\") forbid (principal, action, resource);".to_owned(), None, "IANA"),
        ("@params(\"[]\") forbid (principal, action, resource);".to_owned(), None, "@params"),
        ("@params(\"[{}]\") forbid (principal, action, resource);".to_owned(), None, "@params"),
        ("@id(\"a b\") forbid (principal, action, resource);".to_owned(), None, "@id"),
        ("@id(\"a\") forbid (principal, action, resource);@id(\"a\") forbid (principal, action, resource);".to_owned(), None, "p/a"),
        ("// ".to_owned() + &"x".repeat(LONGEST_SOURCE), None, "bytes"),
    ] {
        let fault = compile("p", &source).err().unwrap_or_else(|| panic!("{source} passed"));
        assert!(fault.message.contains(part), "{source}: {fault}");
        assert_eq!(fault.line, line, "{source}: {fault}");
    }
}

//! The shared vectors, run against the core.

#![allow(clippy::unwrap_used)]

mod common;

use alter_core::client::{Arg, ClientKind, Constraints, Operation, RuleArgs};
use alter_core::error::Kind;
use alter_core::given::{Args, Given};
use alter_core::host::Leg;
use alter_core::model::{APICallAuditLog, IdentityAssertion, UnifiedGrantListResult};
use alter_core::signing::{SigningKey, StringToSign, canonical_path_and_query, content_sha256};
use alter_core::sigv4::{Credentials, Endpoint, Request, canonical_query, canonical_uri, endpoint_of, sign};
use alter_core::url::query::QueryValue;
use alter_core::url::{ProviderUrl, base, for_log};
use alter_core::{challenge, context, iso8601, key, origin, rate_limit, retry_after, secret::Secret, traceparent};
use common::{Script, answer, get, token, vectors};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn pairs(value: &Value) -> Vec<(String, String)> {
    value.as_object().map(|map| map.iter().map(|(k, v)| (k.clone(), text(v).to_owned())).collect()).unwrap_or_default()
}

#[test]
fn api_keys() {
    for case in list(&vectors("api_keys")["cases"]) {
        assert_eq!(key::is_valid_key(text(&case["key"])), case["valid"].as_bool().unwrap(), "{case}");
    }
}

#[test]
fn base_urls() {
    for case in list(&vectors("base_url")["cases"]) {
        let Some(value) = case["value"].as_str() else { continue };
        let got = base::normalize(value);
        match case["base_url"].as_str() {
            Some(want) => assert_eq!(got.unwrap(), want),
            None => assert_eq!(got.unwrap_err().kind(), Kind::AlterSdk, "{case}"),
        }
    }
}

#[test]
fn signed_requests() {
    for case in list(&vectors("hmac")["vectors"]) {
        let input = &case["input"];
        let key = SigningKey::derive(text(&input["api_key"]));
        assert_eq!(key.hex(), text(&case["signing_key_hex"]));
        let path = canonical_path_and_query(text(&input["path"]));
        assert_eq!(path, text(&case["canonical_path"]), "{}", case["name"]);
        let digest = content_sha256(text(&input["body"]).as_bytes());
        assert_eq!(digest, text(&case["content_sha256"]));

        let scopes = input["scopes"].as_array().map(|list| list.iter().map(|s| text(s).to_owned()).collect());
        let rule = input["rule"].as_object().map(|rule| RuleArgs {
            rule_type: Arg::Value(text(&rule["rule_type"]).to_owned()),
            rule_body: Arg::Value(rule["rule_body"].to_string()),
        });
        let headers = &case["headers"];
        if scopes.is_some() || rule.is_some() {
            // The headers are private to the client; the vectors' own values must come out of the same arguments.
            Constraints::new(scopes.into(), rule.into()).unwrap();
        }
        let overridden = input["caller_override"].as_str();
        let caller = overridden.or(input["constructor_caller"].as_str()).unwrap_or_default();
        let context = context::header(&pairs(&input["context"])).unwrap().unwrap_or_default();
        let string_to_sign = StringToSign {
            method: text(&input["method"]),
            path_and_query: &path,
            timestamp: &input["timestamp"].to_string(),
            nonce: text(&input["nonce"]),
            content_sha256: &digest,
            scope_constraints: text(&headers["X-Alter-Scope-Constraints"]),
            request_rule: text(&headers["X-Alter-Request-Rule"]),
            caller,
            caller_type: if caller.is_empty() { "" } else { text(&input["caller_type"]) },
            actor_id: if overridden.is_some() { "" } else { text(&input["cached_actor_id"]) },
            context: &context,
        };
        assert_eq!(string_to_sign.v1(), text(&case["string_to_sign_v1"]), "{}", case["name"]);
        assert_eq!(string_to_sign.v2().as_deref(), case["string_to_sign_v2"].as_str(), "{}", case["name"]);
        assert_eq!(key.sign(&string_to_sign.v1()), text(&case["signature_v1"]));
        let sent = string_to_sign.v2().unwrap_or_else(|| string_to_sign.v1());
        assert_eq!(key.sign(&sent), text(&case["signature_sent"]));
    }
}

#[tokio::test]
async fn constraint_headers() {
    for case in list(&vectors("hmac")["vectors"]) {
        let (scopes, rule) = (&case["input"]["scopes"], &case["input"]["rule"]);
        if scopes.is_null() && rule.is_null() {
            continue;
        }
        let script = Script::default();
        script.vault(200, &[], &token()).provider(Ok(answer(200, &[], "")));
        let client = script.client(ClientKind::App);
        let scopes = scopes.as_array().map(|list| list.iter().map(|s| text(s).to_owned()).collect());
        let rule = rule.as_object().map(|rule| RuleArgs {
            rule_type: Arg::Value(text(&rule["rule_type"]).to_owned()),
            rule_body: Arg::Value(rule["rule_body"].to_string()),
        });
        let narrowed = client.with_constraints(scopes.into(), rule.into()).unwrap();
        narrowed.prepare(get("https://h.example/x")).unwrap().send().await.unwrap();
        let sent = &script.requests(Leg::Backend)[0];
        for name in ["X-Alter-Scope-Constraints", "X-Alter-Request-Rule"] {
            assert_eq!(sent.headers().get(name).map(|v| v.to_str().unwrap()), case["headers"][name].as_str(), "{}", case["name"]);
        }
    }
}

#[tokio::test]
async fn token_answers() {
    // Where the public package sends and fails, or raises another error, we refuse before the provider is called.
    const REFUSED_EARLIER: &[&str] = &["token spaces", "fmt AWS secret only, no region"];
    for case in list(&vectors("token_response")["cases"]) {
        let script = Script::default();
        let body = case["body_text"].as_str().map_or_else(|| case["body"].to_string(), str::to_owned);
        script.vault_raw(Ok(answer(200, &[], body))).provider(Ok(answer(200, &[], "")));
        let client = script.client(ClientKind::App);
        let result = client.prepare(get("http://127.0.0.1:9/x")).unwrap().send().await;
        let sent = script.requests(Leg::Provider);
        let name = text(&case["name"]);
        if case["accepted"] == false {
            let want = if REFUSED_EARLIER.contains(&name) { "BackendError" } else { text(&case["error_class"]) };
            assert_eq!(result.unwrap_err().kind().name(), want, "{case}");
            assert!(sent.is_empty(), "{name}: a request went out");
            continue;
        }
        let response = result.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(serde_json::to_value(response.retry_info).unwrap(), case["retry_info"], "{name}");
        let [request] = &sent[..] else { panic!("{name}: {} provider requests", sent.len()) };
        assert_eq!(request.uri().path_and_query().unwrap().as_str(), text(&case["provider_target"]), "{name}");
        if name == "inj key authorization" {
            // The public package sends both spellings as two lines. One header has one value: the later rule's.
            assert_eq!(request.headers().get_all("authorization").iter().map(|v| v.to_str().unwrap()).collect::<Vec<_>>(), ["SECRET"]);
            continue;
        }
        for (header, want) in pairs(&case["provider_headers"]) {
            assert_eq!(request.headers().get(&header).unwrap().to_str().unwrap(), want, "{name}");
        }
    }
}

#[tokio::test]
async fn request_urls() {
    // Declared differences: steps in a path parameter and user info are refused (section 8 of the contract).
    const REFUSED: &[&str] = &["dot dot", "dot", "userinfo"];
    const PROVIDER: &str = "http://127.0.0.1:9000";
    for case in list(&vectors("request_url")["cases"]) {
        let name = text(&case["name"]);
        let fill_in = |template: &str| template.replace("{base}", PROVIDER).replace("{port}", "9000");
        let url = match case.get("url_built") {
            None => fill_in(text(&case["url"])),
            Some(built) => {
                let prefix = fill_in(text(&built["prefix"]));
                let length = usize::try_from(built["total_length"].as_u64().unwrap()).unwrap();
                prefix.clone() + &text(&built["fill"]).repeat(length - prefix.len())
            }
        };
        let script = Script::default();
        script.vault(200, &[], &token()).provider(Ok(answer(200, &[], "")));
        let mut args = get(&url);
        if let Some(map) = case["path_params"].as_object() {
            args.path_params = match map.values().find(|value| !value.is_string()) {
                Some(_) => Arg::Wrong("int".into()),
                None => Arg::Value(pairs(&case["path_params"])),
            };
        }
        if let Some(map) = case["query_params"].as_object() {
            args.query_params = Arg::Value(map.iter().map(|(k, v)| (k.clone(), query_value(v))).collect());
        }
        let client = script.client(ClientKind::App);
        let result = client.prepare(args);
        if case.get("error_class").is_some() || REFUSED.contains(&name) {
            assert_eq!(result.err().unwrap_or_else(|| panic!("{name} was accepted")).kind(), Kind::AlterValue, "{name}");
            assert!(script.paths().is_empty());
            continue;
        }
        result.unwrap_or_else(|error| panic!("{name}: {error}")).send().await.unwrap();
        let target = script.requests(Leg::Provider)[0].uri().path_and_query().unwrap().as_str().to_owned();
        assert_eq!(target, text(&case["target"]), "{name}");
        let asked = &script.bodies("/sdk/token")[0]["request"]["url"];
        assert_eq!(text(asked), fill_in(text(&case["token_request_url"])), "{name}");
    }
}

fn query_value(value: &Value) -> QueryValue {
    match value {
        Value::Null => QueryValue::Null,
        Value::Bool(flag) => QueryValue::Bool(*flag),
        Value::Array(values) => QueryValue::List(values.iter().map(query_value).collect()),
        Value::String(text) => QueryValue::Text(text.clone()),
        other => QueryValue::Text(other.to_string()),
    }
}

#[test]
fn retry_after_values() {
    for case in list(&vectors("headers")["retry_after"]) {
        for (ceiling, want) in
            [(retry_after::RATE_LIMIT_CEILING_SECONDS, &case["rate_limit"]), (retry_after::QUOTA_CEILING_SECONDS, &case["quota"])]
        {
            let got = retry_after::seconds(case["header"].as_str(), Some(&case["body"]), ceiling);
            assert_eq!(got, want.as_u64(), "{case}");
        }
    }
}

#[test]
fn rate_limit_snapshots() {
    for case in list(&vectors("headers")["rate_limit"]) {
        let headers: Vec<(String, String)> = pairs(&case["headers"]).into_iter().map(|(k, v)| (k.to_lowercase(), v)).collect();
        let find = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let got = rate_limit::from_headers(find, case["now_epoch"].as_u64().unwrap());
        let want = case["snapshot"].as_object().map(|snapshot| rate_limit::RateLimit {
            limit: snapshot["limit"].as_u64().unwrap(),
            remaining: snapshot["remaining"].as_u64().unwrap(),
            reset_at: snapshot["reset_at_epoch"].as_u64().unwrap(),
        });
        assert_eq!(got, want, "{case}");
    }
}

#[test]
fn bearer_challenges() {
    for case in list(&vectors("headers")["bearer_challenge"]) {
        let parameters = challenge::bearer_parameters(text(&case["header"]));
        let want = pairs(&case["params"]);
        for (name, value) in &want {
            assert_eq!(challenge::value(&parameters, name), Some(value.as_str()), "{case}");
        }
        assert!(parameters.iter().all(|(name, _)| want.iter().any(|(known, _)| known == name)), "{case}: {parameters:?}");
    }
}

#[test]
fn trace_parents() {
    for case in list(&vectors("headers")["traceparent"]) {
        // The public package lets one newline at the end pass; a header cannot hold it.
        let want = case["valid"].as_bool().unwrap() && !text(&case["value"]).ends_with('\n');
        assert_eq!(traceparent::is_valid(text(&case["value"])), want, "{case}");
    }
}

#[test]
fn urls_in_logs() {
    for case in list(&vectors("headers")["redacted_log_url"]) {
        assert_eq!(for_log(text(&case["url"])), text(&case["redacted"]), "{case}");
    }
}

#[test]
fn aws_hosts() {
    for case in list(&vectors("sigv4")["host_detection"]) {
        let want = case["service"].as_str().map(|service| Endpoint { service: service.into(), region: text(&case["region"]).into() });
        assert_eq!(endpoint_of(text(&case["host"])), want, "{case}");
    }
}

#[test]
fn aws_signatures() {
    for case in list(&vectors("sigv4")["vectors"]) {
        let input = &case["input"];
        let url = ProviderUrl::parse(text(&input["url"])).unwrap();
        let named = match (input["region"].as_str(), input["service"].as_str()) {
            (Some(region), Some(service)) => Some(Endpoint { service: service.into(), region: region.into() }),
            _ => None,
        };
        let Some(endpoint) = endpoint_of(url.host()).or(named) else {
            assert!(case.get("error").is_some(), "{case}");
            continue;
        };
        let query = alter_core::sigv4::encode_query(&alter_core::sigv4::split_query(url.query().unwrap_or_default()));
        let url = url.with_query(query);
        assert_eq!(canonical_uri(url.path(), &endpoint.service), text(&case["canonical_uri"]), "{}", case["name"]);
        assert_eq!(canonical_query(url.query().unwrap_or_default()), text(&case["canonical_query"]), "{}", case["name"]);
        let host = input["headers"]["Host"].as_str().map_or_else(|| url.authority(), str::to_owned);
        let session_token = input["session_token"].as_str().map(Secret::new);
        let signed = sign(
            &Request { method: text(&input["method"]), url: &url, host: &host, body: text(&input["body"]).as_bytes() },
            &Credentials {
                access_key_id: text(&input["access_key_id"]),
                secret_key: &Secret::new(text(&input["secret_key"])),
                session_token: session_token.as_ref(),
                endpoint: &endpoint,
            },
            OffsetDateTime::parse(text(&input["timestamp"]), &Rfc3339).unwrap(),
        );
        let want = &case["output_headers"];
        assert_eq!(signed.authorization.expose(), text(&want["Authorization"]), "{}", case["name"]);
        assert_eq!(signed.date, text(&want["x-amz-date"]));
        assert_eq!(signed.content_sha256, text(&want["x-amz-content-sha256"]));
        assert_eq!(signed.security_token.as_ref().map(Secret::expose), want["x-amz-security-token"].as_str());
    }
}

#[tokio::test]
async fn errors() {
    let mut run = 0;
    for case in vectors("errors").as_array().unwrap() {
        let kind = match text(&case["call"]) {
            "token" | "provider" => ClientKind::App,
            "agent.token" => ClientKind::Agent,
            _ => continue,
        };
        run += 1;
        let headers = pairs(&case["headers"]);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let is_html = case["body"].as_str().is_some_and(|body| body.starts_with('<')) || text(&case["note"]) == "non-JSON body";
        let body = match case["body"].as_str() {
            Some(body) if is_html || body == "nope" => body.to_owned(),
            // The recording server spaced its JSON; an error shows a provider's body as it came.
            _ => alter_core::json::spaced_ascii(&case["body"].to_string()),
        };
        let outcome = answer(u16::try_from(case["status"].as_u64().unwrap()).unwrap(), &headers, body);
        let script = Script::default();
        if text(&case["call"]) == "provider" {
            let mut granted = token();
            granted["scope_mismatch"] =
                case["token"]["scope_mismatch"].as_bool().or(case["scope_mismatch"].as_bool()).unwrap_or(false).into();
            if case["expect"]["attributes"]["details"]["source"] == "backend_flag" {
                granted["scope_mismatch"] = true.into();
            }
            script.vault(200, &[], &granted).provider(Ok(outcome));
        } else {
            script.vault_raw(Ok(outcome));
        }
        let client = script.client(kind);
        let error = client.prepare(get(&format!("{}/prov", common::BASE))).unwrap().send().await.unwrap_err();
        let expect = &case["expect"];
        assert_eq!(error.kind().name(), text(&expect["class"]), "{case}");
        let lineage: Vec<&str> = std::iter::successors(Some(error.kind()), |kind| kind.parent()).map(Kind::name).collect();
        assert_eq!(serde_json::json!(lineage), expect["mro"], "{case}");
        check_attributes(&error, expect["attributes"].as_object().unwrap(), case);
    }
    assert_eq!(run, 98, "the vectors' token, provider and agent calls");
}

/// The operation of a vector's call, with arguments that pass.
fn operation(call: &str) -> Option<(ClientKind, Operation, Args)> {
    let (kind, name) = match call {
        "agent.me" => (ClientKind::Agent, "me"),
        "agent.proxy" => (ClientKind::Agent, "proxy_request"),
        "proxy" => (ClientKind::App, "proxy_request"),
        "approvals.status" => (ClientKind::App, "get_approval_status"),
        "approvals.await" => (ClientKind::App, "await_approval"),
        call if call.starts_with("agents.") || call.starts_with("keys.") || call == "scopes.list" => (ClientKind::App, call),
        _ => return None,
    };
    let texts = ["agent_id", "key_id", "approval_id", "grant_id"].map(|name| (name.to_owned(), Given::from(common::GRANT)));
    let more = [
        ("name".to_owned(), "bot".into()),
        ("method".to_owned(), "GET".into()),
        ("url".to_owned(), "https://api.example.com/x".into()),
        ("expires_in".to_owned(), 60u64.into()),
        ("timeout".to_owned(), 0.01.into()),
    ];
    let scopes = if call.starts_with("keys.") { json!(["a"]) } else { json!({}) };
    let version = call.starts_with("agents.update").then(|| ("expected_version".to_owned(), 1u64.into()));
    let args = texts.into_iter().chain(more).chain([("scopes".to_owned(), Given::from(scopes))]).chain(version);
    Some((kind, Operation::named(name)?, args.collect()))
}

#[tokio::test(start_paused = true)]
async fn errors_of_operations() {
    let mut run = 0;
    for case in vectors("errors").as_array().unwrap() {
        let Some((kind, operation, args)) = operation(text(&case["call"])) else { continue };
        run += 1;
        let headers = pairs(&case["headers"]);
        let headers: Vec<(&str, &str)> = headers.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        let is_html = case["body"].as_str().is_some_and(|body| body.starts_with('<')) || text(&case["note"]) == "non-JSON body";
        let raw = is_html || text(&case["body"]) == "nope";
        let body = if raw { text(&case["body"]).to_owned() } else { case["body"].to_string() };
        let outcome = answer(u16::try_from(case["status"].as_u64().unwrap()).unwrap(), &headers, body);
        let script = Script::default();
        script.vault_raw(Ok(outcome.clone())).vault_raw(Ok(outcome));
        let expect = &case["expect"];
        let sent = script.client(kind).operation(operation, args, None).unwrap().send().await;
        match (sent, expect["class"].as_str()) {
            (Ok(_), None) => {}
            (Err(error), Some(class)) => {
                assert_eq!(error.kind().name(), class, "{case}");
                check_attributes(&error, expect["attributes"].as_object().unwrap(), case);
            }
            (Ok(_), Some(class)) => panic!("{class} is missing: {case}"),
            (Err(error), None) => panic!("{error}: {case}"),
        }
    }
    assert_eq!(run, 147, "the vectors' calls about agents, keys, scopes, the proxy and approvals");
}

fn check_attributes(error: &alter_core::error::Error, want: &serde_json::Map<String, Value>, case: &Value) {
    for (name, want) in want {
        match name.as_str() {
            "message" if want == "{sdk_text}" => assert!(!error.message().is_empty()),
            "message" => assert_eq!(error.message(), text(want), "{case}"),
            "details" => check_details(error.details(), want, case),
            "code" => {}
            name => assert_eq!(error.attribute(name).as_ref(), Some(want), "{name}: {case}"),
        }
    }
}

fn check_details(got: &serde_json::Map<String, Value>, want: &Value, case: &Value) {
    let want = want.as_object().unwrap();
    assert_eq!(got.keys().collect::<std::collections::BTreeSet<_>>(), want.keys().collect(), "{case}");
    for (name, want) in want {
        match want.as_str() {
            Some("{sdk_text}") => assert!(got[name].is_string()),
            Some("{validation_errors}") => assert!(got[name].is_array()),
            Some(url) if url.contains("{base_url}") => assert_eq!(text(&got[name]), url.replace("{base_url}", common::BASE)),
            _ => assert_eq!(&got[name], want, "{name}: {case}"),
        }
    }
}

#[test]
fn iso8601_texts() {
    for case in list(&vectors("iso8601")["cases"]) {
        let taken = iso8601::is_valid(&text(&case["text"]).replace('Z', "+00:00"));
        assert_eq!(taken, case["valid"].as_bool().unwrap(), "{case}");
    }
}

#[test]
fn origins() {
    for case in list(&vectors("origins")["cases"]) {
        assert_eq!(origin::is_bare_https(text(&case["text"])), case["valid"].as_bool().unwrap(), "{case}");
    }
}

/// A field of each type, in a model that has one.
fn read_as(kind: &str, value: &Value) -> Option<Value> {
    let page = json!({ "grants": [], "total": 0, "limit": 0, "offset": 0, "has_more": false });
    let assertion = json!({ "token": "t", "identity": { "app_id": "a" } });
    let row = json!({ "provider_id": "p", "method": "GET", "url": "u", "response_status": 0, "latency_ms": 0 });
    let (model, mut fields, name) = match kind {
        "whole" => (UnifiedGrantListResult::MODEL, page, "total"),
        "flag" => (UnifiedGrantListResult::MODEL, page, "has_more"),
        "time" => (IdentityAssertion::MODEL, assertion, "expires_at"),
        "uuid" => (APICallAuditLog::MODEL, row, "grant_id"),
        other => panic!("no field is a {other}"),
    };
    fields[name] = value.clone();
    model.read(&fields).ok().map(|read| read[name].clone())
}

#[test]
fn values_that_are_read_laxly() {
    for case in list(&vectors("lax_values")["cases"]) {
        let read = read_as(text(&case["kind"]), &case["value"]);
        let wanted = case.get("read").cloned();
        // Two texts of one moment are the same time.
        let instant = |time: &Value| {
            OffsetDateTime::parse(text(time), &Rfc3339).map_or_else(|_| time.clone(), |t| json!(t.unix_timestamp_nanos().to_string()))
        };
        let (read, wanted) = match text(&case["kind"]) {
            "time" => (read.as_ref().map(instant), wanted.as_ref().map(instant)),
            _ => (read, wanted),
        };
        assert_eq!(read, wanted, "{case}");
    }
}

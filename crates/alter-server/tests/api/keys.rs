//! Keys on the wire: derived, rotated, revoked; bound to networks and to a number of requests.

use alter_core::signing::headers;
use alter_server::api::KNOWN_SCOPES;
use base64::Engine as _;
use http::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Furniture, Signed, TestVault, token_body};

/// A vault with the app `demo`, a grant, and a key of the app that may do everything.
async fn world() -> (TestVault, Furniture, String) {
    let vault = TestVault::start().await;
    let furniture = vault.furnished().await;
    let key = vault.key(json!({"name": "all", "scopes": KNOWN_SCOPES})).await;
    (vault, furniture, key)
}

async fn derive(vault: &TestVault, key: &str, wanted: Value) -> Answer {
    let mut body = json!({"scopes": ["tokens:retrieve"], "expires_in": 600});
    body.as_object_mut().expect("an object").extend(wanted.as_object().cloned().expect("an object"));
    Signed::post("/sdk/keys/derive", key, &body).send(vault).await
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// The key and its id in an answer that has made one.
fn made(answer: &Answer) -> (String, String) {
    let json = answer.json();
    assert_eq!(answer.status, 201, "{json}");
    (text(&json["api_key"]), text(&json["id"]))
}

async fn id_of(vault: &TestVault, name: &str) -> String {
    let keys = vault.read("/apps/demo/keys").await;
    let found = keys["items"].as_array().expect("a list").iter().find(|key| key["name"] == name);
    text(&found.expect("a key of this name")["id"])
}

async fn token(vault: &TestVault, key: &str, grant: &str) -> Answer {
    Signed::token(key, &token_body(grant)).send(vault).await
}

#[tokio::test]
async fn a_derived_key_does_less_and_ends_soon() {
    let (vault, made_of, key) = world().await;
    let answer = derive(&vault, &key, json!({"name": "job", "metadata": {"job": 7}, "cidr_allowlist": ["127.0.0.0/8", "::1"]})).await;
    let (child, _) = made(&answer);
    let shown = answer.json();
    assert!(child.starts_with("alter_dk_"));
    assert_eq!((&shown["key_type"], &shown["name"], &shown["scopes"]), (&json!("dk"), &json!("job"), &json!(["tokens:retrieve"])));
    assert_eq!((&shown["cidr_allowlist"], &shown["metadata"]), (&json!(["127.0.0.0/8", "::1/128"]), &json!({"job": 7})));
    assert_eq!((&shown["effective_rate_limit_rpm"], &shown["rate_limit_source"]), (&json!(600), &json!("platform_default")));
    assert_eq!(shown["expires_at"], "2026-01-01T00:10:00.000Z");
    assert_eq!(token(&vault, &child, &made_of.grant).await.status, 200);
    let listing = Signed::post("/sdk/grants/list", &child, &json!({})).send(&vault).await;
    assert_eq!(listing.refusal(), (403, "insufficient_scope".into()));
    assert_eq!(derive(&vault, &child, json!({})).await.refusal(), (403, "insufficient_scope".into()), "nothing is derived from it");
    vault.advance(600);
    assert_eq!(token(&vault, &child, &made_of.grant).await.refusal(), (401, "key_expired".into()));
    let unnamed = derive(&vault, &key, json!({"name": ""})).await.json();
    assert_eq!((&unnamed["name"], &unnamed["parent_key_id"]), (&json!("derived-20260101-001000"), &shown["parent_key_id"]));
}

#[tokio::test]
async fn what_is_no_narrowing_is_refused_by_name() {
    let (vault, _, _) = world().await;
    let wanted = json!({
        "scopes": ["keys:derive", "tokens:retrieve"], "expires_in": 3600, "cidr_allowlist": ["127.0.0.0/8"], "rate_limit_rpm": 50,
    });
    let key = vault.key(wanted).await;
    for (wanted, code, field) in [
        (json!({"scopes": ["grants:read"]}), "key_not_narrowing", "scopes"),
        (json!({"expires_in": 3601}), "key_not_narrowing", "expires_in"),
        (json!({"cidr_allowlist": ["0.0.0.0/0"]}), "key_not_narrowing", "cidr_allowlist"),
        (json!({"rate_limit_rpm": 51}), "key_not_narrowing", "rate_limit_rpm"),
        (json!({"scopes": ["keys:derive"]}), "invalid_scope_for_derived_key", "scopes"),
        (json!({"scopes": ["*"]}), "invalid_scope_for_derived_key", "scopes"),
        (json!({"scopes": ["grants:read:abc"]}), "invalid_scope_for_derived_key", "scopes"),
        (json!({"scopes": []}), "invalid_request", "scopes"),
        (json!({"expires_in": 86_401}), "invalid_request", "expires_in"),
        (json!({"expires_in": 0}), "invalid_request", "expires_in"),
        (json!({"cidr_allowlist": []}), "invalid_request", "cidr_allowlist"),
        (json!({"cidr_allowlist": ["example.com"]}), "invalid_request", "cidr_allowlist"),
        (json!({"rate_limit_rpm": 0}), "invalid_request", "rate_limit_rpm"),
        (json!({"name": 5}), "invalid_request", "name"),
        (json!({"metadata": []}), "invalid_request", "metadata"),
        (json!({"colour": "red"}), "invalid_request", "member"),
    ] {
        let answer = derive(&vault, &key, wanted.clone()).await;
        assert_eq!(answer.refusal(), (400, code.into()), "{wanted}: {}", answer.json());
        assert!(text(&answer.json()["message"]).contains(field), "{wanted}: {}", answer.json());
    }
    let child = derive(&vault, &key, json!({"rate_limit_rpm": 10})).await;
    let shown = child.json();
    made(&child);
    assert_eq!((&shown["rate_limit_rpm"], &shown["rate_limit_source"]), (&json!(10), &json!("key")));
    assert_eq!(shown["cidr_allowlist"], json!(["127.0.0.0/8"]), "inherited");
}

#[tokio::test]
async fn constraints_and_rules_of_the_request_bind_what_it_makes() {
    let (vault, _, key) = world().await;
    let body = json!({"scopes": ["tokens:retrieve"], "expires_in": 60});
    let constrained = |path: &str, body: &Value, scopes: &str| Signed::post(path, &key, body).with(headers::SCOPE_CONSTRAINTS, scopes);
    let derived = constrained("/sdk/keys/derive", &body, "keys:derive,grants:read").send(&vault).await;
    assert_eq!(derived.refusal(), (400, "key_not_narrowing".into()));
    let derived = constrained("/sdk/keys/derive", &body, "keys:derive,tokens:retrieve").send(&vault).await;
    assert_eq!(made(&derived).0.get(..9), Some("alter_dk_"));

    vault.key(json!({"name": "worker"})).await;
    let rotate = format!("/sdk/keys/{}/rotate", id_of(&vault, "worker").await);
    let rotated = constrained(&rotate, &json!({}), "keys:admin").send(&vault).await;
    assert_eq!((rotated.refusal(), &rotated.json()["missing"]), ((403, "insufficient_scope".into()), &json!(["tokens:retrieve"])));

    let rule = json!({"rule_type": "content_match", "rule_body": {"match": {"families": ["delete"]}, "effect": "deny"}});
    let rule = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(rule.to_string());
    vault.made("/apps/demo/agents", json!({"name": "planner"})).await;
    let agent = text(&vault.read("/apps/demo/agents/planner").await["agent_id"]);
    let agent_body = json!({"name": "other", "scopes": {}});
    for (path, body) in [
        ("/sdk/keys/derive".to_owned(), &body),
        (rotate, &json!({})),
        (format!("/sdk/agents/{agent}/keys"), &json!({})),
        ("/sdk/agents".to_owned(), &agent_body),
        ("/sdk/oauth/connect/session".to_owned(), &json!({"allowed_providers": ["mail"]})),
        ("/sdk/managed-secrets/connect/session".to_owned(), &json!({"provider": "mail", "user_token": "x"})),
    ] {
        let answer = Signed::post(&path, &key, body).with(headers::REQUEST_RULE, &rule).send(&vault).await;
        assert_eq!(answer.refusal(), (403, "request_rule_denied".into()), "{path}");
    }
}

#[tokio::test]
async fn a_rotated_key_works_until_its_grace_has_passed() {
    let (vault, made_of, key) = world().await;
    let worker = vault.key(json!({"name": "worker"})).await;
    let id = id_of(&vault, "worker").await;
    let path = format!("/sdk/keys/{id}/rotate");
    let answer = Signed::post(&path, &key, &json!({"overlap_days": 2})).send(&vault).await;
    let (successor, new_id) = made(&answer);
    let shown = answer.json();
    assert_eq!((&shown["key_type"], &shown["scopes"], &shown["name"]), (&json!("rk"), &json!(["tokens:retrieve"]), &json!("worker")));
    assert_ne!(new_id, id);
    let old = token(&vault, &worker, &made_of.grant).await;
    assert_eq!((old.status.as_u16(), old.header("x-alter-key-deprecated")), (200, Some("true")));
    let new = token(&vault, &successor, &made_of.grant).await;
    assert_eq!((new.status.as_u16(), new.header("x-alter-key-deprecated")), (200, None));
    // Rotated again, it does not live longer.
    made(&Signed::post(&path, &key, &json!({"overlap_days": 30})).send(&vault).await);
    vault.advance(2 * 86_400);
    assert_eq!(token(&vault, &worker, &made_of.grant).await.refusal(), (401, "key_rotated_grace_expired".into()));
    assert_eq!(token(&vault, &successor, &made_of.grant).await.status, 200);
    assert_eq!(Signed::post(&path, &key, &json!({})).send(&vault).await.refusal(), (409, "key_rotated_grace_expired".into()));
    // A key may rotate itself, and with no overlap it ends there.
    let own = format!("/sdk/keys/{}/rotate", id_of(&vault, "all").await);
    made(&Signed::post(&own, &key, &json!({"overlap_days": 0})).send(&vault).await);
    assert_eq!(token(&vault, &key, &made_of.grant).await.refusal(), (401, "key_rotated_grace_expired".into()));
}

#[tokio::test]
async fn what_reaches_further_than_the_caller_is_not_rotated() {
    let (vault, _, key) = world().await;
    let rotate = async |key: &str, name: &str| {
        let path = format!("/sdk/keys/{}/rotate", id_of(&vault, name).await);
        Signed::post(&path, key, &json!({})).send(&vault).await.refusal()
    };
    vault.key(json!({"name": "worker", "rate_limit_rpm": 700})).await;
    assert_eq!(rotate(&key, "worker").await, (403, "key_beyond_reach".into()), "more requests");
    vault.key(json!({"name": "plain"})).await;
    let local = vault.key(json!({"scopes": KNOWN_SCOPES, "cidr_allowlist": ["127.0.0.1"]})).await;
    assert_eq!(rotate(&local, "plain").await, (403, "key_beyond_reach".into()), "more networks");
    let short = vault.key(json!({"scopes": KNOWN_SCOPES, "expires_in": 60})).await;
    assert_eq!(rotate(&short, "plain").await, (403, "key_beyond_reach".into()), "more time");
    assert_eq!(
        Signed::post(&format!("/sdk/keys/{}/rotate", id_of(&vault, "plain").await), &key, &json!({"overlap_days": 31}))
            .send(&vault)
            .await
            .refusal(),
        (400, "invalid_request".into())
    );
    let child = derive(&vault, &key, json!({"name": "child"})).await;
    made(&child);
    assert_eq!(rotate(&key, "child").await, (400, "derived_key_not_rotatable".into()));
    let brief = vault.key(json!({"name": "brief", "expires_in": 1})).await;
    assert!(brief.starts_with("alter_rk_"));
    vault.advance(1);
    assert_eq!(rotate(&key, "brief").await, (409, "key_expired".into()));
    let plain = id_of(&vault, "plain").await;
    Signed::delete(&format!("/sdk/keys/{plain}"), &key).send(&vault).await;
    assert_eq!(rotate(&key, "plain").await, (409, "key_revoked".into()));
    let reader = vault.key(json!({"scopes": ["grants:read"]})).await;
    assert_eq!(rotate(&reader, "plain").await, (403, "insufficient_scope".into()));
}

#[tokio::test]
async fn what_was_derived_ends_with_its_key_and_a_successor_does_not() {
    let (vault, made_of, key) = world().await;
    let maker = vault.key(json!({"name": "maker", "scopes": ["keys:derive", "tokens:retrieve"]})).await;
    let (child, _) = made(&derive(&vault, &maker, json!({})).await);
    let id = id_of(&vault, "maker").await;
    let (successor, _) = made(&Signed::post(&format!("/sdk/keys/{id}/rotate"), &key, &json!({})).send(&vault).await);
    let path = format!("/sdk/keys/{id}");
    let revoked = Signed::delete(&path, &key).send(&vault).await;
    assert_eq!((revoked.status.as_u16(), &revoked.json()["revoked_at"]), (200, &json!("2026-01-01T00:00:00.000Z")));
    for ended in [&maker, &child] {
        assert_eq!(token(&vault, ended, &made_of.grant).await.refusal(), (401, "key_revoked".into()));
    }
    assert_eq!(token(&vault, &successor, &made_of.grant).await.status, 200);
    vault.advance(60);
    let again = Signed::delete(&format!("{path}?force=true"), &key).send(&vault).await;
    assert_eq!((again.status.as_u16(), &again.json()["revoked_at"]), (200, &revoked.json()["revoked_at"]), "it keeps its first date");
    assert_eq!(Signed::delete(&format!("{path}?force=maybe"), &key).send(&vault).await.refusal(), (400, "invalid_request".into()));
    let nobody = "/sdk/keys/8b0f9a52-3f51-4a7e-9c1d-0d6a5e7c1b2f";
    assert_eq!(Signed::delete(nobody, &key).send(&vault).await.refusal(), (404, "key_not_found".into()));
    assert_eq!(Signed::delete("/sdk/keys/None", &key).send(&vault).await.refusal(), (404, "key_not_found".into()));
}

#[tokio::test]
async fn a_key_is_used_from_its_networks_only() {
    let (vault, made_of, _) = world().await;
    let local = vault.key(json!({"cidr_allowlist": ["127.0.0.0/8"]})).await;
    assert_eq!(token(&vault, &local, &made_of.grant).await.status, 200);
    let office = vault.key(json!({"cidr_allowlist": ["192.0.2.0/24", "2001:db8::/32"]})).await;
    let refused = token(&vault, &office, &made_of.grant).await;
    assert_eq!(refused.refusal(), (403, "ip_not_allowed".into()));
    assert!(!String::from_utf8_lossy(&refused.bytes).contains("127.0.0.1"));
    let row = vault.last_row().await;
    assert_eq!((&row["code"], text(&row["detail"]).contains("127.0.0.1")), (&json!("ip_not_allowed"), true), "{row}");
    // Nobody is believed who is no trusted proxy.
    let claimed = Signed::token(&office, &token_body(&made_of.grant)).beside("x-forwarded-for", "192.0.2.7").send(&vault).await;
    assert_eq!(claimed.refusal(), (403, "ip_not_allowed".into()));
}

#[tokio::test]
async fn a_trusted_proxy_says_where_a_request_came_from_and_operators_set_the_usual_limit() {
    let settings = "trusted_proxies = [\"127.0.0.0/8\"]\nrate_limit_rpm = 3\n";
    let vault = TestVault::start_with(|options| {
        std::fs::create_dir_all(&options.folder).expect("a folder");
        std::fs::write(options.folder.join("alter.toml"), settings).expect("writable");
    })
    .await;
    let made_of = vault.furnished().await;
    let office = vault.key(json!({"cidr_allowlist": ["192.0.2.0/24"]})).await;
    let from = |address: &str| Signed::token(&office, &token_body(&made_of.grant)).beside("x-forwarded-for", address);
    let inside = from("203.0.113.9, 192.0.2.7").send(&vault).await;
    assert_eq!((inside.status.as_u16(), inside.header("x-ratelimit-limit")), (200, Some("3")));
    assert_eq!(from("192.0.2.7, 203.0.113.9").send(&vault).await.refusal(), (403, "ip_not_allowed".into()));
    assert_eq!(from("somewhere").send(&vault).await.refusal(), (403, "ip_not_allowed".into()), "what cannot be read is nowhere");
    assert_eq!(from("192.0.2.7").send(&vault).await.refusal(), (429, "rate_limit_exceeded".into()));
}

#[tokio::test]
async fn a_key_makes_so_many_requests_a_minute_and_is_told_how_many_are_left() {
    let (vault, made_of, _) = world().await;
    let key = vault.key(json!({"scopes": ["keys:derive", "tokens:retrieve"], "rate_limit_rpm": 4})).await;
    let left = |answer: &Answer| {
        ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"].map(|name| answer.header(name).map(str::to_owned))
    };
    let told = |limit: &str, left: &str| [Some(limit.to_owned()), Some(left.to_owned()), Some("1767225660".to_owned())];
    assert_eq!(left(&token(&vault, &key, &made_of.grant).await), told("4", "3"));
    // A refused request counts, too; one whose signature is wrong does not.
    assert_eq!(left(&token(&vault, &key, "abc").await), told("4", "2"));
    let forged = Signed::token(&key, &token_body(&made_of.grant)).beside("x-alter-caller", "forged").send(&vault).await;
    assert_eq!((forged.refusal(), left(&forged)), ((401, "signature_invalid".into()), [None, None, None]));
    // A derived key has the same count, and its own.
    let child = derive(&vault, &key, json!({"rate_limit_rpm": 1})).await;
    assert_eq!(left(&child), told("4", "1"));
    let (child, _) = made(&child);
    assert_eq!(left(&token(&vault, &child, &made_of.grant).await), told("4", "0"));
    let full = token(&vault, &key, &made_of.grant).await;
    assert_eq!((full.refusal(), left(&full)), ((429, "rate_limit_exceeded".into()), told("4", "0")));
    let body = full.json();
    assert_eq!((&body["limit"], &body["window_seconds"], &body["scope"]), (&json!(4), &json!(60), &json!("key")));
    assert_eq!(full.header("retry-after"), Some("60"));
    assert_eq!(vault.last_row().await["code"], "rate_limit_exceeded");
    assert_eq!(vault.key(json!({})).await.get(..9), Some("alter_rk_"));
    vault.advance(60);
    assert_eq!(token(&vault, &child, &made_of.grant).await.status, 200);
    let own = token(&vault, &child, &made_of.grant).await;
    assert_eq!(own.json()["limit"], 1, "its own limit");
    assert_eq!(token(&vault, &key, &made_of.grant).await.status, 200);
}

#[tokio::test]
async fn a_successor_adds_nothing_to_the_count_of_the_key_it_follows() {
    let (vault, made_of, key) = world().await;
    let worker = vault.key(json!({"name": "worker", "rate_limit_rpm": 2})).await;
    let path = format!("/sdk/keys/{}/rotate", id_of(&vault, "worker").await);
    let (successor, _) = made(&Signed::post(&path, &key, &json!({})).send(&vault).await);
    assert_eq!(token(&vault, &worker, &made_of.grant).await.status, 200);
    assert_eq!(token(&vault, &successor, &made_of.grant).await.status, 200);
    assert_eq!(token(&vault, &worker, &made_of.grant).await.refusal(), (429, "rate_limit_exceeded".into()));
    assert_eq!(token(&vault, &successor, &made_of.grant).await.refusal(), (429, "rate_limit_exceeded".into()));
}

#[tokio::test]
async fn bounds_of_keys_are_judged_where_operators_set_them() {
    let (vault, _, _) = world().await;
    for (wanted, part) in [
        (json!({"cidr_allowlist": []}), "cidr_allowlist must hold"),
        (json!({"cidr_allowlist": ["10.0.0.0/33"]}), "position 1"),
        (json!({"rate_limit_rpm": 0}), "rate_limit_rpm must"),
    ] {
        let answer = vault.admin(Method::POST, "/apps/demo/keys", wanted.clone()).await;
        assert_eq!(answer.refusal(), (400, "invalid_request".into()), "{wanted}");
        assert!(text(&answer.json()["message"]).contains(part), "{}", answer.json());
    }
}

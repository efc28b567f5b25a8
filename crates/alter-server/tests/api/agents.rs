//! Agents on the wire: made, read, changed, paused, ended; and their keys.

use alter_core::signing::headers;
use alter_server::api::KNOWN_SCOPES;
use serde_json::{Value, json};

use crate::harness::{Answer, CREDENTIAL, Furniture, Signed, TestVault, token_body};

/// A vault with the app `demo` and a key of the app that may do everything.
struct World {
    vault: TestVault,
    made: Furniture,
    key: String,
}

impl World {
    async fn new() -> Self {
        let vault = TestVault::start().await;
        let made = vault.furnished().await;
        let key = vault.key(json!({"name": "all", "scopes": KNOWN_SCOPES})).await;
        Self { vault, made, key }
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        Signed::post(path, &self.key, &body).send(&self.vault).await
    }

    async fn patch(&self, path: &str, body: Value) -> Answer {
        Signed::patch(path, &self.key, &body).send(&self.vault).await
    }

    async fn get(&self, path: &str) -> Answer {
        Signed::get(path, &self.key).send(&self.vault).await
    }

    async fn delete(&self, path: &str) -> Answer {
        Signed::delete(path, &self.key).send(&self.vault).await
    }

    /// An agent with these scopes: its path and its first key.
    async fn agent(&self, name: &str, scopes: Value) -> (String, String) {
        let answer = self.post("/sdk/agents", json!({"name": name, "type": "agent", "scopes": scopes, "metadata": {}})).await;
        assert_eq!(answer.status, 201, "{}", answer.json());
        (format!("/sdk/agents/{}", text(&answer.json()["id"])), text(&answer.json()["api_key"]))
    }

    async fn me(&self, key: &str) -> Answer {
        Signed::get("/sdk/agents/me", key).send(&self.vault).await
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

#[tokio::test]
async fn an_agent_is_made_with_its_first_key_and_read_by_id_and_name() {
    let world = World::new().await;
    let wanted = json!({
        "name": "planner", "type": "service", "scopes": {"github": ["repo"]}, "metadata": {"team": "ops"}, "display_name": "Planner",
        "policy": {"requires_approval": {"approvers": ["ada@example.com"]}},
    });
    let answer = world.post("/sdk/agents", wanted).await;
    let made = answer.json();
    assert_eq!(answer.status, 201, "{made}");
    assert!(text(&made["api_key"]).starts_with("alter_ak_"));
    let read = world.get(&format!("/sdk/agents/{}", text(&made["id"]))).await.json();
    assert_eq!((&read["name"], &read["type"], &read["status"]), (&json!("planner"), &json!("service"), &json!("active")));
    assert_eq!((&read["display_name"], &read["scopes"], &read["version"]), (&json!("Planner"), &json!({"github": ["repo"]}), &json!(1)));
    assert_eq!(read["policy"], json!({"requires_approval": {"approvers_count": 1}}), "who approves is not told");
    assert_eq!((&read["scopes_pending"], &read["metadata"]), (&Value::Null, &json!({"team": "ops"})));
    assert!(read.get("api_key").is_none());
    let named = world.get("/sdk/agents?name=planner").await.json();
    assert_eq!((&named["total"], &named["items"][0]), (&json!(1), &read));
    assert_eq!(world.get("/sdk/agents?name=nobody").await.json()["items"], json!([]));
    world.agent("writer", json!({})).await;
    let page = world.get("/sdk/agents?include_revoked=false&limit=1&offset=1").await.json();
    assert_eq!((&page["total"], &page["has_more"], &page["items"][0]["name"]), (&json!(2), &json!(false), &json!("writer")));
    assert_eq!(world.me(&text(&made["api_key"])).await.json()["id"], made["id"]);
    assert_eq!(world.me(&world.key).await.refusal(), (403, "me_requires_agent_key".into()));
    assert!(text(&world.get(&format!("/sdk/agents/{}", text(&made["id"]))).await.json()["last_used_at"]).starts_with("2026-01-01"));
}

#[tokio::test]
async fn a_request_for_an_agent_can_be_repeated() {
    let world = World::new().await;
    let body = json!({"name": "planner", "type": "agent", "scopes": {}, "metadata": {}});
    let ask = async |key: &str, body: &Value| {
        Signed::post("/sdk/agents", &world.key, body).beside("idempotency-key", key).send(&world.vault).await
    };
    let first = ask("k1", &body).await;
    assert_eq!(first.status, 201, "{}", first.json());
    let again = ask("k1", &body).await;
    assert_eq!((again.status.as_u16(), &again.json()["api_key"]), (200, &Value::Null), "the key leaves once");
    assert_eq!((&again.json()["id"], &again.json()["key_id"]), (&first.json()["id"], &first.json()["key_id"]));
    let other = json!({"name": "planner", "type": "agent", "scopes": {}, "metadata": {"x": 1}});
    assert_eq!(ask("k1", &other).await.refusal(), (409, "idempotency_key_body_mismatch".into()));
    assert_eq!(ask("k2", &body).await.refusal(), (409, "agent_name_exists".into()));
    assert_eq!(ask("", &body).await.refusal(), (400, "invalid_request".into()));
    assert_eq!(ask(&"k".repeat(256), &body).await.refusal(), (400, "invalid_request".into()));
    let path = format!("/sdk/agents/{}", text(&first.json()["id"]));
    world.patch(&path, json!({"status": "inactive"})).await;
    assert_eq!(ask("k1", &body).await.refusal(), (409, "idempotency_key_agent_inactive".into()));
    world.delete(&path).await;
    assert_eq!(ask("k1", &body).await.refusal(), (409, "idempotency_key_agent_revoked".into()));
    assert_eq!(ask("k2", &body).await.status, 201, "the name is free again");
}

#[tokio::test]
async fn many_who_ask_for_the_same_agent_at_once_get_one() {
    let world = World::new().await;
    let body = json!({"name": "planner", "type": "agent", "scopes": {}, "metadata": {}});
    let asked = Signed::post("/sdk/agents", &world.key, &body).beside("idempotency-key", "k1");
    let requests = (0..8).map(|_| {
        // Each with a nonce of its own, as a client signs them.
        let one = Signed::post("/sdk/agents", &world.key, &body).beside("idempotency-key", "k1");
        one.request(&world.vault)
    });
    let requests: Vec<_> = requests.chain([asked.request(&world.vault)]).collect();
    let mut answers = Vec::new();
    let vault = std::sync::Arc::new(world.vault);
    let sent: Vec<_> = requests
        .into_iter()
        .map(|request| {
            let vault = std::sync::Arc::clone(&vault);
            tokio::spawn(async move { vault.send(request).await })
        })
        .collect();
    for answer in sent {
        answers.push(answer.await.expect("no panic"));
    }
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(made, 1, "{:?}", answers.iter().map(Answer::refusal).collect::<Vec<_>>());
    let ids: std::collections::BTreeSet<String> = answers.iter().map(|answer| text(&answer.json()["id"])).collect();
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn bad_requests_name_the_member() {
    let world = World::new().await;
    for (change, code, part) in [
        (json!({"name": "Bad Name!"}), (400, "invalid_request"), "name must be"),
        (json!({"name": 5}), (400, "invalid_request"), "name must be"),
        (json!({"type": "robot"}), (400, "invalid_request"), "type must be"),
        (json!({"scopes": {"github": []}}), (400, "invalid_request"), "scopes.github"),
        (json!({"scopes": {" x": ["y"]}}), (400, "invalid_request"), "scopes"),
        (json!({"scopes": {"managed_secrets": ["Mail"]}}), (422, "legacy_managed_secret_name_rejected"), "managed_secret_slugs"),
        (json!({"metadata": []}), (400, "invalid_request"), "metadata must be"),
        (json!({"policy": {"rate": 1}}), (400, "invalid_request"), "policy"),
        (json!({"colour": "red"}), (400, "invalid_request"), "member"),
    ] {
        let mut body = json!({"name": "planner", "type": "agent", "scopes": {}, "metadata": {}});
        body.as_object_mut().expect("an object").extend(change.as_object().cloned().expect("an object"));
        let answer = world.post("/sdk/agents", body).await;
        assert_eq!(answer.refusal(), (code.0, code.1.to_owned()), "{change}");
        assert!(text(&answer.json()["message"]).contains(part), "{change}: {}", answer.json());
    }
    let (path, _) = world.agent("planner", json!({})).await;
    for (query, body, part) in [
        ("", json!({"scopes": {}}), "expected_version"),
        ("?expected_version=0", json!({"scopes": {}}), "expected_version"),
        ("?grace_seconds=5", json!({"display_name": "x"}), "grace_seconds"),
        ("?grace_seconds=604801&expected_version=1", json!({"scopes": {}}), "grace_seconds"),
        ("?colour=red", json!({}), "parameter"),
        ("", json!({"status": "revoked"}), "status must be"),
        ("", json!({"status": "inactive", "display_name": "x"}), "status goes alone"),
        ("", json!({"name": "other"}), "member"),
    ] {
        let answer = world.patch(&format!("{path}{query}"), body.clone()).await;
        assert_eq!(answer.refusal(), (400, "invalid_request".into()), "{query} {body}");
        assert!(text(&answer.json()["message"]).contains(part), "{query} {body}: {}", answer.json());
    }
    for query in ["limit=0", "limit=1001", "offset=-1", "include_revoked=maybe", "x=1"] {
        assert_eq!(world.get(&format!("/sdk/agents?{query}")).await.refusal(), (400, "invalid_request".into()), "{query}");
    }
    let unknown = "/sdk/agents/8b0f9a52-3f51-4a7e-9c1d-0d6a5e7c1b2f";
    assert_eq!(world.get(unknown).await.refusal(), (404, "agent_not_found".into()));
    assert_eq!(world.patch(unknown, json!({})).await.refusal(), (404, "agent_not_found".into()));
    assert_eq!(world.delete("/sdk/agents/abc").await.refusal(), (404, "agent_not_found".into()));
}

#[tokio::test]
async fn every_change_raises_the_version_and_a_stale_one_is_refused() {
    let world = World::new().await;
    let (path, _) = world.agent("planner", json!({"github": ["repo"]})).await;
    assert_eq!(world.patch(&path, json!({})).await.json()["version"], 1, "nothing changed");
    assert_eq!(world.patch(&path, json!({"display_name": ""})).await.json()["version"], 2);
    assert_eq!(world.patch(&path, json!({"metadata": {"a": 1}})).await.json()["version"], 3);
    assert_eq!(world.patch(&path, json!({"metadata": {"a": 1}})).await.json()["version"], 3, "equal values change nothing");
    let stale = world.patch(&format!("{path}?expected_version=2"), json!({"metadata": {}})).await;
    assert_eq!((stale.refusal(), &stale.json()["current_version"]), ((409, "agent_concurrent_update".into()), &json!(3)));
    let wider = world.patch(&format!("{path}?expected_version=3"), json!({"scopes": {"github": ["repo", "user"]}})).await.json();
    assert_eq!((&wider["scopes"], &wider["scopes_pending"]), (&json!({"github": ["repo", "user"]}), &Value::Null), "widening is at once");
    let paused = world.patch(&path, json!({"status": "inactive"})).await.json();
    assert_eq!((&paused["status"], &paused["version"]), (&json!("inactive"), &json!(5)));
    assert_eq!(world.patch(&path, json!({"status": "inactive"})).await.json()["version"], 5);
    assert_eq!(world.get(&path).await.json()["version"], 5, "as it is stored");
}

#[tokio::test]
async fn a_narrowing_waits_for_its_grace_and_then_binds() {
    let world = World::new().await;
    let scopes = json!({"managed_secret_slugs": ["mail", "crm"]});
    let (path, key) = world.agent("planner", scopes.clone()).await;
    let grant = world.vault.grant(json!({"secret": "mail"})).await;
    let as_agent = async || {
        let call = Signed::token(&world.key, &token_body(&grant)).with(headers::CALLER, path.trim_start_matches("/sdk/agents/"));
        call.with(headers::CALLER_TYPE, "agent").send(&world.vault).await
    };
    assert_eq!(as_agent().await.json()["access_token"], CREDENTIAL);
    let wanted = json!({"scopes": {"managed_secret_slugs": ["crm"]}});
    let staged = world.patch(&format!("{path}?grace_seconds=60&expected_version=1"), wanted.clone()).await.json();
    assert_eq!((&staged["scopes"], &staged["scopes_pending"]), (&scopes, &wanted["scopes"]));
    assert_eq!(staged["scopes_applies_at"], "2026-01-01T00:01:00.000Z");
    assert_eq!(as_agent().await.status, 200);
    world.vault.advance(60);
    let refused = as_agent().await;
    assert_eq!(refused.refusal(), (403, "agent_scope_not_allowed".into()));
    let seen = world.me(&key).await.json();
    assert_eq!((&seen["scopes"], &seen["scopes_pending"], &seen["scopes_applies_at"]), (&wanted["scopes"], &Value::Null, &Value::Null));
    let usual = world.patch(&format!("{path}?expected_version=2"), json!({"scopes": {}})).await.json();
    assert_eq!(usual["scopes_applies_at"], "2026-01-02T00:01:00.000Z", "a day, unless it is told");
    let at_once = world.patch(&format!("{path}?grace_seconds=0&expected_version=3"), json!({"scopes": {}})).await.json();
    assert_eq!((&at_once["scopes"], &at_once["scopes_pending"]), (&json!({}), &Value::Null));
}

#[tokio::test]
async fn what_people_have_to_approve_is_not_handed_out() {
    let world = World::new().await;
    let (path, _) = world.agent("planner", json!({"*": ["*"]})).await;
    let policy = json!({"policy": {"requires_approval": {"approvers": ["ada@example.com"]}}});
    assert_eq!(world.patch(&path, policy).await.status, 200);
    let call = Signed::token(&world.key, &token_body(&world.made.grant)).with(headers::CALLER, path.trim_start_matches("/sdk/agents/"));
    assert_eq!(call.with(headers::CALLER_TYPE, "agent").send(&world.vault).await.refusal(), (400, "hitl_grant_requires_proxy".into()));
    assert_eq!(world.patch(&path, json!({"policy": {}})).await.json()["policy"], json!({}));
}

#[tokio::test]
async fn a_paused_agent_sees_itself_and_nothing_else() {
    let world = World::new().await;
    let (path, key) = world.agent("planner", json!({})).await;
    world.patch(&path, json!({"status": "inactive"})).await;
    let me = world.me(&key).await;
    assert_eq!((me.status.as_u16(), &me.json()["status"]), (200, &json!("inactive")));
    let list = Signed::post("/sdk/grants/list", &key, &json!({})).send(&world.vault).await;
    assert_eq!(list.refusal(), (401, "agent_inactive".into()));
    assert_eq!(world.patch(&path, json!({"status": "active"})).await.json()["status"], "active");
    assert_eq!(Signed::post("/sdk/grants/list", &key, &json!({})).send(&world.vault).await.status, 200);
    let ended = world.delete(&path).await;
    assert_eq!((ended.status.as_u16(), &ended.json()["status"]), (200, &json!("revoked")));
    assert_eq!(world.delete(&path).await.json(), ended.json(), "again it is the same");
    assert_eq!(world.me(&key).await.refusal(), (401, "key_revoked".into()));
    for body in [json!({"status": "active"}), json!({"display_name": "x"})] {
        assert_eq!(world.patch(&path, body).await.refusal(), (409, "agent_revoked".into()));
    }
    assert_eq!(world.post(&format!("{path}/keys"), json!({})).await.refusal(), (404, "agent_not_found".into()));
    assert_eq!(world.get(&path).await.json()["status"], "revoked");
    assert_eq!(world.get("/sdk/agents").await.json()["total"], 0);
    assert_eq!(world.get("/sdk/agents?include_revoked=true").await.json()["total"], 1);
}

#[tokio::test]
async fn keys_of_an_agent_come_and_go_and_the_last_one_stays() {
    let world = World::new().await;
    let (path, first) = world.agent("planner", json!({})).await;
    let minted = world.post(&format!("{path}/keys"), json!({})).await;
    assert_eq!((minted.status.as_u16(), &minted.json()["name"]), (201, &json!("planner-2")), "{}", minted.json());
    let second = text(&minted.json()["api_key"]);
    let listed = world.get(&format!("{path}/keys")).await.json();
    let ids: Vec<String> = listed["items"].as_array().expect("a list").iter().map(|key| text(&key["key_id"])).collect();
    assert_eq!((ids.len(), &ids[1]), (2, &text(&minted.json()["key_id"])));
    assert!(!listed.to_string().contains(&second) && !listed.to_string().contains(&first));

    let of = |id: &str, verb: &str| format!("{path}/keys/{id}{verb}");
    let deprecated = world.patch(&of(&ids[0], "/deprecate"), json!({})).await.json();
    world.vault.advance(60);
    assert_eq!(world.patch(&of(&ids[0], "/deprecate"), json!({})).await.json()["deprecated_at"], deprecated["deprecated_at"]);
    let me = world.me(&first).await;
    assert_eq!((me.status.as_u16(), me.header("x-alter-key-deprecated")), (200, Some("true")));
    assert_eq!(world.patch(&of(&ids[0], "/undeprecate"), json!({})).await.json()["deprecated_at"], Value::Null);
    assert_eq!(world.patch(&of(&ids[0], "/undeprecate"), json!({})).await.status, 200);
    assert_eq!(world.me(&first).await.header("x-alter-key-deprecated"), None);

    assert_eq!(world.delete(&of(&ids[0], "")).await.status, 200);
    assert_eq!(world.me(&first).await.refusal(), (401, "key_revoked".into()));
    assert_eq!(world.delete(&of(&ids[0], "")).await.status, 200, "again is no error");
    assert_eq!(world.patch(&of(&ids[0], "/deprecate"), json!({})).await.refusal(), (409, "key_revoked".into()));
    assert_eq!(world.patch(&of(&ids[0], "/undeprecate"), json!({})).await.refusal(), (409, "key_revoked".into()));
    assert_eq!(world.delete(&of(&ids[1], "")).await.refusal(), (409, "last_active_key".into()));
    assert_eq!(world.delete(&format!("/sdk/keys/{}", ids[1])).await.refusal(), (409, "last_active_key".into()));
    assert_eq!(world.me(&second).await.status, 200, "it is still in force");
    assert_eq!(world.delete(&of(&ids[1], "?force=true")).await.status, 200);
    let (other, _) = world.agent("writer", json!({})).await;
    assert_eq!(world.delete(&format!("{other}/keys/{}", ids[1])).await.refusal(), (404, "key_not_found".into()));
    assert_eq!(world.delete(&of("abc", "")).await.refusal(), (404, "key_not_found".into()));
}

#[tokio::test]
async fn an_agent_has_ten_keys_at_most() {
    let world = World::new().await;
    let (path, _) = world.agent("planner", json!({})).await;
    for _ in 1..10 {
        assert_eq!(world.post(&format!("{path}/keys"), json!({})).await.status, 201);
    }
    assert_eq!(world.post(&format!("{path}/keys"), json!({})).await.refusal(), (409, "agent_key_limit_reached".into()));
}

#[tokio::test]
async fn an_agents_key_reaches_no_further_than_what_made_it() {
    let world = World::new().await;
    let narrow = json!({
        "scopes": ["agents:admin", "grants:read"], "expires_in": 3600, "cidr_allowlist": ["127.0.0.0/8"], "rate_limit_rpm": 100,
    });
    let maker = world.vault.key(narrow).await;
    let body = json!({"name": "planner", "type": "agent", "scopes": {}, "metadata": {}});
    let made = Signed::post("/sdk/agents", &maker, &body).send(&world.vault).await.json();
    let path = format!("/sdk/agents/{}/keys", text(&made["id"]));
    Signed::post(&path, &maker, &json!({})).send(&world.vault).await;
    let keys = world.vault.read("/apps/demo/keys?agent=planner").await["items"].clone();
    let keys = keys.as_array().expect("a list");
    assert_eq!(keys.len(), 2);
    for key in keys {
        assert_eq!((&key["scopes"], &key["cidr_allowlist"]), (&json!(["grants:read"]), &json!(["127.0.0.0/8"])));
        assert_eq!((&key["expires_at"], &key["rate_limit_rpm"]), (&json!("2026-01-01T01:00:00.000Z"), &json!(100)));
    }
    let constrained = Signed::post(&path, &world.key, &json!({})).with(headers::SCOPE_CONSTRAINTS, "agents:admin,tokens:retrieve");
    assert_eq!(constrained.send(&world.vault).await.json()["scopes"], json!(["tokens:retrieve"]));
}

#[tokio::test]
async fn agents_administer_their_own_keys_and_nothing_else() {
    let world = World::new().await;
    let (path, key) = world.agent("planner", json!({})).await;
    let own = text(&world.get(&format!("{path}/keys")).await.json()["items"][0]["key_id"]);
    let body = json!({"name": "other", "type": "agent", "scopes": {}, "metadata": {}});
    let ask = async |request: Signed| request.send(&world.vault).await;
    assert_eq!(ask(Signed::post("/sdk/agents", &key, &body)).await.refusal(), (403, "agent_cannot_mint_subagents".into()));
    assert_eq!(ask(Signed::post(&format!("{path}/keys"), &key, &json!({}))).await.refusal(), (403, "agent_cannot_mint_subagents".into()));
    assert_eq!(ask(Signed::get("/sdk/agents", &key)).await.refusal(), (403, "app_key_required".into()));
    let rotated = ask(Signed::post(&format!("/sdk/keys/{own}/rotate"), &key, &json!({}))).await;
    assert_eq!((rotated.status.as_u16(), &rotated.json()["key_type"]), (201, &json!("ak")), "{}", rotated.json());
    let successor = text(&rotated.json()["api_key"]);
    assert_eq!(world.me(&successor).await.json()["name"], "planner");
    let derived = ask(Signed::post("/sdk/keys/derive", &successor, &json!({"scopes": ["grants:read"], "expires_in": 60}))).await;
    let child = text(&derived.json()["api_key"]);
    assert_eq!((derived.status.as_u16(), world.me(&child).await.status.as_u16()), (201, 200), "it is the agent's, too");
    let apps = world.vault.read("/apps/demo/keys").await["items"][0]["id"].clone();
    let foreign = ask(Signed::delete(&format!("/sdk/keys/{}", text(&apps)), &successor)).await;
    assert_eq!(foreign.refusal(), (404, "key_not_found".into()));
    // While the app's key speaks for the agent, nothing is derived: it would not be bound to the agent.
    let named = path.trim_start_matches("/sdk/agents/");
    let through = Signed::post("/sdk/keys/derive", &world.key, &json!({"scopes": ["grants:read"], "expires_in": 60}));
    let through = through.with(headers::CALLER, named).with(headers::CALLER_TYPE, "agent").send(&world.vault).await;
    assert_eq!(through.refusal(), (403, "impersonation_not_inheritable".into()));
    // The app needs the right to administer agents.
    let keys_only = world.vault.key(json!({"scopes": ["keys:admin", "grants:read"]})).await;
    assert_eq!(ask(Signed::delete(&format!("/sdk/keys/{own}"), &keys_only)).await.refusal(), (403, "insufficient_scope".into()));
}

//! Grants on the wire: who sees what, minting, taking back, assigning.

use serde_json::{Value, json};

use crate::harness::{Answer, Furniture, Signed, TestVault, token_body};

const ALL_SCOPES: [&str; 6] = ["agents:admin", "grants:read", "grants:write", "secrets:write", "tokens:retrieve", "idp_users:read"];

/// A vault with an app `demo` whose key holds what grants need.
async fn world() -> (TestVault, Furniture, String) {
    let vault = TestVault::start().await;
    let made = vault.furnished().await;
    let key = vault.key(json!({"scopes": ALL_SCOPES})).await;
    (vault, made, key)
}

/// An agent with a key of its own: its id and the key.
async fn agent(vault: &TestVault, name: &str) -> (String, String) {
    let id = vault.made("/apps/demo/agents", json!({"name": name})).await["agent_id"].as_str().expect("an id").to_owned();
    (id, vault.key(json!({"agent": name})).await)
}

async fn post(vault: &TestVault, key: &str, path: &str, body: Value) -> Answer {
    Signed::post(path, key, &body).send(vault).await
}

async fn listed(vault: &TestVault, key: &str, body: Value) -> Vec<Value> {
    let answer = post(vault, key, "/sdk/grants/list", body).await;
    assert_eq!(answer.status, 200, "{:?}", answer.json());
    answer.json()["grants"].as_array().expect("a list").clone()
}

fn ids(grants: &[Value]) -> Vec<&str> {
    grants.iter().map(|grant| grant["grant_id"].as_str().expect("an id")).collect()
}

#[tokio::test]
async fn the_app_sees_all_its_grants_in_pages() {
    let (vault, made, key) = world().await;
    let second = vault.grant(json!({"secret": "mail", "label": "work", "expires_in": 10})).await;
    let all = listed(&vault, &key, json!({"limit": 100, "offset": 0})).await;
    assert_eq!(ids(&all), [made.grant.as_str(), &second]);
    let first = &all[0];
    for (name, value) in [
        ("grant_kind", json!("managed_secret")),
        ("managed_secret_slug", json!("mail")),
        ("principal_type", json!("system")),
        ("status", json!("active")),
        ("access_via", json!("ownership")),
        ("credential_kind", json!("developer")),
        ("depth", json!(0)),
        ("delegable", json!(false)),
        ("parent_grant_id", Value::Null),
    ] {
        assert_eq!(first[name], value, "{name}");
    }
    assert_eq!(first["credential_id"], first["managed_secret_id"]);

    let page = post(&vault, &key, "/sdk/grants/list", json!({"limit": 1, "offset": 0})).await.json();
    assert_eq!((&page["total"], &page["limit"], &page["offset"], &page["has_more"]), (&json!(2), &json!(1), &json!(0), &json!(true)));
    let page = post(&vault, &key, "/sdk/grants/list", json!({"limit": 1, "offset": 1})).await.json();
    assert_eq!((page["has_more"].clone(), ids(page["grants"].as_array().expect("a list"))), (json!(false), vec![second.as_str()]));
    vault.advance(10);
    assert_eq!(ids(&listed(&vault, &key, json!({"status": "expired"})).await), [second.as_str()]);
    assert_eq!(ids(&listed(&vault, &key, json!({"status": "active"})).await), [made.grant.as_str()]);
    assert_eq!(ids(&listed(&vault, &key, json!({"label": "work"})).await), [second.as_str()]);
    assert_eq!(listed(&vault, &key, json!({"provider_id": "nothing"})).await.len(), 0);
    assert_eq!(ids(&listed(&vault, &key, json!({"grant_kind": "managed_secret"})).await), [made.grant.as_str(), &second]);
    assert_eq!(listed(&vault, &key, json!({"grant_kind": "oauth"})).await.len(), 0);
    assert_eq!(listed(&vault, &key, json!({"account": "a@b.c"})).await.len(), 0);
}

#[tokio::test]
async fn a_list_that_cannot_be_read_is_refused() {
    let (vault, _, key) = world().await;
    for body in [
        json!({"limit": 0}),
        json!({"limit": 1001}),
        json!({"limit": "5"}),
        json!({"offset": -1}),
        json!({"status": "sleeping"}),
        json!({"grant_kind": "group"}),
        json!({"provider_id": ""}),
        json!({"colour": "red"}),
        json!([]),
    ] {
        assert_eq!(post(&vault, &key, "/sdk/grants/list", body.clone()).await.refusal(), (400, "invalid_request".into()), "{body}");
    }
    let token = json!({"user_token": "eyJ"});
    assert_eq!(post(&vault, &key, "/sdk/grants/list", token).await.refusal(), (400, "idp_signin_not_configured".into()));
    let narrow = vault.key(json!({"scopes": ["tokens:retrieve"]})).await;
    assert_eq!(post(&vault, &narrow, "/sdk/grants/list", json!({})).await.refusal(), (403, "insufficient_scope".into()));
}

#[tokio::test]
async fn a_minted_grant_opens_the_same_and_lasts_no_longer() {
    let (vault, _, key) = world().await;
    let source = vault.grant(json!({"secret": "mail", "expires_in": 100})).await;
    let mint = async |body: Value| post(&vault, &key, &format!("/sdk/grants/{source}/mint"), body).await;
    let answer = mint(json!({"label": "second", "grant_tags": ["a"], "grant_policy": {"max_ttl_seconds": 1000}})).await;
    assert_eq!(answer.status, 200, "{:?}", answer.json());
    let minted = answer.json();
    assert_eq!((&minted["provider_id"], &minted["label"], &minted["status"]), (&json!("mail"), &json!("second"), &json!("active")));
    let id = minted["grant_id"].as_str().expect("an id");
    assert_eq!(Signed::token(&key, &token_body(id)).send(&vault).await.status, 200);
    assert_eq!(mint(json!({"label": "second"})).await.refusal(), (409, "sibling_label_conflict".into()));
    assert_eq!(mint(json!({"label": "second"})).await.json()["label"], "second");
    vault.advance(100);
    assert_eq!(Signed::token(&key, &token_body(id)).send(&vault).await.refusal(), (403, "grant_expired".into()));
    assert_eq!(mint(json!({"label": "third"})).await.refusal(), (403, "grant_expired".into()));
}

#[tokio::test]
async fn what_cannot_be_minted_is_refused() {
    let (vault, made, key) = world().await;
    let path = format!("/sdk/grants/{}/mint", made.grant);
    for (body, status, code) in [
        (json!({}), 400, "invalid_request"),
        (json!({"label": ""}), 400, "invalid_request"),
        (json!({"label": "x".repeat(256)}), 400, "invalid_request"),
        (json!({"label": "x", "grant_tags": "a"}), 400, "invalid_request"),
        (json!({"label": "x", "grant_tags": vec!["a"; 51]}), 400, "invalid_request"),
        (json!({"label": "x", "grant_policy": {"default_ttl_seconds": 5}}), 422, "invalid_grant_policy"),
        (json!({"label": "x", "grant_policy": {"expires_at": "2001-01-01"}}), 422, "invalid_grant_policy"),
    ] {
        assert_eq!(post(&vault, &key, &path, body.clone()).await.refusal(), (status, code.into()), "{body}");
    }
    let ruled = json!({"label": "ruled", "grant_policy": {"restrictions": {"allowed_methods": ["GET"]}}});
    let ruled = post(&vault, &key, &path, ruled).await.json();
    let of_ruled = format!("/sdk/grants/{}/mint", ruled["grant_id"].as_str().expect("an id"));
    assert_eq!(post(&vault, &key, &of_ruled, json!({"label": "x"})).await.refusal(), (403, "mint_source_has_grant_rules".into()));
    let (_, agents_key) = agent(&vault, "planner").await;
    assert_eq!(post(&vault, &agents_key, &path, json!({"label": "x"})).await.refusal(), (403, "agents_cannot_mint".into()));
    for id in ["00000000-0000-4000-8000-000000000000", "no-id", &made.grant.to_uppercase()] {
        let refused = post(&vault, &key, &format!("/sdk/grants/{id}/mint"), json!({"label": "x"})).await;
        assert_eq!(refused.refusal(), (404, "grant_not_found".into()), "{id}");
    }
}

#[tokio::test]
async fn a_grant_with_rules_about_calls_is_not_retrieved() {
    let (vault, made, key) = world().await;
    let path = format!("/sdk/grants/{}/mint", made.grant);
    for (label, policy) in [
        ("restricted_grant_requires_proxy", json!({"restrictions": {"allowed_methods": ["GET"]}})),
        ("hitl_grant_requires_proxy", json!({"requires_approval": true})),
    ] {
        let minted = post(&vault, &key, &path, json!({"label": label, "grant_policy": policy})).await.json();
        let id = minted["grant_id"].as_str().expect("an id");
        let refused = Signed::token(&key, &token_body(id)).send(&vault).await;
        assert_eq!(refused.refusal(), (400, label.into()));
    }
}

#[tokio::test]
async fn a_revoked_grant_is_gone_at_once_and_only_once() {
    let (vault, made, key) = world().await;
    let path = format!("/sdk/oauth/grants/{}/revoke", made.grant);
    let answer = post(&vault, &key, &path, json!({"reason": "left the team"})).await;
    assert_eq!(answer.status, 200);
    let done = answer.json();
    assert_eq!((&done["success"], &done["grant_id"]), (&json!(true), &json!(made.grant)));
    assert!(done["revoked_at"].is_string() && done["message"].is_string());
    let row = vault.last_row().await;
    assert_eq!((&row["action"], &row["reason"], &row["grant_id"]), (&json!("grant.revoke"), &json!("left the team"), &json!(made.grant)));
    assert_eq!(Signed::token(&key, &token_body(&made.grant)).send(&vault).await.refusal(), (400, "grant_revoked".into()));
    assert_eq!(post(&vault, &key, &path, json!({})).await.refusal(), (404, "grant_not_found".into()));
    assert_eq!(post(&vault, &key, &path, json!({"reason": 5})).await.refusal(), (400, "invalid_request".into()));
    let (_, agents_key) = agent(&vault, "planner").await;
    let other = vault.grant(json!({"secret": "mail"})).await;
    let refused = post(&vault, &agents_key, &format!("/sdk/oauth/grants/{other}/revoke"), json!({})).await;
    assert_eq!(refused.refusal(), (404, "grant_not_found".into()), "an agent ends only what is its own");
}

#[tokio::test]
async fn a_secret_is_assigned_to_the_app() {
    let (vault, made, key) = world().await;
    let secret = vault.read("/apps/demo/secrets/mail").await["id"].as_str().expect("an id").to_owned();
    let path = format!("/sdk/managed-secrets/{secret}/grants");
    let assign = async |body: Value| post(&vault, &key, &path, body).await;
    let answer = assign(json!({"principal": {"type": "system", "label": "batch"}, "grant_policy": {"default_ttl_seconds": 60}})).await;
    assert_eq!(answer.status, 200, "{:?}", answer.json());
    let grant = answer.json();
    assert_eq!((&grant["principal_type"], &grant["label"], &grant["credential_id"]), (&json!("system"), &json!("batch"), &json!(secret)));
    let id = grant["grant_id"].as_str().expect("an id");
    assert_ne!(id, made.grant);
    assert_eq!(Signed::token(&key, &token_body(id)).send(&vault).await.status, 200);
    vault.advance(60);
    assert_eq!(Signed::token(&key, &token_body(id)).send(&vault).await.refusal(), (403, "grant_expired".into()));

    let system = json!({"type": "system", "label": null});
    for (body, status, code) in [
        (json!({"grant_policy": {}}), 400, "invalid_request"),
        (json!({"principal": {"type": "robot"}}), 400, "invalid_request"),
        (json!({"principal": {"type": "system", "colour": "red"}}), 400, "invalid_request"),
        (json!({"principal": {"type": "agent"}}), 422, "unsupported_principal"),
        (json!({"principal": {"type": "user", "user_token": "eyJ", "label": "x"}}), 400, "idp_signin_not_configured"),
        (json!({"principal": {"type": "group", "idp_id": "i", "external_group_id": "g", "label": "x"}}), 400, "idp_signin_not_configured"),
        (json!({"principal": system, "grant_policy": {"requires_approval": true}}), 422, "invalid_grant_policy"),
        (json!({"principal": system, "credential_id": "00000000-0000-4000-8000-000000000000"}), 404, "grant_not_found"),
    ] {
        assert_eq!(assign(body.clone()).await.refusal(), (status, code.into()), "{body}");
    }
    let unknown =
        post(&vault, &key, "/sdk/managed-secrets/00000000-0000-4000-8000-000000000000/grants", json!({"principal": system})).await;
    assert_eq!(unknown.refusal(), (404, "secret_not_found".into()));
}

#[tokio::test]
async fn an_agent_sees_what_it_holds_and_cannot_pass_on_what_nobody_consented_to() {
    let (vault, made, key) = world().await;
    let (id, agents_key) = agent(&vault, "planner").await;
    assert_eq!(listed(&vault, &agents_key, json!({})).await.len(), 0);
    let through_app = Signed::post("/sdk/grants/list", &key, &json!({})).with("x-alter-caller", &id).with("x-alter-caller-type", "agent");
    assert_eq!(through_app.send(&vault).await.json()["total"], 0);
    let passed = post(&vault, &agents_key, &format!("/sdk/grants/{}/delegate", made.grant), json!({"to_agent_id": id})).await;
    assert_eq!(passed.refusal(), (404, "grant_not_found".into()));
    let app = post(&vault, &key, &format!("/sdk/grants/{}/delegate", made.grant), json!({"to_agent_id": id})).await;
    assert_eq!(app.refusal(), (403, "agent_key_required".into()));
}

#[tokio::test]
async fn an_agents_key_retrieves_nothing_that_the_agent_does_not_hold() {
    let (vault, made, key) = world().await;
    let (_, agents_key) = agent(&vault, "planner").await;
    assert_eq!(Signed::token(&key, &token_body(&made.grant)).send(&vault).await.status, 200);
    assert_eq!(Signed::token(&agents_key, &token_body(&made.grant)).send(&vault).await.refusal(), (404, "grant_not_found".into()));
    let mut by_provider = token_body(&made.grant);
    by_provider.as_object_mut().expect("an object").remove("grant_id");
    by_provider["provider_id"] = json!("mail");
    assert_eq!(Signed::token(&agents_key, &by_provider).send(&vault).await.refusal(), (404, "grant_not_found".into()));
}

#[tokio::test]
async fn speaking_for_an_agent_needs_the_right_and_an_active_agent() {
    let (vault, _, key) = world().await;
    let (id, agents_key) = agent(&vault, "planner").await;
    let as_agent = async |key: &str, named: &str| {
        Signed::post("/sdk/grants/list", key, &json!({}))
            .with("x-alter-caller", named)
            .with("x-alter-caller-type", "agent")
            .send(&vault)
            .await
    };
    let reader = vault.key(json!({"scopes": ["grants:read"]})).await;
    assert_eq!(as_agent(&reader, &id).await.refusal(), (403, "insufficient_scope".into()));
    assert_eq!(as_agent(&key, "00000000-0000-4000-8000-000000000000").await.refusal(), (404, "caller_agent_unresolved".into()));
    let (other, _) = agent(&vault, "writer").await;
    assert_eq!(as_agent(&agents_key, &other).await.refusal(), (404, "caller_agent_unresolved".into()));
    assert_eq!(as_agent(&agents_key, &id).await.status, 200);
    vault.made(&format!("/apps/demo/agents/{id}/suspend"), json!({})).await;
    assert_eq!(as_agent(&key, &id).await.refusal(), (404, "caller_agent_unresolved".into()));
    assert_eq!(post(&vault, &agents_key, "/sdk/grants/list", json!({})).await.refusal(), (401, "agent_inactive".into()));
}

#[tokio::test]
async fn delegations_are_taken_back_by_whom_they_concern() {
    let (vault, made, key) = world().await;
    let (id, agents_key) = agent(&vault, "planner").await;
    let delete = async |key: &str, path: String| Signed::delete(&path, key).send(&vault).await;
    let base = format!("/sdk/grants/{}/delegations", made.grant);
    assert_eq!(delete(&key, format!("{base}/{id}")).await.status, 204, "nothing to take back is done already");
    assert_eq!(delete(&key, format!("{base}/no-agent")).await.status, 204);
    assert_eq!(delete(&agents_key, format!("{base}/{id}")).await.refusal(), (403, "use_self_revoke_path".into()));
    assert_eq!(delete(&key, format!("{base}/me")).await.refusal(), (403, "agent_key_required".into()));
    assert_eq!(delete(&agents_key, format!("{base}/me")).await.refusal(), (404, "grant_not_found".into()));
    let unknown = "/sdk/grants/00000000-0000-4000-8000-000000000000/delegations".to_owned();
    assert_eq!(delete(&key, format!("{unknown}/{id}")).await.refusal(), (404, "grant_not_found".into()));
}

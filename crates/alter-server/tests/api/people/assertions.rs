//! Resolving and asserting identities, by an application and by an agent.

use alter_core::signing::headers;
use alter_server::audit::{AuditEntry, ChainId, Outcome};
use alter_server::crypto::{KeyOrigin, MASTER_KEY_FILE, MasterKey, MasterKeys, VaultKeys, unlock};
use alter_server::identity::{Algorithm, KeySet};
use alter_server::model::{Agent, AgentId, ApiKey, AppId, Grant, GrantId, Opens, Person, Principal, SecretId};
use alter_server::store::{Commit, Effect};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

use super::People;
use crate::harness::{Signed, TestVault};

const RESOLVE: &str = "/sdk/identity/resolve";
const ASSERT: &str = "/sdk/identity/assert";

#[tokio::test]
async fn a_user_token_resolves_to_a_user() {
    let people = People::new().await;
    let token = people.token(json!({"email": "ada@example.com", "name": "Ada", "groups": ["staff"]}));
    let idp = people.vault.read("/apps/demo/idp").await["id"].clone();
    let app = people.vault.read("/apps/demo").await["id"].clone();
    let mut expected = json!({
        "app_id": app, "app_user_id": "ada", "external_subject_id": "ada", "idp_id": idp, "agent_id": null, "actor_id": null,
        "user_status": "active", "group_ids": ["staff"], "email": null, "display_name": null, "trace": null,
    });
    let answer = people.call(RESOLVE, json!({"include_profile": false, "user_token": token})).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, expected.clone()));
    let row = people.vault.last_row().await;
    assert_eq!((&row["action"], &row["subject"]), (&json!("identity.resolve"), &json!("user:ada")));

    expected["email"] = json!("ada@example.com");
    expected["display_name"] = json!("Ada");
    expected["trace"] = json!({"run_id": "r-1", "thread_id": "t-1"});
    let call = Signed::post(RESOLVE, &people.key, &json!({"include_profile": true, "user_token": token}));
    let call = call.with(headers::CONTEXT, r#"{"run_id":"r-1","thread_id":"t-1","tool":"x"}"#);
    assert_eq!(call.send(&people.vault).await.json(), expected);
    let bad = people.call(RESOLVE, json!({"user_token": people.token(json!({"aud": "other"}))})).await;
    assert_eq!(bad.refusal(), (401, "jwt_validation_error".into()));
}

#[tokio::test]
async fn without_a_user_it_is_the_caller() {
    let people = People::new().await;
    let call = Signed::post(RESOLVE, &people.key, &json!({"include_profile": true})).with(headers::CALLER, "bot");
    let answer = call.with(headers::CALLER_TYPE, "agent").send(&people.vault).await;
    let identity = answer.json();
    assert_eq!((&identity["app_user_id"], &identity["user_status"], &identity["group_ids"]), (&Value::Null, &Value::Null, &json!([])));
    assert_eq!(identity["actor_id"].as_str(), answer.header("x-alter-actor-id"));
}

#[tokio::test]
async fn an_assertion_is_verified_with_the_published_keys() {
    let people = People::new().await;
    let body = json!({"include_profile": false, "user_token": people.token(json!({})), "audience": "urn:memory", "ttl_seconds": 60});
    let answer = people.call(ASSERT, body).await;
    assert_eq!(answer.status, 200, "{:?}", answer.json());
    let answer = answer.json();
    assert_eq!((&answer["identity"]["app_user_id"], &answer["expires_at"]), (&json!("ada"), &json!("2026-01-01T00:01:00.000Z")));
    let claims = verified(&people.vault, answer["token"].as_str().expect("a token")).await;
    let app = people.vault.read("/apps/demo").await["id"].clone();
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(people.vault.url), &json!("urn:memory")));
    assert_eq!((&claims["sub"], &claims["azp"], &claims["alter"]), (&json!("alter:user:ada"), &app, &json!({"app_id": app})));
    let row = people.vault.last_row().await;
    assert_eq!(row["subject"], format!("assertion:{}", claims["jti"].as_str().expect("an id")));
    assert!(!row.to_string().contains(answer["token"].as_str().expect("a token")));

    // The vault's own statement is no user token.
    let again = people.call(RESOLVE, json!({"user_token": answer["token"]})).await;
    assert_eq!(again.refusal(), (401, "jwt_validation_error".into()));
    let of_app = people.call(ASSERT, json!({"audience": "urn:memory"})).await.json();
    assert_eq!(
        verified(&people.vault, of_app["token"].as_str().expect("a token")).await["sub"],
        format!("alter:app:{}", app.as_str().expect("an id"))
    );
}

/// The claims, after the signature was found to be that of a published key.
async fn verified(vault: &TestVault, token: &str) -> Value {
    let request = Request::builder().method(Method::GET).uri(format!("{}/.well-known/jwks.json", vault.url)).body(Full::default());
    let answer = vault.send(request.expect("a request")).await;
    assert_eq!(answer.header("cache-control"), Some("public, max-age=3600"));
    let parts: Vec<&str> = token.split('.').collect();
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).expect("base64url");
    let header: Value = serde_json::from_slice(&decode(parts[0])).expect("JSON");
    let set = KeySet::parse(&answer.bytes).expect("a set");
    let key = set.find(header["kid"].as_str(), Algorithm::Es256).expect("a published key");
    assert!(Algorithm::Es256.verify(&key.key, format!("{}.{}", parts[0], parts[1]).as_bytes(), &decode(parts[2])));
    serde_json::from_slice(&decode(parts[1])).expect("JSON")
}

#[tokio::test]
async fn an_agent_speaks_for_those_who_let_it() {
    let people = People::new().await;
    let agent = Delegate::new(&people).await;
    let call = |path: &'static str, body: Value| {
        let (key, vault) = (agent.key.clone(), &people.vault);
        async move { Signed::post(path, &key, &body).send(vault).await }
    };
    let own = call(RESOLVE, json!({})).await.json();
    assert_eq!((&own["agent_id"], &own["app_user_id"]), (&json!(agent.id), &Value::Null));
    let ada = call(RESOLVE, json!({"app_user_id": "ada"})).await.json();
    assert_eq!((&ada["app_user_id"], &ada["agent_id"], &ada["user_status"]), (&json!("ada"), &json!(agent.id), &json!("active")));
    let claims = verified(
        &people.vault,
        call(ASSERT, json!({"app_user_id": "ada", "audience": "urn:x"})).await.json()["token"].as_str().expect("a token"),
    )
    .await;
    assert_eq!((&claims["sub"], &claims["act"]["sub"]), (&json!("alter:user:ada"), &json!(format!("alter:agent:{}", agent.id))));
    assert_eq!(claims["alter"]["agent_auth"], "agent_key");

    // Somebody who exists and let it do nothing, and somebody who does not exist, look the same.
    let (bob, nobody) = (call(RESOLVE, json!({"app_user_id": "bob"})).await, call(RESOLVE, json!({"app_user_id": "nobody"})).await);
    assert_eq!(bob.refusal(), (404, "identity_not_found".into()));
    assert_eq!(bob.bytes, nobody.bytes);
    let both = call(RESOLVE, json!({"app_user_id": "bob", "user_token": people.token(json!({}))})).await;
    assert_eq!(both.refusal(), (404, "identity_not_found".into()));
    // What a person took back counts no longer.
    let row = AuditEntry::new(ChainId::App(agent.app), "grant.revoke", Outcome::Done);
    commit(&people.vault, row, vec![Effect::RevokeGrant { app: agent.app, grant: agent.grant }]).await;
    assert_eq!(call(RESOLVE, json!({"app_user_id": "ada"})).await.refusal(), (404, "identity_not_found".into()));
}

/// An agent with a key and a grant that `ada` delegated to it.
struct Delegate {
    app: AppId,
    id: AgentId,
    key: String,
    grant: GrantId,
}

impl Delegate {
    async fn new(people: &People) -> Self {
        let vault = &people.vault;
        let secret = json!({"slug": "mail", "kind": "bearer", "allowed_hosts": ["api.example.com"], "values": {"token": "t"}});
        let secret = vault.made("/apps/demo/secrets", secret).await["id"].as_str().and_then(SecretId::parse).expect("an id");
        let app = vault.read("/apps/demo").await["id"].as_str().and_then(AppId::parse).expect("an id");
        let now = alter_server::clock::Clock::now(&*vault.clock);
        let agent = Agent::new(app, "helper", now);
        let key = alter_core::key::KeyKind::Agent.generate().expect("random").expose().to_owned();
        let record = ApiKey {
            agent: Some(agent.id),
            prefix: alter_server::model::display_prefix(&key),
            scopes: vec!["idp_users:read".into()],
            ..ApiKey::new(app, alter_core::key::KeyKind::Agent, keys_of(vault).await.digest(&key), now)
        };
        let ada = Person { issuer: people.issuer.url.clone(), subject: "ada".into() };
        let root = Grant { delegable: true, ..Grant::root(app, Opens::Secret(secret), Principal::User(ada), now) };
        let grant = Grant {
            id: GrantId::random(),
            principal: Principal::Agent { agent: agent.id },
            parent: Some(root.id),
            depth: 1,
            delegable: false,
            ..root.clone()
        };
        let (id, held) = (agent.id, root.id);
        let row = AuditEntry::new(ChainId::App(app), "test.furnish", Outcome::Done);
        let effects = vec![
            Effect::CreateAgent(Box::new(agent)),
            Effect::CreateKey(Box::new(record)),
            Effect::CreateGrant(Box::new(root)),
            Effect::CreateGrant(Box::new(grant)),
        ];
        commit(vault, row, effects).await;
        Self { app, id, key, grant: held }
    }
}

async fn commit(vault: &TestVault, row: AuditEntry, effects: Vec<Effect>) {
    let commit = effects.into_iter().fold(Commit::new(row), Commit::effect);
    vault.store.commit(commit, Instant::now() + Duration::from_secs(30)).await.expect("committed");
}

/// The vault's keys: for what no endpoint does yet.
async fn keys_of(vault: &TestVault) -> VaultKeys {
    let path = vault.folder.path().join("data").join(MASTER_KEY_FILE);
    let current = MasterKey::parse(std::fs::read_to_string(path).expect("the key's file").trim(), "the test").expect("a key");
    let at_hand = MasterKeys { current, previous: Vec::new(), origin: KeyOrigin::Environment };
    unlock(&at_hand, &vault.store.stored_keys().await.expect("stored")).expect("unlocked").keys
}

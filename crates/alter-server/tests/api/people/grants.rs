//! Grants of people: given to them, seen by them, passed on for them, taken back by them.

use std::time::{Duration, Instant};

use alter_server::audit::{AuditEntry, ChainId, Outcome};
use alter_server::model::{AgentId, AppSettings, Grant, GrantId, Principal};
use alter_server::store::{Commit, Effect};
use http::Method;
use serde_json::{Value, json};

use super::People;
use crate::harness::{Answer, CREDENTIAL, Signed, token_body};

/// People with a managed secret, and keys of the app and of two agents.
struct World {
    people: People,
    key: String,
    secret: String,
    planner: (String, String),
    writer: (String, String),
}

impl World {
    async fn new() -> Self {
        let people = People::new().await;
        let vault = &people.vault;
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let secret = json!({"slug": "mail", "kind": "bearer", "allowed_hosts": ["api.example.com"], "values": {"token": CREDENTIAL}});
        let secret = text(&vault.made("/apps/demo/secrets", secret).await["id"]);
        let scopes = ["agents:admin", "grants:read", "grants:write", "secrets:write", "tokens:retrieve"];
        let key = vault.key(json!({"scopes": scopes})).await;
        let mut agents = Vec::new();
        for name in ["planner", "writer"] {
            let id = text(&vault.made("/apps/demo/agents", json!({"name": name})).await["agent_id"]);
            agents.push((id, vault.key(json!({"agent": name})).await));
        }
        let writer = agents.pop().expect("two agents");
        let planner = agents.pop().expect("two agents");
        Self { people, key, secret, planner, writer }
    }

    async fn post(&self, key: &str, path: &str, body: Value) -> Answer {
        Signed::post(path, key, &body).send(&self.people.vault).await
    }

    /// A grant of the secret for the person of this subject.
    async fn assigned(&self, subject: &str) -> String {
        let principal = json!({"type": "user", "user_token": self.token(subject), "label": subject});
        let answer = self.post(&self.key, &format!("/sdk/managed-secrets/{}/grants", self.secret), json!({"principal": principal})).await;
        assert_eq!(answer.status, 200, "{:?}", answer.json());
        assert_eq!(answer.json()["principal_type"], "user");
        answer.json()["grant_id"].as_str().expect("an id").to_owned()
    }

    fn token(&self, subject: &str) -> String {
        self.people.token(json!({"sub": subject}))
    }

    /// What the person consents to when connecting: an agent holds their grant, and may pass it on.
    async fn consented(&self, root: &str, agent: &str) -> String {
        let vault = &self.people.vault;
        let app = vault.read("/apps/demo").await["id"].as_str().and_then(alter_server::model::AppId::parse).expect("an id");
        let root = vault.store.grant(app, GrantId::parse(root).expect("an id")).await.expect("read").found().expect("found");
        let agent = AgentId::parse(agent).expect("an id");
        let child = Grant {
            id: GrantId::random(),
            principal: Principal::Agent { agent },
            label: None,
            parent: Some(root.id),
            depth: 1,
            delegable: true,
            ..root
        };
        let row = AuditEntry::new(ChainId::App(app), "test.consent", Outcome::Done);
        let commit = Commit::new(row).effect(Effect::CreateGrant(Box::new(child.clone())));
        vault.store.commit(commit, Instant::now() + Duration::from_secs(30)).await.expect("committed");
        child.id.to_string()
    }

    async fn listed(&self, key: &str, body: Value) -> Vec<Value> {
        let answer = self.post(key, "/sdk/grants/list", body).await;
        assert_eq!(answer.status, 200, "{:?}", answer.json());
        answer.json()["grants"].as_array().expect("a list").clone()
    }

    async fn seen(&self, key: &str, body: Value) -> Vec<String> {
        let all = self.listed(key, body).await;
        all.iter().map(|grant| grant["grant_id"].as_str().expect("an id").to_owned()).collect()
    }

    async fn delegate(&self, from: &(String, String), grant: &str, body: Value) -> Answer {
        self.post(&from.1, &format!("/sdk/grants/{grant}/delegate"), body).await
    }
}

#[tokio::test]
async fn a_person_sees_and_uses_their_own_grants_only() {
    let world = World::new().await;
    let (ada, bob) = (world.assigned("ada").await, world.assigned("bob").await);
    let of = |subject: &str| json!({"user_token": world.token(subject)});
    assert_eq!(world.seen(&world.key, of("ada")).await, std::slice::from_ref(&ada));
    assert_eq!(world.seen(&world.key, of("bob")).await, std::slice::from_ref(&bob));
    assert_eq!(world.seen(&world.key, of("eve")).await, Vec::<String>::new());
    assert_eq!(world.seen(&world.key, json!({})).await, [ada.clone(), bob.clone()]);

    let retrieve = async |grant: &str, subject: &str| {
        let mut body = token_body(grant);
        body["user_token"] = world.token(subject).into();
        world.post(&world.key, "/sdk/token", body).await
    };
    assert_eq!(retrieve(&ada, "ada").await.json()["access_token"], CREDENTIAL);
    assert_eq!(retrieve(&bob, "ada").await.refusal(), (404, "grant_not_found".into()));
    let by_provider = async |subject: &str| {
        let request = json!({"method": "GET", "url": "https://api.example.com/"});
        world.post(&world.key, "/sdk/token", json!({"provider_id": "mail", "user_token": world.token(subject), "request": request})).await
    };
    assert_eq!(by_provider("bob").await.json()["grant_id"], json!(bob));
    assert_eq!(by_provider("eve").await.refusal(), (404, "grant_not_found".into()));
    let expired = world.people.token(json!({"exp": 1}));
    assert_eq!(
        world.post(&world.key, "/sdk/grants/list", json!({"user_token": expired})).await.refusal(),
        (401, "jwt_validation_error".into())
    );
}

#[tokio::test]
async fn app_user_id_filters_and_never_widens() {
    let world = World::new().await;
    let ada = world.assigned("ada").await;
    let call = async |body: Value| {
        let mut whole = json!({"provider_id": "mail", "request": {"method": "GET", "url": "https://api.example.com/"}});
        whole.as_object_mut().expect("an object").extend(body.as_object().expect("an object").clone());
        world.post(&world.key, "/sdk/token", whole).await
    };
    assert_eq!(call(json!({"app_user_id": "ada"})).await.refusal(), (404, "grant_not_found".into()), "without a token only system grants");
    assert_eq!(call(json!({"app_user_id": "ada", "user_token": world.token("ada")})).await.json()["grant_id"], json!(ada));
    assert_eq!(call(json!({"app_user_id": "bob", "user_token": world.token("ada")})).await.refusal(), (404, "grant_not_found".into()));
}

#[tokio::test]
async fn a_groups_grant_is_for_whoever_the_token_says_belongs() {
    let world = World::new().await;
    let path = format!("/sdk/managed-secrets/{}/grants", world.secret);
    let assign = async |idp: &str| {
        let principal = json!({"type": "group", "idp_id": idp, "external_group_id": "staff", "label": "staff"});
        world.post(&world.key, &path, json!({ "principal": principal })).await
    };
    assert_eq!(assign("https://elsewhere.example").await.refusal(), (422, "unsupported_group_source".into()));
    let grant = assign(&world.people.issuer.url).await.json()["grant_id"].as_str().expect("an id").to_owned();
    let retrieve = async |claims: Value| {
        let mut body = token_body(&grant);
        body["user_token"] = world.people.token(claims).into();
        world.post(&world.key, "/sdk/token", body).await
    };
    assert_eq!(retrieve(json!({"groups": ["staff"]})).await.status, 200);
    assert_eq!(retrieve(json!({"groups": ["visitors"]})).await.refusal(), (404, "grant_not_found".into()));
    assert_eq!(retrieve(json!({"groups": null})).await.refusal(), (422, "groups_unknown".into()));
    world.people.set(json!({"issuer": world.people.issuer.url, "audiences": ["app"]})).await;
    assert_eq!(assign(&world.people.issuer.url).await.refusal(), (422, "unsupported_group_source".into()));
}

#[tokio::test]
async fn what_was_passed_on_reaches_no_further_and_ends_with_its_source() {
    let world = World::new().await;
    let root = world.assigned("ada").await;
    let first = world.consented(&root, &world.planner.0).await;
    assert_eq!(world.seen(&world.planner.1, json!({})).await, std::slice::from_ref(&first));
    let held = &world.listed(&world.planner.1, json!({"user_token": world.token("ada")})).await[0];
    assert_eq!((&held["access_via"], &held["parent_grant_id"], &held["depth"]), (&json!("ms_delegation"), &json!(root), &json!(1)));
    assert_eq!(world.seen(&world.planner.1, json!({"user_token": world.token("bob")})).await, Vec::<String>::new());

    let passed = world.delegate(&world.planner, &root, json!({"to_agent_id": world.writer.0, "ttl_seconds": 60})).await;
    assert_eq!(passed.status, 200, "{:?}", passed.json());
    let second = passed.json();
    assert_eq!((&second["depth"], &second["delegable"], &second["grant_kind"]), (&json!(2), &json!(false), &json!("managed_secret")));
    assert_eq!(second["parent_grant_id"], json!(first));
    let again = world.delegate(&world.planner, &first, json!({"to_agent_id": world.writer.0})).await;
    assert_eq!(again.refusal(), (409, "already_delegated".into()));
    let onward = world.delegate(&world.writer, second["grant_id"].as_str().expect("an id"), json!({"to_agent_id": world.planner.0})).await;
    assert_eq!(onward.refusal(), (403, "grant_not_delegable".into()));
    assert_eq!(onward.json()["detail_reason"], "holder_not_delegable");

    // Retrieving is for the proxy, until an operator lets the first holder do it.
    let retrieve = async |key: &str, grant: &str| world.post(key, "/sdk/token", token_body(grant)).await;
    assert_eq!(retrieve(&world.planner.1, &root).await.refusal(), (400, "delegated_grant_requires_proxy".into()));
    let vault = &world.people.vault;
    let app = vault.read("/apps/demo").await["id"].as_str().and_then(alter_server::model::AppId::parse).expect("an id");
    let settings = AppSettings { retrieve_delegated: true, ..AppSettings::default() };
    let commit =
        Commit::new(AuditEntry::new(ChainId::App(app), "test.settings", Outcome::Done)).effect(Effect::UpdateApp { app, settings });
    vault.store.commit(commit, Instant::now() + Duration::from_secs(30)).await.expect("committed");
    let answer = retrieve(&world.planner.1, &root).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["grant_id"]), (200, &json!(first)));
    let further = retrieve(&world.writer.1, second["grant_id"].as_str().expect("an id")).await;
    assert_eq!(further.refusal(), (400, "delegated_grant_requires_proxy".into()));

    // The person takes their grant back: all of it is over.
    let revoke = async |subject: &str| {
        world.post(&world.key, &format!("/sdk/oauth/grants/{root}/revoke"), json!({"user_token": world.token(subject)})).await
    };
    assert_eq!(revoke("bob").await.refusal(), (404, "grant_not_found".into()));
    assert_eq!(revoke("ada").await.status, 200);
    for (key, agent) in [(&world.planner.1, &first), (&world.writer.1, &second["grant_id"].as_str().expect("an id").to_owned())] {
        assert_eq!(retrieve(key, agent).await.refusal(), (400, "grant_revoked".into()));
    }
}

#[tokio::test]
async fn what_widens_or_names_nobody_is_not_passed_on() {
    let world = World::new().await;
    let root = world.assigned("ada").await;
    world.consented(&root, &world.planner.0).await;
    let to = |agent: &str| json!({"to_agent_id": agent});
    let mut scoped = to(&world.writer.0);
    scoped["scope_constraint"] = json!(["mail.read"]);
    for (body, status, code) in [
        (json!({}), 400, "invalid_request"),
        (json!({"to_agent_id": world.writer.0, "ttl_seconds": 0}), 400, "invalid_request"),
        (json!({"to_agent_id": world.writer.0, "delegable": 1}), 400, "invalid_request"),
        (json!({"to_agent_id": world.writer.0, "scope_constraint": []}), 422, "invalid_scope_constraint"),
        (json!({"to_agent_id": world.writer.0, "scope_constraint": ["*"]}), 422, "invalid_scope_constraint"),
        (scoped, 422, "invalid_scope_constraint"),
        (to("00000000-0000-4000-8000-000000000000"), 404, "agent_not_found"),
        (to(&world.planner.0), 409, "already_delegated"),
    ] {
        assert_eq!(world.delegate(&world.planner, &root, body.clone()).await.refusal(), (status, code.into()), "{body}");
    }
    world.people.vault.made(&format!("/apps/demo/agents/{}/suspend", world.writer.0), json!({})).await;
    assert_eq!(world.delegate(&world.planner, &root, to(&world.writer.0)).await.refusal(), (404, "agent_not_found".into()));
    let system = world.people.vault.grant(json!({"secret": "mail"})).await;
    let held = world.consented(&system, &world.planner.0).await;
    let refused = world.delegate(&world.planner, &held, to(&world.writer.0)).await;
    assert_eq!(refused.json()["detail_reason"], "no_consenting_user");
}

#[tokio::test]
async fn a_delegation_is_taken_back_by_the_app_and_given_back_by_the_agent() {
    let world = World::new().await;
    let root = world.assigned("ada").await;
    let delete = async |key: &str, path: String| Signed::delete(&path, key).send(&world.people.vault).await.status.as_u16();
    let base = format!("/sdk/grants/{root}/delegations");
    world.consented(&root, &world.planner.0).await;
    assert_eq!(delete(&world.writer.1, format!("{base}/me")).await, 404);
    assert_eq!(delete(&world.planner.1, format!("{base}/me")).await, 204);
    assert_eq!(delete(&world.planner.1, format!("{base}/me")).await, 204, "done before is done");
    assert_eq!(world.seen(&world.planner.1, json!({"status": "active"})).await, Vec::<String>::new());
    world.consented(&root, &world.planner.0).await;
    assert_eq!(delete(&world.key, format!("{base}/{}", world.planner.0)).await, 204);
    assert_eq!(world.seen(&world.planner.1, json!({"status": "active"})).await, Vec::<String>::new());
    assert_eq!(world.seen(&world.key, json!({"status": "active"})).await, [root]);
}

#[tokio::test]
async fn an_app_that_speaks_for_an_agent_sees_with_its_eyes() {
    let world = World::new().await;
    let root = world.assigned("ada").await;
    let first = world.consented(&root, &world.planner.0).await;
    let listed = Signed::post("/sdk/grants/list", &world.key, &json!({}))
        .with("x-alter-caller", &world.planner.0)
        .with("x-alter-caller-type", "agent")
        .send(&world.people.vault)
        .await;
    assert_eq!((&listed.json()["total"], &listed.json()["grants"][0]["grant_id"]), (&json!(1), &json!(first)));
    // The command line may end it for good.
    assert_eq!(world.people.vault.admin(Method::DELETE, "/apps/demo/agents/planner", Value::Null).await.status, 200);
    assert_eq!(world.seen(&world.key, json!({"status": "active"})).await, [root]);
}

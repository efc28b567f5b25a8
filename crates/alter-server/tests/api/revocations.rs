//! What a provider is told when a login loses its last live grant, by whatever way, and what stands in the audit about it.

use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use alter_server::audit::{AuditEntry, AuditRow, ChainId, Outcome};
use alter_server::clock::Clock;
use alter_server::model::{AgentId, Grant, Opens, Principal};
use alter_server::setup;
use alter_server::store::sqlite::Access;
use alter_server::store::{Commit, Effect};
use alter_testkit::oauth::{Act, Rotation};
use http::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Signed};
use crate::logins::Site;
use crate::seed::Wanted;

const STRICT: Rotation = Rotation::Replace { grace: Duration::ZERO };
const ROWS: NonZeroU32 = NonZeroU32::new(1000).expect("not zero");

async fn site() -> Site {
    Site::with(STRICT, |wanted| wanted.access_life_s = 3600).await
}

async fn site_with(change: impl FnOnce(&mut Wanted)) -> Site {
    Site::with(STRICT, |wanted| {
        wanted.access_life_s = 3600;
        change(wanted);
    })
    .await
}

impl Site {
    /// A key that may do what these tests do.
    async fn writer(&self) -> String {
        self.vault.key(json!({"scopes": ["grants:write"]})).await
    }

    async fn revoke(&self, grant: usize) -> Answer {
        let answer = self.vault.admin(Method::POST, &format!("/apps/demo/grants/{}/revoke", self.seeded.grants[grant]), json!({})).await;
        assert_eq!(answer.status, 200, "{:?}", answer.json());
        answer
    }

    async fn revoke_both(&self) {
        self.revoke(0).await;
        self.revoke(1).await;
    }

    /// The rows about revoking at the provider, once there are that many.
    async fn told(&self, count: usize) -> Vec<Value> {
        let limit = Instant::now() + Duration::from_secs(30);
        loop {
            let rows = self.vault.read("/audit?app=demo&limit=1000").await["items"].as_array().cloned().expect("rows");
            let told: Vec<Value> = rows.into_iter().filter(|row| row["action"] == "credential.revoke").collect();
            if told.len() >= count {
                assert_eq!(told.len(), count, "{told:?}");
                return told;
            }
            assert!(Instant::now() < limit, "no row about the provider: {told:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The one row, as outcome and code.
    async fn only(&self) -> (String, String, String) {
        let row = self.told(1).await.remove(0);
        let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        assert!(!row.to_string().contains("canary"), "{row}");
        (text("outcome"), text("code"), text("detail"))
    }
}

#[tokio::test]
async fn the_last_grant_tells_the_provider_and_the_one_before_does_not() {
    let site = site().await;
    let path = |grant: usize| format!("/sdk/oauth/grants/{}/revoke", site.seeded.grants[grant]);
    let key = site.writer().await;
    let revoke = async |grant: usize| Signed::post(&path(grant), &key, &json!({})).send(&site.vault).await;
    assert_eq!(revoke(0).await.status, 200);
    assert_eq!(Signed::token(&site.seeded.key, &site.body(1)).send(&site.vault).await.status, 200, "the sibling lives");
    let last = revoke(1).await;
    assert_eq!(last.status, 200, "{:?}", last.json());

    let row = site.told(1).await.remove(0);
    assert_eq!(site.provider.revoked(), [site.seeded.login.refresh_token.as_str()]);
    assert_eq!((&row["outcome"], &row["provider_id"], &row["code"]), (&json!("done"), &json!("test"), &Value::Null));
    assert_eq!(row["subject"], format!("credential:{}", site.seeded.credential));
    assert_eq!(row["request_id"].as_str(), last.header("x-request-id"));
    assert!(!row.to_string().contains("canary"), "{row}");
    // Done again by an operator it is nothing new.
    site.revoke(1).await;
    assert_eq!((site.told(1).await.len(), site.provider.revocations()), (1, 1));
}

#[tokio::test]
async fn a_provider_that_does_not_act_is_asked_once_more() {
    for (acts, requests, expected) in [
        (&[Act::Status(503)][..], 2, ("done", "")),
        (&[Act::CloseBefore], 2, ("done", "")),
        (&[Act::CloseAfter], 2, ("done", "")),
        (&[Act::Status(503), Act::Page(502)], 2, ("refused", "provider_unavailable")),
        (&[Act::CloseBefore, Act::CloseBefore], 2, ("refused", "answer_lost")),
        (&[Act::Status(400)], 1, ("refused", "answer_unclear")),
    ] {
        let site = site().await;
        site.provider.script_revocations(acts);
        site.revoke_both().await;
        let (outcome, code, _) = site.only().await;
        assert_eq!((outcome.as_str(), code.as_str()), expected, "{acts:?}");
        assert_eq!(site.provider.revocations(), requests, "{acts:?}");
        let grant = site.vault.read(&format!("/apps/demo/grants/{}", site.seeded.grants[1])).await;
        assert_eq!(grant["status"], "revoked", "whatever the provider says");
    }
}

#[tokio::test]
async fn what_cannot_be_told_is_on_record() {
    let Site { vault, provider, seeded } = site().await;
    let away = provider.host();
    drop(provider);
    let site = Site { vault, provider: alter_testkit::oauth::OAuthServer::start(STRICT).expect("a free port"), seeded };
    site.revoke_both().await;
    let (outcome, code, detail) = site.only().await;
    assert_eq!((outcome.as_str(), code.as_str()), ("refused", "provider_unavailable"));
    assert!(detail.contains(away.split(':').next().expect("a host")), "{detail}");

    let site = site_with(|wanted| wanted.client_secret = "canary-wrong").await;
    site.revoke_both().await;
    let (outcome, code, detail) = site.only().await;
    assert_eq!((outcome.as_str(), code.as_str(), site.provider.revocations()), ("refused", "client_misconfigured", 1));
    assert!(detail.contains("invalid_client"), "{detail}");

    let site = self::site().await;
    assert_eq!(site.vault.admin(Method::DELETE, "/apps/demo/providers/test", Value::Null).await.status, 200);
    site.revoke_both().await;
    let (_, code, detail) = site.only().await;
    assert_eq!((code.as_str(), site.provider.revocations()), ("client_misconfigured", 0));
    assert!(detail.contains("no client at test"), "{detail}");
}

#[tokio::test]
async fn a_provider_without_a_way_is_not_asked() {
    let site = site_with(|wanted| wanted.revocation = false).await;
    site.revoke_both().await;
    let (outcome, code, _) = site.only().await;
    assert_eq!((outcome.as_str(), code.as_str(), site.provider.revocations()), ("refused", "revocation_unsupported", 0));
}

#[tokio::test]
async fn an_agent_takes_its_last_login_with_it() {
    let site = site().await;
    let agent = site.vault.made("/apps/demo/agents", json!({"name": "planner"})).await;
    let agent = agent["agent_id"].as_str().and_then(AgentId::parse).expect("an id");
    let now = site.vault.clock.now();
    let own = Grant::root(site.seeded.app, Opens::Login(site.seeded.credential), Principal::Agent { agent }, now);
    let commit =
        Commit::new(AuditEntry::new(ChainId::App(site.seeded.app), "test.grant", Outcome::Done)).effect(Effect::CreateGrant(Box::new(own)));
    site.vault.store.commit(commit, Instant::now() + Duration::from_secs(30)).await.expect("made");
    site.revoke_both().await;
    assert_eq!(site.vault.admin(Method::DELETE, "/apps/demo/agents/planner", Value::Null).await.status, 200);
    assert_eq!(site.only().await.0, "done");
    assert_eq!(site.provider.revoked(), [site.seeded.login.refresh_token.as_str()]);
}

#[tokio::test]
async fn a_delegation_that_outlived_its_siblings_ends_the_login_too() {
    let site = site().await;
    let agent = site.vault.made("/apps/demo/agents", json!({"name": "planner"})).await["agent_id"].as_str().expect("an id").to_owned();
    let now = site.vault.clock.now();
    let end = Some(now.plus(Duration::from_secs(60)));
    let root = Grant { expires_at: end, ..Grant::root(site.seeded.app, Opens::Login(site.seeded.credential), Principal::System, now) };
    let held = Principal::Agent { agent: AgentId::parse(&agent).expect("an id") };
    let child = Grant {
        parent: Some(root.id),
        depth: 1,
        on_behalf_of: Principal::System,
        expires_at: end,
        ..Grant::root(site.seeded.app, root.opens, held, now)
    };
    let path = format!("/sdk/grants/{}/delegations/{agent}", root.id);
    let row = AuditEntry::new(ChainId::App(site.seeded.app), "test.grant", Outcome::Done);
    let commit = Commit::new(row).effect(Effect::CreateGrant(Box::new(root))).effect(Effect::CreateGrant(Box::new(child)));
    site.vault.store.commit(commit, Instant::now() + Duration::from_secs(30)).await.expect("made");
    let key = site.writer().await;
    site.revoke_both().await;
    site.vault.advance(60);
    assert_eq!(Signed::delete(&path, &key).send(&site.vault).await.status, 204);
    assert_eq!(site.only().await.0, "done");
    assert_eq!(site.provider.revocations(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_that_come_after_the_end_are_revoked_as_well() {
    let site = std::sync::Arc::new(Site::new(STRICT).await);
    site.provider.script(&[Act::Slow(Duration::from_secs(2))]);
    let call = tokio::spawn({
        let site = std::sync::Arc::clone(&site);
        async move { site.call().await }
    });
    let limit = Instant::now() + Duration::from_secs(30);
    while site.provider.exchanges() == 0 {
        assert!(Instant::now() < limit, "no exchange began");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    site.revoke_both().await;
    assert_eq!(call.await.expect("no panic").status, 410);
    site.told(2).await;
    let revoked = site.provider.revoked();
    assert!(revoked.len() == 2 && revoked[0] == site.seeded.login.refresh_token && revoked[1] != revoked[0], "{revoked:?}");
}

#[tokio::test]
async fn a_vault_that_stops_waits_for_the_providers_answer() {
    let Site { vault, provider, seeded } = site().await;
    provider.script_revocations(&[Act::Slow(Duration::from_secs(1))]);
    for grant in &seeded.grants {
        vault.made(&format!("/apps/demo/grants/{grant}/revoke"), json!({})).await;
    }
    let folder = vault.stop().await;
    let opened = setup::open(&folder.path().join("data"), Access::Read).expect("a stopped vault");
    let rows: Vec<AuditRow> = opened.store.audit_newest(Some(ChainId::App(seeded.app)), ROWS).await.expect("rows");
    let told = rows.iter().find(|row| row.entry.action == "credential.revoke");
    assert_eq!(told.map(|row| row.entry.outcome), Some(Outcome::Done));
}

//! Grants that open a login: released fresh, refreshed once, and never silently old. The provider is the OAuth server that misbehaves on request.

use std::sync::Arc;
use std::time::Duration;

use alter_testkit::oauth::{Act, OAuthServer, Rotation};
use http::StatusCode;
use serde_json::{Value, json};

use crate::harness::{Answer, Signed, TestVault};
use crate::seed::{Seeded, seed};

/// A vault with an expired login at a provider.
pub struct Site {
    pub vault: TestVault,
    pub provider: OAuthServer,
    pub seeded: Seeded,
}

impl Site {
    pub async fn new(rotation: Rotation) -> Self {
        Self::with(rotation, |_| ()).await
    }

    pub async fn with(rotation: Rotation, change: impl FnOnce(&mut crate::seed::Wanted)) -> Self {
        let provider = OAuthServer::start(rotation).expect("a free port");
        let mut wanted = crate::seed::Wanted::expired(&provider);
        change(&mut wanted);
        let mut seeded = None;
        let vault = TestVault::start_seeded(async |opened| seeded = Some(seed(opened, &wanted).await)).await;
        Self { vault, provider, seeded: seeded.expect("seeded") }
    }

    pub fn body(&self, grant: usize) -> Value {
        json!({"grant_id": self.seeded.grants[grant], "request": {"method": "GET", "url": format!("{}/api/me", self.provider.url())}})
    }

    pub async fn call(&self) -> Answer {
        Signed::token(&self.seeded.key, &self.body(0)).send(&self.vault).await
    }

    /// Whether the provider takes the token of an answer.
    async fn works(&self, answer: &Answer) -> bool {
        let token = answer.json()["access_token"].as_str().expect("a token").to_owned();
        let request = http::Request::get(format!("{}/api/me", self.provider.url())).header("authorization", format!("Bearer {token}"));
        self.vault.send(request.body(Default::default()).expect("a request")).await.status == StatusCode::OK
    }

    /// Actions and details of the rows about the login, oldest first, as they are listed.
    async fn history(&self) -> Vec<(String, String)> {
        let rows = self.vault.read("/audit?app=demo&limit=1000").await;
        let text = |row: &Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let rows = rows["items"].as_array().expect("rows").iter();
        rows.filter(|row| text(row, "action").starts_with("credential.")).map(|row| (text(row, "action"), text(row, "detail"))).collect()
    }
}

const STRICT: Rotation = Rotation::Replace { grace: Duration::ZERO };

fn grace(seconds: u64) -> Rotation {
    Rotation::Replace { grace: Duration::from_secs(seconds) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_login_is_refreshed_once_for_all_callers_and_grants() {
    let site = Arc::new(Site::new(STRICT).await);
    site.provider.script(&[Act::Slow(Duration::from_millis(300))]);
    let calls: Vec<_> = (0..60)
        .map(|n| {
            let site = Arc::clone(&site);
            tokio::spawn(async move { Signed::token(&site.seeded.key, &site.body(n % 2)).send(&site.vault).await })
        })
        .collect();
    let mut tokens = std::collections::BTreeSet::new();
    for call in calls {
        let answer = call.await.expect("no panic");
        assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.json());
        tokens.insert(answer.json()["access_token"].to_string());
    }
    assert_eq!((site.provider.exchanges(), tokens.len()), (1, 1));
    let actions: Vec<_> = site.history().await.into_iter().map(|(action, _)| action).collect();
    assert_eq!(actions, ["credential.create", "credential.refresh", "credential.renew"]);
}

#[tokio::test]
async fn the_answer_carries_the_login() {
    let site = Site::new(STRICT).await;
    let answer = site.call().await;
    assert!(site.works(&answer).await);
    let body = answer.json();
    assert_eq!((&body["injection_header"], &body["injection_format"]), (&json!("Authorization"), &json!("Bearer {token}")));
    assert_eq!(
        (&body["provider_id"], &body["scopes"], &body["grant_expires_at"]),
        (&json!("test"), &json!(["read", "write"]), &Value::Null)
    );
    assert_eq!(body["expires_at"], body["token_expires_at"]);
    // An hour later it is due again, with the token that replaced the first.
    site.vault.advance(3600 - 30);
    assert!(site.works(&site.call().await).await);
    assert_eq!(site.provider.exchanges(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_provider_does_ends_as_the_rules_say() {
    const SPENT: &str = "refresh_token_refused_after_lost_answer";
    for (rotation, acts, exchanges, dead) in [
        (STRICT, &[Act::Status(503), Act::Status(500)][..], 3, None),
        (STRICT, &[Act::Page(502)], 2, None),
        (STRICT, &[Act::Page(200)], 2, None),
        (STRICT, &[Act::ErrorWithStatus200("temporarily_unavailable")], 2, None),
        (STRICT, &[Act::ErrorWithStatus200("invalid_grant")], 1, Some("refresh_token_refused")),
        (STRICT, &[Act::CloseBefore], 2, None),
        (STRICT, &[Act::CloseAfter], 2, Some(SPENT)),
        (grace(10), &[Act::CloseAfter], 2, None),
        (grace(1800), &[Act::CloseAfter], 2, None),
        (grace(1800), &[Act::CloseAfter, Act::CloseAfter], 2, Some("refresh_answers_lost")),
        (Rotation::None, &[Act::CloseAfter], 2, None),
        (STRICT, &[Act::Slow(Duration::from_secs(2))], 1, None),
        (STRICT, &[Act::WithoutExpiry], 1, None),
    ] {
        let site = Site::new(rotation).await;
        site.provider.script(acts);
        let answer = site.call().await;
        match dead {
            Some(cause) => {
                assert_eq!(answer.refusal(), (400, "credential_revoked".into()), "{acts:?}");
                assert_eq!(site.call().await.refusal(), (400, "credential_revoked".into()), "{acts:?}");
                let (action, detail) = site.history().await.pop().expect("rows");
                assert!(action == "credential.die" && detail.starts_with(&format!("{cause}: ")), "{acts:?} {action} {detail}");
            }
            None => assert!(answer.status == StatusCode::OK && site.works(&answer).await, "{acts:?} {:?}", answer.json()),
        }
        assert_eq!(site.provider.exchanges(), exchanges, "{acts:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_comes_too_late_is_a_lost_one() {
    for (rotation, survives) in [(grace(1800), true), (grace(5), false)] {
        let site = Site::new(rotation).await;
        site.provider.script(&[Act::Slow(Duration::from_secs(12))]);
        let answer = site.call().await;
        let expected = if survives { StatusCode::OK } else { StatusCode::BAD_REQUEST };
        assert_eq!((answer.status, site.provider.exchanges()), (expected, 2), "{:?}", answer.json());
    }
}

#[tokio::test]
async fn scopes_that_are_taken_away_are_recorded() {
    let site = Site::new(STRICT).await;
    site.provider.script(&[Act::Scopes("read")]);
    assert_eq!(site.call().await.json()["scopes"], json!(["read"]));
    let (action, detail) = site.history().await.pop().expect("rows");
    assert_eq!((action.as_str(), detail.as_str()), ("credential.renew", "the provider no longer grants write"));
}

#[tokio::test]
async fn a_login_that_the_person_took_back_is_dead_and_asked_for_once() {
    let site = Site::new(STRICT).await;
    site.provider.revoke(&site.seeded.login);
    for _ in 0..3 {
        let answer = site.call().await;
        assert_eq!(answer.refusal(), (400, "credential_revoked".into()));
        assert_eq!((&answer.json()["grant_id"], &answer.json()["provider_id"]), (&json!(site.seeded.grants[0]), &json!("test")));
    }
    assert_eq!(site.provider.exchanges(), 1);
}

#[tokio::test]
async fn a_provider_that_stays_away_is_said_to_be_and_the_login_stays() {
    let site = Site::new(STRICT).await;
    site.provider.script(&[Act::Status(503); 50]);
    let answer = site.call().await;
    assert_eq!(answer.refusal(), (502, "provider_error".into()));
    assert!(answer.header("retry-after").is_some() && site.provider.exchanges() < 10);
}

#[tokio::test]
async fn a_token_that_has_not_ended_serves_while_the_provider_is_away() {
    let site = Site::with(STRICT, |wanted| wanted.access_life_s = 30).await;
    site.provider.script(&[Act::Status(503); 10]);
    let answer = site.call().await;
    assert_eq!(answer.json()["access_token"], site.seeded.login.access_token.as_str());
    assert_eq!(site.provider.exchanges(), 1);
}

#[tokio::test]
async fn a_client_that_the_provider_refuses_is_the_operators_matter() {
    let site = Site::with(STRICT, |wanted| wanted.client_secret = "canary-wrong").await;
    assert_eq!(site.call().await.refusal(), (502, "provider_configuration_unavailable".into()));
    let row = site.vault.last_row().await;
    assert!(row["detail"].as_str().is_some_and(|detail| detail.contains("invalid_client")), "{row}");
}

#[tokio::test]
async fn a_call_that_is_refused_refreshes_nothing() {
    let site = Site::new(STRICT).await;
    let body = json!({"grant_id": site.seeded.grants[0], "request": {"method": "GET", "url": "https://elsewhere.example/api/me"}});
    let answer = Signed::token(&site.seeded.key, &body).send(&site.vault).await;
    assert_eq!(answer.refusal(), (422, "blocked_destination".into()));
    assert_eq!(site.provider.exchanges(), 0);
}

#[tokio::test]
async fn no_token_and_no_client_secret_is_in_the_audit() {
    let site = Site::new(STRICT).await;
    site.provider.script(&[Act::CloseBefore]);
    assert_eq!(site.call().await.status, StatusCode::OK);
    let rows = site.vault.read("/audit?app=demo&limit=1000").await.to_string();
    assert!(rows.contains("credential.refresh_lose") && !rows.contains("canary"), "{rows}");
}

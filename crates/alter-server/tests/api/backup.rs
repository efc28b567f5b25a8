//! Logins that come out of a backup: their refresh tokens are proven before anything is released by them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use alter_server::api::{HostPolicy, Vault, router};
use alter_server::egress::{Egress, EgressOptions};
use alter_server::setup::{self, Opened};
use alter_server::store::StoreOptions;
use alter_server::store::backup::{Restored, backup, restore};
use alter_server::store::sqlite::{Access, SqliteOptions};
use alter_testkit::oauth::{OAuthServer, Rotation};
use axum::body::Body;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::harness::Signed;
use crate::seed::{Seeded, Wanted, seed};

/// A vault without a listener.
struct Site {
    opened: Option<Opened>,
    app: axum::Router,
}

impl Site {
    async fn open(folder: &Path) -> Self {
        let opened = setup::create_with(SqliteOptions::new(folder, Access::Create)).await.expect("a vault");
        Self { opened: Some(opened), app: axum::Router::new() }
    }

    /// Puts it to use.
    fn serving(mut self) -> Self {
        let egress = Egress::new(EgressOptions::default()).expect("authorities");
        let opened = self.opened.take().expect("opened");
        self.app = router(Arc::new(Vault::new(opened, egress, HostPolicy::default(), "http://127.0.0.1".to_owned())));
        self
    }

    /// Asks for the token of the login.
    async fn call(&self, seeded: &Seeded, provider: &OAuthServer) -> (u16, Value) {
        let body = json!({"grant_id": seeded.grants[0], "request": {"method": "GET", "url": format!("{}/api/me", provider.url())}});
        let now = alter_server::clock::Clock::now(&alter_server::clock::SystemClock).as_secs();
        let request = Signed::token(&seeded.key, &body).request_to("http://127.0.0.1", now);
        let answer = self.app.clone().oneshot(request.map(Body::new)).await.expect("an answer");
        let status = answer.status().as_u16();
        let bytes = answer.into_body().collect().await.expect("a body").to_bytes();
        (status, serde_json::from_slice(&bytes).expect("JSON"))
    }
}

fn options(folder: &Path, access: Access) -> StoreOptions {
    SqliteOptions::new(folder, access).into()
}

/// Backs a folder up and restores it in another one, which gets its master key.
fn moved(from: &Path, to: &Path, file: &Path) -> Restored {
    backup(&options(from, Access::Read), file, &mut |_, _| ()).expect("backed up");
    std::fs::create_dir(to).expect("a folder");
    std::fs::copy(from.join("master.key"), to.join("master.key")).expect("the key");
    restore(file, &[], &options(to, Access::Create), &mut |_, _| ()).expect("restored")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_login_is_refreshed_before_it_is_used() {
    let folder = tempfile::tempdir().expect("a folder");
    let (from, to, file) = (folder.path().join("from"), folder.path().join("to"), folder.path().join("backup"));
    let provider = OAuthServer::start(Rotation::Replace { grace: Duration::ZERO }).expect("a free port");
    let site = Site::open(&from).await;
    let wanted = Wanted { access_life_s: 3600, ..Wanted::expired(&provider) };
    let seeded = seed(site.opened.as_ref().expect("opened"), &wanted).await;
    let site = site.serving();
    let (status, before) = site.call(&seeded, &provider).await;
    assert_eq!((status, provider.exchanges()), (200, 0), "it is good for an hour: {before}");
    let restored = moved(&from, &to, &file);
    assert_eq!(restored.unproven, 1);
    let again = Site::open(&to).await.serving();
    let (status, after) = again.call(&seeded, &provider).await;
    assert_eq!((status, provider.exchanges()), (200, 1), "{after}");
    assert_ne!(before["access_token"], after["access_token"], "what is released was proven");
    assert_eq!((again.call(&seeded, &provider).await.0, provider.exchanges()), (200, 1), "once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_login_whose_refresh_token_was_spent_since_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    let (from, to, file) = (folder.path().join("from"), folder.path().join("to"), folder.path().join("backup"));
    let provider = OAuthServer::start(Rotation::Replace { grace: Duration::ZERO }).expect("a free port");
    let site = Site::open(&from).await;
    let seeded = seed(site.opened.as_ref().expect("opened"), &Wanted::expired(&provider)).await;
    let restored = moved(&from, &to, &file);
    assert_eq!(restored.unproven, 1);
    // The vault goes on after the backup, and its provider changes the refresh token.
    assert_eq!(site.serving().call(&seeded, &provider).await.0, 200);
    let again = Site::open(&to).await;
    let store = Arc::clone(&again.opened.as_ref().expect("opened").store);
    let (status, refused) = again.serving().call(&seeded, &provider).await;
    assert_eq!((status, refused["error"].as_str()), (400, Some("credential_revoked")), "{refused}");
    let stored = store.credential(seeded.app, seeded.credential).await.expect("read").found().expect("there").credential;
    assert_eq!(stored.dead_cause.as_deref(), Some("refresh_token_refused_after_lost_answer"));
}

//! Calls that wait until people have agreed to them.

mod decisions;
mod executions;
mod pages;
mod polls;
mod webhook;

use std::time::{Duration, Instant};

use alter_testkit::provider::Seen;
use http::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Signed};
use crate::proxy::Site;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A site with a grant whose calls wait for an operator.
pub struct Waiting {
    pub site: Site,
    pub grant: String,
}

impl Waiting {
    pub async fn new() -> Self {
        let site = Site::new().await;
        let grant = site.minted(json!({"requires_approval": true})).await;
        Self { site, grant }
    }

    /// Asks for a call, and expects that it waits.
    pub async fn ask(&self, more: Value) -> Value {
        let answer = self.asked(more).await;
        assert_eq!(answer.status, 202, "{:?}", answer.json());
        answer.json()
    }

    /// Asks for a call.
    pub async fn asked(&self, more: Value) -> Answer {
        self.asking(more).send(&self.site.vault).await
    }

    /// A call that is not asked for yet.
    pub fn asking(&self, more: Value) -> Signed {
        let mut body = json!({"grant_id": self.grant, "method": "POST", "body": {"to": "ada", "n": 1.50}, "reason": "to say hello"});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        self.site.signed("/mail/send", body)
    }

    /// How an approval stands.
    pub async fn status(&self, asked: &Value) -> Value {
        let answer = self.get(asked, "").await;
        assert_eq!(answer.status, 200, "{:?}", answer.json());
        answer.json()
    }

    /// Asks about an approval.
    pub async fn get(&self, asked: &Value, more: &str) -> Answer {
        let path = format!("/sdk/approvals/{}{more}", text(&asked["approval_id"]));
        Signed::get(&path, &self.site.key).send(&self.site.vault).await
    }

    /// Polls until an approval stands like this.
    pub async fn until(&self, asked: &Value, status: &str) -> Value {
        let limit = Instant::now() + PATIENCE;
        loop {
            // The operator may ask as often as it likes.
            let now = self.shown(asked).await;
            if now["status"] == status {
                return self.status(asked).await;
            }
            assert!(Instant::now() < limit, "not {status}: {now}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What the operator sees.
    pub async fn shown(&self, asked: &Value) -> Value {
        self.site.vault.read(&format!("/approvals/{}", text(&asked["approval_group_id"]))).await
    }

    /// The first operator decides: `approve` with what it is shown, or `deny`.
    pub async fn decide(&self, asked: &Value, verb: &str, more: Value) -> Answer {
        let key = self.site.vault.operator_key.clone();
        self.decide_as(&key, asked, verb, more).await
    }

    /// An operator decides.
    pub async fn decide_as(&self, key: &str, asked: &Value, verb: &str, more: Value) -> Answer {
        let mut body = more;
        if verb == "approve" && body["digest"].is_null() {
            body["digest"] = self.shown(asked).await["digest"].clone();
        }
        let path = format!("/approvals/{}/{verb}", text(&asked["approval_group_id"]));
        self.site.vault.admin_as(key, Method::POST, &path, body).await
    }

    /// A new operator's key.
    pub async fn operator(&self, name: &str, role: &str) -> String {
        let made = self.site.vault.made("/operators", json!({"name": name, "role": role})).await;
        text(&made["operator_key"])
    }

    /// What the provider has received.
    pub fn received(&self) -> Vec<Seen> {
        self.site.provider.seen("/")
    }

    /// The newest rows of some actions, oldest first.
    pub async fn rows(&self, actions: &[&str]) -> Vec<Value> {
        let rows = self.site.rows(200).await;
        rows.into_iter().filter(|row| actions.contains(&row["action"].as_str().unwrap_or_default())).collect()
    }
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

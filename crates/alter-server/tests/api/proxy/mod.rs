//! `POST /sdk/proxy`: the vault makes the call.

mod addresses;
mod calls;
mod described;
mod limits;
mod once;
mod people;
mod policies;
mod through_proxy;

use alter_testkit::provider::{Account, Credential, Provider};
use serde_json::{Value, json};

use crate::harness::{Answer, CREDENTIAL, Signed, TestVault};

const SCOPES: [&str; 5] = ["proxy:execute", "tokens:retrieve", "grants:read", "grants:write", "agents:admin"];

/// A vault that may call a provider on loopback, where the secret `mail` is used below `/mail/`.
pub struct Site {
    pub vault: TestVault,
    pub provider: Provider,
    pub key: String,
    pub grant: String,
}

impl Site {
    pub async fn new() -> Self {
        let provider = Provider::start().expect("a free port");
        let vault = TestVault::start_in(&[("ALTER_EGRESS_ALLOW", &provider.address().to_string())]).await;
        vault.made("/apps", json!({"name": "demo"})).await;
        let key = vault.key(json!({"scopes": SCOPES})).await;
        let bearer = Credential::Header { name: "authorization".into(), value: format!("Bearer {CREDENTIAL}") };
        provider.open("/mail/", Account { credentials: vec![bearer], answer: None });
        let mut site = Self { vault, provider, key, grant: String::new() };
        site.grant = site.secret(json!({"slug": "mail", "kind": "bearer", "values": {"token": CREDENTIAL}})).await;
        site
    }

    /// Stores a secret that is bound to the provider, and gives a grant of it.
    pub async fn secret(&self, mut wanted: Value) -> String {
        if wanted["allowed_hosts"].is_null() {
            wanted["allowed_hosts"] = json!([self.provider.address().to_string()]);
        }
        let slug = wanted["slug"].clone();
        self.vault.made("/apps/demo/secrets", wanted).await;
        self.vault.grant(json!({"secret": slug})).await
    }

    /// A grant of the secret `mail` with a policy.
    pub async fn minted(&self, policy: Value) -> String {
        let path = format!("/sdk/grants/{}/mint", self.grant);
        let body = json!({"label": uuid::Uuid::new_v4().to_string(), "grant_policy": policy});
        let answer = Signed::post(&path, &self.key, &body).send(&self.vault).await;
        answer.json()["grant_id"].as_str().unwrap_or_else(|| panic!("{:?}", answer.json())).to_owned()
    }

    /// A call of the provider, with what it has besides method, URL and grant.
    pub fn asking(&self, path: &str, more: Value) -> Value {
        let mut body = json!({"method": "GET", "url": format!("{}{path}", self.provider.url()), "grant_id": self.grant});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        body
    }

    /// Makes a call.
    pub async fn call(&self, path: &str, more: Value) -> Answer {
        self.signed(path, more).send(&self.vault).await
    }

    /// A call that is not sent yet.
    pub fn signed(&self, path: &str, more: Value) -> Signed {
        Signed::post("/sdk/proxy", &self.key, &self.asking(path, more))
    }

    /// The newest rows, newest last.
    pub async fn rows(&self, count: usize) -> Vec<Value> {
        let rows = self.vault.read(&format!("/audit?app=demo&limit={count}")).await;
        rows["items"].as_array().expect("rows").clone()
    }
}

/// The body of an answer of the provider.
pub fn body_of(answer: &Value) -> Vec<u8> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(answer["body_b64"].as_str().expect("a body")).expect("base64")
}

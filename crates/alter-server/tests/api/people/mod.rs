//! People: identity providers, user tokens, signing in, and the vault's statements about identities.

mod assertions;
pub mod browser;
mod grants;
mod idp;
mod pages;
mod real_provider;
mod sign_in;
mod user_tokens;

use http::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Signed, TestVault};
use crate::issuer::{Pair, World};

/// A vault whose app `demo` trusts an issuer with one RSA key `k`, and a key with every scope about people.
pub struct People {
    pub vault: TestVault,
    pub issuer: World,
    pub key: String,
}

impl People {
    pub async fn new() -> Self {
        Self::of(TestVault::start().await).await
    }

    /// The same in a vault with settings of its own.
    pub async fn of(vault: TestVault) -> Self {
        let issuer = World::with(vec![Pair::rsa(0).jwk("k")]).await;
        vault.made("/apps", json!({"name": "demo"})).await;
        let key = vault.key(json!({"scopes": ["idp_users:write"]})).await;
        let people = Self { vault, issuer, key };
        people.set(json!({"issuer": people.issuer.url, "audiences": ["app"], "groups_claim": "groups"})).await;
        people
    }

    /// Sets the identity provider and expects it to work.
    pub async fn set(&self, settings: Value) -> Value {
        let answer = self.vault.admin(Method::PUT, "/apps/demo/idp", settings).await;
        assert!(answer.status.is_success(), "{:?}", answer.json());
        answer.json()
    }

    pub async fn call(&self, path: &str, body: Value) -> Answer {
        Signed::post(path, &self.key, &body).send(&self.vault).await
    }

    /// A token of the issuer about `ada`, with claims changed.
    pub fn token(&self, change: Value) -> String {
        Pair::rsa(0).token(&json!({"alg": "RS256", "kid": "k"}), &self.issuer.claims(&change))
    }
}

//! A login that no endpoint makes: an app, a key, a registration at the test provider, a credential and two grants of it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use alter_core::key::KeyKind;
use alter_core::secret::Secret;
use alter_server::audit::{AuditEntry, ChainId, Outcome};
use alter_server::model::{
    Account, ApiKey, App, AppId, AppSettings, Credential, CredentialId, CredentialKind, CredentialState, Grant, Lease, Opens, Principal,
    Registration, RegistrationId, RegistrationKind, display_prefix,
};
use alter_server::setup::Opened;
use alter_server::store::{Commit, Effect};
use alter_testkit::oauth::{CLIENT_ID, CLIENT_SECRET, Login, OAuthServer};
use serde_json::json;

/// What the login shall be like.
pub struct Wanted {
    pub login: Login,
    pub url: String,
    pub host: String,
    /// How long the access token still lives, in seconds.
    pub access_life_s: u64,
    pub client_secret: &'static str,
    /// Whether the provider has a way to revoke tokens.
    pub revocation: bool,
    /// The entry's `api`, besides its hosts.
    pub api: serde_json::Value,
    /// More sealed fields of the login.
    pub fields: &'static [(&'static str, &'static str)],
    /// Whose login it is.
    pub owner: Principal,
    /// The account that it opens.
    pub account: Option<&'static str>,
}

impl Wanted {
    /// A login whose access token has ended.
    pub fn expired(provider: &OAuthServer) -> Self {
        Self {
            login: provider.login(),
            url: provider.url(),
            host: provider.host(),
            access_life_s: 0,
            client_secret: CLIENT_SECRET,
            revocation: true,
            api: json!({}),
            fields: &[],
            owner: Principal::System,
            account: None,
        }
    }
}

/// What was made.
pub struct Seeded {
    pub key: String,
    /// Two grants of the one login.
    pub grants: [String; 2],
    pub login: Login,
    pub app: AppId,
    pub credential: CredentialId,
}

pub async fn seed(opened: &Opened, wanted: &Wanted) -> Seeded {
    let now = opened.clock.now();
    let app = App { id: AppId::random(), name: "demo".to_owned(), settings: AppSettings::default(), created_at: now };
    let key = KeyKind::Runtime.generate().expect("random");
    let record = ApiKey {
        prefix: display_prefix(key.expose()),
        scopes: vec!["tokens:retrieve".to_owned()],
        ..ApiKey::new(app.id, KeyKind::Runtime, opened.keys.digest(key.expose()), now)
    };
    let registration = Registration {
        id: RegistrationId::random(),
        app: app.id,
        kind: RegistrationKind::Provider,
        name: "test".to_owned(),
        body: settings(wanted).to_string(),
        version: 1,
        created_at: now,
        updated_at: now,
    };
    let credential = Credential {
        id: CredentialId::random(),
        app: app.id,
        kind: CredentialKind::Oauth,
        provider: "test".to_owned(),
        secret: None,
        owner: wanted.owner.clone(),
        label: None,
        account: wanted.account.map(|account| Account { identifier: account.to_owned(), display_name: None }),
        scopes: vec!["read".to_owned(), "write".to_owned()],
        generation: 1,
        access_expires_at: Some(now.plus(Duration::from_secs(wanted.access_life_s))),
        refreshable: true,
        state: CredentialState::Live,
        dead_cause: None,
        lease: Lease::default(),
        created_at: now,
        updated_at: now,
    };
    let grants = [1, 2].map(|n| Grant {
        label: Some(format!("sibling {n}")),
        ..Grant::root(app.id, Opens::Login(credential.id), wanted.owner.clone(), now)
    });
    let (app_id, credential_id) = (app.id, credential.id);
    let ids = [grants[0].id.to_string(), grants[1].id.to_string()];
    let secret = BTreeMap::from([("client_secret".to_owned(), Secret::new(wanted.client_secret))]);
    let mut tokens = BTreeMap::from([
        ("access_token".to_owned(), Secret::new(wanted.login.access_token.as_str())),
        ("refresh_token".to_owned(), Secret::new(wanted.login.refresh_token.as_str())),
    ]);
    tokens.extend(wanted.fields.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))));
    let client = opened.keys.seal(app.id, registration.id, &secret).expect("sealed");
    let sealed = opened.keys.seal(app.id, credential.id, &tokens).expect("sealed");
    let chain = ChainId::App(app.id);
    let row = |chain, action| AuditEntry::new(chain, action, Outcome::Done);
    let first = Commit::new(row(ChainId::Vault, "app.create")).effect(Effect::CreateApp(app));
    let rest = Commit::new(row(chain, "credential.create"))
        .effect(Effect::CreateKey(Box::new(record)))
        .effect(Effect::CreateRegistration { registration: Box::new(registration), sealed: Some(client) })
        .effect(Effect::CreateCredential { credential: Box::new(credential), sealed });
    let rest = grants.into_iter().fold(rest, |commit, grant| commit.effect(Effect::CreateGrant(Box::new(grant))));
    for commit in [first, rest] {
        opened.store.commit(commit, Instant::now() + Duration::from_secs(30)).await.expect("stored");
    }
    Seeded { key: key.expose().to_owned(), grants: ids, login: wanted.login.clone(), app: app_id, credential: credential_id }
}

fn settings(wanted: &Wanted) -> serde_json::Value {
    let url = &wanted.url;
    let mut settings = json!({
        "client_id": CLIENT_ID,
        "redirect_uri": "http://127.0.0.1/oauth/callback",
        "entry": {
            "id": "test",
            "name": "Test",
            "authorization": { "url": format!("{url}/authorize") },
            "token": { "url": format!("{url}/token") },
            "refresh": { "supported": true, "rotates": true },
            "api": { "hosts": [wanted.host] },
        },
    });
    for (name, value) in wanted.api.as_object().expect("an object") {
        settings["entry"]["api"][name] = value.clone();
    }
    if wanted.revocation {
        settings["entry"]["revocation"] = json!({ "call": { "url": format!("{url}/revoke") } });
    }
    settings
}

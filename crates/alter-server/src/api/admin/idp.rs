//! The identity provider of an application: what verifies its users' tokens, and where they sign in.

use std::collections::BTreeMap;
use std::sync::Arc;

use alter_core::secret::Secret;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use http::StatusCode;
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::change::{Author, commit};
use super::read::{self, invalid};
use crate::api::Vault;
use crate::api::people::idp::{CALLBACK, CLIENT_SECRET, Idp, IdpSettings, NAME, usual_scopes};
use crate::api::refusal::Refusal;
use crate::audit::ChainId;
use crate::crypto::SealedSecret;
use crate::identity::{ProviderTrouble, check_issuer};
use crate::model::{App, Registration, RegistrationId, RegistrationKind};
use crate::store::Effect;

const MOST_ENTRIES: usize = 50;
const LONGEST_ENTRY: usize = 512;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    issuer: String,
    #[serde(default)]
    client_id: Option<String>,
    #[serde(default, deserialize_with = "secret")]
    client_secret: Option<Secret>,
    #[serde(default)]
    audiences: Vec<String>,
    #[serde(default)]
    groups_claim: Option<String>,
    #[serde(default)]
    scopes: Option<Vec<String>>,
    /// Whether the issuer is asked before anything is stored.
    #[serde(default = "yes")]
    check: bool,
}

const fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Trial {
    #[serde(default, deserialize_with = "secret")]
    user_token: Option<Secret>,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(Secret::new))
}

/// `GET /apps/{app}/idp`
pub async fn show(State(vault): State<Arc<Vault>>, Path(app): Path<String>) -> Result<Json<Value>, Refusal> {
    let app = read::app(&vault, &app).await?;
    Ok(Json(shape(&vault, &find(&vault, &app).await?)))
}

/// `PUT /apps/{app}/idp`: makes or replaces the settings. Without `client_secret` a stored one stays.
pub async fn set(
    State(vault): State<Arc<Vault>>,
    Path(app): Path<String>,
    author: Author,
    body: Body,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let wanted: Wanted = read::json(body).await?;
    let app = read::app(&vault, &app).await?;
    let settings = checked(&vault, &wanted)?;
    let before = Idp::find(&vault, app.id).await?;
    if let Some(before) = before.as_ref().filter(|before| before.has_client_secret() && wanted.client_secret.is_none()) {
        // The secret was entrusted to one issuer; another one must not be sent it.
        if before.settings.issuer != settings.issuer || before.settings.client_id != settings.client_id {
            return Err(invalid("client_secret is missing: a stored one does not go with another issuer or client_id."));
        }
    }
    if wanted.check {
        vault.issuers.probe(&settings.issuer).await.map_err(|trouble| unusable(&trouble))?;
    }
    let now = vault.clock.now();
    let body = json!(settings).to_string();
    let registration = match &before {
        Some(before) => Registration { body, version: before.registration.version + 1, updated_at: now, ..before.registration.clone() },
        None => Registration {
            id: RegistrationId::random(),
            app: app.id,
            kind: RegistrationKind::IdentityProvider,
            name: NAME.to_owned(),
            body,
            version: 1,
            created_at: now,
            updated_at: now,
        },
    };
    let sealed = wanted.client_secret.map(|secret| seal(&vault, &registration, secret)).transpose()?;
    let row = author.row(ChainId::App(app.id), "idp.set").subject("idp", registration.id).provider(&settings.issuer);
    let registration = Box::new(registration);
    let (status, effect) = match before {
        Some(_) => (StatusCode::OK, Effect::UpdateRegistration { registration, sealed }),
        None => (StatusCode::CREATED, Effect::CreateRegistration { registration, sealed }),
    };
    commit(&vault, row, vec![effect]).await?;
    Ok((status, Json(shape(&vault, &find(&vault, &app).await?))))
}

/// `DELETE /apps/{app}/idp`: nobody can sign in and no user token is accepted from then on.
pub async fn remove(State(vault): State<Arc<Vault>>, Path(app): Path<String>, author: Author) -> Result<Json<Value>, Refusal> {
    let app = read::app(&vault, &app).await?;
    let idp = find(&vault, &app).await?;
    let id = idp.registration.id;
    let row = author.row(ChainId::App(app.id), "idp.remove").subject("idp", id).provider(&idp.settings.issuer);
    commit(&vault, row, vec![Effect::DeleteRegistration { app: app.id, registration: id }]).await?;
    Ok(Json(shape(&vault, &idp)))
}

/// `POST /apps/{app}/idp/test`: asks the issuer anew, and judges a user token if one is given. Says which rule a token broke, which clients are not told.
pub async fn test(State(vault): State<Arc<Vault>>, Path(app): Path<String>, author: Author, body: Body) -> Result<Json<Value>, Refusal> {
    let trial: Trial = read::json(body).await?;
    let app = read::app(&vault, &app).await?;
    let idp = find(&vault, &app).await?;
    let (metadata, keys) = vault.issuers.probe(&idp.settings.issuer).await.map_err(|trouble| unusable(&trouble))?;
    let token = match &trial.user_token {
        None => Value::Null,
        Some(token) => match vault.issuers.verify(&idp.settings.trust(), token.expose()).await {
            Ok(person) => json!({
                "valid": true,
                "sub": person.subject,
                "groups": person.groups,
                "expires_at": person.expires_at,
                "auth_time": person.auth_time,
            }),
            Err(error) => json!({"valid": false, "reason": error.code(), "message": error.to_string()}),
        },
    };
    let endpoint = |uri: &Option<http::Uri>| uri.as_ref().map(ToString::to_string);
    let row = author.row(ChainId::App(app.id), "idp.test").subject("idp", idp.registration.id).provider(&idp.settings.issuer);
    commit(&vault, row, Vec::new()).await?;
    Ok(Json(json!({
        "issuer": metadata.issuer,
        "usable_keys": keys,
        "authorization_endpoint": endpoint(&metadata.authorization_endpoint),
        "token_endpoint": endpoint(&metadata.token_endpoint),
        "can_sign_in": idp.settings.client_id.is_some() && metadata.authorization_endpoint.is_some() && metadata.token_endpoint.is_some(),
        "redirect_uri": redirect_uri(&vault),
        "user_token": token,
    })))
}

async fn find(vault: &Vault, app: &App) -> Result<Idp, Refusal> {
    Idp::find(vault, app.id).await?.ok_or_else(|| {
        let message = format!("The app {} has no identity provider.", app.name);
        Refusal::new(StatusCode::NOT_FOUND, "idp_not_found", message).with("help", "set one: alter idp set ISSUER --client-id ID")
    })
}

fn checked(vault: &Vault, wanted: &Wanted) -> Result<IdpSettings, Refusal> {
    check_issuer(&vault.egress, &wanted.issuer).map_err(|what| invalid(format!("issuer {what}.")))?;
    let entry = |member: &str, text: &str| {
        let plain = !text.is_empty() && text.len() <= LONGEST_ENTRY && !text.chars().any(|c| c.is_control() || c.is_whitespace());
        if plain { Ok(()) } else { Err(invalid(format!("{member} must be 1 to {LONGEST_ENTRY} characters without spaces."))) }
    };
    let scopes = wanted.scopes.clone().unwrap_or_else(usual_scopes);
    for (member, list) in [("audiences", &wanted.audiences), ("scopes", &scopes)] {
        if list.len() > MOST_ENTRIES {
            return Err(invalid(format!("{member} must have at most {MOST_ENTRIES} entries.")));
        }
        list.iter().enumerate().try_for_each(|(index, text)| entry(&format!("{member}[{index}]"), text))?;
    }
    for (member, text) in [("client_id", &wanted.client_id), ("groups_claim", &wanted.groups_claim)] {
        text.iter().try_for_each(|text| entry(member, text))?;
    }
    if wanted.client_id.is_none() && wanted.audiences.is_empty() {
        return Err(invalid("audiences is missing: without it and without client_id no token could ever be accepted."));
    }
    match &wanted.client_secret {
        Some(_) if wanted.client_id.is_none() => return Err(invalid("client_secret goes with a client_id.")),
        Some(secret) if secret.expose().is_empty() => {
            return Err(invalid("client_secret must not be empty; leave it out to keep the stored one."));
        }
        _ => {}
    }
    Ok(IdpSettings {
        issuer: wanted.issuer.clone(),
        client_id: wanted.client_id.clone(),
        audiences: wanted.audiences.clone(),
        groups_claim: wanted.groups_claim.clone(),
        scopes,
    })
}

fn seal(vault: &Vault, registration: &Registration, secret: Secret) -> Result<SealedSecret, Refusal> {
    let fields = BTreeMap::from([(CLIENT_SECRET.to_owned(), secret)]);
    vault.keys.seal(registration.app, registration.id, &fields).map_err(|error| {
        tracing::error!(%error, "a client secret cannot be sealed");
        Refusal::internal()
    })
}

fn shape(vault: &Vault, idp: &Idp) -> Value {
    let settings = &idp.settings;
    json!({
        "id": idp.registration.id,
        "issuer": settings.issuer,
        "client_id": settings.client_id,
        "client_secret_set": idp.has_client_secret(),
        "audiences": settings.audiences,
        "groups_claim": settings.groups_claim,
        "scopes": settings.scopes,
        "redirect_uri": redirect_uri(vault),
        "created_at": idp.registration.created_at,
        "updated_at": idp.registration.updated_at,
    })
}

fn redirect_uri(vault: &Vault) -> String {
    format!("{}{CALLBACK}", vault.public_url)
}

/// 422: the operator set something that does not work.
fn unusable(trouble: &ProviderTrouble) -> Refusal {
    let mut message = trouble.to_string();
    if let Some(first) = message.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, trouble.code(), message + ".")
}

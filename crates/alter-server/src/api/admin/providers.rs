//! OAuth providers at which an application is registered. Client secrets come in and never go out again.

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
use super::read::{self, invalid, not_found};
use crate::api::Vault;
use crate::api::refusal::Refusal;
use crate::audit::ChainId;
use crate::crypto::SealedSecret;
use crate::model::{App, Registration, RegistrationId, RegistrationKind};
use crate::oauth::catalogue::{Catalogue, Provider, Wrong};
use crate::oauth::client::{Client, ClientCredentials};
use crate::oauth::discovery::{Discovered, DiscoveryError, Newcomer};
use crate::oauth::registration::{CALLBACK_PATH, ProviderSettings, SECRET_FIELD, read_settings};
use crate::store::{Effect, StoredRegistration};

const MOST_SCOPES: usize = 200;
const LONGEST_SCOPE: usize = 512;
const LONGEST_CLIENT_ID: usize = 1024;

/// Where the entry comes from: the catalogue, the operator, or the provider itself. The members of one request, of which at most one is given.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    #[serde(default)]
    entry: Option<Provider>,
    #[serde(default)]
    issuer: Option<String>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    allowed_hosts: Vec<String>,
    #[serde(default)]
    register: bool,
    #[serde(default)]
    client_id: Option<String>,
    #[serde(default, deserialize_with = "secret")]
    client_secret: Option<Secret>,
    #[serde(default)]
    redirect_uri: Option<String>,
    #[serde(default)]
    settings: BTreeMap<String, String>,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    allowed_scopes: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question {
    id: String,
    issuer: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    allowed_hosts: Vec<String>,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Ok(Option::<String>::deserialize(deserializer)?.map(Secret::new))
}

/// `GET /catalogue`: the providers that the vault knows by name.
pub async fn catalogue() -> Json<Value> {
    let items: Vec<Value> = Catalogue::shipped().iter().map(|provider| known(provider, "available")).collect();
    Json(json!({ "items": items, "next": null }))
}

/// `GET /apps/{app}/providers`: those at which the app is registered.
pub async fn list(State(vault): State<Arc<Vault>>, Path(app): Path<String>) -> Result<Json<Value>, Refusal> {
    let app = read::app(&vault, &app).await?;
    let found = vault.store.registrations(app.id, RegistrationKind::Provider).await?;
    let items = found.iter().map(|registration| shown(registration, false)).collect::<Result<Vec<_>, _>>()?;
    Ok(Json(json!({ "items": items, "next": null })))
}

/// `GET /apps/{app}/providers/{provider}`: the registration and the entry; of a provider at which the app is not registered, the catalogue's entry.
pub async fn show(State(vault): State<Arc<Vault>>, Path((app, named)): Path<(String, String)>) -> Result<Json<Value>, Refusal> {
    let app = read::app(&vault, &app).await?;
    match (find(&vault, &app, &named).await?, Catalogue::shipped().get(&named)) {
        (Some(found), _) => Ok(Json(shown(&found.registration, true)?)),
        (None, Some(provider)) => {
            let mut answer = known(provider, "available");
            answer["entry"] = json!(provider);
            Ok(Json(answer))
        }
        (None, None) => Err(not_found("provider", &named, "alter provider list --all")),
    }
}

/// `PUT /apps/{app}/providers/{provider}`: registers the app there, or replaces what was set. A client secret that is not given stays.
pub async fn put(
    State(vault): State<Arc<Vault>>,
    Path((app, id)): Path<(String, String)>,
    author: Author,
    body: Body,
) -> Result<(StatusCode, Json<Value>), Refusal> {
    let wanted: Wanted = read::json(body).await?;
    check_scopes("scopes", &wanted.scopes)?;
    check_scopes("allowed_scopes", wanted.allowed_scopes.as_deref().unwrap_or_default())?;
    let app = read::app(&vault, &app).await?;
    let before = find(&vault, &app, &id).await?;
    let (entry, credentials, redirect_uri) = resolve(&vault, &id, &wanted).await?;
    let settings = ProviderSettings {
        client_id: credentials.id.clone(),
        redirect_uri: redirect_uri.clone(),
        entry: entry.filter(|entry| Catalogue::shipped().get(&id) != Some(entry)),
        settings: wanted.settings,
        scopes: wanted.scopes,
        allowed_scopes: wanted.allowed_scopes,
    };
    if let Some(scope) = settings.refuses(&settings.scopes) {
        return Err(invalid(format!("scopes names {scope:?}, which allowed_scopes does not.")));
    }
    let provider = settings.provider(&id).ok_or_else(|| unknown_provider(&id))?.clone();
    let client = Client::new(provider, settings.settings.clone(), credentials, redirect_uri);
    client.as_ref().map_err(unusable)?;
    let now = vault.clock.now();
    let registration = Registration {
        id: before.as_ref().map_or_else(RegistrationId::random, |before| before.registration.id),
        app: app.id,
        kind: RegistrationKind::Provider,
        name: id.clone(),
        body: json!(settings).to_string(),
        version: before.as_ref().map_or(1, |before| before.registration.version + 1),
        created_at: before.as_ref().map_or(now, |before| before.registration.created_at),
        updated_at: now,
    };
    let secret = client.ok().and_then(|client| client.into_credentials().secret);
    let sealed = secret.map(|secret| seal(&vault, &registration, secret)).transpose()?;
    let answer = shown(&registration, false)?;
    let made = before.is_none();
    let (action, registration) = (if made { "provider.add" } else { "provider.update" }, Box::new(registration));
    let row = author.row(ChainId::App(app.id), action).subject("registration", registration.id).provider(&id);
    let effect =
        if made { Effect::CreateRegistration { registration, sealed } } else { Effect::UpdateRegistration { registration, sealed } };
    commit(&vault, row, vec![effect]).await?;
    Ok((if made { StatusCode::CREATED } else { StatusCode::OK }, Json(answer)))
}

/// `DELETE /apps/{app}/providers/{provider}`: logins there stay, and are not refreshed any more.
pub async fn delete(
    State(vault): State<Arc<Vault>>,
    Path((app, named)): Path<(String, String)>,
    author: Author,
) -> Result<Json<Value>, Refusal> {
    let app = read::app(&vault, &app).await?;
    let found = find(&vault, &app, &named).await?.ok_or_else(|| not_found("provider", &named, "alter provider list"))?.registration;
    let row = author.row(ChainId::App(app.id), "provider.remove").subject("registration", found.id).provider(&named);
    commit(&vault, row, vec![Effect::DeleteRegistration { app: app.id, registration: found.id }]).await?;
    let mut answer = shown(&found, false)?;
    answer["status"] = "removed".into();
    Ok(Json(answer))
}

/// `POST /providers/discover`: the entry that an issuer's own metadata makes. Nothing is stored.
pub async fn discover(State(vault): State<Arc<Vault>>, _: Author, body: Body) -> Result<Json<Value>, Refusal> {
    let asked: Question = read::json(body).await?;
    let name = asked.name.as_deref().unwrap_or(&asked.id);
    let newcomer = Newcomer { id: &asked.id, name, issuer: &asked.issuer, hosts: &asked.allowed_hosts };
    let found = vault.oauth.discover(&newcomer).await.map_err(|error| undiscovered(&error))?;
    let mut answer = known(&found.provider, "discovered");
    answer["registers_clients"] = found.registration_endpoint.is_some().into();
    answer["entry"] = json!(found.provider);
    Ok(Json(answer))
}

/// The entry if it is not the catalogue's, the client's credentials, and where people come back to.
async fn resolve(vault: &Vault, id: &str, wanted: &Wanted) -> Result<(Option<Provider>, ClientCredentials, String), Refusal> {
    let usual = || format!("{}{CALLBACK_PATH}", vault.public_url);
    let discovered = match (&wanted.issuer, &wanted.entry) {
        (Some(_), Some(_)) => return Err(invalid("Give issuer or entry, not both.")),
        (Some(issuer), None) => {
            let name = wanted.name.as_deref().unwrap_or(id);
            let newcomer = Newcomer { id, name, issuer, hosts: &wanted.allowed_hosts };
            Some(vault.oauth.discover(&newcomer).await.map_err(|error| undiscovered(&error))?)
        }
        (None, _) if wanted.register => {
            return Err(invalid("register needs issuer: only its metadata says where clients register themselves."));
        }
        (None, _) if wanted.name.is_some() || !wanted.allowed_hosts.is_empty() => {
            return Err(invalid("name and allowed_hosts go with issuer; an entry has members of its own for them."));
        }
        (None, _) => None,
    };
    if let Some(entry) = wanted.entry.as_ref().filter(|entry| entry.id != id) {
        return Err(invalid(format!("entry.id is {:?}, and the path names {id:?}.", entry.id)));
    }
    let entry = discovered.as_ref().map(|found| &found.provider).or(wanted.entry.as_ref());
    let in_use = entry.or_else(|| Catalogue::shipped().get(id)).ok_or_else(|| unknown_provider(id))?;
    let redirect_uri = match &wanted.redirect_uri {
        Some(uri) => uri.clone(),
        None if in_use.authorization.redirect_uri.is_some() => {
            return Err(invalid(format!("redirect_uri is missing: {id} gives out a label to put in its place.")));
        }
        None => usual(),
    };
    if redirect_uri.is_empty() || redirect_uri.len() > 2048 || !redirect_uri.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(invalid("redirect_uri must be 1 to 2048 characters without spaces."));
    }
    let credentials = credentials(vault, wanted, discovered.as_ref(), &redirect_uri).await?;
    Ok((entry.cloned(), credentials, redirect_uri))
}

async fn credentials(
    vault: &Vault,
    wanted: &Wanted,
    discovered: Option<&Discovered>,
    redirect_uri: &str,
) -> Result<ClientCredentials, Refusal> {
    match (&wanted.client_id, wanted.register) {
        (Some(_), true) => Err(invalid("Give client_id or register, not both.")),
        (None, false) => {
            Err(invalid("client_id is missing: it is the client's name at the provider, which registering an app there gives."))
        }
        (Some(id), false) => {
            let fits = (1..=LONGEST_CLIENT_ID).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
            if !fits {
                return Err(invalid(format!("client_id must be 1 to {LONGEST_CLIENT_ID} printable ASCII characters.")));
            }
            if wanted.client_secret.as_ref().is_some_and(|secret| secret.expose().is_empty()) {
                return Err(invalid("client_secret is empty. Leave it out for a public client."));
            }
            Ok(ClientCredentials { id: id.clone(), secret: wanted.client_secret.clone() })
        }
        (None, true) => {
            let endpoint = discovered.and_then(|found| found.registration_endpoint.as_deref());
            let endpoint = endpoint.ok_or_else(|| {
                Refusal::bad_request(
                    "provider_registration_failed",
                    "The provider's metadata names no place where clients register themselves.",
                )
            })?;
            let registered = vault.oauth.register(endpoint, redirect_uri, "Alter").await;
            registered.map_err(|error| Refusal::bad_request("provider_registration_failed", sentence(&error.to_string())))
        }
    }
}

async fn find(vault: &Vault, app: &App, id: &str) -> Result<Option<StoredRegistration>, Refusal> {
    Ok(vault.store.registration(app.id, RegistrationKind::Provider, id.to_owned()).await?)
}

fn seal(vault: &Vault, registration: &Registration, secret: Secret) -> Result<SealedSecret, Refusal> {
    let fields = BTreeMap::from([(SECRET_FIELD.to_owned(), secret)]);
    vault.keys.seal(registration.app, registration.id, &fields).map_err(|error| {
        tracing::error!(%error, "a client secret cannot be sealed");
        Refusal::internal()
    })
}

/// What lists show of a provider.
fn known(provider: &Provider, status: &str) -> Value {
    json!({
        "id": provider.id,
        "name": provider.name,
        "status": status,
        "api_hosts": provider.api.hosts,
        "confidence": provider.confidence,
        "documentation_url": provider.documentation_url,
    })
}

fn shown(registration: &Registration, with_entry: bool) -> Result<Value, Refusal> {
    let settings = read_settings(registration)?;
    let provider = settings.provider(&registration.name).ok_or_else(|| unknown_provider(&registration.name))?;
    let mut answer = known(provider, "registered");
    let told = [
        ("client_id", json!(settings.client_id)),
        ("redirect_uri", json!(settings.redirect_uri)),
        ("own_entry", json!(settings.entry.is_some())),
        ("settings", json!(settings.settings)),
        ("scopes", json!(settings.scopes)),
        ("allowed_scopes", json!(settings.allowed_scopes)),
        ("version", json!(registration.version)),
        ("created_at", json!(registration.created_at)),
        ("updated_at", json!(registration.updated_at)),
    ];
    if let Some(members) = answer.as_object_mut() {
        members.extend(told.map(|(name, value)| (name.to_owned(), value)));
        if with_entry {
            members.insert("entry".to_owned(), json!(provider));
        }
    }
    Ok(answer)
}

fn check_scopes(member: &str, scopes: &[String]) -> Result<(), Refusal> {
    let fits = |scope: &String| (1..=LONGEST_SCOPE).contains(&scope.len()) && scope.bytes().all(|b| b.is_ascii_graphic());
    if scopes.len() <= MOST_SCOPES && scopes.iter().all(fits) {
        return Ok(());
    }
    Err(invalid(format!("{member} must be at most {MOST_SCOPES} scopes of at most {LONGEST_SCOPE} characters without spaces.")))
}

fn unknown_provider(id: &str) -> Refusal {
    let shown: String = id.chars().filter(|c| !c.is_control()).take(80).collect();
    let message = format!("The catalogue has no provider {shown:?}. Give issuer, if it publishes its metadata, or entry.");
    Refusal::new(StatusCode::NOT_FOUND, "provider_not_found", message).with("help", "`alter provider list --all` shows what there is")
}

fn unusable(wrong: &Wrong) -> Refusal {
    Refusal::bad_request("provider_unusable", sentence(&wrong.to_string())).with("field", wrong.member.as_str())
}

fn undiscovered(error: &DiscoveryError) -> Refusal {
    Refusal::bad_request("provider_discovery_failed", sentence(&error.to_string()))
}

/// The errors' texts are clauses.
fn sentence(clause: &str) -> String {
    let mut text = clause.to_owned();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text + "."
}

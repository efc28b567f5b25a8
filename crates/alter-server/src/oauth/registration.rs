//! An app's registration at a provider: what an operator sets, as it is kept and as it is used.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::catalogue::{Catalogue, Provider, Wrong};
use super::client::{Client, ClientCredentials};
use crate::crypto::{KeyError, VaultKeys};
use crate::model::{AppId, Registration, RegistrationKind};
use crate::store::{Store, StoreError};

/// The path at which people come back from providers.
pub const CALLBACK_PATH: &str = "/oauth/callback";
/// The sealed field of a registration.
pub const SECRET_FIELD: &str = "client_secret";

/// What an operator sets for a provider: [`Registration::body`] as JSON. The client secret is sealed apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderSettings {
    /// The client's name at the provider.
    pub client_id: String,
    /// Where people come back to, as it was registered at the provider.
    pub redirect_uri: String,
    /// The entry, where it is not the catalogue's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entry: Option<Provider>,
    /// Values for the entry's settings.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: BTreeMap<String, String>,
    /// The scopes that are asked for if a session names none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// The scopes that may be asked for; `None` for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_scopes: Option<Vec<String>>,
}

impl ProviderSettings {
    /// The entry that is in use.
    pub fn provider(&self, name: &str) -> Option<&Provider> {
        self.entry.as_ref().or_else(|| Catalogue::shipped().get(name))
    }

    /// The first of some scopes that may not be asked for.
    pub fn refuses<'a>(&self, scopes: &'a [String]) -> Option<&'a str> {
        let allowed = self.allowed_scopes.as_ref()?;
        scopes.iter().find(|scope| !allowed.contains(scope)).map(String::as_str)
    }
}

/// A provider at which an app is registered, ready for use.
#[derive(Clone, Debug)]
pub struct Registered {
    /// The registration as it is kept.
    pub registration: Registration,
    /// What the operator set.
    pub settings: ProviderSettings,
    /// The client.
    pub client: Client,
}

/// Why a registration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unregistered {
    /// The app is not registered at this provider.
    #[error("the app has no client at {0}; an operator adds one with `alter provider add {0}`")]
    Missing(String),
    /// Its entry cannot be used any more.
    #[error("the entry of {0} cannot be used: {1}")]
    Wrong(String, Wrong),
    /// The client secret cannot be opened.
    #[error(transparent)]
    Sealed(#[from] KeyError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An app's registration at a provider.
///
/// # Errors
/// [`Unregistered`].
pub async fn registered(store: &dyn Store, keys: &VaultKeys, app: AppId, provider: &str) -> Result<Registered, Unregistered> {
    let found = store.registration(app, RegistrationKind::Provider, provider.to_owned()).await?;
    let found = found.ok_or_else(|| Unregistered::Missing(provider.to_owned()))?;
    let settings = read_settings(&found.registration)?;
    let secret = match &found.sealed {
        None => None,
        Some(sealed) => keys.open(app, found.registration.id, sealed)?.remove(SECRET_FIELD),
    };
    let entry = settings.provider(provider).ok_or_else(|| Unregistered::Missing(provider.to_owned()))?.clone();
    let credentials = ClientCredentials { id: settings.client_id.clone(), secret };
    let client = Client::new(entry, settings.settings.clone(), credentials, settings.redirect_uri.clone());
    let client = client.map_err(|wrong| Unregistered::Wrong(provider.to_owned(), wrong))?;
    Ok(Registered { registration: found.registration, settings, client })
}

/// What an operator set for an app at a provider, without opening the client's secret; `None` if the app is not registered there.
///
/// # Errors
/// The store's.
pub async fn settings_of(store: &dyn Store, app: AppId, provider: &str) -> Result<Option<ProviderSettings>, StoreError> {
    let found = store.registration(app, RegistrationKind::Provider, provider.to_owned()).await?;
    found.map(|found| read_settings(&found.registration)).transpose()
}

/// What an operator set, read from where it is kept.
///
/// # Errors
/// [`StoreError::Corrupt`] if it is not what was written.
pub fn read_settings(registration: &Registration) -> Result<ProviderSettings, StoreError> {
    serde_json::from_str(&registration.body).map_err(|error| StoreError::Corrupt(format!("registration {}: {error}", registration.id)))
}

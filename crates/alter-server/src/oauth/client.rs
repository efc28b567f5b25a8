//! The vault as a client of one provider: the entry, what the operator set, and the client's own name and secret.

use std::collections::BTreeMap;

use alter_core::secret::Secret;

use super::catalogue::{ClientAuthentication, Provider, Wrong, check, check_settings};
use super::template::fill;

/// What an operator got when the app was registered at the provider.
#[derive(Clone, Debug)]
pub struct ClientCredentials {
    /// The client's name.
    pub id: String,
    /// Its secret; `None` for a public client.
    pub secret: Option<Secret>,
}

/// A provider, ready to be talked to. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Client {
    pub(super) provider: Provider,
    pub(super) settings: BTreeMap<String, String>,
    pub(super) credentials: ClientCredentials,
    pub(super) redirect_uri: String,
}

impl Client {
    /// Puts an entry, the operator's values for its settings and the client's credentials together.
    ///
    /// `redirect_uri` is the vault's callback, or the label that the provider gave out for it where [`Authorization::redirect_uri`] says so.
    ///
    /// # Errors
    /// What is wrong with the entry or with the settings.
    ///
    /// [`Authorization::redirect_uri`]: super::catalogue::Authorization::redirect_uri
    pub fn new(
        mut provider: Provider,
        settings: BTreeMap<String, String>,
        credentials: ClientCredentials,
        redirect_uri: String,
    ) -> Result<Self, Wrong> {
        check(&provider)?;
        check_settings(&provider, &settings)?;
        let values: BTreeMap<&str, &str> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        for url in
            [Some(&mut provider.authorization.url), Some(&mut provider.token.url), provider.refresh.url.as_mut()].into_iter().flatten()
        {
            // The checks above leave no name without a value.
            if let Some(filled) = fill(url, &values) {
                *url = filled;
            }
        }
        Ok(Self { provider, settings, credentials, redirect_uri })
    }

    /// The provider.
    pub const fn provider(&self) -> &Provider {
        &self.provider
    }

    /// The client's name and secret.
    pub fn into_credentials(self) -> ClientCredentials {
        self.credentials
    }

    /// How the client shows who it is at the token endpoint.
    pub(super) fn authentication(&self) -> ClientAuthentication {
        if self.credentials.secret.is_none() {
            return ClientAuthentication::None;
        }
        self.provider.token.client_authentication.first().copied().unwrap_or(ClientAuthentication::Basic)
    }
}

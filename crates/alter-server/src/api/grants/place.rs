//! Where the APIs of logins are, as lists tell it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use alter_core::origin::is_bare_https;

use crate::api::Vault;
use crate::crypto::SealedSecret;
use crate::model::{AppId, Credential};
use crate::oauth::catalogue::Provider;
use crate::oauth::login;
use crate::oauth::registration::settings_of;
use crate::store::StoreError;

/// Finds out where the APIs of an app's logins are; asks for each provider once.
pub struct Places<'v> {
    vault: &'v Vault,
    app: AppId,
    entries: HashMap<String, Option<Provider>>,
}

impl<'v> Places<'v> {
    /// For the logins of an app.
    pub fn new(vault: &'v Vault, app: AppId) -> Self {
        Self { vault, app, entries: HashMap::new() }
    }

    /// The origin of a login's API, where it is known: the one that the provider told for this login, else the one of all its users.
    ///
    /// # Errors
    /// The store's.
    pub async fn of(&mut self, credential: &Credential) -> Result<Option<String>, StoreError> {
        let (vault, app) = (self.vault, self.app);
        let Some(entry) = self.entry(&credential.provider).await? else { return Ok(None) };
        if entry.api.base_url_from.is_none() {
            return Ok(entry.api.base_url.clone().filter(|url| is_bare_https(url)));
        }
        // It stands among the login's sealed values.
        let sealed = vault.store.credential(app, credential.id).await?.found().and_then(|found| found.sealed);
        Ok(sealed.and_then(|sealed| told(vault, credential, &sealed, entry)))
    }

    async fn entry(&mut self, provider: &str) -> Result<Option<&Provider>, StoreError> {
        match self.entries.entry(provider.to_owned()) {
            Entry::Occupied(known) => Ok(known.into_mut().as_ref()),
            Entry::Vacant(place) => {
                let settings = settings_of(&*self.vault.store, self.app, provider).await?;
                Ok(place.insert(settings.and_then(|settings| settings.provider(provider).cloned())).as_ref())
            }
        }
    }
}

fn told(vault: &Vault, credential: &Credential, sealed: &SealedSecret, entry: &Provider) -> Option<String> {
    match vault.keys.open(credential.app, credential.id, sealed) {
        Ok(fields) => login::base_url(&fields, entry).filter(|url| is_bare_https(url)),
        Err(error) => {
            // The list is about more than this one.
            tracing::error!(credential = %credential.id, %error, "a stored login cannot be opened");
            None
        }
    }
}

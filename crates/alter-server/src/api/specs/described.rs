//! What a call does, by the description that is loaded for its provider.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::api::Vault;
use crate::api::refusal::Refusal;
use crate::classify::{CallParts, Description, Facts};
use crate::clock::Timestamp;
use crate::model::{Opens, ProviderSpec, SpecId, SpecKind};
use crate::store::GrantAccess;

/// Most descriptions that are kept ready.
const MOST: usize = 64;

/// Descriptions made ready for classifying. A call is judged by what the store has: what is kept here counts only while it is of that version.
#[derive(Debug, Default)]
pub struct Descriptions(Mutex<HashMap<SpecId, Kept>>);

#[derive(Debug)]
struct Kept {
    of: (u32, Timestamp),
    description: Arc<Description>,
}

impl Descriptions {
    fn get(&self, spec: &ProviderSpec) -> Option<Arc<Description>> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&spec.id).filter(|kept| kept.of == (spec.version, spec.fetched_at)).map(|kept| Arc::clone(&kept.description))
    }

    fn keep(&self, spec: &ProviderSpec, description: &Arc<Description>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST && !kept.contains_key(&spec.id) {
            kept.clear();
        }
        kept.insert(spec.id, Kept { of: (spec.version, spec.fetched_at), description: Arc::clone(description) });
    }
}

/// The provider behind a grant, as descriptions are loaded for it.
pub fn provider_of(access: &GrantAccess) -> Option<(SpecKind, &str)> {
    match (access.grant.opens, &access.secret, &access.credential) {
        (Opens::Login(_), _, Some(login)) => Some((SpecKind::Oauth, &login.provider)),
        (_, Some(secret), _) => Some((SpecKind::Managed, &secret.slug)),
        _ => None,
    }
}

/// What is known about a call through a grant.
///
/// # Errors
/// Those of the store.
pub async fn facts(vault: &Vault, access: &GrantAccess, call: &CallParts<'_>) -> Result<Facts, Refusal> {
    let Some((kind, provider)) = provider_of(access) else { return Ok(Facts::undescribed(call)) };
    let Some(spec) = vault.store.provider_spec(access.grant.app, kind, provider.to_owned()).await? else {
        return Ok(Facts::undescribed(call));
    };
    if let Some(description) = vault.descriptions.get(&spec) {
        return Ok(description.classify(call));
    }
    let description = Arc::new(Description::new(vault.store.outlined_operations(spec.id).await?));
    vault.descriptions.keep(&spec, &description);
    Ok(description.classify(call))
}

//! Making a key: its text, and what the vault keeps of it.

use alter_core::key::KeyKind;
use alter_core::secret::Secret;

use crate::api::Vault;
use crate::api::judge::bounds::Bounds;
use crate::api::refusal::Refusal;
use crate::model::{ApiKey, AppId, KeyRate, display_prefix};

/// A new key.
pub struct Made {
    /// What the vault keeps.
    pub key: ApiKey,
    /// The key itself, shown once.
    pub text: Secret,
}

/// Makes a key of an app without scopes and bounds.
///
/// # Errors
/// 500 if the system has no random numbers.
pub fn make(vault: &Vault, app: AppId, kind: KeyKind) -> Result<Made, Refusal> {
    let text = kind.generate().map_err(|error| {
        tracing::error!(%error, "no random numbers");
        Refusal::internal()
    })?;
    let mut key = ApiKey::new(app, kind, vault.keys.digest(text.expose()), vault.clock.now());
    key.prefix = display_prefix(text.expose());
    Ok(Made { key, text })
}

/// Makes a key with these bounds that counts its requests as `rate` says.
///
/// # Errors
/// As of [`make`].
pub fn within(vault: &Vault, app: AppId, kind: KeyKind, bounds: &Bounds, rate: KeyRate) -> Result<Made, Refusal> {
    let Made { key, text } = make(vault, app, kind)?;
    let key = ApiKey { scopes: bounds.scope_texts(), expires_at: bounds.expires_at, networks: bounds.networks.clone(), rate, ..key };
    Ok(Made { key, text })
}

//! `GET /sdk/oauth/provider-catalog`: the OAuth providers at which people of the app can connect.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::api::Vault;
use crate::api::pipeline::{Admitted, Answer, Call, Verdict};
use crate::api::refusal::Refusal;
use crate::audit::{AuditEntry, Outcome};
use crate::model::RegistrationKind;
use crate::oauth::catalogue::{Pkce, Provider};
use crate::oauth::registration::{ProviderSettings, read_settings};

/// The endpoint.
pub struct ListProviders;

impl Call for ListProviders {
    const ACTION: &'static str = "provider.list";
    const OUTCOME: Outcome = Outcome::Done;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, _: &mut AuditEntry) -> Result<Verdict, Refusal> {
        request.reach.require("providers:read")?;
        let mut providers = BTreeMap::new();
        for registration in vault.store.registrations(request.key.app, RegistrationKind::Provider).await? {
            let settings = read_settings(&registration)?;
            // One that the catalogue has lost cannot be connected.
            if let Some(provider) = settings.provider(&registration.name) {
                providers.insert(registration.name.clone(), entry(&registration.name, provider, &settings));
            }
        }
        Ok(Verdict { effects: Vec::new(), answer: Answer::Json(json!({ "providers": providers })) })
    }
}

fn entry(id: &str, provider: &Provider, settings: &ProviderSettings) -> Value {
    // What may be asked for: what the operator allows, else what the entry knows and what the operator asks for by itself.
    let known: BTreeSet<&str> = match &settings.allowed_scopes {
        Some(allowed) => allowed.iter().map(String::as_str).collect(),
        None => provider.scopes.keys().chain(&settings.scopes).map(String::as_str).collect(),
    };
    let scope = |scope: &str| {
        let default = settings.scopes.iter().any(|usual| usual == scope);
        let description = provider.meaning(scope).unwrap_or_default();
        json!({ "description": description, "required": false, "is_default": default, "requires": [] })
    };
    let available: BTreeMap<&str, Value> = known.into_iter().map(|name| (name, scope(name))).collect();
    json!({
        "id": id,
        "name": id,
        "display_name": provider.name,
        "status": "active",
        "category": null,
        "description": null,
        "logo_url": null,
        "supports_refresh": provider.refresh.supported.unwrap_or_default(),
        "supports_pkce": provider.authorization.pkce != Some(Pkce::Refused),
        "available_scopes": available,
        "default_scopes": settings.scopes,
        "required_scopes": [],
    })
}

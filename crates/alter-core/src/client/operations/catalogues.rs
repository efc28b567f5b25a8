//! What a vault knows: the scopes of API keys, and the OAuth providers of its application.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::answer::{self, Details};
use super::arguments::take_truth;
use super::outcome::Outcome;
use super::plan::{Once, Plan};
use crate::client::{Client, lock};
use crate::error::Result;
use crate::given::Args;
use crate::host::Host;
use crate::model::{OAuthProviderCatalog, ScopeCatalog};

/// How long a catalogue of providers is kept.
const KEPT: Duration = Duration::from_secs(300);

/// A catalogue of providers, and when it was asked for.
pub(in crate::client) struct KnownProviders {
    asked_at: Duration,
    catalogue: Map<String, Value>,
}

/// `scopes.list`.
pub(super) fn scopes<H: Host>(_client: &Client<H>, _args: &mut Args) -> Result<Plan> {
    let judge = |answer: &crate::host::Answer| answer::model(answer, ScopeCatalog::MODEL, Details::StatusAndFaults);
    Ok(Plan::Once(Once::get("/sdk/scopes", judge).in_context()))
}

/// `oauth_providers.list`. What is known still is answered without a request, also by a closed client.
pub(super) fn oauth_providers<H: Host>(client: &Client<H>, args: &mut Args) -> Result<Plan> {
    let asked_at = client.shared.host.uptime();
    let known = lock(&client.view.providers);
    if let Some(known) = known.as_ref().filter(|known| asked_at.saturating_sub(known.asked_at) < KEPT)
        && !take_truth(args, "force_refresh")
    {
        return Ok(Plan::Decided(Outcome::One(OAuthProviderCatalog::MODEL, known.catalogue.clone())));
    }
    drop(known);
    let view = Arc::clone(&client.view);
    let judge = move |answer: &crate::host::Answer| {
        let outcome = answer::model(answer, OAuthProviderCatalog::MODEL, Details::StatusAndFaults)?;
        if let Outcome::One(_, catalogue) = &outcome {
            *lock(&view.providers) = Some(KnownProviders { asked_at, catalogue: catalogue.clone() });
        }
        Ok(outcome)
    };
    Ok(Plan::Once(Once::get("/sdk/oauth/provider-catalog", judge).in_context()))
}

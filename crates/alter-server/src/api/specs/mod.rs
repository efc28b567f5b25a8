//! Descriptions of providers' APIs: making one of an OpenAPI document, and how it looks in answers.

pub mod shape;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Vault;
use super::refusal::Refusal;
use crate::model::{AppId, ProviderSpec, SpecId, SpecKind};
use crate::openapi::{self, Operation};

/// What a document makes of a provider's spec.
pub struct Loaded {
    /// The spec.
    pub spec: ProviderSpec,
    /// Its operations.
    pub operations: Vec<Operation>,
}

/// Reads a document into the spec of a provider; `before` is the one that it takes the place of. Its version grows when its content changes.
///
/// # Errors
/// 422 `provider_spec_invalid` naming what is wrong.
pub fn load(
    vault: &Vault,
    app: AppId,
    (kind, provider): (SpecKind, &str),
    document: &Value,
    source_url: Option<String>,
    before: Option<&ProviderSpec>,
) -> Result<Loaded, Refusal> {
    let described = openapi::read(document).map_err(|fault| Refusal::unprocessable("provider_spec_invalid", fault.to_string()))?;
    let now = vault.clock.now();
    let content_hash = hash(document);
    let same = before.filter(|before| before.content_hash == content_hash);
    let spec = ProviderSpec {
        id: before.map_or_else(SpecId::random, |before| before.id),
        app,
        kind,
        provider: provider.to_owned(),
        title: described.title,
        spec_version: described.version,
        version: same.or(before).map_or(1, |known| if same.is_some() { known.version } else { known.version + 1 }),
        source_url,
        provenance: "operator".to_owned(),
        content_hash,
        operation_count: u32::try_from(described.operations.len()).unwrap_or(u32::MAX),
        fetched_at: now,
        changed_at: same.map_or(now, |same| same.changed_at),
    };
    Ok(Loaded { spec, operations: described.operations })
}

/// SHA-256 of the document as compact JSON, in hexadecimal.
fn hash(document: &Value) -> String {
    Sha256::digest(document.to_string().as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

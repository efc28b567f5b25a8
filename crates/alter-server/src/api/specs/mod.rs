//! Descriptions of providers' APIs: making one of an OpenAPI document, classifying calls by it, and how it looks in answers.

pub mod described;
pub mod shape;

use alter_core::encoding::hex;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Vault;
use super::refusal::Refusal;
use crate::model::{AppId, ProviderSpec, SpecId, SpecKind};
use crate::openapi::families::Families;
use crate::openapi::{self, Operation};

/// What a document makes of a provider's spec.
pub struct Loaded {
    /// The spec.
    pub spec: ProviderSpec,
    /// Its operations.
    pub operations: Vec<Operation>,
}

/// What an operator loads.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    /// The OpenAPI document.
    pub document: Value,
    /// Families by operation, see [`families`](crate::openapi::families).
    #[serde(default)]
    pub families: Families,
    /// Where the document is from.
    #[serde(default)]
    pub source_url: Option<String>,
}

/// Reads a document into the spec of a provider; `before` is the one that it takes the place of. Its version grows when its content changes.
///
/// # Errors
/// 422 `provider_spec_invalid` naming what is wrong.
pub fn load(
    vault: &Vault,
    app: AppId,
    (kind, provider): (SpecKind, &str),
    Given { document, families, source_url }: Given,
    before: Option<&ProviderSpec>,
) -> Result<Loaded, Refusal> {
    let unusable = |fault: openapi::Fault| Refusal::unprocessable("provider_spec_invalid", fault.to_string());
    let mut described = openapi::read(&document).map_err(unusable)?;
    openapi::families::apply(&families, &mut described.operations).map_err(unusable)?;
    let now = vault.clock.now();
    let content_hash = hash(&document, &families);
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

/// SHA-256 of the document as compact JSON, followed by the families if there are any, in hexadecimal.
fn hash(document: &Value, families: &Families) -> String {
    let mut text = document.to_string();
    if !families.is_empty() {
        text.push_str(&json!(families).to_string());
    }
    hex(&Sha256::digest(text.as_bytes()))
}

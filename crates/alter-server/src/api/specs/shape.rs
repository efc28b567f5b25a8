//! How specs look in answers, on the wire and on the admin plane.

use serde_json::{Value, json};

use crate::model::ProviderSpec;
use crate::openapi::Operation;

/// A spec.
pub fn spec(spec: &ProviderSpec) -> Value {
    json!({
        "provider_kind": spec.kind,
        "provider_id": spec.provider,
        "title": spec.title,
        "spec_version": spec.spec_version,
        "version": spec.version,
        "operation_count": spec.operation_count,
        "provenance": spec.provenance,
        "source_url": spec.source_url,
        "content_hash": spec.content_hash,
        "fetched_at": spec.fetched_at,
        "changed_at": spec.changed_at,
    })
}

/// An operation in a list.
pub fn operation(operation: &Operation) -> Value {
    json!({
        "operation_id": operation.operation_id,
        "method": operation.method,
        "path_template": operation.path_template,
        "summary": operation.summary,
    })
}

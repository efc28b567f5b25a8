//! The operations of providers' APIs, as the vault read them in the providers' own documents.

use super::declare::models;
use super::{Group, Rule, Words};
use serde_json::{Map, Value};

/// What a provider can be.
pub const PROVIDER_SPEC_KINDS: &[&str] = &["oauth", "managed"];

pub(super) const GROUP: Group = Group {
    name: "provider_specs",
    summary: "The operations of providers' APIs, as the vault read them in the providers' own documents.",
    models: &[ProviderSpec::MODEL, SpecOperation::MODEL, SpecOperationsPage::MODEL, SpecOperationDetail::MODEL],
    unions: &[],
    words: &[Words {
        name: "ProviderSpecKind",
        summary: "Whether a provider's credential is a login or a stored secret.",
        values: PROVIDER_SPEC_KINDS,
    }],
};

models! {
    /// A provider's document, without what is in it.
    ProviderSpec {
        /// `oauth`, `managed`, or a word of a newer vault.
        provider_kind: String = Rule::filled(),
        provider_id: String = Rule::filled(),
        /// Grows with every document that is read.
        version: i64 = Rule::whole(),
        /// Whose document it is.
        provenance: String = Rule::filled(),
        source_url: Option<String> = Rule::text().or_null(),
        content_hash: String = Rule::filled(),
        operation_count: i64 = Rule::whole(),
        fetched_at: String = Rule::time(),
        changed_at: String = Rule::time(),
        title: Option<String> = Rule::text().or_null(),
        /// The version that the document itself names.
        spec_version: Option<String> = Rule::text().or_null(),
    }

    /// All documents.
    ProviderSpecList {
        items: Vec<ProviderSpec> = Rule::models(ProviderSpec::MODEL),
        total: i64 = Rule::whole(),
    }

    /// One operation of a provider's API.
    SpecOperation {
        operation_id: String = Rule::filled(),
        method: String = Rule::filled(),
        path_template: String = Rule::filled(),
        summary: Option<String> = Rule::text().or_null(),
    }

    /// One page of a provider's operations.
    SpecOperationsPage {
        items: Vec<SpecOperation> = Rule::models(SpecOperation::MODEL),
        /// How many there are on all pages.
        total: i64 = Rule::whole(),
        limit: i64 = Rule::whole(),
        offset: i64 = Rule::whole(),
        has_more: bool = Rule::flag(),
        spec: ProviderSpec = Rule::model(ProviderSpec::MODEL),
    }

    /// One operation with its parameters.
    SpecOperationDetail {
        operation_id: String = Rule::filled(),
        method: String = Rule::filled(),
        path_template: String = Rule::filled(),
        summary: Option<String> = Rule::text().or_null(),
        params_schema: Option<Vec<Map<String, Value>>> = Rule::maps().or_null(),
        request_schema: Option<Map<String, Value>> = Rule::map().or_null(),
        response_schema: Option<Map<String, Value>> = Rule::map().or_null(),
        spec: ProviderSpec = Rule::model(ProviderSpec::MODEL),
    }
}

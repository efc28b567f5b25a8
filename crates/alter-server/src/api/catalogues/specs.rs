//! `GET /sdk/provider-specs…`: what providers' APIs can do, from the documents that the operator has loaded.

use std::num::NonZeroU32;

use http::StatusCode;
use serde_json::{Value, json};

use crate::api::Vault;
use crate::api::members::invalid;
use crate::api::pipeline::{Admitted, Answer, Call, Verdict, note};
use crate::api::query::Query;
use crate::api::refusal::Refusal;
use crate::api::specs::shape;
use crate::audit::{AuditEntry, Outcome};
use crate::model::SpecKind;

const USUAL_LIMIT: u64 = 100;
const HIGHEST_LIMIT: u64 = 500;
const LONGEST_SEARCH: usize = 200;
const LONGEST_OPERATION: usize = 512;

/// A spec as it stands in the path.
pub struct Named {
    /// `oauth` or `managed`.
    pub kind: String,
    /// The provider's id, or the slug of the managed secret.
    pub provider: String,
}

impl Named {
    fn kind(&self) -> Result<SpecKind, Refusal> {
        // What has no kind cannot have been loaded.
        SpecKind::parse(&self.kind).ok_or_else(spec_not_found)
    }
}

/// `GET /sdk/provider-specs`.
pub struct ListSpecs {
    /// The query.
    pub query: Option<String>,
}

impl Call for ListSpecs {
    const ACTION: &'static str = "spec.list";
    const OUTCOME: Outcome = Outcome::Done;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, _: &mut AuditEntry) -> Result<Verdict, Refusal> {
        request.reach.require("providers:read")?;
        let mut query = Query::of(self.query.as_deref())?;
        let kind = match query.text("kind") {
            None => None,
            Some(word) => Some(SpecKind::parse(&word).ok_or_else(|| invalid("kind must be oauth or managed."))?),
        };
        query.nothing_else()?;
        let specs = vault.store.provider_specs(request.key.app, kind).await?;
        let items: Vec<Value> = specs.iter().map(shape::spec).collect();
        Ok(Verdict { effects: Vec::new(), answer: Answer::Json(json!({ "total": items.len(), "items": items })) })
    }
}

/// `GET /sdk/provider-specs/{kind}/{provider_id}`.
pub struct GetSpec(pub Named);

impl Call for GetSpec {
    const ACTION: &'static str = "spec.read";
    const OUTCOME: Outcome = Outcome::Done;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Verdict, Refusal> {
        request.reach.require("providers:read")?;
        let found = vault.store.provider_spec(request.key.app, self.0.kind()?, self.0.provider.clone()).await?;
        let spec = found.ok_or_else(spec_not_found)?;
        note(row, |row| row.provider(&spec.provider));
        Ok(Verdict { effects: Vec::new(), answer: Answer::Json(shape::spec(&spec)) })
    }
}

/// `GET /sdk/provider-specs/{kind}/{provider_id}/operations`.
pub struct ListOperations {
    /// Whose.
    pub spec: Named,
    /// The query.
    pub query: Option<String>,
}

impl Call for ListOperations {
    const ACTION: &'static str = "spec.list_operations";
    const OUTCOME: Outcome = Outcome::Done;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Verdict, Refusal> {
        request.reach.require("providers:read")?;
        let mut query = Query::of(self.query.as_deref())?;
        let limit = query.number("limit", (1, HIGHEST_LIMIT))?.unwrap_or(USUAL_LIMIT);
        let offset = query.number("offset", (0, u64::MAX))?.unwrap_or(0);
        let search = query.text("search");
        query.nothing_else()?;
        if search.as_ref().is_some_and(|search| search.is_empty() || search.chars().count() > LONGEST_SEARCH) {
            return Err(invalid(format!("search must have 1 to {LONGEST_SEARCH} characters.")));
        }
        let spec = vault.store.provider_spec(request.key.app, self.spec.kind()?, self.spec.provider.clone()).await?;
        let spec = spec.ok_or_else(spec_not_found)?;
        note(row, |row| row.provider(&spec.provider));
        let most = u32::try_from(limit).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
        let found = vault.store.spec_operations(spec.id, search, most, offset).await?;
        let items: Vec<Value> = found.operations.iter().map(shape::operation).collect();
        let answer = json!({
            "total": found.total,
            "limit": limit,
            "offset": offset,
            "has_more": offset.saturating_add(items.len() as u64) < found.total,
            "items": items,
            "spec": shape::spec(&spec),
        });
        Ok(Verdict { effects: Vec::new(), answer: Answer::Json(answer) })
    }
}

/// `GET /sdk/provider-specs/{kind}/{provider_id}/operation`.
pub struct GetOperation {
    /// Whose.
    pub spec: Named,
    /// The query.
    pub query: Option<String>,
}

impl Call for GetOperation {
    const ACTION: &'static str = "spec.read_operation";
    const OUTCOME: Outcome = Outcome::Done;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Verdict, Refusal> {
        request.reach.require("providers:read")?;
        let mut query = Query::of(self.query.as_deref())?;
        let id = query.text("operation_id").filter(|id| !id.trim().is_empty() && id.chars().count() <= LONGEST_OPERATION);
        query.nothing_else()?;
        let id = id.ok_or_else(|| invalid(format!("operation_id must have 1 to {LONGEST_OPERATION} characters.")))?;
        let spec = vault.store.provider_spec(request.key.app, self.spec.kind()?, self.spec.provider.clone()).await?;
        let spec = spec.ok_or_else(spec_not_found)?;
        note(row, |row| row.provider(&spec.provider));
        let operation = vault.store.spec_operation(spec.id, id).await?.ok_or_else(|| {
            let message = "The loaded description of this provider has no such operation. List operations to find its id.";
            Refusal::new(StatusCode::NOT_FOUND, "operation_not_found", message)
        })?;
        let mut shown = shape::operation(&operation);
        shown["params_schema"] = json!(operation.params);
        shown["request_schema"] = json!(operation.request);
        shown["response_schema"] = json!(operation.response);
        shown["spec"] = shape::spec(&spec);
        Ok(Verdict { effects: Vec::new(), answer: Answer::Json(shown) })
    }
}

/// 404: nothing was loaded for the provider.
fn spec_not_found() -> Refusal {
    let message = "No description of this provider is loaded. An operator loads one: alter spec load PROVIDER --file openapi.json.";
    Refusal::new(StatusCode::NOT_FOUND, "provider_spec_not_found", message)
}

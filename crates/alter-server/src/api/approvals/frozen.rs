//! What is kept of a request that waits: enough to judge it once more, and nothing that could be used without that.

use std::collections::BTreeMap;
use std::net::IpAddr;

use alter_core::secret::Secret;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::api::Vault;
use crate::api::identity::Identity;
use crate::api::pipeline::{Admitted, Claims};
use crate::api::proxy::{OnBehalf, Sight};
use crate::api::refusal::Refusal;
use crate::crypto::SealedSecret;
use crate::model::{Approval, ApprovalId, CallerType, GateId};
use crate::store::StoredApproval;

/// The sealed field with the request.
const REQUEST: &str = "request";
/// The sealed field with what people see.
const SIGHT: &str = "sight";
/// The sealed field with the provider's answer.
const RESULT: &str = "result";

/// A request as it was judged, without the user's token: that would be over when the call leaves, and what it proved is kept instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Frozen {
    /// The body of `POST /sdk/proxy`.
    body: String,
    scope_constraints: String,
    request_rule: String,
    caller: Option<(String, String)>,
    context: Option<String>,
    source: Option<IpAddr>,
    /// The person on whose behalf it was asked.
    pub on_behalf: Option<OnBehalf>,
    /// The trace that it was part of, which the call is part of as well.
    #[serde(default)]
    pub trace: Option<String>,
}

impl Frozen {
    /// What is to be kept of a request that is part of a trace.
    ///
    /// # Errors
    /// 500 if its body, which was read before, cannot be read.
    pub fn of(request: &Admitted<'_>, on_behalf: Option<OnBehalf>, trace: Option<String>) -> Result<Self, Refusal> {
        let mut members: IndexMap<String, &RawValue> = serde_json::from_slice(request.body).map_err(|_| Refusal::internal())?;
        members.shift_remove("user_token");
        let claims = &request.claims;
        Ok(Self {
            body: serde_json::to_string(&members).map_err(|_| Refusal::internal())?,
            scope_constraints: claims.scope_constraints.to_owned(),
            request_rule: claims.request_rule.to_owned(),
            caller: claims.identity.caller.map(|(kind, name)| (kind.as_str().to_owned(), name.to_owned())),
            context: claims.identity.context.map(str::to_owned),
            source: claims.source,
            on_behalf,
            trace,
        })
    }

    /// What its sender signed.
    pub fn claims(&self) -> Claims<'_> {
        let caller = self.caller.as_ref().and_then(|(kind, name)| Some((CallerType::parse(kind)?, name.as_str())));
        Claims {
            scope_constraints: &self.scope_constraints,
            request_rule: &self.request_rule,
            identity: Identity { caller, context: self.context.as_deref() },
            source: self.source,
        }
    }

    /// Its body.
    pub fn body(&self) -> &[u8] {
        self.body.as_bytes()
    }
}

/// Seals a request with what people see of it.
///
/// # Errors
/// 500.
pub fn seal(vault: &Vault, approval: &Approval, frozen: &Frozen, sight: &Sight) -> Result<SealedSecret, Refusal> {
    let text = |value: Result<String, serde_json::Error>| value.map(Secret::new).map_err(|_| Refusal::internal());
    let fields = BTreeMap::from([
        (REQUEST.to_owned(), text(serde_json::to_string(frozen))?),
        (SIGHT.to_owned(), text(serde_json::to_string(sight))?),
    ]);
    seal_fields(vault, approval, &fields)
}

/// Seals the provider's answer in the place of the request; what people saw stays.
///
/// # Errors
/// 500.
pub fn seal_result(vault: &Vault, approval: &Approval, sight: &Sight, result: &str) -> Result<SealedSecret, Refusal> {
    let sight = serde_json::to_string(sight).map_err(|_| Refusal::internal())?;
    let fields = BTreeMap::from([(RESULT.to_owned(), Secret::new(result)), (SIGHT.to_owned(), Secret::new(sight))]);
    seal_fields(vault, approval, &fields)
}

fn seal_fields(vault: &Vault, approval: &Approval, fields: &BTreeMap<String, Secret>) -> Result<SealedSecret, Refusal> {
    vault.keys.seal(approval.app, approval.id, fields).map_err(|error| Refusal::internal().because(error.to_string()))
}

/// Opens the request.
///
/// # Errors
/// 500 if it is not there any more, was changed, or cannot be read.
pub fn request(vault: &Vault, stored: &StoredApproval) -> Result<Frozen, Refusal> {
    read(vault, stored, REQUEST)
}

/// What people see of the call.
///
/// # Errors
/// As of [`request`].
pub fn seen(vault: &Vault, stored: &StoredApproval) -> Result<Sight, Refusal> {
    read(vault, stored, SIGHT)
}

/// The provider's answer, as [`seal_result`] was given it.
///
/// # Errors
/// As of [`request`].
pub fn result(vault: &Vault, stored: &StoredApproval) -> Result<serde_json::Value, Refusal> {
    read(vault, stored, RESULT)
}

fn read<T: serde::de::DeserializeOwned>(vault: &Vault, stored: &StoredApproval, field: &str) -> Result<T, Refusal> {
    let approval = &stored.approval;
    let unreadable = |error: String| {
        tracing::error!(approval = %approval.id, error, "what is kept of an approval cannot be read");
        Refusal::internal().because(error)
    };
    let sealed = stored.sealed.as_ref().ok_or_else(|| unreadable("it is not there".to_owned()))?;
    let mut fields = vault.keys.open(approval.app, approval.id, sealed).map_err(|error| unreadable(error.to_string()))?;
    let text = fields.remove(field).ok_or_else(|| unreadable(format!("it has no {field}")))?;
    serde_json::from_str(text.expose()).map_err(|error| unreadable(error.to_string()))
}

/// The approval that an id names: its own, or that of one of its gates, which is then named, too.
///
/// # Errors
/// The store's.
pub async fn stored(vault: &Vault, named: &str) -> Result<Option<(StoredApproval, Option<GateId>)>, Refusal> {
    if let Some(id) = GateId::parse(named)
        && let Some(found) = vault.store.approval_of_gate(id).await?
    {
        return Ok(Some((found, Some(id))));
    }
    let Some(id) = ApprovalId::parse(named) else { return Ok(None) };
    Ok(vault.store.approval(id).await?.map(|found| (found, None)))
}

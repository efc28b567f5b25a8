//! The audit trail: reading and verifying it.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::read::{self, Params, invalid};
use super::shape;
use crate::api::Vault;
use crate::api::refusal::Refusal;
use crate::audit::{ChainId, Head, Outcome, RowMac, verify_all};
use crate::clock::Timestamp;
use crate::model::{AppId, GrantId};
use crate::store::{AuditActivity, AuditFilter};

const HOUR: Duration = Duration::from_secs(3600);
const USUAL_HOURS: u32 = 24;
const MOST_HOURS: u32 = 168;

/// `?app=NAME&after=SEQUENCE&limit=N`. `app=vault` names the vault's own chain.
#[derive(Deserialize)]
pub struct TailQuery {
    app: Option<String>,
    after: Option<u64>,
    limit: Option<u32>,
}

/// `GET /audit`: the newest rows of a chain or of all; with `after` the rows of one chain that follow that sequence. Oldest first.
pub async fn tail(State(vault): State<Arc<Vault>>, Params(query): Params<TailQuery>) -> Result<Json<Value>, Refusal> {
    let limit: NonZeroU32 = read::limit(query.limit)?;
    let chain = match query.app.as_deref() {
        None => None,
        Some(name) => Some(chain(&vault, name).await?),
    };
    let rows = match (chain, query.after) {
        (None, Some(_)) => return Err(invalid("after needs app: sequences are counted in each chain.")),
        (Some(chain), Some(after)) => vault.store.audit_rows(chain, after, limit).await,
        (chain, None) => vault.store.audit_newest(chain, limit).await.map(|mut rows| {
            rows.reverse();
            rows
        }),
    };
    let rows = rows?;
    Ok(Json(json!({ "items": rows.iter().map(shape::audit_row).collect::<Vec<_>>(), "next": null })))
}

/// What to look for. `app=vault` names the vault's own chain, times are RFC 3339, `after` is the `next` of the page before.
#[derive(Deserialize)]
pub struct SearchQuery {
    app: Option<String>,
    action: Option<String>,
    outcome: Option<String>,
    grant: Option<String>,
    text: Option<String>,
    from: Option<String>,
    until: Option<String>,
    after: Option<i64>,
    limit: Option<u32>,
}

impl SearchQuery {
    async fn filter(self, vault: &Vault) -> Result<AuditFilter, Refusal> {
        // A form sends a field that nobody has filled in as an empty one.
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let time = |name: &str, text: Option<String>| match given(text) {
            None => Ok(None),
            Some(text) => moment(&text).map(Some).ok_or_else(|| invalid(format!("{name} must be a time such as 2026-11-28T12:00:00Z."))),
        };
        let chain = match given(self.app) {
            None => None,
            Some(name) => Some(chain(vault, &name).await?),
        };
        let outcome = given(self.outcome).map(|word| match word.as_str() {
            "released" => Ok(Outcome::Intent),
            word => Outcome::parse(word).ok_or_else(|| invalid("outcome must be released, done or refused.")),
        });
        let grant = given(self.grant).map(|id| GrantId::parse(&id).ok_or_else(|| invalid("grant must be the id of a grant.")));
        Ok(AuditFilter {
            chain,
            action: given(self.action),
            outcome: outcome.transpose()?,
            grant: grant.transpose()?,
            text: given(self.text),
            from: time("from", self.from)?,
            until: time("until", self.until)?,
            before: self.after,
        })
    }
}

/// A moment as programs write it, or as a browser's field does: without a zone, which is then UTC.
fn moment(text: &str) -> Option<Timestamp> {
    let spelt = [text.to_owned(), format!("{text}Z"), format!("{text}:00Z"), format!("{text}T00:00:00Z")];
    spelt.iter().find_map(|text| Timestamp::parse(text))
}

/// `GET /audit/search`: newest first.
pub async fn search(State(vault): State<Arc<Vault>>, Params(query): Params<SearchQuery>) -> Result<Json<Value>, Refusal> {
    let limit: NonZeroU32 = read::limit(query.limit)?;
    let filter = query.filter(&vault).await?;
    let found = vault.store.audit_search(filter, limit).await?;
    let full = found.len() >= limit.get() as usize;
    let next = found.last().filter(|_| full).map(|found| found.position.to_string());
    Ok(Json(json!({ "items": found.iter().map(|found| shape::audit_row(&found.row)).collect::<Vec<_>>(), "next": next })))
}

/// How far back to look.
#[derive(Deserialize)]
pub struct ActivityQuery {
    hours: Option<u32>,
}

/// `GET /activity?hours=24`: what happened in each hour until now, the first one first.
pub async fn activity(State(vault): State<Arc<Vault>>, Params(query): Params<ActivityQuery>) -> Result<Json<Value>, Refusal> {
    let hours = query.hours.unwrap_or(USUAL_HOURS);
    if !(1..=MOST_HOURS).contains(&hours) {
        return Err(invalid(format!("hours must be 1 to {MOST_HOURS}.")));
    }
    let since = vault.clock.now().minus(HOUR * hours);
    let found = vault.store.audit_activity(since, HOUR).await?;
    let spans = (0..hours).map(|place| {
        let of_span: Vec<&AuditActivity> = found.iter().filter(|activity| activity.place.min(hours - 1) == place).collect();
        let count = |counts: &dyn Fn(&AuditActivity) -> bool| {
            of_span.iter().filter(|activity| counts(activity)).map(|activity| activity.count).sum::<u64>()
        };
        let is_call = |activity: &AuditActivity| matches!(activity.action.as_str(), "token.retrieve" | "proxy.call");
        json!({
            "from": since.plus(HOUR * place),
            "calls": count(&|activity| is_call(activity) && activity.outcome == Outcome::Intent),
            "refusals": count(&|activity| activity.outcome == Outcome::Refused),
            "mean_duration_ms": of_span.iter().find_map(|activity| activity.mean_duration_ms),
        })
    });
    Ok(Json(json!({ "items": spans.collect::<Vec<_>>(), "next": null })))
}

/// `GET /audit/heads`: what to keep outside of the vault, so that a cut-off tail is found.
pub async fn heads(State(vault): State<Arc<Vault>>) -> Result<Json<Value>, Refusal> {
    let heads = vault.store.audit_heads().await?;
    Ok(Json(json!({ "items": heads.iter().map(|stored| shape::head(&stored.head)).collect::<Vec<_>>(), "next": null })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VerifyRequest {
    #[serde(default)]
    expected_heads: Vec<ExpectedHead>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedHead {
    chain: String,
    sequence: u64,
    mac: String,
}

/// `POST /audit/verify`: walks every chain, also against heads that were exported before.
pub async fn verify(State(vault): State<Arc<Vault>>, body: Body) -> Result<Json<Value>, Refusal> {
    let request: VerifyRequest = read::json(body).await?;
    let parsed = request.expected_heads.iter().enumerate().map(|(index, head)| {
        let chain = parse_chain(&head.chain);
        let parsed = chain.zip(RowMac::parse(&head.mac)).map(|(chain, mac)| Head { chain, sequence: head.sequence, mac });
        parsed.ok_or_else(|| invalid(format!("expected_heads[{index}] is not a head as `alter audit head` writes it.")))
    });
    let expected = parsed.collect::<Result<Vec<Head>, Refusal>>()?;
    let reports = verify_all(&*vault.store, &vault.audit, &expected).await?;
    Ok(Json(json!({ "items": reports.iter().map(shape::report).collect::<Vec<_>>(), "next": null })))
}

async fn chain(vault: &Vault, name: &str) -> Result<ChainId, Refusal> {
    match name {
        "vault" => Ok(ChainId::Vault),
        name => Ok(ChainId::App(read::app(vault, name).await?.id)),
    }
}

/// Reads a chain's name as it is printed: `vault` or the app's id.
fn parse_chain(text: &str) -> Option<ChainId> {
    if text == "vault" { Some(ChainId::Vault) } else { AppId::parse(text).map(ChainId::App) }
}

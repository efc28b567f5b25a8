//! The audit trail: reading and verifying it.

use std::num::NonZeroU32;
use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};

use super::read::{self, Params, invalid};
use super::shape;
use crate::api::Vault;
use crate::api::refusal::Refusal;
use crate::audit::{ChainId, Head, RowMac, verify_all};
use crate::model::AppId;

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

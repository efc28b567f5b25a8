//! `POST /sdk/grants/list`.

use std::num::NonZeroU32;

use serde_json::{Value, json};

use super::place::Places;
use super::{person, shape};
use crate::api::Vault;
use crate::api::members::{Members, invalid};
use crate::api::pipeline::{Admitted, Answer, Call, Verdict};
use crate::api::refusal::Refusal;
use crate::audit::{AuditEntry, Outcome};
use crate::model::{GrantFilter, GrantKind, ShownStatus, View};

const USUAL_LIMIT: u64 = 100;
const HIGHEST_LIMIT: u64 = 1000;

/// The endpoint.
pub struct ListGrants;

impl Call for ListGrants {
    const ACTION: &'static str = "grant.list";
    const OUTCOME: Outcome = Outcome::Done;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, _: &mut AuditEntry) -> Result<Verdict, Refusal> {
        request.reach.require("grants:read")?;
        let app = request.key.app;
        let mut members = Members::of(request.body)?;
        let (limit, offset) = page(&mut members)?;
        let person = person(vault, app, &mut members).await?;
        let view = match (request.acting.agent(), person) {
            (Some(agent), person) => View::Agent { agent: agent.id, person },
            (None, Some(person)) => View::Person(person),
            (None, None) => View::App,
        };
        let filter = GrantFilter {
            view,
            kind: kind(&mut members)?,
            provider: members.text("provider_id")?,
            status: status(&mut members)?,
            account: members.text("account")?,
            label: members.text("label")?,
            ..GrantFilter::default()
        };
        members.nothing_else()?;
        let found = vault.store.list_grants(app, filter, limit, offset).await?;
        let (now, mut places) = (vault.clock.now(), Places::new(vault, app));
        let mut items: Vec<Value> = Vec::with_capacity(found.grants.len());
        for listed in &found.grants {
            let api_base_url = match listed.login() {
                Some(login) => places.of(login).await?,
                None => None,
            };
            items.push(shape::item(listed, api_base_url, now));
        }
        let answer = json!({
            "total": found.total,
            "limit": limit,
            "offset": offset,
            "has_more": offset.saturating_add(items.len() as u64) < found.total,
            "grants": items,
        });
        Ok(Verdict { effects: Vec::new(), answer: Answer::Json(answer) })
    }
}

fn page(members: &mut Members) -> Result<(NonZeroU32, u64), Refusal> {
    let limit = members.whole_number("limit")?.unwrap_or(USUAL_LIMIT);
    let in_range = (1..=HIGHEST_LIMIT).contains(&limit).then_some(limit);
    let limit = in_range.and_then(|limit| u32::try_from(limit).ok()).and_then(NonZeroU32::new);
    let limit = limit.ok_or_else(|| invalid(format!("limit must be from 1 to {HIGHEST_LIMIT}.")))?;
    Ok((limit, members.whole_number("offset")?.unwrap_or(0)))
}

fn kind(members: &mut Members) -> Result<Option<GrantKind>, Refusal> {
    let Some(word) = members.text("grant_kind")? else { return Ok(None) };
    GrantKind::parse(&word).map(Some).ok_or_else(|| invalid("grant_kind must be oauth or managed_secret."))
}

fn status(members: &mut Members) -> Result<Option<ShownStatus>, Refusal> {
    let Some(word) = members.text("status")? else { return Ok(None) };
    ShownStatus::parse(&word).map(Some).ok_or_else(|| invalid("status must be active, expired or revoked."))
}

//! `POST /sdk/spans`: what programs say about their own steps. Labels for whoever looks for a fault later; no evidence, and forgotten after a month.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use super::Vault;
use super::grants::policy::moment;
use super::members::{Members, invalid};
use super::pipeline::{Admitted, Answer, Call, Verdict};
use super::refusal::Refusal;
use crate::audit::{AuditEntry, Outcome};
use crate::clock::Timestamp;
use crate::model::{ApiKey, Span};
use crate::store::Effect;

const MOST_SPANS: usize = 50;
const LONGEST_NAME: usize = 255;
const LONGEST_ID: usize = 32;
/// Most attributes of a span, and their longest names and values in characters.
const MOST_ATTRIBUTES: usize = 64;
const LONGEST_ATTRIBUTE: usize = 1024;
const KEPT: Duration = Duration::from_secs(30 * 86_400);

/// The endpoint.
pub struct EmitSpans;

impl Call for EmitSpans {
    const ACTION: &'static str = "span.emit";
    const OUTCOME: Outcome = Outcome::Done;
    const WHILE_SUSPENDED: bool = true;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, _: &mut AuditEntry) -> Result<Verdict, Refusal> {
        request.reach.require("spans:emit")?;
        let mut members = Members::of(request.body)?;
        let given = members.list("spans")?.filter(|spans| !spans.is_empty() && spans.len() <= MOST_SPANS);
        let given = given.ok_or_else(|| members.invalid("spans", &format!("must be a list of 1 to {MOST_SPANS} spans")))?;
        members.nothing_else()?;
        let now = vault.clock.now();
        let spans = given.into_iter().enumerate().map(|(index, span)| read(request.key, index, span, now));
        let mut spans = spans.collect::<Result<Vec<Span>, Refusal>>()?;
        // What is known already, or twice in the request, is kept once and counted once.
        let mut known = BTreeSet::new();
        for trace in spans.iter().map(|span| span.trace.clone()).collect::<BTreeSet<String>>() {
            let kept = vault.store.spans(request.key.app, trace.clone()).await?;
            known.extend(kept.into_iter().map(|span| (trace.clone(), span.id)));
        }
        spans.retain(|span| known.insert((span.trace.clone(), span.id.clone())));
        let answer = Answer::Json(json!({ "accepted": spans.len() }));
        Ok(Verdict { effects: vec![Effect::KeepSpans { app: request.key.app, spans }], answer })
    }
}

fn read(key: &ApiKey, index: usize, span: Value, now: Timestamp) -> Result<Span, Refusal> {
    let mut members = Members::within(span, format!("spans[{index}]"))?;
    let started_at = time(&mut members, "start_time")?.ok_or_else(|| members.invalid("start_time", "is missing"))?;
    let span = Span {
        app: key.app,
        trace: bounded(&mut members, "trace_id", LONGEST_NAME)?.ok_or_else(|| members.invalid("trace_id", "is missing"))?,
        id: bounded(&mut members, "span_id", LONGEST_ID)?.map_or_else(new_id, Ok)?,
        parent: bounded(&mut members, "parent_span_id", LONGEST_ID)?,
        name: bounded(&mut members, "name", LONGEST_NAME)?.ok_or_else(|| members.invalid("name", "is missing"))?,
        started_at,
        ended_at: time(&mut members, "end_time")?,
        attributes: attributes(&mut members)?,
        key: key.id,
        agent: key.agent,
        expires_at: now.plus(KEPT),
    };
    members.nothing_else()?;
    Ok(span)
}

fn bounded(members: &mut Members, name: &str, longest: usize) -> Result<Option<String>, Refusal> {
    match members.text(name)? {
        // NUL is the one character that not every database keeps.
        Some(text) if text.chars().count() > longest || text.contains('\0') => {
            Err(members.invalid(name, &format!("must have at most {longest} characters, and no NUL")))
        }
        text => Ok(text),
    }
}

fn time(members: &mut Members, name: &str) -> Result<Option<Timestamp>, Refusal> {
    let Some(text) = members.text(name)? else { return Ok(None) };
    moment(&text).map(Some).ok_or_else(|| members.invalid(name, "must be an ISO 8601 time"))
}

fn attributes(members: &mut Members) -> Result<BTreeMap<String, String>, Refusal> {
    let given = members.map("attributes", 2 * MOST_ATTRIBUTES * LONGEST_ATTRIBUTE)?.unwrap_or_default();
    if given.len() > MOST_ATTRIBUTES {
        return Err(members.invalid("attributes", &format!("must have at most {MOST_ATTRIBUTES} members")));
    }
    let fits = |text: &str| text.chars().count() <= LONGEST_ATTRIBUTE && !text.contains('\0');
    let attribute = |(name, value): (String, Value)| match value {
        Value::String(value) if fits(&name) && fits(&value) => Ok((name, value)),
        _ => Err(members.invalid("attributes", &format!("must map texts to texts of at most {LONGEST_ATTRIBUTE} characters"))),
    };
    given.into_iter().map(attribute).collect()
}

fn new_id() -> Result<String, Refusal> {
    let mut bytes = [0_u8; 8];
    getrandom::fill(&mut bytes).map_err(|error| {
        tracing::error!(%error, "no random numbers");
        invalid("span_id is missing, and none can be made.")
    })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

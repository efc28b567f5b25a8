//! `POST /sdk/keys/derive`: a short-lived key that may do less than the one that makes it.

use std::time::Duration;

use alter_core::key::KeyKind;
use time::OffsetDateTime;
use time::macros::format_description;

use super::{make, shape};
use crate::api::Vault;
use crate::api::acting::Acting;
use crate::api::judge::bounds::{Beyond, Bounds, NEVER_DERIVED, Narrowing, without_rule};
use crate::api::judge::reach::{KNOWN_SCOPES, Scope};
use crate::api::members::Members;
use crate::api::pipeline::{Admitted, Answer, Call, Verdict, note};
use crate::api::refusal::Refusal;
use crate::audit::{AuditEntry, Outcome};
use crate::clock::Timestamp;
use crate::model::{ApiKey, KeyRate, Networks};
use crate::store::Effect;

/// Longest life of a derived key, in seconds.
const LONGEST_LIFE: u64 = 86_400;
/// Longest metadata, in bytes of JSON.
const LONGEST_METADATA: usize = 4096;

/// The endpoint.
pub struct DeriveKey;

impl Call for DeriveKey {
    const ACTION: &'static str = "key.derive";
    const OUTCOME: Outcome = Outcome::Done;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Verdict, Refusal> {
        request.reach.require(NEVER_DERIVED)?;
        without_rule(request.rule.as_ref())?;
        if matches!(request.acting, Acting::Agent { through_app: true, .. }) {
            let message = "A key cannot be derived while the application's key speaks for an agent: it would not be bound to the agent. Derive \
                           with the application's own client, or with a key of the agent.";
            return Err(Refusal::forbidden("impersonation_not_inheritable", message));
        }
        let now = vault.clock.now();
        let mut members = Members::of(request.body)?;
        let wanted = narrowing(&mut members, now)?;
        let name = members.label("name")?.filter(|name| !name.is_empty()).unwrap_or_else(|| usual_name(now));
        let metadata = members.map("metadata", LONGEST_METADATA)?.unwrap_or_default();
        members.nothing_else()?;
        let own = wanted.limit;
        let bounds = Bounds::of_request(request.key, &request.reach, vault.admission.usual_limit);
        let bounds = bounds.derive(wanted).map_err(|beyond| not_narrowing(&beyond))?;
        let rate = KeyRate { own, shared: Some(request.key.rate.joined(request.key.id)) };
        let mut made = make::within(vault, request.key.app, KeyKind::Derived, &bounds, rate)?;
        made.key = ApiKey { name, metadata, agent: request.key.agent, parent: Some(request.key.id), ..made.key };
        note(row, |row| row.subject("key", made.key.id));
        let answer = Answer::Created(shape::made(vault, &made));
        Ok(Verdict { effects: vec![Effect::CreateKey(Box::new(made.key))], answer })
    }
}

fn narrowing(members: &mut Members, now: Timestamp) -> Result<Narrowing, Refusal> {
    let scopes = members.texts("scopes")?.filter(|scopes| !scopes.is_empty());
    let scopes = scopes.ok_or_else(|| members.invalid("scopes", "must hold at least one scope"))?;
    let scopes = scopes.iter().enumerate().map(|(index, text)| scope(index, text)).collect::<Result<Vec<_>, _>>()?;
    let expires_in = members.whole_number("expires_in")?.filter(|seconds| (1..=LONGEST_LIFE).contains(seconds));
    let expires_in = expires_in.ok_or_else(|| members.invalid("expires_in", &format!("must be from 1 to {LONGEST_LIFE} seconds")))?;
    let networks = match members.texts("cidr_allowlist")? {
        None => None,
        Some(texts) => Some(Networks::parse(&texts).map_err(|what| members.invalid("cidr_allowlist", &what))?),
    };
    Ok(Narrowing { scopes, expires_at: now.plus(Duration::from_secs(expires_in)), networks, limit: limit(members)? })
}

fn scope(index: usize, text: &str) -> Result<Scope, Refusal> {
    let scope = Scope::parse(text).filter(|_| text != NEVER_DERIVED && KNOWN_SCOPES.contains(&text));
    scope.ok_or_else(|| {
        let known: Vec<&str> = KNOWN_SCOPES.iter().copied().filter(|scope| *scope != NEVER_DERIVED).collect();
        let message = format!("scopes[{index}] is not one that a derived key can have; there are: {}.", known.join(", "));
        Refusal::bad_request("invalid_scope_for_derived_key", message)
    })
}

fn limit(members: &mut Members) -> Result<Option<u32>, Refusal> {
    let Some(limit) = members.whole_number("rate_limit_rpm")? else { return Ok(None) };
    let limit = u32::try_from(limit).ok().filter(|limit| *limit > 0);
    limit.map(Some).ok_or_else(|| members.invalid("rate_limit_rpm", "must be a number of requests a minute, at least 1"))
}

fn not_narrowing(beyond: &Beyond) -> Refusal {
    let message = format!("{} {}. A derived key only narrows.", beyond.member(), beyond.reason());
    Refusal::bad_request("key_not_narrowing", message).with("field", beyond.member())
}

fn usual_name(now: Timestamp) -> String {
    let shape = format_description!("derived-[year][month][day]-[hour][minute][second]");
    let at = OffsetDateTime::from_unix_timestamp(now.as_secs()).ok();
    at.and_then(|at| at.format(&shape).ok()).unwrap_or_else(|| "derived".to_owned())
}

//! The policies of the app: what operators forbid, hold or narrow. See [`policy`](crate::policy) for what they say.

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alter_core::encoding::percent_decode;
use http::StatusCode;
use serde_json::{Value, json};

use crate::api::Vault;
use crate::api::pipeline::Admitted;
use crate::api::refusal::Refusal;
use crate::api::specs::described::{self, provider_of};
use crate::classify::{CallParts, Facts, segments};
use crate::clock::Timestamp;
use crate::model::{AgentId, AppId, Approver, GrantStatus, KeyId, Policy, PolicyId, Principal, SpecKind};
use crate::policy::{Compiled, Decision, Effect, Input, Kind, Outcome, Per, Policies, Rate, Rule, baseline_permits, compile};
use crate::store::{CallCount, GrantAccess, RateState};

/// Most apps whose policies are kept compiled.
const MOST: usize = 256;
/// What is not known of a call that the client makes itself.
const OF_THE_CALL: [&str; 5] = ["method", "host", "path", "operation", "parameters"];

/// Compiled policies. A call is judged by what the store has: what is kept here counts only while it is of those versions.
#[derive(Debug, Default)]
pub struct CompiledPolicies(Mutex<HashMap<AppId, (Versions, Arc<Policies>)>>);

type Versions = Vec<(PolicyId, u32)>;

impl CompiledPolicies {
    fn of(&self, app: AppId, policies: &[Policy]) -> Result<Arc<Policies>, Refusal> {
        let versions: Versions = policies.iter().map(|policy| (policy.id, policy.version)).collect();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, compiled)) = kept.get(&app).filter(|(of, _)| *of == versions) {
            return Ok(Arc::clone(compiled));
        }
        let compiled = Arc::new(compiled(policies)?);
        if kept.len() >= MOST {
            kept.clear();
        }
        kept.insert(app, (versions, Arc::clone(&compiled)));
        Ok(compiled)
    }
}

/// Compiles policies as they are stored. They were checked when they were saved; one that cannot be read all the same refuses every call.
///
/// # Errors
/// 500 `policy_unreadable`.
pub fn compiled(policies: &[Policy]) -> Result<Policies, Refusal> {
    let unreadable = |reason: String| {
        let message = "A policy of this application cannot be read, so nothing is permitted. An operator has to save it anew.";
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "policy_unreadable", message).because(reason)
    };
    let each = policies.iter().map(|policy| {
        let read = compile(&policy.name, &policy.source);
        read.map(Arc::new).map_err(|fault| unreadable(format!("policy {}: {fault}", policy.name)))
    });
    Policies::new(each.collect::<Result<Vec<Arc<Compiled>>, _>>()?).map_err(unreadable)
}

/// Who asks for a call.
#[derive(Clone, Copy, Debug)]
pub struct Asking {
    /// The app.
    pub app: AppId,
    /// The key that signed the request, if it is known.
    pub key: Option<KeyId>,
    /// The agent that acts.
    pub agent: Option<AgentId>,
    /// Whether the request reaches far enough for the call.
    pub within_scopes: bool,
    /// Where it came from.
    pub source: Option<IpAddr>,
    /// How long ago the user signed in, if that is known.
    pub session_age: Option<Duration>,
}

impl Asking {
    /// Whoever sent a request, for what `scope` guards.
    pub fn of(request: &Admitted<'_>, scope: &'static str, session_age: Option<Duration>) -> Self {
        Self {
            app: request.key.app,
            key: Some(request.key.id),
            agent: request.acting.agent().map(|agent| agent.id),
            within_scopes: request.reach.require(scope).is_ok(),
            source: request.claims.source,
            session_age,
        }
    }
}

/// On what terms the policies let a call pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyTerms {
    /// Who has to approve it: one of each list.
    pub approvals: Vec<BTreeSet<Approver>>,
    /// The fields that have to be taken out of its body.
    pub redaction: Vec<String>,
    /// The counts in which it takes a place.
    pub counts: Vec<CallCount>,
}

/// Judges a call that the vault makes (`call`), or the release of a credential (`None`). `facts` are what is known of the call, read if a policy needs them.
///
/// # Errors
/// 403 `policy_denied`, `policy_not_evaluable`, `step_up_required`, 429 `rate_limit_exceeded`, each naming the rule and what would satisfy it. Of a
/// release, 400 `restricted_grant_requires_proxy` and `hitl_grant_requires_proxy` where only a call through the vault can be judged.
pub async fn judge(vault: &Vault, asking: &Asking, access: &GrantAccess, call: Option<&CallParts<'_>>) -> Result<PolicyTerms, Refusal> {
    let now = vault.clock.now();
    let in_force = in_force(access, now);
    if !access.has_policies {
        return if baseline_permits(Some(in_force), Some(asking.within_scopes)) {
            Ok(PolicyTerms::default())
        } else {
            Err(not_permitted())
        };
    }
    let app = access.grant.app;
    let policies = vault.policies.of(app, &vault.store.policies(app).await?)?;
    let facts = match call {
        Some(call) => Some(described::facts(vault, access, call).await?),
        None => None,
    };
    weigh(vault, &policies, asking, &input(asking, access, call, facts, now)).await.1
}

/// Judges a call by some policies: what they say, and what follows. Nothing is counted.
pub async fn weigh(vault: &Vault, policies: &Policies, asking: &Asking, input: &Input) -> (Option<Decision>, Result<PolicyTerms, Refusal>) {
    let decision = match policies.decide(input) {
        Ok(decision) => decision,
        Err(reason) => return (None, Err(not_permitted().because(reason))),
    };
    let outcome = Judging { input, asking }.settle(vault, &decision).await;
    (Some(decision), outcome)
}

/// What policies see of a call.
pub fn input(asking: &Asking, access: &GrantAccess, call: Option<&CallParts<'_>>, facts: Option<Facts>, now: Timestamp) -> Input {
    let grant = &access.grant;
    let (kind, provider) = provider_of(access).unwrap_or((SpecKind::Managed, ""));
    let user = match &grant.on_behalf_of {
        Principal::System => Some(String::new()),
        Principal::User(person) => Some(person.subject.clone()),
        // Which of them it is, nobody knows.
        _ => None,
    };
    Input {
        kind: if call.is_some() { Kind::Proxy } else { Kind::Retrieve },
        app: grant.app.to_string(),
        agent: asking.agent.map(|agent| agent.to_string()),
        grant: grant.id.to_string(),
        provider: (provider.to_owned(), kind.as_str()),
        delegated: grant.is_delegated(),
        in_force: Some(in_force(access, now)),
        within_scopes: Some(asking.within_scopes),
        key: asking.key.map(|key| key.to_string()),
        user,
        method: call.map(|call| call.method.as_str().to_owned()),
        host: call.map(|call| call.host.to_ascii_lowercase()),
        path: call.and_then(|call| segments(call.path).map(|_| percent_decode(call.path))),
        facts,
        source: asking.source,
        now: Some(now),
    }
}

fn in_force(access: &GrantAccess, now: Timestamp) -> bool {
    access.grant.status == GrantStatus::Active && !access.grant.has_expired(now)
}

struct Judging<'a> {
    input: &'a Input,
    asking: &'a Asking,
}

impl Judging<'_> {
    /// All rules together: one that refuses is enough; else what they ask for is united.
    async fn settle(&self, vault: &Vault, decision: &Decision) -> Result<PolicyTerms, Refusal> {
        if !decision.permitted {
            return Err(not_permitted());
        }
        let is_plain = |outcome: &&Outcome| outcome.rule.effect == Effect::Deny && outcome.rule.rate.is_none() && outcome.unknown.is_none();
        let denials: Vec<&Outcome> = decision.outcomes.iter().filter(is_plain).collect();
        if !denials.is_empty() {
            return Err(denied(&denials));
        }
        let unknown: Vec<&Outcome> = decision.outcomes.iter().filter(|outcome| outcome.unknown.is_some()).collect();
        if !unknown.is_empty() {
            return Err(self.not_evaluable(&unknown));
        }
        let mut terms = PolicyTerms::default();
        for Outcome { rule, .. } in &decision.outcomes {
            self.add(vault, rule, &mut terms).await?;
        }
        Ok(terms)
    }

    async fn add(&self, vault: &Vault, rule: &Rule, terms: &mut PolicyTerms) -> Result<(), Refusal> {
        let retrieved = self.input.kind == Kind::Retrieve;
        match &rule.effect {
            Effect::Deny => {
                let Some(rate) = rule.rate else { return Ok(()) };
                let count = self.count(rule, rate);
                if vault.store.counted_calls(count.clone()).await? >= u64::from(count.limit) {
                    let now = vault.clock.now();
                    return Err(too_many(count.state(now), now.as_secs(), Some(rule)));
                }
                terms.counts.push(count);
            }
            Effect::Approval(_) if retrieved => return Err(requires_proxy("hitl_grant_requires_proxy", rule)),
            Effect::Redact(_) if retrieved => return Err(requires_proxy("restricted_grant_requires_proxy", rule)),
            Effect::Approval(approvers) => {
                if !terms.approvals.contains(approvers) {
                    terms.approvals.push(approvers.clone());
                }
            }
            Effect::StepUp(longest) if self.asking.session_age.is_some_and(|age| age <= *longest) => {}
            Effect::StepUp(longest) => {
                let message = format!("The policy {} asks for a recent user session. {}", rule.name(), rule.remedy());
                let refusal = Refusal::forbidden("step_up_required", message).because(format!("policy {} asks for a step-up", rule.name()));
                return Err(refusal.with("max_session_age_seconds", longest.as_secs()).with("details", told(rule, None)));
            }
            Effect::Redact(fields) => {
                terms.redaction.extend(fields.iter().filter(|field| !terms.redaction.contains(field)).cloned().collect::<Vec<_>>())
            }
        }
        Ok(())
    }

    /// Where a call takes its place.
    fn count(&self, rule: &Rule, rate: Rate) -> CallCount {
        let of = match rate.per {
            Per::App => "app".to_owned(),
            Per::Agent => format!("agent:{}", self.input.agent.as_deref().unwrap_or("none")),
            Per::Key => format!("key:{}", self.input.key.as_deref().unwrap_or("unknown")),
            Per::Grant => format!("grant:{}", self.input.grant),
        };
        CallCount { app: self.asking.app, counter: format!("{} {} {of}", rule.name(), rate.window), limit: rate.limit, window: rate.window }
    }

    fn not_evaluable(&self, unknown: &[&Outcome]) -> Refusal {
        let missing: Vec<&String> = unknown.iter().filter_map(|outcome| outcome.unknown.as_ref()).flatten().collect();
        let of_the_call =
            |name: &&String| OF_THE_CALL.contains(&name.as_str()) || name.starts_with("family.") || name.starts_with("parameters.");
        if let Some(first) = unknown.first()
            && self.input.kind == Kind::Retrieve
            && missing.iter().all(of_the_call)
        {
            return requires_proxy("restricted_grant_requires_proxy", &first.rule);
        }
        let names: Vec<String> = unknown.iter().map(|outcome| outcome.rule.name()).collect();
        let missing = missing.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", ");
        let message = format!(
            "The policy {} needs to know {missing} of this call, which nobody knows, so the call is refused. A call that the provider's description \
             has (`alter spec load`) passes if the policy does not forbid it.",
            names.join(", "),
        );
        let refusal = Refusal::forbidden("policy_not_evaluable", message).because(format!("policy {} needs {missing}", names.join(", ")));
        refusal.with("details", listed(unknown))
    }
}

fn not_permitted() -> Refusal {
    let message = "Nothing permits this call: the grant has to be in force, and the key has to have the scope for it.";
    Refusal::forbidden("policy_denied", message)
        .because("the baseline does not permit it")
        .with("details", json!({ "policies": ["baseline"] }))
}

fn denied(rules: &[&Outcome]) -> Refusal {
    let names: Vec<String> = rules.iter().map(|outcome| outcome.rule.name()).collect();
    let first = rules.first().map(|outcome| &outcome.rule);
    let said = first.and_then(|rule| rule.reason.as_ref()).map(|reason| format!(" {reason}")).unwrap_or_default();
    let remedy = first.map(Rule::remedy).unwrap_or_default();
    let message = format!("The policy {} forbids this call.{said} {remedy}", names.join(", "));
    Refusal::forbidden("policy_denied", message).because(format!("policy {} forbids it", names.join(", "))).with("details", listed(rules))
}

/// 400: the credential does not leave the vault where a policy has to see the call.
fn requires_proxy(code: &'static str, rule: &Rule) -> Refusal {
    let message = format!("The policy {} judges single calls, which only the vault can make; use proxy_request().", rule.name());
    Refusal::bad_request(code, message).because(format!("policy {} judges calls", rule.name())).with("details", told(rule, None))
}

/// 429: a policy has let as many calls pass as it does. `now` is Unix time in seconds.
pub fn too_many(state: RateState, now: i64, rule: Option<&Rule>) -> Refusal {
    let wait = u32::try_from((state.resets_at - now).max(1)).unwrap_or(u32::MAX);
    let named = rule.map_or_else(|| "A policy of this application".to_owned(), |rule| format!("The policy {}", rule.name()));
    let message = format!("{named} lets {} calls pass at a time, and they were made. Wait {wait} seconds.", state.limit);
    let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded", message)
        .with("scope", "policy")
        .with("limit", state.limit)
        .with("retry_after", wait)
        .retry_after(wait);
    match rule {
        Some(rule) => refusal.because(format!("policy {} counts", rule.name())).with("details", told(rule, None)),
        None => refusal,
    }
}

fn listed(outcomes: &[&Outcome]) -> Value {
    json!({ "policies": outcomes.iter().map(|outcome| shown(&outcome.rule, outcome.unknown.as_deref())).collect::<Vec<_>>() })
}

fn told(rule: &Rule, unknown: Option<&[String]>) -> Value {
    json!({ "policies": [shown(rule, unknown)] })
}

/// A rule in an answer: its name, what it said, what would satisfy it.
pub fn shown(rule: &Rule, unknown: Option<&[String]>) -> Value {
    json!({ "policy": rule.name(), "reason": rule.reason, "satisfied_by": rule.remedy(), "not_known": unknown })
}

//! Why a call would be allowed or denied: the call's own rules and the policies are asked as they would be, and nothing is called, counted or kept.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use alter_core::url::ProviderUrl;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::agents;
use super::policies::{effect, usable};
use super::read::{self, invalid, not_found};
use crate::api::Vault;
use crate::api::judge::policy::{Asking, PolicyTerms, compiled, input, shown, weigh};
use crate::api::judge::{agent as agent_rules, restrictions};
use crate::api::opening::{self, Usage};
use crate::api::refusal::Refusal;
use crate::api::specs::described::facts;
use crate::audit::{AuditEntry, ChainId, Outcome};
use crate::classify::{CallParts, Facts};
use crate::clock::Timestamp;
use crate::model::{Agent, App, GrantId, KeyId, Policy, PolicyId};
use crate::policy::{Decision, Outcome as RuleOutcome};
use crate::store::GrantAccess;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    /// The grant's id; or `provider`.
    #[serde(default)]
    grant: Option<String>,
    /// The provider of the app's only grant there.
    #[serde(default)]
    provider: Option<String>,
    /// Whether the credential is to be released, and not used by the vault.
    #[serde(default)]
    retrieve: bool,
    #[serde(default)]
    method: Option<String>,
    url: String,
    #[serde(default)]
    body: Option<Value>,
    /// The agent that acts, by name or id.
    #[serde(default)]
    agent: Option<String>,
    #[serde(default)]
    key: Option<KeyId>,
    #[serde(default)]
    source: Option<IpAddr>,
    #[serde(default)]
    session_age_seconds: Option<u64>,
    /// When; without it now.
    #[serde(default)]
    at: Option<Timestamp>,
    /// Policies by name that take the place of the app's of that name, or stand beside them; null leaves one out.
    #[serde(default)]
    policies: BTreeMap<String, Option<String>>,
}

/// `POST /apps/{app}/policies/explain`
pub async fn explain(State(vault): State<Arc<Vault>>, Path(app): Path<String>, body: Body) -> Result<Json<Value>, Refusal> {
    let asked: Asked = read::json(body).await?;
    let app = read::app(&vault, &app).await?;
    let access = access(&vault, &app, &asked).await?;
    let agent = match &asked.agent {
        Some(named) => Some(agents::find(&vault, &app, named).await?),
        None => None,
    };
    let url = ProviderUrl::parse(&asked.url).map_err(|error| invalid(format!("url cannot be called: {}", error.message())))?;
    let method = asked.method.as_deref().unwrap_or("GET").to_ascii_uppercase();
    let method: Method = method.parse().map_err(|_| invalid("method is not an HTTP method. Use for example GET."))?;
    let text = asked.body.as_ref().map(Value::to_string);
    let call = CallParts {
        method: &method,
        host: url.host(),
        path: url.path(),
        query: url.query(),
        content_type: text.as_ref().map(|_| "application/json"),
        body: text.as_deref().map(str::as_bytes),
    };
    let asking = Asking {
        app: app.id,
        key: asked.key,
        agent: agent.as_ref().map(|agent| agent.id),
        within_scopes: true,
        source: asked.source,
        session_age: asked.session_age_seconds.map(Duration::from_secs),
    };
    let call = (!asked.retrieve).then_some(call);
    let known = match &call {
        Some(call) => Some(facts(&vault, &access, call).await?),
        None => None,
    };
    let at = asked.at.unwrap_or_else(|| vault.clock.now());
    let seen = input(&asking, &access, call.as_ref(), known.clone(), at);
    let (decision, outcome) = weigh(&vault, &compiled(&all(&vault, &app, &asked).await?)?, &asking, &seen).await;
    // Nothing is recorded of a call that nobody makes.
    let mut row = AuditEntry::new(ChainId::App(app.id), "policy.explain", Outcome::Done);
    let own = opening::judge(&vault, access.clone(), &asked.url, &OwnRules { agent: agent.as_ref(), call }, &mut row).await;
    let outcome = own.map(drop).and(outcome);
    Ok(Json(answer(known.as_ref(), decision.as_ref(), outcome, &access, agent.as_ref())))
}

/// What the agent and the grant say, before any policy is asked.
struct OwnRules<'a> {
    agent: Option<&'a Agent>,
    call: Option<CallParts<'a>>,
}

impl Usage for OwnRules<'_> {
    type Terms = ();

    async fn judge(&self, vault: &Vault, access: &GrantAccess) -> Result<(), Refusal> {
        if let Some(agent) = self.agent {
            agent_rules::judge_scopes(agent, access.secret.as_ref(), access.credential.as_ref(), vault.clock.now())?;
        }
        match (&self.call, &access.grant.policy.restrictions) {
            (Some(call), Some(restricted)) => restrictions::judge(restricted, call.method, call.path),
            _ => Ok(()),
        }
    }
}

async fn access(vault: &Vault, app: &App, asked: &Asked) -> Result<GrantAccess, Refusal> {
    let id = match (&asked.grant, &asked.provider) {
        (Some(id), None) => GrantId::parse(id).ok_or_else(|| not_found("grant", id, "alter grant list"))?,
        (None, Some(provider)) => match vault.store.system_grants(app.id, provider.clone()).await?.as_slice() {
            [only] => *only,
            [] => return Err(not_found("grant", provider, "alter grant list")),
            _ => return Err(invalid("provider has several grants of the application. Name one by its id.")),
        },
        _ => return Err(invalid("Give grant or provider.")),
    };
    vault.store.grant_access(app.id, id).await?.found().ok_or_else(|| not_found("grant", &id.to_string(), "alter grant list"))
}

/// The app's policies, with those that are tried out.
async fn all(vault: &Vault, app: &App, asked: &Asked) -> Result<Vec<Policy>, Refusal> {
    let mut all = vault.store.policies(app.id).await?;
    all.retain(|policy| !asked.policies.contains_key(&policy.name));
    for (name, source) in asked.policies.iter().filter_map(|(name, source)| Some((name, source.as_ref()?))) {
        usable(vault, app, name, source).await?;
        let now = vault.clock.now();
        let nobody = crate::model::OperatorId::random();
        all.push(Policy {
            id: PolicyId::random(),
            app: app.id,
            name: name.clone(),
            source: source.clone(),
            version: 1,
            created_at: now,
            created_by: nobody,
            updated_at: now,
            updated_by: nobody,
        });
    }
    Ok(all)
}

fn answer(
    known: Option<&Facts>,
    decision: Option<&Decision>,
    outcome: Result<PolicyTerms, Refusal>,
    access: &GrantAccess,
    agent: Option<&Agent>,
) -> Value {
    let rules: Vec<Value> = decision.into_iter().flat_map(|decision| &decision.outcomes).map(rule).collect();
    let call = known.map(|facts| {
        json!({
            "operation": facts.operation.as_ref().map(|operation| &operation.id),
            "families": facts.families(),
            "parameters": facts.parameters.all().map(|all| all.keys().collect::<Vec<_>>()),
        })
    });
    let (word, refusal, terms) = match outcome {
        Err(refusal) => ("deny", json!({ "code": refusal.code(), "message": refusal.message() }), PolicyTerms::default()),
        Ok(terms) => {
            let asks_people = !terms.approvals.is_empty()
                || access.grant.policy.requires_approval
                || agent.is_some_and(|agent| crate::api::agents::policy::approvers_of(agent).is_some());
            (if asks_people { "approval" } else { "allow" }, Value::Null, terms)
        }
    };
    json!({
        "decision": word,
        "refusal": refusal,
        "rules": rules,
        "approvals": terms.approvals.iter().map(|gate| gate.iter().map(ToString::to_string).collect::<Vec<_>>()).collect::<Vec<_>>(),
        "redact": terms.redaction,
        "call": call,
    })
}

fn rule(outcome: &RuleOutcome) -> Value {
    let mut told = shown(&outcome.rule, outcome.unknown.as_deref());
    told["effect"] = json!(effect(&outcome.rule));
    told
}

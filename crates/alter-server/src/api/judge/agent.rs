//! What an agent's own rules leave of a grant: its scopes, and whether people have to approve what it does.
//!
//! They hold for its own keys and while the app's key speaks for it.

use crate::api::agents::policy;
use crate::api::refusal::Refusal;
use crate::clock::Timestamp;
use crate::model::{Agent, Credential, ManagedSecret};

/// Refuses a grant of something that the agent may not use. A login is one of a provider with scopes; everything else is placed by a managed secret.
///
/// # Errors
/// 403 `agent_scope_not_allowed`.
pub fn judge_scopes(agent: &Agent, secret: Option<&ManagedSecret>, login: Option<&Credential>, now: Timestamp) -> Result<(), Refusal> {
    let scopes = agent.scopes_at(now);
    let (allowed, provider) = match (secret, login) {
        (Some(secret), _) => (scopes.allow_secret(&secret.slug), secret.slug.as_str()),
        (None, Some(login)) => (scopes.allow_login(&login.provider, &login.scopes), login.provider.as_str()),
        (None, None) => (false, ""),
    };
    if allowed {
        return Ok(());
    }
    let message = "The scopes of this agent do not allow what the grant opens. Widen the agent's scopes, or use another grant.";
    Err(Refusal::forbidden("agent_scope_not_allowed", message).with("provider_id", provider))
}

/// Refuses to hand out a credential to an agent each of whose calls somebody has to approve.
///
/// # Errors
/// 400 `hitl_grant_requires_proxy`.
pub fn judge_retrieval(agent: &Agent) -> Result<(), Refusal> {
    if policy::approvers_of(agent).is_none() {
        return Ok(());
    }
    let message = "A person has to approve each call of this agent; use proxy_request().";
    Err(Refusal::bad_request("hitl_grant_requires_proxy", message))
}

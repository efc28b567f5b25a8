//! Whether a grant, and the rule that the client signed into its request, are for a call.

use std::time::Duration;

use http::{Method, StatusCode};

use super::request::ProxyRequest;
use crate::api::Vault;
use crate::api::agents::policy;
use crate::api::judge::agent;
use crate::api::judge::request_rule::RequestRule;
use crate::api::judge::restrictions;
use crate::api::opening::Usage;
use crate::api::people::idp::person_of;
use crate::api::pipeline::Admitted;
use crate::api::refusal::Refusal;
use crate::model::Agent;
use crate::store::GrantAccess;

/// The use of a grant for one proxied call.
pub struct ProxiedUse<'a> {
    method: Method,
    path: String,
    rule: Option<&'a RequestRule>,
    agent: Option<&'a Agent>,
    session_age: Option<Duration>,
}

impl<'a> ProxiedUse<'a> {
    /// Reads what the rule needs to know. The user's session is looked at only where a rule asks for it.
    ///
    /// # Errors
    /// What is wrong with the user's token.
    pub async fn new(vault: &Vault, request: &'a Admitted<'_>, asked: &ProxyRequest) -> Result<Self, Refusal> {
        let rule = request.rule.as_ref();
        let session_age = match (rule.is_some_and(RequestRule::asks_for_session), &asked.user_token) {
            (true, Some(token)) => session_age(vault, request, token).await?,
            _ => None,
        };
        Ok(Self { method: asked.method.clone(), path: asked.url.path().to_owned(), rule, agent: request.acting.agent(), session_age })
    }

    /// The fields that the client's rule takes out of the body. Asked once the call has been judged.
    pub fn redaction(&self) -> Option<&'a [String]> {
        self.rule.and_then(|rule| rule.redaction(&self.method))
    }
}

impl Usage for ProxiedUse<'_> {
    async fn judge(&self, vault: &Vault, access: &GrantAccess) -> Result<(), Refusal> {
        let grant = &access.grant;
        if let Some(acting) = self.agent {
            agent::judge_scopes(acting, access.secret.as_ref(), access.credential.as_ref(), vault.clock.now())?;
        }
        if let Some(restrictions) = &grant.policy.restrictions {
            restrictions::judge(restrictions, &self.method, &self.path)?;
        }
        if grant.scope_constraint.is_some() {
            let message =
                "This grant is for some of its login's scopes only, and nothing describes which of them this call needs: it is refused.";
            return Err(Refusal::bad_request("scope_constraint_not_evaluable", message));
        }
        if let Some(rule) = self.rule {
            rule.judge_call(&self.method, self.session_age)?;
        }
        let asks_people = self.agent.is_some_and(|acting| policy::approvers_of(acting).is_some());
        if grant.policy.requires_approval || asks_people {
            let message = "A person has to approve each call through this grant or of this agent, and this vault does not ask people yet.";
            return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, "approvals_not_available", message));
        }
        Ok(())
    }
}

async fn session_age(vault: &Vault, request: &Admitted<'_>, token: &str) -> Result<Option<Duration>, Refusal> {
    let signed_in_at = person_of(vault, request.key.app, token).await?.auth_time;
    let age = signed_in_at.map(|at| vault.clock.now().as_millis().saturating_sub(at.as_millis()));
    Ok(age.map(|millis| Duration::from_millis(u64::try_from(millis).unwrap_or(0))))
}

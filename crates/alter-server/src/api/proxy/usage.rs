//! Whether a grant, and the rule that the client signed into its request, are for a call, and who has to agree to it.

use std::collections::BTreeSet;
use std::time::Duration;

use http::Method;

use super::request::ProxyRequest;
use crate::api::Vault;
use crate::api::agents::policy;
use crate::api::judge::agent;
use crate::api::judge::request_rule::RequestRule;
use crate::api::judge::restrictions;
use crate::api::opening::Usage;
use crate::api::pipeline::Admitted;
use crate::api::refusal::Refusal;
use crate::model::{Agent, Approver, Grant, Principal};
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
    /// The use that a request asks for. `session_age` is how long ago the user had proven who they are when they asked.
    pub fn new(request: &'a Admitted<'_>, asked: &ProxyRequest, session_age: Option<Duration>) -> Self {
        let (rule, agent) = (request.rule.as_ref(), request.acting.agent());
        Self { method: asked.method.clone(), path: asked.url.path().to_owned(), rule, agent, session_age }
    }

    /// Who has to agree to the call: one of each set. None if nobody has to.
    pub fn gates(&self, access: &GrantAccess) -> Vec<BTreeSet<Approver>> {
        let of_agent = self.agent.and_then(policy::approvers_of);
        let of_grant = access.grant.policy.requires_approval.then(|| approvers_of_grant(&access.grant));
        let mut gates: Vec<BTreeSet<Approver>> = of_agent.into_iter().chain(of_grant).collect();
        gates.sort();
        gates.dedup();
        gates
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
        Ok(())
    }
}

/// Who agrees to the use of a grant that asks for it: any operator who may, and the person whose grant it is.
fn approvers_of_grant(grant: &Grant) -> BTreeSet<Approver> {
    let holder = match &grant.on_behalf_of {
        Principal::User(person) => Some(Approver::Person(person.clone())),
        _ => None,
    };
    holder.into_iter().chain([Approver::Operators]).collect()
}

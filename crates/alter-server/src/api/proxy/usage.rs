//! Whether a grant, and the rule that the client signed into its request, are for a call, and who has to agree to it.

use std::collections::BTreeSet;
use std::time::Duration;

use alter_core::url::ProviderUrl;
use bytes::Bytes;
use http::Method;

use super::request::ProxyRequest;
use crate::api::Vault;
use crate::api::agents::policy;
use crate::api::judge::policy::{Asking, PolicyTerms};
use crate::api::judge::{self, agent, restrictions, scope_constraint};
use crate::api::opening::Usage;
use crate::api::pipeline::Admitted;
use crate::api::refusal::Refusal;
use crate::api::specs::described;
use crate::classify::CallParts;
use crate::model::{Approver, Grant, Principal};
use crate::store::{CallCount, GrantAccess};

/// The use of a grant for one proxied call.
pub struct ProxiedUse<'a> {
    request: &'a Admitted<'a>,
    call: Call,
    session_age: Option<Duration>,
}

/// On what terms a call may be made.
#[derive(Debug, Default)]
pub struct Terms {
    /// Who has to agree to it by the policies: one of each set.
    pub approvals: Vec<BTreeSet<Approver>>,
    /// The fields that have to be taken out of its body.
    pub redaction: Vec<String>,
    /// The counts of policies in which it takes a place.
    pub counts: Vec<CallCount>,
}

impl<'a> ProxiedUse<'a> {
    /// The use that a request asks for. `session_age` is how long ago the user had proven who they are when they asked.
    pub fn new(request: &'a Admitted<'a>, asked: &ProxyRequest, session_age: Option<Duration>) -> Self {
        Self { request, call: Call::of(asked), session_age }
    }

    /// Who has to agree to the call, by the agent, the grant and the policies: one of each set. None if nobody has to.
    pub fn gates(&self, access: &GrantAccess, terms: &Terms) -> Vec<BTreeSet<Approver>> {
        let of_agent = self.request.acting.agent().and_then(policy::approvers_of);
        let of_grant = access.grant.policy.requires_approval.then(|| approvers_of_grant(&access.grant));
        let mut gates: Vec<BTreeSet<Approver>> = of_agent.into_iter().chain(of_grant).chain(terms.approvals.iter().cloned()).collect();
        gates.sort();
        gates.dedup();
        gates
    }
}

/// What of a call is judged.
struct Call {
    method: Method,
    url: ProviderUrl,
    content_type: Option<String>,
    body: Option<Bytes>,
}

impl Call {
    fn of(asked: &ProxyRequest) -> Self {
        let content_type = asked.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        Self {
            method: asked.method.clone(),
            url: asked.url.clone(),
            content_type: content_type.map(|(_, value)| value.clone()),
            body: asked.body.clone(),
        }
    }

    fn parts(&self) -> CallParts<'_> {
        CallParts {
            method: &self.method,
            host: self.url.host(),
            path: self.url.path(),
            query: self.url.query(),
            content_type: self.content_type.as_deref(),
            body: self.body.as_deref(),
        }
    }
}

impl Usage for ProxiedUse<'_> {
    type Terms = Terms;

    async fn judge(&self, vault: &Vault, access: &GrantAccess) -> Result<Terms, Refusal> {
        let (grant, request, call) = (&access.grant, self.request, self.call.parts());
        if let Some(acting) = request.acting.agent() {
            agent::judge_scopes(acting, access.secret.as_ref(), access.credential.as_ref(), vault.clock.now())?;
        }
        if let Some(restrictions) = &grant.policy.restrictions {
            restrictions::judge(restrictions, call.method, call.path)?;
        }
        let asking = Asking::of(request, super::SCOPE, self.session_age);
        let PolicyTerms { approvals, mut redaction, counts } = judge::policy::judge(vault, &asking, access, Some(&call)).await?;
        if request.rule.is_some() || grant.scope_constraint.is_some() {
            let facts = described::facts(vault, access, &call).await?;
            if let Some(scopes) = &grant.scope_constraint {
                scope_constraint::judge(scopes, &facts)?;
            }
            if let Some(rule) = &request.rule {
                rule.judge_call(&facts, self.session_age)?;
                redaction.extend(rule.redaction(&facts).into_iter().flatten().cloned());
            }
        }
        Ok(Terms { approvals, redaction, counts })
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

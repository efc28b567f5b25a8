//! `POST /sdk/token`: releases a credential to a client that will make the call itself.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Map, Value};

use super::Vault;
use super::addressing::{Wanted, invalid, text};
use super::judge::policy::Asking;
use super::judge::request_rule::RequestRule;
use super::judge::{self, agent};
use super::opening::{self, Usage};
use super::pipeline::{Admitted, Answer, Call, Verdict, note};
use super::proxy::OnBehalf;
use super::refusal::Refusal;
use crate::audit::{AuditEntry, Outcome};
use crate::model::Grant;
use crate::store::{CallCount, Effect, GrantAccess};

/// The endpoint.
pub struct RetrieveToken;

impl Call for RetrieveToken {
    const ACTION: &'static str = "token.retrieve";
    const OUTCOME: Outcome = Outcome::Intent;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Verdict, Refusal> {
        let asked = TokenRequest::parse(request.body)?;
        asked.describe(row);
        request.reach.require("tokens:retrieve")?;
        asked.wanted.describe(row);
        let on_behalf = OnBehalf::of(vault, request.key.app, asked.user_token.as_deref()).await?;
        let access = asked.wanted.find(vault, request, on_behalf.as_ref().map(OnBehalf::membership), row).await?;
        let retrieval = Retrieval { request, session_age: on_behalf.as_ref().and_then(OnBehalf::session_age) };
        let judged = opening::judge(vault, access, &asked.url, &retrieval, row).await?;
        let opened = opening::open(vault, judged, &asked.url, &retrieval).await?;
        let counted = opened.terms.iter().cloned().map(Effect::CountCall);
        let effects = counted.chain([opened.effect()]).collect();
        Ok(Verdict { effects, answer: Answer::Json(opened.answer) })
    }
}

/// The credential leaves the vault.
struct Retrieval<'a> {
    request: &'a Admitted<'a>,
    /// How long ago the user signed in, if that is known.
    session_age: Option<Duration>,
}

impl Usage for Retrieval<'_> {
    /// The counts of policies in which it takes a place.
    type Terms = Vec<CallCount>;

    async fn judge(&self, vault: &Vault, access: &GrantAccess) -> Result<Vec<CallCount>, Refusal> {
        judge_mode(vault, &access.grant).await?;
        if let Some(acting) = self.request.acting.agent() {
            agent::judge_retrieval(acting)?;
            agent::judge_scopes(acting, access.secret.as_ref(), access.credential.as_ref(), vault.clock.now())?;
        }
        let asking = Asking::of(self.request, "tokens:retrieve", self.session_age);
        let terms = judge::policy::judge(vault, &asking, access, None).await?;
        self.request.rule.as_ref().map_or(Ok(()), RequestRule::judge_retrieval)?;
        Ok(terms.counts)
    }
}

/// The body of the request.
struct TokenRequest {
    wanted: Wanted,
    method: String,
    url: String,
    reason: Option<String>,
    user_token: Option<String>,
}

impl TokenRequest {
    /// Reads the body. Members that this vault does not know are refused: one of them might be meant to narrow the call.
    fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let mut members: Map<String, Value> = serde_json::from_slice(body).map_err(|_| invalid("The body is not a JSON object."))?;
        let request = members.remove("request").filter(Value::is_object);
        let part = |name: &str| request.as_ref().and_then(|r| r.get(name)).and_then(Value::as_str).map(str::to_owned);
        let (Some(method), Some(url)) = (part("method"), part("url")) else {
            return Err(invalid(
                "request must hold the texts method and url: the vault judges the destination before it releases anything.",
            ));
        };
        let reason = text(&mut members, "reason")?;
        let user_token = text(&mut members, "user_token")?;
        let wanted = Wanted::take(&mut members)?;
        if !members.is_empty() {
            return Err(invalid("The body has a member that this vault does not know, and it ignores none."));
        }
        Ok(Self { wanted, method, url, reason, user_token })
    }

    /// Puts into the row what the client said.
    fn describe(&self, row: &mut AuditEntry) {
        note(row, |row| row.call(&self.method, &self.url));
        if let Some(reason) = &self.reason {
            note(row, |row| row.reason(reason));
        }
    }
}

/// A grant with rules about single calls, or one that was passed on, is used through the vault only: once a client holds the credential,
/// nothing keeps it to them. An operator may allow the first holder to retrieve what nothing narrows.
async fn judge_mode(vault: &Vault, grant: &Grant) -> Result<(), Refusal> {
    let refuse = |code: &'static str, what: &str| Err(Refusal::bad_request(code, format!("{what}; use proxy_request().")));
    if grant.policy.requires_approval {
        return refuse("hitl_grant_requires_proxy", "A person has to approve each call through this grant");
    }
    if grant.policy.restrictions.is_some() {
        return refuse("restricted_grant_requires_proxy", "This grant is for certain calls only");
    }
    if grant.scope_constraint.is_some() || grant.depth > 1 {
        return refuse("delegated_grant_requires_proxy", "This grant reaches less far than its credential");
    }
    if grant.is_delegated() && !vault.store.app(grant.app).await?.is_some_and(|app| app.settings.retrieve_delegated) {
        return refuse("delegated_grant_requires_proxy", "This grant was delegated");
    }
    Ok(())
}

/// 400: the grant was taken back.
pub(super) fn grant_revoked() -> Refusal {
    Refusal::bad_request("grant_revoked", "This grant was revoked. Ask an operator for a new one.")
}

/// 403: the grant's time is over.
pub(super) fn grant_expired() -> Refusal {
    Refusal::forbidden("grant_expired", "This grant has expired. Ask an operator for a new one.")
}

/// 410: the secret behind the grant was deleted.
pub(super) fn grant_deleted() -> Refusal {
    Refusal::new(StatusCode::GONE, "grant_deleted", "The secret behind this grant was deleted.")
}

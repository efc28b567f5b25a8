//! `POST /sdk/identity/resolve` and `/assert`, and the key set that verifies what assert signs.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde_json::{Map, Value, json};

use super::idp::{Idp, person_of};
use crate::api::Vault;
use crate::api::acting::Acting;
use crate::api::members::{Members, invalid};
use crate::api::pipeline::{Admitted, Answer, Call, Verdict, note};
use crate::api::refusal::Refusal;
use crate::audit::{AuditEntry, Outcome};
use crate::identity::Verified;
use crate::identity::assertion::{self, AgentProof, Assertion, LIVES, USUAL_LIFE};
use crate::model::{AgentId, AppId, GrantFilter, Principal, ShownStatus, View};

const LONGEST_AUDIENCE: usize = 512;
/// How many of an agent's grants on a user's behalf are looked at: one is enough.
const FEW: NonZeroU32 = NonZeroU32::new(100).expect("100 is not zero");
/// The members of a context that an identity carries on.
const TRACE: [&str; 2] = ["run_id", "thread_id"];

/// `POST /sdk/identity/resolve`
pub struct ResolveIdentity;

impl Call for ResolveIdentity {
    const ACTION: &'static str = "identity.resolve";
    const OUTCOME: Outcome = Outcome::Intent;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Verdict, Refusal> {
        request.reach.require("idp_users:read")?;
        let mut members = Members::of(request.body)?;
        let wanted = Wanted::take(&mut members)?;
        members.nothing_else()?;
        let identity = wanted.resolve(vault, request, row).await?;
        Ok(Verdict { effects: Vec::new(), answer: Answer::Json(identity.shown(request.key.app, row, wanted.include_profile)) })
    }
}

/// `POST /sdk/identity/assert`
pub struct AssertIdentity;

impl Call for AssertIdentity {
    const ACTION: &'static str = "identity.assert";
    const OUTCOME: Outcome = Outcome::Intent;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Verdict, Refusal> {
        request.reach.require("idp_users:read")?;
        let mut members = Members::of(request.body)?;
        let wanted = Wanted::take(&mut members)?;
        let audience = checked_audience(members.text("audience")?)?;
        let life = checked_life(members.whole_number("ttl_seconds")?)?;
        members.nothing_else()?;
        let app = request.key.app;
        let identity = wanted.resolve(vault, request, row).await?;
        let assertion = Assertion {
            issuer: &vault.public_url,
            audience: &audience,
            app,
            app_user_id: identity.app_user_id.as_deref(),
            agent: identity.agent.map(|agent| (agent.0, proof(&request.acting))),
            life,
        };
        let signed = assertion.sign(&vault.keys, vault.clock.now()).map_err(|error| signing_unavailable(&error))?;
        let shown = identity.shown(app, row, wanted.include_profile);
        note(row, |row| row.subject("assertion", signed.id));
        let answer = json!({"token": signed.token, "expires_at": signed.expires_at, "identity": shown});
        Ok(Verdict { effects: Vec::new(), answer: Answer::Json(answer) })
    }
}

/// How the acting agent showed that it is the one.
const fn proof(acting: &Acting) -> AgentProof {
    match acting {
        Acting::Agent { through_app: true, .. } => AgentProof::AppKey,
        Acting::Agent { through_app: false, .. } | Acting::App => AgentProof::OwnKey,
    }
}

/// `GET /.well-known/jwks.json`: the public keys of assertions, for whoever wants to verify one.
pub async fn key_set(State(vault): State<Arc<Vault>>) -> Response {
    match assertion::key_set(&vault.keys, vault.clock.now()) {
        Ok(set) => {
            let headers = [
                (CONTENT_TYPE, HeaderValue::from_static("application/jwk-set+json")),
                (CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600")),
            ];
            (StatusCode::OK, headers, set.to_string()).into_response()
        }
        Err(error) => signing_unavailable(&error).into_response(),
    }
}

/// Whose identity a request asks for.
struct Wanted {
    include_profile: bool,
    user_token: Option<String>,
    app_user_id: Option<String>,
}

/// An identity that was found.
#[derive(Default)]
struct Identity {
    app_user_id: Option<String>,
    person: Option<Verified>,
    idp: Option<String>,
    agent: Option<AgentId>,
}

impl Wanted {
    fn take(members: &mut Members) -> Result<Self, Refusal> {
        Ok(Self {
            include_profile: members.boolean("include_profile")?.unwrap_or(false),
            user_token: members.user_token()?,
            app_user_id: members.text("app_user_id")?,
        })
    }

    /// The user's token proves who they are. Only an agent may name a user instead, and only one who lets it act for them.
    async fn resolve(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Identity, Refusal> {
        let (app, agent) = (request.key.app, request.acting.agent().map(|agent| agent.id));
        if self.app_user_id.is_some() && agent.is_none() {
            return Err(invalid(
                "app_user_id alone proves nothing: send the user's token as user_token. Only an agent's key may name a user.",
            ));
        }
        let Some(token) = &self.user_token else {
            if let (Some(user), Some(agent)) = (&self.app_user_id, agent) {
                delegated_by(vault, app, agent, user).await?;
                note(row, |row| row.subject("user", user));
            }
            return Ok(Identity { app_user_id: self.app_user_id.clone(), agent, ..Identity::default() });
        };
        let person = person_of(vault, app, token).await?;
        if self.app_user_id.as_ref().is_some_and(|named| *named != person.subject) {
            return Err(no_edge("user_token and app_user_id are about different users"));
        }
        note(row, |row| row.subject("user", &person.subject));
        let idp = Idp::find(vault, app).await?.map(|idp| idp.registration.id.to_string());
        Ok(Identity { app_user_id: Some(person.subject.clone()), person: Some(person), idp, agent })
    }
}

/// Whether a user lets an agent act for them: it holds an active grant on their behalf.
async fn delegated_by(vault: &Vault, app: AppId, agent: AgentId, user: &str) -> Result<(), Refusal> {
    let filter = GrantFilter {
        view: View::Agent { agent, person: None },
        status: Some(ShownStatus::Active),
        subject: Some(user.to_owned()),
        ..GrantFilter::default()
    };
    let found = vault.store.list_grants(app, filter, FEW, 0).await?;
    let theirs = |principal: &Principal| matches!(principal, Principal::User(person) if person.subject == user);
    if found.grants.iter().any(|listed| theirs(&listed.grant.on_behalf_of)) {
        return Ok(());
    }
    Err(no_edge("the user has delegated nothing to this agent, or there is no such user"))
}

/// 404 in the same bytes, whether or not there is such a user.
fn no_edge(reason: &str) -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "identity_not_found", "No such user lets this agent act for them.").because(reason)
}

impl Identity {
    fn shown(&self, app: AppId, row: &AuditEntry, include_profile: bool) -> Value {
        let person = self.person.as_ref();
        let profile = person.filter(|_| include_profile);
        json!({
            "app_id": app,
            "app_user_id": self.app_user_id,
            "external_subject_id": person.map(|person| &person.subject),
            "idp_id": self.idp,
            "agent_id": self.agent,
            "actor_id": row.actor,
            "user_status": self.app_user_id.as_ref().map(|_| "active"),
            "group_ids": person.and_then(|person| person.groups.clone()).unwrap_or_default(),
            "email": profile.and_then(|person| person.email.as_ref()).map(|email| &email.address),
            "display_name": profile.and_then(|person| person.name.as_ref()),
            "trace": trace(row),
        })
    }
}

/// The run and thread that the request's context names.
fn trace(row: &AuditEntry) -> Option<Value> {
    let context: Map<String, Value> = serde_json::from_str(row.context.as_deref()?).ok()?;
    let named: Map<String, Value> = TRACE.iter().filter_map(|name| Some(((*name).to_owned(), context.get(*name)?.clone()))).collect();
    (!named.is_empty()).then_some(Value::Object(named))
}

/// An absolute URI, at least in its beginning: a bare word could be the name of two services.
fn checked_audience(audience: Option<String>) -> Result<String, Refusal> {
    let scheme_fits = |audience: &str| {
        audience.split_once(':').is_some_and(|(scheme, _)| {
            scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
        })
    };
    audience.filter(|audience| audience.chars().count() <= LONGEST_AUDIENCE && scheme_fits(audience)).ok_or_else(|| {
        let message = format!("audience must be a URI such as https://memory.example.com, of at most {LONGEST_AUDIENCE} characters.");
        Refusal::unprocessable("invalid_audience", message)
    })
}

fn checked_life(seconds: Option<u64>) -> Result<Duration, Refusal> {
    match seconds {
        None => Ok(USUAL_LIFE),
        Some(seconds) if LIVES.contains(&seconds) => Ok(Duration::from_secs(seconds)),
        Some(_) => Err(invalid(format!("ttl_seconds must be from {} to {}.", LIVES.start(), LIVES.end()))),
    }
}

fn signing_unavailable(error: &assertion::SigningUnavailable) -> Refusal {
    tracing::error!(%error, "no assertion was signed");
    let message = "The vault cannot sign right now. Try again shortly.";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "signing_unavailable", message).retry_after(1).because(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::ChainId;

    #[test]
    fn an_audience_is_a_uri() {
        for good in ["https://memory.example.com", "urn:memory", "x:"] {
            assert!(checked_audience(Some(good.to_owned())).is_ok(), "{good}");
        }
        for bad in ["memory", "1x:y", ":x", "a b:c", &format!("x:{}", "y".repeat(511))] {
            assert_eq!(checked_audience(Some(bad.to_owned())).expect_err(bad).code(), "invalid_audience");
        }
        assert!(checked_audience(None).is_err());
    }

    #[test]
    fn a_life_is_bounded() {
        assert_eq!(checked_life(None), Ok(Duration::from_secs(120)));
        for seconds in [10, 300] {
            assert_eq!(checked_life(Some(seconds)), Ok(Duration::from_secs(seconds)));
        }
        for seconds in [0, 9, 301, u64::MAX] {
            assert!(checked_life(Some(seconds)).is_err(), "{seconds}");
        }
    }

    #[test]
    fn a_trace_is_what_the_context_names() {
        let row = |context: &str| AuditEntry::new(ChainId::Vault, "identity.resolve", Outcome::Intent).context(context);
        assert_eq!(trace(&row(r#"{"run_id":"r","tool":"x"}"#)), Some(json!({"run_id": "r"})));
        assert_eq!(trace(&row(r#"{"tool":"x"}"#)), None);
    }
}

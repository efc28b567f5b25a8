//! An operator who is signed in with a browser: their key was shown once, and a cookie stands for it from then on.
//!
//! The cookie names the operator and two times, with a MAC over them by a key of the vault's; the vault keeps nothing. It ends half an hour after it was last used and
//! twelve hours after the key was shown. An operator who is revoked is out with the next click.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::{FromRequestParts, Request, State};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::SET_COOKIE;
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use subtle::ConstantTimeEq;

use crate::api::Vault;
use crate::api::admin::operator_of;
use crate::api::refusal::Refusal;
use crate::api::request_id::RequestId;
use crate::api::web::form::Form;
use crate::api::web::page::{self, Forms};
use crate::api::web::{cookie, record};
use crate::audit::{AuditEntry, ChainId, Outcome};
use crate::clock::Timestamp;
use crate::model::{Operator, OperatorId};

/// The cookie's name.
const NAME: &str = "alter_console";
/// How long nothing may be asked for.
const IDLE: Duration = Duration::from_secs(30 * 60);
/// How long a sign-in lasts at most.
const LONGEST: Duration = Duration::from_secs(12 * 60 * 60);
/// Where who is not signed in goes.
const SIGN_IN: &str = "/console/sign-in";

/// An operator who is signed in.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// Who.
    pub operator: Arc<Operator>,
    /// The request's id.
    pub request_id: String,
    /// The cookie that goes on with the session.
    renewed: HeaderValue,
}

impl SignedIn {
    /// Sends a page, and lets the session go on.
    pub fn answer(&self, response: impl IntoResponse) -> Response {
        let mut response = response.into_response();
        response.headers_mut().append(SET_COOKIE, self.renewed.clone());
        response
    }
}

impl FromRequestParts<Arc<Vault>> for SignedIn {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, vault: &Arc<Vault>) -> Result<Self, Response> {
        let id = RequestId::of(parts).to_owned();
        let out = || page::redirect(SIGN_IN, &[]);
        let seen = cookie::get(parts, vault, NAME).and_then(|text| Seen::read(vault, &text)).ok_or_else(out)?;
        let operators = vault.store.operators().await.map_err(|error| page::refused(&error.into(), &id))?;
        let operator =
            operators.into_iter().find(|operator| operator.id == seen.operator && operator.revoked_at.is_none()).ok_or_else(out)?;
        let renewed = Seen { at: vault.clock.now(), ..seen }.cookie(vault);
        Ok(Self { operator: Arc::new(operator), request_id: id, renewed })
    }
}

/// What the cookie says.
#[derive(Clone, Copy)]
struct Seen {
    operator: OperatorId,
    began: Timestamp,
    at: Timestamp,
}

impl Seen {
    fn text(self, vault: &Vault) -> String {
        let said = format!("{}.{}.{}", self.operator.0.simple(), self.began.as_millis(), self.at.as_millis());
        let mac = vault.keys.digest(&format!("console session\n{said}"));
        format!("{said}.{}", URL_SAFE_NO_PAD.encode(mac.0))
    }

    fn cookie(self, vault: &Vault) -> HeaderValue {
        cookie::set_strict(vault, NAME, &self.text(vault), IDLE)
    }

    fn read(vault: &Vault, text: &str) -> Option<Self> {
        let mut parts = text.split('.');
        let operator = OperatorId(uuid::Uuid::try_parse(parts.next()?).ok()?);
        let mut time = || parts.next()?.parse().ok().map(Timestamp::from_millis);
        let seen = Self { operator, began: time()?, at: time()? };
        let genuine: bool = seen.text(vault).as_bytes().ct_eq(text.as_bytes()).into();
        let now = vault.clock.now();
        (genuine && seen.at.plus(IDLE) > now && seen.began.plus(LONGEST) > now).then_some(seen)
    }
}

#[derive(Template)]
#[template(path = "console_sign_in.html")]
struct SignInPage<'a> {
    problem: Option<&'a str>,
    request_id: &'a str,
}

/// `GET /console/sign-in`
pub async fn ask(parts: Parts) -> Response {
    page::show(StatusCode::OK, &SignInPage { problem: None, request_id: RequestId::of(&parts) }, Forms::Own, false)
}

/// `POST /console/sign-in`
pub async fn enter(State(vault): State<Arc<Vault>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let id = RequestId::of(&parts);
    let entered = async {
        let form = Form::read(&parts, body).await?;
        let operator = operator_of(&vault, form.text("key").unwrap_or_default().trim()).await?;
        let row = AuditEntry::new(ChainId::Vault, "console.sign_in", Outcome::Done).operator(operator.id).request_id(id);
        record::commit(&vault, row, Vec::new()).await?;
        let now = vault.clock.now();
        let cookie = Seen { operator: operator.id, began: now, at: now }.cookie(&vault);
        Ok(page::redirect("/console", &[cookie]))
    };
    entered.await.unwrap_or_else(|refusal: Refusal| {
        let problem = match refusal.code() {
            "operator_key_invalid" => "This is no operator key of this vault, or it was revoked.",
            _ => refusal.message(),
        };
        page::show(refusal.status(), &SignInPage { problem: Some(problem), request_id: id }, Forms::Own, false)
    })
}

/// `POST /console/sign-out`
pub async fn leave(State(vault): State<Arc<Vault>>, who: SignedIn, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    if let Err(refusal) = Form::read(&parts, body).await {
        return page::refused(&refusal, &who.request_id);
    }
    let row = AuditEntry::new(ChainId::Vault, "console.sign_out", Outcome::Done).operator(who.operator.id).request_id(&who.request_id);
    if let Err(refusal) = record::commit(&vault, row, Vec::new()).await {
        return page::refused(&refusal, &who.request_id);
    }
    page::redirect(SIGN_IN, &[cookie::clear(&vault, NAME)])
}

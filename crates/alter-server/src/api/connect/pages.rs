//! The pages of a session: who asks, for what and for how long, and what the person decides.
//!
//! `GET` decides nothing. Every decision is a `POST` from a page of ours, for a session that goes on, by the person whom it is for; anything else is answered
//! with the page that says how things stand.

use std::collections::BTreeMap;
use std::sync::Arc;

use alter_core::secret::Secret;
use askama::Template;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use http::StatusCode;
use http::request::Parts;

use super::consent::Choice;
use super::key_entry;
use super::leaving::leave;
use super::lifetime::{self, Offer};
use super::session::{Asked, Failed, Flow, LIFE, Stored, row};
use crate::api::Vault;
use crate::api::people::browser::{self, Visitor};
use crate::api::people::idp::Idp;
use crate::api::people::sign_in::{self, Entrance};
use crate::api::refusal::Refusal;
use crate::api::request_id::RequestId;
use crate::api::web::form::Form;
use crate::api::web::page::{self, Forms};
use crate::api::web::trip::{self, Kept, Purpose};
use crate::api::web::{record, unguessable};
use crate::audit::AuditEntry;
use crate::model::{AppId, TicketState};
use crate::oauth::authorize::Wanted;
use crate::oauth::registration::{ProviderSettings, Registered, Unregistered, registered, settings_of};
use crate::store::Effect;

/// `GET /connect/{token}`
pub async fn open(State(vault): State<Arc<Vault>>, token: Result<Path<String>, PathRejection>, parts: Parts) -> Response {
    let token = token.map(|Path(token)| token).unwrap_or_default();
    let visit = Visit { vault: &vault, token: &token, request_id: RequestId::of(&parts) };
    visit.open(&parts).await.unwrap_or_else(|refusal| page::refused(&refusal, visit.request_id))
}

/// `POST /connect/{token}/{step}`
pub async fn decide(State(vault): State<Arc<Vault>>, path: Result<Path<(String, String)>, PathRejection>, request: Request) -> Response {
    let (token, step) = path.map(|Path(names)| names).unwrap_or_default();
    let (parts, body) = request.into_parts();
    let visit = Visit { vault: &vault, token: &token, request_id: RequestId::of(&parts) };
    visit.decide(&step, &parts, body).await.unwrap_or_else(|refusal| page::refused(&refusal, visit.request_id))
}

/// One request of a browser about one session.
pub struct Visit<'a> {
    /// The vault.
    pub vault: &'a Vault,
    /// The session's token.
    pub token: &'a str,
    /// The request's id.
    pub request_id: &'a str,
}

/// Who is there.
enum Who {
    /// Whom the session is for, or anybody if it is for nobody in particular.
    Welcome(Option<Visitor>),
    /// Nobody is signed in, and somebody has to be.
    Nobody,
    /// Somebody else is signed in.
    Other(Visitor),
}

impl Visit<'_> {
    async fn open(&self, parts: &Parts) -> Result<Response, Refusal> {
        let Some(stored) = Stored::by_token(self.vault, self.token).await? else { return Ok(page::over(self.request_id)) };
        if stored.ticket.state != TicketState::Open {
            return leave(self.vault, &stored, self.request_id).await;
        }
        if !stored.goes_on(self.vault) {
            return Ok(page::over(self.request_id));
        }
        match self.who(&stored, parts).await? {
            Who::Nobody => self.ask_to_sign_in(&stored, None).await,
            Who::Other(visitor) => self.ask_to_sign_in(&stored, Some(&visitor)).await,
            Who::Welcome(visitor) => match &stored.session.flow {
                Flow::Logins { asked, .. } if stored.session.direct => {
                    let provider = asked.first().map(|asked| asked.provider.clone()).unwrap_or_default();
                    self.depart(&stored, &provider, Choice::default()).await
                }
                Flow::Logins { asked, .. } => self.ask(&stored, asked, visitor.as_ref(), None).await,
                Flow::Key { .. } => key_entry::ask(self, &stored, visitor.as_ref(), &key_entry::Attempt::default()).await,
            },
        }
    }

    async fn decide(&self, step: &str, parts: &Parts, body: Body) -> Result<Response, Refusal> {
        let form = Form::read(parts, body).await?;
        let Some(stored) = Stored::by_token(self.vault, self.token).await? else { return Ok(page::over(self.request_id)) };
        // Sent twice, or ended meanwhile: the page says how it stands.
        if !stored.goes_on(self.vault) {
            return Ok(self.back(&[]));
        }
        if step == "sign-in" {
            return self.sign_in(&stored, parts).await;
        }
        let visitor = match self.who(&stored, parts).await? {
            Who::Welcome(visitor) => visitor,
            Who::Nobody => return Ok(self.back(&[])),
            Who::Other(_) => return self.deny_stranger(&stored).await,
        };
        match step {
            "continue" => self.go_on(&stored, &form, visitor.as_ref()).await,
            "key" | "confirm" => key_entry::decide(self, &stored, &form, visitor.as_ref()).await,
            "refuse" => self.refuse(&stored).await,
            "finish" => self.finish(&stored).await,
            _ => Ok(page::over(self.request_id)),
        }
    }

    async fn who(&self, stored: &Stored, parts: &Parts) -> Result<Who, Refusal> {
        let visitor = browser::visitor(self.vault, stored.ticket.app, parts).await?;
        Ok(match (&stored.session.user, visitor) {
            (None, visitor) => Who::Welcome(visitor),
            (Some(_), None) => Who::Nobody,
            (Some(person), Some(visitor)) if visitor.person == *person => Who::Welcome(Some(visitor)),
            (Some(_), Some(visitor)) => Who::Other(visitor),
        })
    }

    /// A row about the session.
    pub fn row(&self, stored: &Stored, action: &'static str) -> AuditEntry {
        row(stored.ticket.app, action, stored.ticket.id, self.request_id)
    }

    /// To the session's page.
    pub fn back(&self, cookies: &[http::HeaderValue]) -> Response {
        page::redirect(&self.path(), cookies)
    }

    fn path(&self) -> String {
        format!("/connect/{}", self.token)
    }

    async fn ask_to_sign_in(&self, stored: &Stored, other: Option<&Visitor>) -> Result<Response, Refusal> {
        let named = Named::of(self.vault, stored).await?;
        let idp = Idp::required(self.vault, stored.ticket.app).await?;
        let entrance = Entrance::of(self.vault, &idp).await?;
        let other = other.map(Visitor::shown_name);
        let asking = SignInPage { app: &named.app, host: entrance.host(), token: self.token, other, request_id: self.request_id };
        Ok(page::show(StatusCode::OK, &asking, entrance.forms(), false))
    }

    /// Sends the browser to the identity provider, signed out here: whoever comes back is who counts.
    async fn sign_in(&self, stored: &Stored, parts: &Parts) -> Result<Response, Refusal> {
        let idp = Idp::required(self.vault, stored.ticket.app).await?;
        let clear = browser::sign_out(self.vault, stored.ticket.app, parts, self.request_id).await?;
        let mut response = sign_in::depart(self.vault, &idp, Some(stored.ticket.id), Some(self.path()), self.request_id).await?;
        response.headers_mut().append(http::header::SET_COOKIE, clear);
        Ok(response)
    }

    /// Shows who asks for logins. `again` is the form that could not be taken, and what was wrong with it.
    async fn ask(
        &self,
        stored: &Stored,
        asked: &[Asked],
        visitor: Option<&Visitor>,
        again: Option<(&Form, &str)>,
    ) -> Result<Response, Refusal> {
        let named = Named::of(self.vault, stored).await?;
        let session = &stored.session;
        let mut providers = Vec::new();
        let mut places = Vec::new();
        for asked in asked {
            // A registration that is gone is found when the person chooses the provider.
            let settings = named.settings.get(&asked.provider);
            let entry = settings.and_then(|settings| settings.provider(&asked.provider));
            places.extend(entry.and_then(|entry| entry.authorization.url.parse().ok()));
            let scope = |scope: &String| (scope.clone(), entry.and_then(|entry| entry.meaning(scope)).map(str::to_owned));
            providers.push(ProviderView {
                id: asked.provider.clone(),
                name: named.provider(&asked.provider).to_owned(),
                scopes: asked.scopes.iter().map(scope).collect(),
                connected: session.is_connected(&asked.provider),
                declined: session.has_declined(&asked.provider),
                chosen: false,
            });
        }
        let before = again.map(|(form, _)| Typed::of(form)).unwrap_or_default();
        let (done, mut open): (Vec<_>, Vec<_>) = providers.into_iter().partition(|provider| provider.connected);
        let chosen = open.iter().position(|provider| Some(provider.id.as_str()) == before.provider.as_deref()).unwrap_or(0);
        open.get_mut(chosen).into_iter().for_each(|provider| provider.chosen = true);
        let problem = again.map(|(_, problem)| problem);
        let shown = ConsentPage {
            app: &named.app,
            token: self.token,
            done,
            providers: open,
            offers: lifetime::offers_again(session, self.vault.clock.now(), before.lifetime_s),
            agent: named.agent.as_deref(),
            asks_delegable: session.delegable == Some(true),
            passes_on: before.delegable,
            person: visitor.map(Visitor::shown_name),
            problem,
            request_id: self.request_id,
        };
        let status = if problem.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
        Ok(page::show(status, &shown, Forms::Elsewhere(&places), false))
    }

    async fn go_on(&self, stored: &Stored, form: &Form, visitor: Option<&Visitor>) -> Result<Response, Refusal> {
        let Flow::Logins { asked, .. } = &stored.session.flow else { return Ok(self.back(&[])) };
        let open: Vec<&Asked> = asked.iter().filter(|asked| !stored.session.is_connected(&asked.provider)).collect();
        let chosen = match (form.text("provider"), open.as_slice()) {
            (Some(id), open) => open.iter().find(|asked| asked.provider == id).copied(),
            (None, [only]) => Some(*only),
            (None, _) => None,
        };
        let Some(chosen) = chosen else {
            return self.ask(stored, asked, visitor, Some((form, "Choose what to connect."))).await;
        };
        match choice(&lifetime::offers(&stored.session, self.vault.clock.now()), form) {
            Some(choice) => self.depart(stored, &chosen.provider, choice).await,
            None => self.ask(stored, asked, visitor, Some((form, "Choose for how long."))).await,
        }
    }

    /// Sends the browser to a provider.
    async fn depart(&self, stored: &Stored, provider: &str, choice: Choice) -> Result<Response, Refusal> {
        let app = stored.ticket.app;
        let Some(asked) = stored.session.asked(provider) else { return Ok(page::over(self.request_id)) };
        let Registered { client, .. } = match registered(&*self.vault.store, &self.vault.keys, app, provider).await {
            Ok(registered) => registered,
            Err(Unregistered::Store(error)) => return Err(error.into()),
            Err(error) => return self.unconfigured(stored, provider, &error.to_string()).await,
        };
        let state = unguessable()?;
        let (switch_account, login_hint) = match &stored.session.flow {
            Flow::Logins { switch_account, login_hint, .. } => (*switch_account, login_hint.as_deref()),
            Flow::Key { .. } => (false, None),
        };
        let departure = client
            .authorization(&Wanted { state: &state, scopes: &asked.scopes, switch_account, login_hint })
            .map_err(|error| Refusal::internal().because(error.to_string()))?;
        let start = trip::Start {
            app,
            session: Some(stored.ticket.id),
            state: &state,
            purpose: Purpose::Consent { provider: provider.to_owned(), lifetime_s: choice.lifetime_s, delegable: choice.delegable },
            nonce: departure.nonce,
            kept: Kept { verifier: departure.verifier, back_to: Some(Secret::new(self.path())) },
        };
        let cookie = trip::begin(self.vault, start, |_| self.row(stored, "connect.depart").provider(provider)).await?;
        Ok(page::redirect(&departure.url, &[cookie]))
    }

    async fn unconfigured(&self, stored: &Stored, provider: &str, detail: &str) -> Result<Response, Refusal> {
        let message = "The application has no usable client at this provider. Its operator has to check the registration.";
        let why = Failed::new("provider_configuration_unavailable", message);
        let row = self.row(stored, "connect.complete").provider(provider).refused("provider_configuration_unavailable", Some(detail));
        record::commit(self.vault, row, vec![stored.failed(why)]).await?;
        Ok(self.back(&[]))
    }

    async fn refuse(&self, stored: &Stored) -> Result<Response, Refusal> {
        let row = self.row(stored, "connect.complete").refused("connect_denied", Some("the person said no"));
        self.end(row, stored.failed(Failed::denied())).await
    }

    async fn finish(&self, stored: &Stored) -> Result<Response, Refusal> {
        if stored.session.progress.grants.is_empty() {
            return Ok(self.back(&[]));
        }
        self.end(self.row(stored, "connect.finish"), stored.completed()).await
    }

    async fn deny_stranger(&self, stored: &Stored) -> Result<Response, Refusal> {
        let detail = "somebody else than the person that the session is for tried to complete it";
        self.end(self.row(stored, "connect.complete").refused("connect_denied", Some(detail)), stored.failed(Failed::denied())).await
    }

    /// Records an end, and shows it.
    pub async fn end(&self, row: AuditEntry, effect: Effect) -> Result<Response, Refusal> {
        record::commit(self.vault, row, vec![effect]).await?;
        Ok(self.back(&[]))
    }
}

/// What a form said that could not be taken: nothing of it is lost when the page is shown again.
#[derive(Debug, Default)]
pub struct Typed {
    /// The provider that was chosen.
    pub provider: Option<String>,
    /// For how long, in seconds.
    pub lifetime_s: Option<u64>,
    /// Whether the agent may pass the access on.
    pub delegable: bool,
}

impl Typed {
    /// Reads it, whether it makes sense or not.
    pub fn of(form: &Form) -> Self {
        Self {
            provider: form.text("provider").map(str::to_owned),
            lifetime_s: form.text("lifetime").and_then(|seconds| seconds.parse().ok()),
            delegable: passes_on(form),
        }
    }
}

fn passes_on(form: &Form) -> bool {
    form.text("delegable") == Some("yes")
}

/// What the form says about the access; `None` if it names a span that was not offered. The longest offer may shrink while the person reads, where it is
/// what is left until a fixed end; the grant ends there in any case.
pub fn choice(offers: &[Offer], form: &Form) -> Option<Choice> {
    let delegable = passes_on(form);
    let Some(longest) = offers.last() else { return Some(Choice { lifetime_s: None, delegable }) };
    let wanted: u64 = form.text("lifetime")?.parse().ok()?;
    let shrunk = longest.shrinks && (longest.seconds..=longest.seconds + LIFE.as_secs()).contains(&wanted);
    (shrunk || offers.iter().any(|offer| offer.seconds == wanted)).then_some(Choice { lifetime_s: Some(wanted), delegable })
}

/// The names behind a session's ids.
pub struct Named {
    /// The app's.
    pub app: String,
    /// The agent's, if one is to get the access.
    pub agent: Option<String>,
    /// The registrations at the providers that it asks for.
    pub settings: BTreeMap<String, ProviderSettings>,
    /// Slug and name of the managed secret, if it asks for a key.
    secret: Option<(String, String)>,
}

impl Named {
    /// Looks them up.
    ///
    /// # Errors
    /// The store's.
    pub async fn of(vault: &Vault, stored: &Stored) -> Result<Self, Refusal> {
        let app: AppId = stored.ticket.app;
        let mut named = Self {
            app: vault.store.app(app).await?.ok_or_else(Refusal::internal)?.name,
            agent: None,
            settings: BTreeMap::new(),
            secret: None,
        };
        // An agent that asks for itself holds the login; any other is passed it.
        if let Some(agent) = stored.session.agent.or(stored.session.holder.agent()) {
            named.agent = vault.store.agent(app, agent).await?.found().map(|agent| agent.name);
        }
        match &stored.session.flow {
            Flow::Logins { asked, .. } => {
                for Asked { provider, .. } in asked {
                    let settings = settings_of(&*vault.store, app, provider).await?;
                    named.settings.extend(settings.map(|settings| (provider.clone(), settings)));
                }
            }
            Flow::Key { secret, slug, .. } => {
                let secret = vault.store.secret(app, *secret).await?.found();
                named.secret = secret.map(|secret| (slug.clone(), secret.name));
            }
        }
        Ok(named)
    }

    /// The name of a provider or managed secret, or its id where it has none.
    pub fn provider<'n>(&'n self, id: &'n str) -> &'n str {
        let secret = self.secret.as_ref().filter(|(slug, _)| slug == id).map(|(_, name)| name.as_str());
        let provider = || self.settings.get(id).and_then(|settings| settings.provider(id)).map(|entry| entry.name.as_str());
        secret.or_else(provider).unwrap_or(id)
    }
}

#[derive(Template)]
#[template(path = "connect_sign_in.html")]
struct SignInPage<'a> {
    app: &'a str,
    host: &'a str,
    token: &'a str,
    other: Option<String>,
    request_id: &'a str,
}

struct ProviderView {
    id: String,
    name: String,
    /// Technical name, and what it means where that is known.
    scopes: Vec<(String, Option<String>)>,
    connected: bool,
    declined: bool,
    /// Whether it is the one that the person chooses unless they choose another.
    chosen: bool,
}

impl ProviderView {
    fn meanings(&self) -> impl Iterator<Item = &String> {
        self.scopes.iter().filter_map(|(_, meaning)| meaning.as_ref())
    }
}

#[derive(Template)]
#[template(path = "connect.html")]
struct ConsentPage<'a> {
    app: &'a str,
    token: &'a str,
    done: Vec<ProviderView>,
    providers: Vec<ProviderView>,
    offers: Vec<Offer>,
    agent: Option<&'a str>,
    asks_delegable: bool,
    passes_on: bool,
    person: Option<String>,
    problem: Option<&'a str>,
    request_id: &'a str,
}

impl ConsentPage<'_> {
    /// The only provider that there ever was to choose.
    fn only(&self) -> Option<&ProviderView> {
        self.providers.first().filter(|_| self.providers.len() == 1 && self.done.is_empty())
    }
}

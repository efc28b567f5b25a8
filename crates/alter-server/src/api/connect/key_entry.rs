//! The page on which a person enters a key of their own, or agrees to the use of the one they have.

use std::collections::BTreeMap;

use alter_core::secret::Secret;
use askama::Template;
use axum::response::Response;
use http::StatusCode;

use super::consent::{Agreed, Choice};
use super::lifetime::{self, Offer};
use super::pages::{Named, Typed, Visit, choice};
use super::session::{Failed, Flow, KeyStep, Stored};
use super::start_key::existing;
use crate::api::injection::{Prepared, Unusable, Values};
use crate::api::people::browser::Visitor;
use crate::api::refusal::Refusal;
use crate::api::web::form::Form;
use crate::api::web::page::{self, Forms};
use crate::api::web::record;
use crate::model::{Credential, CredentialId, CredentialKind, CredentialState, Grant, ManagedSecret, Opens, SecretKind, SecretStatus};
use crate::store::{CommitError, Declined, Effect, Entity, Lookup, Renewal};

/// What the person sent before, if it could not be taken.
#[derive(Default)]
pub struct Attempt {
    /// What was wrong: the field, if it is one of the page's, and a sentence.
    problem: Option<(Option<&'static str>, String)>,
    /// What was typed and is not secret, by field.
    typed: BTreeMap<&'static str, String>,
    /// What was chosen.
    chosen: Typed,
}

impl Attempt {
    fn of(secret: &ManagedSecret, form: &Form, problem: (Option<&'static str>, String)) -> Self {
        Self { problem: Some(problem), typed: typed(secret, form), chosen: Typed::of(form) }
    }
}

/// A field of the page.
struct FieldView {
    name: &'static str,
    label: &'static str,
    hidden: bool,
    value: String,
    error: Option<String>,
}

#[derive(Template)]
#[template(path = "key_entry.html")]
struct KeyPage<'a> {
    app: &'a str,
    secret: &'a str,
    token: &'a str,
    hosts: &'a [String],
    step: KeyStep,
    fields: Vec<FieldView>,
    offers: Vec<Offer>,
    agent: Option<&'a str>,
    asks_delegable: bool,
    passes_on: bool,
    person: Option<String>,
    problem: Option<String>,
    request_id: &'a str,
}

impl KeyPage<'_> {
    fn confirms(&self) -> bool {
        self.step == KeyStep::FastPath
    }

    fn replaces(&self) -> bool {
        self.step == KeyStep::Repair
    }
}

/// The fields of a kind of secret: name, label, and whether what is typed is hidden.
fn fields(kind: SecretKind) -> &'static [(&'static str, &'static str, bool)] {
    match kind {
        SecretKind::Basic => &[("username", "User name", false), ("password", "Password", true)],
        SecretKind::Aws => &[("access_key_id", "Access key ID", false), ("secret_access_key", "Secret access key", true)],
        SecretKind::Bearer | SecretKind::Header | SecretKind::Query | SecretKind::Custom => &[("token", "Key", true)],
    }
}

/// Shows the page.
///
/// # Errors
/// The store's; 410 if the secret is gone.
pub async fn ask(visit: &Visit<'_>, stored: &Stored, visitor: Option<&Visitor>, attempt: &Attempt) -> Result<Response, Refusal> {
    let Flow::Key { step, .. } = &stored.session.flow else { return Ok(page::over(visit.request_id)) };
    let secret = secret(visit, stored).await?;
    let named = Named::of(visit.vault, stored).await?;
    let field = |(name, label, hidden): &(&'static str, &'static str, bool)| FieldView {
        name,
        label,
        hidden: *hidden,
        value: attempt.typed.get(name).cloned().unwrap_or_default(),
        error: attempt.problem.as_ref().filter(|(field, _)| *field == Some(*name)).map(|(_, problem)| problem.clone()),
    };
    let shown = KeyPage {
        app: &named.app,
        secret: &secret.name,
        token: visit.token,
        hosts: &secret.allowed_hosts,
        step: *step,
        fields: if *step == KeyStep::FastPath { Vec::new() } else { fields(secret.kind).iter().map(field).collect() },
        offers: offers(visit, stored, *step, attempt.chosen.lifetime_s),
        agent: named.agent.as_deref(),
        asks_delegable: stored.session.delegable == Some(true),
        passes_on: attempt.chosen.delegable,
        person: visitor.map(Visitor::shown_name),
        problem: attempt.problem.as_ref().map(|(_, problem)| problem.clone()),
        request_id: visit.request_id,
    };
    let status = if attempt.problem.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    Ok(page::show(status, &shown, Forms::Own, false))
}

/// How long the access may last: of a new key, or of the delegation to an agent. What the person has, and a repaired key, stay as they are.
/// `before` is what was chosen before, in seconds.
fn offers(visit: &Visit<'_>, stored: &Stored, step: KeyStep, before: Option<u64>) -> Vec<Offer> {
    let chooses = match step {
        KeyStep::KeyEntry => true,
        KeyStep::FastPath => stored.session.agent.is_some(),
        KeyStep::Repair => false,
    };
    if chooses { lifetime::offers_again(&stored.session, visit.vault.clock.now(), before) } else { Vec::new() }
}

/// Takes what the person decided.
///
/// # Errors
/// The store's; 410 if the secret is gone.
pub async fn decide(visit: &Visit<'_>, stored: &Stored, form: &Form, visitor: Option<&Visitor>) -> Result<Response, Refusal> {
    let Flow::Key { step, .. } = &stored.session.flow else { return Ok(visit.back(&[])) };
    let secret = secret(visit, stored).await?;
    let Some(choice) = choice(&offers(visit, stored, *step, None), form) else {
        let attempt = Attempt::of(&secret, form, (None, "Choose for how long.".to_owned()));
        return ask(visit, stored, visitor, &attempt).await;
    };
    if *step == KeyStep::FastPath {
        return confirm(visit, stored, &secret, choice).await;
    }
    match prepared(&secret, form) {
        Err(unusable) => {
            let attempt = Attempt::of(&secret, form, problem(&secret, &unusable));
            ask(visit, stored, visitor, &attempt).await
        }
        Ok(prepared) => keep(visit, stored, &secret, &prepared, choice).await,
    }
}

async fn secret(visit: &Visit<'_>, stored: &Stored) -> Result<ManagedSecret, Refusal> {
    let Flow::Key { secret, .. } = &stored.session.flow else { return Err(Refusal::internal()) };
    let found = visit.vault.store.secret(stored.ticket.app, *secret).await?.found();
    found.filter(|secret| secret.status == SecretStatus::Active).ok_or_else(|| {
        let message = "The application does not offer this any more. Go back to it and start again.";
        Refusal::new(StatusCode::GONE, "secret_deleted", message)
    })
}

/// What was typed and may be shown again.
fn typed(secret: &ManagedSecret, form: &Form) -> BTreeMap<&'static str, String> {
    let open = fields(secret.kind).iter().filter(|(_, _, hidden)| !hidden);
    open.filter_map(|(name, ..)| Some((*name, form.text(name)?.to_owned()))).collect()
}

fn prepared(secret: &ManagedSecret, form: &Form) -> Result<Prepared, Unusable> {
    // Pasted text often brings a blank or a line end along.
    let value = |name: &str| form.text(name).map(|text| Secret::new(text.trim()));
    let values = fields(secret.kind).iter().filter_map(|(name, ..)| Some(((*name).to_owned(), value(name)?)));
    Prepared::with_values(secret.kind, secret.injection.clone(), secret.parameters.clone(), Values::from_iter(values))
}

/// What is wrong, in the page's words: the field, and a sentence without what was typed.
fn problem(secret: &ManagedSecret, unusable: &Unusable) -> (Option<&'static str>, String) {
    let named = unusable.field.strip_prefix("values.");
    let found = fields(secret.kind).iter().find(|(name, ..)| named == Some(*name));
    match found {
        Some((name, label, _)) if unusable.reason.starts_with("is missing") => (Some(*name), format!("{label} is missing.")),
        Some((name, label, _)) => (Some(*name), format!("{label} {}.", unusable.reason)),
        None => (
            fields(secret.kind).last().map(|(name, ..)| *name),
            "This cannot be used as a key: check that you copied all of it, and nothing else.".to_owned(),
        ),
    }
}

/// Agrees to the use of what the person has.
async fn confirm(visit: &Visit<'_>, stored: &Stored, secret: &ManagedSecret, choice: Choice) -> Result<Response, Refusal> {
    let (vault, session) = (visit.vault, &stored.session);
    let Some(grant) = existing(vault, secret, &session.holder, session.label.as_deref()).await? else {
        // It ended meanwhile: the page asks for a key.
        let mut session = session.clone();
        session.flow = Flow::Key { secret: secret.id, slug: secret.slug.clone(), step: KeyStep::KeyEntry };
        return visit.end(visit.row(stored, "connect.renew"), stored.advanced(&session)).await;
    };
    let agreed = Agreed::with(vault, session, grant, choice).await?;
    finish(visit, stored, secret, agreed, Vec::new()).await
}

/// Keeps a key, new or in the place of one that does not work any more.
async fn keep(
    visit: &Visit<'_>,
    stored: &Stored,
    secret: &ManagedSecret,
    prepared: &Prepared,
    choice: Choice,
) -> Result<Response, Refusal> {
    let (vault, app) = (visit.vault, stored.ticket.app);
    let before = repaired(visit, stored).await?;
    if stored.session.repair.is_some() && before.is_none() {
        let row =
            visit.row(stored, "connect.complete").provider(&secret.slug).refused("credential_erased", Some("the repaired key is erased"));
        let why = Failed::new("credential_erased", "The access that was to be repaired is over. It takes a new consent.");
        return visit.end(row, stored.failed(why)).await;
    }
    let id = before.as_ref().map_or_else(CredentialId::random, |before| before.id);
    let sealed = vault.keys.seal(app, id, &prepared.fields).map_err(|error| Refusal::internal().because(error.to_string()))?;
    let opens = Opens::Key { secret: secret.id, credential: id };
    let agreed = Agreed::of(vault, app, &stored.session, opens, choice).await?;
    let effect = match before {
        Some(before) => Effect::RenewCredential {
            renewal: Box::new(Renewal {
                app,
                credential: id,
                from_generation: before.generation,
                fence: None,
                access_expires_at: None,
                refreshable: false,
                scopes: None,
                account: None,
            }),
            sealed,
        },
        None => Effect::CreateCredential { credential: Box::new(key(visit, stored, secret, id)), sealed },
    };
    finish(visit, stored, secret, agreed, vec![effect]).await
}

/// The key that is replaced.
async fn repaired(visit: &Visit<'_>, stored: &Stored) -> Result<Option<Credential>, Refusal> {
    let Some(grant) = stored.session.repair else { return Ok(None) };
    match visit.vault.store.grant_access(stored.ticket.app, grant).await? {
        Lookup::Found(access) => Ok(access.credential.filter(|credential| credential.state != CredentialState::Erased)),
        _ => Ok(None),
    }
}

fn key(visit: &Visit<'_>, stored: &Stored, secret: &ManagedSecret, id: CredentialId) -> Credential {
    let (app, owner, now) = (stored.ticket.app, stored.session.holder.clone(), visit.vault.clock.now());
    Credential {
        secret: Some(secret.id),
        label: stored.session.label.clone(),
        ..Credential::first(id, app, CredentialKind::EndUser, &secret.slug, owner, now)
    }
}

/// Records what was agreed, and shows the end. `first` is what has to be there before the grant.
async fn finish(
    visit: &Visit<'_>,
    stored: &Stored,
    secret: &ManagedSecret,
    agreed: Agreed,
    first: Vec<Effect>,
) -> Result<Response, Refusal> {
    let mut session = stored.session.clone();
    session.progress.grants.push(agreed.told(&secret.slug, None, None));
    let Grant { id, .. } = agreed.grant;
    let row = visit.row(stored, "connect.complete").provider(&secret.slug).grant(id);
    let effects = first.into_iter().chain(agreed.effects).chain([stored.advanced(&session)]).collect();
    match record::settle(visit.vault, row, effects).await {
        Ok(()) => Ok(visit.back(&[])),
        // Sent twice: the first one counts.
        Err(CommitError::Declined(Declined::Changed(Entity::Ticket))) => Ok(visit.back(&[])),
        Err(error) => Err(record::refusal(error)),
    }
}

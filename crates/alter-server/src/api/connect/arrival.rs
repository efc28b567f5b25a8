//! `GET /oauth/callback`: a person comes back from a provider, and the grant is made.

use std::sync::Arc;

use alter_core::secret::Secret;
use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::StatusCode;
use http::request::Parts;

use super::consent::{Agreed, Choice};
use super::session::{DeclinedProvider, Failed, Flow, Stored, row};
use crate::api::Vault;
use crate::api::people::browser;
use crate::api::refusal::Refusal;
use crate::api::request_id::RequestId;
use crate::api::web::page::{self, Message};
use crate::api::web::record;
use crate::api::web::trip::{self, LONGEST_PARAMETER, Purpose, Trip};
use crate::model::{Account, Credential, CredentialId, CredentialKind, CredentialState, Opens};
use crate::oauth::Tokens;
use crate::oauth::account::{Told, is_issuer};
use crate::oauth::driver::Return;
use crate::oauth::failure::{Failure, FailureKind};
use crate::oauth::login;
use crate::oauth::registration::{Registered, Unregistered, registered};
use crate::store::{CommitError, CredentialFilter, Declined, Effect, Entity, Lookup, Renewal};

/// How often the grant is made anew because something changed between reading and writing.
const MOST_ATTEMPTS: usize = 4;

/// `GET /oauth/callback`
pub async fn arrive(State(vault): State<Arc<Vault>>, RawQuery(query): RawQuery, parts: Parts) -> Response {
    let id = RequestId::of(&parts);
    let query = query.unwrap_or_default();
    let parameters: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let Some(back) = Back::read(&parameters) else { return page::over(id) };
    arrived(&vault, &back, &parameters, &parts).await.unwrap_or_else(|refusal| page::refused(&refusal, id))
}

/// What a provider sends back.
struct Back<'a> {
    state: &'a str,
    code: Option<&'a str>,
    error: Option<&'a str>,
    issuer: Option<&'a str>,
}

impl<'a> Back<'a> {
    /// `None` if a parameter that counts stands there twice, or is absurdly long: then it is no answer to anything.
    fn read(parameters: &'a [(String, String)]) -> Option<Self> {
        let single = |name: &str| {
            let mut found = parameters.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
            match (found.next(), found.next()) {
                (Some(value), None) if value.len() <= LONGEST_PARAMETER => Some((!value.is_empty()).then_some(value)),
                (None, _) => Some(None),
                _ => None,
            }
        };
        Some(Self { state: single("state")??, code: single("code")?, error: single("error")?, issuer: single("iss")? })
    }
}

async fn arrived(vault: &Vault, back: &Back<'_>, parameters: &[(String, String)], parts: &Parts) -> Result<Response, Refusal> {
    let id = RequestId::of(parts);
    let row = |app, subject| row(app, "connect.return", subject, id);
    let consents = |purpose: &Purpose| matches!(purpose, Purpose::Consent { .. });
    let Some(trip) = trip::take(vault, back.state, parts, consents, row).await? else { return Ok(page::over(id)) };
    let Purpose::Consent { provider, lifetime_s, delegable } = &trip.purpose else { return Ok(page::over(id)) };
    let session = trip.ticket.parent.ok_or_else(Refusal::internal)?;
    let Some(stored) = Stored::going_on(vault, session).await? else { return Ok(page::over(id)) };
    if !is_same_person(vault, &stored, parts).await? {
        return deny_stranger(vault, &stored, provider, &trip, id).await;
    }
    let arrival = Arrival { vault, provider, trip: &trip, request_id: id };
    if let Some(error) = back.error {
        return arrival.refused_there(&stored, error).await;
    }
    let registered = match registered(&*vault.store, &vault.keys, stored.ticket.app, provider).await {
        Ok(registered) => registered,
        Err(Unregistered::Store(error)) => return Err(error.into()),
        Err(error) => return arrival.failed(&stored, &Failure::misconfigured(error.to_string())).await,
    };
    match arrival.exchange(&registered, back).await {
        Err(failure) => arrival.failed(&stored, &failure).await,
        Ok(tokens) => {
            let login = arrival.login(&stored, &registered, tokens, parameters).await;
            let choice = Choice { lifetime_s: *lifetime_s, delegable: *delegable };
            arrival.agreed(stored, &registered, &login, choice).await
        }
    }
}

/// A session that is bound to a person is completed by nobody else. Somebody whose sign-in here is over is nobody.
async fn is_same_person(vault: &Vault, stored: &Stored, parts: &Parts) -> Result<bool, Refusal> {
    let Some(person) = &stored.session.user else { return Ok(true) };
    let visitor = browser::visitor(vault, stored.ticket.app, parts).await?;
    Ok(visitor.is_some_and(|visitor| visitor.person == *person))
}

async fn deny_stranger(vault: &Vault, stored: &Stored, provider: &str, trip: &Trip, id: &str) -> Result<Response, Refusal> {
    let row = row(stored.ticket.app, "connect.complete", stored.ticket.id, id).provider(provider);
    let row = row.refused("connect_denied", Some("the person who came back is not the one that the session is for"));
    record::commit(vault, row, vec![stored.failed(Failed::denied())]).await?;
    Ok(onward(vault, trip))
}

/// Back to the session's own page, which says how it stands.
fn onward(vault: &Vault, trip: &Trip) -> Response {
    let path = trip.kept.back_to.as_ref().map_or("/", Secret::expose);
    page::redirect(path, &[trip.clear(vault)])
}

/// A login as the provider gave it.
struct Login {
    tokens: Tokens,
    told: Told,
    scopes: Vec<String>,
}

/// One arrival.
struct Arrival<'a> {
    vault: &'a Vault,
    provider: &'a str,
    trip: &'a Trip,
    request_id: &'a str,
}

impl Arrival<'_> {
    async fn exchange(&self, registered: &Registered, back: &Back<'_>) -> Result<Tokens, Failure> {
        // RFC 9207: an answer of another issuer must not reach this one's token endpoint.
        let issuer = registered.client.provider().issuer.as_deref();
        if let (Some(expected), Some(named)) = (issuer, back.issuer)
            && !is_issuer(expected, named)
        {
            return Err(Failure::unclear("the answer names another issuer"));
        }
        let code = Secret::new(back.code.ok_or_else(|| Failure::unclear("the answer has no code"))?);
        let kept = Return { code: &code, verifier: self.trip.kept.verifier.as_ref(), nonce: self.trip.nonce.as_deref() };
        self.vault.oauth.exchange_code(&registered.client, &kept).await
    }

    /// Adds whose login it is. A provider that does not tell gives a usable login all the same.
    async fn login(&self, stored: &Stored, registered: &Registered, tokens: Tokens, parameters: &[(String, String)]) -> Login {
        let asked = stored.session.asked(self.provider).map(|asked| asked.scopes.clone()).unwrap_or_default();
        let scopes = tokens.scopes.clone().unwrap_or(asked);
        let told = match self.vault.oauth.account(&registered.client, &tokens, &scopes).await {
            Ok(told) => told,
            Err(failure) => {
                tracing::warn!(provider = self.provider, %failure, "the provider did not tell whose login it is");
                tokens.told.clone()
            }
        };
        let told = told.and(Told::of_redirect(parameters, registered.client.provider()));
        Login { tokens, told, scopes }
    }

    /// Makes the grant. What changed meanwhile (a refresh of the same login, another tab) is read again.
    async fn agreed(&self, mut stored: Stored, registered: &Registered, login: &Login, choice: Choice) -> Result<Response, Refusal> {
        let base_url = login.told.base_url.as_deref().or(registered.client.provider().api.base_url.as_deref());
        for _ in 0..MOST_ATTEMPTS {
            let kept = match self.keep(&stored, login).await? {
                Ok(kept) => kept,
                Err(unkept) => return self.unkept(&stored, &unkept).await,
            };
            let (app, credential) = (stored.ticket.app, &kept.credential);
            let agreed = Agreed::of(self.vault, app, &stored.session, Opens::Login(credential.id), choice).await?;
            let mut session = stored.session.clone();
            session.progress.declined.retain(|declined| declined.provider_id != self.provider);
            session.progress.grants.retain(|grant| grant["provider_id"] != self.provider);
            session.progress.grants.push(agreed.told(self.provider, Some(credential), base_url));
            let row = row(app, "connect.complete", stored.ticket.id, self.request_id).provider(self.provider).grant(agreed.grant.id);
            let narrowing = kept.reached_before.map(|scopes| Effect::NarrowDelegations {
                app,
                credential: kept.credential.id,
                except: agreed.delegated,
                scopes,
            });
            let effects = [kept.effect].into_iter().chain(agreed.effects).chain(narrowing).chain([stored.advanced(&session)]).collect();
            match record::settle(self.vault, row, effects).await {
                Ok(()) => return Ok(onward(self.vault, self.trip)),
                Err(CommitError::Declined(Declined::Changed(Entity::Credential | Entity::Grant) | Declined::GrantRevoked)) => {}
                Err(CommitError::Declined(Declined::CredentialErased | Declined::NotFound(_) | Declined::Changed(Entity::Ticket))) => {
                    match Stored::going_on(self.vault, stored.ticket.id).await? {
                        Some(now) => stored = now,
                        None => return Ok(page::over(self.request_id)),
                    }
                }
                Err(CommitError::Declined(Declined::LabelTaken)) => {
                    let message =
                        "Another access with this label is in use, with other limits. The application has to choose another label.";
                    return self.ended(&stored, "sibling_label_conflict", "the label is taken", message).await;
                }
                Err(error) => return Err(record::refusal(error)),
            }
        }
        Err(Refusal::new(StatusCode::CONFLICT, "changed_meanwhile", "Something else keeps changing this access. Try again."))
    }

    /// The credential with the new tokens: the one that was there for this account, or a new one.
    async fn keep(&self, stored: &Stored, login: &Login) -> Result<Result<KeptLogin, Unkept>, Refusal> {
        let (vault, app, now) = (self.vault, stored.ticket.app, self.vault.clock.now());
        let account = login.told.account.clone().map(|identifier| Account { identifier, display_name: None });
        let before = self.before(stored, account.as_ref()).await?;
        let known = before.as_ref().and_then(|before| before.account.as_ref());
        let same_account = known.zip(account.as_ref()).is_some_and(|(known, account)| known.identifier == account.identifier);
        if stored.session.repair.is_some() {
            match (&before, known, &account) {
                (None, ..) => return Ok(Err(Unkept::Gone)),
                (_, Some(_), None) => return Ok(Err(Unkept::UntoldAccount)),
                (_, Some(_), Some(_)) if !same_account => return Ok(Err(Unkept::OtherAccount)),
                _ => {}
            }
        }
        // What new tokens do not bring is kept of the same account only: its refresh token must not outlive a change of account.
        let sealed_before = match before.as_ref().filter(|_| same_account) {
            Some(before) => vault.store.credential(app, before.id).await?.found().and_then(|found| found.sealed),
            None => None,
        };
        let id = before.as_ref().map_or_else(CredentialId::random, |before| before.id);
        let broken = |error: crate::crypto::KeyError| Refusal::internal().because(error.to_string());
        let fields_before = sealed_before.map(|sealed| vault.keys.open(app, id, &sealed)).transpose().map_err(broken)?;
        let fields = login::fields(&login.tokens, &login.told, fields_before.unwrap_or_default());
        let sealed = vault.keys.seal(app, id, &fields).map_err(broken)?;
        let refreshable = fields.contains_key(login::REFRESH_TOKEN);
        let access_expires_at = login.tokens.access_expires_at;
        let Some(before) = before else {
            let owner = stored.session.holder.clone();
            let credential = Credential {
                account,
                scopes: login.scopes.clone(),
                access_expires_at,
                refreshable,
                ..Credential::first(id, app, CredentialKind::Oauth, self.provider, owner, now)
            };
            let effect = Effect::CreateCredential { credential: Box::new(credential.clone()), sealed };
            return Ok(Ok(KeptLogin { credential, effect, reached_before: None }));
        };
        let renewal = Renewal {
            app,
            credential: id,
            from_generation: before.generation,
            fence: None,
            access_expires_at,
            refreshable,
            scopes: Some(login.scopes.clone()),
            account: account.clone(),
        };
        let reaches_further = login.scopes.iter().any(|scope| !before.scopes.contains(scope));
        let reached_before = reaches_further.then(|| before.scopes.clone());
        let credential = Credential { scopes: login.scopes.clone(), account: account.or_else(|| before.account.clone()), ..before };
        Ok(Ok(KeptLogin { credential, effect: Effect::RenewCredential { renewal: Box::new(renewal), sealed }, reached_before }))
    }

    /// The login that is brought back: the repaired grant's, or the holder's of the same account.
    async fn before(&self, stored: &Stored, account: Option<&Account>) -> Result<Option<Credential>, Refusal> {
        let (store, app) = (&self.vault.store, stored.ticket.app);
        if let Some(repaired) = stored.session.repair {
            return Ok(match store.grant_access(app, repaired).await? {
                Lookup::Found(access) => access.credential.filter(|credential| credential.state != CredentialState::Erased),
                _ => None,
            });
        }
        let Some(account) = account else { return Ok(None) };
        let owner = Some(stored.session.holder.clone());
        let filter = CredentialFilter { provider: Some(self.provider.to_owned()), owner, ..CredentialFilter::default() };
        let found = store.credentials(app, filter).await?;
        let same = |credential: &Credential| {
            credential.kind == CredentialKind::Oauth
                && credential.account.as_ref().is_some_and(|known| known.identifier == account.identifier)
        };
        Ok(found.into_iter().find(same))
    }

    /// The provider says no, or the person does. Its words are not repeated.
    async fn refused_there(&self, stored: &Stored, error: &str) -> Result<Response, Refusal> {
        match error {
            "access_denied"
            | "consent_required"
            | "interaction_required"
            | "login_required"
            | "user_cancelled_login"
            | "user_cancelled_authorize" => {
                let mut session = stored.session.clone();
                session.progress.declined.retain(|declined| declined.provider_id != self.provider);
                session.progress.declined.push(DeclinedProvider {
                    provider_id: self.provider.to_owned(),
                    error_code: "connect_denied".to_owned(),
                    declined_at: self.vault.clock.now(),
                });
                let row = row(stored.ticket.app, "connect.complete", stored.ticket.id, self.request_id).provider(self.provider);
                let row = row.refused("connect_denied", Some("the person or the provider said no"));
                record::commit(self.vault, row, vec![stored.advanced(&session)]).await?;
                Ok(onward(self.vault, self.trip))
            }
            "temporarily_unavailable" | "server_error" => self.failed(stored, &Failure::transient("the provider has trouble")).await,
            _ => self.failed(stored, &Failure::misconfigured("the provider answered the request with an error")).await,
        }
    }

    /// The provider gave no login. If only an operator can mend that, the session is over, with what was connected before; else the person may try again.
    async fn failed(&self, stored: &Stored, failure: &Failure) -> Result<Response, Refusal> {
        let detail = format!("{}: {failure}", failure.kind.as_str());
        if failure.kind == FailureKind::Misconfigured {
            let message =
                "The provider does not accept this application as its client. The application's operator has to check its registration.";
            return self.ended(stored, "connect_config_error", &detail, message).await;
        }
        let row = row(stored.ticket.app, "connect.complete", stored.ticket.id, self.request_id).provider(self.provider);
        record::commit(self.vault, row.refused("provider_error", Some(&detail)), Vec::new()).await?;
        let again = self.trip.kept.back_to.as_ref().map(|path| ("Try again", path.expose()));
        let paragraphs = ["The provider did not answer as it should. Nothing was connected.", "You can try again now, or a little later."];
        let message = Message { title: "The provider has trouble", paragraphs: &paragraphs, link: again, request_id: self.request_id };
        Ok(message.show(StatusCode::OK))
    }

    async fn ended(&self, stored: &Stored, code: &'static str, detail: &str, message: &str) -> Result<Response, Refusal> {
        let row = row(stored.ticket.app, "connect.complete", stored.ticket.id, self.request_id).provider(self.provider);
        record::commit(self.vault, row.refused(code, Some(detail)), vec![stored.failed(Failed::new(code, message))]).await?;
        Ok(onward(self.vault, self.trip))
    }

    async fn unkept(&self, stored: &Stored, why: &Unkept) -> Result<Response, Refusal> {
        match why {
            Unkept::OtherAccount => self.other_account(stored).await,
            Unkept::UntoldAccount => {
                self.failed(stored, &Failure::unclear("it did not tell whose account this is, so nothing is repaired")).await
            }
            Unkept::Gone => {
                let message = "The access that was to be repaired is over. It takes a new consent.";
                self.ended(stored, "credential_erased", "the login of the repaired grant is erased", message).await
            }
        }
    }

    /// A repair brings back the login that was there. Another account would change what existing grants open.
    async fn other_account(&self, stored: &Stored) -> Result<Response, Refusal> {
        let row = row(stored.ticket.app, "connect.complete", stored.ticket.id, self.request_id).provider(self.provider);
        // Without being asked to let the person pick, the provider would bring the same account again.
        let mut session = stored.session.clone();
        if let Flow::Logins { switch_account, .. } = &mut session.flow {
            *switch_account = true;
        }
        let row = row.refused("account_mismatch", Some("another account came back"));
        record::commit(self.vault, row, vec![stored.advanced(&session)]).await?;
        let paragraphs = ["This access belongs to another account at the provider than the one you chose. Nothing was changed."];
        let again = self.trip.kept.back_to.as_ref().map(|path| ("Try again with the other account", path.expose()));
        let message = Message { title: "That was another account", paragraphs: &paragraphs, link: again, request_id: self.request_id };
        Ok(message.show(StatusCode::OK))
    }
}

/// A login that is kept.
struct KeptLogin {
    credential: Credential,
    /// What makes it so.
    effect: Effect,
    /// The scopes that it had, if it reaches further now: what was delegated of it before stays within them.
    reached_before: Option<Vec<String>>,
}

/// Why a login is not kept.
enum Unkept {
    /// A repair brought another account back.
    OtherAccount,
    /// A repair brought an account back that nobody can compare.
    UntoldAccount,
    /// What was to be repaired is not there any more.
    Gone,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callback_is_read_once() {
        let read = |query: &str| {
            let parameters: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
            Back::read(&parameters).map(|back| (back.state.to_owned(), back.code.map(str::to_owned), back.error.map(str::to_owned)))
        };
        assert_eq!(read("state=s&code=c&x=1&x=2"), Some(("s".into(), Some("c".into()), None)));
        assert_eq!(read("state=s&error=access_denied&code="), Some(("s".into(), None, Some("access_denied".into()))));
        for nothing in ["", "code=c", "state=&code=c", "state=s&state=t&code=c", "state=s&code=c&code=d"] {
            assert_eq!(read(nothing), None, "{nothing}");
        }
        assert_eq!(read(&format!("state=s&code={}", "c".repeat(5000))), None);
    }
}

//! A Connect session: what an application asked for, and how far the person has come.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::api::Vault;
use crate::api::pipeline::note;
use crate::api::refusal::Refusal;
use crate::api::web::unguessable;
use crate::audit::{AuditEntry, ChainId, Outcome};
use crate::clock::Timestamp;
use crate::model::{AgentId, AppId, GrantId, GrantPolicy, Person, Principal, SecretId, Ticket, TicketId, TicketKind, TicketState};
use crate::store::{Effect, StoredTicket};

/// How long a person has.
pub const LIFE: Duration = Duration::from_secs(600);

/// A session: the body of its ticket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// What the person is asked for.
    pub flow: Flow,
    /// Whom the browser has to be signed in as; `None` if the grant will not be a person's.
    pub user: Option<Person>,
    /// Who will hold the grant.
    pub holder: Principal,
    /// The agent to which it is delegated.
    pub agent: Option<AgentId>,
    /// Whether that agent may pass it on: `None` keeps what was agreed to before, `true` asks the person.
    pub delegable: Option<bool>,
    /// The only scopes that the agent gets.
    pub scope_constraint: Option<Vec<String>>,
    /// The label of the grant.
    pub label: Option<String>,
    /// What narrows it.
    pub policy: GrantPolicy,
    /// When it ends at the latest.
    pub ends_at: Option<Timestamp>,
    /// Whether the person may choose how long it lasts.
    pub person_chooses: bool,
    /// Whether the person goes to the provider without a page of ours before.
    pub direct: bool,
    /// The grant whose login or key is replaced.
    pub repair: Option<GrantId>,
    /// Where the browser goes in the end.
    pub leave: Leave,
    /// How far it has come.
    #[serde(default)]
    pub progress: Progress,
}

/// What a person is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Flow {
    /// Logins at one or several providers.
    Logins {
        /// The providers, in the order in which they are shown.
        asked: Vec<Asked>,
        /// Whether the person shall pick an account even if one is signed in.
        switch_account: bool,
        /// The account that providers should suggest.
        login_hint: Option<String>,
    },
    /// A key of their own, placed by a managed secret's rules, or the use of one that they have already.
    Key {
        /// The managed secret.
        secret: SecretId,
        /// Its slug.
        slug: String,
        /// What they do.
        step: KeyStep,
    },
}

/// What a person does about a managed secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyStep {
    /// They say yes to the use of what they have.
    FastPath,
    /// They enter a key.
    KeyEntry,
    /// They enter a key in the place of one that does not work any more.
    Repair,
}

/// A provider that the person may connect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The provider's id.
    pub provider: String,
    /// The scopes that are asked for.
    pub scopes: Vec<String>,
}

/// Where the browser goes in the end. Both were checked against what the application's operator allows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leave {
    /// The URL to send it to.
    pub return_url: Option<String>,
    /// The origin of the window that is told the result.
    pub allowed_origin: Option<String>,
}

/// How far a session has come.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Progress {
    /// The grants that were made or renewed, as the poll tells them.
    pub grants: Vec<Value>,
    /// Providers at which the person said no.
    pub declined: Vec<DeclinedProvider>,
    /// Providers that were not connected before the session ended all the same.
    pub failed: Vec<FailedGrant>,
    /// Why it failed, if it did.
    pub error: Option<Failed>,
}

/// A provider that was not connected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedGrant {
    /// The provider's id.
    pub provider_id: String,
    /// `not_selected` or `activation_failed`.
    pub reason: String,
    /// A sentence.
    pub message: String,
}

/// A provider at which the person said no.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclinedProvider {
    /// The provider's id.
    pub provider_id: String,
    /// Why.
    pub error_code: String,
    /// When.
    pub declined_at: Timestamp,
}

/// How a session ended without a grant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// The code that the application gets.
    pub error_code: String,
    /// The sentence that it gets.
    pub error_message: String,
}

impl Failed {
    /// The person said no.
    pub fn denied() -> Self {
        Self::new("connect_denied", "The person did not agree.")
    }

    /// Any other end.
    pub fn new(code: &str, message: impl Into<String>) -> Self {
        Self { error_code: code.to_owned(), error_message: message.into() }
    }
}

impl Session {
    /// Whether a person has decided about every provider.
    pub fn is_settled(&self) -> bool {
        match &self.flow {
            Flow::Key { .. } => !self.progress.grants.is_empty(),
            Flow::Logins { asked, .. } => {
                asked.iter().all(|asked| self.is_connected(&asked.provider) || self.has_declined(&asked.provider))
            }
        }
    }

    /// Whether a provider is connected.
    pub fn is_connected(&self, provider: &str) -> bool {
        self.progress.grants.iter().any(|grant| grant["provider_id"] == provider)
    }

    /// Whether the person said no at a provider.
    pub fn has_declined(&self, provider: &str) -> bool {
        self.progress.declined.iter().any(|declined| declined.provider_id == provider)
    }

    /// What is asked for at a provider.
    pub fn asked(&self, provider: &str) -> Option<&Asked> {
        match &self.flow {
            Flow::Logins { asked, .. } => asked.iter().find(|asked| asked.provider == provider),
            Flow::Key { .. } => None,
        }
    }
}

/// A row about what happens in the browser in the course of a session.
pub fn row(app: AppId, action: &'static str, session: TicketId, request_id: &str) -> AuditEntry {
    AuditEntry::new(ChainId::App(app), action, Outcome::Done).subject("connect", session).request_id(request_id)
}

impl Session {
    /// Makes it for an app, and names it in the row: what stores it, and the answer with what this kind of session tells besides token, link and end.
    ///
    /// # Errors
    /// 500 if the system gives no random numbers.
    pub fn open<const N: usize>(
        &self,
        vault: &Vault,
        app: AppId,
        row: &mut AuditEntry,
        tells: [(&str, Value); N],
    ) -> Result<(Effect, Value), Refusal> {
        let token = unguessable()?;
        let digest = vault.keys.digest(&token);
        let ticket = Ticket::open(app, TicketKind::Connect, digest, json!(self).to_string(), vault.clock.now(), LIFE);
        note(row, |row| row.subject("connect", ticket.id));
        let mut answer = json!({
            "session_token": token,
            "connect_url": format!("{}/connect/{token}", vault.public_url),
            "expires_in": LIFE.as_secs(),
            "expires_at": ticket.expires_at,
        });
        for (name, value) in tells {
            answer[name] = value;
        }
        Ok((Effect::CreateTicket { ticket: Box::new(ticket), sealed: None }, answer))
    }
}

/// A session with its ticket.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The ticket.
    pub ticket: Ticket,
    /// The session.
    pub session: Session,
}

impl Stored {
    /// The session with a token, ended or not.
    ///
    /// # Errors
    /// The store's; 500 if it cannot be read.
    pub async fn by_token(vault: &Vault, token: &str) -> Result<Option<Self>, Refusal> {
        let found = vault.store.ticket_by_digest(TicketKind::Connect, vault.keys.digest(token)).await?;
        found.map(Self::read).transpose()
    }

    /// The session of an app's with a token, ended or not.
    ///
    /// # Errors
    /// As [`Stored::by_token`].
    pub async fn of_app(vault: &Vault, app: AppId, token: &str) -> Result<Option<Self>, Refusal> {
        Ok(Self::by_token(vault, token).await?.filter(|stored| stored.ticket.app == app))
    }

    /// The session with an id, if it goes on.
    ///
    /// # Errors
    /// As [`Stored::by_token`].
    pub async fn going_on(vault: &Vault, id: TicketId) -> Result<Option<Self>, Refusal> {
        let found = vault.store.ticket(id).await?.filter(|stored| stored.ticket.kind == TicketKind::Connect);
        Ok(found.map(Self::read).transpose()?.filter(|stored| stored.goes_on(vault)))
    }

    fn read(stored: StoredTicket) -> Result<Self, Refusal> {
        let session = serde_json::from_str(&stored.ticket.body).map_err(|error| {
            tracing::error!(ticket = %stored.ticket.id, %error, "a stored session cannot be read");
            Refusal::internal().because("a stored session cannot be read")
        })?;
        Ok(Self { ticket: stored.ticket, session })
    }

    /// Whether it waits for the person, and their time is not over.
    pub fn goes_on(&self, vault: &Vault) -> bool {
        self.ticket.state == TicketState::Open && !self.ticket.has_expired(vault.clock.now())
    }

    /// Its change to what `session` says: it ends when the person has decided about everything.
    pub fn advanced(&self, session: &Session) -> Effect {
        match (session.is_settled(), session.progress.grants.is_empty()) {
            (false, _) => self.changed(session, TicketState::Open),
            (true, false) => self.changed(session, TicketState::Completed),
            (true, true) => Self { session: session.clone(), ..self.clone() }.failed(Failed::denied()),
        }
    }

    /// Its end before everything was decided. What was connected before stays, and the application learns of it.
    pub fn failed(&self, why: Failed) -> Effect {
        let mut session = self.session.clone();
        if session.progress.grants.is_empty() {
            session.progress.error = Some(why);
            return self.changed(&session, TicketState::Failed);
        }
        let chosen_so = matches!(why.error_code.as_str(), "connect_denied" | "connect_cancelled");
        let reason = if chosen_so { "not_selected" } else { "activation_failed" };
        let Flow::Logins { asked, .. } = &session.flow else { return self.changed(&session, TicketState::Completed) };
        let left = asked.iter().filter(|asked| !session.is_connected(&asked.provider));
        let failed = left.map(|asked| FailedGrant {
            provider_id: asked.provider.clone(),
            reason: reason.to_owned(),
            message: why.error_message.clone(),
        });
        session.progress.failed = failed.collect();
        self.changed(&session, TicketState::Completed)
    }

    /// Its end with the grants that there are.
    pub fn completed(&self) -> Effect {
        self.changed(&self.session, TicketState::Completed)
    }

    fn changed(&self, session: &Session, state: TicketState) -> Effect {
        let ticket = Ticket { state, body: json!(session).to_string(), version: self.ticket.version + 1, ..self.ticket.clone() };
        Effect::UpdateTicket { ticket: Box::new(ticket), sealed: None }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A session for a login at `github` on the app's own behalf.
    pub fn session() -> Session {
        let asked = vec![Asked { provider: "github".into(), scopes: vec!["repo".into()] }];
        Session {
            flow: Flow::Logins { asked, switch_account: false, login_hint: None },
            user: None,
            holder: Principal::System,
            agent: None,
            delegable: None,
            scope_constraint: None,
            label: None,
            policy: GrantPolicy::default(),
            ends_at: None,
            person_chooses: true,
            direct: false,
            repair: None,
            leave: Leave::default(),
            progress: Progress::default(),
        }
    }

    fn ticket() -> Ticket {
        let (app, now) = (AppId::random(), Timestamp::from_millis(0));
        Ticket::open(app, TicketKind::Connect, crate::model::KeyDigest([0; 32]), "{}".into(), now, LIFE)
    }

    fn ends_as(session: &Session) -> TicketState {
        match (Stored { ticket: ticket(), session: session.clone() }).advanced(session) {
            Effect::UpdateTicket { ticket, .. } => ticket.state,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_session_ends_when_everything_is_decided() {
        let mut session = session();
        let Flow::Logins { asked, .. } = &mut session.flow else { panic!("logins") };
        asked.push(Asked { provider: "gitlab".into(), scopes: Vec::new() });
        assert_eq!(ends_as(&session), TicketState::Open);
        let at = Timestamp::from_millis(1);
        let declined = |id: &str| DeclinedProvider { provider_id: id.into(), error_code: "connect_denied".into(), declined_at: at };
        session.progress.declined.push(declined("github"));
        assert_eq!(ends_as(&session), TicketState::Open);
        let mut both = session.clone();
        both.progress.declined.push(declined("gitlab"));
        assert_eq!(ends_as(&both), TicketState::Failed);
        session.progress.grants.push(json!({"provider_id": "gitlab"}));
        assert_eq!(ends_as(&session), TicketState::Completed);
        let early = Stored { ticket: ticket(), session: session.clone() }.failed(Failed::new("connect_config_error", "…"));
        let Effect::UpdateTicket { ticket: ended, .. } = early else { panic!("{early:?}") };
        let told: Session = serde_json::from_str(&ended.body).expect("a session");
        assert_eq!((ended.state, told.progress.error), (TicketState::Completed, None), "a grant that was made is told");
        assert_eq!(told.progress.failed[0].provider_id, "github");
        let kept = serde_json::from_value::<Session>(json!(session)).expect("read back");
        assert_eq!(kept, session);
    }
}

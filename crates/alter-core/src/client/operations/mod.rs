//! Everything that a client does besides `request()`: grants, connecting, signing in, identity.
//!
//! Each operation is written once, as arguments by name that the core judges, a body, and the reading of the answer. A binding needs one
//! entry for all of them: [`Client::operation`] checks, [`PreparedOperation::send`] does the rest, and a [`Step`] says whether the program
//! is needed in between: for a user's token, or to show a person an address.

mod abandon;
mod answer;
mod arguments;
mod connect_poll;
mod connect_result;
mod connect_session;
mod grants;
mod identity;
mod managed_secret_grants;
mod managed_secret_sessions;
mod outcome;
mod plan;
mod policy;
mod sign_in;

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value};

pub use abandon::{Abandon, CANCEL_MARKER};
pub use outcome::{Outcome, Step, Visit};

use super::args::Arg;
use super::exchange::Exchange;
use super::prepare::user_token_getter_failed;
use super::{Client, ClientKind};
use crate::error::{Error, Kind, Result};
use crate::given::Args;
use crate::host::{Answer, Host};
use plan::{Once, Plan};

macro_rules! operations {
    ($($variant:ident = $name:literal, $prepare:path;)+) => {
        /// Names an operation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Operation {
            $(#[doc = concat!("`", $name, "`")] $variant,)+
        }

        impl Operation {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Its name in snake case, as most languages call the method.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            fn plan<H: Host>(self, client: &Client<H>, args: &mut Args) -> Result<Plan> {
                match self {
                    $(Self::$variant => $prepare(client, args),)+
                }
            }
        }
    };
}

operations! {
    ListGrants = "list_grants", grants::list;
    MintGrant = "mint_grant", grants::mint;
    Delegate = "delegate", grants::delegate;
    RevokeDelegation = "revoke_delegation", grants::revoke_delegation;
    RevokeGrant = "revoke_grant", grants::revoke;
    CreateManagedSecretGrant = "create_managed_secret_grant", managed_secret_grants::create;
    CreateConnectSession = "create_connect_session", connect_session::create;
    CreateConnectSessionForError = "create_connect_session_for_error", connect_session::create_for_error;
    PollConnectSession = "poll_connect_session", connect_poll::poll;
    Connect = "connect", connect_session::connect;
    CreateManagedSecretConnectSession = "create_managed_secret_connect_session", managed_secret_sessions::create;
    CreateAuthSession = "create_auth_session", sign_in::create;
    PollAuthSession = "poll_auth_session", sign_in::poll;
    Authenticate = "authenticate", sign_in::authenticate;
    VerifyUserToken = "verify_user_token", sign_in::verify;
    ResolveIdentity = "resolve_identity", identity::resolve;
    AssertIdentity = "assert_identity", identity::assert;
}

impl Operation {
    /// The operation of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|operation| operation.name() == name)
    }

    /// Whether a kind of client offers it.
    pub fn is_offered_by(self, kind: ClientKind) -> bool {
        match self {
            Self::Delegate => kind != ClientKind::App,
            Self::MintGrant
            | Self::RevokeGrant
            | Self::CreateAuthSession
            | Self::PollAuthSession
            | Self::Authenticate
            | Self::VerifyUserToken => kind == ClientKind::App,
            _ => true,
        }
    }
}

/// Something that happened while a person was waited for: a JSON object with a `type`.
#[derive(Clone, Debug, PartialEq)]
pub struct PollEvent(pub Map<String, Value>);

/// Where such events go.
#[derive(Clone, Default)]
pub(super) struct Events(Option<Arc<dyn Fn(PollEvent) + Send + Sync>>);

impl Events {
    fn tell(&self, event: PollEvent) {
        if let Some(listener) = &self.0 {
            listener(event);
        }
    }
}

/// An operation that passed its local checks and waits to be sent.
pub struct PreparedOperation<H: Host> {
    client: Client<H>,
    plan: Plan,
    traceparent: Option<String>,
    events: Events,
}

impl<H: Host> Client<H> {
    /// Checks the arguments of an operation.
    ///
    /// # Errors
    /// `AlterValueError` for an argument that is refused; `AlterSDKError` for a closed client, or one that does not offer the operation.
    pub fn operation(&self, operation: Operation, mut args: Args, traceparent: Option<String>) -> Result<PreparedOperation<H>> {
        if !operation.is_offered_by(self.shared.options.kind) {
            let whose = if self.shared.options.kind == ClientKind::App { "an agent" } else { "an application" };
            let text = format!("{}() is a call of {whose}'s client.", operation.name());
            return Err(Error::new(Kind::AlterSdk, text).with_code("operation_not_offered"));
        }
        let plan = operation.plan(self, &mut args)?;
        Ok(PreparedOperation { client: self.clone(), plan, traceparent, events: Events::default() })
    }

    async fn once(&self, once: Once, traceparent: Option<&str>) -> Result<Outcome> {
        let answer = self.send_once(&once, traceparent).await?;
        (once.judge)(&answer)
    }

    async fn send_once(&self, once: &Once, traceparent: Option<&str>) -> Result<Answer> {
        self.check_open()?;
        self.exchange(Exchange {
            method: once.method.clone(),
            path: &once.path,
            body: once.body.as_ref().map_or_else(Bytes::new, plan::Body::bytes),
            caller: None,
            context: None,
            actor_id: true,
            traceparent,
            patience: None,
        })
        .await
    }
}

impl<H: Host> PreparedOperation<H> {
    /// Whether the program should be asked for the end user's token.
    pub fn wants_user_token(&self) -> bool {
        self.plan.wants_user_token()
    }

    /// Takes what the program's token getter gave.
    ///
    /// # Errors
    /// `AlterSDKError` unless it is text that is not empty, `AlterValueError` if it is too long. It is never repeated.
    pub fn set_user_token(&mut self, token: Arg<String>) -> Result<()> {
        match (token, self.plan.first_exchange()) {
            (Arg::Value(token), Some(once)) if !token.is_empty() => once.set_user_token(&token),
            _ => Err(user_token_getter_failed("gave no token")),
        }
    }

    /// Where events go that come while a person is waited for.
    pub fn on_event(&mut self, listener: impl Fn(PollEvent) + Send + Sync + 'static) {
        self.events = Events(Some(Arc::new(listener)));
    }

    /// What gives up the session that this operation waits for; `None` if it waits for none of its own. Dropping the operation gives the
    /// session up as well: this is for those who must know that it has happened.
    pub fn abandon(&self) -> Option<Abandon> {
        match &self.plan {
            Plan::PollConnect(poll) => poll.guard.as_ref().map(|guard| guard.handle()),
            _ => None,
        }
    }

    /// Sends the operation, or its next part. Dropping the future closes the socket in use.
    ///
    /// # Errors
    /// What the vault refuses, what keeps it from answering, and what a person refused or did not do in time.
    pub async fn send(self) -> Result<Step<H>> {
        let Self { client, plan, traceparent, events } = self;
        let trace = traceparent.as_deref();
        Ok(match plan {
            Plan::Decided(outcome) => Step::Done(outcome),
            Plan::Once(once) => Step::Done(client.once(once, trace).await?),
            Plan::UnlessNotFound(once, other) => match client.once(once, trace).await {
                Err(error) if error.kind().is(Kind::GrantNotFound) => Step::Again(Self { client, plan: *other, traceparent, events }),
                outcome => Step::Done(outcome?),
            },
            Plan::Connect { session, mut poll, open_browser } => {
                let answer = client.send_once(&session, trace).await?;
                let (token, url) = session_of((session.judge)(&answer)?, "connect_url");
                poll.guard = takes_cancellations(&answer)
                    .then(|| -> Box<dyn abandon::SessionGuard> { Box::new(abandon::Guard::new(client.clone(), token.clone())) });
                poll.session_token = token;
                Step::Visit(Visit { url, open_browser, then: Self { client, plan: Plan::PollConnect(poll), traceparent, events } })
            }
            Plan::PollConnect(poll) => Step::Done(client.poll_connect_session(poll, trace, &events).await?),
            Plan::SignIn { session, mut poll } => {
                let (token, url) = session_of(client.once(session, trace).await?, "auth_url");
                poll.session_token = token;
                Step::Visit(Visit { url, open_browser: true, then: Self { client, plan: Plan::PollSignIn(poll), traceparent, events } })
            }
            Plan::PollSignIn(poll) => Step::Done(client.poll_sign_in(poll, trace).await?),
            Plan::VerifyToken(token) => Step::Done(client.ask_whose_token(&token, trace).await),
        })
    }
}

/// Token and address of a session.
fn session_of(outcome: Outcome, address: &str) -> (String, String) {
    let Outcome::One(_, fields) = outcome else { return (String::new(), String::new()) };
    let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    (text("session_token"), text(address))
}

fn takes_cancellations(answer: &Answer) -> bool {
    answer.header(CANCEL_MARKER) == Some("true")
}

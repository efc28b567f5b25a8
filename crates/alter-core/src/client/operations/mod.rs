//! Everything that a client does besides `request()`: grants, connecting, signing in, identity, agents, keys, catalogues, calls that the
//! vault makes, and the wait for people who decide about them.
//!
//! Each operation is written once, as arguments by name that the core judges, a body, and the reading of the answer. A binding needs one
//! entry for all of them: [`Client::operation`] checks, [`PreparedOperation::send`] does the rest, and a [`Step`] says whether the program
//! is needed in between: for a user's token, or to show a person an address.

mod abandon;
mod agent_keys;
mod agents;
mod answer;
mod approvals;
mod arguments;
mod await_approval;
mod catalogues;
mod connect_poll;
mod connect_result;
mod connect_session;
mod grants;
mod identity;
mod keys;
mod managed_secret_grants;
mod managed_secret_sessions;
mod outcome;
mod plan;
mod policy;
mod provider_specs;
mod proxy;
mod sign_in;
mod spans;
mod target;

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value};

pub use abandon::{Abandon, CANCEL_MARKER};
pub(super) use catalogues::KnownProviders;
pub use outcome::{Outcome, Step, Visit};

use super::args::Arg;
use super::exchange::Exchange;
use super::prepare::user_token_getter_failed;
use super::{Client, ClientKind};
use crate::error::{Error, Kind, Result};
use crate::given::Args;
use crate::host::{Answer, Host};
use plan::{ContextOf, Once, Plan};

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

            /// Its name in snake case, as most languages call the method, with a dot after the part of the client that it belongs to.
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
    CreateAgent = "agents.create", agents::create;
    ListAgents = "agents.list", agents::list;
    GetAgent = "agents.get", agents::get;
    GetAgentByName = "agents.get_by_name", agents::get_by_name;
    UpdateAgent = "agents.update", agents::update;
    SuspendAgent = "agents.suspend", agents::suspend;
    ResumeAgent = "agents.resume", agents::resume;
    DeleteAgent = "agents.delete", agents::delete;
    MintAgentKey = "agents.mint_key", agent_keys::mint;
    ListAgentKeys = "agents.list_keys", agent_keys::list;
    DeprecateAgentKey = "agents.deprecate_key", agent_keys::deprecate;
    UndeprecateAgentKey = "agents.undeprecate_key", agent_keys::undeprecate;
    RevokeAgentKey = "agents.revoke_key", agent_keys::revoke;
    Me = "me", agents::me;
    DeriveKey = "keys.derive", keys::derive;
    RotateKey = "keys.rotate", keys::rotate;
    RevokeKey = "keys.revoke", keys::revoke;
    ListScopes = "scopes.list", catalogues::scopes;
    ListOAuthProviders = "oauth_providers.list", catalogues::oauth_providers;
    ListProviderSpecs = "provider_specs.list", provider_specs::list;
    GetProviderSpec = "provider_specs.get", provider_specs::get;
    ListProviderOperations = "provider_specs.list_operations", provider_specs::list_operations;
    GetProviderOperation = "provider_specs.get_operation", provider_specs::get_operation;
    EmitSpans = "spans.emit", spans::emit;
    ProxyRequest = "proxy_request", proxy::request;
    GetApprovalStatus = "get_approval_status", approvals::status;
    AwaitApproval = "await_approval", await_approval::wait;
}

impl Operation {
    /// The operation of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|operation| operation.name() == name)
    }

    /// Whether a kind of client offers it.
    pub fn is_offered_by(self, kind: ClientKind) -> bool {
        match self {
            Self::Delegate | Self::Me => kind != ClientKind::App,
            Self::MintGrant
            | Self::CreateAgent
            | Self::ListAgents
            | Self::GetAgent
            | Self::GetAgentByName
            | Self::UpdateAgent
            | Self::SuspendAgent
            | Self::ResumeAgent
            | Self::DeleteAgent
            | Self::MintAgentKey
            | Self::ListAgentKeys
            | Self::DeprecateAgentKey
            | Self::UndeprecateAgentKey
            | Self::RevokeAgentKey
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
    wants_user_token: bool,
    surroundings: Surroundings,
    events: Events,
}

/// The traces that a program is in when it makes a call.
#[derive(Clone, Default)]
struct Surroundings {
    traceparent: Option<String>,
    /// Value of the context header.
    context: Option<String>,
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
        let surroundings = Surroundings { traceparent, context: None };
        Ok(PreparedOperation::new(self.clone(), plan, surroundings, Events::default()))
    }

    async fn once(&self, once: Once, surroundings: &Surroundings) -> Result<Outcome> {
        let answer = self.send_once(&once, surroundings).await?;
        (once.judge)(&answer)
    }

    async fn send_once(&self, once: &Once, surroundings: &Surroundings) -> Result<Answer> {
        self.check_open()?;
        self.exchange(Exchange {
            method: once.method.clone(),
            path: &once.path,
            body: once.body.as_ref().map_or_else(Bytes::new, plan::Body::bytes),
            caller: once.caller.as_deref(),
            context: match &once.context {
                ContextOf::Nobody => None,
                ContextOf::Surroundings => surroundings.context.as_deref(),
                ContextOf::Call(own) => own.as_deref(),
            },
            actor_id: once.actor_id,
            idempotency_key: once.idempotency_key.as_deref(),
            traceparent: surroundings.traceparent.as_deref(),
            patience: once.patience,
        })
        .await
    }
}

impl<H: Host> PreparedOperation<H> {
    fn new(client: Client<H>, mut plan: Plan, surroundings: Surroundings, events: Events) -> Self {
        let wants_user_token = plan.wants_user_token();
        Self { client, plan, wants_user_token, surroundings, events }
    }

    /// Whether the program should be asked for the end user's token.
    pub fn wants_user_token(&self) -> bool {
        self.wants_user_token
    }

    /// The context of the trace that the program is in. Calls that have one of their own, and those about a person, do not send it.
    ///
    /// # Errors
    /// `AlterValueError` if it is too large for a header.
    pub fn set_surrounding_context(&mut self, context: &[(String, String)]) -> Result<()> {
        self.surroundings.context = crate::context::header(context)?;
        Ok(())
    }

    /// Takes what the program's token getter gave.
    ///
    /// # Errors
    /// `AlterSDKError` unless it is text that is not empty, `AlterValueError` if it is too long. It is never repeated.
    pub fn set_user_token(&mut self, token: Arg<String>) -> Result<()> {
        match (token, self.plan.first_exchange()) {
            (Arg::Value(token), Some(once)) if !token.is_empty() => {
                self.wants_user_token = false;
                once.set_user_token(&token)
            }
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
        let Self { client, plan, surroundings, events, .. } = self;
        let trace = surroundings.traceparent.as_deref();
        Ok(match plan {
            Plan::Decided(outcome) => Step::Done(outcome),
            Plan::Once(once) => Step::Done(client.once(once, &surroundings).await?),
            Plan::UnlessNotFound(once, other) => match client.once(once, &surroundings).await {
                Err(error) if error.kind().is(Kind::GrantNotFound) => Step::Again(Self::new(client, *other, surroundings, events)),
                outcome => Step::Done(outcome?),
            },
            Plan::Then(once, next) => {
                let plan = next(client.once(once, &surroundings).await?)?;
                Step::Again(Self::new(client, plan, surroundings, events))
            }
            Plan::Connect { session, mut poll, open_browser } => {
                let answer = client.send_once(&session, &surroundings).await?;
                let (token, url) = session_of((session.judge)(&answer)?, "connect_url");
                poll.guard = takes_cancellations(&answer)
                    .then(|| -> Box<dyn abandon::SessionGuard> { Box::new(abandon::Guard::new(client.clone(), token.clone())) });
                poll.session_token = token;
                Step::Visit(Visit { url, open_browser, then: Self::new(client, Plan::PollConnect(poll), surroundings, events) })
            }
            Plan::PollConnect(poll) => Step::Done(client.poll_connect_session(poll, trace, &events).await?),
            Plan::SignIn { session, mut poll } => {
                let (token, url) = session_of(client.once(session, &surroundings).await?, "auth_url");
                poll.session_token = token;
                Step::Visit(Visit { url, open_browser: true, then: Self::new(client, Plan::PollSignIn(poll), surroundings, events) })
            }
            Plan::PollSignIn(poll) => Step::Done(client.poll_sign_in(poll, trace).await?),
            Plan::VerifyToken(token) => Step::Done(client.ask_whose_token(&token, trace).await),
            Plan::AwaitApproval(wait) => Step::Done(client.await_approval(wait, &surroundings).await?),
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

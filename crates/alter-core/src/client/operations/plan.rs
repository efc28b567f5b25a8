//! What an operation does once its arguments are checked.

use std::time::Duration;

use bytes::Bytes;
use http::Method;

use super::await_approval::ApprovalWait;
use super::connect_poll::ConnectPoll;
use super::outcome::Outcome;
use super::sign_in::SignInPoll;
use crate::error::{Error, Result};
use crate::host::Answer;
use crate::json;

/// A checked operation.
pub(super) enum Plan {
    /// The result is known already.
    Decided(Outcome),
    /// One exchange.
    Once(Once),
    /// One exchange; if the vault does not know the grant that it names, another plan.
    UnlessNotFound(Once, Box<Plan>),
    /// One exchange, and what its result makes necessary.
    Then(Once, Next),
    /// A session, a visit to its address, and the wait for what comes of it.
    Connect { session: Once, poll: ConnectPoll, open_browser: bool },
    /// The wait for what comes of a Connect session.
    PollConnect(ConnectPoll),
    /// A sign-in session, a visit to its address, and the wait for what comes of it.
    SignIn { session: Once, poll: SignInPoll },
    /// The wait for what comes of a sign-in session.
    PollSignIn(SignInPoll),
    /// A question that is answered by silence, too.
    VerifyToken(String),
    /// The wait for people to decide about a call.
    AwaitApproval(ApprovalWait),
}

/// Makes a plan of an earlier result.
pub(super) type Next = Box<dyn FnOnce(Outcome) -> Result<Plan> + Send + Sync>;

impl Plan {
    /// The exchange that a user's token would go into.
    pub(super) fn first_exchange(&mut self) -> Option<&mut Once> {
        match self {
            Self::Once(once) | Self::UnlessNotFound(once, _) | Self::Then(once, _) => Some(once),
            Self::Connect { session, .. } | Self::SignIn { session, .. } => Some(session),
            Self::Decided(_) | Self::PollConnect(_) | Self::PollSignIn(_) | Self::VerifyToken(_) | Self::AwaitApproval(_) => None,
        }
    }

    /// Whether the program's token getter should be asked.
    pub(super) fn wants_user_token(&mut self) -> bool {
        self.first_exchange().is_some_and(|once| once.token_slot.is_some())
    }
}

/// Reads the answer of an exchange.
pub(super) type Judge = Box<dyn FnOnce(&Answer) -> Result<Outcome> + Send + Sync>;

/// One exchange with the vault.
pub(super) struct Once {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Option<Body>,
    pub(super) judge: Judge,
    /// Replaces the client's caller.
    pub(super) caller: Option<String>,
    pub(super) context: ContextOf,
    /// Whether the cached actor id is sent and one in the answer remembered.
    pub(super) actor_id: bool,
    /// Value of the `Idempotency-Key` header, which is not signed.
    pub(super) idempotency_key: Option<String>,
    /// Replaces the client's timeout: of a request that the vault is asked to hold.
    pub(super) patience: Option<Duration>,
    /// Where the user's token goes that the program's getter gives; `None` if it is not asked.
    token_slot: Option<TokenSlot>,
}

/// Whose context an exchange sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ContextOf {
    /// None.
    Nobody,
    /// That of the trace that the program is in.
    Surroundings,
    /// The call's own: the header's value, if there is any.
    Call(Option<String>),
}

struct TokenSlot {
    /// Before which member of the body.
    position: usize,
    /// Most characters.
    longest: Option<usize>,
}

impl Once {
    /// A request with a JSON body, or without one.
    pub(super) fn new(
        method: Method,
        path: impl Into<String>,
        body: Option<Body>,
        judge: impl FnOnce(&Answer) -> Result<Outcome> + Send + Sync + 'static,
    ) -> Self {
        Self {
            method,
            path: path.into(),
            body,
            judge: Box::new(judge),
            caller: None,
            context: ContextOf::Nobody,
            actor_id: true,
            idempotency_key: None,
            patience: None,
            token_slot: None,
        }
    }

    /// A POST with a JSON body.
    pub(super) fn post(
        path: impl Into<String>,
        body: Body,
        judge: impl FnOnce(&Answer) -> Result<Outcome> + Send + Sync + 'static,
    ) -> Self {
        Self::new(Method::POST, path, Some(body), judge)
    }

    /// A GET.
    pub(super) fn get(path: impl Into<String>, judge: impl FnOnce(&Answer) -> Result<Outcome> + Send + Sync + 'static) -> Self {
        Self::new(Method::GET, path, None, judge)
    }

    /// A PATCH with a JSON body.
    pub(super) fn patch(
        path: impl Into<String>,
        body: Body,
        judge: impl FnOnce(&Answer) -> Result<Outcome> + Send + Sync + 'static,
    ) -> Self {
        Self::new(Method::PATCH, path, Some(body), judge)
    }

    /// A DELETE without a body.
    pub(super) fn delete(path: String, judge: impl FnOnce(&Answer) -> Result<Outcome> + Send + Sync + 'static) -> Self {
        Self::new(Method::DELETE, path, None, judge)
    }

    /// The context of the trace that the program is in goes with it.
    pub(super) fn in_context(mut self) -> Self {
        self.context = ContextOf::Surroundings;
        self
    }

    /// The program's getter is asked for a user's token, which becomes the body's member at `position`.
    pub(super) fn asking_for_user_token(mut self, position: usize, longest: Option<usize>) -> Self {
        self.token_slot = Some(TokenSlot { position, longest });
        self
    }

    /// Puts the token where it was asked for.
    ///
    /// # Errors
    /// `AlterValueError` if it is too long.
    pub(super) fn set_user_token(&mut self, token: &str) -> Result<()> {
        let (Some(slot), Some(body)) = (self.token_slot.take(), self.body.as_mut()) else { return Ok(()) };
        if slot.longest.is_some_and(|longest| token.chars().count() > longest) {
            let longest = slot.longest.unwrap_or_default();
            return Err(Error::invalid(format!("The token that user_token_getter gave is longer than {longest} characters.")));
        }
        body.0.insert(slot.position, ("user_token", json::ascii(json::string(token))));
        Ok(())
    }
}

/// A JSON object in the order in which it is sent. Its values are JSON texts.
#[derive(Default)]
pub(super) struct Body(Vec<(&'static str, String)>);

impl Body {
    /// Adds a member that is JSON already.
    pub(super) fn json(mut self, name: &'static str, text: impl Into<String>) -> Self {
        self.0.push((name, text.into()));
        self
    }

    /// Adds a text.
    pub(super) fn text(self, name: &'static str, text: &str) -> Self {
        self.json(name, json::ascii(json::string(text)))
    }

    /// Adds a member if there is one.
    pub(super) fn json_if(self, name: &'static str, text: Option<impl Into<String>>) -> Self {
        match text {
            Some(text) => self.json(name, text),
            None => self,
        }
    }

    /// Adds a text if there is one.
    pub(super) fn text_if(self, name: &'static str, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.text(name, text),
            None => self,
        }
    }

    /// How many members there are.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether a member is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| *known == name)
    }

    /// The bytes that are signed and sent.
    pub(super) fn bytes(&self) -> Bytes {
        let members: Vec<String> = self.0.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(",")).into()
    }
}

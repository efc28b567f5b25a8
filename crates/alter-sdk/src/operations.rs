//! Grants, connecting, signing in and identity, as methods of [`App`] and [`Agent`].

use alter_core::client::{Arg, Operation, Outcome, PreparedOperation, Step, user_token_getter_failed};
use alter_core::error::{Error, Result};
use alter_core::given::{Args, Given};
use alter_core::model::{
    AuthResult, AuthSession, ConnectResult, ConnectSession, CreateGrantResult, DelegationResult, GrantInfo, IdentityAssertion,
    IdentityContext, ManagedSecretConnectSession, RevokeGrantResult, UnifiedGrantListResult,
};
use serde_json::Value;

use crate::arguments::{
    Connect, Delegate, Identity, IntoArgument as _, ListGrants, ManagedSecretGrant, MintGrant, NewConnectSession, NewManagedSecretSession,
    Principal, Wait,
};
use crate::client::{Agent, App, Handle};
use crate::host::TokioHost;

impl Handle {
    pub(crate) async fn operate(&self, operation: Operation, mut args: Args) -> Result<Outcome> {
        // The trace surrounds an operation and is none of its arguments.
        let traceparent = args.take("traceparent").and_then(|value| value.as_text().map(ToOwned::to_owned));
        self.finish(self.client.operation(operation, args, traceparent)?, |_| ()).await
    }

    /// Runs an operation to its end. `show` gets the address that a person has to visit meanwhile.
    async fn finish(&self, mut call: PreparedOperation<TokioHost>, show: impl FnOnce(&str)) -> Result<Outcome> {
        let mut show = Some(show);
        loop {
            if let Some(getter) = self.settings.user_token_getter.as_ref().filter(|_| call.wants_user_token()) {
                let token = getter().await.map_err(|_| user_token_getter_failed("failed"))?;
                call.set_user_token(Arg::Value(token))?;
            }
            call = match call.send().await? {
                Step::Done(outcome) => return Ok(outcome),
                Step::Again(next) => next,
                Step::Visit(visit) => {
                    if let Some(show) = show.take() {
                        show(&visit.url);
                    }
                    visit.then
                }
            };
        }
    }

    async fn wait(&self, operation: Operation, session_token: &str, wait: Wait) -> Result<Outcome> {
        let mut call = self.client.operation(operation, wait.args.with("session_token", session_token), None)?;
        if let Some(listener) = wait.on_event {
            call.on_event(move |event| listener(event));
        }
        self.finish(call, |_| ()).await
    }
}

/// What an error says about how to get past it, as the core reads it.
fn error_facts(error: &Error) -> Given {
    let attribute = |name: &str| Given::from(error.attribute(name).unwrap_or(Value::Null));
    let mut classes = Vec::new();
    let mut kind = Some(error.kind());
    while let Some(current) = kind {
        classes.push(Given::from(current.name()));
        kind = current.parent();
    }
    let mut facts: Vec<(Given, Given)> =
        ["provider_id", "agent_id", "grant_id"].into_iter().map(|name| (name.into(), attribute(name))).collect();
    facts.push(("classes".into(), Given::List(classes)));
    Given::Map(facts)
}

macro_rules! shared_operations {
    ($client:ident) => {
        impl $client {
            /// One page of the grants that this client can see, of connected accounts and of stored secrets.
            ///
            /// # Errors
            /// `AlterValueError` before anything is sent; what the vault refuses.
            pub async fn list_grants(&self, which: ListGrants) -> Result<UnifiedGrantListResult> {
                self.0.operate(Operation::ListGrants, which.0).await?.one()
            }

            /// Makes a session in which a person connects an account. Send the person to its `connect_url`.
            ///
            /// # Errors
            /// `AlterValueError` before anything is sent; what the vault refuses.
            pub async fn create_connect_session(&self, session: NewConnectSession) -> Result<ConnectSession> {
                self.0.operate(Operation::CreateConnectSession, session.0).await?.one()
            }

            /// Makes the session that mends what a call failed with: for the same provider and agent, and for a login that died, for the
            /// same grant. Of `session` it takes `allowed_origin`, `return_url`, `metadata`, `grant_policy`, `required_scopes` and `user_token`.
            ///
            /// # Errors
            /// `AlterValueError` if the error names no provider; what the vault refuses.
            pub async fn create_connect_session_for_error(&self, error: &Error, session: NewConnectSession) -> Result<ConnectSession> {
                let args = session.0.with("error", error_facts(error));
                self.0.operate(Operation::CreateConnectSessionForError, args).await?.one()
            }

            /// Waits until the person has finished in a Connect session: one result for each connected account.
            ///
            /// # Errors
            /// `ConnectFlowError` and its subclasses for what the person did; what the vault refuses.
            pub async fn poll_connect_session(&self, session_token: &str, wait: Wait) -> Result<Vec<ConnectResult>> {
                self.0.wait(Operation::PollConnectSession, session_token, wait).await?.many()
            }

            /// Lets the person at this machine connect an account. `show` gets the address and shows it, or opens a browser; it opens the
            /// session to whoever has it. Dropping the future gives the session up on the vault too, if the vault offers that.
            ///
            /// ```no_run
            /// # async fn run(app: alter_sdk::App) -> alter_sdk::Result<()> {
            /// use alter_sdk::Connect;
            /// let results = app.connect(Connect::new().providers(["google"]), |address| println!("Please visit: {address}")).await?;
            /// println!("{}", results[0].grant_id);
            /// # Ok(())
            /// # }
            /// ```
            ///
            /// # Errors
            /// As [`poll_connect_session`](Self::poll_connect_session).
            pub async fn connect(&self, connect: Connect, show: impl FnOnce(&str)) -> Result<Vec<ConnectResult>> {
                let call = self.0.client.operation(Operation::Connect, connect.0, None)?;
                self.0.finish(call, show).await?.many()
            }

            /// Makes a session in which the person whose JWT is given allows the use of a stored secret, named by its slug, or brings one.
            ///
            /// # Errors
            /// `AlterValueError` before anything is sent; `ServerFeatureUnsupportedError` from a vault that is too old; what it refuses.
            pub async fn create_managed_secret_connect_session(
                &self,
                provider: &str,
                user_token: &str,
                session: NewManagedSecretSession,
            ) -> Result<ManagedSecretConnectSession> {
                let args = session.0.with("provider", provider).with("user_token", user_token);
                self.0.operate(Operation::CreateManagedSecretConnectSession, args).await?.one()
            }

            /// Who makes the calls, as the vault knows it.
            ///
            /// # Errors
            /// `AlterValueError` before anything is sent; what the vault refuses.
            pub async fn resolve_identity(&self, whose: Identity) -> Result<IdentityContext> {
                self.0.operate(Operation::ResolveIdentity, whose.0).await?.one()
            }

            /// The same as a signed token for one audience, a URI. See [`crate::verify_identity_assertion`].
            ///
            /// # Errors
            /// `AlterValueError` before anything is sent; what the vault refuses.
            pub async fn assert_identity(&self, audience: &str, whose: Identity) -> Result<IdentityAssertion> {
                self.0.operate(Operation::AssertIdentity, whose.0.with("audience", audience)).await?.one()
            }
        }
    };
}

shared_operations!(App);
shared_operations!(Agent);

impl App {
    /// Makes a second grant on the credential of a grant, for the same user, with limits and delegations of its own.
    ///
    /// # Errors
    /// `SiblingLabelConflictError` if the label is taken; what else the vault refuses.
    pub async fn mint_grant(&self, source_grant_id: &str, label: &str, grant: MintGrant) -> Result<GrantInfo> {
        let args = grant.0.with("source_grant_id", source_grant_id).with("label", label);
        self.0.operate(Operation::MintGrant, args).await?.one()
    }

    /// Ends a grant for good. With a token getter only a grant of the signed-in user.
    ///
    /// # Errors
    /// `GrantNotFoundError` also for another user's grant, and for one that was revoked before.
    pub async fn revoke_grant(&self, grant_id: &str, reason: Option<&str>) -> Result<RevokeGrantResult> {
        let args = Args::new().with("grant_id", grant_id).with_some("reason", reason);
        self.0.operate(Operation::RevokeGrant, args).await?.one()
    }

    /// Ends an agent's delegation, and everything that was delegated on from it. The grant stays.
    ///
    /// # Errors
    /// `AlterValueError` if one of them is not a UUID; `GrantNotFoundError`.
    pub async fn revoke_delegation(&self, grant_id: &str, agent_id: &str) -> Result<()> {
        let args = Args::new().with("grant_id", grant_id).with("agent_id", agent_id);
        self.0.operate(Operation::RevokeDelegation, args).await.map(drop)
    }

    /// Grants the use of a stored secret to somebody.
    ///
    /// # Errors
    /// `CredentialIdRequiredError` if the secret has several credentials; what else the vault refuses.
    pub async fn create_managed_secret_grant(
        &self,
        managed_secret_id: &str,
        principal: Principal,
        grant: ManagedSecretGrant,
    ) -> Result<CreateGrantResult> {
        let args = grant.0.with("managed_secret_id", managed_secret_id).with("principal", principal.into_argument());
        self.0.operate(Operation::CreateManagedSecretGrant, args).await?.one()
    }

    /// Makes a session in which a person signs in. Send the person to its `auth_url`.
    ///
    /// # Errors
    /// What the vault refuses, for example for an application without an identity provider.
    pub async fn create_auth_session(&self) -> Result<AuthSession> {
        self.0.operate(Operation::CreateAuthSession, Args::new()).await?.one()
    }

    /// Waits until the person has signed in. Short faults of the vault are waited out.
    ///
    /// # Errors
    /// `ConnectTimeoutError`; `AlterSDKError` if the sign-in failed or expired; what the vault refuses.
    pub async fn poll_auth_session(&self, session_token: &str, wait: Wait) -> Result<AuthResult> {
        self.0.wait(Operation::PollAuthSession, session_token, wait).await?.one()
    }

    /// Signs in the person at this machine. `show` gets the address and shows it, or opens a browser. The result holds the person's JWT,
    /// which the program gives to [`Builder::user_token_getter`](crate::Builder::user_token_getter) or to single calls.
    ///
    /// # Errors
    /// As [`poll_auth_session`](Self::poll_auth_session).
    pub async fn authenticate(&self, wait: Wait, show: impl FnOnce(&str)) -> Result<AuthResult> {
        let call = self.0.client.operation(Operation::Authenticate, wait.args, None)?;
        self.0.finish(call, show).await?.one()
    }

    /// The user (the `sub` claim) that a JWT stands for; `None` if it is refused, or cannot be verified now: the log tells the two apart.
    ///
    /// # Errors
    /// None that the vault or the network could cause.
    pub async fn verify_user_token(&self, token: &str) -> Result<Option<String>> {
        self.0.operate(Operation::VerifyUserToken, Args::new().with("token", token)).await?.text()
    }
}

impl Agent {
    /// Delegates a grant that this agent holds to another agent. It can only be narrowed on the way.
    ///
    /// # Errors
    /// `AgentNotFoundError`, `GrantNotFoundError`, `GrantNotDelegableError`; what else the vault refuses.
    pub async fn delegate(&self, grant_id: &str, to_agent_id: &str, how: Delegate) -> Result<DelegationResult> {
        let args = how.0.with("grant_id", grant_id).with("to_agent_id", to_agent_id);
        self.0.operate(Operation::Delegate, args).await?.one()
    }

    /// Gives back a grant that was delegated to this agent, and what it delegated on. Giving back twice is fine.
    ///
    /// # Errors
    /// `AlterValueError` if it is not a UUID; `GrantNotFoundError`.
    pub async fn revoke_delegation(&self, grant_id: &str) -> Result<()> {
        self.0.operate(Operation::RevokeDelegation, Args::new().with("grant_id", grant_id)).await.map(drop)
    }
}

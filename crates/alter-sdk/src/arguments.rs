//! The arguments of operations, as a Rust program writes them. Nothing is checked before a client gets them.

use std::time::Duration;

use alter_core::client::PollEvent;
use alter_core::given::{Args, Given};
use alter_core::model::{GroupPrincipal, SystemPrincipal, UserPrincipal};

/// Makes an argument of what a program has.
pub trait IntoArgument {
    /// The argument.
    fn into_argument(self) -> Given;
}

impl IntoArgument for &str {
    fn into_argument(self) -> Given {
        self.into()
    }
}

impl IntoArgument for String {
    fn into_argument(self) -> Given {
        self.into()
    }
}

impl IntoArgument for &String {
    fn into_argument(self) -> Given {
        self.as_str().into()
    }
}

impl IntoArgument for bool {
    fn into_argument(self) -> Given {
        self.into()
    }
}

impl IntoArgument for u64 {
    fn into_argument(self) -> Given {
        self.into()
    }
}

impl IntoArgument for Duration {
    /// Seconds.
    fn into_argument(self) -> Given {
        self.as_secs_f64().into()
    }
}

impl IntoArgument for serde_json::Value {
    fn into_argument(self) -> Given {
        self.into()
    }
}

impl<const N: usize> IntoArgument for [&str; N] {
    fn into_argument(self) -> Given {
        Given::List(self.into_iter().map(Given::from).collect())
    }
}

impl IntoArgument for &[&str] {
    fn into_argument(self) -> Given {
        Given::List(self.iter().copied().map(Given::from).collect())
    }
}

impl IntoArgument for Vec<String> {
    fn into_argument(self) -> Given {
        Given::List(self.into_iter().map(Given::from).collect())
    }
}

impl IntoArgument for GrantLimits {
    fn into_argument(self) -> Given {
        let members = [
            ("expires_at", self.expires_at.map(Given::from)),
            ("max_ttl_seconds", self.longest.map(|time| time.as_secs().into())),
            ("default_ttl_seconds", self.preselected.map(|time| time.as_secs().into())),
        ];
        Given::Map(members.into_iter().filter_map(|(name, value)| Some((name.into(), value?))).collect())
    }
}

/// The time limits that an application sets for a grant.
///
/// ```
/// use alter_sdk::GrantLimits;
/// use std::time::Duration;
/// let week = GrantLimits::default().longest(Duration::from_secs(604_800)).preselected(Duration::from_secs(86_400));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrantLimits {
    expires_at: Option<String>,
    longest: Option<Duration>,
    preselected: Option<Duration>,
}

impl GrantLimits {
    /// When the grant ends: ISO 8601, for example `2026-01-02T03:04:05Z`.
    pub fn expires_at(mut self, time: impl Into<String>) -> Self {
        self.expires_at = Some(time.into());
        self
    }

    /// The longest that the person may choose, in whole seconds.
    pub fn longest(mut self, time: Duration) -> Self {
        self.longest = Some(time);
        self
    }

    /// What is chosen unless the person chooses something else, in whole seconds.
    pub fn preselected(mut self, time: Duration) -> Self {
        self.preselected = Some(time);
        self
    }
}

/// Whom a grant of a stored secret is for.
#[derive(Clone, Debug, PartialEq)]
pub enum Principal {
    /// A user of the application.
    User {
        /// The user's JWT.
        user_token: Token,
        /// The grant's name.
        label: String,
    },
    /// A group of the application's identity provider.
    Group {
        /// The provider's id of the group.
        external_group_id: String,
        /// The vault's id of the identity provider.
        idp_id: String,
        /// The grant's name.
        label: String,
    },
    /// The application itself.
    System {
        /// The grant's name.
        label: Option<String>,
    },
}

/// Text that no printed form shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl From<&str> for Token {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for Token {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[redacted]")
    }
}

impl IntoArgument for Principal {
    fn into_argument(self) -> Given {
        let (model, fields) = match self {
            Self::User { user_token, label } => {
                (UserPrincipal::MODEL.name, vec![("type", "user".into()), ("user_token", user_token.0.into()), ("label", label.into())])
            }
            Self::Group { external_group_id, idp_id, label } => (
                GroupPrincipal::MODEL.name,
                vec![
                    ("type", "group".into()),
                    ("external_group_id", external_group_id.into()),
                    ("idp_id", idp_id.into()),
                    ("label", label.into()),
                ],
            ),
            Self::System { label } => {
                (SystemPrincipal::MODEL.name, vec![("type", "system".into()), ("label", label.map_or(Given::Null, Given::from))])
            }
        };
        Given::Model(model.to_owned(), fields.into_iter().map(|(name, value): (&str, Given)| (name.into(), value)).collect())
    }
}

macro_rules! arguments {
    ($(
        $(#[$attribute:meta])*
        $name:ident {
            $($(#[doc = $about:literal])+ $field:ident: $type:ty,)*
        }
    )+) => {$(
        $(#[$attribute])*
        #[derive(Clone, Default)]
        #[must_use = "arguments do nothing until a client gets them"]
        pub struct $name(pub(crate) Args);

        impl $name {
            /// No arguments but the required ones.
            pub fn new() -> Self {
                Self::default()
            }

            $(
                $(#[doc = $about])+
                pub fn $field(mut self, value: $type) -> Self {
                    self.0.take(stringify!($field));
                    self.0.push(stringify!($field), IntoArgument::into_argument(value));
                    self
                }
            )*
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                // A user's token may be among them.
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    )+};
}

pub(crate) use arguments;

arguments! {
    /// Which grants to list.
    ///
    /// ```
    /// use alter_sdk::ListGrants;
    /// let google = ListGrants::new().provider_id("google").limit(50);
    /// ```
    ListGrants {
        /// Only grants of this provider, or of the stored secret with this slug.
        provider_id: impl IntoArgument,
        /// Only grants in this state, for example `active`.
        status: impl IntoArgument,
        /// Only grants of this account.
        account: impl IntoArgument,
        /// Only the grants with this label.
        label: impl IntoArgument,
        /// A user's JWT: only that user's grants.
        end_user_token: impl IntoArgument,
        /// At most so many, 1 to 1000; 100 by default.
        limit: u64,
        /// Leaves out so many.
        offset: u64,
        /// `oauth` or `managed_secret`; both by default.
        grant_kind: impl IntoArgument,
    }

    /// What a minted grant has besides its label.
    MintGrant {
        /// Its limits; which members there are is the vault's to say.
        grant_policy: impl IntoArgument,
        /// Words for policies to go by.
        grant_tags: impl IntoArgument,
    }

    /// How a delegation narrows its grant.
    Delegate {
        /// Whether the other agent may delegate it on.
        delegable: bool,
        /// The scopes to which the other agent is narrowed.
        scope_constraint: impl IntoArgument,
        /// Ends after so many seconds.
        ttl_seconds: u64,
    }

    /// A grant of a stored secret.
    ManagedSecretGrant {
        /// Time limits.
        grant_policy: GrantLimits,
        /// Which of the secret's credentials, if it has several.
        credential_id: impl IntoArgument,
    }

    /// A Connect session.
    ///
    /// ```
    /// use alter_sdk::NewConnectSession;
    /// let session = NewConnectSession::new().allowed_providers(["google"]).return_url("https://app.example/done");
    /// ```
    NewConnectSession {
        /// The providers to choose from; all of the application's by default.
        allowed_providers: impl IntoArgument,
        /// Skips the choice of a provider.
        direct: bool,
        /// Where the person goes afterwards.
        return_url: impl IntoArgument,
        /// The origin of the page that gets the result as a message.
        allowed_origin: impl IntoArgument,
        /// `ip_address` and `user_agent` of the person's request.
        metadata: serde_json::Value,
        /// Time limits.
        grant_policy: GrantLimits,
        /// For each provider the scopes to ask for.
        required_scopes: serde_json::Value,
        /// The agent, by id or name, to which the person delegates the grant.
        agent: impl IntoArgument,
        /// The person's JWT; the client's getter is not asked.
        user_token: impl IntoArgument,
        /// `label` and `restrictions` of the new grant.
        requested_grant: serde_json::Value,
        /// Renews the login of this grant instead of making one.
        repair_grant_id: impl IntoArgument,
        /// Whether the agent may delegate on: never, or if the person agrees.
        delegable: bool,
        /// The scopes to which the agent is narrowed.
        scope_constraint: impl IntoArgument,
        /// Has the provider ask for the account anew.
        switch_account: bool,
        /// Whether the person may set limits.
        allow_user_policy_rules: bool,
    }

    /// A Connect session for a stored secret.
    NewManagedSecretSession {
        /// The agent, by id or name, that may use it; the application itself by default.
        agent: impl IntoArgument,
        /// Whether to ask that the agent may delegate it on.
        delegable: bool,
        /// `label` of the new grant.
        requested_grant: serde_json::Value,
        /// Time limits.
        grant_policy: GrantLimits,
        /// Skips the first page.
        direct: bool,
        /// Brings a new key for this grant.
        repair_grant_id: impl IntoArgument,
        /// Whether the person may set limits.
        allow_user_policy_rules: bool,
        /// The origin of the page that gets the result as a message.
        allowed_origin: impl IntoArgument,
        /// Where the person goes afterwards.
        return_url: impl IntoArgument,
    }

    /// A connection that the person at this machine makes.
    Connect {
        /// The providers to choose from; all of the application's by default.
        providers: impl IntoArgument,
        /// How long to wait; 5 minutes by default.
        timeout: Duration,
        /// How long to wait between two questions; 2 seconds by default.
        poll_interval: Duration,
        /// Time limits.
        grant_policy: GrantLimits,
        /// Whether the person may set limits.
        allow_user_policy_rules: bool,
        /// Skips the choice of a provider.
        direct: bool,
        /// The account that the provider should suggest.
        email: impl IntoArgument,
        /// The scopes to ask for: a list for one provider, or for each provider a list.
        scopes: impl IntoArgument,
    }

    /// Whose identity is meant.
    Identity {
        /// The user's JWT; the client's getter is not asked.
        user_token: impl IntoArgument,
        /// The vault's id of the user. Only an agent may name a user so.
        app_user_id: impl IntoArgument,
        /// Whether to give the user's e-mail address and name.
        include_profile: bool,
        /// How long an assertion lives: 10 to 300 seconds.
        ttl_seconds: u64,
    }
}

/// How to wait for a person.
#[derive(Clone, Default)]
#[must_use = "arguments do nothing until a client gets them"]
pub struct Wait {
    pub(crate) args: Args,
    pub(crate) on_event: Option<std::sync::Arc<dyn Fn(PollEvent) + Send + Sync>>,
}

impl Wait {
    /// 5 minutes, with 2 seconds between two questions.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long to wait.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.args.take("timeout");
        self.args.push("timeout", timeout.into_argument());
        self
    }

    /// How long to wait between two questions.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.args.take("poll_interval");
        self.args.push("poll_interval", interval.into_argument());
        self
    }

    /// Called when the person refuses a provider and goes on.
    pub fn on_event(mut self, listener: impl Fn(PollEvent) + Send + Sync + 'static) -> Self {
        self.on_event = Some(std::sync::Arc::new(listener));
        self
    }
}

impl std::fmt::Debug for Wait {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wait").finish_non_exhaustive()
    }
}

//! The argument lists of the error classes' constructors.
//!
//! Which classes there are, what they derive from and which attributes they have stands in `alter_core::error::taxonomy`. The
//! order, the spelling and the defaults of the arguments are part of the public surface that programs written for the public
//! packages call, and have no meaning to the core, so they stand here.

use alter_core::error::Kind;

/// What an argument may be. All but the message may also be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// The message; text that is required unless there is a text in its place.
    Message(Option<&'static str>),
    /// Facts for machines.
    Details,
    Text,
    Texts,
    Whole,
    Flag,
    /// A list of grants.
    Candidates,
    /// A list of credentials.
    Credentials,
}

/// One argument.
pub struct Argument {
    pub name: &'static str,
    pub of: Type,
}

/// The arguments for the constructor of the parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parent {
    /// Message and details.
    Plain,
    /// Message, a policy error of this class's own, and details.
    Policy(&'static str),
    /// Message, status, body and details.
    Provider,
}

/// A constructor that a class declares for itself; a class without one inherits its parent's.
pub struct Constructor {
    pub positional: Vec<Argument>,
    pub keyword_only: Vec<Argument>,
    /// What the parent's constructor gets.
    pub parent: Parent,
}

const fn text(name: &'static str) -> Argument {
    Argument { name, of: Type::Text }
}

const fn texts(name: &'static str) -> Argument {
    Argument { name, of: Type::Texts }
}

const fn whole(name: &'static str) -> Argument {
    Argument { name, of: Type::Whole }
}

const fn flag(name: &'static str) -> Argument {
    Argument { name, of: Type::Flag }
}

const MESSAGE: Argument = Argument { name: "message", of: Type::Message(None) };
const DETAILS: Argument = Argument { name: "details", of: Type::Details };

/// The constructor that `kind`'s class declares, if it is an ordinary one: it hands message and details on and keeps the rest
/// as attributes. The few with rules of their own are written out by each language's generator.
pub fn of(kind: Kind) -> Option<Constructor> {
    let (positional, keyword_only): (Vec<Argument>, Vec<Argument>) = match kind {
        Kind::AmbiguousGrant => (
            vec![
                MESSAGE,
                text("provider_id"),
                texts("account_identifiers"),
                flag("account_was_provided"),
                texts("app_user_ids"),
                DETAILS,
                texts("grant_ids"),
                Argument { name: "candidates", of: Type::Candidates },
                flag("candidates_truncated"),
            ],
            vec![],
        ),
        Kind::CredentialIdRequired => (vec![MESSAGE, Argument { name: "credentials", of: Type::Credentials }, DETAILS], vec![]),
        Kind::GrantNotDelegable => (vec![MESSAGE, DETAILS], vec![text("detail_reason")]),
        Kind::GrantNotFound | Kind::GrantExpired => {
            (vec![MESSAGE, DETAILS, text("provider_id"), text("agent_id"), text("app_user_id")], vec![])
        }
        Kind::InsufficientScope => (
            vec![Argument { name: "message", of: Type::Message(Some("Insufficient scope")) }],
            vec![
                texts("required"),
                texts("granted"),
                texts("missing"),
                whole("scope_version"),
                whole("current_scope_version"),
                flag("scope_version_mismatch"),
                text("documentation_url"),
                flag("required_any_of"),
                DETAILS,
            ],
        ),
        Kind::NoDelegatedGrant => (vec![MESSAGE, text("provider_id"), text("agent_id"), DETAILS, text("app_user_id")], vec![]),
        Kind::PolicyViolation => (vec![MESSAGE, text("policy_error"), DETAILS], vec![]),
        Kind::RedactDischargeFailed => (vec![MESSAGE, DETAILS], vec![]),
        Kind::StepUpRequired => (vec![MESSAGE, whole("max_session_age_seconds"), DETAILS], vec![]),
        Kind::QuotaExceeded => (vec![MESSAGE, whole("retry_after"), DETAILS], vec![]),
        Kind::RateLimit => (vec![MESSAGE, whole("retry_after"), DETAILS, text("scope"), whole("limit"), whole("window_seconds")], vec![]),
        Kind::CredentialRevoked => (vec![MESSAGE, text("grant_id"), DETAILS, text("provider_id"), text("app_user_id")], vec![]),
        Kind::GrantRevoked | Kind::TokenRefreshInProgress => (vec![MESSAGE, text("grant_id"), DETAILS], vec![]),
        Kind::RestrictedGrantRequiresProxy => (vec![MESSAGE, DETAILS], vec![]),
        Kind::SiblingLabelConflict => (vec![MESSAGE, text("label"), DETAILS], vec![]),
        Kind::ProviderApi => (vec![MESSAGE, whole("status_code"), text("response_body"), DETAILS], vec![]),
        Kind::ProviderUnauthorized => {
            (vec![MESSAGE, text("grant_id"), text("provider_id"), whole("status_code"), text("response_body"), DETAILS], vec![])
        }
        Kind::ScopeReauthRequired => (
            vec![
                MESSAGE,
                text("grant_id"),
                text("provider_id"),
                whole("status_code"),
                text("response_body"),
                texts("missing_scopes"),
                DETAILS,
            ],
            vec![],
        ),
        _ => return None,
    };
    let parent = match kind {
        Kind::RedactDischargeFailed | Kind::StepUpRequired => Parent::Policy(kind.code()),
        Kind::ProviderUnauthorized | Kind::ScopeReauthRequired => Parent::Provider,
        _ => Parent::Plain,
    };
    Some(Constructor { positional, keyword_only, parent })
}

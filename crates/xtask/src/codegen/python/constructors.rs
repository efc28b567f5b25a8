//! The argument lists of Python's exception constructors.
//!
//! Which classes there are, what they derive from and which attributes they have stands in `alter_core::error::taxonomy`. The
//! order, the spelling and the defaults of the arguments are particular to Python, where they are part of the public surface
//! that programs written for 0.29.0 call, so they stand here.

use alter_core::error::Kind;

/// One argument after `self`.
pub struct Argument {
    pub name: &'static str,
    pub annotation: &'static str,
    /// Python source of the default; `None` if the argument is required.
    pub default: Option<&'static str>,
}

/// A constructor that a class declares for itself; a class without one inherits its parent's.
pub struct Constructor {
    pub positional: Vec<Argument>,
    pub keyword_only: Vec<Argument>,
    /// Python source of the arguments for the parent's constructor.
    pub parent_arguments: &'static str,
}

const fn argument(name: &'static str, annotation: &'static str, default: &'static str) -> Argument {
    Argument { name, annotation, default: Some(default) }
}

const fn text(name: &'static str) -> Argument {
    argument(name, "str | None", "None")
}

const fn texts(name: &'static str) -> Argument {
    argument(name, "list[str] | None", "None")
}

const fn whole(name: &'static str) -> Argument {
    argument(name, "int | None", "None")
}

const fn flag(name: &'static str) -> Argument {
    argument(name, "bool", "False")
}

const MESSAGE: Argument = Argument { name: "message", annotation: "str", default: None };
const DETAILS: Argument = argument("details", "dict[str, Any] | None", "None");

/// The constructor that `kind`'s class declares, if it is an ordinary one: it hands message and details on and keeps the rest
/// as attributes. The few with rules of their own are written out in `exceptions.rs`.
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
                argument("candidates", "list[GrantCandidate] | None", "None"),
                flag("candidates_truncated"),
            ],
            vec![],
        ),
        Kind::CredentialIdRequired => (vec![MESSAGE, argument("credentials", "list[CredentialChoice] | None", "None"), DETAILS], vec![]),
        Kind::GrantNotDelegable => (vec![MESSAGE, DETAILS], vec![text("detail_reason")]),
        Kind::GrantNotFound | Kind::GrantExpired => {
            (vec![MESSAGE, DETAILS, text("provider_id"), text("agent_id"), text("app_user_id")], vec![])
        }
        Kind::InsufficientScope => (
            vec![argument("message", "str", "\"Insufficient scope\"")],
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
    let parent_arguments = match kind {
        Kind::RedactDischargeFailed => "message, \"redact_discharge_failed\", details",
        Kind::StepUpRequired => "message, \"step_up_required\", details",
        Kind::ProviderUnauthorized | Kind::ScopeReauthRequired => "message, status_code, response_body, details",
        _ => "message, details",
    };
    Some(Constructor { positional, keyword_only, parent_arguments })
}

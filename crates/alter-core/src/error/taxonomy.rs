//! Every public error class, once: its name, its parent, its stable code and its attributes.
//!
//! A binding turns [`Kind`] and attributes into its language's exception by this table; `cargo xtask codegen` writes the classes from it.

use serde_json::{Value, json};

/// The value that an attribute has when nothing set it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Default {
    /// `null`
    Null,
    /// `false`
    False,
    /// An empty list: such attributes are never null.
    EmptyList,
}

impl Default {
    /// As JSON.
    pub fn value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::False => json!(false),
            Self::EmptyList => json!([]),
        }
    }
}

/// One attribute of an error class, besides `message` and `details`, which all have.
#[derive(Clone, Copy, Debug)]
pub struct Attribute {
    /// Name in snake case; other languages spell it their way.
    pub name: &'static str,
    /// Value when unset.
    pub default: Default,
}

macro_rules! kinds {
    ($($kind:ident = $name:literal < $parent:ident, $code:literal, [$($attribute:ident $default:ident),*], $summary:literal;)*) => {
        /// Names a public error class.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Kind {
            /// Root of the tree.
            AlterSdk,
            $(#[doc = $summary] $kind,)*
        }

        impl Kind {
            /// All kinds, each after its parent.
            pub const ALL: &[Self] = &[Self::AlterSdk, $(Self::$kind),*];

            /// The public class name.
            pub fn name(self) -> &'static str {
                match self {
                    Self::AlterSdk => "AlterSDKError",
                    $(Self::$kind => $name,)*
                }
            }

            /// The class it derives from; `None` for the root.
            pub fn parent(self) -> Option<Self> {
                match self {
                    Self::AlterSdk => None,
                    $(Self::$kind => Some(Self::$parent),)*
                }
            }

            /// The stable code of an error whose cause brought none of its own.
            pub fn code(self) -> &'static str {
                match self {
                    Self::AlterSdk => "sdk_error",
                    $(Self::$kind => $code,)*
                }
            }

            /// One line for documentation and generated classes.
            pub fn summary(self) -> &'static str {
                match self {
                    Self::AlterSdk => "Base of every error of this package; also bad configuration and use after close.",
                    $(Self::$kind => $summary,)*
                }
            }

            /// The attributes that this class adds to its parent's.
            pub fn own_attributes(self) -> &'static [Attribute] {
                match self {
                    Self::AlterSdk => &[],
                    $(Self::$kind => &[$(Attribute { name: stringify!($attribute), default: Default::$default }),*],)*
                }
            }
        }
    };
}

kinds! {
    AlterValue = "AlterValueError" < AlterSdk, "invalid_argument", [], "An argument was refused before anything was sent.";
    Approval = "ApprovalError" < AlterSdk, "approval_error", [approval_id Null], "A call held for approval did not run.";
    ApprovalDenied = "ApprovalDeniedError" < Approval, "approval_denied", [], "An approver refused the call.";
    ApprovalExecutionFailed = "ApprovalExecutionFailedError" < Approval, "approval_execution_failed", [], "The call was approved and then failed to run.";
    ApprovalExpired = "ApprovalExpiredError" < Approval, "approval_expired", [], "Nobody decided in time.";
    ApprovalTimeout = "ApprovalTimeoutError" < Approval, "approval_timeout", [], "The wait for a decision ended; the approval itself may still be open.";
    Backend = "BackendError" < AlterSdk, "backend_error", [status_code Null], "The vault refused the request, failed, or gave an answer that cannot be trusted.";
    Agent = "AgentError" < Backend, "agent_error", [hint Null], "Base of the errors about agents and keys.";
    AgentCannotMintSubagents = "AgentCannotMintSubagentsError" < Agent, "agent_cannot_mint_subagents", [], "An agent may not create agents.";
    AgentConcurrentUpdate = "AgentConcurrentUpdateError" < Agent, "agent_concurrent_update", [], "Somebody else changed the agent meanwhile; read it again.";
    AgentInactive = "AgentInactiveError" < Agent, "agent_inactive", [], "The agent is paused.";
    AgentKeyLimit = "AgentKeyLimitError" < Agent, "agent_key_limit_reached", [], "The agent has as many keys as it may have.";
    AgentNameExists = "AgentNameExistsError" < Agent, "agent_name_exists", [], "Another agent has this name.";
    AgentNotFound = "AgentNotFoundError" < Agent, "agent_not_found", [], "There is no such active agent.";
    AgentRevoked = "AgentRevokedError" < Agent, "agent_revoked", [], "The agent was revoked for good.";
    AgentScopeNarrowingNotSupported = "AgentScopeNarrowingNotSupportedError" < Agent, "agent_scope_narrowing_not_supported", [], "The vault cannot narrow this agent's scopes. Older vaults answer so.";
    CallerAgentMismatch = "CallerAgentMismatchError" < Agent, "caller_agent_mismatch", [], "The caller names an agent other than the key's.";
    CallerAgentResolution = "CallerAgentResolutionError" < Agent, "caller_agent_resolution_error", [], "The vault could not look up the calling agent.";
    IdempotencyKeyAgentInactive = "IdempotencyKeyAgentInactiveError" < Agent, "idempotency_key_agent_inactive", [], "The idempotency key belongs to an agent that is paused.";
    IdempotencyKeyAgentRevoked = "IdempotencyKeyAgentRevokedError" < Agent, "idempotency_key_agent_revoked", [], "The idempotency key belongs to an agent that was revoked.";
    IdempotencyKeyBodyMismatch = "IdempotencyKeyBodyMismatchError" < Agent, "idempotency_key_body_mismatch", [], "The idempotency key was used before with another body.";
    InvalidKey = "InvalidKeyError" < Agent, "invalid_key", [], "The vault does not know the API key.";
    KeyAlreadyRevoked = "KeyAlreadyRevokedError" < Agent, "key_revoked", [], "The key was revoked before.";
    KeyAppNotFound = "KeyAppNotFoundError" < Agent, "app_not_found_for_key", [], "The key's application is gone.";
    KeyExpired = "KeyExpiredError" < Agent, "key_expired", [], "The API key has expired.";
    KeyInactive = "KeyInactiveError" < Agent, "key_not_active", [], "The API key is not active.";
    KeyNotFound = "KeyNotFoundError" < Agent, "key_not_found", [], "There is no such key.";
    KeyRevoked = "KeyRevokedError" < Agent, "key_revoked", [], "The API key was revoked.";
    KeyRotationExpired = "KeyRotationExpiredError" < Agent, "key_rotated_grace_expired", [], "The API key was rotated and its grace period is over.";
    LastActiveKey = "LastActiveKeyError" < Agent, "last_active_key", [], "The last active key cannot be revoked without force.";
    MeRequiresAgentKey = "MeRequiresAgentKeyError" < Agent, "me_requires_agent_key", [], "Only an agent's own key can ask who it is.";
    AmbiguousGrant = "AmbiguousGrantError" < Backend, "ambiguous_grant", [provider_id Null, account_identifiers EmptyList, account_was_provided False, app_user_ids EmptyList, grant_ids EmptyList, candidates EmptyList, candidates_truncated False], "Several grants fit; name one.";
    BlockedDestination = "BlockedDestinationError" < Backend, "blocked_destination", [], "The credential may not be sent to this host.";
    CredentialIdRequired = "CredentialIdRequiredError" < Backend, "credential_id_required", [credentials EmptyList], "Several credentials fit; name one.";
    EndUserCredentialNotAssignable = "EndUserCredentialNotAssignableError" < Backend, "end_user_credential_not_assignable", [], "An end user's credential cannot be given to this principal.";
    GrantNotDelegable = "GrantNotDelegableError" < Backend, "grant_not_delegable", [detail_reason Null], "The grant may not be delegated.";
    GrantNotFound = "GrantNotFoundError" < Backend, "grant_not_found", [provider_id Null, agent_id Null, app_user_id Null], "There is no such grant, or it is not yours.";
    AgentDelegationMissing = "AgentDelegationMissingError" < GrantNotFound, "grant_not_found", [], "Nobody has delegated such a grant to this agent.";
    InsufficientScope = "InsufficientScopeError" < Backend, "insufficient_scope", [required EmptyList, granted EmptyList, missing EmptyList, scope_version Null, current_scope_version Null, scope_version_mismatch False, documentation_url Null, required_any_of False], "The API key lacks a scope.";
    NoDelegatedGrant = "NoDelegatedGrantError" < Backend, "no_delegated_grant", [provider_id Null, agent_id Null, app_user_id Null], "No grant of this provider is delegated to the agent.";
    PolicyViolation = "PolicyViolationError" < Backend, "policy_violation", [policy_error Null], "A policy forbids the call.";
    RedactDischargeFailed = "RedactDischargeFailedError" < PolicyViolation, "redact_discharge_failed", [], "A policy asks to redact the request and that was not possible.";
    StepUpRequired = "StepUpRequiredError" < PolicyViolation, "step_up_required", [max_session_age_seconds Null], "The user must sign in again first.";
    QuotaExceeded = "QuotaExceededError" < Backend, "quota_exceeded", [retry_after Null], "A quota is used up.";
    RateLimit = "RateLimitError" < Backend, "rate_limit_exceeded", [retry_after Null, scope Null, limit Null, window_seconds Null], "Too many requests; wait retry_after seconds.";
    ReAuthRequired = "ReAuthRequiredError" < Backend, "reauth_required", [], "The user must authorize again.";
    CredentialRevoked = "CredentialRevokedError" < ReAuthRequired, "credential_revoked", [grant_id Null, provider_id Null, app_user_id Null], "The provider no longer accepts the stored credential.";
    GrantDeleted = "GrantDeletedError" < ReAuthRequired, "grant_deleted", [], "The user disconnected the grant.";
    GrantExpired = "GrantExpiredError" < ReAuthRequired, "grant_expired", [provider_id Null, agent_id Null, app_user_id Null], "The grant's time is over.";
    GrantRevoked = "GrantRevokedError" < ReAuthRequired, "grant_revoked", [grant_id Null], "The grant was revoked.";
    RestrictedGrantRequiresProxy = "RestrictedGrantRequiresProxyError" < Backend, "restricted_grant_requires_proxy", [], "This grant can only be used through proxy_request().";
    ServerFeatureUnsupported = "ServerFeatureUnsupportedError" < Backend, "server_feature_unsupported", [], "The vault is older than the feature that was asked for.";
    SiblingLabelConflict = "SiblingLabelConflictError" < Backend, "sibling_label_conflict", [label Null], "Another grant of this account has the label.";
    TokenRefreshInProgress = "TokenRefreshInProgressError" < Backend, "token_refresh_in_progress", [grant_id Null], "Another call is refreshing the login; try again shortly.";
    ConnectFlow = "ConnectFlowError" < AlterSdk, "connect_flow_error", [], "Connecting an account failed.";
    ConnectConfig = "ConnectConfigError" < ConnectFlow, "connect_config_error", [], "The application or provider is not set up for this.";
    ConnectDenied = "ConnectDeniedError" < ConnectFlow, "connect_denied", [], "The user refused.";
    ConnectTimeout = "ConnectTimeoutError" < ConnectFlow, "connect_timeout", [], "The user did not finish in time.";
    MemoryIsolation = "MemoryIsolationError" < AlterSdk, "memory_isolation_error", [code Null], "A memory store was asked for another identity's data.";
    Network = "NetworkError" < AlterSdk, "network_error", [], "No answer: the connection failed.";
    Timeout = "TimeoutError" < Network, "timeout", [], "No answer in time.";
    ProviderApi = "ProviderAPIError" < AlterSdk, "provider_error", [status_code Null, response_body Null], "The provider answered with an error status.";
    ProviderUnauthorized = "ProviderUnauthorizedError" < ProviderApi, "provider_unauthorized", [grant_id Null, provider_id Null], "The provider refused the credential (401).";
    ScopeReauthRequired = "ScopeReauthRequiredError" < ProviderApi, "scope_reauth_required", [grant_id Null, provider_id Null, missing_scopes Null], "The grant's scopes are not enough; authorize again.";
}

impl Kind {
    /// Whether this is `ancestor` or derives from it.
    pub fn is(self, ancestor: Self) -> bool {
        let mut kind = Some(self);
        while let Some(current) = kind {
            if current == ancestor {
                return true;
            }
            kind = current.parent();
        }
        false
    }

    /// All attributes of the class: inherited ones first.
    pub fn attributes(self) -> Vec<Attribute> {
        let mut all = self.parent().map(Self::attributes).unwrap_or_default();
        all.extend_from_slice(self.own_attributes());
        all
    }
}

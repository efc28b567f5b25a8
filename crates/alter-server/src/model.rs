//! What the vault keeps: apps, keys, operators, managed secrets, credentials, grants, agents, tickets, approvals, callers.
//!
//! These are plain data. Rules about them live where they are judged (`api`), and nothing here knows how it is stored. No type here
//! holds a secret value: keys are present as digests, credentials as sealed envelopes ([`crate::crypto::SealedSecret`]).

mod agent;
mod app;
mod app_settings;
mod approval;
mod credential;
mod grant;
mod id;
mod key;
mod network;
mod policy;
mod principal;
mod registration;
mod secret;
mod span;
mod spec;
mod ticket;

pub use agent::{Agent, AgentKind, AgentScopes, AgentStatus, AskedOnce, Staged};
pub use app::{Actor, App, AppSettings, ApprovalSettings, CallerType, Operator, OperatorRole};
pub use app_settings::{origin, return_url};
pub use approval::{About, Approval, ApprovalStatus, Approver, Decider, Decision, Gate, GateStatus};
pub use credential::{Account, Credential, CredentialKind, CredentialState, Lease};
pub use grant::{
    Grant, GrantFilter, GrantKind, GrantPolicy, GrantStatus, ListedGrant, Membership, Opens, Restrictions, ScopeMismatch, ShownStatus, View,
};
pub use id::{
    ActorId, AgentId, AppId, ApprovalId, CredentialId, DataKeyId, GateId, GrantId, KeyId, OperatorId, PolicyId, RegistrationId, SecretId,
    SpecId, TicketId,
};
pub use key::{ApiKey, KeyDigest, KeyRate, KeyStatus, RateCount, SharedRate, display_prefix};
pub use network::Networks;
pub use policy::Policy;
pub use principal::{Person, Principal};
pub use registration::{Registration, RegistrationKind};
pub use secret::{InjectionRule, InjectionTarget, ManagedSecret, SecretInjection, SecretKind, SecretStatus};
pub use span::Span;
pub use spec::{ProviderSpec, SpecKind};
pub use ticket::{Ticket, TicketKind, TicketState};

/// Declares an enum that is kept and shown as fixed lower-case words: one list for the database, JSON and messages.
macro_rules! words {
    ($(#[$meta:meta])* $vis:vis enum $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis enum $name { $($(#[$doc])* $variant,)+ }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word that is stored and shown.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The value that a word stands for.
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                Self::parse(&word).ok_or_else(|| serde::de::Error::unknown_variant(&word, &[$($word,)+]))
            }
        }
    };
}
pub(crate) use words;

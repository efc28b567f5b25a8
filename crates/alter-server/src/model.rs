//! What the vault keeps: apps, keys, operators, managed secrets, grants, callers.
//!
//! These are plain data. Rules about them live where they are judged (`api`), and nothing here knows how it is stored. No type here
//! holds a secret value: keys are present as digests, credentials as sealed envelopes ([`crate::crypto::SealedSecret`]).

mod app;
mod grant;
mod id;
mod key;
mod secret;

pub use app::{Actor, App, CallerType, Operator, OperatorRole};
pub use grant::{Grant, GrantFilter, GrantStatus, Principal, ScopeMismatch};
pub use id::{ActorId, AppId, DataKeyId, GrantId, KeyId, OperatorId, SecretId};
pub use key::{ApiKey, KeyDigest, KeyStatus, display_prefix};
pub use secret::{InjectionRule, InjectionTarget, ManagedSecret, SecretInjection, SecretKind, SecretStatus};

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

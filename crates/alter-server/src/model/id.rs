//! Identifiers. Each kind has its own type, so that a grant's id cannot be passed where a key's is meant.

use std::fmt;

use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A fresh random id (UUID version 4).
            pub fn random() -> Self {
                Self(Uuid::new_v4())
            }

            /// Reads the canonical form only: 36 characters, lower case, with hyphens. Other spellings of a UUID are not ids of ours.
            pub fn parse(text: &str) -> Option<Self> {
                let id = Uuid::parse_str(text).ok()?;
                (id.as_hyphenated().encode_lower(&mut Uuid::encode_buffer()) == text).then_some(Self(id))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }
    )+};
}

ids! {
    /// An application (a tenant of the vault).
    AppId;
    /// An API key.
    KeyId;
    /// An operator.
    OperatorId;
    /// A managed secret.
    SecretId;
    /// A grant.
    GrantId;
    /// A caller that named itself in `X-Alter-Caller`.
    ActorId;
    /// A data key: the key that seals the fields of one version of one secret.
    DataKeyId;
    /// A credential: an OAuth login, or a key that stands beside a managed secret's own.
    CredentialId;
    /// An agent.
    AgentId;
    /// A ticket: something short-lived that whoever holds its token may go on with.
    TicketId;
    /// The description of a provider's API.
    SpecId;
    /// A call that waits for people; on the wire `approval_group_id`.
    ApprovalId;
    /// One decision that an approval takes; on the wire `approval_id`.
    GateId;
    /// A policy.
    PolicyId;
    /// An app's registration as a client of a provider or an identity provider.
    RegistrationId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_spelling_is_an_id() {
        let id = GrantId::random();
        assert_eq!(GrantId::parse(&id.to_string()), Some(id));
        assert_eq!(GrantId::parse(&id.to_string().to_uppercase()), None);
        assert_eq!(GrantId::parse(&id.0.simple().to_string()), None);
        assert_eq!(GrantId::parse(&format!("{{{id}}}")), None);
        assert_eq!(GrantId::parse("abc"), None);
    }
}

//! Every public model, declared once: its fields, and how each is read.
//!
//! A declaration leaves two things behind: a Rust struct, and a constant [`Model`] that says of every field whether it is required, which
//! type it has, what happens to a value of another type, and what it is for. [`Model::read`] reads a server's answer by that description, so that the answer is
//! judged before any language sees it; `cargo xtask codegen` writes the classes of the other languages from the same description, so
//! that a model which a program builds by hand meets the same rules.

mod agents;
mod approvals;
mod audit;
mod calls;
mod catalogues;
mod connect;
mod declare;
mod grants;
mod identity;
mod keys;
mod managed_secrets;
mod principals;
mod provider_specs;
mod read;
mod rule;
mod spans;
mod token;

use serde_json::{Map, Value};

pub use agents::{AgentCreateResult, AgentInfo, AgentKey, AgentKeyList, AgentKeyMintResult, AgentListResult};
pub use approvals::{ApprovalGate, ApprovalGateStatus, ApprovalResult, ApprovalStatus, PendingApproval};
pub use audit::APICallAuditLog;
pub use calls::{RateLimitSnapshot, RetryErrorInfo, RetryInfo};
pub use catalogues::{OAuthProviderCatalog, OAuthProviderCatalogItem, OAuthProviderScopeInfo, ResourceScopes, ScopeCatalog};
pub use connect::{
    AuthResult, AuthSession, ConnectDelegation, ConnectFailedGrant, ConnectResult, ConnectSession, GrantPolicy, GrantPolicyInput,
    ManagedSecretConnectSession,
};
pub use grants::{DelegationResult, GrantInfo, GrantListItem, OAuthGrantItem, RevokeGrantResult, UnifiedGrantListResult};
pub use identity::{IdentityAssertion, IdentityContext, IdentityTrace, MemoryScope};
pub use keys::{APIKeyInfo, MintedKey};
pub use managed_secrets::{CreateGrantResult, ManagedSecretGrantItem};
pub use principals::{AgentPrincipal, GroupPrincipal, PRINCIPAL, SystemPrincipal, UserPrincipal};
pub(crate) use provider_specs::ProviderSpecList;
pub use provider_specs::{PROVIDER_SPEC_KINDS, ProviderSpec, SpecOperation, SpecOperationDetail, SpecOperationsPage};
pub use read::Fault;
pub use rule::{Choice, Default, Kind, Rule, Wrong};
pub use spans::{EmitSpansResult, UserSpan};
pub use token::TokenResponse;

/// One public model.
#[derive(Debug)]
pub struct Model {
    /// The class's name in every language.
    pub name: &'static str,
    /// What it is for: one paragraph.
    pub summary: &'static str,
    /// Whether numbers in text and the like are refused.
    pub strict: bool,
    /// Whether members that the model does not know are refused. If not, they are ignored.
    pub closed: bool,
    /// Whether a program may change it after it was made.
    pub mutable: bool,
    /// The model whose fields it has too; they come first.
    pub base: Option<&'static Model>,
    /// The fields, in the order in which they are shown and sent.
    pub fields: &'static [Field],
    /// What holds beyond the single fields, once all are read.
    pub check: Option<Check>,
}

/// Looks at all fields of a model together.
pub type Check = fn(&mut Map<String, Value>) -> Result<(), Fault>;

/// One field of a model.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Name on the wire; other languages spell it their way.
    pub name: &'static str,
    /// What it means: may be empty where the name says it.
    pub summary: &'static str,
    /// How it is read.
    pub rule: Rule,
}

impl Model {
    /// The model of a name.
    pub fn named(name: &str) -> Option<&'static Self> {
        GROUPS.iter().flat_map(|group| group.models).copied().find(|model| model.name == name)
    }

    /// The fields that it does not have from its base.
    pub fn own_fields(&self) -> &'static [Field] {
        &self.fields[self.base.map_or(0, |base| base.fields.len())..]
    }

    /// The field of a name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

/// A Rust struct that stands for a model.
pub trait Described {
    /// Its description.
    const MODEL: &'static Model;
}

/// A group of models that belong together: one file of a language's package.
#[derive(Debug)]
pub struct Group {
    /// The file's name.
    pub name: &'static str,
    /// What its models are about.
    pub summary: &'static str,
    /// The models; each comes after those that it refers to.
    pub models: &'static [&'static Model],
    /// Unions of models, for the types of fields and arguments.
    pub unions: &'static [&'static Choice],
    /// Sets of words that have a name of their own.
    pub words: &'static [Words],
}

/// Some texts, one of which a value can be, under a name.
#[derive(Clone, Copy, Debug)]
pub struct Words {
    /// The type's name in every language.
    pub name: &'static str,
    /// What they say.
    pub summary: &'static str,
    /// The texts.
    pub values: &'static [&'static str],
}

/// Every model there is.
pub const GROUPS: &[Group] = &[
    agents::GROUP,
    approvals::GROUP,
    audit::GROUP,
    calls::GROUP,
    catalogues::GROUP,
    connect::GROUP,
    grants::GROUP,
    identity::GROUP,
    keys::GROUP,
    managed_secrets::GROUP,
    principals::GROUP,
    provider_specs::GROUP,
    spans::GROUP,
    token::GROUP,
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_model_is_found_by_its_name() {
        for model in GROUPS.iter().flat_map(|group| group.models) {
            let found = Model::named(model.name).expect("it is there");
            assert_eq!((found.name, found.summary), (model.name, model.summary), "two models have one name");
        }
        assert!(Model::named("Model").is_none());
    }

    #[test]
    fn what_holds_between_fields_is_looked_at_too() {
        let attempts = |total: u64, successful: u64| json!({ "total_attempts": total, "successful_attempt": successful });
        assert!(RetryInfo::MODEL.read(&attempts(2, 2)).is_ok());
        let fault = RetryInfo::MODEL.read(&attempts(2, 3)).expect_err("there was no third attempt");
        assert_eq!(fault.to_string(), "successful_attempt is more than total_attempts");
    }

    #[test]
    fn a_token_response_keeps_no_secret_part() {
        let parts_left = |parts: Value| {
            let token = json!({ "grant_id": "g", "additional_credentials": parts });
            TokenResponse::MODEL.read(&token).expect("it is a token")["additional_credentials"].clone()
        };
        let parts = json!({ "secret_key": "S", "session_token": "S", "region": "eu" });
        assert_eq!(parts_left(parts), json!({ "region": "eu" }));
        assert_eq!(parts_left(json!({ "secret_key": "S" })), Value::Null);
    }
}

//! Agents, keys and catalogues, as methods of [`App`] and [`Agent`].

use alter_core::client::{Operation, Outcome};
use alter_core::error::Result;
use alter_core::given::Args;
use alter_core::model::{
    APIKeyInfo, AgentCreateResult, AgentInfo, AgentKey, AgentKeyList, AgentKeyMintResult, AgentListResult, EmitSpansResult, MintedKey,
    OAuthProviderCatalog, ProviderSpec, ScopeCatalog, SpecOperationDetail, SpecOperationsPage, UserSpan,
};
use serde_json::Value;

use crate::arguments::{IntoArgument, arguments};
use crate::client::{Agent, App, Handle};

arguments! {
    /// A new agent.
    NewAgent {
        /// What it may ask for, as a JSON object: scopes by provider, and the slugs of stored secrets under `managed_secret_slugs`.
        scopes: Value,
        /// A name for people.
        display_name: impl IntoArgument,
        /// Whatever the application wants to keep with it.
        metadata: Value,
        /// `requires_approval`, for calls that a person must approve.
        policy: Value,
        /// Makes a repeated call give the same agent, without its key.
        idempotency_key: impl IntoArgument,
    }

    /// What changes about an agent. What is not given stays as it is.
    UpdateAgent {
        /// Its name for people.
        display_name: impl IntoArgument,
        /// All of it.
        metadata: Value,
        /// All that it may ask for. More counts at once, less after a time.
        scopes: Value,
        /// All of it.
        policy: Value,
        /// Changes it only if it has this version. With scopes and without this, the version is read first.
        expected_version: u64,
        /// How many seconds a narrowing waits. Only with scopes.
        grace_seconds: u64,
    }

    /// A new key that may do less than the client's own.
    DeriveKey {
        /// The address ranges from which it may be used; those of the client's key by default.
        cidr_allowlist: impl IntoArgument,
        /// A name for people.
        name: impl IntoArgument,
        /// Whatever the application wants to keep with it.
        metadata: Value,
        /// Most calls a minute.
        rate_limit_rpm: u64,
    }

    /// Which operations of a provider, and which page of them.
    ListOperations {
        /// Only operations with this text in id, path or summary.
        search: impl IntoArgument,
        /// At most so many, 1 to 500; 100 by default.
        limit: u64,
        /// Leaves out so many.
        offset: u64,
    }
}

/// An application's managed agents, see [`App::agents`]. All methods fail with `AgentError` and its subclasses for what the vault refuses.
#[derive(Clone, Copy)]
pub struct Agents<'a>(&'a Handle);

impl Agents<'_> {
    async fn one(&self, operation: Operation, agent_id: &str, args: Args) -> Result<Outcome> {
        self.0.operate(operation, args.with("agent_id", agent_id)).await
    }

    /// Makes an agent with a first key, which is shown this once.
    ///
    /// # Errors
    /// `AgentNameExistsError` if another has the name; what else the vault refuses.
    pub async fn create(&self, name: &str, agent: NewAgent) -> Result<AgentCreateResult> {
        self.0.operate(Operation::CreateAgent, agent.0.with("name", name)).await?.one()
    }

    /// One page of the agents, without those that were deleted.
    ///
    /// # Errors
    /// `AlterValueError` for a page that is none; what the vault refuses.
    pub async fn list(&self, limit: u64, offset: u64) -> Result<AgentListResult> {
        self.0.operate(Operation::ListAgents, Args::new().with("limit", limit).with("offset", offset)).await?.one()
    }

    /// An agent.
    ///
    /// # Errors
    /// `AgentNotFoundError`; what else the vault refuses.
    pub async fn get(&self, agent_id: &str) -> Result<AgentInfo> {
        self.one(Operation::GetAgent, agent_id, Args::new()).await?.one()
    }

    /// The agent of a name; `None` if there is none.
    ///
    /// # Errors
    /// What the vault refuses.
    pub async fn get_by_name(&self, name: &str) -> Result<Option<AgentInfo>> {
        match self.0.operate(Operation::GetAgentByName, Args::new().with("name", name)).await? {
            Outcome::Nothing => Ok(None),
            found => found.one().map(Some),
        }
    }

    /// Changes an agent.
    ///
    /// # Errors
    /// `AgentConcurrentUpdateError` if it has another version; what else the vault refuses.
    pub async fn update(&self, agent_id: &str, changes: UpdateAgent) -> Result<AgentInfo> {
        self.one(Operation::UpdateAgent, agent_id, changes.0).await?.one()
    }

    /// Lets an agent do nothing until [`resume`](Self::resume). Its keys and grants stay.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn suspend(&self, agent_id: &str) -> Result<AgentInfo> {
        self.one(Operation::SuspendAgent, agent_id, Args::new()).await?.one()
    }

    /// Ends a suspension.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn resume(&self, agent_id: &str) -> Result<AgentInfo> {
        self.one(Operation::ResumeAgent, agent_id, Args::new()).await?.one()
    }

    /// Ends an agent for good, and all of its keys.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn delete(&self, agent_id: &str) -> Result<AgentInfo> {
        self.one(Operation::DeleteAgent, agent_id, Args::new()).await?.one()
    }

    /// Makes another key of an agent. It is shown this once.
    ///
    /// # Errors
    /// `AgentKeyLimitError`; what else the vault refuses.
    pub async fn mint_key(&self, agent_id: &str) -> Result<AgentKeyMintResult> {
        self.one(Operation::MintAgentKey, agent_id, Args::new()).await?.one()
    }

    /// All keys of an agent, the oldest first, without the keys themselves.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn list_keys(&self, agent_id: &str) -> Result<AgentKeyList> {
        self.one(Operation::ListAgentKeys, agent_id, Args::new()).await?.one()
    }

    /// Has whoever uses a key warned that it will end, or takes the warning back.
    ///
    /// # Errors
    /// `KeyNotFoundError`, `KeyAlreadyRevokedError`; what else the vault refuses.
    pub async fn deprecate_key(&self, agent_id: &str, key_id: &str, deprecated: bool) -> Result<AgentKey> {
        let operation = if deprecated { Operation::DeprecateAgentKey } else { Operation::UndeprecateAgentKey };
        self.one(operation, agent_id, Args::new().with("key_id", key_id)).await?.one()
    }

    /// Ends a key for good; the agent's last one only with `force`.
    ///
    /// # Errors
    /// `LastActiveKeyError`; what else the vault refuses.
    pub async fn revoke_key(&self, agent_id: &str, key_id: &str, force: bool) -> Result<AgentKey> {
        self.one(Operation::RevokeAgentKey, agent_id, Args::new().with("key_id", key_id).with("force", force)).await?.one()
    }
}

/// API keys that are made of a client's own, see [`App::keys`].
#[derive(Clone, Copy)]
pub struct Keys<'a>(&'a Handle);

impl Keys<'_> {
    /// Makes a key that lives so many seconds and may do less than the client's own: at least one scope.
    ///
    /// # Errors
    /// `AlterValueError` before anything is sent; `InsufficientScopeError`; what else the vault refuses.
    pub async fn derive(&self, scopes: &[&str], expires_in: u64, key: DeriveKey) -> Result<MintedKey> {
        let args = key.0.with("scopes", scopes.into_argument()).with("expires_in", expires_in);
        self.0.operate(Operation::DeriveKey, args).await?.one()
    }

    /// Makes the successor of a key. The old one works for 0 to 30 days more.
    ///
    /// # Errors
    /// As [`derive`](Self::derive).
    pub async fn rotate(&self, key_id: &str, overlap_days: u64) -> Result<MintedKey> {
        self.0.operate(Operation::RotateKey, Args::new().with("key_id", key_id).with("overlap_days", overlap_days)).await?.one()
    }

    /// Ends a key, and all that were derived from it; an agent's last one only with `force`.
    ///
    /// # Errors
    /// As [`derive`](Self::derive).
    pub async fn revoke(&self, key_id: &str, force: bool) -> Result<APIKeyInfo> {
        self.0.operate(Operation::RevokeKey, Args::new().with("key_id", key_id).with("force", force)).await?.one()
    }
}

impl App {
    /// The application's managed agents.
    ///
    /// ```no_run
    /// # async fn run(app: alter_sdk::App) -> alter_sdk::Result<()> {
    /// use alter_sdk::NewAgent;
    /// let scopes = serde_json::json!({ "google": ["gmail.readonly"] });
    /// let created = app.agents().create("email-assistant", NewAgent::new().scopes(scopes)).await?;
    /// println!("{}", created.agent.id);
    /// # Ok(())
    /// # }
    /// ```
    pub fn agents(&self) -> Agents<'_> {
        Agents(&self.0)
    }
}

impl Agent {
    /// The agent that this client is, as the vault knows it; also while it is suspended.
    ///
    /// # Errors
    /// `MeRequiresAgentKeyError` if the client's key is no agent's own; what else the vault refuses.
    pub async fn me(&self) -> Result<AgentInfo> {
        self.0.operate(Operation::Me, Args::new()).await?.one()
    }
}

macro_rules! shared_parts {
    ($client:ident) => {
        impl $client {
            /// API keys that are made of this client's own.
            pub fn keys(&self) -> Keys<'_> {
                Keys(&self.0)
            }

            /// The scopes that API keys can have.
            ///
            /// # Errors
            /// What the vault refuses.
            pub async fn list_scopes(&self) -> Result<ScopeCatalog> {
                self.0.operate(Operation::ListScopes, Args::new()).await?.one()
            }

            /// The OAuth providers that people can connect. They are kept for five minutes, unless they are asked for anew.
            ///
            /// # Errors
            /// What the vault refuses.
            pub async fn list_oauth_providers(&self, force_refresh: bool) -> Result<OAuthProviderCatalog> {
                self.0.operate(Operation::ListOAuthProviders, Args::new().with("force_refresh", force_refresh)).await?.one()
            }

            /// The documents of providers' APIs, all of them or those of one kind: `oauth` or `managed`.
            ///
            /// # Errors
            /// `AlterValueError` for another kind; what the vault refuses.
            pub async fn list_provider_specs(&self, kind: Option<&str>) -> Result<Vec<ProviderSpec>> {
                self.0.operate(Operation::ListProviderSpecs, Args::new().with_some("kind", kind)).await?.many()
            }

            /// A provider's document, without what is in it.
            ///
            /// # Errors
            /// `GrantNotFoundError` if there is none; what else the vault refuses.
            pub async fn get_provider_spec(&self, kind: &str, provider_id: &str) -> Result<ProviderSpec> {
                let args = Args::new().with("kind", kind).with("provider_id", provider_id);
                self.0.operate(Operation::GetProviderSpec, args).await?.one()
            }

            /// One page of a provider's operations.
            ///
            /// # Errors
            /// As [`get_provider_spec`](Self::get_provider_spec).
            pub async fn list_operations(&self, kind: &str, provider_id: &str, which: ListOperations) -> Result<SpecOperationsPage> {
                let args = which.0.with("kind", kind).with("provider_id", provider_id);
                self.0.operate(Operation::ListProviderOperations, args).await?.one()
            }

            /// One operation of a provider with its parameters.
            ///
            /// # Errors
            /// As [`get_provider_spec`](Self::get_provider_spec).
            pub async fn get_operation(&self, kind: &str, provider_id: &str, operation_id: &str) -> Result<SpecOperationDetail> {
                let args = Args::new().with("kind", kind).with("provider_id", provider_id).with("operation_id", operation_id);
                self.0.operate(Operation::GetProviderOperation, args).await?.one()
            }

            /// Tells the vault 1 to 50 steps of this program: labels beside its own records.
            ///
            /// # Errors
            /// `AlterValueError` if one is malformed; what the vault refuses.
            pub async fn emit_spans(&self, spans: &[UserSpan]) -> Result<EmitSpansResult> {
                let spans = serde_json::to_value(spans).unwrap_or(Value::Null);
                self.0.operate(Operation::EmitSpans, Args::new().with("spans", spans)).await?.one()
            }
        }
    };
}

shared_parts!(App);
shared_parts!(Agent);

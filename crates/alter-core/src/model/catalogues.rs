//! What a vault knows: the scopes of API keys, and the providers of its application.

use super::declare::models;
use super::{Group, Rule};
use std::collections::BTreeMap;

pub(super) const GROUP: Group = Group {
    name: "catalogues",
    summary: "What a vault knows: the scopes of API keys, and the providers of its application.",
    models: &[
        ResourceScopes::MODEL,
        ScopeCatalog::MODEL,
        OAuthProviderScopeInfo::MODEL,
        OAuthProviderCatalogItem::MODEL,
        OAuthProviderCatalog::MODEL,
    ],
    unions: &[],
    words: &[],
};

models! {
    /// What can be done with one kind of resource.
    ResourceScopes {
        /// The second part of a scope: `retrieve` in `tokens:retrieve`.
        verbs: Vec<String> = Rule::texts(),
    }

    /// The scopes that API keys can have.
    ScopeCatalog {
        scope_version: i64 = Rule::whole(),
        /// By the first part of a scope: `tokens` in `tokens:retrieve`.
        resources: BTreeMap<String, ResourceScopes> = Rule::model_map(ResourceScopes::MODEL),
        action_verbs: Vec<String> = Rule::texts(),
        deprecated: Vec<String> = Rule::texts_or_empty(),
    }

    /// A scope of an OAuth provider.
    OAuthProviderScopeInfo {
        description: String = Rule::text(),
        /// Whether every login asks for it.
        required: bool = Rule::flag(),
        /// Whether a login asks for it unless others are named.
        is_default: bool = Rule::flag(),
        /// The scopes that it needs beside it.
        requires: Vec<String> = Rule::texts(),
    }

    /// An OAuth provider.
    OAuthProviderCatalogItem {
        id: String = Rule::text(),
        name: String = Rule::text(),
        display_name: String = Rule::text(),
        category: Option<String> = Rule::text().or_null(),
        description: Option<String> = Rule::text().or_null(),
        logo_url: Option<String> = Rule::text().or_null(),
        supports_refresh: bool = Rule::flag(),
        supports_pkce: bool = Rule::flag(),
        available_scopes: BTreeMap<String, OAuthProviderScopeInfo> = Rule::model_map(OAuthProviderScopeInfo::MODEL),
        default_scopes: Vec<String> = Rule::texts(),
        required_scopes: Vec<String> = Rule::texts(),
        status: String = Rule::text(),
    }

    /// The OAuth providers that people can connect.
    OAuthProviderCatalog {
        /// By their ids.
        providers: BTreeMap<String, OAuthProviderCatalogItem> = Rule::model_map(OAuthProviderCatalogItem::MODEL),
    }
}

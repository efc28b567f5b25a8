//! Descriptions of providers' APIs, as an operator has loaded them.

use super::{AppId, SpecId, words};
use crate::clock::Timestamp;

words! {
    /// Of what kind the provider of a spec is.
    pub enum SpecKind {
        /// An OAuth provider; named by its id.
        Oauth = "oauth",
        /// What a managed secret is for; named by the secret's slug.
        Managed = "managed",
    }
}

/// The description of one provider's API. Its operations are kept beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderSpec {
    /// Its id.
    pub id: SpecId,
    /// The app that it was loaded for.
    pub app: AppId,
    /// Of what kind the provider is.
    pub kind: SpecKind,
    /// The provider's id or slug; with the kind unique in the app.
    pub provider: String,
    /// The document's title.
    pub title: Option<String>,
    /// The version of the API that the document describes.
    pub spec_version: Option<String>,
    /// 1 at first; one more whenever its content changes.
    pub version: u32,
    /// Where the document is from.
    pub source_url: Option<String>,
    /// Who brought it: `operator`.
    pub provenance: String,
    /// SHA-256 of the document, hexadecimal.
    pub content_hash: String,
    /// How many operations it has.
    pub operation_count: u32,
    /// When it was last loaded.
    pub fetched_at: Timestamp,
    /// When its content last changed.
    pub changed_at: Timestamp,
}

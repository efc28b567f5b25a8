//! Registrations: an app as a client of an OAuth provider or of an identity provider.

use super::{AppId, RegistrationId, words};
use crate::clock::Timestamp;

words! {
    /// At whom an app is registered.
    pub enum RegistrationKind {
        /// An OAuth provider, whose API is called on a person's behalf.
        Provider = "provider",
        /// The app's identity provider, at which its users sign in. An app has at most one; its name is `default`.
        IdentityProvider = "identity_provider",
    }
}

/// An app's registration as a client. Its settings are JSON of its kind's own; the client secret is sealed apart, in the field `client_secret`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Its id. The client secret is sealed to it, so it never changes.
    pub id: RegistrationId,
    /// The app.
    pub app: AppId,
    /// At whom.
    pub kind: RegistrationKind,
    /// The provider's id; unique in the app and kind.
    pub name: String,
    /// The settings: JSON text without secrets.
    pub body: String,
    /// 1 when made, one more with every change.
    pub version: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

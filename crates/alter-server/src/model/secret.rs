//! Managed secrets: a provider credential that an operator stored, with where it may go and how it is put into a request.

use std::collections::BTreeMap;

use super::{AppId, SecretId, words};
use crate::clock::Timestamp;

words! {
    /// How the operator described the secret. The injection is what counts; this is kept so that it can be shown and edited as entered.
    pub enum SecretKind {
        /// `Authorization: Bearer …`.
        Bearer = "bearer",
        /// A header of its own.
        Header = "header",
        /// User name and password, RFC 7617.
        Basic = "basic",
        /// A query parameter.
        Query = "query",
        /// AWS access keys, signed with SigV4 by the client.
        Aws = "aws",
        /// A template or several injections at once.
        Custom = "custom",
    }
}

words! {
    /// Whether the secret can still be used.
    pub enum SecretStatus {
        /// In use.
        Active = "active",
        /// Deleted: the values are erased, the row stays so that old grants and audit rows keep their meaning.
        Deleted = "deleted",
    }
}

words! {
    /// Where an additional injection goes.
    pub enum InjectionTarget {
        /// A request header.
        Header = "header",
        /// A query parameter.
        QueryParam = "query_param",
    }
}

/// One additional injection, in the shape of the token answer's `additional_injections`.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InjectionRule {
    /// Header or query parameter.
    pub target: InjectionTarget,
    /// The header's or parameter's name.
    pub key: String,
    /// `token`, or `additional_credentials.` and a field's name.
    pub value_source: String,
}

/// How the secret is put into a request: the injection part of the token answer. It names fields, it never holds a value.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretInjection {
    /// `injection_header` of the token answer.
    pub header: String,
    /// `injection_format` of the token answer; contains `{token}` or starts with `AWS4-HMAC-SHA256`.
    pub format: String,
    /// `additional_injections` of the token answer.
    #[serde(default)]
    pub additional: Vec<InjectionRule>,
}

/// A managed secret without its values. Those are sealed apart ([`crate::crypto::SealedSecret`]): the field `token` is the access token of
/// the token answer, every other field one of its additional credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagedSecret {
    /// Its id. Values are sealed to it, so it never changes.
    pub id: SecretId,
    /// The app it belongs to.
    pub app: AppId,
    /// Its name in `provider=`; unique in the app among secrets that are not deleted.
    pub slug: String,
    /// A name for people.
    pub name: String,
    /// How it was described.
    pub kind: SecretKind,
    /// 1 when made, one more with every change of anything in here or of the values. A call judged under one version is not released under another.
    pub version: u32,
    /// Hosts that it may be sent to, as entered (`api.example.com`, `api.example.com:8443`, `*.example.com`). Never empty.
    pub allowed_hosts: Vec<String>,
    /// How it is put into a request.
    pub injection: SecretInjection,
    /// Settings that are not secret and are shown in full, such as `region` and `service` of an AWS secret. Sent as additional credentials.
    pub parameters: BTreeMap<String, String>,
    /// Whether it can still be used.
    pub status: SecretStatus,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed or deleted.
    pub updated_at: Timestamp,
}

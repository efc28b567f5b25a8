//! Request signing, versions 1 and 2.
//!
//! The client signs every request to the vault with a key derived from its API key; the vault derives the same key from the
//! `x-api-key` header, once the header's digest matched. What is signed is a list of lines, see [`StringToSign`].

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::encoding::{form_join, form_split, hex, percent_decode};

/// Names of the headers that take part in signing, in lower case as HTTP/2 sends them.
pub mod headers {
    /// The API key itself.
    pub const API_KEY: &str = "x-api-key";
    /// Unix seconds, decimal.
    pub const TIMESTAMP: &str = "x-alter-timestamp";
    /// 32 lower-case hexadecimal characters, never used twice with one key.
    pub const NONCE: &str = "x-alter-nonce";
    /// Hexadecimal SHA-256 of the body.
    pub const CONTENT_SHA256: &str = "x-alter-content-sha256";
    /// The signature: version 2 if there is an identity header, else version 1.
    pub const SIGNATURE: &str = "x-alter-signature";
    /// The version 2 signature again, only if there is an identity header.
    pub const SIGNATURE_V2: &str = "x-alter-signature-v2";
    /// Scopes that this request narrows its key to, joined by commas.
    pub const SCOPE_CONSTRAINTS: &str = "x-alter-scope-constraints";
    /// A request rule: base64url of JSON, no padding.
    pub const REQUEST_RULE: &str = "x-alter-request-rule";
    /// Who makes the call, in the application's words.
    pub const CALLER: &str = "x-alter-caller";
    /// `agent` or `service`.
    pub const CALLER_TYPE: &str = "x-alter-caller-type";
    /// The id that the vault gave this caller.
    pub const ACTOR_ID: &str = "x-alter-actor-id";
    /// Metadata of the call, a compact JSON object.
    pub const CONTEXT: &str = "x-alter-context";
}

/// How far the clocks of client and vault may differ, in seconds.
pub const CLOCK_TOLERANCE_SECONDS: i64 = 300;

const KEY_DERIVATION_MESSAGE: &[u8] = b"alter-signing-v1";

/// The key that signs, derived from an API key. Wiped on drop, never shown.
#[derive(Clone)]
pub struct SigningKey(Zeroizing<[u8; 32]>);

impl SigningKey {
    /// `HMAC-SHA256(key = the whole API key, message = "alter-signing-v1")`.
    pub fn derive(api_key: &str) -> Self {
        Self(Zeroizing::new(hmac_sha256(api_key.as_bytes(), KEY_DERIVATION_MESSAGE)))
    }

    /// Signs a [`StringToSign`]: lower-case hexadecimal HMAC-SHA256.
    pub fn sign(&self, string_to_sign: &str) -> String {
        hex(&hmac_sha256(&*self.0, string_to_sign.as_bytes()))
    }

    /// The raw key, for the vectors and for nothing else.
    #[doc(hidden)]
    pub fn hex(&self) -> String {
        hex(&*self.0)
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey([redacted])")
    }
}

/// HMAC-SHA256, 32 raw bytes.
pub(crate) fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    // HMAC takes a key of any length, so this cannot fail.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC accepts keys of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// Lower-case hexadecimal SHA-256 of the exact body bytes (of nothing, if there is no body).
pub fn content_sha256(body: &[u8]) -> String {
    hex(&Sha256::digest(body))
}

/// The values of one request that are signed. Absent headers are empty strings: an empty header and none are the same.
#[derive(Clone, Copy, Debug, Default)]
pub struct StringToSign<'a> {
    /// HTTP method, upper-cased before signing.
    pub method: &'a str,
    /// Result of [`canonical_path_and_query`], without the base URL's own path.
    pub path_and_query: &'a str,
    /// `x-alter-timestamp`.
    pub timestamp: &'a str,
    /// `x-alter-nonce`.
    pub nonce: &'a str,
    /// `x-alter-content-sha256`.
    pub content_sha256: &'a str,
    /// `x-alter-scope-constraints`.
    pub scope_constraints: &'a str,
    /// `x-alter-request-rule`.
    pub request_rule: &'a str,
    /// `x-alter-caller`.
    pub caller: &'a str,
    /// `x-alter-caller-type`.
    pub caller_type: &'a str,
    /// `x-alter-actor-id`.
    pub actor_id: &'a str,
    /// `x-alter-context`.
    pub context: &'a str,
}

impl StringToSign<'_> {
    /// Version 1: what is asked and how far it is narrowed. The scope line is always there, so without scopes the text ends in a line feed.
    pub fn v1(&self) -> String {
        let mut text =
            [&self.method.to_uppercase(), self.path_and_query, self.timestamp, self.nonce, self.content_sha256, self.scope_constraints]
                .join("\n");
        push_labelled(&mut text, "request-rule", self.request_rule);
        text
    }

    /// Version 2: version 1 and who asks. `None` if there is no identity header at all; the request is then signed with version 1.
    pub fn v2(&self) -> Option<String> {
        let identity =
            [("caller", self.caller), ("caller-type", self.caller_type), ("actor-id", self.actor_id), ("actor-context", self.context)];
        if identity.iter().all(|(_, value)| value.is_empty()) {
            return None;
        }
        let mut text = self.v1();
        for (label, value) in identity {
            push_labelled(&mut text, label, value);
        }
        Some(text)
    }
}

/// Appends `label:value` as a line of its own, if there is a value.
fn push_labelled(text: &mut String, label: &str, value: &str) {
    if !value.is_empty() {
        text.push('\n');
        text.push_str(label);
        text.push(':');
        text.push_str(value);
    }
}

/// The form in which path and query are signed: the path decoded once, the query's pairs decoded, sorted and encoded again.
/// Servers and proxies may re-encode what they forward; this form survives it.
///
/// ```
/// use alter_core::signing::canonical_path_and_query;
/// assert_eq!(canonical_path_and_query("/sdk/x%2Fy?b=2&a=1"), "/sdk/x/y?a=1&b=2");
/// ```
pub fn canonical_path_and_query(target: &str) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = percent_decode(path);
    if query.is_empty() {
        return path;
    }
    let mut pairs = form_split(query);
    pairs.sort();
    format!("{path}?{}", form_join(&pairs))
}

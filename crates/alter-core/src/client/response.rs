//! What a call gives back.

use std::time::Duration;

use bytes::Bytes;

use crate::token::RetryInfo;

/// The provider's answer. No part of it holds the credential.
#[derive(Clone, Debug)]
pub struct Response {
    /// Status code: below 400, unless the call was sent unjudged.
    pub status: u16,
    /// The status line's own words, where the protocol has them.
    pub reason_phrase: Option<String>,
    /// HTTP version in use.
    pub version: http::Version,
    /// The provider's headers.
    pub headers: http::HeaderMap,
    /// The whole body, decompressed.
    pub body: Bytes,
    /// How many bytes the body had on the wire.
    pub bytes_on_wire: usize,
    /// From sending the provider request to having its whole answer.
    pub elapsed: Duration,
    /// What the vault went through to get the token.
    pub retry_info: Option<RetryInfo>,
    /// The request as it went out, without what was injected.
    pub request: SentRequest,
}

/// A request to a provider, as its caller may see it: no injected header, no injected query parameter.
#[derive(Clone, Debug)]
pub struct SentRequest {
    /// Upper case.
    pub method: String,
    /// Normalized, with `query_params`.
    pub url: String,
    /// The caller's headers and what the engine added for the body.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl Response {
    /// The body as text; bytes that are not UTF-8 become U+FFFD.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it is not JSON of the wanted shape.
    pub fn json<T: serde::de::DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }

    /// A header's first value, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

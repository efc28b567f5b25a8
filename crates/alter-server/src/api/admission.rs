//! What bounds the use of a key besides its scopes: where requests come from, and how many there are.

use std::net::IpAddr;

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::client_address;
use super::refusal::Refusal;
use crate::model::{ApiKey, Networks};
use crate::store::RateState;

/// Requests a minute that a key may make unless it has a limit of its own.
pub const USUAL_LIMIT: u32 = 600;
/// Seconds that a count is kept for.
const WINDOW: i64 = 60;

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// What the operator has set about callers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// Requests a minute that a key may make unless it has a limit of its own.
    pub usual_limit: u32,
    /// Proxies that are believed about where a request came from.
    pub trusted_proxies: Option<Networks>,
}

impl Default for Admission {
    fn default() -> Self {
        Self { usual_limit: USUAL_LIMIT, trusted_proxies: None }
    }
}

impl Admission {
    /// Where a request came from, if that is known.
    pub fn source(&self, parts: &Parts) -> Option<IpAddr> {
        client_address::of(parts, self.trusted_proxies.as_ref())
    }

    /// Refuses a request from where its key may not be used.
    ///
    /// # Errors
    /// 403 `ip_not_allowed`. The audit row has the address; the client is not told what the vault sees.
    pub fn judge_address(&self, key: &ApiKey, address: Option<IpAddr>) -> Result<(), Refusal> {
        let Some(networks) = &key.networks else { return Ok(()) };
        if address.is_some_and(|address| networks.contains(address)) {
            return Ok(());
        }
        let reason = match address {
            Some(address) => format!("the request came from {address}, which is in none of the key's networks"),
            None => "where the request came from is not known, and the key is bound to networks".to_owned(),
        };
        let message = "This key may not be used from where the request came from. Call from one of its networks, or use another key.";
        Err(Refusal::forbidden("ip_not_allowed", message).because(reason))
    }
}

/// 429: the key has made its requests of this minute. `now` is Unix time in seconds.
pub fn too_many(state: RateState, now: i64) -> Refusal {
    let wait = u32::try_from((state.resets_at - now).clamp(1, WINDOW)).unwrap_or(1);
    let message = format!("This key may make {} requests a minute, and has made them. Wait for the next minute.", state.limit);
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded", message)
        .with("scope", "key")
        .with("limit", state.limit)
        .with("window_seconds", WINDOW)
        .with("retry_after", wait)
        .retry_after(wait)
}

/// Tells a client what is left of its limit.
pub fn tell(headers: &mut HeaderMap, state: RateState) {
    headers.insert(LIMIT, state.limit.into());
    headers.insert(REMAINING, state.remaining.into());
    headers.insert(RESET, HeaderValue::from(state.resets_at));
}

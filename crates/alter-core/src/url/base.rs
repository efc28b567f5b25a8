//! The vault's own address.

use super::{is_loopback, quoted, split_port};
use crate::error::{Error, Kind, Result};

/// Where the vault is, if nobody says otherwise.
pub const DEFAULT: &str = "https://backend.alterauth.com";

/// The environment variable that says otherwise.
pub const ENVIRONMENT_VARIABLE: &str = "ALTER_BASE_URL";

/// Checks a base URL and takes the slashes off its end; nothing else is changed.
///
/// # Errors
/// `AlterSDKError`: empty, not `http` or `https`, no host, bad port, user info, a query or fragment, or `http` to a host that is not loopback.
///
/// ```
/// use alter_core::url::base::normalize;
/// assert_eq!(normalize("https://vault.example/base/")?, "https://vault.example/base");
/// assert!(normalize("http://vault.example").is_err());
/// # Ok::<(), alter_core::error::Error>(())
/// ```
pub fn normalize(value: &str) -> Result<String> {
    let base = value.trim_end_matches('/');
    let refuse = |why: &str| {
        let text = format!("{ENVIRONMENT_VARIABLE} {why}. Set it to your vault's address, for example http://127.0.0.1:7117.");
        Err(Error::new(Kind::AlterSdk, text).with_code("invalid_base_url"))
    };
    if base.trim().is_empty() {
        return refuse("is empty");
    }
    if base.chars().any(|c| c.is_ascii_control()) {
        return refuse("holds a control character");
    }
    let Some((scheme, rest)) = base.trim_start().split_once("://") else {
        return refuse(&format!("is not a URL: {}", quoted(base)));
    };
    let scheme = scheme.to_ascii_lowercase();
    if scheme != "http" && scheme != "https" {
        return refuse(&format!("must begin with https:// or http://, not {}", quoted(&format!("{scheme}://"))));
    }
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    if authority.contains('@') {
        return refuse("holds a user name or password");
    }
    let Some((host, port)) = split_port(authority) else {
        return refuse(&format!("has a malformed host: {}", quoted(authority)));
    };
    if host.is_empty() {
        return refuse("has no host");
    }
    if let Some(port) = port.filter(|port| !port.is_empty())
        && (port.parse::<u16>().is_err() || !port.bytes().all(|b| b.is_ascii_digit()))
    {
        return refuse(&format!("has a port that is not a number from 0 to 65535: {}", quoted(port)));
    }
    if has_query_or_fragment(tail) {
        return refuse("has a query or fragment");
    }
    if scheme == "http" && !is_loopback(host.trim_start_matches('[').trim_end_matches(']')) {
        return refuse(&format!("uses http for {}; only localhost, 127.0.0.1 and [::1] may", quoted(host)));
    }
    Ok(base.to_owned())
}

/// A bare `?` or `#` at the end says nothing and passes.
fn has_query_or_fragment(tail: &str) -> bool {
    let (before_fragment, fragment) = tail.split_once('#').unwrap_or((tail, ""));
    let query = before_fragment.split_once('?').map_or("", |(_, query)| query);
    !fragment.is_empty() || !query.is_empty()
}

/// Whether requests to this base go out without TLS.
pub fn is_cleartext(base: &str) -> bool {
    base.trim_start().get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http:"))
}

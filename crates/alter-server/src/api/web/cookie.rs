//! The vault's cookies: for this host only, out of reach of scripts, and where there is TLS never sent without it.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderValue;
use http::header::COOKIE;
use http::request::Parts;

use crate::api::Vault;

/// Whether browsers reach the vault over TLS.
fn secure(vault: &Vault) -> bool {
    vault.public_url.starts_with("https://")
}

/// The name on the wire. `__Host-` makes the browser refuse the cookie from any other host, path or clear-text page.
fn full_name(vault: &Vault, name: &str) -> String {
    if secure(vault) { format!("__Host-{name}") } else { name.to_owned() }
}

/// A `Set-Cookie` value. `Lax`, since the browser comes back from another site; nothing is changed by a request that only brings the cookie.
pub fn set(vault: &Vault, name: &str, value: &str, life: Duration) -> HeaderValue {
    set_for(vault, name, value, life, "Lax")
}

/// A `Set-Cookie` value of a cookie that only requests from the vault's own pages bring.
pub fn set_strict(vault: &Vault, name: &str, value: &str, life: Duration) -> HeaderValue {
    set_for(vault, name, value, life, "Strict")
}

fn set_for(vault: &Vault, name: &str, value: &str, life: Duration, same_site: &str) -> HeaderValue {
    let name = full_name(vault, name);
    let tls = if secure(vault) { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={}; HttpOnly; SameSite={same_site}{tls}", life.as_secs());
    // Names are ours; values are base64url, digits and dots: always a valid header.
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// A `Set-Cookie` value that removes one.
pub fn clear(vault: &Vault, name: &str) -> HeaderValue {
    set(vault, name, "", Duration::ZERO)
}

/// The value of a cookie that stands in the request once. Twice is none: one of them may have been planted.
pub fn get(parts: &Parts, vault: &Vault, name: &str) -> Option<String> {
    let name = full_name(vault, name);
    let pairs = parts.headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(';'));
    let mut found = pairs.filter_map(|pair| pair.trim().split_once('=')).filter(|(key, _)| *key == name).map(|(_, value)| value);
    match (found.next(), found.next()) {
        (Some(value), None) if !value.is_empty() => Some(value.to_owned()),
        _ => None,
    }
}

/// What is stored of a cookie.
pub fn digest(vault: &Vault, value: &str) -> String {
    URL_SAFE_NO_PAD.encode(vault.keys.digest(value).0)
}

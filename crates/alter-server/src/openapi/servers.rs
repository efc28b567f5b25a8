//! Where an operation is served: a path stands below the URLs of `servers` (of version 2.0: `host` and `basePath`).

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Most servers of one operation.
const MOST: usize = 16;

/// A place where an operation can be called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The host in lower case; `None` for any host that the credential is for.
    pub host: Option<String>,
    /// The whole path, with names in braces.
    pub path: String,
}

/// The places of an operation. The servers of the operation win over those of its path, and these over the document's.
pub(super) fn places(document: &Value, item: &Value, described: &Value, path: &str) -> Vec<Place> {
    let servers =
        [described, item, document].into_iter().find_map(|holder| holder.get("servers")?.as_array().filter(|list| !list.is_empty()));
    let mut places: Vec<Place> = match servers {
        Some(servers) => servers.iter().take(MOST).filter_map(|server| below(server.get("url")?.as_str()?, path)).collect(),
        None => {
            let base = document.get("basePath").and_then(Value::as_str).unwrap_or_default();
            let host = document.get("host").and_then(Value::as_str).and_then(plain_host);
            vec![Place { host, path: joined(base, path) }]
        }
    };
    places.dedup();
    places
}

fn below(url: &str, path: &str) -> Option<Place> {
    let Some((scheme, rest)) = url.split_once("://") else {
        return Some(Place { host: None, path: joined(url, path) });
    };
    if !scheme.eq_ignore_ascii_case("https") && !scheme.eq_ignore_ascii_case("http") {
        return None;
    }
    let (authority, base) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    Some(Place { host: plain_host(authority), path: joined(base, path) })
}

/// A host without its port; `None` if a variable stands in it.
fn plain_host(authority: &str) -> Option<String> {
    let host = authority.rsplit_once(':').filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit())).map_or(authority, |(host, _)| host);
    (!host.is_empty() && !host.contains(['{', '@'])).then(|| host.to_ascii_lowercase())
}

fn joined(base: &str, path: &str) -> String {
    let base = base.trim_end_matches('/');
    let slash = if base.is_empty() || base.starts_with('/') { "" } else { "/" };
    format!("{slash}{base}{path}")
}

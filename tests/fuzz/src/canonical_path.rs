//! Paths and queries: what is signed does not depend on how it was escaped or ordered, and what is sent is what was checked.

use alter_core::signing::canonical_path_and_query;
use alter_core::url::ProviderUrl;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, percent_encode};

/// The input is a request target, or a whole URL.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    signed(text);
    let url = if text.contains("://") { text.to_owned() } else { format!("https://h.example/{text}") };
    if let Ok(parsed) = ProviderUrl::parse(&url) {
        sent(&url, &parsed);
    }
}

/// The canonical form against second readers of its two parts.
fn signed(target: &str) {
    let canonical = canonical_path_and_query(target);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    let rest = canonical.strip_prefix(&*decoded).expect("the path is decoded once");
    let Some(pairs) = rest.strip_prefix('?') else {
        assert_eq!((rest, query), ("", ""), "{target:?}");
        return;
    };
    let mut wanted: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
    wanted.sort();
    assert_eq!(form_urlencoded::parse(pairs.as_bytes()).collect::<Vec<_>>(), wanted, "{target:?}");
    assert_eq!(canonical_path_and_query(&format!("/?{pairs}")), if pairs.is_empty() { "/".to_owned() } else { format!("/?{pairs}") });

    // A proxy may escape more of the path, and the pairs have no order of their own.
    let escaped = percent_encode(&percent_decode_str(path).collect::<Vec<u8>>(), NON_ALPHANUMERIC).to_string();
    let reversed = query.split('&').rev().collect::<Vec<_>>().join("&");
    assert_eq!(canonical_path_and_query(&format!("{escaped}?{reversed}")), canonical, "{target:?}");
}

fn sent(text: &str, url: &ProviderUrl) {
    let again = ProviderUrl::parse(&url.to_text()).expect("what is sent is accepted");
    assert!(again == *url, "{text:?} becomes {:?}, and that {:?}", url.to_text(), again.to_text());

    let target = url.target();
    assert!(target.starts_with('/') && target.bytes().all(|b| b.is_ascii_graphic()) && !target.contains('#'), "{target:?}");
    assert!(!url.path().split('/').any(|segment| segment == "." || segment == ".."), "{target:?}");
    let slashes = |text: &str| text.bytes().filter(|b| *b == b'/').count();
    // Two slashes belong to the scheme; a path that is not there is one.
    assert!(slashes(url.path()) <= slashes(text).saturating_sub(2).max(1), "{text:?} has gained a segment: {target:?}");

    if let Ok(uri) = url.to_uri() {
        assert_eq!(uri.path_and_query().map(ToString::to_string), Some(target));
        assert_eq!(uri.host().map(|host| host.trim_matches(['[', ']'])), Some(url.host()));
        assert_eq!(uri.port_u16().unwrap_or(url.scheme().default_port()), url.port());
    }
    same_host(text, url);
}

/// Where a WHATWG reader finds a host, it is the same one: nobody judges one host and calls another.
fn same_host(text: &str, url: &ProviderUrl) {
    let Ok(other) = url::Url::parse(text) else { return };
    // Numbers are where WHATWG rewrites hosts (`0x7f.1` is 127.0.0.1), and escapes where it decodes them. We send both as they are written,
    // and no list of allowed hosts can hold them.
    let last = url.host().trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let rewritten = url.host().contains('%') || last.starts_with(|c: char| c.is_ascii_digit());
    if let (false, Some(host)) = (rewritten, other.host_str()) {
        assert_eq!(host.trim_matches(['[', ']']), url.host(), "{text:?}");
    }
    assert_eq!(other.port_or_known_default(), Some(url.port()), "{text:?}");
}

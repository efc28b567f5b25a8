//! The vault's reader of signed requests: two readers agree about what is signed, a rightly signed head passes, and no head passes with
//! anything of it taken away or changed.

use alter_core::signing::{SigningKey, StringToSign, canonical_path_and_query, content_sha256, headers};
use alter_server::api::{HostPolicy, judge_signed_head};
use http::request::Parts;
use http::{HeaderValue, Request};

const KEY: &str = "alter_rk_abcdefghijklmnopqrstuv_iwpykn";
const NONCE: &str = "000102030405060708090a0b0c0d0e0f";
const NOW: i64 = 1_767_225_600;

/// Headers that the sender chooses. The others prove who it is, and are written by [`signed`].
const CHOSEN: [&str; 6] =
    [headers::SCOPE_CONSTRAINTS, headers::REQUEST_RULE, headers::CALLER, headers::CALLER_TYPE, headers::ACTOR_ID, headers::CONTEXT];
const PROOF: [&str; 6] =
    [headers::API_KEY, headers::TIMESTAMP, headers::NONCE, headers::CONTENT_SHA256, headers::SIGNATURE, headers::SIGNATURE_V2];

/// Judges a head as it came, and signed by somebody who may.
pub fn check(parts: &Parts, body: &[u8]) {
    let readable = PROOF.iter().chain(&CHOSEN).all(|name| is_one_text(parts, name));
    let judged = judge_signed_head(parts, body, NOW);
    assert_eq!(judged == Err("invalid_header"), !readable, "{parts:?}");
    host(parts);
    if CHOSEN.iter().all(|name| is_one_text(parts, name)) {
        let parts = signed(parts, body);
        assert_eq!(judge_signed_head(&parts, body, NOW), Ok(()), "{parts:?}");
        nothing_can_change(&parts, body);
    }
}

fn is_one_text(parts: &Parts, name: &str) -> bool {
    let values: Vec<_> = parts.headers.get_all(name).iter().collect();
    values.len() <= 1 && values.iter().all(|value| std::str::from_utf8(value.as_bytes()).is_ok())
}

fn value<'a>(parts: &'a Parts, name: &str) -> &'a str {
    parts.headers.get(name).and_then(|value| std::str::from_utf8(value.as_bytes()).ok()).unwrap_or_default()
}

/// The same head with a proof that fits.
fn signed(parts: &Parts, body: &[u8]) -> Parts {
    let mut parts = parts.clone();
    let (time, hash) = (NOW.to_string(), content_sha256(body));
    let text = StringToSign {
        method: parts.method.as_str(),
        path_and_query: &canonical_path_and_query(parts.uri.path_and_query().map_or("/", |target| target.as_str())),
        timestamp: &time,
        nonce: NONCE,
        content_sha256: &hash,
        scope_constraints: value(&parts, headers::SCOPE_CONSTRAINTS),
        request_rule: value(&parts, headers::REQUEST_RULE),
        caller: value(&parts, headers::CALLER),
        caller_type: value(&parts, headers::CALLER_TYPE),
        actor_id: value(&parts, headers::ACTOR_ID),
        context: value(&parts, headers::CONTEXT),
    };
    let key = SigningKey::derive(KEY);
    let (second, first) = (text.v2().map(|text| key.sign(&text)), key.sign(&text.v1()));
    let first = second.clone().unwrap_or(first);
    for name in PROOF {
        parts.headers.remove(name);
    }
    for (name, text) in [
        (headers::API_KEY, KEY),
        (headers::TIMESTAMP, &time),
        (headers::NONCE, NONCE),
        (headers::CONTENT_SHA256, &hash),
        (headers::SIGNATURE, &first),
    ] {
        parts.headers.insert(name, HeaderValue::from_str(text).expect("ASCII"));
    }
    if let Some(second) = second {
        parts.headers.insert(headers::SIGNATURE_V2, HeaderValue::from_str(&second).expect("ASCII"));
    }
    parts
}

fn nothing_can_change(parts: &Parts, body: &[u8]) {
    for name in PROOF.iter().chain(&CHOSEN) {
        let was = parts.headers.get(*name).map_or(&[][..], HeaderValue::as_bytes);
        let mut more = parts.clone();
        more.headers.insert(*name, HeaderValue::from_bytes(&[was, b"0"].concat()).expect("a digit can follow"));
        // An actor id, or whatever else the request did not have, is a change as well.
        assert!(judge_signed_head(&more, body, NOW).is_err(), "{name} was lengthened: {parts:?}");
        // A header that is there and empty is the same as none.
        if !was.is_empty() {
            let mut less = parts.clone();
            less.headers.remove(*name);
            assert!(judge_signed_head(&less, body, NOW).is_err(), "{name} was removed: {parts:?}");
        }
    }
    assert_eq!(judge_signed_head(parts, &[body, b" "].concat(), NOW), Err("content_hash_mismatch"));
    for now in [NOW - 301, NOW + 301] {
        assert_eq!(judge_signed_head(parts, body, now), Err("timestamp_out_of_window"));
    }
}

/// A `Host` header that the vault answers to is a name of this machine for a WHATWG reader, too: a browser cannot be led there under a name
/// of somebody else.
fn host(parts: &Parts) {
    let Some(host) = parts.headers.get(http::header::HOST).and_then(|value| value.to_str().ok()) else { return };
    if !HostPolicy::default().admits(host) {
        return;
    }
    // The port is not judged, and one that is none cannot be called by a browser.
    let Ok(url) = url::Url::parse(&format!("http://{host}/")) else { return };
    assert!(matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")), "{host:?} is {:?}", url.host_str());
}

/// A head for the judge, if the `http` crate can hold it; hyper would refuse the others before the vault sees them.
pub fn parts(method: &str, target: &str, lines: impl Iterator<Item = (String, Vec<u8>)>) -> Option<Parts> {
    let request = lines.fold(Request::builder().method(method).uri(target), |request, (name, value)| request.header(name, value));
    request.body(()).ok().map(|request| request.into_parts().0)
}

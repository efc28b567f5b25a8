//! The signed request: reading its headers and proving that the holder of the key sent exactly these bytes, now.
//!
//! The checks stand in the vault's order: clock, body hash, signature. (The key's digest comes before, the nonce after; both need the store.)

use alter_core::signing::{CLOCK_TOLERANCE_SECONDS, SigningKey, StringToSign, canonical_path_and_query, content_sha256, headers};
use http::request::Parts;
use subtle::ConstantTimeEq;

use super::refusal::Refusal;

/// The headers of a signed request. Absent ones are empty, as in the string to sign.
#[derive(Clone, Copy)]
pub struct SignedHeaders<'a> {
    /// The whole API key. Never logged; `SignedHeaders` has no `Debug`.
    pub api_key: &'a str,
    /// One-time value, 32 lower-case hexadecimal characters once [`verify`](Self::verify) has passed.
    pub nonce: &'a str,
    /// Scopes that this request narrows its key to.
    pub scope_constraints: &'a str,
    /// Encoded request rule.
    pub request_rule: &'a str,
    /// Who makes the call, in the application's words.
    pub caller: &'a str,
    /// `agent` or `service`.
    pub caller_type: &'a str,
    /// The id that the caller says the vault gave it.
    pub actor_id: &'a str,
    /// Metadata of the call, JSON.
    pub context: &'a str,
    timestamp: &'a str,
    content_sha256: &'a str,
    signature: &'a str,
    signature_v2: Option<&'a str>,
}

impl<'a> SignedHeaders<'a> {
    /// Collects the headers.
    ///
    /// # Errors
    /// 400 `invalid_header` if one of them is there twice (two readers could pick different ones) or is not UTF-8.
    pub fn read(parts: &'a Parts) -> Result<Self, Refusal> {
        let get = |name| single(parts, name);
        let text = |name| get(name).map(Option::unwrap_or_default);
        Ok(Self {
            api_key: text(headers::API_KEY)?,
            timestamp: text(headers::TIMESTAMP)?,
            nonce: text(headers::NONCE)?,
            content_sha256: text(headers::CONTENT_SHA256)?,
            signature: text(headers::SIGNATURE)?,
            signature_v2: get(headers::SIGNATURE_V2)?,
            scope_constraints: text(headers::SCOPE_CONSTRAINTS)?,
            request_rule: text(headers::REQUEST_RULE)?,
            caller: text(headers::CALLER)?,
            caller_type: text(headers::CALLER_TYPE)?,
            actor_id: text(headers::ACTOR_ID)?,
            context: text(headers::CONTEXT)?,
        })
    }

    /// Checks clock, body hash and signature, in this order. `now` is Unix time in seconds.
    ///
    /// # Errors
    /// 401 `timestamp_out_of_window`, `content_hash_mismatch` or `signature_invalid`.
    pub fn verify(&self, parts: &Parts, body: &[u8], now: i64) -> Result<(), Refusal> {
        self.verify_clock(now)?;
        self.verify_body(body)?;
        self.verify_nonce_shape()?;
        self.verify_signature(parts)
    }

    fn verify_clock(&self, now: i64) -> Result<(), Refusal> {
        let refuse = |what: String| Refusal::unauthorized("timestamp_out_of_window", what);
        if self.timestamp.is_empty() || !self.timestamp.bytes().all(|b| b.is_ascii_digit()) {
            return Err(refuse("X-Alter-Timestamp is missing or is not a number of Unix seconds.".into()));
        }
        let sent: i64 = self.timestamp.parse().map_err(|_| refuse("X-Alter-Timestamp is not a time.".into()))?;
        let skew = now.abs_diff(sent);
        if skew > CLOCK_TOLERANCE_SECONDS.unsigned_abs() {
            return Err(refuse(format!(
                "The clocks of client and vault differ by {skew} s; at most {CLOCK_TOLERANCE_SECONDS} s are allowed. Set the client's clock."
            )));
        }
        Ok(())
    }

    fn verify_body(&self, body: &[u8]) -> Result<(), Refusal> {
        if equal(self.content_sha256, &content_sha256(body)) {
            return Ok(());
        }
        let message = "X-Alter-Content-SHA256 is not the SHA-256 of the body that arrived: something between client and vault changed it.";
        Err(Refusal::unauthorized("content_hash_mismatch", message))
    }

    fn verify_nonce_shape(&self) -> Result<(), Refusal> {
        if self.nonce.len() == 32 && self.nonce.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return Ok(());
        }
        Err(signature_invalid("X-Alter-Nonce is not 32 lower-case hexadecimal characters"))
    }

    fn verify_signature(&self, parts: &Parts) -> Result<(), Refusal> {
        let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
        let signed = StringToSign {
            method: parts.method.as_str(),
            path_and_query: &canonical_path_and_query(target),
            timestamp: self.timestamp,
            nonce: self.nonce,
            content_sha256: self.content_sha256,
            scope_constraints: self.scope_constraints,
            request_rule: self.request_rule,
            caller: self.caller,
            caller_type: self.caller_type,
            actor_id: self.actor_id,
            context: self.context,
        };
        let key = SigningKey::derive(self.api_key);
        match signed.v2() {
            Some(text) => {
                let digest = key.sign(&text);
                let (first, second) = (equal(self.signature, &digest), equal(self.signature_v2.unwrap_or_default(), &digest));
                if first & second {
                    Ok(())
                } else {
                    Err(signature_invalid("a request with identity headers needs the version 2 digest in both signature headers"))
                }
            }
            // Removing the identity headers from a version 2 request leaves its V2 header or a digest that is no version 1 digest.
            None if self.signature_v2.is_some() => Err(signature_invalid("X-Alter-Signature-V2 is there, but no identity header is")),
            None if equal(self.signature, &key.sign(&signed.v1())) => Ok(()),
            None => Err(signature_invalid("X-Alter-Signature is not the digest of this request")),
        }
    }
}

/// Equality whose time tells nothing about where two texts of one length differ.
fn equal(left: &str, right: &str) -> bool {
    left.as_bytes().ct_eq(right.as_bytes()).into()
}

fn signature_invalid(what: &str) -> Refusal {
    let message = format!("The signature does not fit the request: {what}.");
    Refusal::unauthorized("signature_invalid", message)
}

fn single<'a>(parts: &'a Parts, name: &'static str) -> Result<Option<&'a str>, Refusal> {
    let mut values = parts.headers.get_all(name).iter();
    let Some(first) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Refusal::bad_request("invalid_header", format!("The header {name} is there more than once.")));
    }
    std::str::from_utf8(first.as_bytes())
        .map(Some)
        .map_err(|_| Refusal::bad_request("invalid_header", format!("The header {name} is not UTF-8 text.")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Request;

    const KEY: &str = "alter_rk_abcdefghijklmnopqrstuv_iwpykn";
    const NONCE: &str = "000102030405060708090a0b0c0d0e0f";
    const NOW: i64 = 1_767_225_600;
    const BODY: &[u8] = b"{}";

    /// A correctly signed request, with the given headers added before (identity) signing.
    fn signed(extra: &[(&'static str, &str)]) -> Vec<(&'static str, String)> {
        let value = |name| extra.iter().find(|(n, _)| *n == name).map_or("", |(_, v)| *v);
        let (timestamp, hash) = (NOW.to_string(), content_sha256(BODY));
        let text = StringToSign {
            method: "POST",
            path_and_query: "/sdk/token",
            timestamp: &timestamp,
            nonce: NONCE,
            content_sha256: &hash,
            scope_constraints: value(headers::SCOPE_CONSTRAINTS),
            request_rule: value(headers::REQUEST_RULE),
            caller: value(headers::CALLER),
            caller_type: value(headers::CALLER_TYPE),
            actor_id: value(headers::ACTOR_ID),
            context: value(headers::CONTEXT),
        };
        let key = SigningKey::derive(KEY);
        let v2 = text.v2().map(|text| key.sign(&text));
        let mut list = vec![
            (headers::API_KEY, KEY.to_owned()),
            (headers::TIMESTAMP, timestamp.clone()),
            (headers::NONCE, NONCE.to_owned()),
            (headers::CONTENT_SHA256, hash.clone()),
            (headers::SIGNATURE, v2.clone().unwrap_or_else(|| key.sign(&text.v1()))),
        ];
        list.extend(v2.map(|digest| (headers::SIGNATURE_V2, digest)));
        list.extend(extra.iter().map(|(name, value)| (*name, (*value).to_owned())));
        list
    }

    fn judge(list: &[(&'static str, String)], body: &[u8], now: i64) -> Result<(), &'static str> {
        let mut request = Request::post("/sdk/token");
        for (name, value) in list {
            request = request.header(*name, value);
        }
        let (parts, ()) = request.body(()).expect("headers are valid").into_parts();
        SignedHeaders::read(&parts).and_then(|headers| headers.verify(&parts, body, now)).map_err(|refusal| refusal.code())
    }

    fn without(list: Vec<(&'static str, String)>, name: &str) -> Vec<(&'static str, String)> {
        list.into_iter().filter(|(n, _)| *n != name).collect()
    }

    fn replaced(list: Vec<(&'static str, String)>, name: &'static str, value: &str) -> Vec<(&'static str, String)> {
        let mut list = without(list, name);
        list.push((name, value.to_owned()));
        list
    }

    #[test]
    fn both_versions_pass() {
        assert_eq!(judge(&signed(&[]), BODY, NOW), Ok(()));
        assert_eq!(judge(&signed(&[(headers::CALLER, "bot"), (headers::CALLER_TYPE, "service")]), BODY, NOW), Ok(()));
        assert_eq!(judge(&signed(&[(headers::CONTEXT, r#"{"a":"b"}"#), (headers::SCOPE_CONSTRAINTS, "a:b")]), BODY, NOW), Ok(()));
    }

    #[test]
    fn the_clock_may_differ_by_five_minutes() {
        assert_eq!(judge(&signed(&[]), BODY, NOW + 300), Ok(()));
        assert_eq!(judge(&signed(&[]), BODY, NOW - 300), Ok(()));
        assert_eq!(judge(&signed(&[]), BODY, NOW + 301), Err("timestamp_out_of_window"));
        assert_eq!(judge(&signed(&[]), BODY, NOW - 301), Err("timestamp_out_of_window"));
        for timestamp in ["", "-1", "+5", "1e9", " 1767225600", "99999999999999999999"] {
            assert_eq!(
                judge(&replaced(signed(&[]), headers::TIMESTAMP, timestamp), BODY, NOW),
                Err("timestamp_out_of_window"),
                "{timestamp}"
            );
        }
    }

    #[test]
    fn a_changed_body_or_hash_is_found() {
        assert_eq!(judge(&signed(&[]), b"{ }", NOW), Err("content_hash_mismatch"));
        assert_eq!(judge(&replaced(signed(&[]), headers::CONTENT_SHA256, &content_sha256(b"{ }")), b"{ }", NOW), Err("signature_invalid"));
        assert_eq!(judge(&without(signed(&[]), headers::CONTENT_SHA256), BODY, NOW), Err("content_hash_mismatch"));
    }

    #[test]
    fn every_signed_header_is_bound() {
        let identity = [(headers::CALLER, "bot"), (headers::CALLER_TYPE, "service"), (headers::ACTOR_ID, "x"), (headers::CONTEXT, "{}")];
        for name in [headers::CALLER, headers::CALLER_TYPE, headers::ACTOR_ID, headers::CONTEXT] {
            assert_eq!(judge(&replaced(signed(&identity), name, "other"), BODY, NOW), Err("signature_invalid"), "{name}");
            assert_eq!(judge(&without(signed(&identity), name), BODY, NOW), Err("signature_invalid"), "{name}");
        }
        for name in [headers::SCOPE_CONSTRAINTS, headers::REQUEST_RULE, headers::CALLER] {
            assert_eq!(judge(&replaced(signed(&[]), name, "added"), BODY, NOW), Err("signature_invalid"), "{name}");
        }
        assert_eq!(judge(&replaced(signed(&[]), headers::NONCE, &NONCE.replace('0', "f")), BODY, NOW), Err("signature_invalid"));
        for nonce in ["", "abc", &NONCE.to_uppercase()] {
            assert_eq!(judge(&replaced(signed(&[]), headers::NONCE, nonce), BODY, NOW), Err("signature_invalid"), "{nonce}");
        }
    }

    #[test]
    fn stripping_the_identity_is_found() {
        let stripped = without(without(signed(&[(headers::CALLER, "bot")]), headers::CALLER), headers::SIGNATURE_V2);
        assert_eq!(judge(&stripped, BODY, NOW), Err("signature_invalid"));
        let digest_kept = without(signed(&[(headers::CALLER, "bot")]), headers::CALLER);
        assert_eq!(judge(&digest_kept, BODY, NOW), Err("signature_invalid"));
        assert_eq!(judge(&replaced(signed(&[]), headers::SIGNATURE_V2, ""), BODY, NOW), Err("signature_invalid"));
        assert_eq!(judge(&without(signed(&[(headers::CALLER, "bot")]), headers::SIGNATURE_V2), BODY, NOW), Err("signature_invalid"));
    }

    #[test]
    fn a_header_that_is_there_twice_is_refused() {
        let mut twice = signed(&[]);
        twice.push((headers::NONCE, NONCE.to_owned()));
        assert_eq!(judge(&twice, BODY, NOW), Err("invalid_header"));
    }
}

//! Public keys as issuers publish them (RFC 7517): one key, and the set.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::algorithm::{Algorithm, PublicKey};
use super::fault::{TokenFault, TokenRefused, quoted};
use super::json;

/// Most keys of a set that are looked at.
const MOST_KEYS: usize = 100;

/// A key that can verify signatures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwk {
    /// Its name in the set.
    pub kid: Option<String>,
    /// The one algorithm that it is for, if its issuer says so.
    pub algorithm: Option<Algorithm>,
    /// The key.
    pub key: PublicKey,
}

impl Jwk {
    /// Reads a key.
    ///
    /// # Errors
    /// Why it cannot verify signatures: another use, another kind, a private or symmetric key, a malformed member.
    pub fn parse(members: &Map<String, Value>) -> Result<Self, &'static str> {
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        if members.contains_key("d") || members.contains_key("k") {
            return Err("it is a private key, and was published");
        }
        if members.get("use").is_some_and(|word| word != "sig") {
            return Err("it is not for signatures");
        }
        if members.get("key_ops").is_some_and(|ops| !ops.as_array().is_some_and(|ops| ops.iter().any(|op| op == "verify"))) {
            return Err("it is not for verifying");
        }
        let algorithm = match members.get("alg") {
            None | Some(Value::Null) => None,
            Some(name) => Some(name.as_str().and_then(Algorithm::parse).ok_or("its alg is not one that is accepted")?),
        };
        let bytes =
            |name: &str| text(name).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok()).ok_or("a member of it is missing or malformed");
        let key = match (text("kty"), text("crv")) {
            (Some("RSA"), None) => PublicKey::Rsa { n: unpadded(bytes("n")?), e: unpadded(bytes("e")?) },
            (Some("EC"), Some("P-256")) => PublicKey::P256(point(&bytes("x")?, &bytes("y")?, 32)?),
            (Some("EC"), Some("P-384")) => PublicKey::P384(point(&bytes("x")?, &bytes("y")?, 48)?),
            (Some("OKP"), Some("Ed25519")) => PublicKey::Ed25519(bytes("x")?),
            _ => return Err("its kind is not one that is accepted"),
        };
        if algorithm.is_some_and(|algorithm| !algorithm.fits(&key)) {
            return Err("its alg and its kind do not fit");
        }
        Ok(Self { kid: text("kid").map(str::to_owned), algorithm, key })
    }

    fn serves(&self, algorithm: Algorithm) -> bool {
        algorithm.fits(&self.key) && self.algorithm.is_none_or(|only| only == algorithm)
    }
}

/// Some issuers write numbers with a leading zero, which the standard and the verifier do not allow.
fn unpadded(bytes: Vec<u8>) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes[zeros..].to_vec()
}

fn point(x: &[u8], y: &[u8], length: usize) -> Result<Vec<u8>, &'static str> {
    if x.len() != length || y.len() != length {
        return Err("a coordinate has the wrong length");
    }
    Ok([&[4], x, y].concat())
}

/// The keys of an issuer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeySet {
    keys: Vec<Jwk>,
}

impl KeySet {
    /// Reads a set. Keys that cannot verify signatures are left out, as the standard asks: issuers publish keys for other ends beside them.
    ///
    /// # Errors
    /// What is wrong with the set as a whole.
    pub fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let set = json::object(bytes)?;
        let keys = set.get("keys").and_then(Value::as_array).ok_or("it has no list named keys")?;
        if keys.len() > MOST_KEYS {
            return Err("it has more keys than any issuer needs");
        }
        Ok(Self { keys: keys.iter().filter_map(Value::as_object).filter_map(|key| Jwk::parse(key).ok()).collect() })
    }

    /// How many keys can verify signatures.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// Whether no key can.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The one key that may verify a token with this `kid` and `alg`.
    ///
    /// # Errors
    /// [`TokenFault::KeyUnknown`] or [`TokenFault::KeyUnfit`].
    pub fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<&Jwk, TokenRefused> {
        let unknown = |detail: String| TokenRefused::new(TokenFault::KeyUnknown, detail);
        let mut fitting = self.keys.iter().filter(|key| key.serves(algorithm) && (kid.is_none() || key.kid.as_deref() == kid));
        match (fitting.next(), fitting.next(), kid) {
            (Some(key), None, _) => Ok(key),
            (Some(_), Some(_), Some(kid)) => Err(unknown(format!("the issuer has several keys with the kid {}", quoted(kid)))),
            (Some(_), Some(_), None) => Err(unknown("the token names no kid, and several keys of the issuer fit".to_owned())),
            (None, _, Some(kid)) if self.keys.iter().any(|key| key.kid.as_deref() == Some(kid)) => Err(TokenRefused::new(
                TokenFault::KeyUnfit,
                format!("the issuer's key with the kid {} is not one for {algorithm}", quoted(kid)),
            )),
            (None, _, Some(kid)) => Err(unknown(format!("the issuer has no key with the kid {}", quoted(kid)))),
            (None, _, None) => Err(unknown(format!("the token names no kid, and the issuer has no key for {algorithm}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const X: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn parse(key: Value) -> Result<Jwk, &'static str> {
        Jwk::parse(key.as_object().expect("an object"))
    }

    #[test]
    fn only_public_keys_for_signatures_are_taken() {
        let ec = |change: Value| {
            let mut key = json!({"kty": "EC", "crv": "P-256", "x": X, "y": X, "kid": "a"});
            key.as_object_mut().expect("an object").extend(change.as_object().cloned().expect("an object"));
            parse(key)
        };
        assert!(ec(json!({})).is_ok());
        assert!(ec(json!({"use": "sig", "alg": "ES256", "key_ops": ["verify"]})).is_ok());
        for change in [
            json!({"d": X}),
            json!({"use": "enc"}),
            json!({"use": 5}),
            json!({"key_ops": ["sign"]}),
            json!({"key_ops": "verify"}),
            json!({"alg": "ES384"}),
            json!({"alg": "HS256"}),
            json!({"alg": 1}),
            json!({"crv": "P-521"}),
            json!({"crv": "P-384"}),
            json!({"kty": "OKP"}),
            json!({"x": "AA"}),
            json!({"x": format!("{X}=")}),
            json!({"y": null}),
        ] {
            assert!(ec(change.clone()).is_err(), "{change}");
        }
        assert!(parse(json!({"kty": "oct", "k": "c2VjcmV0"})).is_err());
        assert!(parse(json!({"kty": "RSA", "n": "AQ", "e": "AQAB", "alg": "ES256"})).is_err());
        let padded = parse(json!({"kty": "RSA", "n": "AAEC", "e": "AAEAAQ"})).expect("a key");
        assert_eq!(padded.key, PublicKey::Rsa { n: vec![1, 2], e: vec![1, 0, 1] });
    }

    #[test]
    fn a_key_is_found_by_kid_and_kind() {
        let set = json!({"keys": [
            {"kty": "EC", "crv": "P-256", "x": X, "y": X, "kid": "ec"},
            {"kty": "RSA", "n": "AQ", "e": "AQAB", "kid": "rsa", "alg": "RS256"},
            {"kty": "RSA", "n": "Ag", "e": "AQAB", "kid": "twice"},
            {"kty": "RSA", "n": "Aw", "e": "AQAB", "kid": "twice"},
            {"kty": "future", "kid": "new"},
            "nonsense",
        ]});
        let set = KeySet::parse(set.to_string().as_bytes()).expect("a set");
        assert_eq!(set.len(), 4);
        let find =
            |kid, algorithm| set.find(kid, algorithm).map(|key| key.kid.as_deref().unwrap_or_default()).map_err(|refused| refused.fault);
        assert_eq!(find(Some("ec"), Algorithm::Es256), Ok("ec"));
        assert_eq!(find(None, Algorithm::Es256), Ok("ec"));
        assert_eq!(find(Some("rsa"), Algorithm::Rs256), Ok("rsa"));
        assert_eq!(find(Some("rsa"), Algorithm::Ps256), Err(TokenFault::KeyUnfit));
        assert_eq!(find(Some("rsa"), Algorithm::Es256), Err(TokenFault::KeyUnfit));
        assert_eq!(find(Some("twice"), Algorithm::Rs256), Err(TokenFault::KeyUnknown));
        assert_eq!(find(Some("new"), Algorithm::Rs256), Err(TokenFault::KeyUnknown));
        assert_eq!(find(None, Algorithm::Rs256), Err(TokenFault::KeyUnknown));
        assert_eq!(find(None, Algorithm::EdDsa), Err(TokenFault::KeyUnknown));
    }

    #[test]
    fn a_set_is_a_bounded_list() {
        for text in ["{}", "[]", r#"{"keys":{}}"#, r#"{"keys":[],"keys":[]}"#] {
            assert!(KeySet::parse(text.as_bytes()).is_err(), "{text}");
        }
        let many = json!({"keys": vec![json!({}); MOST_KEYS + 1]});
        assert!(KeySet::parse(many.to_string().as_bytes()).is_err());
        assert!(KeySet::parse(br#"{"keys":[]}"#).is_ok_and(|set| set.is_empty()));
    }
}

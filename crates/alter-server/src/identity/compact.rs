//! The outside of a token: three parts, a header that is understood, and a signature over them (RFC 7515, RFC 8725).
//!
//! Keys that a token brings along (`jwk`, `jku`, `x5c`, `x5u`) are not looked at: whoever forges a token can bring a key that fits.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::algorithm::{Algorithm, PublicKey};
use super::fault::{TokenFault, TokenRefused, quoted};
use super::json;

/// Longest token that is read, in bytes: a few hundred group names fit.
pub const LONGEST_TOKEN: usize = 16 * 1024;
/// Values of `typ` that a token about a person may have; absent is common, too.
const TYPES: [&str; 2] = ["JWT", "at+jwt"];

/// A token whose signature has not been verified yet. Nothing in it may be relied on.
#[derive(Clone, Debug)]
pub struct Unverified<'a> {
    /// How it says that it is signed.
    pub algorithm: Algorithm,
    /// The name of the key that it says it is signed with.
    pub kid: Option<String>,
    claims: Map<String, Value>,
    signed: &'a str,
    signature: Vec<u8>,
}

impl<'a> Unverified<'a> {
    /// Reads a token.
    ///
    /// # Errors
    /// [`TokenFault::TooLong`], [`TokenFault::Malformed`], [`TokenFault::AlgorithmRefused`] or [`TokenFault::TypeRefused`].
    pub fn parse(token: &'a str) -> Result<Self, TokenRefused> {
        if token.len() > LONGEST_TOKEN {
            let detail = format!("the token has {} bytes, at most {LONGEST_TOKEN} are read", token.len());
            return Err(TokenRefused::new(TokenFault::TooLong, detail));
        }
        let mut parts = token.split('.');
        let (Some(header), Some(payload), Some(signature), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Err(TokenRefused::malformed("it does not have three parts"));
        };
        let members = decoded_object(header, "header")?;
        let algorithm = algorithm(&members)?;
        let kid = match members.get("kid") {
            None => None,
            Some(Value::String(kid)) => Some(kid.clone()),
            Some(_) => return Err(TokenRefused::malformed("its kid is not text")),
        };
        check_type(&members)?;
        if members.contains_key("crit") || members.contains_key("b64") {
            return Err(TokenRefused::malformed("its header demands an extension"));
        }
        let claims = decoded_object(payload, "payload")?;
        let signature = decoded(signature, "signature")?;
        Ok(Self { algorithm, kid, claims, signed: &token[..header.len() + 1 + payload.len()], signature })
    }

    /// The issuer that the token claims, to tell a foreign token from a forged one.
    pub fn claimed_issuer(&self) -> Option<&str> {
        self.claims.get("iss").and_then(Value::as_str)
    }

    /// Releases the claims if the signature is this key's.
    ///
    /// # Errors
    /// [`TokenFault::SignatureBad`].
    pub fn verified_with(self, key: &PublicKey) -> Result<Map<String, Value>, TokenRefused> {
        if self.algorithm.verify(key, self.signed.as_bytes(), &self.signature) {
            return Ok(self.claims);
        }
        Err(TokenRefused::new(TokenFault::SignatureBad, "the token's signature is not the issuer's"))
    }
}

fn decoded(part: &str, name: &str) -> Result<Vec<u8>, TokenRefused> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenRefused::malformed(format!("its {name} is not base64url")))
}

fn decoded_object(part: &str, name: &str) -> Result<Map<String, Value>, TokenRefused> {
    json::object(&decoded(part, name)?).map_err(|what| TokenRefused::malformed(format!("its {name} cannot be read: {what}")))
}

fn algorithm(members: &Map<String, Value>) -> Result<Algorithm, TokenRefused> {
    let name = members.get("alg").and_then(Value::as_str).ok_or_else(|| TokenRefused::malformed("its header has no alg"))?;
    Algorithm::parse(name).ok_or_else(|| {
        let names: Vec<&str> = Algorithm::ALL.iter().map(|algorithm| algorithm.as_str()).collect();
        let detail = format!("the token's alg is {}; accepted are {}", quoted(name), names.join(", "));
        TokenRefused::new(TokenFault::AlgorithmRefused, detail)
    })
}

/// RFC 8725 §3.11: a token of another type (a log-out token, a proof of possession, one of our own assertions) may have all the right claims.
fn check_type(members: &Map<String, Value>) -> Result<(), TokenRefused> {
    let named = match members.get("typ") {
        None => return Ok(()),
        Some(Value::String(named)) => named,
        Some(_) => return Err(TokenRefused::malformed("its typ is not text")),
    };
    let short = named.get(..12).filter(|start| start.eq_ignore_ascii_case("application/")).map_or(named.as_str(), |_| &named[12..]);
    if TYPES.iter().any(|accepted| accepted.eq_ignore_ascii_case(short)) {
        return Ok(());
    }
    let detail = format!("the token's typ is {}; accepted are JWT and at+jwt", quoted(named));
    Err(TokenRefused::new(TokenFault::TypeRefused, detail))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn token(header: &str, payload: &str) -> String {
        format!("{}.{}.AA", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload))
    }

    fn fault(token: &str) -> Option<TokenFault> {
        Unverified::parse(token).err().map(|refused| refused.fault)
    }

    #[test]
    fn headers_are_judged_before_anything_else() {
        for (header, expected) in [
            (r#"{"alg":"RS256"}"#, None),
            (r#"{"alg":"RS256","typ":"jwt","kid":"k"}"#, None),
            (r#"{"alg":"EdDSA","typ":"application/at+jwt"}"#, None),
            (r#"{"alg":"RS256","jwk":{"kty":"oct","k":"AA"},"jku":"https://x","x5u":"https://x","x5c":["AA"]}"#, None),
            (r#"{"alg":"none"}"#, Some(TokenFault::AlgorithmRefused)),
            (r#"{"alg":"None"}"#, Some(TokenFault::AlgorithmRefused)),
            (r#"{"alg":"HS256"}"#, Some(TokenFault::AlgorithmRefused)),
            (r#"{"alg":"ES512"}"#, Some(TokenFault::AlgorithmRefused)),
            (r#"{"alg":"rs256"}"#, Some(TokenFault::AlgorithmRefused)),
            (r#"{"alg":""}"#, Some(TokenFault::AlgorithmRefused)),
            (r#"{"alg":"RS256","typ":"logout+jwt"}"#, Some(TokenFault::TypeRefused)),
            (r#"{"alg":"RS256","typ":"alter-identity+jwt"}"#, Some(TokenFault::TypeRefused)),
            (r#"{"alg":"RS256","typ":""}"#, Some(TokenFault::TypeRefused)),
            (r#"{"alg":"RS256","typ":"applicatiön/JWT"}"#, Some(TokenFault::TypeRefused)),
            (r#"{"alg":"RS256","typ":5}"#, Some(TokenFault::Malformed)),
            (r#"{"alg":"RS256","kid":5}"#, Some(TokenFault::Malformed)),
            (r#"{"alg":["RS256"]}"#, Some(TokenFault::Malformed)),
            (r#"{"alg":"RS256","alg":"none"}"#, Some(TokenFault::Malformed)),
            (r#"{"alg":"RS256","crit":["exp"]}"#, Some(TokenFault::Malformed)),
            (r#"{"alg":"RS256","b64":false}"#, Some(TokenFault::Malformed)),
            ("{}", Some(TokenFault::Malformed)),
            ("[]", Some(TokenFault::Malformed)),
            ("", Some(TokenFault::Malformed)),
        ] {
            assert_eq!(fault(&token(header, "{}")), expected, "{header}");
        }
    }

    #[test]
    fn the_form_is_exact() {
        let good = token(r#"{"alg":"RS256"}"#, "{}");
        assert_eq!(fault(&good), None);
        for bad in ["", ".", "..", "a.b", &format!("{good}.x"), &format!("{good}="), &format!(" {good}"), &good.replace('.', "=.")] {
            assert_eq!(fault(bad), Some(TokenFault::Malformed), "{bad}");
        }
        assert_eq!(fault(&token(r#"{"alg":"RS256"}"#, r#"{"sub":"a","sub":"b"}"#)), Some(TokenFault::Malformed));
        // The last character of the first part has bits that mean nothing; a second spelling of the same bytes is refused.
        assert_eq!(fault("eyJhbGciOiJSUzI1NiJ9.e31.AA"), Some(TokenFault::Malformed));
        assert_eq!(fault(&token(r#"{"alg":"RS256"}"#, &" ".repeat(LONGEST_TOKEN))), Some(TokenFault::TooLong));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,200}") {
            prop_assert!(Unverified::parse(&text).is_err());
        }

        #[test]
        fn no_header_or_payload_makes_it_panic(header in ".{0,60}", payload in ".{0,60}") {
            // A random text is hardly ever a header; what matters is that each ends in an answer.
            let _ = Unverified::parse(&token(&header, &payload));
        }

        #[test]
        fn every_change_of_a_part_is_noticed_or_changes_what_is_signed(at in 0usize..60, to in "[A-Za-z0-9_-]") {
            let good = token(r#"{"alg":"RS256","kid":"a"}"#, r#"{"sub":"b"}"#);
            let at = at % good.len();
            prop_assume!(good.as_bytes()[at] != b'.' && good[at..=at] != to);
            let mut changed = good.clone();
            changed.replace_range(at..=at, &to);
            if let Ok(read) = Unverified::parse(&changed) {
                let same = Unverified::parse(&good).expect("good");
                prop_assert!(read.signed != same.signed || read.signature != same.signature);
            }
        }
    }
}

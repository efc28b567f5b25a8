//! Verifying identity assertions with the cryptography that TLS brings along.

use alter_core::assertion::{Checked, verify};
use alter_core::client::Outcome;
use alter_core::error::Result;
use alter_core::given::Args;
use alter_core::model::IdentityContext;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};
use serde_json::{Map, Value};
use time::OffsetDateTime;

/// The identity that a signed token of `assert_identity` proves. Nothing is sent. `jwks` is what the vault's JWKS address answers;
/// `expected_agent_id` is the agent that must act: any or none if it is left out.
///
/// # Errors
/// `MemoryIsolationError`, whose details say in a word why the token is not accepted.
pub fn verify_identity_assertion(
    token: &str,
    issuer: &str,
    audience: &str,
    jwks: Value,
    expected_app_id: &str,
    expected_agent_id: Option<&str>,
) -> Result<IdentityContext> {
    let args = Args::new()
        .with("token", token)
        .with("issuer", issuer)
        .with("audience", audience)
        .with("jwks", jwks)
        .with("expected_app_id", expected_app_id)
        .with_some("expected_agent_id", expected_agent_id);
    Outcome::One(IdentityContext::MODEL, verify_assertion(args, OffsetDateTime::now_utc())?).one()
}

/// The same for bindings: arguments by name, at some moment, and the fields of the identity.
///
/// # Errors
/// See [`verify`].
pub fn verify_assertion(args: Args, now: OffsetDateTime) -> Result<Map<String, Value>> {
    verify(args, now.unix_timestamp(), check_signature)
}

fn check_signature(point: &[u8; 65], message: &[u8], signature: &[u8]) -> Checked {
    let Ok(key) = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point) else { return Checked::NoKey };
    if key.verify_sig(message, signature).is_ok() { Checked::Signed } else { Checked::Forged }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alter_core::error::Kind;

    fn pairs(value: &Value) -> Vec<(String, String)> {
        let text = |(name, value): (&String, &Value)| (name.clone(), value.as_str().unwrap_or_default().to_owned());
        value.as_object().map(|map| map.iter().map(text).collect()).unwrap_or_default()
    }

    #[test]
    fn the_vectors() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/identity_assertions.json");
        let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let now = OffsetDateTime::from_unix_timestamp(file["now"].as_i64().unwrap()).unwrap();
        for case in file["cases"].as_array().unwrap() {
            let name = &case["name"];
            let mut args = Args::new().with("token", case["token"].clone());
            args.push("jwks", case.get("jwks").unwrap_or(&file["jwks"]).clone());
            for arguments in [Some(&file["args"]), case.get("args")].into_iter().flatten() {
                pairs(arguments).into_iter().for_each(|(name, value)| args.push(name, value));
            }
            match (verify_assertion(args, now), case.get("identity")) {
                (Ok(told), Some(Value::Object(wanted))) => {
                    wanted.iter().for_each(|(field, value)| assert_eq!(told[field], *value, "{name}"));
                    assert_eq!((&told["email"], &told["group_ids"]), (&Value::Null, &serde_json::json!([])));
                }
                (Err(error), None) => {
                    assert_eq!((error.kind(), &error.details()["reason"]), (Kind::MemoryIsolation, &case["reason"]), "{name}");
                    assert_eq!(error.attribute("code"), Some("memory_assertion_invalid".into()));
                }
                (told, _) => panic!("{name}: {:?}", told.map(|_| "accepted")),
            }
        }
    }
}

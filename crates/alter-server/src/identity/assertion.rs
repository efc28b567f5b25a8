//! The vault's own statements about who acts for whom: short-lived ES256 tokens that another service verifies with [`key_set`].
//!
//! The signing keys are not stored. Each is derived from the vault's pepper, which the master key wraps, and from the period of [`PERIOD`] in which it
//! signs: every instance has the same key without asking another, a change of the master key changes nothing, and keys rotate by themselves. The key set
//! holds the neighbouring periods' keys as well, so whoever reads it once a day never meets a key that they do not know.

use std::time::Duration;

use aws_lc_rs::agreement::{self, ECDH_P256};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::crypto::VaultKeys;
use crate::model::AppId;

/// How long one key signs.
pub const PERIOD: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// The life of an assertion if nobody asks for another.
pub const USUAL_LIFE: Duration = Duration::from_secs(120);
/// The shortest and the longest life that can be asked for, in seconds.
pub const LIVES: std::ops::RangeInclusive<u64> = 10..=300;
/// `typ` of an assertion. No other token has it, and the vault accepts none that does as proof of a person.
pub const TYPE: &str = "alter-identity+jwt";

/// How an agent showed that it is the one that acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentProof {
    /// By a key of its own.
    OwnKey,
    /// The app's key named it.
    AppKey,
}

impl AgentProof {
    /// The word in the claim `agent_auth`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OwnKey => "agent_key",
            Self::AppKey => "app_key",
        }
    }
}

/// What an assertion says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assertion<'a> {
    /// The vault's URL.
    pub issuer: &'a str,
    /// Who shall believe it.
    pub audience: &'a str,
    /// The app that asked.
    pub app: AppId,
    /// The app's user it is about; `None` for the app itself.
    pub app_user_id: Option<&'a str>,
    /// The agent that acts, and how it showed that.
    pub agent: Option<(Uuid, AgentProof)>,
    /// How long it is valid.
    pub life: Duration,
}

/// A signing key cannot be made. Retrying later may help: the system gave no random numbers, or the cryptography library refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no assertion can be signed: the cryptography library refused")]
pub struct SigningUnavailable;

/// A signed assertion.
#[derive(Clone, PartialEq, Eq)]
pub struct Signed {
    /// The compact token. Whoever holds it is believed until it ends.
    pub token: String,
    /// Its id, for the audit.
    pub id: Uuid,
    /// When it ends, to the second.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for Signed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signed").field("id", &self.id).field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

impl Assertion<'_> {
    /// Signs it with the key of the present period.
    ///
    /// # Errors
    /// [`SigningUnavailable`].
    pub fn sign(&self, keys: &VaultKeys, now: Timestamp) -> Result<Signed, SigningUnavailable> {
        let key = SigningKey::of(keys, period(now))?;
        let id = Uuid::new_v4();
        let issued_at = now.as_secs();
        let expires_at = Timestamp::from_millis(issued_at * 1000).plus(self.life);
        let header = json!({"alg": "ES256", "typ": TYPE, "kid": key.kid()});
        let signed = format!("{}.{}", encoded(&header), encoded(&self.claims(id, issued_at, expires_at.as_secs())));
        let signature = key.pair.sign(&SystemRandom::new(), signed.as_bytes()).map_err(|_| SigningUnavailable)?;
        Ok(Signed { token: format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)), id, expires_at })
    }

    fn claims(&self, id: Uuid, issued_at: i64, expires_at: i64) -> Value {
        let subject = self.app_user_id.map_or_else(|| format!("alter:app:{}", self.app), |user| format!("alter:user:{user}"));
        let mut claims = json!({
            "iss": self.issuer,
            "aud": self.audience,
            "sub": subject,
            "iat": issued_at,
            "exp": expires_at,
            "jti": id,
            "azp": self.app,
            "alter": {"app_id": self.app},
        });
        if let Some((agent, proof)) = self.agent {
            claims["act"] = json!({"sub": format!("alter:agent:{agent}")});
            claims["alter"]["agent_auth"] = proof.as_str().into();
        }
        claims
    }
}

/// The public keys of the last, the present and the next period, as a JWK set.
///
/// # Errors
/// [`SigningUnavailable`].
pub fn key_set(keys: &VaultKeys, now: Timestamp) -> Result<Value, SigningUnavailable> {
    let present = period(now);
    let periods = [Some(present), present.checked_add(1), present.checked_sub(1)];
    let set: Result<Vec<Value>, _> =
        periods.into_iter().flatten().map(|period| SigningKey::of(keys, period).map(|key| key.jwk())).collect();
    Ok(json!({ "keys": set? }))
}

fn period(now: Timestamp) -> u64 {
    u64::try_from(now.as_secs()).unwrap_or(0) / PERIOD.as_secs()
}

fn encoded(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

/// The key of one period.
struct SigningKey {
    pair: EcdsaKeyPair,
    x: String,
    y: String,
}

impl SigningKey {
    fn of(keys: &VaultKeys, period: u64) -> Result<Self, SigningUnavailable> {
        // All but one in four thousand million values are a private key of P-256; eight in a row that are none do not happen.
        (0..8).find_map(|attempt| Self::from_scalar(&keys.assertion_seed(period, attempt))).ok_or(SigningUnavailable)
    }

    fn from_scalar(scalar: &[u8; 32]) -> Option<Self> {
        let public = agreement::PrivateKey::from_private_key(&ECDH_P256, scalar).ok()?.compute_public_key().ok()?;
        let point = public.as_ref();
        let pair = EcdsaKeyPair::from_private_key_and_public_key(&ECDSA_P256_SHA256_FIXED_SIGNING, scalar, point).ok()?;
        // An uncompressed point: 4, then both coordinates.
        let (x, y) = point.get(1..)?.split_at_checked(32)?;
        Some(Self { pair, x: URL_SAFE_NO_PAD.encode(x), y: URL_SAFE_NO_PAD.encode(y) })
    }

    /// The thumbprint of RFC 7638: the name follows from the key.
    fn kid(&self) -> String {
        let members = format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, self.x, self.y);
        URL_SAFE_NO_PAD.encode(Sha256::digest(members))
    }

    fn jwk(&self) -> Value {
        json!({"kty": "EC", "crv": "P-256", "x": self.x, "y": self.y, "kid": self.kid(), "alg": "ES256", "use": "sig"})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{KeyOrigin, MasterKey, MasterKeys, StoredKeys, unlock};
    use crate::identity::{Algorithm, KeySet};

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_123);

    fn master() -> MasterKeys {
        MasterKeys { current: MasterKey::random().expect("random numbers"), previous: Vec::new(), origin: KeyOrigin::Environment }
    }

    fn keys() -> VaultKeys {
        unlock(&master(), &StoredKeys::default()).expect("a new vault").keys
    }

    fn assertion(app: AppId) -> Assertion<'static> {
        Assertion { issuer: "https://vault.example.com", audience: "urn:memory", app, app_user_id: None, agent: None, life: USUAL_LIFE }
    }

    /// Header and claims, after the signature was found to be that of the set's key.
    fn read(keys: &VaultKeys, token: &str, at: Timestamp) -> (Value, Value) {
        let parts: Vec<&str> = token.split('.').collect();
        let json = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).expect("base64url")).expect("JSON");
        let (header, claims) = (json(parts[0]), json(parts[1]));
        let set = KeySet::parse(key_set(keys, at).expect("keys").to_string().as_bytes()).expect("a set");
        let key = set.find(header["kid"].as_str(), Algorithm::Es256).expect("the key is in the set");
        let signed = format!("{}.{}", parts[0], parts[1]);
        assert!(Algorithm::Es256.verify(&key.key, signed.as_bytes(), &URL_SAFE_NO_PAD.decode(parts[2]).expect("base64url")));
        (header, claims)
    }

    #[test]
    fn an_assertion_says_what_its_verifier_expects() {
        let (keys, app, agent) = (keys(), AppId::random(), Uuid::new_v4());
        let signed = assertion(app).sign(&keys, NOW).expect("signed");
        let (header, claims) = read(&keys, &signed.token, NOW);
        assert_eq!((&header["typ"], &header["alg"]), (&json!(TYPE), &json!("ES256")));
        let expected = json!({
            "iss": "https://vault.example.com", "aud": "urn:memory", "sub": format!("alter:app:{app}"), "iat": 1_767_225_600,
            "exp": 1_767_225_720, "jti": signed.id, "azp": app, "alter": {"app_id": app},
        });
        assert_eq!(claims, expected);
        assert_eq!(signed.expires_at.to_string(), "2026-01-01T00:02:00.000Z");

        let by_agent = Assertion { app_user_id: Some("ada"), agent: Some((agent, AgentProof::AppKey)), ..assertion(app) };
        let (_, claims) = read(&keys, &by_agent.sign(&keys, NOW).expect("signed").token, NOW);
        assert_eq!(claims["sub"], "alter:user:ada");
        assert_eq!(claims["act"], json!({"sub": format!("alter:agent:{agent}")}));
        assert_eq!(claims["alter"], json!({"app_id": app, "agent_auth": "app_key"}));
    }

    #[test]
    fn keys_rotate_and_neighbours_are_published() {
        let keys = keys();
        let token = assertion(AppId::random()).sign(&keys, NOW).expect("signed").token;
        let set = |at| key_set(&keys, at).expect("keys")["keys"].as_array().expect("a list").clone();
        assert_eq!(set(NOW).len(), 3);
        for neighbour in [NOW.plus(PERIOD), NOW.minus(PERIOD)] {
            read(&keys, &token, neighbour);
            assert_ne!(set(neighbour)[0]["kid"], set(NOW)[0]["kid"]);
        }
        assert!(!set(NOW.plus(PERIOD * 2)).contains(&set(NOW)[0]));
        for key in set(NOW) {
            assert!(key.get("d").is_none());
        }
    }

    #[test]
    fn the_same_vault_has_the_same_keys_and_another_has_others() {
        let master = master();
        let first = unlock(&master, &StoredKeys::default()).expect("a new vault");
        let again = unlock(&master, &first.to_store.clone().expect("new keys")).expect("the same vault");
        assert_eq!(key_set(&first.keys, NOW), key_set(&again.keys, NOW));
        assert_ne!(key_set(&first.keys, NOW), key_set(&keys(), NOW));
    }

    #[test]
    fn a_token_is_not_shown() {
        let signed = assertion(AppId::random()).sign(&keys(), NOW).expect("signed");
        assert!(!format!("{signed:?}").contains(&signed.token));
    }
}

//! An issuer on loopback that serves whatever a test wants, and keys that sign whatever a test wants.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use alter_server::clock::{Clock, ManualClock, Timestamp};
use alter_server::egress::{Egress, EgressOptions};
use alter_server::identity::{Issuers, Trust, Verified, VerifyError};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair};
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::IntoResponse;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// When every test begins.
pub const NOW: i64 = 1_767_225_600;

pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A key pair of one of the accepted kinds.
pub enum Pair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Pair {
    /// Making an RSA key takes a while, so there are two for all tests.
    pub fn rsa(which: usize) -> &'static Self {
        static KEYS: [OnceLock<Pair>; 2] = [const { OnceLock::new() }; 2];
        KEYS[which].get_or_init(|| Self::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()))
    }

    pub fn p256() -> Self {
        Self::P256(EcdsaKeyPair::generate(&signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    pub fn p384() -> Self {
        Self::P384(EcdsaKeyPair::generate(&signature::ECDSA_P384_SHA384_FIXED_SIGNING).unwrap())
    }

    pub fn ed25519() -> Self {
        Self::Ed25519(Ed25519KeyPair::generate().unwrap())
    }

    /// The public key as a JWK.
    pub fn jwk(&self, kid: &str) -> Value {
        let point = |point: &[u8], crv: &str| {
            let (x, y) = point[1..].split_at(point.len() / 2);
            json!({"kty": "EC", "crv": crv, "kid": kid, "x": base64url(x), "y": base64url(y)})
        };
        match self {
            Self::Rsa(pair) => {
                let public = pair.public_key();
                let (n, e) = (public.modulus().big_endian_without_leading_zero(), public.exponent().big_endian_without_leading_zero());
                json!({"kty": "RSA", "kid": kid, "use": "sig", "n": base64url(n), "e": base64url(e)})
            }
            Self::P256(pair) => point(pair.public_key().as_ref(), "P-256"),
            Self::P384(pair) => point(pair.public_key().as_ref(), "P-384"),
            Self::Ed25519(pair) => json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": base64url(pair.public_key())}),
        }
    }

    pub fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Rsa(pair) => {
                let encoding: &dyn signature::RsaEncoding = match algorithm {
                    "RS256" => &signature::RSA_PKCS1_SHA256,
                    "RS384" => &signature::RSA_PKCS1_SHA384,
                    "RS512" => &signature::RSA_PKCS1_SHA512,
                    "PS256" => &signature::RSA_PSS_SHA256,
                    "PS384" => &signature::RSA_PSS_SHA384,
                    "PS512" => &signature::RSA_PSS_SHA512,
                    other => panic!("no RSA algorithm: {other}"),
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &random, message, &mut signature).unwrap();
                signature
            }
            Self::P256(pair) | Self::P384(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// A token with this header and these claims.
    pub fn token(&self, header: &Value, claims: &Value) -> String {
        self.raw_token(&header.to_string(), claims, header["alg"].as_str().unwrap_or("RS256"))
    }

    /// A token whose header is any text.
    pub fn raw_token(&self, header: &str, claims: &Value, algorithm: &str) -> String {
        let signed = format!("{}.{}", base64url(header), base64url(claims.to_string()));
        format!("{signed}.{}", base64url(self.sign(algorithm, signed.as_bytes())))
    }
}

/// What the issuer serves.
#[derive(Clone)]
pub struct Site {
    /// `issuer` in its document; its own URL if `None`.
    pub issuer: Option<String>,
    pub keys: Vec<Value>,
    /// Status of every answer.
    pub status: u16,
    /// Replaces the key set.
    pub key_set: Option<String>,
    /// What its token endpoint answers.
    pub tokens: Value,
}

/// The issuer, and a vault's view of it.
pub struct World {
    pub url: String,
    pub site: Arc<Mutex<Site>>,
    /// Requests for its document and for its keys.
    pub asked: Arc<[AtomicU32; 2]>,
    pub clock: Arc<ManualClock>,
    pub issuers: Arc<Issuers>,
    serving: JoinHandle<()>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl World {
    /// An issuer with these keys.
    pub async fn with(keys: Vec<Value>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let site = Arc::new(Mutex::new(Site { issuer: None, keys, status: 200, key_set: None, tokens: Value::Null }));
        let asked = Arc::new([const { AtomicU32::new(0) }; 2]);
        let router = Router::new().fallback(serve).with_state((url.clone(), Arc::clone(&site), Arc::clone(&asked)));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(NOW * 1000)));
        let egress = Egress::new(EgressOptions::default()).unwrap();
        let issuers = Arc::new(Issuers::new(egress, Arc::clone(&clock) as Arc<dyn Clock>));
        Self { url, site, asked, clock, issuers, serving }
    }

    pub fn change(&self, change: impl FnOnce(&mut Site)) {
        change(&mut self.site.lock().unwrap());
    }

    /// How often its document and its keys were asked for.
    pub fn requests(&self) -> (u32, u32) {
        (self.asked[0].load(Ordering::SeqCst), self.asked[1].load(Ordering::SeqCst))
    }

    pub fn trust(&self) -> Trust {
        Trust { issuer: self.url.clone(), audiences: vec!["app".into()], groups_claim: Some("groups".into()) }
    }

    /// Claims that are right, with members changed; null removes one.
    pub fn claims(&self, change: &Value) -> Value {
        let now = self.clock.now().as_secs();
        let mut claims = json!({"iss": self.url, "sub": "ada", "aud": "app", "iat": now, "exp": now + 300});
        let members = claims.as_object_mut().unwrap();
        for (name, value) in change.as_object().unwrap() {
            if value.is_null() {
                members.remove(name)
            } else {
                members.insert(name.clone(), value.clone())
            };
        }
        claims
    }

    pub async fn verify(&self, token: &str) -> Result<Verified, VerifyError> {
        let verified = self.issuers.verify(&self.trust(), token).await;
        if let Err(error) = &verified {
            // Whatever is refused, neither the token nor its signature is quoted.
            let text = format!("{error} {error:?}");
            assert!(token.split('.').filter(|part| part.len() > 20).all(|part| !text.contains(part)), "{text}");
        }
        verified
    }

    /// The code of a refusal.
    pub async fn refused(&self, token: &str) -> &'static str {
        match self.verify(token).await {
            Ok(_) => panic!("accepted: {token}"),
            Err(error) => error.code(),
        }
    }
}

type Shared = (String, Arc<Mutex<Site>>, Arc<[AtomicU32; 2]>);

async fn serve(State((url, site, asked)): State<Shared>, uri: Uri) -> impl IntoResponse {
    let site = site.lock().unwrap().clone();
    let body = match uri.path() {
        "/.well-known/openid-configuration" => {
            asked[0].fetch_add(1, Ordering::SeqCst);
            let issuer = site.issuer.unwrap_or_else(|| url.clone());
            let (authorize, token) = (format!("{url}/authorize"), format!("{url}/token"));
            json!({"issuer": issuer, "jwks_uri": format!("{url}/keys"), "authorization_endpoint": authorize, "token_endpoint": token})
                .to_string()
        }
        "/token" => site.tokens.to_string(),
        "/keys" => {
            asked[1].fetch_add(1, Ordering::SeqCst);
            site.key_set.unwrap_or_else(|| json!({"keys": site.keys}).to_string())
        }
        other => panic!("nobody should ask for {other}"),
    };
    (StatusCode::from_u16(site.status).unwrap(), [("content-type", "application/json")], body)
}

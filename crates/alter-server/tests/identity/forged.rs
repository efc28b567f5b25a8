//! Forged and foreign tokens: each is refused, and for its own reason.

use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::issuer::{NOW, Pair, World, base64url};

/// An issuer with one key of each kind.
struct Keys {
    p256: Pair,
    p384: Pair,
    ed25519: Pair,
}

async fn world() -> (World, Keys) {
    let keys = Keys { p256: Pair::p256(), p384: Pair::p384(), ed25519: Pair::ed25519() };
    let set = vec![Pair::rsa(0).jwk("rsa"), keys.p256.jwk("p256"), keys.p384.jwk("p384"), keys.ed25519.jwk("ed")];
    (World::with(set).await, keys)
}

fn rs256(kid: &str) -> Value {
    json!({"alg": "RS256", "kid": kid, "typ": "JWT"})
}

#[tokio::test]
async fn every_accepted_algorithm_is_accepted() {
    let (world, keys) = world().await;
    for (algorithm, kid, pair) in [
        ("RS256", "rsa", Pair::rsa(0)),
        ("RS384", "rsa", Pair::rsa(0)),
        ("RS512", "rsa", Pair::rsa(0)),
        ("PS256", "rsa", Pair::rsa(0)),
        ("PS384", "rsa", Pair::rsa(0)),
        ("PS512", "rsa", Pair::rsa(0)),
        ("ES256", "p256", &keys.p256),
        ("ES384", "p384", &keys.p384),
        ("EdDSA", "ed", &keys.ed25519),
    ] {
        let claims = world.claims(&json!({"groups": ["staff"]}));
        let verified = world.verify(&pair.token(&json!({"alg": algorithm, "kid": kid}), &claims)).await.expect(algorithm);
        assert_eq!((verified.subject.as_str(), verified.issuer.as_str()), ("ada", world.url.as_str()));
        assert_eq!(verified.groups, Some(vec!["staff".to_owned()]));
        // Another message under the same signature.
        let token = pair.token(&json!({"alg": algorithm, "kid": kid}), &claims);
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let (header, _) = signed.split_once('.').unwrap();
        let forged = format!("{header}.{}.{signature}", base64url(world.claims(&json!({"sub": "eve"})).to_string()));
        assert_eq!(world.refused(&forged).await, "token_signature_bad", "{algorithm}");
    }
    // One kind of key, one key: a token without a kid names it, too.
    assert!(world.verify(&keys.p256.token(&json!({"alg": "ES256"}), &world.claims(&json!({})))).await.is_ok());
}

#[tokio::test]
async fn wrong_claims_have_their_own_reasons() {
    let (world, _) = world().await;
    for (change, code) in [
        (json!({"exp": NOW - 60}), "token_expired"),
        (json!({"nbf": NOW + 61}), "token_not_yet_valid"),
        (json!({"iat": NOW + 61}), "token_not_yet_valid"),
        (json!({"aud": "other"}), "token_audience_wrong"),
        (json!({"aud": ["app", "other"], "azp": "other"}), "token_audience_wrong"),
        (json!({"iss": "https://id.example.com"}), "token_issuer_wrong"),
        (json!({"iss": format!("{}/", world.url)}), "token_issuer_wrong"),
        (json!({"exp": null}), "token_malformed"),
        (json!({"sub": null}), "token_malformed"),
    ] {
        let token = Pair::rsa(0).token(&rs256("rsa"), &world.claims(&change));
        assert_eq!(world.refused(&token).await, code, "{change}");
    }
}

#[tokio::test]
async fn unsigned_and_shared_secret_tokens_are_refused() {
    let (world, _) = world().await;
    let claims = base64url(world.claims(&json!({})).to_string());
    for alg in ["none", "None", "NONE", "nOnE"] {
        let header = base64url(json!({"alg": alg}).to_string());
        for signature in ["", "AA"] {
            assert_eq!(world.refused(&format!("{header}.{claims}.{signature}")).await, "token_algorithm_refused", "{alg}");
        }
    }
    // The public key, which everybody has, as the secret of an HMAC: in each form in which a library might hold it.
    let jwk = Pair::rsa(0).jwk("rsa");
    for secret in [jwk["n"].as_str().unwrap().to_owned(), jwk.to_string(), json!({"keys": [jwk]}).to_string()] {
        for alg in ["HS256", "HS384", "HS512"] {
            let signed = format!("{}.{claims}", base64url(json!({"alg": alg, "kid": "rsa"}).to_string()));
            let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
            mac.update(signed.as_bytes());
            let token = format!("{signed}.{}", base64url(mac.finalize().into_bytes()));
            assert_eq!(world.refused(&token).await, "token_algorithm_refused");
        }
    }
}

#[tokio::test]
async fn a_key_serves_its_own_kind_only() {
    let (world, keys) = world().await;
    let claims = world.claims(&json!({}));
    for (algorithm, kid, pair) in [
        ("RS256", "p256", Pair::rsa(0)),
        ("RS256", "ed", Pair::rsa(0)),
        ("ES256", "rsa", &keys.p256),
        ("ES256", "p384", &keys.p256),
        ("ES384", "p256", &keys.p384),
        ("EdDSA", "p256", &keys.ed25519),
    ] {
        let token = pair.token(&json!({"alg": algorithm, "kid": kid}), &claims);
        assert_eq!(world.refused(&token).await, "token_key_unfit", "{algorithm} {kid}");
    }
    // A PSS signature is no PKCS #1 v1.5 signature, and the other way round.
    let signed = |alg: &str| format!("{}.{}", base64url(json!({"alg": alg, "kid": "rsa"}).to_string()), base64url(claims.to_string()));
    for (named, used) in [("RS256", "PS256"), ("PS256", "RS256"), ("RS256", "RS512")] {
        let message = signed(named);
        let token = format!("{message}.{}", base64url(Pair::rsa(0).sign(used, message.as_bytes())));
        assert_eq!(world.refused(&token).await, "token_signature_bad", "{named} {used}");
    }
}

#[tokio::test]
async fn keys_that_a_token_brings_along_are_ignored() {
    let (world, _) = world().await;
    let attacker = World::with(vec![Pair::rsa(1).jwk("mine")]).await;
    let claims = world.claims(&json!({}));
    let key = Pair::rsa(1).jwk("rsa");
    let keys = format!("{}/keys", attacker.url);
    for (kid, code) in [("rsa", "token_signature_bad"), ("mine", "token_key_unknown")] {
        for brought in [json!({"jwk": key}), json!({"jku": keys}), json!({"x5u": keys}), json!({"x5c": ["MIIB"]})] {
            let mut header = rs256(kid);
            header.as_object_mut().unwrap().extend(brought.as_object().cloned().unwrap());
            assert_eq!(world.refused(&Pair::rsa(1).token(&header, &claims)).await, code, "{header}");
        }
    }
    assert_eq!(attacker.requests(), (0, 0));
    // A path or a statement in a kid is a name like any other.
    for kid in ["../../../../dev/null", "' OR '1'='1", "rsa\u{0}", ""] {
        assert_eq!(world.refused(&Pair::rsa(1).token(&rs256(kid), &claims)).await, "token_key_unknown", "{kid}");
    }
}

#[tokio::test]
async fn ambiguous_and_oversized_tokens_are_refused() {
    let (world, _) = world().await;
    let claims = world.claims(&json!({}));
    for header in [
        r#"{"alg":"RS256","kid":"rsa","alg":"none"}"#,
        r#"{"alg":"none","kid":"rsa","alg":"RS256"}"#,
        r#"{"alg":"RS256","kid":"rsa","crit":["x"],"x":1}"#,
    ] {
        assert_eq!(world.refused(&Pair::rsa(0).raw_token(header, &claims, "RS256")).await, "token_malformed", "{header}");
    }
    let typed = Pair::rsa(0).token(&json!({"alg": "RS256", "kid": "rsa", "typ": "logout+jwt"}), &claims);
    assert_eq!(world.refused(&typed).await, "token_type_refused");
    let huge = Pair::rsa(0).token(&rs256("rsa"), &world.claims(&json!({"pad": "x".repeat(16 * 1024)})));
    assert_eq!(world.refused(&huge).await, "token_too_long");
    for text in ["", "a.b.c", "..", &"x".repeat(10_000)] {
        assert_eq!(world.refused(text).await, "token_malformed");
    }
    // None of these is a reason to ask the issuer.
    assert_eq!(world.requests(), (0, 0));
}

#[tokio::test]
async fn signatures_that_some_libraries_accept_are_refused() {
    let (world, keys) = world().await;
    let signed = format!("{}.{}", base64url(r#"{"alg":"ES256","kid":"p256"}"#), base64url(world.claims(&json!({})).to_string()));
    let good = keys.p256.sign("ES256", signed.as_bytes());
    assert!(world.verify(&format!("{signed}.{}", base64url(&good))).await.is_ok());
    let (r, s) = good.split_at(32);
    // DER as in TLS, zeros ("psychic"), cut off, with something after it, halves exchanged, nothing.
    let der = [&[0x30, 0x44, 0x02, 0x20], r, &[0x02, 0x20], s].concat();
    for bad in [der, vec![0; 64], good[..63].to_vec(), [&good[..], &[0]].concat(), [s, r].concat(), Vec::new()] {
        assert_eq!(world.refused(&format!("{signed}.{}", base64url(&bad))).await, "token_signature_bad", "{bad:?}");
    }
}

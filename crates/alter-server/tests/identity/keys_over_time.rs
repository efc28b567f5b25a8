//! An issuer's keys over time: rotation, outages, wrong documents, and how often it is asked.

use std::sync::Arc;
use std::time::Duration;

use alter_server::identity::{FRESH_FOR, LAST_GOOD_FOR, RETRY_AFTER};
use serde_json::json;

use crate::issuer::{Pair, World};

fn token(world: &World, pair: &Pair, kid: &str) -> String {
    let now = json!({});
    pair.token(&json!({"alg": "ES256", "kid": kid}), &world.claims(&now))
}

#[tokio::test]
async fn a_new_key_is_found_and_an_old_one_forgotten() {
    let (old, new) = (Pair::p256(), Pair::p256());
    let world = World::with(vec![old.jwk("old")]).await;
    assert!(world.verify(&token(&world, &old, "old")).await.is_ok());
    world.change(|site| site.keys = vec![new.jwk("new")]);
    // The issuer was asked a moment ago.
    assert_eq!(world.refused(&token(&world, &new, "new")).await, "token_key_unknown");
    assert!(world.verify(&token(&world, &old, "old")).await.is_ok());
    world.clock.advance(RETRY_AFTER);
    assert!(world.verify(&token(&world, &new, "new")).await.is_ok());
    assert_eq!(world.refused(&token(&world, &old, "old")).await, "token_key_unknown");
}

#[tokio::test]
async fn a_key_replaced_under_its_name_is_found_when_the_set_is_old() {
    let (old, new) = (Pair::p256(), Pair::p256());
    let world = World::with(vec![old.jwk("k")]).await;
    assert!(world.verify(&token(&world, &old, "k")).await.is_ok());
    world.change(|site| site.keys = vec![new.jwk("k")]);
    assert_eq!(world.refused(&token(&world, &new, "k")).await, "token_signature_bad");
    world.clock.advance(FRESH_FOR);
    assert!(world.verify(&token(&world, &new, "k")).await.is_ok());
    assert_eq!(world.refused(&token(&world, &old, "k")).await, "token_signature_bad");
}

#[tokio::test]
async fn forged_key_names_do_not_make_the_vault_hammer_an_issuer() {
    let pair = Pair::p256();
    let world = World::with(vec![pair.jwk("k")]).await;
    for round in 1..=3 {
        for number in 0..20 {
            assert_eq!(world.refused(&token(&world, &pair, &format!("{round}-{number}"))).await, "token_key_unknown");
        }
        assert_eq!(world.requests(), (round, round), "one fetch each {} s", RETRY_AFTER.as_secs());
        world.clock.advance(RETRY_AFTER);
    }
}

#[tokio::test]
async fn many_callers_ask_once() {
    let pair = Pair::p256();
    let world = Arc::new(World::with(vec![pair.jwk("k")]).await);
    let token = token(&world, &pair, "k");
    let calls = (0..50).map(|_| {
        let (world, token) = (Arc::clone(&world), token.clone());
        tokio::spawn(async move { world.verify(&token).await.is_ok() })
    });
    for call in calls.collect::<Vec<_>>() {
        assert!(call.await.unwrap());
    }
    assert_eq!(world.requests(), (1, 1));
}

#[tokio::test]
async fn an_outage_is_bridged_for_a_while() {
    let pair = Pair::p256();
    let world = World::with(vec![pair.jwk("k")]).await;
    assert!(world.verify(&token(&world, &pair, "k")).await.is_ok());
    world.change(|site| site.status = 503);
    world.clock.advance(FRESH_FOR);
    for _ in 0..5 {
        assert!(world.verify(&token(&world, &pair, "k")).await.is_ok());
    }
    assert_eq!(world.requests().0, 2, "asked once in vain, then left alone for a while");
    world.clock.advance(LAST_GOOD_FOR - FRESH_FOR - Duration::from_secs(1));
    assert!(world.verify(&token(&world, &pair, "k")).await.is_ok());
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.refused(&token(&world, &pair, "k")).await, "idp_error_status");
    world.change(|site| site.status = 200);
    world.clock.advance(RETRY_AFTER);
    assert!(world.verify(&token(&world, &pair, "k")).await.is_ok());
}

#[tokio::test]
async fn an_issuer_that_was_never_reached_verifies_nothing() {
    let pair = Pair::p256();
    let world = World::with(vec![pair.jwk("k")]).await;
    let nobody = World::with(Vec::new()).await;
    let url = nobody.url.clone();
    drop(nobody);
    let mut trust = world.trust();
    trust.issuer = url.clone();
    let token = pair.token(&json!({"alg": "ES256", "kid": "k"}), &world.claims(&json!({"iss": url})));
    let refused = || async { world.issuers.verify(&trust, &token).await.map(drop).map_err(|error| error.code()) };
    assert_eq!(refused().await, Err("idp_unreachable"));
    assert_eq!(refused().await, Err("idp_unreachable"), "also while it is left alone");
}

#[tokio::test]
async fn documents_that_cannot_be_used_are_named() {
    let pair = Pair::p256();
    for (code, change) in [
        ("idp_issuer_mismatch", json!({"issuer": "https://id.example.com"})),
        ("idp_answer_invalid", json!({"key_set": "{}"})),
        ("idp_answer_invalid", json!({"key_set": "<html>"})),
        ("idp_answer_invalid", json!({"key_set": r#"{"keys":[]}"#})),
        ("idp_answer_invalid", json!({"key_set": r#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#})),
        ("idp_error_status", json!({"status": 404})),
        ("idp_error_status", json!({"status": 302})),
        ("idp_unreachable", json!({"key_set": "x".repeat(300 * 1024)})),
    ] {
        let world = World::with(vec![pair.jwk("k")]).await;
        world.change(|site| {
            site.issuer = change["issuer"].as_str().map(str::to_owned);
            site.key_set = change["key_set"].as_str().map(str::to_owned);
            site.status = change["status"].as_u64().map_or(200, |status| u16::try_from(status).unwrap());
        });
        assert_eq!(world.refused(&token(&world, &pair, "k")).await, code, "{change:.80}");
        assert_eq!(world.issuers.probe(&world.url).await.map(drop).map_err(|trouble| trouble.code()), Err(code));
    }
}

#[tokio::test]
async fn a_test_asks_whatever_is_known() {
    let pair = Pair::p256();
    let world = World::with(vec![pair.jwk("k"), Pair::p384().jwk("l")]).await;
    for count in 1..=3 {
        let (metadata, keys) = world.issuers.probe(&world.url).await.unwrap();
        assert_eq!((metadata.issuer.as_str(), keys), (world.url.as_str(), 2));
        assert_eq!(world.requests(), (count, count));
    }
}

//! Replay protection: unique per key, bounded, durable.

use std::time::Duration;

use alter_server::audit::Outcome;
use alter_server::model::KeyStatus;
use alter_server::store::{Declined, Effect, Nonce};

use super::harness::{Furnished, Vault, declined};

fn nonce(made: &Furnished, value: &str) -> Nonce {
    Nonce { key: made.key.id, value: value.to_owned() }
}

#[tokio::test]
async fn a_nonce_is_spent_once_a_key() {
    let vault = Vault::new();
    let (one, two) = (vault.furnished("one").await, vault.furnished("two").await);
    vault.commit(one.token_call().nonce(nonce(&one, "n"))).await.unwrap();
    vault.commit(two.token_call().nonce(nonce(&two, "n"))).await.unwrap();
    assert_eq!(declined(vault.commit(one.token_call().nonce(nonce(&one, "n"))).await), Declined::NonceReplayed);
    let row = vault.last_row(one.chain()).await;
    assert_eq!((row.entry.outcome, row.entry.code.as_deref()), (Outcome::Refused, Some("nonce_replayed")));
}

#[tokio::test]
async fn a_replay_overrules_the_refusal_that_was_drafted() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let refusal = || alter_server::store::Commit::new(made.intent().refused("grant_not_found", Some("unknown"))).nonce(nonce(&made, "n"));
    vault.commit(refusal()).await.unwrap();
    assert_eq!(declined(vault.commit(refusal()).await), Declined::NonceReplayed);
    assert_eq!(vault.last_row(made.chain()).await.entry.code.as_deref(), Some("nonce_replayed"));
}

#[tokio::test]
async fn a_nonce_is_spent_even_if_the_call_is_declined() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let (app, key) = (made.app.id, made.key.id);
    vault.apply(made.chain(), Effect::SetKeyStatus { app, key, status: KeyStatus::Revoked }).await.unwrap();
    assert_eq!(declined(vault.commit(made.token_call().nonce(nonce(&made, "n"))).await), Declined::KeyRevoked);
    assert_eq!(declined(vault.commit(made.token_call().nonce(nonce(&made, "n"))).await), Declined::NonceReplayed);
}

#[tokio::test]
async fn a_nonce_outlives_the_process_and_then_its_lifetime() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    vault.commit(made.token_call().nonce(nonce(&made, "n"))).await.unwrap();
    let vault = vault.restarted().await;
    let call = async || vault.commit(made.token_call().nonce(nonce(&made, "n"))).await;
    vault.clock.advance(Nonce::LIFETIME - Duration::from_millis(1));
    assert_eq!(declined(call().await), Declined::NonceReplayed);
    vault.clock.advance(Duration::from_millis(1));
    call().await.unwrap();
    assert_eq!(declined(call().await), Declined::NonceReplayed);
}

#[tokio::test]
async fn a_full_table_refuses_and_forgets_nothing_that_lives() {
    let vault = Vault::with(|options| options.limits.nonces = 3);
    let made = vault.furnished("shop").await;
    let call = async |value: &str| vault.commit(made.token_call().nonce(nonce(&made, value))).await;
    for value in ["a", "b", "c"] {
        call(value).await.unwrap();
    }
    assert_eq!(declined(call("d").await), Declined::NoncesFull);
    assert_eq!(vault.last_row(made.chain()).await.entry.code.as_deref(), Some("nonce_table_full"));
    assert_eq!(declined(call("a").await), Declined::NonceReplayed, "a live nonce was given up");
    vault.clock.advance(Nonce::LIFETIME);
    for value in ["d", "a", "e"] {
        call(value).await.unwrap();
    }
    assert_eq!(declined(call("f").await), Declined::NoncesFull, "the count went wrong in sweeping");
}

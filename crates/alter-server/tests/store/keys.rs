//! Keys with bounds: counted, succeeded, ended with what was derived from them.

use std::time::Duration;

use alter_core::key::KeyKind;
use alter_server::model::{ApiKey, KeyRate, KeyStatus, Networks, RateCount, SharedRate};
use alter_server::store::{Commit, Declined, Effect, Entity, Nonce, RateState};

use super::harness::{Furnished, Vault, declined};
use super::people::agent;

async fn create(vault: &Vault, made: &Furnished, key: &ApiKey) -> Result<(), Declined> {
    match vault.apply(made.chain(), Effect::CreateKey(Box::new(key.clone()))).await {
        Ok(_) => Ok(()),
        failed => Err(declined(failed)),
    }
}

async fn read(vault: &Vault, key: &ApiKey) -> ApiKey {
    vault.store.key(key.app, key.id).await.unwrap().found().unwrap()
}

#[tokio::test]
async fn a_key_is_read_back_with_its_bounds() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let bounds = ApiKey {
        kind: KeyKind::Derived,
        parent: Some(made.key.id),
        networks: Some(Networks::parse(&["192.0.2.0/24"]).unwrap()),
        rate: KeyRate { own: Some(10), shared: Some(SharedRate { key: made.key.id, limit: None }) },
        metadata: serde_json::from_str(r#"{"job":7}"#).unwrap(),
        ..vault.api_key(made.app.id)
    };
    create(&vault, &made, &bounds).await.unwrap();
    assert_eq!(read(&vault, &bounds).await, bounds);
    assert_eq!(vault.store.key_by_digest(bounds.digest).await.unwrap(), Some(bounds.clone()));
    let orphan = ApiKey { parent: Some(vault.api_key(made.app.id).id), ..vault.api_key(made.app.id) };
    assert_eq!(create(&vault, &made, &orphan).await, Err(Declined::NotFound(Entity::Key)));
}

#[tokio::test]
async fn statuses_keep_their_first_dates_and_end_what_was_derived() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let (app, parent) = (made.app.id, vault.api_key(made.app.id));
    let child = ApiKey { kind: KeyKind::Derived, parent: Some(parent.id), ..vault.api_key(app) };
    create(&vault, &made, &parent).await.unwrap();
    create(&vault, &made, &child).await.unwrap();
    let set = |status| Effect::SetKeyStatus { app, key: parent.id, status };
    let first = vault.now();
    vault.apply(made.chain(), set(KeyStatus::Deprecated)).await.unwrap();
    vault.clock.advance(Duration::from_secs(60));
    vault.apply(made.chain(), set(KeyStatus::Deprecated)).await.unwrap();
    assert_eq!(read(&vault, &parent).await.deprecated_at, Some(first));
    vault.apply(made.chain(), set(KeyStatus::Active)).await.unwrap();
    assert_eq!((read(&vault, &parent).await.deprecated_at, read(&vault, &parent).await.status), (None, KeyStatus::Active));
    let end = vault.now();
    vault.apply(made.chain(), set(KeyStatus::Revoked)).await.unwrap();
    vault.clock.advance(Duration::from_secs(60));
    vault.apply(made.chain(), set(KeyStatus::Revoked)).await.unwrap();
    for key in [&parent, &child] {
        let key = read(&vault, key).await;
        assert_eq!((key.status, key.revoked_at), (KeyStatus::Revoked, Some(end)));
    }
    assert_eq!(declined(vault.apply(made.chain(), set(KeyStatus::Deprecated)).await), Declined::Final(Entity::Key));
    let late = ApiKey { kind: KeyKind::Derived, parent: Some(parent.id), ..vault.api_key(app) };
    assert_eq!(create(&vault, &made, &late).await, Err(Declined::KeyRevoked));
}

#[tokio::test]
async fn a_superseded_key_works_until_its_time_and_no_longer_if_told_so_again() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let (app, key) = (made.app.id, made.key.id);
    let at = |seconds| vault.now().plus(Duration::from_secs(seconds));
    let (soon, later) = (at(60), at(600));
    for until in [soon, later] {
        vault.apply(made.chain(), Effect::SupersedeKey { app, key, until }).await.unwrap();
    }
    let superseded = read(&vault, &made.key).await;
    assert_eq!((superseded.status, superseded.works_until), (KeyStatus::Deprecated, Some(soon)));
    let using = || Commit::new(made.intent()).effect(Effect::UseKey { key });
    vault.commit(using()).await.unwrap();
    vault.clock.advance(Duration::from_secs(60));
    assert_eq!(declined(vault.commit(using()).await), Declined::KeySuperseded);
    // As if it had never been rotated.
    vault.apply(made.chain(), Effect::SetKeyStatus { app, key, status: KeyStatus::Active }).await.unwrap();
    vault.commit(using()).await.unwrap();
    vault.apply(made.chain(), Effect::SetKeyStatus { app, key, status: KeyStatus::Revoked }).await.unwrap();
    let late = Effect::SupersedeKey { app, key, until: later };
    assert_eq!(declined(vault.apply(made.chain(), late).await), Declined::Final(Entity::Key));
}

#[tokio::test]
async fn an_agent_has_so_many_keys_and_keeps_one_if_told_to() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let (app, planner) = (made.app.id, agent(made.app.id, "planner"));
    vault.apply(made.chain(), Effect::CreateAgent(Box::new(planner.clone()))).await.unwrap();
    let keys: Vec<ApiKey> = (0..11).map(|_| ApiKey { kind: KeyKind::Agent, agent: Some(planner.id), ..vault.api_key(app) }).collect();
    for key in &keys[..10] {
        create(&vault, &made, key).await.unwrap();
    }
    assert_eq!(create(&vault, &made, &keys[10]).await, Err(Declined::TooManyKeys));
    let derived = ApiKey { kind: KeyKind::Derived, agent: Some(planner.id), parent: Some(keys[0].id), ..vault.api_key(app) };
    create(&vault, &made, &derived).await.unwrap();
    assert_eq!(vault.store.agent_keys(app, planner.id).await.unwrap(), keys[..10], "none that was derived");

    let revoke = |key: &ApiKey| {
        Commit::new(made.intent())
            .effect(Effect::SetKeyStatus { app, key: key.id, status: KeyStatus::Revoked })
            .effect(Effect::KeepAgentKey { app, agent: planner.id })
    };
    for key in &keys[..9] {
        vault.commit(revoke(key)).await.unwrap();
    }
    assert_eq!(declined(vault.commit(revoke(&keys[9])).await), Declined::LastKey);
    assert_eq!(read(&vault, &keys[9]).await.status, KeyStatus::Active, "nothing of the commit was done");
    create(&vault, &made, &keys[10]).await.unwrap();
    vault.commit(revoke(&keys[9])).await.unwrap();
}

/// A request that counts against these limits.
fn request(vault: &Vault, made: &Furnished, number: u32, counts: Vec<RateCount>) -> Commit {
    let value = format!("{number:032x}{}", vault.now().as_secs());
    Commit::new(made.intent()).nonce(Nonce { key: made.key.id, value }).count(counts)
}

#[tokio::test]
async fn requests_of_one_minute_are_counted_whatever_becomes_of_them() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let other = vault.api_key(made.app.id);
    let count = |key: &ApiKey, limit| RateCount { key: key.id, limit };
    let left = async |number, counts| match vault.commit(request(&vault, &made, number, counts)).await {
        Ok(receipt) => Ok(receipt.rate.map(|rate| rate.remaining)),
        failed => Err(declined(failed)),
    };
    assert_eq!(left(1, vec![count(&made.key, 4)]).await, Ok(Some(3)));
    // Two counts: the smaller rest is told.
    assert_eq!(left(2, vec![count(&made.key, 4), count(&other, 2)]).await, Ok(Some(1)));
    assert_eq!(left(2, vec![count(&made.key, 4)]).await, Err(Declined::NonceReplayed), "it counts, too");
    assert_eq!(left(3, vec![count(&made.key, 4)]).await, Ok(Some(0)));
    let resets_at = (vault.now().as_secs() / 60 + 1) * 60;
    let full = RateState { limit: 4, remaining: 0, resets_at };
    assert_eq!(left(4, vec![count(&made.key, 4)]).await, Err(Declined::RateLimited(full)));
    assert_eq!(left(5, vec![count(&other, 2)]).await, Ok(Some(0)), "another's count is not touched");
    let vault_after = vault.restarted().await;
    let after = vault_after.commit(request(&vault_after, &made, 6, vec![count(&made.key, 4)])).await;
    assert_eq!(declined(after), Declined::RateLimited(full), "a restart forgets nothing");
    vault_after.clock.advance(Duration::from_secs(60));
    let next = vault_after.commit(request(&vault_after, &made, 7, vec![count(&made.key, 4)])).await.unwrap();
    assert_eq!(next.rate.map(|rate| rate.remaining), Some(3));
}

#[tokio::test]
async fn callers_at_once_share_a_limit_to_the_last_request() {
    let vault = std::sync::Arc::new(Vault::new());
    let made = std::sync::Arc::new(vault.furnished("shop").await);
    let callers = (0..40).map(|number| {
        let (vault, made) = (std::sync::Arc::clone(&vault), std::sync::Arc::clone(&made));
        tokio::spawn(async move {
            let counts = vec![RateCount { key: made.key.id, limit: 25 }];
            vault.commit(request(&vault, &made, number, counts)).await.is_ok()
        })
    });
    let mut passed = 0;
    for caller in callers.collect::<Vec<_>>() {
        passed += usize::from(caller.await.unwrap());
    }
    assert_eq!(passed, 25);
}

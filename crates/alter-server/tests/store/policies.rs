//! Policies, and the counts of calls that they bound.

use std::time::Duration;

use alter_server::model::{OperatorId, Policy, PolicyId};
use alter_server::store::{CallCount, Declined, Effect, Entity, RateState};

use super::harness::{Furnished, Vault, declined};

fn policy(vault: &Vault, made: &Furnished, name: &str) -> Policy {
    let by = OperatorId::random();
    Policy {
        id: PolicyId::random(),
        app: made.app.id,
        name: name.to_owned(),
        source: "forbid (principal, action, resource);".to_owned(),
        version: 1,
        created_at: vault.now(),
        created_by: by,
        updated_at: vault.now(),
        updated_by: by,
    }
}

#[tokio::test]
async fn a_policy_is_replaced_only_by_its_successor() {
    let vault = Vault::new();
    let (made, other) = (vault.furnished("shop").await, vault.furnished("other").await);
    let (first, second) = (policy(&vault, &made, "b"), policy(&vault, &made, "A"));
    for policy in [&first, &second] {
        vault.apply(made.chain(), Effect::CreatePolicy(Box::new(policy.clone()))).await.unwrap();
    }
    assert_eq!(vault.store.policies(made.app.id).await.unwrap(), [second.clone(), first.clone()], "by name, in the order of bytes");
    assert_eq!(vault.store.policies(other.app.id).await.unwrap(), []);
    let twin = Policy { id: PolicyId::random(), ..first.clone() };
    assert_eq!(declined(vault.apply(made.chain(), Effect::CreatePolicy(Box::new(twin))).await), Declined::Exists(Entity::Policy));
    let update = |policy: &Policy| Effect::UpdatePolicy(Box::new(policy.clone()));
    let next = Policy { source: "new".into(), version: 2, updated_by: OperatorId::random(), ..first.clone() };
    vault.apply(made.chain(), update(&next)).await.unwrap();
    assert_eq!(declined(vault.apply(made.chain(), update(&next)).await), Declined::Changed(Entity::Policy));
    assert_eq!(vault.store.policies(made.app.id).await.unwrap(), [second.clone(), next]);
    let delete = |app| Effect::DeletePolicy { app, policy: first.id };
    assert_eq!(declined(vault.apply(made.chain(), delete(other.app.id)).await), Declined::NotFound(Entity::Policy));
    vault.apply(made.chain(), delete(made.app.id)).await.unwrap();
    assert_eq!(vault.store.policies(made.app.id).await.unwrap(), [second]);
}

#[tokio::test]
async fn calls_are_counted_in_windows_of_time() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let count = |counter: &str| CallCount { app: made.app.id, counter: counter.to_owned(), limit: 2, window: 3600 };
    let take = async |counter: &str| vault.apply(made.chain(), Effect::CountCall(count(counter))).await;
    assert_eq!(vault.store.counted_calls(count("a")).await.unwrap(), 0);
    take("a").await.unwrap();
    take("a").await.unwrap();
    let Declined::CallsFull(RateState { limit, remaining, resets_at }) = declined(take("a").await) else { panic!("another reason") };
    assert_eq!((limit, remaining, resets_at % 3600), (2, 0, 0));
    assert_eq!(vault.store.counted_calls(count("a")).await.unwrap(), 2, "what was declined is not counted");
    take("b").await.unwrap();
    vault.clock.advance(Duration::from_secs(3600));
    assert_eq!(vault.store.counted_calls(count("a")).await.unwrap(), 0);
    take("a").await.unwrap();
    assert_eq!(vault.store.counted_calls(count("a")).await.unwrap(), 1);
}

//! What was judged must still hold when it is committed.

use std::time::Duration;

use alter_server::audit::{AuditEntry, Outcome, Standing};
use alter_server::model::{Actor, AppId, CallerType, GrantId, KeyId, KeyStatus};
use alter_server::store::{Commit, Declined, Effect, Entity, JudgedVersions};

use super::harness::{NOON, Vault, begin, declined, failed, soon};

#[tokio::test]
async fn a_use_is_recorded_to_the_second() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let last_uses = async || {
        let key = vault.store.key(made.app.id, made.key.id).await.unwrap().found().unwrap();
        let grant = vault.store.grant(made.app.id, made.grant.id).await.unwrap().found().unwrap();
        (key.last_used_at, grant.last_used_at)
    };
    vault.commit(made.token_call()).await.unwrap();
    assert_eq!(last_uses().await, (Some(NOON), Some(NOON)));
    vault.clock.advance(Duration::from_millis(999));
    vault.commit(made.token_call()).await.unwrap();
    assert_eq!(last_uses().await, (Some(NOON), Some(NOON)), "the same second is not written again");
    vault.clock.advance(Duration::from_millis(1));
    vault.commit(made.token_call()).await.unwrap();
    assert_eq!(last_uses().await, (Some(vault.now()), Some(vault.now())));
    assert_eq!(vault.last_row(made.chain()).await.standing(), Standing::Released);
}

#[tokio::test]
async fn a_use_is_declined_when_what_was_judged_no_longer_holds() {
    let day = Duration::from_secs(86_400);
    for (name, expected) in [
        ("deprecated key", None),
        ("revoked key", Some(Declined::KeyRevoked)),
        ("expired key", Some(Declined::KeyExpired)),
        ("revoked grant", Some(Declined::GrantRevoked)),
        ("expired grant", Some(Declined::GrantExpired)),
        ("changed secret", Some(Declined::SecretChanged)),
        ("deleted secret", Some(Declined::SecretDeleted)),
    ] {
        let vault = Vault::new();
        let mut made = vault.furnished("shop").await;
        let app = made.app.id;
        let change = match name {
            "deprecated key" => Effect::SetKeyStatus { app, key: made.key.id, status: KeyStatus::Deprecated },
            "revoked key" => Effect::SetKeyStatus { app, key: made.key.id, status: KeyStatus::Revoked },
            "revoked grant" => Effect::RevokeGrant { app, grant: made.grant.id },
            "deleted secret" => Effect::DeleteSecret { app, secret: made.secret.id },
            "changed secret" => {
                let mut next = made.secret.clone();
                next.version = 2;
                Effect::UpdateSecret { secret: Box::new(next), sealed: None }
            }
            "expired key" => {
                made.key = vault.api_key(app);
                made.key.expires_at = Some(NOON.plus(day));
                Effect::CreateKey(Box::new(made.key.clone()))
            }
            "expired grant" => {
                made.grant = vault.grant(app, made.secret.id);
                made.grant.expires_at = Some(NOON.plus(day));
                Effect::CreateGrant(Box::new(made.grant.clone()))
            }
            other => panic!("no such case: {other}"),
        };
        vault.apply(made.chain(), change).await.unwrap();
        vault.clock.advance(day);
        let result = vault.commit(made.token_call()).await;
        let row = vault.last_row(made.chain()).await;
        match expected {
            None => {
                result.unwrap();
                assert_eq!((row.entry.outcome, row.entry.code), (Outcome::Intent, None), "{name}");
            }
            Some(expected) => {
                assert_eq!(declined(result), expected, "{name}");
                assert_eq!((row.entry.outcome, row.entry.code.as_deref()), (Outcome::Refused, Some(expected.code())), "{name}");
                let grant = vault.store.grant(app, made.grant.id).await.unwrap().found().unwrap();
                let key = vault.store.key(app, made.key.id).await.unwrap().found().unwrap();
                assert_eq!((grant.last_used_at, key.last_used_at), (None, None), "{name}: nothing counts as used");
            }
        }
    }
}

#[tokio::test]
async fn a_use_of_what_does_not_exist_is_declined() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let key = Commit::new(made.intent()).effect(Effect::UseKey { key: KeyId::random() });
    assert_eq!(declined(vault.commit(key).await), Declined::NotFound(Entity::Key));
    let grant = Commit::new(made.intent()).effect(Effect::UseGrant { grant: GrantId::random(), judged: JudgedVersions::default() });
    assert_eq!(declined(vault.commit(grant).await), Declined::NotFound(Entity::Grant));
}

/// Sixteen calls and a revocation in one group: those before it pass, those after it do not, whatever the group has learned before.
#[tokio::test]
async fn a_revocation_counts_at_once_for_the_calls_after_it() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let mut calls = Vec::new();
    for number in 0..17 {
        let mut call = if number == 8 {
            let row = AuditEntry::new(made.chain(), "grant.revoke", Outcome::Done);
            let revoke = Effect::RevokeGrant { app: made.app.id, grant: made.grant.id };
            vault.store.commit(Commit::new(row).effect(revoke), soon())
        } else {
            vault.store.commit(made.token_call(), soon())
        };
        // A test runs on one thread, so nothing is answered while the calls are being queued.
        assert!(begin(&mut call).await.is_none());
        calls.push(call);
    }
    let mut results = Vec::new();
    for call in calls {
        results.push(call.await);
    }
    let accepted: Vec<bool> = results.iter().map(Result::is_ok).collect();
    assert_eq!(accepted, [[true; 9].as_slice(), [false; 8].as_slice()].concat());
    assert_eq!(results[9], Err(Declined::GrantRevoked.into()));
}

#[tokio::test]
async fn a_caller_is_registered_once() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let id = vault.keys.actor_id(made.app.id, CallerType::Agent, "planner");
    assert_eq!(id, vault.keys.actor_id(made.app.id, CallerType::Agent, "planner"));
    assert_ne!(id, vault.keys.actor_id(made.app.id, CallerType::Service, "planner"));
    for _ in 0..2 {
        let actor = Actor { id, app: made.app.id, caller_type: CallerType::Agent, caller: "planner".into(), first_seen_at: vault.now() };
        let row = made.intent().caller(CallerType::Agent, "planner", Some(id));
        vault.commit(Commit::new(row).effect(Effect::RegisterActor(actor))).await.unwrap();
    }
    assert_eq!(vault.last_row(made.chain()).await.entry.actor, Some(id));
}

/// A commit that breaks a rule of the database itself fails alone, though others share its transaction.
#[tokio::test]
async fn a_commit_that_the_database_refuses_spoils_no_other() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let before = vault.rows(made.chain()).await.len();
    let nobodys = AppId::random();
    let id = vault.keys.actor_id(nobodys, CallerType::Agent, "stray");
    let stray = || Actor { id, app: nobodys, caller_type: CallerType::Agent, caller: "stray".into(), first_seen_at: NOON };
    let mut calls = Vec::new();
    for number in 0..12 {
        let commit = if number % 4 == 1 { Commit::new(made.intent()).effect(Effect::RegisterActor(stray())) } else { made.token_call() };
        let mut call = vault.store.commit(commit, soon());
        assert!(begin(&mut call).await.is_none());
        calls.push(call);
    }
    for (number, call) in calls.into_iter().enumerate() {
        match call.await {
            Ok(_) => assert_ne!(number % 4, 1),
            refused => assert_eq!((failed(refused).code(), number % 4), ("store_failed", 1)),
        }
    }
    assert_eq!(vault.rows(made.chain()).await.len(), before + 9);
}

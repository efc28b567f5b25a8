//! Two vaults on one database are one vault.

use std::sync::Arc;
use std::time::Duration;

use alter_server::audit::{AuditEntry, ChainId, Outcome, verify_all};
use alter_server::model::{KeyStatus, RateCount, Ticket, TicketId, TicketKind, TicketState};
use alter_server::store::{Access, Commit, Declined, Effect, Nonce, Opened};
use tokio::task::JoinSet;

use super::harness::{Furnished, NOON, Vault, declined, soon};
use super::people::{agent, delegated};

/// A vault, and the same one as another process has it.
async fn two() -> (Vault, Opened, Furnished) {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let other = vault.open_again(Access::Write, |_| {}).unwrap();
    (vault, other, made)
}

async fn assert_intact(vault: &Vault) {
    for report in verify_all(&*vault.store, &vault.audit, &[]).await.unwrap() {
        assert!(report.is_intact(), "{report:?}");
    }
}

#[tokio::test]
async fn a_nonce_that_one_has_seen_is_refused_by_the_other() {
    let (vault, other, made) = two().await;
    let nonce = || Nonce { key: made.key.id, value: "n".into() };
    vault.commit(made.token_call().nonce(nonce())).await.unwrap();
    assert_eq!(declined(other.store.commit(made.token_call().nonce(nonce()), soon()).await), Declined::NonceReplayed);
    assert_eq!(vault.place.database.run("SELECT value FROM alter_vault.counters WHERE name = 'nonces'"), "1");
}

/// The same signed request, sent to both at once many times over: each nonce is spent once.
#[tokio::test(flavor = "multi_thread")]
async fn a_nonce_that_comes_to_both_at_once_is_spent_once() {
    let (vault, other, made) = two().await;
    let made = Arc::new(made);
    let mut calls = JoinSet::new();
    for number in 0..100 {
        for store in [&vault.store, &other.store] {
            let (store, made) = (Arc::clone(store), Arc::clone(&made));
            calls.spawn(async move {
                let nonce = Nonce { key: made.key.id, value: number.to_string() };
                store.commit(made.token_call().nonce(nonce), soon()).await
            });
        }
    }
    let (mut spent, mut replayed) = (0, 0);
    while let Some(call) = calls.join_next().await {
        match call.unwrap() {
            Ok(_) => spent += 1,
            refused => {
                assert_eq!(declined(refused), Declined::NonceReplayed);
                replayed += 1;
            }
        }
    }
    assert_eq!((spent, replayed), (100, 100));
    assert_eq!(vault.place.database.run("SELECT value FROM alter_vault.counters WHERE name = 'nonces'"), "100");
    assert_intact(&vault).await;
}

#[tokio::test]
async fn what_one_revokes_the_other_refuses_at_once() {
    let (vault, other, made) = two().await;
    // It has been read before, and must not be remembered.
    assert_eq!(other.store.key_by_digest(made.key.digest).await.unwrap().unwrap().status, KeyStatus::Active);
    other.store.commit(made.token_call(), soon()).await.unwrap();
    let revoke = Effect::SetKeyStatus { app: made.app.id, key: made.key.id, status: KeyStatus::Revoked };
    vault.apply(made.chain(), revoke).await.unwrap();
    assert_eq!(other.store.key_by_digest(made.key.digest).await.unwrap().unwrap().status, KeyStatus::Revoked);
    assert_eq!(declined(other.store.commit(made.token_call(), soon()).await), Declined::KeyRevoked);
}

#[tokio::test]
async fn a_session_begun_on_one_is_ended_on_the_other() {
    let (vault, other, made) = two().await;
    let ticket = Ticket {
        id: TicketId::random(),
        kind: TicketKind::SignIn,
        app: made.app.id,
        digest: alter_server::model::KeyDigest([7; 32]),
        parent: None,
        state: TicketState::Open,
        body: "{}".into(),
        version: 1,
        created_at: NOON,
        expires_at: NOON.plus(Duration::from_secs(600)),
    };
    vault.apply(made.chain(), Effect::CreateTicket { ticket: Box::new(ticket.clone()), sealed: None }).await.unwrap();
    let found = other.store.ticket_by_digest(TicketKind::SignIn, ticket.digest).await.unwrap().unwrap().ticket;
    let done = Ticket { version: 2, state: TicketState::Completed, ..found };
    let update = |ticket: &Ticket| {
        Commit::new(AuditEntry::new(made.chain(), "test.apply", Outcome::Done))
            .effect(Effect::UpdateTicket { ticket: Box::new(ticket.clone()), sealed: None })
    };
    other.store.commit(update(&done), soon()).await.unwrap();
    assert_eq!(vault.store.ticket(ticket.id).await.unwrap().unwrap().ticket, done);
    assert!(vault.commit(update(&done)).await.is_err(), "it was used by the other");
}

/// Both write to the chains of several apps, in every order: no chain forks, and none waits for ever.
#[tokio::test(flavor = "multi_thread")]
async fn chains_that_both_append_to_stay_whole() {
    let (vault, other, _) = two().await;
    let mut apps = Vec::new();
    for name in ["a", "b", "c"] {
        apps.push(vault.furnished(name).await);
    }
    let chains: Vec<ChainId> = apps.iter().map(Furnished::chain).collect();
    let mut writers = JoinSet::new();
    for number in 0..240_usize {
        let store = Arc::clone(if number % 2 == 0 { &vault.store } else { &other.store });
        let (first, second) = (chains[number % 3], chains[(number / 3) % 3]);
        writers.spawn(async move {
            let row = |chain| AuditEntry::new(chain, "test.row", Outcome::Done);
            store.commit(Commit::new(row(first)).row(row(second)), soon()).await
        });
    }
    while let Some(written) = writers.join_next().await {
        written.unwrap().unwrap();
    }
    assert_intact(&vault).await;
    let mut rows = 0;
    for chain in chains {
        rows += vault.rows(chain).await.iter().filter(|row| row.entry.action == "test.row").count();
    }
    assert_eq!(rows, 480);
}

/// Requests that come to both at once are counted together, to the last one of the limit.
#[tokio::test(flavor = "multi_thread")]
async fn both_count_the_requests_of_a_key_together() {
    let (vault, other, made) = two().await;
    let made = Arc::new(made);
    let mut calls = JoinSet::new();
    for number in 0..30 {
        for (place, store) in [&vault.store, &other.store].into_iter().enumerate() {
            let (store, made) = (Arc::clone(store), Arc::clone(&made));
            calls.spawn(async move {
                let nonce = Nonce { key: made.key.id, value: format!("{place}-{number}") };
                let counts = vec![RateCount { key: made.key.id, limit: 45 }];
                store.commit(made.token_call().nonce(nonce).count(counts), soon()).await.is_ok()
            });
        }
    }
    let mut passed = 0;
    while let Some(call) = calls.join_next().await {
        passed += usize::from(call.unwrap());
    }
    assert_eq!(passed, 45);
    assert_intact(&vault).await;
}

/// One revokes a grant while the other delegates from it: whoever comes first, nothing under it is left active.
#[tokio::test(flavor = "multi_thread")]
async fn a_grant_is_not_delegated_while_it_is_revoked() {
    let (vault, other, made) = two().await;
    let helper = agent(made.app.id, "helper");
    vault.apply(made.chain(), Effect::CreateAgent(Box::new(helper.clone()))).await.unwrap();
    for round in 0..20 {
        let mut parent = vault.grant(made.app.id, made.secret.id);
        parent.delegable = true;
        vault.apply(made.chain(), Effect::CreateGrant(Box::new(parent.clone()))).await.unwrap();
        let child = delegated(&parent, helper.id);
        // By a row in another chain, so that only the app of the effect keeps them apart.
        let delegate =
            Commit::new(AuditEntry::new(ChainId::Vault, "test.apply", Outcome::Done)).effect(Effect::CreateGrant(Box::new(child.clone())));
        let revoke = vault.apply(made.chain(), Effect::RevokeGrant { app: made.app.id, grant: parent.id });
        let (delegated, revoked) = tokio::join!(other.store.commit(delegate, soon()), revoke);
        revoked.unwrap();
        if let Err(error) = &delegated {
            assert_eq!(error.to_string(), Declined::GrantRevoked.to_string(), "round {round}");
        }
        let active = "SELECT count(*) FROM alter_vault.grants WHERE depth > 0 AND status = 'active'";
        assert_eq!(vault.place.database.run(active), "0", "round {round}: {delegated:?}");
    }
    assert_intact(&vault).await;
}

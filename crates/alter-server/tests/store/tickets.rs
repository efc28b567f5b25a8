//! Tickets and registrations: changed from the version that was read, forgotten with their secrets.

use std::collections::BTreeMap;
use std::time::Duration;

use alter_core::secret::Secret;
use alter_server::crypto::{SealedSecret, SealedTo};
use alter_server::model::{AppId, KeyDigest, Registration, RegistrationId, RegistrationKind, Ticket, TicketId, TicketKind, TicketState};
use alter_server::store::{Declined, Effect, Entity};

use super::harness::{NOON, Vault, declined};

fn ticket(app: AppId, kind: TicketKind, number: u8) -> Ticket {
    Ticket {
        id: TicketId::random(),
        kind,
        app,
        digest: KeyDigest([number; 32]),
        parent: None,
        state: TicketState::Open,
        body: r#"{"a":1}"#.into(),
        version: 1,
        created_at: NOON,
        expires_at: NOON.plus(Duration::from_secs(600)),
    }
}

fn sealed(vault: &Vault, app: AppId, of: impl Into<SealedTo>, value: &str) -> SealedSecret {
    vault.keys.seal(app, of, &BTreeMap::from([("value".to_owned(), Secret::new(value))])).unwrap()
}

async fn data_keys(vault: &Vault) -> u64 {
    vault.store.count_data_keys(1).await.unwrap().all
}

#[tokio::test]
async fn a_ticket_is_found_by_its_token_and_kind() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let mut session = ticket(made.app.id, TicketKind::Connect, 1);
    session.parent = Some(TicketId::random());
    let create = Effect::CreateTicket { ticket: Box::new(session.clone()), sealed: None };
    vault.apply(made.chain(), create).await.unwrap();
    let found = vault.store.ticket_by_digest(TicketKind::Connect, session.digest).await.unwrap().unwrap();
    assert_eq!((&found.ticket, found.sealed), (&session, None));
    assert!(vault.store.ticket_by_digest(TicketKind::SignIn, session.digest).await.unwrap().is_none());
    assert_eq!(vault.store.ticket(session.id).await.unwrap().unwrap().ticket, session);
    assert!(vault.store.ticket(TicketId::random()).await.unwrap().is_none());
    let twin = Effect::CreateTicket { ticket: Box::new(ticket(made.app.id, TicketKind::Trip, 1)), sealed: None };
    assert_eq!(declined(vault.apply(made.chain(), twin).await), Declined::Exists(Entity::Ticket));
}

#[tokio::test]
async fn a_ticket_changes_only_from_the_version_that_was_read() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let first = ticket(made.app.id, TicketKind::SignIn, 1);
    vault.apply(made.chain(), Effect::CreateTicket { ticket: Box::new(first.clone()), sealed: None }).await.unwrap();
    let before = data_keys(&vault).await;
    let next = Ticket { version: 2, state: TicketState::Completed, body: "{}".into(), ..first.clone() };
    let update = |ticket: &Ticket, value: Option<&str>| Effect::UpdateTicket {
        ticket: Box::new(ticket.clone()),
        sealed: value.map(|value| sealed(&vault, ticket.app, ticket.id, value)),
    };
    vault.apply(made.chain(), update(&next, Some("jwt-1"))).await.unwrap();
    assert_eq!(declined(vault.apply(made.chain(), update(&next, Some("jwt-2"))).await), Declined::Changed(Entity::Ticket));
    let foreign = Ticket { app: AppId::random(), version: 3, ..next.clone() };
    assert_eq!(declined(vault.apply(made.chain(), update(&foreign, None)).await), Declined::NotFound(Entity::Ticket));
    let found = vault.store.ticket(first.id).await.unwrap().unwrap();
    assert_eq!(found.ticket, next);
    let values = vault.keys.open(next.app, next.id, &found.sealed.unwrap()).unwrap();
    assert_eq!(values["value"], Secret::new("jwt-1"));

    let last = Ticket { version: 3, ..next };
    vault.apply(made.chain(), update(&last, Some("jwt-2"))).await.unwrap();
    assert_eq!(data_keys(&vault).await, before + 1, "the earlier secret is gone");
    vault.apply(made.chain(), Effect::DeleteTicket { app: made.app.id, ticket: last.id }).await.unwrap();
    assert_eq!(data_keys(&vault).await, before);
    assert!(vault.store.ticket(last.id).await.unwrap().is_none());
    vault.apply(made.chain(), Effect::DeleteTicket { app: made.app.id, ticket: last.id }).await.expect("nothing happens");
}

#[tokio::test]
async fn tickets_that_ended_long_ago_are_forgotten_with_their_secrets() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let before = data_keys(&vault).await;
    let old = ticket(made.app.id, TicketKind::SignIn, 1);
    let secrets = sealed(&vault, old.app, old.id, "jwt");
    vault.apply(made.chain(), Effect::CreateTicket { ticket: Box::new(old.clone()), sealed: Some(secrets) }).await.unwrap();
    let another = async |number| {
        let mut ticket = ticket(made.app.id, TicketKind::Trip, number);
        ticket.expires_at = vault.now().plus(Duration::from_secs(1));
        vault.apply(made.chain(), Effect::CreateTicket { ticket: Box::new(ticket), sealed: None }).await.unwrap();
    };
    vault.clock.advance(Duration::from_secs(600) + Ticket::MEMORY);
    another(2).await;
    assert!(vault.store.ticket(old.id).await.unwrap().is_some(), "its answer may still be asked for");
    vault.clock.advance(Duration::from_millis(1));
    another(3).await;
    assert!(vault.store.ticket(old.id).await.unwrap().is_none());
    assert_eq!(data_keys(&vault).await, before);
}

#[tokio::test]
async fn a_registration_keeps_its_client_secret_until_it_gets_another() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let before = data_keys(&vault).await;
    let first = Registration {
        id: RegistrationId::random(),
        app: made.app.id,
        kind: RegistrationKind::Provider,
        name: "calendar".into(),
        body: r#"{"client_id":"abc"}"#.into(),
        version: 1,
        created_at: NOON,
        updated_at: NOON,
    };
    let kind = RegistrationKind::Provider;
    let secret = |value| Some(sealed(&vault, first.app, first.id, value));
    let create = |registration: &Registration, sealed| Effect::CreateRegistration { registration: Box::new(registration.clone()), sealed };
    vault.apply(made.chain(), create(&first, secret("s-1"))).await.unwrap();
    let twin = Registration { id: RegistrationId::random(), ..first.clone() };
    assert_eq!(declined(vault.apply(made.chain(), create(&twin, None)).await), Declined::Exists(Entity::Registration));
    let idp = Registration { id: RegistrationId::random(), kind: RegistrationKind::IdentityProvider, ..first.clone() };
    vault.apply(made.chain(), create(&idp, None)).await.expect("another kind");
    assert_eq!(vault.store.registrations(made.app.id, kind).await.unwrap(), std::slice::from_ref(&first));
    assert_eq!(vault.store.registrations(AppId::random(), kind).await.unwrap(), []);

    let update = |registration: &Registration, sealed| Effect::UpdateRegistration { registration: Box::new(registration.clone()), sealed };
    let next = Registration { version: 2, body: "{}".into(), ..first.clone() };
    vault.apply(made.chain(), update(&next, None)).await.unwrap();
    assert_eq!(declined(vault.apply(made.chain(), update(&next, None)).await), Declined::Changed(Entity::Registration));
    let found = vault.store.registration(made.app.id, kind, "calendar".into()).await.unwrap().unwrap();
    assert_eq!(found.registration, next);
    assert_eq!(vault.keys.open(first.app, first.id, &found.sealed.unwrap()).unwrap()["value"], Secret::new("s-1"));
    let last = Registration { version: 3, ..next };
    vault.apply(made.chain(), update(&last, secret("s-2"))).await.unwrap();
    assert_eq!(data_keys(&vault).await, before + 1);

    let delete = |app| Effect::DeleteRegistration { app, registration: first.id };
    assert_eq!(declined(vault.apply(made.chain(), delete(AppId::random())).await), Declined::NotFound(Entity::Registration));
    vault.apply(made.chain(), delete(made.app.id)).await.unwrap();
    assert_eq!(data_keys(&vault).await, before);
    assert!(vault.store.registration(made.app.id, kind, "calendar".into()).await.unwrap().is_none());
}

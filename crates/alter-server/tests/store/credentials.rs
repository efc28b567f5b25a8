//! Credentials: renewed from the generation that was read, refreshed by one holder at a time, released only as judged.

use std::collections::BTreeMap;
use std::time::Duration;

use alter_core::secret::Secret;
use alter_server::clock::Timestamp;
use alter_server::crypto::SealedSecret;
use alter_server::model::{
    Account, AppId, Credential, CredentialId, CredentialKind, CredentialState, Grant, Lease, Opens, Principal, SecretId,
};
use alter_server::store::{Commit, CredentialFilter, Declined, Effect, Entity, JudgedVersions, LeaseEnding, Lookup, Renewal};

use super::harness::{Furnished, NOON, Vault, declined, user};

fn tokens(vault: &Vault, app: AppId, credential: CredentialId, access: &str) -> SealedSecret {
    vault.keys.seal(app, credential, &BTreeMap::from([("access_token".to_owned(), Secret::new(access))])).unwrap()
}

fn new_login(app: AppId, owner: Principal) -> Credential {
    Credential {
        id: CredentialId::random(),
        app,
        kind: CredentialKind::Oauth,
        provider: "calendar".into(),
        secret: None,
        owner,
        label: None,
        account: Some(Account { identifier: "ann@example.com".into(), display_name: Some("Ann".into()) }),
        scopes: vec!["read".into(), "write".into()],
        generation: 1,
        access_expires_at: Some(NOON.plus(Duration::from_secs(3600))),
        refreshable: true,
        state: CredentialState::Live,
        dead_cause: None,
        lease: Lease::default(),
        created_at: NOON,
        updated_at: NOON,
    }
}

/// A stored login with the access token `at-1`.
pub async fn login(vault: &Vault, made: &Furnished, owner: Principal) -> Credential {
    let login = new_login(made.app.id, owner);
    let sealed = tokens(vault, login.app, login.id, "at-1");
    vault.apply(made.chain(), Effect::CreateCredential { credential: Box::new(login.clone()), sealed }).await.unwrap();
    login
}

async fn stored(vault: &Vault, login: &Credential) -> Credential {
    vault.store.credential(login.app, login.id).await.unwrap().found().unwrap().credential
}

fn lease(login: &Credential, generation: u32, fence: u32, until: Timestamp) -> Effect {
    Effect::LeaseCredential { app: login.app, credential: login.id, generation, fence, until }
}

fn end(login: &Credential, fence: u32, ending: LeaseEnding) -> Effect {
    Effect::EndLease { app: login.app, credential: login.id, fence, ending }
}

fn renewal(login: &Credential, from_generation: u32, fence: Option<u32>) -> Renewal {
    Renewal {
        app: login.app,
        credential: login.id,
        from_generation,
        fence,
        access_expires_at: Some(NOON.plus(Duration::from_secs(7200))),
        refreshable: true,
        scopes: None,
        account: None,
    }
}

fn renew(vault: &Vault, renewal: Renewal, access: &str) -> Effect {
    let sealed = tokens(vault, renewal.app, renewal.credential, access);
    Effect::RenewCredential { renewal: Box::new(renewal), sealed }
}

#[tokio::test]
async fn a_credential_is_read_back_and_found_by_owner() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let anns = login(&vault, &made, user("ann")).await;
    let bobs = login(&vault, &made, user("bob")).await;
    assert_eq!(stored(&vault, &anns).await, anns);
    assert!(matches!(vault.store.credential(AppId::random(), anns.id).await.unwrap(), Lookup::Foreign));
    assert!(matches!(vault.store.credential(anns.app, CredentialId::random()).await.unwrap(), Lookup::Unknown));
    let find = async |filter| vault.store.credentials(made.app.id, filter).await.unwrap();
    let any = CredentialFilter::default();
    assert_eq!(find(any.clone()).await, [anns.clone(), bobs]);
    assert_eq!(find(CredentialFilter { owner: Some(user("ann")), ..any.clone() }).await, [anns]);
    assert_eq!(find(CredentialFilter { provider: Some("mail".into()), ..any.clone() }).await, []);
    assert_eq!(find(CredentialFilter { secret: Some(made.secret.id), ..any }).await, []);
}

#[tokio::test]
async fn a_key_needs_its_managed_secret() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let mut key = new_login(made.app.id, user("ann"));
    (key.kind, key.secret) = (CredentialKind::EndUser, Some(SecretId::random()));
    let sealed = tokens(&vault, key.app, key.id, "k");
    let create = Effect::CreateCredential { credential: Box::new(key), sealed };
    assert_eq!(declined(vault.apply(made.chain(), create).await), Declined::NotFound(Entity::Secret));

    let mut key = new_login(made.app.id, user("ann"));
    (key.kind, key.secret, key.provider) = (CredentialKind::EndUser, Some(made.secret.id), made.secret.slug.clone());
    let sealed = tokens(&vault, key.app, key.id, "k");
    vault.apply(made.chain(), Effect::CreateCredential { credential: Box::new(key.clone()), sealed }).await.unwrap();
    let opens = Opens::Key { secret: made.secret.id, credential: key.id };
    let grant = Grant::root(made.app.id, opens, user("ann"), NOON);
    vault.apply(made.chain(), Effect::CreateGrant(Box::new(grant.clone()))).await.unwrap();
    let access = vault.store.grant_access(made.app.id, grant.id).await.unwrap().found().unwrap();
    assert_eq!((access.secret.as_ref(), access.credential.as_ref()), (Some(&made.secret), Some(&key)));
    assert_eq!(access.judged(), JudgedVersions { secret: Some(1), generation: Some(1) });
    let values = vault.keys.open(made.app.id, access.sealed_to(), &access.sealed.unwrap()).unwrap();
    assert_eq!(values["access_token"], Secret::new("k"));
    // A login's grant cannot name a key, nor the other way round.
    let crossed = Grant::root(made.app.id, Opens::Login(key.id), user("ann"), NOON);
    let create = Effect::CreateGrant(Box::new(crossed));
    assert_eq!(declined(vault.apply(made.chain(), create).await), Declined::NotFound(Entity::Credential));
}

#[tokio::test]
async fn a_call_judged_under_earlier_tokens_is_not_released() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let login = login(&vault, &made, user("ann")).await;
    let grant = Grant::root(made.app.id, Opens::Login(login.id), user("ann"), NOON);
    vault.apply(made.chain(), Effect::CreateGrant(Box::new(grant.clone()))).await.unwrap();
    let judged = vault.store.grant_access(made.app.id, grant.id).await.unwrap().found().unwrap().judged();
    assert_eq!(judged, JudgedVersions { secret: None, generation: Some(1) });
    let using = || Commit::new(made.intent()).effect(Effect::UseGrant { grant: grant.id, judged });
    vault.commit(using()).await.unwrap();
    vault.apply(made.chain(), renew(&vault, renewal(&login, 1, None), "at-2")).await.unwrap();
    assert_eq!(declined(vault.commit(using()).await), Declined::Changed(Entity::Credential));

    vault.apply(made.chain(), lease(&login, 2, 2, NOON.plus(Duration::from_secs(30)))).await.unwrap();
    vault.apply(made.chain(), end(&login, 2, LeaseEnding::Dead { cause: "invalid_grant".into() })).await.unwrap();
    assert_eq!(declined(vault.commit(using()).await), Declined::CredentialDead);
    vault.apply(made.chain(), Effect::RevokeGrant { app: made.app.id, grant: grant.id }).await.unwrap();
    assert_eq!(declined(vault.commit(using()).await), Declined::GrantRevoked);
}

#[tokio::test]
async fn one_holder_at_a_time_and_only_the_newest_counts() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let login = login(&vault, &made, user("ann")).await;
    let until = NOON.plus(Duration::from_secs(30));
    vault.apply(made.chain(), lease(&login, 1, 1, until)).await.unwrap();
    assert_eq!(stored(&vault, &login).await.lease, Lease { fence: 1, until: Some(until), unanswered: 1 });
    assert_eq!(declined(vault.apply(made.chain(), lease(&login, 1, 2, until)).await), Declined::LeaseHeld);

    // The holder died: another takes over once the lease has ended, and what the first brings late does not count.
    vault.clock.advance(Duration::from_secs(30));
    let later = vault.now().plus(Duration::from_secs(30));
    assert_eq!(declined(vault.apply(made.chain(), lease(&login, 1, 1, later)).await), Declined::LeaseHeld, "its number was used");
    vault.apply(made.chain(), lease(&login, 1, 2, later)).await.unwrap();
    assert_eq!(stored(&vault, &login).await.lease.unanswered, 2);
    let late = renew(&vault, renewal(&login, 1, Some(1)), "late");
    assert_eq!(declined(vault.apply(made.chain(), late).await), Declined::LeaseLost);
    assert_eq!(declined(vault.apply(made.chain(), end(&login, 1, LeaseEnding::Answered)).await), Declined::LeaseLost);
    assert_eq!(declined(vault.apply(made.chain(), end(&login, 1, dead())).await), Declined::LeaseLost);

    vault.apply(made.chain(), renew(&vault, renewal(&login, 1, Some(2)), "at-2")).await.unwrap();
    let found = vault.store.credential(login.app, login.id).await.unwrap().found().unwrap();
    assert_eq!((found.credential.generation, found.credential.state), (2, CredentialState::Live));
    assert_eq!(found.credential.lease, Lease { fence: 3, until: None, unanswered: 0 });
    assert_eq!(found.credential.account, login.account, "what the renewal does not name stays");
    let values = vault.keys.open(login.app, login.id, &found.sealed.unwrap()).unwrap();
    assert_eq!(values["access_token"], Secret::new("at-2"));
    let stale = renew(&vault, renewal(&login, 1, None), "stale");
    assert_eq!(declined(vault.apply(made.chain(), stale).await), Declined::Changed(Entity::Credential));
    assert_eq!(declined(vault.apply(made.chain(), lease(&login, 1, 4, later)).await), Declined::Changed(Entity::Credential));
}

fn dead() -> LeaseEnding {
    LeaseEnding::Dead { cause: "invalid_grant".into() }
}

#[tokio::test]
async fn an_answered_exchange_is_forgotten_and_a_lost_one_counts() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let login = login(&vault, &made, user("ann")).await;
    let until = NOON.plus(Duration::from_secs(30));
    for (fence, ending, unanswered) in [(1, LeaseEnding::Answered, 0), (2, LeaseEnding::Lost, 1), (3, LeaseEnding::Answered, 1)] {
        vault.apply(made.chain(), lease(&login, 1, fence, until)).await.unwrap();
        vault.apply(made.chain(), end(&login, fence, ending)).await.unwrap();
        assert_eq!(stored(&vault, &login).await.lease, Lease { fence, until: None, unanswered });
    }
}

#[tokio::test]
async fn a_dead_login_comes_back_by_a_new_consent_only() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let login = login(&vault, &made, user("ann")).await;
    let until = NOON.plus(Duration::from_secs(30));
    vault.apply(made.chain(), lease(&login, 1, 1, until)).await.unwrap();
    vault.apply(made.chain(), end(&login, 1, dead())).await.unwrap();
    let found = stored(&vault, &login).await;
    assert_eq!((found.state, found.dead_cause.as_deref(), found.generation), (CredentialState::Dead, Some("invalid_grant"), 1));
    assert_eq!(declined(vault.apply(made.chain(), lease(&login, 1, 2, until)).await), Declined::CredentialDead);
    let refreshed = renew(&vault, renewal(&login, 1, Some(1)), "at-2");
    assert_eq!(declined(vault.apply(made.chain(), refreshed).await), Declined::CredentialDead);

    let account = Account { identifier: "ann@example.org".into(), display_name: None };
    let consent = Renewal { account: Some(account.clone()), scopes: Some(vec!["read".into()]), ..renewal(&login, 1, None) };
    vault.apply(made.chain(), renew(&vault, consent, "at-2")).await.unwrap();
    let found = stored(&vault, &login).await;
    assert_eq!((found.state, found.dead_cause, found.generation), (CredentialState::Live, None, 2));
    assert_eq!((found.account, found.scopes), (Some(account), vec!["read".to_owned()]));
}

#[tokio::test]
async fn what_is_not_there_cannot_be_renewed_or_leased() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let nobody = new_login(made.app.id, user("ann"));
    for effect in [lease(&nobody, 1, 1, NOON), end(&nobody, 1, LeaseEnding::Lost), renew(&vault, renewal(&nobody, 1, None), "x")] {
        assert_eq!(declined(vault.apply(made.chain(), effect).await), Declined::NotFound(Entity::Credential));
    }
}

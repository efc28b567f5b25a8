//! What is created is found, only by its own app, and changes only as allowed.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use alter_core::secret::Secret;
use alter_server::audit::{AuditEntry, ChainId, Outcome, Standing};
use alter_server::model::{
    App, AppId, AppSettings, GrantFilter, GrantId, GrantStatus, KeyDigest, KeyId, KeyStatus, Membership, Operator, OperatorId,
    OperatorRole, ScopeMismatch, SecretId, SecretStatus, ShownStatus, View,
};
use alter_server::store::{AuditFilter, Commit, Declined, Effect, Entity, Lookup, Page};

use super::harness::{NOON, Vault, declined, many, person};

#[tokio::test]
async fn everything_created_is_read_back_as_it_was() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let store = &vault.store;
    assert_eq!(store.app(made.app.id).await.unwrap(), Some(made.app.clone()));
    assert_eq!(store.app_by_name("shop".into()).await.unwrap(), Some(made.app.clone()));
    assert_eq!(store.key_by_digest(made.key.digest).await.unwrap(), Some(made.key.clone()));
    assert_eq!(store.key(made.app.id, made.key.id).await.unwrap(), Lookup::Found(made.key.clone()));
    assert_eq!(store.secret(made.app.id, made.secret.id).await.unwrap(), Lookup::Found(made.secret.clone()));
    assert_eq!(store.secret_by_slug(made.app.id, "github".into()).await.unwrap(), Some(made.secret.clone()));
    assert_eq!(store.grant(made.app.id, made.grant.id).await.unwrap(), Lookup::Found(made.grant.clone()));

    let access = store.grant_access(made.app.id, made.grant.id).await.unwrap().found().unwrap();
    assert_eq!((&access.grant, access.secret.as_ref()), (&made.grant, Some(&made.secret)));
    let opened = vault.keys.open(made.app.id, made.secret.id, &access.sealed.unwrap()).unwrap();
    assert_eq!(opened["token"], Secret::new("hunter2"));
    assert_eq!(opened["extra"], Secret::new("swordfish"));
    assert_eq!(opened.len(), 2);
}

#[tokio::test]
async fn a_key_that_was_read_before_shows_each_change_as_soon_as_it_is_answered() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let read = async || vault.store.key_by_digest(made.key.digest).await.unwrap().unwrap().status;
    for status in [KeyStatus::Deprecated, KeyStatus::Active, KeyStatus::Deprecated, KeyStatus::Revoked] {
        assert_ne!(read().await, status);
        vault.apply(made.chain(), Effect::SetKeyStatus { app: made.app.id, key: made.key.id, status }).await.unwrap();
        assert_eq!((read().await, read().await), (status, status));
    }
}

#[tokio::test]
async fn reads_that_wait_together_are_answered_apart_and_see_what_was_answered_before() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let (app, store) = (made.app.id, &vault.store);
    for (round, status) in [KeyStatus::Deprecated, KeyStatus::Active, KeyStatus::Revoked].into_iter().enumerate() {
        vault.apply(made.chain(), Effect::SetKeyStatus { app, key: made.key.id, status }).await.unwrap();
        // A read is queued when it is made, so these wait for the readers together.
        let keys: Vec<_> = (0..50).map(|_| (store.key(app, made.key.id), store.key(app, KeyId::random()))).collect();
        for (known, unknown) in keys {
            assert_eq!(known.await.unwrap().found().map(|key| key.status), Some(status), "round {round}");
            assert_eq!(unknown.await.unwrap(), Lookup::Unknown, "round {round}");
        }
    }
}

#[tokio::test]
async fn what_does_not_exist_is_not_found() {
    let vault = Vault::new();
    let (app, store) = (AppId::random(), &vault.store);
    assert_eq!(store.app(app).await.unwrap(), None);
    assert_eq!(store.app_by_name("nobody".into()).await.unwrap(), None);
    assert_eq!(store.key_by_digest(KeyDigest([7; 32])).await.unwrap(), None);
    assert_eq!(store.operator_by_digest(KeyDigest([7; 32])).await.unwrap(), None);
    assert_eq!(store.key(app, KeyId::random()).await.unwrap(), Lookup::Unknown);
    assert_eq!(store.secret(app, SecretId::random()).await.unwrap(), Lookup::Unknown);
    assert_eq!(store.secret_by_slug(app, "none".into()).await.unwrap(), None);
    assert_eq!(store.grant(app, GrantId::random()).await.unwrap(), Lookup::Unknown);
    assert!(matches!(store.grant_access(app, GrantId::random()).await.unwrap(), Lookup::Unknown));
    assert!(store.system_grants(app, "none".into()).await.unwrap().is_empty());
    assert!(store.audit_heads().await.unwrap().is_empty());
    assert!(store.audit_newest(None, many()).await.unwrap().is_empty());
}

#[tokio::test]
async fn another_apps_things_are_foreign_and_cannot_be_changed() {
    let vault = Vault::new();
    let (ours, theirs) = (vault.furnished("ours").await, vault.furnished("theirs").await);
    let (app, store) = (ours.app.id, &vault.store);
    assert_eq!(store.key(app, theirs.key.id).await.unwrap(), Lookup::Foreign);
    assert_eq!(store.secret(app, theirs.secret.id).await.unwrap(), Lookup::Foreign);
    assert_eq!(store.grant(app, theirs.grant.id).await.unwrap(), Lookup::Foreign);
    assert!(matches!(store.grant_access(app, theirs.grant.id).await.unwrap(), Lookup::Foreign));
    assert_eq!(store.keys(app, Page { after: Some(theirs.key.id), limit: many() }).await.unwrap(), vec![]);

    let mismatch = ScopeMismatch { reported_at: NOON, missing_scopes: None };
    let mut stolen = theirs.secret.clone();
    (stolen.app, stolen.version) = (app, 2);
    let mut crossing = vault.grant(app, theirs.secret.id);
    crossing.id = GrantId::random();
    let attempts = [
        (Effect::SetKeyStatus { app, key: theirs.key.id, status: KeyStatus::Revoked }, Entity::Key),
        (Effect::UpdateSecret { secret: Box::new(stolen), sealed: None }, Entity::Secret),
        (Effect::DeleteSecret { app, secret: theirs.secret.id }, Entity::Secret),
        (Effect::CreateGrant(Box::new(crossing)), Entity::Secret),
        (Effect::RevokeGrant { app, grant: theirs.grant.id }, Entity::Grant),
        (Effect::FlagScopeMismatch { app, grant: theirs.grant.id, mismatch }, Entity::Grant),
    ];
    for (effect, entity) in attempts {
        let shown = format!("{effect:?}");
        assert_eq!(declined(vault.apply(ours.chain(), effect).await), Declined::NotFound(entity), "{shown}");
    }
    assert_eq!(store.grant(theirs.app.id, theirs.grant.id).await.unwrap(), Lookup::Found(theirs.grant));
    assert_eq!(store.key(theirs.app.id, theirs.key.id).await.unwrap(), Lookup::Found(theirs.key));
}

#[tokio::test]
async fn names_and_slugs_are_taken_once() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let again = App { id: AppId::random(), name: "shop".into(), settings: AppSettings::default(), created_at: NOON };
    assert_eq!(declined(vault.apply(ChainId::Vault, Effect::CreateApp(again)).await), Declined::Exists(Entity::App));

    let twin = vault.secret(made.app.id, "github");
    let sealed = vault.keys.seal(made.app.id, twin.id, &BTreeMap::new()).unwrap();
    let create = Effect::CreateSecret { secret: Box::new(twin), sealed };
    assert_eq!(declined(vault.apply(made.chain(), create).await), Declined::Exists(Entity::Secret));

    let mut key = vault.api_key(made.app.id);
    key.digest = made.key.digest;
    assert_eq!(declined(vault.apply(made.chain(), Effect::CreateKey(Box::new(key))).await), Declined::Exists(Entity::Key));
    let orphan = vault.api_key(AppId::random());
    assert_eq!(declined(vault.apply(made.chain(), Effect::CreateKey(Box::new(orphan))).await), Declined::NotFound(Entity::App));

    // A deleted secret gives its slug back.
    vault.apply(made.chain(), Effect::DeleteSecret { app: made.app.id, secret: made.secret.id }).await.unwrap();
    let next = vault.secret(made.app.id, "github");
    let sealed = vault.keys.seal(made.app.id, next.id, &BTreeMap::new()).unwrap();
    vault.apply(made.chain(), Effect::CreateSecret { secret: Box::new(next.clone()), sealed }).await.unwrap();
    assert_eq!(vault.store.secret_by_slug(made.app.id, "github".into()).await.unwrap(), Some(next));
}

#[tokio::test]
async fn a_declined_commit_changes_nothing_and_leaves_its_refusal() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let before = vault.rows(made.chain()).await.len();
    let fresh = vault.api_key(made.app.id);
    let commit = Commit::new(AuditEntry::new(made.chain(), "key.create", Outcome::Done).request_id("r-1"))
        .row(AuditEntry::new(made.chain(), "never.written", Outcome::Done))
        .effect(Effect::CreateKey(Box::new(fresh.clone())))
        .effect(Effect::RevokeGrant { app: made.app.id, grant: GrantId::random() });
    assert_eq!(declined(vault.commit(commit).await), Declined::NotFound(Entity::Grant));

    assert_eq!(vault.store.key(made.app.id, fresh.id).await.unwrap(), Lookup::Unknown);
    let rows = vault.rows(made.chain()).await;
    assert_eq!(rows.len(), before + 1);
    let row = rows.last().unwrap();
    assert_eq!((row.entry.action.as_ref(), row.standing()), ("key.create", Standing::Refused));
    assert_eq!(row.entry.code.as_deref(), Some("grant_not_found"));
    assert_eq!(row.entry.detail.as_deref(), Some("there is no such grant"));
    assert_eq!(row.entry.request_id.as_deref(), Some("r-1"));
}

#[tokio::test]
async fn a_drafted_refusal_keeps_its_own_reason() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    vault.apply(made.chain(), Effect::SetKeyStatus { app: made.app.id, key: made.key.id, status: KeyStatus::Revoked }).await.unwrap();
    let row = made.intent().refused("insufficient_scope", Some("tokens:retrieve is missing"));
    let commit = Commit::new(row).effect(Effect::UseKey { key: made.key.id });
    assert_eq!(declined(vault.commit(commit).await), Declined::KeyRevoked);
    let row = vault.last_row(made.chain()).await;
    assert_eq!(row.entry.code.as_deref(), Some("insufficient_scope"));
    assert_eq!(row.entry.detail.as_deref(), Some("tokens:retrieve is missing"));
}

#[tokio::test]
async fn a_secret_changes_only_from_the_version_that_was_read() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let mut next = made.secret.clone();
    (next.version, next.name, next.updated_at) = (2, "new name".into(), vault.now());
    let values = BTreeMap::from([("token".to_owned(), Secret::new("changed"))]);
    let sealed = vault.keys.seal(made.app.id, made.secret.id, &values).unwrap();
    vault.apply(made.chain(), Effect::UpdateSecret { secret: Box::new(next.clone()), sealed: Some(sealed) }).await.unwrap();
    let again = Effect::UpdateSecret { secret: Box::new(next.clone()), sealed: None };
    assert_eq!(declined(vault.apply(made.chain(), again).await), Declined::SecretChanged);

    let access = vault.store.grant_access(made.app.id, made.grant.id).await.unwrap().found().unwrap();
    assert_eq!(access.secret.as_ref(), Some(&next));
    let opened = vault.keys.open(made.app.id, made.secret.id, &access.sealed.unwrap()).unwrap();
    assert_eq!(opened, values, "all old values are gone");

    // A change without values keeps them.
    (next.version, next.name) = (3, "third".into());
    vault.apply(made.chain(), Effect::UpdateSecret { secret: Box::new(next.clone()), sealed: None }).await.unwrap();
    let access = vault.store.grant_access(made.app.id, made.grant.id).await.unwrap().found().unwrap();
    assert_eq!(access.secret.as_ref(), Some(&next));
    assert_eq!(vault.keys.open(made.app.id, made.secret.id, &access.sealed.unwrap()).unwrap(), values);
}

#[tokio::test]
async fn a_deleted_secret_has_no_values_and_no_new_grants() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let delete = || Effect::DeleteSecret { app: made.app.id, secret: made.secret.id };
    vault.apply(made.chain(), delete()).await.unwrap();
    assert_eq!(declined(vault.apply(made.chain(), delete()).await), Declined::SecretDeleted);
    let grant = vault.grant(made.app.id, made.secret.id);
    assert_eq!(declined(vault.apply(made.chain(), Effect::CreateGrant(Box::new(grant))).await), Declined::SecretDeleted);

    let access = vault.store.grant_access(made.app.id, made.grant.id).await.unwrap().found().unwrap();
    assert_eq!((access.secret.unwrap().status, access.sealed), (SecretStatus::Deleted, None));
    assert_eq!(vault.store.secrets(made.app.id, Page::first(many())).await.unwrap(), vec![]);
    assert!(matches!(vault.store.secret(made.app.id, made.secret.id).await.unwrap(), Lookup::Found(_)));
}

#[tokio::test]
async fn revocation_is_final_and_keeps_its_first_date() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let (app, key, grant) = (made.app.id, made.key.id, made.grant.id);
    for _ in 0..2 {
        vault.apply(made.chain(), Effect::RevokeGrant { app, grant }).await.unwrap();
        vault.apply(made.chain(), Effect::SetKeyStatus { app, key, status: KeyStatus::Revoked }).await.unwrap();
        vault.clock.advance(std::time::Duration::from_secs(60));
    }
    let revived = vault.apply(made.chain(), Effect::SetKeyStatus { app, key, status: KeyStatus::Active }).await;
    assert_eq!(declined(revived), Declined::Final(Entity::Key));
    let grant = vault.store.grant(app, grant).await.unwrap().found().unwrap();
    assert_eq!((grant.status, grant.revoked_at), (GrantStatus::Revoked, Some(NOON)));
}

#[tokio::test]
async fn operators_come_and_go() {
    let vault = Vault::new();
    let operator = |byte: u8| Operator {
        id: OperatorId::random(),
        name: "ada".into(),
        role: OperatorRole::Admin,
        digest: KeyDigest([byte; 32]),
        prefix: "alter_pat_abcd".into(),
        created_at: NOON,
        revoked_at: None,
    };
    let (first, second) = (operator(1), operator(2));
    vault.apply(ChainId::Vault, Effect::CreateOperator(first.clone())).await.unwrap();
    let taken = vault.apply(ChainId::Vault, Effect::CreateOperator(second.clone())).await;
    assert_eq!(declined(taken), Declined::Exists(Entity::Operator));
    vault.apply(ChainId::Vault, Effect::RevokeOperator { operator: first.id }).await.unwrap();
    vault.apply(ChainId::Vault, Effect::CreateOperator(second.clone())).await.unwrap();
    let unknown = vault.apply(ChainId::Vault, Effect::RevokeOperator { operator: OperatorId::random() }).await;
    assert_eq!(declined(unknown), Declined::NotFound(Entity::Operator));
    let revoked = Operator { revoked_at: Some(NOON), ..first.clone() };
    assert_eq!(vault.store.operator_by_digest(first.digest).await.unwrap(), Some(revoked.clone()));
    assert_eq!(vault.store.operators().await.unwrap(), vec![revoked, second]);
}

#[tokio::test]
async fn pages_neither_skip_nor_repeat() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let mut all = vec![made.grant.clone()];
    for number in 0..7 {
        let mut grant = vault.grant(made.app.id, made.secret.id);
        if number % 2 == 0 {
            grant = vault.users_grant(made.app.id, made.secret.id, &format!("user-{number}"));
        }
        vault.apply(made.chain(), Effect::CreateGrant(Box::new(grant.clone()))).await.unwrap();
        all.push(grant);
    }
    let (mut seen, mut page) = (Vec::new(), Page::first(NonZeroU32::new(3).unwrap()));
    loop {
        let part = vault.store.grants(made.app.id, GrantFilter::default(), page).await.unwrap();
        assert!(part.len() <= 3);
        let Some(last) = part.last() else { break };
        page.after = Some(last.id);
        seen.extend(part);
    }
    assert_eq!(seen, all);
    let nowhere = Page { after: Some(GrantId::random()), limit: many() };
    assert_eq!(vault.store.grants(made.app.id, GrantFilter::default(), nowhere).await.unwrap(), vec![]);
    let keys = vault.store.keys(made.app.id, Page::first(many())).await.unwrap();
    assert_eq!(keys, vec![made.key]);
    assert_eq!(vault.store.apps(Page { after: Some(made.app.id), limit: many() }).await.unwrap(), vec![]);
}

#[tokio::test]
async fn grants_are_filtered_by_every_member() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let mut users = vault.users_grant(made.app.id, made.secret.id, "u1");
    users.label = Some("work".into());
    vault.apply(made.chain(), Effect::CreateGrant(Box::new(users.clone()))).await.unwrap();
    vault.apply(made.chain(), Effect::RevokeGrant { app: made.app.id, grant: made.grant.id }).await.unwrap();
    let list = async |filter| {
        let found = vault.store.grants(made.app.id, filter, Page::first(many())).await.unwrap();
        found.into_iter().map(|grant| grant.id).collect::<Vec<_>>()
    };
    let any = GrantFilter::default();
    let (system, user) = (made.grant.id, users.id);
    let member = |subject: &str| View::Person(Membership { person: person(subject), groups: None });
    assert_eq!(list(GrantFilter { view: View::System, ..any.clone() }).await, [system]);
    assert_eq!(list(GrantFilter { view: member("u1"), ..any.clone() }).await, [user]);
    assert_eq!(list(GrantFilter { view: member("u2"), ..any.clone() }).await, []);
    assert_eq!(list(GrantFilter { status: Some(ShownStatus::Active), ..any.clone() }).await, [user]);
    assert_eq!(list(GrantFilter { status: Some(ShownStatus::Revoked), ..any.clone() }).await, [system]);
    assert_eq!(list(GrantFilter { status: Some(ShownStatus::Expired), ..any.clone() }).await, []);
    assert_eq!(list(GrantFilter { provider: Some("github".into()), ..any.clone() }).await, [system, user]);
    assert_eq!(list(GrantFilter { provider: Some("gitlab".into()), ..any.clone() }).await, []);
    assert_eq!(list(GrantFilter { credential: Some(made.grant.opens.credential_id()), ..any.clone() }).await, [system, user]);
    assert_eq!(list(GrantFilter { label: Some("work".into()), ..any.clone() }).await, [user]);
    assert_eq!(list(GrantFilter { subject: Some("u1".into()), ..any.clone() }).await, [user]);
    assert_eq!(list(GrantFilter { account: Some("a@b.c".into()), ..any.clone() }).await, []);
    assert_eq!(list(GrantFilter { around: Some(system), ..any.clone() }).await, [system]);
}

#[tokio::test]
async fn system_grants_are_the_live_ones_of_the_app_itself() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let find = async || vault.store.system_grants(made.app.id, "github".into()).await.unwrap();
    assert_eq!(find().await, [made.grant.id]);

    let users = vault.users_grant(made.app.id, made.secret.id, "u1");
    let mut brief = vault.grant(made.app.id, made.secret.id);
    brief.expires_at = Some(vault.now().plus(std::time::Duration::from_secs(10)));
    for grant in [&users, &brief] {
        vault.apply(made.chain(), Effect::CreateGrant(Box::new(grant.clone()))).await.unwrap();
    }
    assert_eq!(find().await, [made.grant.id, brief.id]);
    vault.clock.advance(std::time::Duration::from_secs(10));
    assert_eq!(find().await, [made.grant.id]);
    vault.apply(made.chain(), Effect::RevokeGrant { app: made.app.id, grant: made.grant.id }).await.unwrap();
    assert_eq!(find().await, []);
    assert_eq!(vault.store.system_grants(AppId::random(), "github".into()).await.unwrap(), []);
}

#[tokio::test]
async fn a_scope_mismatch_stays_on_its_grant() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    for missing_scopes in [None, Some(vec!["repo".to_owned(), "user".to_owned()])] {
        let mismatch = ScopeMismatch { reported_at: NOON, missing_scopes };
        let flag = Effect::FlagScopeMismatch { app: made.app.id, grant: made.grant.id, mismatch: mismatch.clone() };
        vault.apply(made.chain(), flag).await.unwrap();
        let grant = vault.store.grant(made.app.id, made.grant.id).await.unwrap().found().unwrap();
        assert_eq!(grant.scope_mismatch, Some(mismatch));
    }
}

#[tokio::test]
async fn nothing_works_after_closing() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    vault.store.close().await.unwrap();
    vault.store.close().await.unwrap();
    assert_eq!(super::harness::failed(vault.commit(made.token_call()).await).code(), "store_closed");
    assert_eq!(vault.store.ready(super::harness::soon()).await.unwrap_err().code(), "store_closed");
    assert_eq!(vault.store.app(made.app.id).await.unwrap_err().code(), "store_closed");
}

#[tokio::test]
async fn the_audit_is_searched_and_counted() {
    let vault = Vault::new();
    let (made, other) = (vault.furnished("shop").await, vault.furnished("other").await);
    let began = vault.now();
    let entry = |made: &super::harness::Furnished, action: &'static str, outcome| {
        AuditEntry::new(made.chain(), action, outcome).grant(made.grant.id)
    };
    let commit = async |entry: AuditEntry| _ = vault.commit(Commit::new(entry)).await.unwrap();
    commit(entry(&made, "proxy.call", Outcome::Intent).call("GET", "https://api.example.com/100%_sure").reason("Hello")).await;
    commit(entry(&made, "proxy.answer", Outcome::Done).report(r#"{"duration_ms":40}"#)).await;
    commit(entry(&made, "proxy.answer", Outcome::Done).report(r#"{"duration_ms":20}"#)).await;
    commit(entry(&other, "proxy.call", Outcome::Refused).refused("blocked_destination", None)).await;
    vault.clock.advance(std::time::Duration::from_secs(90));
    commit(entry(&made, "token.retrieve", Outcome::Intent)).await;

    let search = async |filter: AuditFilter| {
        let found = vault.store.audit_search(AuditFilter { from: filter.from.or(Some(began)), ..filter }, many()).await.unwrap();
        found.into_iter().map(|found| found.row.entry.action.into_owned()).collect::<Vec<_>>()
    };
    let any = AuditFilter::default;
    let lately = search(AuditFilter { chain: Some(made.chain()), grant: Some(made.grant.id), ..any() }).await;
    assert_eq!(lately[..4], ["token.retrieve", "proxy.answer", "proxy.answer", "proxy.call"]);
    assert_eq!(search(AuditFilter { action: Some("proxy.call".into()), outcome: Some(Outcome::Refused), ..any() }).await, ["proxy.call"]);
    assert_eq!(search(AuditFilter { text: Some("100%_SURE".into()), ..any() }).await, ["proxy.call"]);
    assert_eq!(search(AuditFilter { text: Some("100_%sure".into()), ..any() }).await, [""; 0], "no pattern of the caller's");
    assert_eq!(search(AuditFilter { from: Some(vault.now()), ..any() }).await, ["token.retrieve"]);
    let newest = vault.store.audit_search(any(), NonZeroU32::MIN).await.unwrap().remove(0);
    let before = vault.store.audit_search(AuditFilter { before: Some(newest.position), ..any() }, NonZeroU32::MIN).await.unwrap().remove(0);
    assert!(before.position < newest.position && before.row.entry.action == "proxy.call", "{before:?}");

    let activity = vault.store.audit_activity(began, std::time::Duration::from_secs(60)).await.unwrap();
    let told = |place, action: &str| {
        activity.iter().find(|told| told.place == place && told.action == action).map(|told| (told.count, told.mean_duration_ms))
    };
    assert_eq!(told(0, "proxy.answer"), Some((2, Some(30))));
    assert_eq!(told(1, "token.retrieve"), Some((1, None)));
    assert_eq!(activity.iter().filter(|told| told.outcome == Outcome::Refused).map(|told| told.count).sum::<u64>(), 1);
}

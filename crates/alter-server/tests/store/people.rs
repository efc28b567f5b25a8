//! Delegation, labels, agents, and what a revocation takes with it.

use std::collections::BTreeMap;
use std::time::Duration;

use alter_core::secret::Secret;
use alter_server::audit::{AuditEntry, Outcome};
use alter_server::model::{
    Agent, AgentId, AgentStatus, AppId, AppSettings, ApprovalSettings, CredentialState, Grant, GrantFilter, GrantId, GrantKind,
    GrantPolicy, GrantStatus, KeyStatus, Membership, Opens, Principal, ScopeMismatch, View,
};
use alter_server::store::{Commit, Declined, Effect, Entity, Lookup};

use super::credentials::login;
use super::harness::{Furnished, NOON, Vault, declined, many, person, user};

pub fn agent(app: AppId, name: &str) -> Agent {
    Agent::new(app, name, NOON)
}

/// A grant delegated to an agent, exactly as far as its parent reaches.
pub fn delegated(parent: &Grant, to: AgentId) -> Grant {
    let principal = Principal::Agent { agent: to };
    Grant { id: GrantId::random(), principal, parent: Some(parent.id), depth: parent.depth + 1, ..parent.clone() }
}

async fn create(vault: &Vault, made: &Furnished, grant: &Grant) -> Result<(), Declined> {
    match vault.apply(made.chain(), Effect::CreateGrant(Box::new(grant.clone()))).await {
        Ok(_) => Ok(()),
        failed => Err(declined(failed)),
    }
}

async fn status(vault: &Vault, grant: &Grant) -> GrantStatus {
    vault.store.grant(grant.app, grant.id).await.unwrap().found().unwrap().status
}

#[tokio::test]
async fn settings_of_an_app_are_read_back() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let settings = AppSettings {
        return_urls: vec!["https://shop.example/back".into()],
        allowed_origins: vec!["https://shop.example".into()],
        retrieve_delegated: true,
        approvals: ApprovalSettings {
            lasts_seconds: Some(60),
            webhook: Some("https://chat.example/hook".into()),
            webhook_secret_version: 2,
        },
    };
    vault.apply(made.chain(), Effect::UpdateApp { app: made.app.id, settings: settings.clone() }).await.unwrap();
    assert_eq!(vault.store.app(made.app.id).await.unwrap().unwrap().settings, settings);
    let nobody = Effect::UpdateApp { app: AppId::random(), settings };
    assert_eq!(declined(vault.apply(made.chain(), nobody).await), Declined::NotFound(Entity::App));
}

#[tokio::test]
async fn agents_are_named_once_and_deleted_for_good() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let (app, first) = (made.app.id, agent(made.app.id, "planner"));
    vault.apply(made.chain(), Effect::CreateAgent(Box::new(first.clone()))).await.unwrap();
    assert_eq!(vault.store.agent(app, first.id).await.unwrap(), Lookup::Found(first.clone()));
    assert_eq!(vault.store.agent(AppId::random(), first.id).await.unwrap(), Lookup::Foreign);
    assert_eq!(vault.store.agent_by_name(app, "planner".into()).await.unwrap(), Some(first.clone()));
    let twin = agent(app, "planner");
    assert_eq!(declined(vault.apply(made.chain(), Effect::CreateAgent(Box::new(twin.clone()))).await), Declined::Exists(Entity::Agent));

    let set = |status| Effect::SetAgentStatus { app, agent: first.id, status };
    vault.apply(made.chain(), set(AgentStatus::Suspended)).await.unwrap();
    vault.apply(made.chain(), set(AgentStatus::Deleted)).await.unwrap();
    assert_eq!(declined(vault.apply(made.chain(), set(AgentStatus::Active)).await), Declined::Final(Entity::Agent));
    let unknown = Effect::SetAgentStatus { app, agent: AgentId::random(), status: AgentStatus::Active };
    assert_eq!(declined(vault.apply(made.chain(), unknown).await), Declined::NotFound(Entity::Agent));
    // Its name is free again.
    vault.apply(made.chain(), Effect::CreateAgent(Box::new(twin.clone()))).await.unwrap();
    assert_eq!(vault.store.agents(app, alter_server::store::Page::first(many())).await.unwrap(), [twin]);
}

#[tokio::test]
async fn an_agents_key_works_only_while_the_agent_is_active() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let (app, planner) = (made.app.id, agent(made.app.id, "planner"));
    let mut key = vault.api_key(app);
    key.agent = Some(planner.id);
    let own = delegated(&made.grant, planner.id);
    vault.apply(made.chain(), Effect::CreateAgent(Box::new(planner.clone()))).await.unwrap();
    vault.apply(made.chain(), Effect::CreateKey(Box::new(key.clone()))).await.unwrap();
    create(&vault, &made, &own).await.unwrap();
    assert_eq!(vault.store.key(app, key.id).await.unwrap(), Lookup::Found(key.clone()));

    let using = || Commit::new(made.intent()).effect(Effect::UseKey { key: key.id });
    let set = |status| Effect::SetAgentStatus { app, agent: planner.id, status };
    vault.commit(using()).await.unwrap();
    vault.apply(made.chain(), set(AgentStatus::Suspended)).await.unwrap();
    assert_eq!(declined(vault.commit(using()).await), Declined::AgentInactive);
    vault.apply(made.chain(), set(AgentStatus::Active)).await.unwrap();
    vault.commit(using()).await.unwrap();
    vault.apply(made.chain(), set(AgentStatus::Deleted)).await.unwrap();
    assert_eq!(declined(vault.commit(using()).await), Declined::KeyRevoked);
    assert_eq!(vault.store.key(app, key.id).await.unwrap().found().unwrap().status, KeyStatus::Revoked);
    assert_eq!(status(&vault, &own).await, GrantStatus::Revoked);
    assert_eq!(status(&vault, &made.grant).await, GrantStatus::Active);
}

#[tokio::test]
async fn a_child_that_reaches_further_than_its_parent_is_declined() {
    let vault = Vault::new();
    let mut made = vault.furnished("shop").await;
    made.grant = vault.users_grant(made.app.id, made.secret.id, "u1");
    made.grant.expires_at = Some(NOON.plus(Duration::from_secs(60)));
    create(&vault, &made, &made.grant).await.unwrap();
    let child = delegated(&made.grant, AgentId::random());
    let longer = Grant { expires_at: None, ..child.clone() };
    assert_eq!(create(&vault, &made, &longer).await, Err(Declined::Widens));
    let anothers = Grant { on_behalf_of: user("u2"), ..child.clone() };
    assert_eq!(create(&vault, &made, &anothers).await, Err(Declined::Widens));
    let orphan = Grant { parent: Some(GrantId::random()), ..child.clone() };
    assert_eq!(create(&vault, &made, &orphan).await, Err(Declined::NotFound(Entity::Grant)));
    create(&vault, &made, &child).await.unwrap();

    vault.clock.advance(Duration::from_secs(60));
    let late = delegated(&made.grant, AgentId::random());
    assert_eq!(create(&vault, &made, &late).await, Err(Declined::GrantExpired));
    vault.apply(made.chain(), Effect::RevokeGrant { app: made.app.id, grant: made.grant.id }).await.unwrap();
    assert_eq!(create(&vault, &made, &late).await, Err(Declined::GrantRevoked));
}

#[tokio::test]
async fn a_revocation_ends_every_descendant_and_nothing_else() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let (first, second) = (AgentId::random(), AgentId::random());
    let child = delegated(&made.grant, first);
    let grandchild = delegated(&child, second);
    let sibling = delegated(&made.grant, second);
    for grant in [&child, &grandchild, &sibling] {
        create(&vault, &made, grant).await.unwrap();
    }
    let take_back = |agent| Effect::RevokeDelegation { app: made.app.id, parent: made.grant.id, agent };
    vault.apply(made.chain(), take_back(AgentId::random())).await.expect("nothing to revoke is not a reason");
    vault.apply(made.chain(), take_back(first)).await.unwrap();
    let mut seen = Vec::new();
    for grant in [&made.grant, &child, &grandchild, &sibling] {
        seen.push(status(&vault, grant).await);
    }
    use GrantStatus::{Active, Revoked};
    assert_eq!(seen, [Active, Revoked, Revoked, Active]);

    vault.apply(made.chain(), Effect::RevokeGrant { app: made.app.id, grant: made.grant.id }).await.unwrap();
    assert_eq!(status(&vault, &sibling).await, Revoked);
    let unknown = Effect::RevokeDelegation { app: made.app.id, parent: GrantId::random(), agent: first };
    assert_eq!(declined(vault.apply(made.chain(), unknown).await), Declined::NotFound(Entity::Grant));
}

#[tokio::test]
async fn what_was_delegated_of_a_login_stays_within_what_it_reached() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let credential = login(&vault, &made, user("u1")).await;
    let root = Grant::root(made.app.id, Opens::Login(credential.id), user("u1"), vault.now());
    let child = delegated(&root, AgentId::random());
    let agreed = delegated(&root, AgentId::random());
    let passed_on = delegated(&agreed, AgentId::random());
    let narrow = Grant { scope_constraint: Some(Vec::new()), ..delegated(&root, AgentId::random()) };
    for grant in [&root, &child, &agreed, &passed_on, &narrow] {
        create(&vault, &made, grant).await.unwrap();
    }
    let scopes = vec!["read".to_owned()];
    let effect = Effect::NarrowDelegations { app: made.app.id, credential: credential.id, except: Some(agreed.id), scopes: scopes.clone() };
    vault.apply(made.chain(), effect).await.unwrap();
    let mut constraints = Vec::new();
    for grant in [&root, &child, &agreed, &passed_on, &narrow] {
        constraints.push(vault.store.grant(grant.app, grant.id).await.unwrap().found().unwrap().scope_constraint);
    }
    assert_eq!(constraints, [None, Some(scopes.clone()), None, Some(scopes), Some(Vec::new())]);
}

#[tokio::test]
async fn a_new_consent_moves_the_end_of_a_grant_and_of_what_was_delegated_from_it() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let at = |hours: u64| Some(NOON.plus(Duration::from_secs(hours * 3600)));
    let root = Grant { expires_at: at(1), label: Some("work".into()), ..vault.users_grant(made.app.id, made.secret.id, "u1") };
    let child = delegated(&root, AgentId::random());
    let grandchild = delegated(&child, AgentId::random());
    for grant in [&root, &child, &grandchild] {
        create(&vault, &made, grant).await.unwrap();
    }
    let mismatch = ScopeMismatch { reported_at: NOON, missing_scopes: None };
    let flag = Effect::FlagScopeMismatch { app: made.app.id, grant: root.id, mismatch };
    vault.apply(made.chain(), flag).await.unwrap();
    let policy = |seconds| GrantPolicy { max_ttl_seconds: seconds, ..root.policy.clone() };
    let renew = async |grant: &Grant, expires_at, policy| {
        let effect = Effect::RenewGrant { app: made.app.id, grant: grant.id, expires_at, policy };
        vault.apply(made.chain(), effect).await
    };
    let ends = async || {
        let mut ends = Vec::new();
        for grant in [&root, &child, &grandchild] {
            ends.push(vault.store.grant(grant.app, grant.id).await.unwrap().found().unwrap().expires_at);
        }
        ends
    };
    renew(&root, at(5), policy(Some(9))).await.unwrap();
    assert_eq!(ends().await, [at(5), at(1), at(1)], "what was delegated was agreed to until then");
    let renewed = vault.store.grant(made.app.id, root.id).await.unwrap().found().unwrap();
    assert_eq!((renewed.policy.max_ttl_seconds, renewed.scope_mismatch), (Some(9), None));
    renew(&root, Some(NOON.plus(Duration::from_secs(60))), policy(None)).await.unwrap();
    assert_eq!(ends().await, [Some(NOON.plus(Duration::from_secs(60))); 3], "nothing outlives its parent");

    // One whose time is over comes back, unless its label has a new holder.
    vault.clock.advance(Duration::from_secs(3600));
    renew(&root, None, policy(None)).await.expect("an expired grant comes back");
    assert_eq!(ends().await[0], None);
    renew(&root, Some(vault.now()), policy(None)).await.unwrap();
    create(&vault, &made, &Grant { id: GrantId::random(), expires_at: None, ..root.clone() }).await.unwrap();
    assert_eq!(declined(renew(&root, None, policy(None)).await), Declined::LabelTaken);

    let narrower = GrantPolicy { requires_approval: true, ..GrantPolicy::default() };
    assert_eq!(declined(renew(&made.grant, None, narrower).await), Declined::Changed(Entity::Grant));
    assert_eq!(declined(renew(&child, None, policy(None)).await), Declined::NotFound(Entity::Grant), "not a root");
    vault.apply(made.chain(), Effect::RevokeGrant { app: made.app.id, grant: made.grant.id }).await.unwrap();
    assert_eq!(declined(renew(&made.grant, None, made.grant.policy.clone()).await), Declined::GrantRevoked);
}

#[tokio::test]
async fn siblings_with_one_label_are_declined_while_the_first_is_alive() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let labelled = |subject: &str| Grant { label: Some("work".into()), ..vault.users_grant(made.app.id, made.secret.id, subject) };
    let first = labelled("u1");
    create(&vault, &made, &first).await.unwrap();
    assert_eq!(create(&vault, &made, &labelled("u1")).await, Err(Declined::LabelTaken));
    create(&vault, &made, &labelled("u2")).await.expect("another person's");
    vault.apply(made.chain(), Effect::RevokeGrant { app: made.app.id, grant: first.id }).await.unwrap();
    create(&vault, &made, &labelled("u1")).await.expect("the label is free again");
}

#[tokio::test]
async fn each_sees_what_they_may() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let (app, planner) = (made.app.id, AgentId::random());
    let users = vault.users_grant(app, made.secret.id, "u1");
    let group = Principal::Group { issuer: person("u1").issuer, group: "staff".into() };
    let groups = Grant::root(app, Opens::Secret(made.secret.id), group, NOON);
    let agents_own = Grant::root(app, Opens::Secret(made.secret.id), Principal::Agent { agent: planner }, NOON);
    let of_user = delegated(&users, planner);
    let of_app = delegated(&made.grant, planner);
    for grant in [&users, &groups, &agents_own, &of_user, &of_app] {
        create(&vault, &made, grant).await.unwrap();
    }
    let see = async |view: View| {
        let list = vault.store.list_grants(app, GrantFilter { view, ..GrantFilter::default() }, many(), 0).await.unwrap();
        assert_eq!(list.total, list.grants.len() as u64);
        list.grants.into_iter().map(|listed| listed.grant.id).collect::<Vec<_>>()
    };
    let member = |subject: &str, groups: &[&str]| Membership {
        person: person(subject),
        groups: Some(groups.iter().map(|group| (*group).to_owned()).collect()),
    };
    assert_eq!(see(View::App).await, [made.grant.id, users.id, groups.id, agents_own.id, of_user.id, of_app.id]);
    assert_eq!(see(View::System).await, [made.grant.id]);
    assert_eq!(see(View::Person(member("u1", &[]))).await, [users.id, of_user.id]);
    assert_eq!(see(View::Person(member("u1", &["staff"]))).await, [users.id, groups.id, of_user.id]);
    assert_eq!(see(View::Person(member("u2", &["visitors"]))).await, []);
    assert_eq!(see(View::Agent { agent: planner, person: None }).await, [agents_own.id, of_user.id, of_app.id]);
    assert_eq!(see(View::Agent { agent: planner, person: Some(member("u1", &[])) }).await, [agents_own.id, of_user.id]);
    assert_eq!(see(View::Agent { agent: AgentId::random(), person: None }).await, []);
    let both = [(None, 6), (Some(GrantKind::ManagedSecret), 6), (Some(GrantKind::Oauth), 0)];
    for (kind, count) in both {
        let list = vault.store.list_grants(app, GrantFilter { kind, ..GrantFilter::default() }, many(), 0).await.unwrap();
        assert_eq!(list.total, count, "{kind:?}");
    }
    let around = GrantFilter { around: Some(users.id), ..GrantFilter::default() };
    let found = vault.store.list_grants(app, around, many(), 0).await.unwrap();
    assert_eq!(found.grants.iter().map(|listed| listed.grant.id).collect::<Vec<_>>(), [users.id, of_user.id]);
}

#[tokio::test]
async fn a_list_shows_what_grants_open_and_pages_by_position() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let planner = AgentId::random();
    create(&vault, &made, &delegated(&made.grant, planner)).await.unwrap();
    let page = async |limit: u32, offset| {
        let limit = std::num::NonZeroU32::new(limit).unwrap();
        vault.store.list_grants(made.app.id, GrantFilter::default(), limit, offset).await.unwrap()
    };
    let first = page(1, 0).await;
    assert_eq!((first.total, first.grants.len()), (2, 1));
    let listed = &first.grants[0];
    assert_eq!((&listed.grant, listed.secret.as_ref(), &listed.credential), (&made.grant, Some(&made.secret), &None));
    assert_eq!((listed.delegated_to.as_slice(), listed.provider()), ([planner].as_slice(), "github"));
    assert_eq!(page(10, 1).await.grants.len(), 1);
    let beyond = page(10, 2).await;
    assert_eq!((beyond.total, beyond.grants.len()), (2, 0));
}

#[tokio::test]
async fn rows_about_grants_are_found_in_their_own_chain_only() {
    let vault = Vault::new();
    let (made, other) = (vault.furnished("shop").await, vault.furnished("other").await);
    for reason in ["first", "second"] {
        vault.commit(Commit::new(made.intent().reason(reason))).await.unwrap();
    }
    vault.commit(Commit::new(AuditEntry::new(other.chain(), "token.retrieve", Outcome::Intent).grant(made.grant.id))).await.unwrap();
    let rows = vault.store.audit_of_grants(made.app.id, vec![GrantId::random(), made.grant.id], many()).await.unwrap();
    let reasons: Vec<_> = rows.iter().map(|row| row.entry.reason.as_deref()).collect();
    assert_eq!(reasons, [Some("second"), Some("first")]);
    assert_eq!(vault.store.audit_of_grants(made.app.id, vec![], many()).await.unwrap(), []);
}

#[tokio::test]
async fn a_credential_of_a_person_is_erased_with_its_last_live_grant() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let login = super::credentials::login(&vault, &made, user("u1")).await;
    let mut first = Grant::root(made.app.id, Opens::Login(login.id), user("u1"), NOON);
    first.label = Some("one".into());
    let second = Grant { id: GrantId::random(), label: Some("two".into()), ..first.clone() };
    let brief = Grant { id: GrantId::random(), label: None, expires_at: Some(NOON.plus(Duration::from_secs(5))), ..first.clone() };
    for grant in [&first, &second, &brief] {
        create(&vault, &made, grant).await.unwrap();
    }
    vault.clock.advance(Duration::from_secs(5));
    let revoke = |grant: &Grant| Effect::RevokeGrant { app: made.app.id, grant: grant.id };
    let state = async || vault.store.credential(made.app.id, login.id).await.unwrap().found().unwrap();
    vault.apply(made.chain(), revoke(&first)).await.unwrap();
    let kept = state().await;
    assert_eq!(kept.credential.state, CredentialState::Live);
    let values = vault.keys.open(made.app.id, login.id, &kept.sealed.unwrap()).unwrap();
    assert_eq!(values, BTreeMap::from([("access_token".to_owned(), Secret::new("at-1"))]));

    vault.apply(made.chain(), revoke(&second)).await.unwrap();
    let erased = state().await;
    assert_eq!((erased.credential.state, erased.sealed), (CredentialState::Erased, None));
    let again = Grant { id: GrantId::random(), ..second };
    assert_eq!(create(&vault, &made, &again).await, Err(Declined::CredentialErased));
}

//! Approvals: changed from the version that was read, ended with their grant, bounded in number, forgotten with what is sealed.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::time::Duration;

use alter_core::secret::Secret;
use alter_server::crypto::SealedSecret;
use alter_server::model::{
    About, Approval, ApprovalId, ApprovalStatus, Approver, Decider, Decision, Gate, GateId, Grant, GrantId, OperatorId, Person,
};
use alter_server::store::{ApprovalFilter, CommitError, Declined, Effect, Entity, Receipt};

use super::harness::{Furnished, NOON, Vault, declined, many};

const HOUR: Duration = Duration::from_secs(3600);

fn approval(made: &Furnished) -> Approval {
    let gate = |approvers: &[Approver]| Gate { id: GateId::random(), approvers: approvers.iter().cloned().collect(), decision: None };
    let about = About { method: "POST".into(), url: "https://api.example.com/x".into(), reason: Some("why".into()), ..About::default() };
    Approval {
        id: ApprovalId::random(),
        app: made.app.id,
        grant: made.grant.id,
        key: made.key.id,
        agent: None,
        status: ApprovalStatus::Pending,
        gates: vec![gate(&[Approver::Operators]), gate(&[Approver::Email { address: "ada@example.com".into() }])],
        about,
        digest: [7; 32],
        version: 1,
        created_at: NOON,
        expires_at: NOON.plus(HOUR),
        decided_at: None,
        left_at: None,
        executed_at: None,
        notify_at: Some(NOON),
    }
}

fn sealed(vault: &Vault, approval: &Approval, value: &str) -> SealedSecret {
    vault.keys.seal(approval.app, approval.id, &BTreeMap::from([("value".to_owned(), Secret::new(value))])).unwrap()
}

async fn create(vault: &Vault, made: &Furnished, approval: &Approval) -> Result<Receipt, CommitError> {
    let create = Effect::CreateApproval { approval: Box::new(approval.clone()), sealed: sealed(vault, approval, "request") };
    vault.apply(made.chain(), create).await
}

async fn update(vault: &Vault, made: &Furnished, approval: &Approval, value: Option<&str>) -> Result<Receipt, CommitError> {
    let sealed = value.map(|value| sealed(vault, approval, value));
    vault.apply(made.chain(), Effect::UpdateApproval { approval: Box::new(approval.clone()), sealed }).await
}

async fn read(vault: &Vault, id: ApprovalId) -> Approval {
    vault.store.approval(id).await.unwrap().expect("an approval").approval
}

fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

#[tokio::test]
async fn an_approval_is_found_by_its_id_and_each_of_its_gates() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let first = approval(&made);
    create(&vault, &made, &first).await.unwrap();
    let found = vault.store.approval(first.id).await.unwrap().unwrap();
    assert_eq!(found.approval, first);
    assert_eq!(vault.keys.open(first.app, first.id, &found.sealed.unwrap()).unwrap()["value"], Secret::new("request"));
    for gate in &first.gates {
        assert_eq!(vault.store.approval_of_gate(gate.id).await.unwrap().unwrap().approval, first);
    }
    assert!(vault.store.approval(ApprovalId::random()).await.unwrap().is_none());
    assert!(vault.store.approval_of_gate(GateId::random()).await.unwrap().is_none());
}

#[tokio::test]
async fn of_two_changes_from_one_version_one_counts() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let first = approval(&made);
    create(&vault, &made, &first).await.unwrap();
    let mut decided = first.clone();
    decided.gates[0].decision = Some(Decision {
        approved: true,
        by: Decider::Operator { id: OperatorId::random(), name: "bob".into() },
        at: NOON,
        reason: Some("fine".into()),
    });
    (decided.version, decided.notify_at) = (2, None);
    update(&vault, &made, &decided, None).await.unwrap();
    assert_eq!(declined(update(&vault, &made, &decided, None).await), Declined::Changed(Entity::Approval));
    assert_eq!(read(&vault, first.id).await, decided);
    let ended = Approval {
        status: ApprovalStatus::Executed,
        version: 3,
        decided_at: Some(NOON),
        left_at: Some(NOON),
        executed_at: Some(NOON),
        ..decided
    };
    update(&vault, &made, &ended, Some("answer")).await.unwrap();
    let found = vault.store.approval(first.id).await.unwrap().unwrap();
    assert_eq!(found.approval, ended);
    assert_eq!(vault.keys.open(first.app, first.id, &found.sealed.unwrap()).unwrap()["value"], Secret::new("answer"));
    let foreign = Approval { id: ApprovalId::random(), version: 4, ..ended };
    assert_eq!(declined(update(&vault, &made, &foreign, None).await), Declined::NotFound(Entity::Approval));
}

#[tokio::test]
async fn nothing_waits_for_a_grant_that_is_over() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let unknown = Approval { grant: GrantId::random(), ..approval(&made) };
    assert_eq!(declined(create(&vault, &made, &unknown).await), Declined::NotFound(Entity::Grant));
    let ending = Grant { id: GrantId::random(), label: Some("ending".into()), expires_at: Some(NOON.plus(HOUR)), ..made.grant.clone() };
    vault.apply(made.chain(), Effect::CreateGrant(Box::new(ending.clone()))).await.unwrap();
    create(&vault, &made, &Approval { grant: ending.id, ..approval(&made) }).await.unwrap();
    vault.clock.advance(HOUR);
    let late = Approval { grant: ending.id, ..approval(&made) };
    assert_eq!(declined(create(&vault, &made, &late).await), Declined::GrantExpired);
    vault.apply(made.chain(), Effect::RevokeGrant { app: made.app.id, grant: made.grant.id }).await.unwrap();
    assert_eq!(declined(create(&vault, &made, &approval(&made)).await), Declined::GrantRevoked);
}

#[tokio::test]
async fn revoking_a_grant_ends_what_waits_for_it_and_nothing_else() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let waiting: Vec<Approval> = (0..4).map(|_| approval(&made)).collect();
    for approval in &waiting {
        create(&vault, &made, approval).await.unwrap();
    }
    for (approval, status) in waiting[1..].iter().zip([ApprovalStatus::Approved, ApprovalStatus::Executing, ApprovalStatus::Executed]) {
        update(&vault, &made, &Approval { status, version: 2, ..approval.clone() }, None).await.unwrap();
    }
    vault.apply(made.chain(), Effect::RevokeGrant { app: made.app.id, grant: made.grant.id }).await.unwrap();
    for approval in &waiting[..2] {
        let ended = read(&vault, approval.id).await;
        assert_eq!((ended.status, ended.decided_at), (ApprovalStatus::Denied, Some(vault.now())));
        assert!(ended.about.decision_reason.is_some_and(|reason| reason.contains("revoked")));
    }
    assert_eq!(read(&vault, waiting[2].id).await.status, ApprovalStatus::Executing, "it has left");
    assert_eq!(read(&vault, waiting[3].id).await.status, ApprovalStatus::Executed);
}

#[tokio::test]
async fn an_app_has_a_hundred_under_way_and_no_more() {
    let vault = Vault::new();
    let (made, other) = (vault.furnished("shop").await, vault.furnished("other").await);
    let mut first = approval(&made);
    first.expires_at = NOON.plus(HOUR / 2);
    create(&vault, &made, &first).await.unwrap();
    for _ in 1..Approval::MOST_OPEN {
        create(&vault, &made, &approval(&made)).await.unwrap();
    }
    assert_eq!(declined(create(&vault, &made, &approval(&made)).await), Declined::TooManyApprovals);
    create(&vault, &other, &approval(&other)).await.expect("another app's are counted apart");
    vault.clock.advance(HOUR / 2);
    create(&vault, &made, &approval(&made)).await.expect("one has expired");
    assert_eq!(declined(create(&vault, &made, &approval(&made)).await), Declined::TooManyApprovals);
}

#[tokio::test]
async fn lists_are_newest_first_and_what_is_due_comes_oldest_first() {
    let vault = Vault::new();
    let (made, other) = (vault.furnished("shop").await, vault.furnished("other").await);
    let quiet = |made: &Furnished| Approval { notify_at: None, ..approval(made) };
    let (first, second, foreign) = (quiet(&made), quiet(&made), quiet(&other));
    for (made, approval) in [(&made, &first), (&other, &foreign), (&made, &second)] {
        create(&vault, made, approval).await.unwrap();
    }
    let list = async |filter, most| {
        let found = vault.store.approvals(filter, most).await.unwrap();
        found.iter().map(|approval| approval.id).collect::<Vec<_>>()
    };
    let all = ApprovalFilter::default();
    let of_app = ApprovalFilter { app: Some(made.app.id), ..all };
    assert_eq!(list(all, many()).await, [second.id, foreign.id, first.id]);
    assert_eq!(list(of_app, one()).await, [second.id]);
    assert_eq!(list(ApprovalFilter { before: Some(second.id), ..of_app }, many()).await, [first.id]);

    let due = async || {
        let found = vault.store.due_approvals(vault.now().minus(HOUR / 4), many()).await.unwrap();
        found.iter().map(|approval| approval.id).collect::<Vec<_>>()
    };
    assert_eq!(due().await, []);
    update(&vault, &made, &Approval { status: ApprovalStatus::Denied, version: 2, ..first.clone() }, None).await.unwrap();
    assert_eq!(list(ApprovalFilter { only_open: true, ..of_app }, many()).await, [second.id]);
    let left = Approval { status: ApprovalStatus::Executing, left_at: Some(NOON), version: 2, ..second.clone() };
    update(&vault, &made, &left, None).await.unwrap();
    let told = Approval { notify_at: Some(NOON.plus(HOUR / 8)), ..approval(&made) };
    create(&vault, &made, &told).await.unwrap();
    assert_eq!(due().await, []);
    vault.clock.advance(HOUR / 8);
    assert_eq!(due().await, [told.id], "it is time to tell of it");
    vault.clock.advance(HOUR / 8);
    assert_eq!(due().await, [second.id, told.id], "nothing was heard of the call");
    vault.clock.advance(HOUR);
    assert_eq!(due().await, [foreign.id, second.id, told.id], "time is over");
}

#[tokio::test]
async fn what_ended_long_ago_is_forgotten_with_what_is_sealed() {
    let vault = Vault::new();
    let made = vault.furnished("shop").await;
    let first = approval(&made);
    create(&vault, &made, &first).await.unwrap();
    let keys = async || vault.store.count_data_keys(1).await.unwrap().all;
    let with_one = keys().await;
    vault.clock.advance(HOUR + Approval::MEMORY + Duration::from_secs(1));
    let second = Approval { expires_at: vault.now().plus(HOUR), ..approval(&made) };
    create(&vault, &made, &second).await.unwrap();
    assert!(vault.store.approval(first.id).await.unwrap().is_none());
    assert!(vault.store.approval_of_gate(first.gates[0].id).await.unwrap().is_none());
    assert_eq!(keys().await, with_one);
}

#[test]
fn a_person_among_approvers_is_kept_as_they_were() {
    let person = Approver::Person(Person { issuer: "https://id.example".into(), subject: "1".into() });
    let set = BTreeSet::from([person, Approver::Operator { name: "bob".into() }]);
    let text = serde_json::to_string(&set).unwrap();
    assert_eq!(serde_json::from_str::<BTreeSet<Approver>>(&text).unwrap(), set);
}

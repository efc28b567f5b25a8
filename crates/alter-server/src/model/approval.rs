//! Approvals: calls that wait for people, and what came of them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{AgentId, AppId, ApprovalId, GateId, GrantId, KeyId, OperatorId, Person, words};
use crate::clock::Timestamp;

words! {
    /// Where an approval is in its life. That its time is over follows from the clock before it is written down: ask [`Approval::status_at`].
    pub enum ApprovalStatus {
        /// Somebody still has to decide.
        Pending = "pending",
        /// Everybody agreed, and the call has not left yet.
        Approved = "approved",
        /// The call was let out, and nothing is known of its end yet.
        Executing = "executing",
        /// Somebody said no.
        Denied = "denied",
        /// Nobody decided in time, or the call could not leave in time.
        Expired = "expired",
        /// The provider answered.
        Executed = "executed",
        /// It was approved, and there is no answer of the provider.
        Failed = "failed",
    }
}

impl ApprovalStatus {
    /// Whether nothing more will happen.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Denied | Self::Expired | Self::Executed | Self::Failed)
    }
}

words! {
    /// What became of one gate.
    pub enum GateStatus {
        /// Nobody decided yet.
        Pending = "pending",
        /// One of its approvers said yes.
        Approved = "approved",
        /// One of its approvers said no.
        Denied = "denied",
        /// Its time is over.
        Expired = "expired",
    }
}

/// A call that waits for people: kept as it was asked for, and made at most once. Its request and its result are sealed apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Its id.
    pub id: ApprovalId,
    /// The app that asks.
    pub app: AppId,
    /// The grant that the call uses.
    pub grant: GrantId,
    /// The key that asked.
    pub key: KeyId,
    /// The agent that asked.
    pub agent: Option<AgentId>,
    /// Where it is in its life.
    pub status: ApprovalStatus,
    /// Whom it takes: one approver of each gate. Never empty.
    pub gates: Vec<Gate>,
    /// What people are told in lists and messages.
    pub about: About,
    /// SHA-256 of the call as it will be sent, without the credential: what is approved is this and nothing else.
    pub digest: [u8; 32],
    /// 1 when made, one more with every change.
    pub version: u32,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// Until when people may decide and the call may leave.
    pub expires_at: Timestamp,
    /// When the last decision was made.
    pub decided_at: Option<Timestamp>,
    /// When the call left.
    pub left_at: Option<Timestamp>,
    /// When the provider's answer was there.
    pub executed_at: Option<Timestamp>,
    /// When the app is told of it the next time; `None` if it need not be.
    pub notify_at: Option<Timestamp>,
}

/// What lists and messages tell of an approval. The body and the headers are not here: they are sealed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct About {
    /// The method.
    pub method: String,
    /// The URL without the credential's parameters.
    pub url: String,
    /// The provider's id, or the managed secret's slug.
    pub provider: String,
    /// Why, in the client's words.
    pub reason: Option<String>,
    /// The caller that the request named.
    pub caller: Option<String>,
    /// The name of the agent that asked.
    pub agent_name: Option<String>,
    /// The person on whose behalf it was asked, by their token.
    pub person: Option<Person>,
    /// What the last one to decide noted.
    pub decision_reason: Option<String>,
    /// Why the approved call has no answer.
    pub execution_error: Option<String>,
    /// How often the app was told of it.
    pub notified: u32,
}

/// One decision that it takes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// Its id: what links and clients name.
    pub id: GateId,
    /// Who may decide: one of these.
    pub approvers: BTreeSet<Approver>,
    /// The decision.
    #[serde(default)]
    pub decision: Option<Decision>,
}

/// A decision. It cannot be changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// Whether the call may be made.
    pub approved: bool,
    /// Who says so.
    pub by: Decider,
    /// When.
    pub at: Timestamp,
    /// What they noted.
    #[serde(default)]
    pub reason: Option<String>,
}

/// Before the name of an operator.
const OPERATOR: &str = "operator:";
const LONGEST_APPROVER: usize = 254;

/// Who may decide.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Approver {
    /// Whoever the app's identity provider signs in with this address, if it has verified it.
    Email {
        /// The address, in lower case.
        address: String,
    },
    /// This person.
    Person(Person),
    /// The operator with this name.
    Operator {
        /// Its name.
        name: String,
    },
    /// Any operator who may decide.
    Operators,
}

/// Who has decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Decider {
    /// A person, signed in at the app's identity provider.
    Person {
        /// Who.
        person: Person,
        /// Their address, if it is verified.
        email: Option<String>,
    },
    /// An operator.
    Operator {
        /// Its id.
        id: OperatorId,
        /// Its name.
        name: String,
    },
}

impl Approval {
    /// How long an ended approval is kept with its answer.
    pub const MEMORY: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);
    /// Most approvals of one app that are under way at once.
    pub const MOST_OPEN: u32 = 100;

    /// Where it is at `now`: what was not decided, or did not leave in time, has expired, whether that was written down or not.
    pub fn status_at(&self, now: Timestamp) -> ApprovalStatus {
        match self.status {
            ApprovalStatus::Pending | ApprovalStatus::Approved if self.expires_at <= now => ApprovalStatus::Expired,
            status => status,
        }
    }

    /// What became of a gate at `now`.
    pub fn gate_status_at(&self, gate: &Gate, now: Timestamp) -> GateStatus {
        match &gate.decision {
            Some(decision) if decision.approved => GateStatus::Approved,
            Some(_) => GateStatus::Denied,
            None if self.status_at(now) == ApprovalStatus::Expired => GateStatus::Expired,
            None => GateStatus::Pending,
        }
    }

    /// The gate with an id.
    pub fn gate(&self, id: GateId) -> Option<&Gate> {
        self.gates.iter().find(|gate| gate.id == id)
    }
}

impl Decider {
    /// Whether they are one of a gate's approvers.
    pub fn is_among(&self, approvers: &BTreeSet<Approver>) -> bool {
        approvers.iter().any(|approver| match (approver, self) {
            (Approver::Operators, Self::Operator { .. }) => true,
            (Approver::Operator { name }, Self::Operator { name: own, .. }) => name == own,
            (Approver::Person(person), Self::Person { person: own, .. }) => person == own,
            (Approver::Email { address }, Self::Person { email: Some(own), .. }) => own.eq_ignore_ascii_case(address),
            _ => false,
        })
    }

    /// Whether both are the same somebody.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Person { person, .. }, Self::Person { person: other, .. }) => person == other,
            (Self::Operator { id, .. }, Self::Operator { id: other, .. }) => id == other,
            _ => false,
        }
    }

    /// What people call them.
    pub fn shown_name(&self) -> String {
        match self {
            Self::Person { email: Some(email), .. } => email.clone(),
            Self::Person { person, .. } => person.subject.clone(),
            Self::Operator { name, .. } => format!("operator {name}"),
        }
    }
}

impl Approver {
    /// Reads an approver as policies write it: an e-mail address, or `operator:` and a name.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > LONGEST_APPROVER || text.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return None;
        }
        if let Some(name) = text.strip_prefix(OPERATOR) {
            return (!name.is_empty()).then(|| Self::Operator { name: name.to_owned() });
        }
        let (name, host) = text.rsplit_once('@')?;
        (!name.is_empty() && !host.is_empty()).then(|| Self::Email { address: text.to_ascii_lowercase() })
    }
}

impl std::fmt::Display for Approver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Email { address } => f.write_str(address),
            Self::Person(person) => write!(f, "{} of {}", person.subject, person.issuer),
            Self::Operator { name } => write!(f, "operator:{name}"),
            Self::Operators => f.write_str("operators"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(subject: &str, email: Option<&str>) -> Decider {
        let person = Person { issuer: "https://id.example".into(), subject: subject.into() };
        Decider::Person { person, email: email.map(str::to_owned) }
    }

    fn operator(name: &str) -> Decider {
        Decider::Operator { id: OperatorId::random(), name: name.into() }
    }

    #[test]
    fn an_approver_is_known_by_what_is_proven() {
        let mail = BTreeSet::from([Approver::Email { address: "ada@example.com".into() }]);
        assert!(person("1", Some("Ada@Example.com")).is_among(&mail));
        assert!(!person("ada@example.com", None).is_among(&mail), "a subject that looks like an address proves none");
        assert!(!operator("ada@example.com").is_among(&mail));
        let Decider::Person { person: ada, .. } = person("1", None) else { unreachable!() };
        let by_id = BTreeSet::from([Approver::Person(ada.clone())]);
        assert!(person("1", None).is_among(&by_id));
        let elsewhere = Person { issuer: "https://evil.example".into(), ..ada };
        assert!(
            !Decider::Person { person: elsewhere, email: None }.is_among(&by_id),
            "the same subject of another issuer is somebody else"
        );
        assert!(operator("bob").is_among(&BTreeSet::from([Approver::Operators])));
        assert!(operator("bob").is_among(&BTreeSet::from([Approver::Operator { name: "bob".into() }])));
        assert!(!operator("eve").is_among(&BTreeSet::from([Approver::Operator { name: "bob".into() }])));
        assert!(!person("1", Some("bob")).is_among(&BTreeSet::from([Approver::Operators])));
    }

    #[test]
    fn what_was_not_decided_in_time_has_expired() {
        let at = Timestamp::from_millis;
        let gate = Gate { id: GateId::random(), approvers: BTreeSet::from([Approver::Operators]), decision: None };
        let mut approval = Approval {
            id: ApprovalId::random(),
            app: AppId::random(),
            grant: GrantId::random(),
            key: KeyId::random(),
            agent: None,
            status: ApprovalStatus::Pending,
            gates: vec![gate],
            about: About::default(),
            digest: [0; 32],
            version: 1,
            created_at: at(0),
            expires_at: at(1000),
            decided_at: None,
            left_at: None,
            executed_at: None,
            notify_at: None,
        };
        let told = |approval: &Approval, now| (approval.status_at(at(now)), approval.gate_status_at(&approval.gates[0], at(now)));
        assert_eq!(told(&approval, 999), (ApprovalStatus::Pending, GateStatus::Pending));
        assert_eq!(told(&approval, 1000), (ApprovalStatus::Expired, GateStatus::Expired));
        approval.status = ApprovalStatus::Approved;
        assert_eq!(approval.status_at(at(1000)), ApprovalStatus::Expired);
        approval.status = ApprovalStatus::Executing;
        assert_eq!(approval.status_at(at(1000)), ApprovalStatus::Executing, "what has left cannot expire");
    }
}

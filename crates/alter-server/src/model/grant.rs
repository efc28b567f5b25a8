//! Grants: the permission to use one credential, held by an app, a person, a group or an agent.

use super::{AgentId, AppId, Credential, CredentialId, CredentialKind, GrantId, ManagedSecret, Person, Principal, SecretId, words};
use crate::clock::Timestamp;

words! {
    /// Whether a grant is in force. Expiry is not a status: it follows from `expires_at` and the clock.
    pub enum GrantStatus {
        /// In force until it expires.
        Active = "active",
        /// Taken back for ever.
        Revoked = "revoked",
    }
}

words! {
    /// A grant's status as lists show it, at one moment.
    pub enum ShownStatus {
        /// In force.
        Active = "active",
        /// Its time is over.
        Expired = "expired",
        /// Taken back.
        Revoked = "revoked",
    }
}

/// What a client reported with `report-scope-mismatch`: the provider wants more scopes than the credential has.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ScopeMismatch {
    /// When it was last reported.
    pub reported_at: Timestamp,
    /// The scopes that the provider named; `None` when it named none.
    pub missing_scopes: Option<Vec<String>>,
}

/// What a grant opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Opens {
    /// A managed secret's own values.
    Secret(SecretId),
    /// A key that stands beside a managed secret's own, placed by the secret's rules.
    Key {
        /// The managed secret.
        secret: SecretId,
        /// The key.
        credential: CredentialId,
    },
    /// A login at an OAuth provider.
    Login(CredentialId),
}

impl Opens {
    /// The managed secret, if there is one.
    pub const fn secret(self) -> Option<SecretId> {
        match self {
            Self::Secret(secret) | Self::Key { secret, .. } => Some(secret),
            Self::Login(_) => None,
        }
    }

    /// The credential, if it has a row of its own.
    pub const fn credential(self) -> Option<CredentialId> {
        match self {
            Self::Secret(_) => None,
            Self::Key { credential, .. } | Self::Login(credential) => Some(credential),
        }
    }

    /// The id that clients know the credential by. A managed secret's own values go by the secret's id.
    pub const fn credential_id(self) -> CredentialId {
        match self {
            Self::Secret(secret) => CredentialId(secret.0),
            Self::Key { credential, .. } | Self::Login(credential) => credential,
        }
    }
}

/// What narrows a grant. An empty policy narrows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantPolicy {
    /// The longest that a grant may last from its making, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ttl_seconds: Option<u64>,
    /// How long it lasts if its holder chooses nothing, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_ttl_seconds: Option<u64>,
    /// Which calls it is for; `None` for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restrictions: Option<Restrictions>,
    /// Whether a person has to approve each call.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub requires_approval: bool,
}

impl GrantPolicy {
    /// Whether whatever this one allows, `outer` allows as well.
    pub fn is_within(&self, outer: &Self) -> bool {
        let approval = self.requires_approval || !outer.requires_approval;
        let restrictions = match (&self.restrictions, &outer.restrictions) {
            (_, None) => true,
            (None, Some(outer)) => *outer == Restrictions::default(),
            (Some(inner), Some(outer)) => inner.is_within(outer),
        };
        approval && restrictions
    }

    /// Whether it has rules about single calls, which only a call through the vault can keep.
    pub const fn judges_calls(&self) -> bool {
        self.requires_approval || self.restrictions.is_some()
    }
}

/// Which calls a grant is for.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restrictions {
    /// HTTP methods, upper case; `None` for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_methods: Option<Vec<String>>,
    /// Paths, or URLs without a query, in which `*` stands for any run of characters; `None` for any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_endpoints: Option<Vec<String>>,
}

impl Restrictions {
    /// Whether every call that this one allows is allowed by `outer`. Patterns are compared as text: a narrower pattern that is not among the
    /// outer ones does not count as within them, so the answer may be no where a cleverer comparison would find yes, never the other way.
    fn is_within(&self, outer: &Self) -> bool {
        let listed = |inner: &Option<Vec<String>>, outer: &Option<Vec<String>>| is_subset(inner.as_deref(), outer.as_deref());
        listed(&self.allowed_methods, &outer.allowed_methods) && listed(&self.allowed_endpoints, &outer.allowed_endpoints)
    }
}

/// Whether one list is within another, where no list means everything.
fn is_subset(inner: Option<&[String]>, outer: Option<&[String]>) -> bool {
    match (inner, outer) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(inner), Some(outer)) => inner.iter().all(|item| outer.contains(item)),
    }
}

/// The permission to use one credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Its id: what a client passes as `grant_id`.
    pub id: GrantId,
    /// The app it belongs to.
    pub app: AppId,
    /// What it opens; of the same app.
    pub opens: Opens,
    /// Who holds it.
    pub principal: Principal,
    /// For whom it is used: the principal at the root of its chain. The same as `principal` for a root.
    pub on_behalf_of: Principal,
    /// A name that tells several grants of one credential apart.
    pub label: Option<String>,
    /// Words of the app's own, for finding it again.
    pub tags: Vec<String>,
    /// What narrows it.
    pub policy: GrantPolicy,
    /// The grant that this one was delegated from; `None` for a root.
    pub parent: Option<GrantId>,
    /// How many delegations lie between it and its root: 0 for a root.
    pub depth: u32,
    /// Whether its holder may delegate it on.
    pub delegable: bool,
    /// The only scopes that it may be used for; `None` for all that the credential has.
    pub scope_constraint: Option<Vec<String>>,
    /// Whether it is in force.
    pub status: GrantStatus,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends; `None` for never. A grant has expired at this moment, not after it. Never later than its parent's end.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When a credential was last released through it, to the second.
    pub last_used_at: Option<Timestamp>,
    /// The last scope-mismatch report, if there was one.
    pub scope_mismatch: Option<ScopeMismatch>,
}

impl Grant {
    /// The most delegations between a grant and its root.
    pub const MAX_DEPTH: u32 = 8;

    /// A root grant that narrows nothing and never ends; for the rest, change its fields.
    pub fn root(app: AppId, opens: Opens, principal: Principal, created_at: Timestamp) -> Self {
        Self {
            id: GrantId::random(),
            app,
            opens,
            on_behalf_of: principal.clone(),
            principal,
            label: None,
            tags: Vec::new(),
            policy: GrantPolicy::default(),
            parent: None,
            depth: 0,
            delegable: false,
            scope_constraint: None,
            status: GrantStatus::Active,
            created_at,
            expires_at: None,
            revoked_at: None,
            last_used_at: None,
            scope_mismatch: None,
        }
    }

    /// What an agent gets of it by a delegation that narrows nothing and cannot be passed on; for the rest, change its fields.
    pub fn delegated_to(&self, agent: AgentId, now: Timestamp) -> Self {
        Self {
            id: GrantId::random(),
            principal: Principal::Agent { agent },
            label: None,
            tags: Vec::new(),
            parent: Some(self.id),
            depth: self.depth + 1,
            delegable: false,
            created_at: now,
            last_used_at: None,
            scope_mismatch: None,
            ..self.clone()
        }
    }

    /// Whether its time is over at `now`. Says nothing about revocation.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|end| end <= now)
    }

    /// Its status as lists show it at `now`.
    pub fn shown_status(&self, now: Timestamp) -> ShownStatus {
        match self.status {
            GrantStatus::Revoked => ShownStatus::Revoked,
            GrantStatus::Active if self.has_expired(now) => ShownStatus::Expired,
            GrantStatus::Active => ShownStatus::Active,
        }
    }

    /// Whether it may be delegated from `parent`: it reaches no further, lasts no longer, and is used for the same principal.
    pub fn is_within(&self, parent: &Self) -> bool {
        let lasts = match (self.expires_at, parent.expires_at) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(own), Some(parents)) => own <= parents,
        };
        let placed = self.app == parent.app && self.opens == parent.opens && self.on_behalf_of == parent.on_behalf_of;
        let depth = self.parent == Some(parent.id) && self.depth == parent.depth + 1 && self.depth <= Self::MAX_DEPTH;
        let scopes = is_subset(self.scope_constraint.as_deref(), parent.scope_constraint.as_deref());
        lasts && placed && depth && scopes && self.policy.is_within(&parent.policy)
    }

    /// Whether it was delegated.
    pub const fn is_delegated(&self) -> bool {
        self.parent.is_some()
    }
}

/// Who somebody is for judging whose grants they may see: a person, and the groups that their token names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The person.
    pub person: Person,
    /// Ids of the groups, all at the person's issuer; `None` if their token does not say, which is not the same as none.
    pub groups: Option<Vec<String>>,
}

impl Membership {
    /// Whether a principal is this person or a group of theirs.
    pub fn holds(&self, principal: &Principal) -> bool {
        match principal {
            Principal::User(person) => *person == self.person,
            Principal::Group { issuer, group } => {
                *issuer == self.person.issuer && self.groups.as_ref().is_some_and(|groups| groups.contains(group))
            }
            Principal::System | Principal::Agent { .. } => false,
        }
    }
}

/// Whose eyes a list of grants is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum View {
    /// Everything in the app.
    #[default]
    App,
    /// What is used on behalf of one person, or of a group of theirs.
    Person(Membership),
    /// What an agent holds. With a person, its delegated grants are only those on that person's behalf.
    Agent {
        /// The agent.
        agent: AgentId,
        /// The person.
        person: Option<Membership>,
    },
    /// The app's own: system grants.
    System,
}

words! {
    /// What a grant is for.
    pub enum GrantKind {
        /// A login at an OAuth provider.
        Oauth = "oauth",
        /// A managed secret, or a key that one places.
        ManagedSecret = "managed_secret",
    }
}

/// Which grants of an app to list; `None` means any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GrantFilter {
    /// Whose eyes the list is for.
    pub view: View,
    /// Only grants of this kind.
    pub kind: Option<GrantKind>,
    /// Only grants of this provider or managed secret, by provider id or slug.
    pub provider: Option<String>,
    /// Only grants of this credential, by the id that clients know it by.
    pub credential: Option<CredentialId>,
    /// Only grants with this status now.
    pub status: Option<ShownStatus>,
    /// Only grants whose credential opens the account with this identifier.
    pub account: Option<String>,
    /// Only grants with this label.
    pub label: Option<String>,
    /// Only grants on behalf of the user with this subject, whatever the issuer.
    pub subject: Option<String>,
    /// Only this grant and those delegated from it.
    pub around: Option<GrantId>,
}

/// A grant together with what it opens, as lists show it. Without values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedGrant {
    /// The grant.
    pub grant: Grant,
    /// The managed secret; `None` for a login.
    pub secret: Option<ManagedSecret>,
    /// The credential; `None` for a managed secret's own values.
    pub credential: Option<Credential>,
    /// The agents that hold an active grant delegated from it.
    pub delegated_to: Vec<AgentId>,
}

impl ListedGrant {
    /// The credential, if it is a login.
    pub fn login(&self) -> Option<&Credential> {
        self.credential.as_ref().filter(|credential| credential.kind == CredentialKind::Oauth)
    }

    /// The provider's id or the secret's slug.
    pub fn provider(&self) -> &str {
        match (&self.secret, &self.credential) {
            (Some(secret), _) => &secret.slug,
            (None, Some(credential)) => &credential.provider,
            (None, None) => "",
        }
    }

    /// What kind of credential it opens.
    pub fn credential_kind(&self) -> CredentialKind {
        self.credential.as_ref().map_or(CredentialKind::Developer, |credential| credential.kind)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    fn root() -> Grant {
        Grant::root(AppId::random(), Opens::Secret(SecretId::random()), Principal::System, START)
    }

    fn child(of: &Grant) -> Grant {
        let agent = Principal::Agent { agent: AgentId::random() };
        Grant { id: GrantId::random(), principal: agent, parent: Some(of.id), depth: of.depth + 1, ..of.clone() }
    }

    #[test]
    fn a_copy_of_the_parent_is_within_it() {
        let root = root();
        let first = child(&root);
        assert!(first.is_within(&root));
        assert!(child(&first).is_within(&first));
        assert!(!child(&first).is_within(&root), "a link of the chain may not be left out");
    }

    #[test]
    fn whatever_reaches_further_is_not_within() {
        let mut root = root();
        root.expires_at = Some(Timestamp::from_millis(START.as_millis() + 1000));
        root.scope_constraint = Some(vec!["a".into(), "b".into()]);
        root.policy.requires_approval = true;
        root.policy.restrictions = Some(Restrictions { allowed_methods: Some(vec!["GET".into()]), allowed_endpoints: None });
        let widened: [fn(&mut Grant); 9] = [
            |grant| grant.expires_at = None,
            |grant| grant.expires_at = grant.expires_at.map(|end| Timestamp::from_millis(end.as_millis() + 1)),
            |grant| grant.scope_constraint = None,
            |grant| grant.scope_constraint = Some(vec!["a".into(), "c".into()]),
            |grant| grant.policy.requires_approval = false,
            |grant| grant.policy.restrictions = None,
            |grant| grant.policy.restrictions = Some(Restrictions { allowed_methods: Some(vec!["POST".into()]), allowed_endpoints: None }),
            |grant| grant.on_behalf_of = Principal::User(Person { issuer: "https://a".into(), subject: "b".into() }),
            |grant| grant.opens = Opens::Secret(SecretId::random()),
        ];
        for (index, widen) in widened.into_iter().enumerate() {
            let mut grant = child(&root);
            assert!(grant.is_within(&root));
            widen(&mut grant);
            assert!(!grant.is_within(&root), "change {index}");
        }
    }

    fn list() -> impl Strategy<Value = Option<Vec<String>>> {
        prop::option::of(prop::collection::vec("[abc]", 0..3))
    }

    prop_compose! {
        fn narrowing()(
            end in prop::option::of(0_i64..4),
            scopes in list(),
            methods in list(),
            endpoints in list(),
            approval: bool,
            restricted: bool,
        ) -> (Option<i64>, Option<Vec<String>>, GrantPolicy) {
            let restrictions = restricted.then_some(Restrictions { allowed_methods: methods, allowed_endpoints: endpoints });
            (end, scopes, GrantPolicy { restrictions, requires_approval: approval, ..GrantPolicy::default() })
        }
    }

    /// Whether a grant by itself allows a call without an approval.
    fn allows(grant: &Grant, now: i64, scope: &str, method: &str, endpoint: &str) -> bool {
        let among = |list: &Option<Vec<String>>, item: &str| list.as_ref().is_none_or(|list| list.iter().any(|known| known == item));
        let restrictions = grant.policy.restrictions.clone().unwrap_or_default();
        !grant.has_expired(Timestamp::from_millis(START.as_millis() + now))
            && among(&grant.scope_constraint, scope)
            && among(&restrictions.allowed_methods, method)
            && among(&restrictions.allowed_endpoints, endpoint)
            && !grant.policy.requires_approval
    }

    proptest! {
        #[test]
        fn no_chain_of_delegations_allows_what_its_root_denies(links in prop::collection::vec(narrowing(), 1..6)) {
            let mut chain: Vec<Grant> = Vec::new();
            for (end, scopes, policy) in links {
                let mut grant = chain.last().map_or_else(root, child);
                grant.expires_at = end.map(|end| Timestamp::from_millis(START.as_millis() + end));
                grant.scope_constraint = scopes;
                grant.policy = policy;
                if chain.last().is_none_or(|parent| grant.is_within(parent)) {
                    chain.push(grant);
                }
            }
            let (root, last) = (&chain[0], &chain[chain.len() - 1]);
            for now in 0..4 {
                for scope in ["a", "b", "c"] {
                    for method in ["a", "b", "c"] {
                        for endpoint in ["a", "b", "c"] {
                            prop_assert!(!allows(last, now, scope, method, endpoint) || allows(root, now, scope, method, endpoint));
                        }
                    }
                }
            }
        }
    }
}

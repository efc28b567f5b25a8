//! What an agent may use of the grants that it holds.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Staged;
use crate::clock::Timestamp;

/// Stands for every provider, and for every scope or slug.
const ALL: &str = "*";
/// The entry with the slugs of managed secrets.
const SLUGS: &str = "managed_secret_slugs";

/// An allow-list: OAuth providers with the scopes that the agent may use there, and under `managed_secret_slugs` the managed secrets. `*` stands
/// for all. What is not listed is denied, so an empty one denies everything.
///
/// ```
/// use alter_server::model::AgentScopes;
///
/// let scopes = AgentScopes::from_iter([("github".to_owned(), vec!["repo".to_owned()])]);
/// assert!(scopes.allow_login("github", &["repo".to_owned()]));
/// assert!(!scopes.allow_login("github", &["repo".to_owned(), "user".to_owned()]));
/// assert!(!scopes.allow_secret("mail"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct AgentScopes(BTreeMap<String, Vec<String>>);

impl FromIterator<(String, Vec<String>)> for AgentScopes {
    fn from_iter<T: IntoIterator<Item = (String, Vec<String>)>>(entries: T) -> Self {
        Self(entries.into_iter().collect())
    }
}

impl AgentScopes {
    /// Everything.
    pub fn all() -> Self {
        Self::from_iter([(ALL.to_owned(), vec![ALL.to_owned()])])
    }

    /// The entries.
    pub fn entries(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.0.iter().map(|(name, list)| (name.as_str(), list.as_slice()))
    }

    /// Whether a login at a provider that has these scopes may be used: each of them must be allowed. A login whose scopes nobody knows needs its
    /// provider listed.
    pub fn allow_login(&self, provider: &str, scopes: &[String]) -> bool {
        let listed = self.0.contains_key(provider) || self.0.contains_key(ALL);
        listed && scopes.iter().all(|scope| self.covers(provider, scope))
    }

    /// Whether what a managed secret places may be used.
    pub fn allow_secret(&self, slug: &str) -> bool {
        self.covers(SLUGS, slug)
    }

    /// Whether everything that these allow, the others allow, too.
    pub fn is_within(&self, others: &Self) -> bool {
        self.0.iter().all(|(name, list)| others.lists(name) && list.iter().all(|entry| others.covers(name, entry)))
    }

    /// What either allows.
    #[must_use]
    pub fn union(&self, others: &Self) -> Self {
        let mut all = self.clone();
        for (name, list) in &others.0 {
            let known = all.0.entry(name.clone()).or_default();
            known.extend(list.iter().filter(|entry| !self.0.get(name).is_some_and(|own| own.contains(entry))).cloned());
        }
        all
    }

    /// What is in force at once, and what is announced, when these are replaced: whatever is new applies at once, and what is taken away only
    /// after the grace.
    pub fn replaced(&self, wanted: Self, now: Timestamp, grace: Duration) -> (Self, Option<Staged>) {
        if grace.is_zero() || self.is_within(&wanted) {
            return (wanted, None);
        }
        (self.union(&wanted), Some(Staged { scopes: wanted, applies_at: now.plus(grace) }))
    }

    fn lists(&self, name: &str) -> bool {
        self.0.contains_key(name) || self.0.contains_key(ALL)
    }

    fn covers(&self, name: &str, entry: &str) -> bool {
        let has = |list: &Vec<String>| list.iter().any(|known| known == entry || known == ALL);
        self.0.get(name).is_some_and(has) || self.0.get(ALL).is_some_and(has)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    fn scopes(entries: &[(&str, &[&str])]) -> AgentScopes {
        entries.iter().map(|(name, list)| ((*name).to_owned(), list.iter().map(|entry| (*entry).to_owned()).collect())).collect()
    }

    fn texts(list: &[&str]) -> Vec<String> {
        list.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn what_is_not_listed_is_denied() {
        let some = scopes(&[("github", &["repo", "user"]), ("google", &["*"]), ("managed_secret_slugs", &["mail"])]);
        assert!(some.allow_login("github", &texts(&["user"])) && some.allow_login("github", &[]));
        assert!(!some.allow_login("github", &texts(&["repo", "admin"])));
        assert!(some.allow_login("google", &texts(&["anything"])) && !some.allow_login("slack", &[]));
        assert!(some.allow_secret("mail") && !some.allow_secret("crm"));
        assert!(!AgentScopes::default().allow_login("github", &[]) && !AgentScopes::default().allow_secret("mail"));
        assert!(AgentScopes::all().allow_login("github", &texts(&["x"])) && AgentScopes::all().allow_secret("mail"));
    }

    #[test]
    fn widening_applies_at_once_and_narrowing_after_the_grace() {
        let (before, day) = (scopes(&[("github", &["repo"])]), Duration::from_secs(86_400));
        let wider = scopes(&[("github", &["repo", "user"])]);
        assert_eq!(before.replaced(wider.clone(), NOW, day), (wider.clone(), None));
        let other = scopes(&[("github", &["user"])]);
        let staged = Staged { scopes: other.clone(), applies_at: NOW.plus(day) };
        assert_eq!(before.replaced(other.clone(), NOW, day), (wider, Some(staged)));
        assert_eq!(before.replaced(other.clone(), NOW, Duration::ZERO), (other, None));
        assert_eq!(before.replaced(AgentScopes::default(), NOW, day).0, before);
    }

    fn any_scopes() -> impl Strategy<Value = AgentScopes> {
        let entry = prop::sample::select(vec!["a", "b", "*"]);
        let name = prop::sample::select(vec!["github", "slack", "managed_secret_slugs", "*"]);
        prop::collection::btree_map(name.prop_map(str::to_owned), prop::collection::vec(entry.prop_map(str::to_owned), 1..3), 0..4)
            .prop_map(AgentScopes)
    }

    /// Every use that there is among these names.
    fn uses(scopes: &AgentScopes) -> Vec<bool> {
        let logins =
            ["github", "slack"].iter().flat_map(|provider| [&[][..], &["a"], &["b"], &["a", "b"], &["c"]].map(|list| (provider, list)));
        let logins = logins.map(|(provider, list)| scopes.allow_login(provider, &texts(list)));
        logins.chain(["a", "b", "c"].map(|slug| scopes.allow_secret(slug))).collect()
    }

    fn implies(narrow: &AgentScopes, wide: &AgentScopes) -> bool {
        uses(narrow).iter().zip(uses(wide)).all(|(narrow, wide)| !narrow || wide)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_within_allows_no_more(left in any_scopes(), right in any_scopes()) {
            if left.is_within(&right) {
                prop_assert!(implies(&left, &right));
            }
            let both = left.union(&right);
            prop_assert!(left.is_within(&both) && right.is_within(&both));
        }

        #[test]
        fn nothing_is_lost_during_the_grace_and_nothing_is_kept_after_it(left in any_scopes(), right in any_scopes()) {
            let (in_force, staged) = left.replaced(right.clone(), NOW, Duration::from_secs(60));
            prop_assert!(implies(&left, &in_force) && implies(&right, &in_force));
            prop_assert_eq!(staged.map_or(in_force, |staged| staged.scopes), right);
        }
    }
}

//! What is to be done about a login, decided from what is on record. Pure: no clock, no store, no network.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::oauth::catalogue::Provider;
use crate::oauth::failure::{Failure, FailureKind};

/// How long before its end a token is refreshed, unless the provider's entry says otherwise.
pub const LEEWAY: Duration = Duration::from_secs(60);
/// How long a lease is held at most: more than an exchange and keeping its result take.
pub const LEASE: Duration = Duration::from_secs(30);
/// How many exchanges of one refresh token may stay without an answer.
pub const MOST_UNANSWERED: u32 = 2;

/// The cause on record when the answers of all exchanges that may be tried were lost.
pub const CAUSE_LOST: &str = "refresh_answers_lost";
/// The cause on record when the provider refuses a token that an exchange without an answer may have spent.
pub const CAUSE_SPENT: &str = "refresh_token_refused_after_lost_answer";
/// The cause on record when the provider refuses a token.
pub const CAUSE_REFUSED: &str = "refresh_token_refused";
/// The cause on record when a token has ended and nothing is there to get another.
pub const CAUSE_ENDED: &str = "access_token_expired_without_refresh_token";

/// What is on record about a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// One more with every change of its tokens.
    pub generation: u32,
    /// When its access token ends; `None` if nobody knows an end.
    pub access_expires_at: Option<Timestamp>,
    /// Whether it has a refresh token.
    pub refreshable: bool,
    /// Why it is dead, if it is.
    pub dead: Option<String>,
    /// The newest fencing number.
    pub fence: u32,
    /// When the lease ends by itself; `None` while nobody holds it.
    pub leased_until: Option<Timestamp>,
    /// Exchanges of this generation whose answer is not known: lost, or still to come.
    pub unanswered: u32,
}

impl Login {
    /// Whether its access token still works at `now`, as far as is known.
    pub fn is_unexpired(&self, now: Timestamp) -> bool {
        self.dead.is_none() && self.access_expires_at.is_none_or(|end| end > now)
    }

    fn is_leased(&self, now: Timestamp) -> bool {
        self.leased_until.is_some_and(|end| end > now)
    }
}

/// What the provider's entry says about refreshing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How long before its end a token is refreshed.
    pub leeway: Duration,
    /// Whether an exchange may spend the refresh token.
    pub spends: bool,
}

impl Policy {
    /// The policy for a provider. One that is not known to keep its refresh tokens is taken to rotate them.
    pub fn of(provider: &Provider) -> Self {
        let leeway = provider.refresh.leeway_s.map_or(LEEWAY, |seconds| Duration::from_secs(seconds.into()));
        Self { leeway, spends: provider.refresh.rotates != Some(false) }
    }
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The access token is good for the leeway at least.
    Use,
    /// The login is dead, or its only token has ended.
    Dead(String),
    /// Somebody is exchanging: look again.
    Wait,
    /// Take the lease under this number and exchange.
    Exchange {
        /// The fencing number.
        fence: u32,
        /// When the lease ends.
        until: Timestamp,
    },
    /// No answer came as often as may be tried: record it.
    GiveUp {
        /// The newest fencing number, whose holder is gone.
        fence: u32,
    },
}

/// Decides what is to be done about a login.
pub fn step(login: &Login, policy: &Policy, now: Timestamp) -> Step {
    if let Some(cause) = &login.dead {
        return Step::Dead(cause.clone());
    }
    let due = login.access_expires_at.is_some_and(|end| end <= now.plus(policy.leeway));
    if !due {
        return Step::Use;
    }
    if !login.refreshable {
        return if login.is_unexpired(now) { Step::Use } else { Step::Dead(CAUSE_ENDED.to_owned()) };
    }
    if login.is_leased(now) {
        return Step::Wait;
    }
    if policy.spends && login.unanswered >= MOST_UNANSWERED {
        return Step::GiveUp { fence: login.fence };
    }
    Step::Exchange { fence: login.fence.saturating_add(1), until: now.plus(LEASE) }
}

/// How an exchange without tokens ended, for the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The provider answered, or was not reached: the refresh token is as good as before.
    Answered {
        /// What happened.
        detail: String,
    },
    /// No answer came.
    Lost {
        /// What happened.
        detail: String,
    },
    /// The login is dead.
    Dead {
        /// One of the causes of this module.
        cause: &'static str,
        /// What happened.
        detail: String,
    },
}

/// Judges a failed exchange. `unanswered` is how many exchanges of the same token had stayed without an answer before this one.
pub fn ending(failure: &Failure, unanswered: u32, policy: &Policy) -> Ending {
    let detail = failure.detail.clone();
    match failure.kind {
        FailureKind::Dead if unanswered > 0 => Ending::Dead { cause: CAUSE_SPENT, detail },
        FailureKind::Dead => Ending::Dead { cause: CAUSE_REFUSED, detail },
        FailureKind::Lost if !policy.spends => Ending::Answered { detail },
        FailureKind::Lost if unanswered + 1 >= MOST_UNANSWERED => Ending::Dead { cause: CAUSE_LOST, detail },
        FailureKind::Lost => Ending::Lost { detail },
        FailureKind::Transient | FailureKind::Misconfigured | FailureKind::Unclear => Ending::Answered { detail },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
    const SPENDING: Policy = Policy { leeway: LEEWAY, spends: true };

    fn login(life_s: i64) -> Login {
        Login {
            generation: 3,
            access_expires_at: Some(Timestamp::from_millis(NOW.as_millis() + life_s * 1000)),
            refreshable: true,
            dead: None,
            fence: 7,
            leased_until: None,
            unanswered: 0,
        }
    }

    #[test]
    fn a_token_is_used_until_the_leeway_begins() {
        assert_eq!(step(&login(61), &SPENDING, NOW), Step::Use);
        assert_eq!(step(&Login { access_expires_at: None, ..login(0) }, &SPENDING, NOW), Step::Use);
        let exchange = Step::Exchange { fence: 8, until: NOW.plus(LEASE) };
        assert_eq!(step(&login(60), &SPENDING, NOW), exchange);
        assert_eq!(step(&login(-1000), &SPENDING, NOW), exchange);
        assert_eq!(step(&login(60), &Policy { leeway: Duration::from_secs(5), ..SPENDING }, NOW), Step::Use);
    }

    #[test]
    fn what_cannot_be_refreshed_is_used_to_its_end_and_not_beyond() {
        let single = |life| Login { refreshable: false, ..login(life) };
        assert_eq!(step(&single(1), &SPENDING, NOW), Step::Use);
        assert_eq!(step(&single(0), &SPENDING, NOW), Step::Dead(CAUSE_ENDED.into()));
    }

    #[test]
    fn a_lease_is_respected_while_it_lasts() {
        let leased = |seconds| Login { leased_until: Some(NOW.plus(Duration::from_secs(seconds))), unanswered: 1, ..login(0) };
        assert_eq!(step(&leased(1), &SPENDING, NOW), Step::Wait);
        assert_eq!(step(&leased(0), &SPENDING, NOW), Step::Exchange { fence: 8, until: NOW.plus(LEASE) });
    }

    #[test]
    fn two_exchanges_without_an_answer_are_the_end_where_they_may_have_spent_the_token() {
        let silent = Login { unanswered: 2, ..login(0) };
        assert_eq!(step(&silent, &SPENDING, NOW), Step::GiveUp { fence: 7 });
        assert!(matches!(step(&silent, &Policy { spends: false, ..SPENDING }, NOW), Step::Exchange { .. }));
        assert_eq!(step(&Login { dead: Some("x".into()), ..silent }, &SPENDING, NOW), Step::Dead("x".into()));
    }

    #[test]
    fn failures_end_as_the_rules_say() {
        let judged = |kind, unanswered, spends| ending(&Failure::new(kind, "d"), unanswered, &Policy { spends, ..SPENDING });
        let (answered, lost) = (Ending::Answered { detail: "d".into() }, Ending::Lost { detail: "d".into() });
        let dead = |cause| Ending::Dead { cause, detail: "d".into() };
        for kind in [FailureKind::Transient, FailureKind::Misconfigured, FailureKind::Unclear] {
            assert_eq!((judged(kind, 0, true), judged(kind, 1, true)), (answered.clone(), answered.clone()));
        }
        assert_eq!((judged(FailureKind::Lost, 0, true), judged(FailureKind::Lost, 1, true)), (lost, dead(CAUSE_LOST)));
        assert_eq!((judged(FailureKind::Lost, 0, false), judged(FailureKind::Lost, 9, false)), (answered.clone(), answered));
        assert_eq!((judged(FailureKind::Dead, 0, true), judged(FailureKind::Dead, 1, true)), (dead(CAUSE_REFUSED), dead(CAUSE_SPENT)));
    }

    #[test]
    fn a_provider_that_says_nothing_is_taken_to_rotate() {
        let policy = |id: &str| Policy::of(&crate::oauth::tests::provider_of(id));
        assert_eq!((policy("google").spends, policy("gitlab").spends, policy("spotify").spends), (false, true, true));
        assert_eq!(policy("google").leeway, LEEWAY);
    }

    fn logins() -> impl Strategy<Value = Login> {
        let dead = proptest::option::weighted(0.2, Just("dead".to_owned()));
        let life = proptest::option::of(-100_000i64..100_000);
        let lease = proptest::option::of(-50_000i64..50_000);
        (1u32..9, life, any::<bool>(), dead, 0u32..9, lease, 0u32..4).prop_map(
            |(generation, life, refreshable, dead, fence, lease, unanswered)| Login {
                generation,
                access_expires_at: life.map(|ms| Timestamp::from_millis(NOW.as_millis() + ms)),
                refreshable,
                dead,
                fence,
                leased_until: lease.map(|ms| Timestamp::from_millis(NOW.as_millis() + ms)),
                unanswered,
            },
        )
    }

    proptest! {
        #[test]
        fn the_rules_hold_for_every_login(login in logins(), spends: bool) {
            let policy = Policy { spends, ..SPENDING };
            match step(&login, &policy, NOW) {
                Step::Use => prop_assert!(login.is_unexpired(NOW), "an expired token is never used"),
                Step::Dead(_) => prop_assert!(login.dead.is_some() || !login.refreshable),
                Step::Wait => prop_assert!(login.leased_until.is_some_and(|end| end > NOW)),
                Step::Exchange { fence, until } => {
                    prop_assert!(login.refreshable && login.dead.is_none() && fence == login.fence + 1 && until > NOW);
                    prop_assert!(login.leased_until.is_none_or(|end| end <= NOW), "nobody else may be at it");
                    prop_assert!(!spends || login.unanswered < MOST_UNANSWERED, "at most one retry");
                }
                Step::GiveUp { fence } => prop_assert!(spends && login.unanswered >= MOST_UNANSWERED && fence == login.fence),
            }
        }
    }
}

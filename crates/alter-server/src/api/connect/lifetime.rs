//! How long an access lasts: what a person may choose, within what the application set.

use crate::api::web::words;
use crate::clock::Timestamp;
use std::time::Duration;

use super::session::Session;

const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;
/// What is offered unless the application set a limit.
const USUAL: [u64; 5] = [HOUR, DAY, 7 * DAY, 30 * DAY, 90 * DAY];
/// What is chosen unless the application says otherwise.
const MODEST: u64 = 30 * DAY;

/// One choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// How long, in seconds.
    pub seconds: u64,
    /// How long, in words.
    pub span: String,
    /// Until when, in words.
    pub until: String,
    /// Whether it is chosen until the person chooses another.
    pub chosen: bool,
    /// Whether the longest of them gets shorter by itself.
    pub shrinks: bool,
}

/// What the person may choose; nothing if the choice is not theirs.
pub fn offers(session: &Session, now: Timestamp) -> Vec<Offer> {
    if !session.person_chooses {
        return Vec::new();
    }
    let longest = longest(session, now);
    let within = |seconds: &u64| *seconds > 0 && longest.is_none_or(|longest| *seconds <= longest);
    let default = session.policy.default_ttl_seconds.filter(|seconds| within(seconds));
    let mut spans: Vec<u64> =
        USUAL.into_iter().chain(default).chain(longest.filter(|longest| *longest < USUAL[4])).filter(within).collect();
    spans.sort_unstable();
    spans.dedup();
    let chosen = default.or_else(|| spans.iter().copied().filter(|seconds| *seconds <= MODEST).max()).or_else(|| spans.first().copied());
    let offer = |seconds: u64| Offer {
        seconds,
        span: words::span(seconds),
        until: words::moment(now.plus(Duration::from_secs(seconds))),
        chosen: Some(seconds) == chosen,
        shrinks: session.ends_at.is_some(),
    };
    spans.into_iter().map(offer).collect()
}

/// As [`offers`], with what the person has chosen before, if it is still offered.
pub fn offers_again(session: &Session, now: Timestamp, before: Option<u64>) -> Vec<Offer> {
    let mut offers = offers(session, now);
    if offers.iter().any(|offer| Some(offer.seconds) == before) {
        offers.iter_mut().for_each(|offer| offer.chosen = Some(offer.seconds) == before);
    }
    offers
}

/// The longest that the application allows, in seconds from now.
fn longest(session: &Session, now: Timestamp) -> Option<u64> {
    let left = session.ends_at.map(|end| u64::try_from((end.as_millis() - now.as_millis()) / 1000).unwrap_or(0));
    [session.policy.max_ttl_seconds, left].into_iter().flatten().min()
}

/// When a grant ends that is made now. `chosen` is what the person chose, in seconds.
pub fn end(session: &Session, chosen: Option<u64>, now: Timestamp) -> Option<Timestamp> {
    let after = |seconds: u64| now.plus(Duration::from_secs(seconds));
    let wanted = chosen.or(session.policy.default_ttl_seconds).map(after);
    [wanted, session.policy.max_ttl_seconds.map(after), session.ends_at].into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::connect::session::tests::session;

    const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    fn offered(change: impl FnOnce(&mut Session)) -> (Vec<u64>, Option<u64>) {
        let mut session = session();
        change(&mut session);
        let offers = offers(&session, NOW);
        let chosen: Vec<u64> = offers.iter().filter(|offer| offer.chosen).map(|offer| offer.seconds).collect();
        assert!(chosen.len() == usize::from(!offers.is_empty()), "{offers:?}");
        (offers.iter().map(|offer| offer.seconds).collect(), chosen.first().copied())
    }

    #[test]
    fn the_policy_limits_what_is_offered() {
        assert_eq!(offered(|_| ()), (USUAL.to_vec(), Some(30 * DAY)));
        assert_eq!(offered(|session| session.policy.max_ttl_seconds = Some(7 * DAY)), (vec![HOUR, DAY, 7 * DAY], Some(7 * DAY)));
        assert_eq!(offered(|session| session.policy.max_ttl_seconds = Some(2 * HOUR)), (vec![HOUR, 2 * HOUR], Some(2 * HOUR)));
        assert_eq!(offered(|session| session.policy.max_ttl_seconds = Some(60)), (vec![60], Some(60)));
        let year = |session: &mut Session| session.policy.max_ttl_seconds = Some(365 * DAY);
        assert_eq!(offered(year), (USUAL.to_vec(), Some(30 * DAY)));
        let defaults = |session: &mut Session| session.policy.default_ttl_seconds = Some(12 * HOUR);
        assert_eq!(offered(defaults), (vec![HOUR, 12 * HOUR, DAY, 7 * DAY, 30 * DAY, 90 * DAY], Some(12 * HOUR)));
        let soon = |session: &mut Session| session.ends_at = Some(NOW.plus(Duration::from_secs(DAY)));
        assert_eq!(offered(soon), (vec![HOUR, DAY], Some(DAY)));
        assert_eq!(offered(|session| session.person_chooses = false), (vec![], None));
    }

    #[test]
    fn nothing_lasts_longer_than_the_policy_says() {
        let mut session = session();
        assert_eq!(end(&session, None, NOW), None);
        assert_eq!(end(&session, Some(HOUR), NOW), Some(NOW.plus(Duration::from_secs(HOUR))));
        session.policy.max_ttl_seconds = Some(60);
        assert_eq!(end(&session, Some(HOUR), NOW), Some(NOW.plus(Duration::from_secs(60))));
        assert_eq!(end(&session, None, NOW), Some(NOW.plus(Duration::from_secs(60))));
        session.ends_at = Some(NOW.plus(Duration::from_secs(30)));
        assert_eq!(end(&session, None, NOW), session.ends_at);
    }
}

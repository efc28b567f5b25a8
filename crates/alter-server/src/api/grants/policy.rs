//! `grant_policy` of a request.

use time::format_description::well_known::Iso8601;

use crate::api::members::Members;
use crate::api::refusal::Refusal;
use crate::clock::Timestamp;
use crate::model::{GrantPolicy, Restrictions};

/// What a request asks for: when the grant ends, and what narrows it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct WantedPolicy {
    /// When it ends, if the request says so.
    pub expires_at: Option<Timestamp>,
    /// What narrows it.
    pub policy: GrantPolicy,
}

/// Which members a route knows besides `expires_at` and `max_ttl_seconds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// `restrictions` and `requires_approval`, but no `default_ttl_seconds`.
    Mint,
    /// `default_ttl_seconds`.
    Assign,
}

impl WantedPolicy {
    /// Reads the member `grant_policy`.
    ///
    /// # Errors
    /// 422 `invalid_grant_policy` for a member that the route does not know or a value that it cannot take.
    pub fn take(members: &mut Members, route: Route, now: Timestamp) -> Result<Self, Refusal> {
        let Some(mut given) = members.object("grant_policy").map_err(|refusal| unprocessable(&refusal))? else {
            return Ok(Self::default());
        };
        Self::read(&mut given, route, now)
            .and_then(|wanted| given.nothing_else().map(|()| wanted))
            .map_err(|refusal| unprocessable(&refusal))
    }

    fn read(given: &mut Members, route: Route, now: Timestamp) -> Result<Self, Refusal> {
        let expires_at = match given.text("expires_at")? {
            None => None,
            Some(text) => Some(moment(&text).ok_or_else(|| given.invalid("expires_at", "must be an ISO 8601 time with a zone"))?),
        };
        if expires_at.is_some_and(|end| end <= now) {
            return Err(given.invalid("expires_at", "has passed"));
        }
        let mut policy = GrantPolicy { max_ttl_seconds: positive(given, "max_ttl_seconds")?, ..GrantPolicy::default() };
        match route {
            Route::Assign => policy.default_ttl_seconds = positive(given, "default_ttl_seconds")?,
            Route::Mint => {
                policy.requires_approval = given.boolean("requires_approval")?.unwrap_or_default();
                policy.restrictions = restrictions(given)?;
            }
        }
        Ok(Self { expires_at, policy })
    }

    /// When a grant made at `now` ends: the earliest of what was asked for, the longest life, and the bound of the source; without any of
    /// these, the usual life.
    pub fn end(&self, now: Timestamp, bound: Option<Timestamp>) -> Option<Timestamp> {
        let after = |seconds: u64| now.plus(std::time::Duration::from_secs(seconds));
        let asked = self.expires_at.or(self.policy.default_ttl_seconds.map(after));
        [asked, self.policy.max_ttl_seconds.map(after), bound].into_iter().flatten().min()
    }
}

fn positive(given: &mut Members, name: &str) -> Result<Option<u64>, Refusal> {
    match given.whole_number(name)? {
        Some(0) => Err(given.invalid(name, "must be more than 0")),
        number => Ok(number),
    }
}

/// Takes `restrictions`.
///
/// # Errors
/// 400 `invalid_request` for a member that it does not know.
pub fn restrictions(given: &mut Members) -> Result<Option<Restrictions>, Refusal> {
    let Some(mut members) = given.object("restrictions")? else { return Ok(None) };
    let methods = members.texts("allowed_methods")?;
    let allowed_methods = methods.map(|methods| methods.into_iter().map(|method| method.to_ascii_uppercase()).collect());
    let allowed_endpoints = members.texts("allowed_endpoints")?;
    members.nothing_else()?;
    Ok(Some(Restrictions { allowed_methods, allowed_endpoints }))
}

/// An ISO 8601 time; a date alone means its first moment, and a time without a zone is UTC.
pub fn moment(text: &str) -> Option<Timestamp> {
    use time::{Date, OffsetDateTime, PrimitiveDateTime};
    let parsed = OffsetDateTime::parse(text, &Iso8601::DEFAULT)
        .or_else(|_| PrimitiveDateTime::parse(text, &Iso8601::DEFAULT).map(PrimitiveDateTime::assume_utc))
        .or_else(|_| Date::parse(text, &Iso8601::DEFAULT).map(|date| date.midnight().assume_utc()))
        .ok()?;
    i64::try_from(parsed.unix_timestamp_nanos() / 1_000_000).ok().map(Timestamp::from_millis)
}

fn unprocessable(refusal: &Refusal) -> Refusal {
    Refusal::unprocessable("invalid_grant_policy", refusal.reason().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    fn read(json: &str, route: Route) -> Result<WantedPolicy, String> {
        let mut members = Members::of(format!(r#"{{"grant_policy":{json}}}"#).as_bytes()).expect("an object");
        WantedPolicy::take(&mut members, route, NOW).map_err(|refusal| {
            assert_eq!((refusal.status().as_u16(), refusal.code()), (422, "invalid_grant_policy"));
            refusal.message().to_owned()
        })
    }

    #[test]
    fn each_route_knows_its_own_members() {
        let minted = read(r#"{"restrictions":{"allowed_methods":["get"]},"requires_approval":true,"max_ttl_seconds":60}"#, Route::Mint);
        let restrictions = Some(Restrictions { allowed_methods: Some(vec!["GET".into()]), allowed_endpoints: None });
        let policy = GrantPolicy { max_ttl_seconds: Some(60), default_ttl_seconds: None, restrictions, requires_approval: true };
        assert_eq!(minted, Ok(WantedPolicy { expires_at: None, policy }));
        assert_eq!(read("null", Route::Mint), Ok(WantedPolicy::default()));
        assert_eq!(read("{}", Route::Assign), Ok(WantedPolicy::default()));
        for (json, route) in [
            (r#"{"default_ttl_seconds":60}"#, Route::Mint),
            (r#"{"requires_approval":true}"#, Route::Assign),
            (r#"{"max_ttl_seconds":0}"#, Route::Assign),
            (r#"{"max_ttl_seconds":1.5}"#, Route::Assign),
            (r#"{"expires_at":"tomorrow"}"#, Route::Assign),
            (r#"{"expires_at":"2001-01-01"}"#, Route::Assign),
            (r#"{"restrictions":{"hosts":[]}}"#, Route::Mint),
            (r#"[]"#, Route::Mint),
        ] {
            assert!(read(json, route).is_err(), "{json}");
        }
    }

    #[test]
    fn times_are_read_with_and_without_a_zone() {
        for (text, millis) in [
            ("2030-01-01T00:00:00Z", 1_893_456_000_000),
            ("2030-01-01T01:00:00+01:00", 1_893_456_000_000),
            ("2030-01-01T00:00:00.250", 1_893_456_000_250),
            ("2030-01-01", 1_893_456_000_000),
        ] {
            assert_eq!(moment(text), Some(Timestamp::from_millis(millis)), "{text}");
        }
        assert_eq!(moment("soon"), None);
    }

    #[test]
    fn the_earliest_end_counts() {
        let at = |seconds: u64| NOW.plus(std::time::Duration::from_secs(seconds));
        let policy = |max, default| GrantPolicy { max_ttl_seconds: max, default_ttl_seconds: default, ..GrantPolicy::default() };
        let end = |expires_at, policy, bound| WantedPolicy { expires_at, policy }.end(NOW, bound);
        assert_eq!(end(None, policy(None, None), None), None);
        assert_eq!(end(None, policy(None, None), Some(at(5))), Some(at(5)));
        assert_eq!(end(None, policy(Some(60), Some(30)), None), Some(at(30)));
        assert_eq!(end(Some(at(90)), policy(Some(60), Some(30)), None), Some(at(60)));
        assert_eq!(end(Some(at(10)), policy(Some(60), Some(30)), None), Some(at(10)));
    }
}

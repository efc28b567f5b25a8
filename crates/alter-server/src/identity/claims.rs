//! The inside of a token: who it is about, whom it is for, and when (RFC 7519, OpenID Connect Core, RFC 8725).

use std::time::Duration;

use serde_json::{Map, Value};

use super::fault::{TokenFault, TokenRefused, quoted};
use crate::clock::Timestamp;

/// How far the clocks of issuer and vault may differ.
pub const LEEWAY: Duration = Duration::from_secs(60);
/// Longest `sub`, in characters (OpenID Connect Core §2).
const LONGEST_SUBJECT: usize = 255;
/// Most groups that are kept of a token.
const MOST_GROUPS: usize = 1000;

/// Which tokens an app accepts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// The issuer, exactly as its tokens name it.
    pub issuer: String,
    /// The audiences of which a token must name one.
    pub audiences: Vec<String>,
    /// The claim that lists a person's groups: its name, or a path such as `realm_access.roles`.
    pub groups_claim: Option<String>,
}

/// An e-mail address as the issuer gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    /// The address.
    pub address: String,
    /// Whether the issuer says that it has verified it. Only then may the address stand for the person.
    pub verified: bool,
}

/// What a verified token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The issuer.
    pub issuer: String,
    /// The person, unique within the issuer.
    pub subject: String,
    /// The person's groups; `None` where the token does not say (which is not the same as none).
    pub groups: Option<Vec<String>>,
    /// The person's address.
    pub email: Option<Email>,
    /// The name to show.
    pub name: Option<String>,
    /// When the person last proved who they are; `None` where the token does not say.
    pub auth_time: Option<Timestamp>,
    /// When the token ends.
    pub expires_at: Timestamp,
    /// What ties an ID token to the sign-in that asked for it.
    pub nonce: Option<String>,
}

impl Trust {
    /// Judges the claims of a token whose signature has been verified.
    ///
    /// # Errors
    /// [`TokenFault::WrongIssuer`], [`TokenFault::WrongAudience`], [`TokenFault::Expired`], [`TokenFault::NotYetValid`], or
    /// [`TokenFault::Malformed`] for a claim of the wrong type.
    pub fn judge(&self, claims: &Map<String, Value>, now: Timestamp) -> Result<Verified, TokenRefused> {
        self.judge_issuer(claims.get("iss").and_then(Value::as_str))?;
        self.judge_audience(claims)?;
        let expires_at = judge_times(claims, now)?;
        Ok(Verified {
            issuer: self.issuer.clone(),
            subject: subject(claims)?,
            groups: self.groups_claim.as_deref().and_then(|claim| groups(claims, claim)),
            email: email(claims),
            name: claims.get("name").and_then(Value::as_str).map(str::to_owned),
            auth_time: time(claims, "auth_time")?,
            expires_at,
            nonce: claims.get("nonce").and_then(Value::as_str).map(str::to_owned),
        })
    }

    /// # Errors
    /// [`TokenFault::WrongIssuer`].
    pub(super) fn judge_issuer(&self, found: Option<&str>) -> Result<(), TokenRefused> {
        if found == Some(self.issuer.as_str()) {
            return Ok(());
        }
        let found = found.map_or_else(|| "no issuer".to_owned(), quoted);
        Err(TokenRefused::new(TokenFault::WrongIssuer, format!("the token names {found}, the app's issuer is {}", quoted(&self.issuer))))
    }

    fn judge_audience(&self, claims: &Map<String, Value>) -> Result<(), TokenRefused> {
        let malformed = || TokenRefused::malformed("its aud is neither text nor a list of texts");
        let named: Vec<&str> = match claims.get("aud") {
            None => Vec::new(),
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(list)) => list.iter().map(|one| one.as_str().ok_or_else(malformed)).collect::<Result<_, _>>()?,
            Some(_) => return Err(malformed()),
        };
        let ours = |audience: &str| self.audiences.iter().any(|accepted| accepted == audience);
        let wrong = |detail: String| Err(TokenRefused::new(TokenFault::WrongAudience, detail));
        if !named.iter().any(|audience| ours(audience)) {
            let named: Vec<String> = named.iter().take(10).map(|audience| quoted(audience)).collect();
            return wrong(format!("the token is for {}, and the app accepts none of these", list_or(&named, "nobody")));
        }
        // A token for several is one that others hold, too: it must have been issued to a client of ours.
        match claims.get("azp") {
            Some(Value::String(party)) if named.len() > 1 && !ours(party) => {
                wrong(format!("the token is for several audiences and was issued to {}, which is none of the app's", quoted(party)))
            }
            None | Some(Value::String(_)) => Ok(()),
            Some(_) => Err(TokenRefused::malformed("its azp is not text")),
        }
    }
}

fn list_or(items: &[String], none: &str) -> String {
    if items.is_empty() { none.to_owned() } else { items.join(", ") }
}

/// Gives the end of the token's life.
fn judge_times(claims: &Map<String, Value>, now: Timestamp) -> Result<Timestamp, TokenRefused> {
    let expires_at = time(claims, "exp")?.ok_or_else(|| TokenRefused::malformed("it has no exp"))?;
    let (begins_at, issued_at) = (time(claims, "nbf")?, time(claims, "iat")?);
    if expires_at.plus(LEEWAY) <= now {
        return Err(TokenRefused::new(TokenFault::Expired, format!("the token expired at {expires_at}")));
    }
    for (claim, at) in [("nbf", begins_at), ("iat", issued_at)] {
        if let Some(at) = at.filter(|at| at.minus(LEEWAY) > now) {
            return Err(TokenRefused::new(TokenFault::NotYetValid, format!("the token's {claim} is {at}, which is in the future")));
        }
    }
    if issued_at.is_some_and(|issued| issued > expires_at) {
        return Err(TokenRefused::malformed("it ends before it was issued"));
    }
    Ok(expires_at)
}

/// A `NumericDate`: seconds, a fraction is allowed.
fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, TokenRefused> {
    // The year 9999 and the age of Unix: far beyond any token, and exact in a float.
    const SECONDS: std::ops::Range<f64> = 0.0..253_402_300_800.0;
    match claims.get(name) {
        None => Ok(None),
        Some(Value::Number(number)) => {
            let seconds = number.as_f64().filter(|seconds| SECONDS.contains(seconds));
            let seconds = seconds.ok_or_else(|| TokenRefused::malformed(format!("its {name} is not a time")))?;
            #[allow(clippy::cast_possible_truncation, reason = "the range was checked, and a fraction of a millisecond does not matter")]
            let millis = (seconds * 1000.0) as i64;
            Ok(Some(Timestamp::from_millis(millis)))
        }
        Some(_) => Err(TokenRefused::malformed(format!("its {name} is not a number"))),
    }
}

fn subject(claims: &Map<String, Value>) -> Result<String, TokenRefused> {
    let subject = claims.get("sub").and_then(Value::as_str).filter(|subject| !subject.trim().is_empty());
    let subject = subject.ok_or_else(|| TokenRefused::malformed("it has no sub"))?;
    if subject.chars().count() > LONGEST_SUBJECT || subject.chars().any(char::is_control) {
        return Err(TokenRefused::malformed(format!("its sub is not plain text of at most {LONGEST_SUBJECT} characters")));
    }
    Ok(subject.to_owned())
}

/// The groups of a claim: a list of texts, or one text. Anything else says nothing, so that nobody becomes a member by a malformed claim.
fn groups(claims: &Map<String, Value>, claim: &str) -> Option<Vec<String>> {
    // A name with dots in it (`https://example.com/groups`) is tried first as it is.
    let value = claims.get(claim).or_else(|| {
        let mut steps = claim.split('.');
        let first = claims.get(steps.next()?)?;
        steps.try_fold(first, |value, step| value.get(step))
    })?;
    match value {
        Value::String(one) => Some(vec![one.clone()]),
        Value::Array(list) if list.len() <= MOST_GROUPS => list.iter().map(|group| group.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

fn email(claims: &Map<String, Value>) -> Option<Email> {
    let address = claims.get("email").and_then(Value::as_str).filter(|address| !address.is_empty())?.to_owned();
    // Some issuers write the boolean as text.
    let verified = claims.get("email_verified").is_some_and(|word| *word == true || word == "true");
    Some(Email { address, verified })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const NOW: i64 = 1_767_225_600;

    fn trust() -> Trust {
        Trust {
            issuer: "https://id.example.com/".into(),
            audiences: vec!["web".into(), "https://api.example.com".into()],
            groups_claim: Some("groups".into()),
        }
    }

    fn judge_as(trust: &Trust, change: &Value) -> Result<Verified, TokenFault> {
        let mut claims = json!({"iss": "https://id.example.com/", "sub": "u-1", "aud": "web", "exp": NOW + 300, "iat": NOW});
        let members = claims.as_object_mut().expect("an object");
        for (name, value) in change.as_object().expect("an object") {
            if value.is_null() {
                members.remove(name)
            } else {
                members.insert(name.clone(), value.clone())
            };
        }
        trust.judge(members, Timestamp::from_millis(NOW * 1000)).map_err(|refused| refused.fault)
    }

    fn judge(change: &Value) -> Result<Verified, TokenFault> {
        judge_as(&trust(), change)
    }

    #[test]
    fn each_broken_rule_has_its_own_fault() {
        for (change, fault) in [
            (json!({"iss": "https://id.example.com"}), TokenFault::WrongIssuer),
            (json!({"iss": null}), TokenFault::WrongIssuer),
            (json!({"iss": ["https://id.example.com/"]}), TokenFault::WrongIssuer),
            (json!({"aud": "other"}), TokenFault::WrongAudience),
            (json!({"aud": null}), TokenFault::WrongAudience),
            (json!({"aud": []}), TokenFault::WrongAudience),
            (json!({"aud": ["web", "other"], "azp": "other"}), TokenFault::WrongAudience),
            (json!({"aud": ["web", 5]}), TokenFault::Malformed),
            (json!({"aud": 5}), TokenFault::Malformed),
            (json!({"azp": 5}), TokenFault::Malformed),
            (json!({"exp": NOW - 60}), TokenFault::Expired),
            (json!({"exp": 0}), TokenFault::Expired),
            (json!({"exp": null}), TokenFault::Malformed),
            (json!({"exp": "2099-01-01"}), TokenFault::Malformed),
            (json!({"exp": -1}), TokenFault::Malformed),
            (json!({"exp": 1e300}), TokenFault::Malformed),
            (json!({"nbf": NOW + 61}), TokenFault::NotYetValid),
            (json!({"iat": NOW + 61, "exp": NOW + 500}), TokenFault::NotYetValid),
            (json!({"iat": NOW + 30, "exp": NOW + 20}), TokenFault::Malformed),
            (json!({"nbf": true}), TokenFault::Malformed),
            (json!({"sub": null}), TokenFault::Malformed),
            (json!({"sub": " "}), TokenFault::Malformed),
            (json!({"sub": 5}), TokenFault::Malformed),
            (json!({"sub": "a\nb"}), TokenFault::Malformed),
            (json!({"sub": "x".repeat(256)}), TokenFault::Malformed),
            (json!({"auth_time": "now"}), TokenFault::Malformed),
        ] {
            assert_eq!(judge(&change), Err(fault), "{change}");
        }
    }

    #[test]
    fn clocks_may_differ_by_a_minute() {
        for change in [
            json!({"exp": NOW - 59, "iat": NOW - 100}),
            json!({"nbf": NOW + 60}),
            json!({"iat": NOW + 60}),
            json!({"iat": null}),
            json!({"exp": 1_767_225_541.5, "iat": 5.25}),
        ] {
            assert!(judge(&change).is_ok(), "{change}");
        }
    }

    #[test]
    fn one_of_the_audiences_is_enough() {
        for change in [
            json!({"aud": ["web"], "azp": "other"}),
            json!({"aud": ["x", "https://api.example.com"], "azp": "web"}),
            json!({"aud": ["x", "web"]}),
        ] {
            assert!(judge(&change).is_ok(), "{change}");
        }
    }

    #[test]
    fn what_a_token_says_about_a_person_is_kept() {
        let person = json!({
            "groups": ["a", "b"], "email": "ada@example.com", "email_verified": "true", "name": "Ada", "auth_time": NOW - 5, "nonce": "n",
        });
        let verified = judge(&person).expect("valid");
        assert_eq!(verified.groups.as_deref(), Some(&["a".to_owned(), "b".to_owned()][..]));
        assert_eq!(verified.email, Some(Email { address: "ada@example.com".into(), verified: true }));
        assert_eq!((verified.name.as_deref(), verified.nonce.as_deref()), (Some("Ada"), Some("n")));
        assert_eq!(verified.auth_time, Some(Timestamp::from_millis((NOW - 5) * 1000)));
        assert!(!judge(&json!({"email": "a@b"})).expect("valid").email.expect("an address").verified);
        assert!(!judge(&json!({"email": "a@b", "email_verified": 1})).expect("valid").email.expect("an address").verified);
    }

    #[test]
    fn groups_are_read_from_the_named_claim_or_not_at_all() {
        let read = |claim: &str, change: Value| {
            let trust = Trust { groups_claim: Some(claim.into()), ..trust() };
            judge_as(&trust, &change).expect("valid").groups
        };
        assert_eq!(read("groups", json!({"groups": "one"})), Some(vec!["one".to_owned()]));
        assert_eq!(read("groups", json!({"groups": []})), Some(Vec::new()));
        assert_eq!(read("realm_access.roles", json!({"realm_access": {"roles": ["r"]}})), Some(vec!["r".to_owned()]));
        assert_eq!(read("https://x.example/groups", json!({"https://x.example/groups": ["g"]})), Some(vec!["g".to_owned()]));
        for absent in [json!({}), json!({"groups": [1]}), json!({"groups": {"a": 1}}), json!({"groups": vec!["g"; MOST_GROUPS + 1]})] {
            assert_eq!(read("groups", absent), None);
        }
        let nowhere = Trust { groups_claim: None, ..trust() };
        assert_eq!(judge_as(&nowhere, &json!({"groups": ["a"]})).expect("valid").groups, None);
    }

    proptest! {
        #[test]
        fn no_claims_make_it_panic(name in "(iss|aud|azp|exp|nbf|iat|sub|groups|email|auth_time)", value in prop_oneof![
            any::<f64>().prop_map(|number| json!(number)), any::<u64>().prop_map(|number| json!(number)),
            ".{0,20}".prop_map(|text| json!(text)), Just(json!([[]])), Just(json!({"a": {}})),
        ]) {
            let _ = judge(&json!({name: value}));
        }
    }
}

//! Whose login it is, and where its API is: what a provider tells besides tokens. None of it is secret.

use std::collections::BTreeMap;

use alter_core::url::ProviderUrl;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::catalogue::{Provider, Source};
use crate::api::AllowedHost;
use crate::clock::Timestamp;

/// Names under which providers tell whose account it is, best first, where the entry names none. They are also looked for one level down.
const USUAL_NAMES: [&str; 7] = ["email", "login", "username", "preferred_username", "sub", "id", "user_id"];
/// Where providers wrap what they tell.
const USUAL_WRAPS: [&str; 4] = ["data", "user", "resource", "viewer"];
/// Longest identifier and longest kept value, in characters.
const LONGEST: usize = 255;
/// How far clocks may differ, in seconds.
const CLOCK_LEEWAY_S: i64 = 300;

/// What one or several answers told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// The provider's name for the account.
    pub account: Option<String>,
    /// Where this customer's API is: `https://` and a host that the entry admits.
    pub base_url: Option<String>,
    /// What the entry keeps, by name.
    pub kept: BTreeMap<String, String>,
}

impl Told {
    /// What the entry looks up in an answer of this kind.
    pub(super) fn look(document: &Value, source: Source, provider: &Provider) -> Self {
        let lookup = provider.account.as_ref();
        let account = match source {
            Source::Token => lookup.and_then(|lookup| first(document, &lookup.identifier_in_token)),
            Source::Account => lookup.and_then(|lookup| first(document, &lookup.identifier)).or_else(|| usual_identifier(document)),
            Source::Redirect => None,
        };
        let base = provider.api.base_url_from.as_ref().filter(|place| place.source == source);
        let base_url = base.and_then(|place| document.pointer(&place.pointer)).and_then(Value::as_str);
        let kept = provider.keep.iter().filter(|kept| kept.source == source);
        Self {
            account,
            base_url: base_url.and_then(|url| admitted_base_url(url, &provider.api.hosts)),
            kept: kept.filter_map(|kept| Some((kept.name.clone(), plain(document.pointer(&kept.pointer)?)?))).collect(),
        }
    }

    /// What the entry keeps of the parameters with which a person came back.
    pub fn of_redirect(parameters: &[(String, String)], provider: &Provider) -> Self {
        let members: Map<String, Value> = parameters.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
        Self::look(&Value::Object(members), Source::Redirect, provider)
    }

    /// Both; what is there already stays.
    #[must_use]
    pub fn and(mut self, more: Self) -> Self {
        self.account = self.account.or(more.account);
        self.base_url = self.base_url.or(more.base_url);
        for (name, value) in more.kept {
            self.kept.entry(name).or_insert(value);
        }
        self
    }
}

fn first(document: &Value, pointers: &[String]) -> Option<String> {
    pointers.iter().find_map(|pointer| document.pointer(pointer).and_then(plain))
}

fn usual_identifier(document: &Value) -> Option<String> {
    let wraps = USUAL_WRAPS.iter().filter_map(|wrap| document.get(wrap));
    let mut places = std::iter::once(document).chain(wraps);
    places.find_map(|place| USUAL_NAMES.iter().find_map(|name| place.get(name).and_then(plain)))
}

/// A text or a whole number, if it is fit to be shown.
fn plain(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.trim().to_owned(),
        Value::Number(number) if number.is_i64() || number.is_u64() => number.to_string(),
        _ => return None,
    };
    let fits = !text.is_empty() && text.chars().count() <= LONGEST && !text.chars().any(char::is_control);
    fits.then_some(text)
}

/// A URL in the form that clients accept as `api_base_url` (`https://` and lower-case labels, at most 270 characters), if its host is one of the entry's: an
/// answer may choose among them and never lead elsewhere. Path and query are cut off.
pub fn admitted_base_url(url: &str, hosts: &[String]) -> Option<String> {
    let text = if url.contains("://") { url.to_owned() } else { format!("https://{url}") };
    let url = ProviderUrl::parse(&text).ok()?;
    let base = format!("https://{}", url.host());
    let labels = url.host().split('.').all(|label| !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
    let admitted = hosts.iter().filter_map(|host| AllowedHost::parse(host).ok()).any(|host| host.allows(&url));
    let secure = url.scheme() == alter_core::url::Scheme::Https && url.port() == 443;
    (secure && admitted && labels && base.len() <= 270).then_some(base)
}

/// What an ID token must say.
#[derive(Clone, Copy, Debug)]
pub struct Expected<'a> {
    /// The client's name.
    pub client_id: &'a str,
    /// The nonce of the authorization request.
    pub nonce: Option<&'a str>,
    /// The time.
    pub now: Timestamp,
}

/// Reads an ID token that came straight from the token endpoint, whose TLS vouches for it (OpenID Connect Core, 3.1.3.7): the signature is not looked at, everything
/// else is. It names the account; nobody is signed in by it.
///
/// # Errors
/// Which claim is missing or wrong, as a clause. None of the token's text.
pub(super) fn read_id_token(token: &str, provider: &Provider, expected: &Expected<'_>) -> Result<Told, &'static str> {
    let claims = token.split('.').nth(1).and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let claims: Value = claims.and_then(|bytes| serde_json::from_slice(&bytes).ok()).ok_or("is not a JSON web token")?;
    let claim = |name: &str| claims.get(name).and_then(Value::as_str);
    if let Some(pattern) = &provider.issuer
        && !claim("iss").is_some_and(|issuer| is_issuer(pattern, issuer))
    {
        return Err("is from another issuer");
    }
    let for_us = match claims.get("aud") {
        Some(Value::Array(list)) => list.iter().any(|audience| audience == expected.client_id),
        other => other.and_then(Value::as_str) == Some(expected.client_id),
    };
    if !for_us {
        return Err("is for another client");
    }
    if claims.get("exp").and_then(Value::as_i64).is_none_or(|end| end + CLOCK_LEEWAY_S < expected.now.as_secs()) {
        return Err("has expired");
    }
    if let Some(nonce) = expected.nonce
        && claim("nonce") != Some(nonce)
    {
        return Err("answers another request");
    }
    let account = ["email", "preferred_username", "sub"].iter().find_map(|name| claims.get(name).and_then(plain));
    Ok(Told { account, ..Told::default() })
}

/// Whether an issuer is the one of the entry, in which a part in braces stands for any one path segment.
pub fn is_issuer(pattern: &str, issuer: &str) -> bool {
    let (mut expected, mut found) = (pattern.split('/'), issuer.split('/'));
    loop {
        match (expected.next(), found.next()) {
            (None, None) => return true,
            (Some(part), Some(segment)) if part.starts_with('{') && part.ends_with('}') && !segment.is_empty() => {}
            (Some(part), Some(segment)) if part == segment => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::oauth::tests::provider_of;

    #[test]
    fn the_account_is_where_the_entry_says_or_where_it_usually_is() {
        let account = |id: &str, source: Source, document: Value| Told::look(&document, source, &provider_of(id)).account;
        assert_eq!(account("asana", Source::Token, json!({ "data": { "email": "a@b.example" } })).as_deref(), Some("a@b.example"));
        assert_eq!(account("linear", Source::Account, json!({ "data": { "viewer": { "id": "u1" } } })).as_deref(), Some("u1"));
        assert_eq!(account("github", Source::Account, json!({ "login": "octo", "id": 1 })).as_deref(), Some("octo"));
        assert_eq!(account("box", Source::Account, json!({ "id": 17 })).as_deref(), Some("17"));
        assert_eq!(account("clickup", Source::Account, json!({ "user": { "username": "ann" } })).as_deref(), Some("ann"));
        assert_eq!(account("github", Source::Account, json!({ "login": ["octo"], "id": null })), None);
        assert_eq!(account("github", Source::Account, json!({ "login": "a\u{1b}[31m" })), None);
    }

    #[test]
    fn an_answer_chooses_among_the_entrys_hosts_and_never_leads_elsewhere() {
        let base = |url: &str| Told::look(&json!({ "instance_url": url }), Source::Token, &provider_of("salesforce")).base_url;
        assert_eq!(base("https://acme.my.salesforce.com").as_deref(), Some("https://acme.my.salesforce.com"));
        assert_eq!(base("https://ACME.my.salesforce.com/services?x=1").as_deref(), Some("https://acme.my.salesforce.com"));
        for elsewhere in [
            "https://evil.example",
            "https://salesforce.com.evil.example",
            "http://127.0.0.1",
            "https://a.salesforce.com:8443",
            "https://u@a.salesforce.com",
            "",
        ] {
            assert_eq!(base(elsewhere), None, "{elsewhere}");
        }
    }

    #[test]
    fn what_the_entry_keeps_is_kept_from_the_right_answer() {
        let back = [("code".to_owned(), "c".to_owned()), ("realmId".to_owned(), "4620".to_owned())];
        assert_eq!(Told::of_redirect(&back, &provider_of("quickbooks")).kept, BTreeMap::from([("realmId".into(), "4620".into())]));
        assert!(Told::look(&json!({ "realmId": "1" }), Source::Token, &provider_of("quickbooks")).kept.is_empty());
        let stripe = Told::look(&json!({ "stripe_user_id": "acct_1" }), Source::Token, &provider_of("stripe"));
        assert_eq!((stripe.account.as_deref(), stripe.kept["stripe_user_id"].as_str()), (Some("acct_1"), "acct_1"));
    }

    #[test]
    fn an_id_token_names_the_account_if_it_is_ours() {
        let now = Timestamp::from_millis(1_700_000_000_000);
        let good = json!({ "iss": "https://accounts.google.com", "aud": "id", "exp": 1_700_000_100, "nonce": "n", "sub": "7", "email": "a@b.example" });
        let read = |claims: &Value| {
            let token = format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims.to_string()));
            read_id_token(&token, &provider_of("google"), &Expected { client_id: "id", nonce: Some("n"), now })
        };
        assert_eq!(read(&good).expect("ours").account.as_deref(), Some("a@b.example"));
        let with = |name: &str, value: Value| {
            let mut claims = good.clone();
            claims[name] = value;
            claims
        };
        assert_eq!(read(&with("aud", json!(["x", "id"]))).expect("one of several").account.as_deref(), Some("a@b.example"));
        for (name, value, reason) in [
            ("iss", json!("https://evil.example"), "is from another issuer"),
            ("aud", json!("other"), "is for another client"),
            ("aud", json!(["x"]), "is for another client"),
            ("exp", json!(1_699_999_000), "has expired"),
            ("exp", json!("soon"), "has expired"),
            ("nonce", json!("m"), "answers another request"),
        ] {
            assert_eq!(read(&with(name, value)), Err(reason), "{name}");
        }
        let read = |token: &str| read_id_token(token, &provider_of("google"), &Expected { client_id: "id", nonce: None, now });
        assert_eq!(read("a.b"), Err("is not a JSON web token"));
    }

    #[test]
    fn a_part_in_braces_is_one_segment() {
        let pattern = "https://login.microsoftonline.com/{tenant}/v2.0";
        assert!(is_issuer(pattern, "https://login.microsoftonline.com/9188040d/v2.0"));
        for other in
            ["https://login.microsoftonline.com//v2.0", "https://login.microsoftonline.com/a/b/v2.0", "https://evil.example/a/v2.0"]
        {
            assert!(!is_issuer(pattern, other), "{other}");
        }
    }
}

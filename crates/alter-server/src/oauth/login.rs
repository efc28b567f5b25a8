//! A login as it is kept: the names of its sealed fields, and where its access token may be sent.

use std::collections::BTreeMap;

use alter_core::secret::Secret;

use super::account::{Told, admitted_base_url};
use super::answer::Tokens;
use super::catalogue::Provider;

/// The sealed field with the access token.
pub const ACCESS_TOKEN: &str = "access_token";
/// The sealed field with the refresh token.
pub const REFRESH_TOKEN: &str = "refresh_token";
/// The sealed field with the ID token.
pub const ID_TOKEN: &str = "id_token";
/// The field with the host of one customer's API.
const BASE_URL: &str = "base_url";
/// What precedes the names of what the entry keeps.
const KEPT: &str = "kept.";

/// The fields to seal for a login. What new tokens do not bring stays as it was in `before`: a refresh answer may leave out the refresh token.
pub fn fields(tokens: &Tokens, told: &Told, before: BTreeMap<String, Secret>) -> BTreeMap<String, Secret> {
    let mut fields = before;
    fields.insert(ACCESS_TOKEN.to_owned(), tokens.access_token.clone());
    let optional = [(REFRESH_TOKEN, &tokens.refresh_token), (ID_TOKEN, &tokens.id_token)];
    fields.extend(optional.into_iter().filter_map(|(name, token)| Some((name.to_owned(), token.clone()?))));
    fields.extend(told.base_url.iter().map(|url| (BASE_URL.to_owned(), Secret::new(url.as_str()))));
    fields.extend(told.kept.iter().map(|(name, value)| (format!("{KEPT}{name}"), Secret::new(value.as_str()))));
    fields
}

/// What was kept of the provider's answers, by name.
pub fn kept(fields: &BTreeMap<String, Secret>) -> BTreeMap<String, String> {
    fields.iter().filter_map(|(name, value)| Some((name.strip_prefix(KEPT)?.to_owned(), value.expose().to_owned()))).collect()
}

/// Where the API of a login's customer is, if the provider told it or there is only one place.
pub fn base_url(fields: &BTreeMap<String, Secret>, provider: &Provider) -> Option<String> {
    let told = fields.get(BASE_URL).and_then(|url| admitted_base_url(url.expose(), &provider.api.hosts));
    told.or_else(|| provider.api.base_url.clone())
}

/// Where a login's access token may be sent: the entry's hosts, of which a wildcard gives way to the one host that the provider told.
pub fn hosts(fields: &BTreeMap<String, Secret>, provider: &Provider) -> Vec<String> {
    let told = fields.get(BASE_URL).and_then(|url| admitted_base_url(url.expose(), &provider.api.hosts));
    let Some(host) = told.as_deref().and_then(|url| url.strip_prefix("https://")) else { return provider.api.hosts.clone() };
    let plain = provider.api.hosts.iter().filter(|entry| !entry.starts_with("*.") && *entry != host).cloned();
    plain.chain([host.to_owned()]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::tests::provider_of;

    fn tokens(refresh_token: Option<&str>) -> Tokens {
        Tokens {
            access_token: Secret::new("at"),
            refresh_token: refresh_token.map(Secret::new),
            id_token: None,
            access_expires_at: None,
            refresh_expires_at: None,
            scopes: None,
            told: Told::default(),
        }
    }

    #[test]
    fn what_new_tokens_do_not_bring_stays() {
        let told = Told { kept: BTreeMap::from([("realmId".to_owned(), "1".to_owned())]), ..Told::default() };
        let first = fields(&tokens(Some("rt")), &told, BTreeMap::new());
        let second = fields(&tokens(None), &Told::default(), first);
        assert_eq!(second[REFRESH_TOKEN].expose(), "rt");
        assert_eq!(kept(&second), BTreeMap::from([("realmId".to_owned(), "1".to_owned())]));
        assert_eq!(fields(&tokens(Some("rt2")), &Told::default(), second)[REFRESH_TOKEN].expose(), "rt2");
    }

    #[test]
    fn a_wildcard_gives_way_to_the_host_that_was_told() {
        let salesforce = provider_of("salesforce");
        let with = |url: &str| BTreeMap::from([(BASE_URL.to_owned(), Secret::new(url))]);
        assert_eq!(hosts(&with("https://acme.my.salesforce.com"), &salesforce), ["acme.my.salesforce.com"]);
        assert_eq!(hosts(&BTreeMap::new(), &salesforce), salesforce.api.hosts);
        assert_eq!(hosts(&with("https://evil.example"), &salesforce), salesforce.api.hosts);
        assert_eq!(base_url(&with("https://acme.my.salesforce.com"), &salesforce).as_deref(), Some("https://acme.my.salesforce.com"));
        assert_eq!(base_url(&BTreeMap::new(), &provider_of("github")).as_deref(), Some("https://api.github.com"));
    }
}

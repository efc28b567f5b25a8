//! Sending a person to the provider.

use alter_core::secret::Secret;
use form_urlencoded::Serializer;

use super::catalogue::Pkce;
use super::client::Client;
use super::code_flow::{challenge, unguessable};

/// What the person is asked for.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    /// What comes back with the person: unguessable, and bound to their browser by the caller.
    pub state: &'a str,
    /// The scopes, in the order of the request.
    pub scopes: &'a [String],
    /// Whether the person shall pick an account even if one is signed in.
    pub switch_account: bool,
    /// The account that the provider should suggest.
    pub login_hint: Option<&'a str>,
}

/// Where the person goes, and what has to be kept until they are back.
#[derive(Clone, Debug)]
pub struct Departure {
    /// The URL to redirect the browser to.
    pub url: String,
    /// The PKCE verifier; `None` where the provider refuses PKCE.
    pub verifier: Option<Secret>,
    /// The nonce that an ID token must name; `None` if none will be asked for.
    pub nonce: Option<String>,
}

impl Client {
    /// An authorization request: code flow, PKCE with S256, the nonce if `openid` is among the scopes.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn authorization(&self, wanted: &Wanted<'_>) -> Result<Departure, getrandom::Error> {
        let endpoint = &self.provider.authorization;
        let verifier = match endpoint.pkce {
            Some(Pkce::Refused) => None,
            _ => Some(Secret::new(unguessable()?)),
        };
        let openid = endpoint.sends_scope && wanted.scopes.iter().any(|scope| scope == "openid");
        let nonce = if openid { Some(unguessable()?) } else { None };
        let mut query = Serializer::new(String::new());
        query.append_pair("response_type", "code");
        query.append_pair(endpoint.client_id_parameter.as_deref().unwrap_or("client_id"), &self.credentials.id);
        query.append_pair("redirect_uri", &self.redirect_uri);
        query.append_pair("state", wanted.state);
        if endpoint.sends_scope && !wanted.scopes.is_empty() {
            let delimiter = endpoint.scope_delimiter.as_char().to_string();
            query.append_pair("scope", &wanted.scopes.join(&delimiter));
        }
        if let Some(verifier) = &verifier {
            query.append_pair("code_challenge", &challenge(verifier));
            query.append_pair("code_challenge_method", "S256");
        }
        if let Some(nonce) = &nonce {
            query.append_pair("nonce", nonce);
        }
        for (name, value) in endpoint.parameters.iter().filter(|(name, _)| *name != "prompt") {
            query.append_pair(name, value);
        }
        if let Some(prompt) = self.prompt(wanted) {
            query.append_pair("prompt", &prompt);
        }
        // As `prompt`: only OpenID Connect defines it.
        if let Some(hint) = wanted.login_hint.filter(|_| self.provider.issuer.is_some()) {
            query.append_pair("login_hint", hint);
        }
        // Behind a fragment, too: what follows the URL is what the provider's page reads.
        Ok(Departure { url: format!("{}?{}", endpoint.url, query.finish()), verifier, nonce })
    }

    /// What the provider shall ask: what its entry says, and two things that only OpenID Connect defines. (Elsewhere an unknown parameter could fail the
    /// whole request.) Another account has to be asked for, and so has access while the person is away (OpenID Connect Core, 11).
    fn prompt(&self, wanted: &Wanted<'_>) -> Option<String> {
        let of_entry = self.provider.authorization.parameters.get("prompt").map(String::as_str);
        if self.provider.issuer.is_none() {
            return of_entry.map(str::to_owned);
        }
        let away = wanted.scopes.iter().any(|scope| scope == "offline_access");
        let rest = of_entry.or(away.then_some("consent"));
        if !wanted.switch_account {
            return rest.map(str::to_owned);
        }
        let rest = rest.filter(|prompt| *prompt != "select_account" && *prompt != "none");
        Some(rest.map_or_else(|| "select_account".to_owned(), |prompt| format!("select_account {prompt}")))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::oauth::tests::client_of;

    fn sent(departure: &Departure) -> BTreeMap<String, String> {
        let (_, query) = departure.url.split_once('?').expect("a query");
        form_urlencoded::parse(query.as_bytes()).into_owned().collect()
    }

    fn ask(id: &str, scopes: &[&str], switch_account: bool) -> Departure {
        let scopes: Vec<String> = scopes.iter().map(|scope| (*scope).to_owned()).collect();
        client_of(id)
            .authorization(&Wanted { state: "st", scopes: &scopes, switch_account, login_hint: Some("ada@example.com") })
            .expect("random bytes")
    }

    #[test]
    fn a_request_is_a_code_request_with_pkce() {
        let departure = ask("github", &["repo", "read:user"], false);
        assert!(
            departure.url.starts_with("https://github.com/login/oauth/authorize?response_type=code&client_id=id&"),
            "{}",
            departure.url
        );
        let sent = sent(&departure);
        assert_eq!((sent["scope"].as_str(), sent["state"].as_str()), ("repo read:user", "st"));
        assert_eq!(sent["redirect_uri"], "https://vault.example.com/callback");
        let verifier = departure.verifier.expect("PKCE");
        assert_eq!((verifier.expose().len(), sent["code_challenge_method"].as_str()), (43, "S256"));
        assert_eq!(sent["code_challenge"], challenge(&verifier));
        assert!(departure.nonce.is_none() && !sent.contains_key("nonce"));
    }

    #[test]
    fn what_an_entry_says_is_done() {
        assert_eq!(sent(&ask("linear", &["read", "write"], false))["scope"], "read,write");
        assert_eq!(sent(&ask("tiktok", &["user.info.basic"], false))["client_key"], "id");
        assert_eq!(sent(&ask("reddit", &["read"], false))["duration"], "permanent");
        assert!(!sent(&ask("notion", &["read"], false)).contains_key("scope"));
        let apollo = ask("apollo", &[], false).url;
        assert!(apollo.starts_with("https://app.apollo.io/#/oauth/authorize?response_type=code&"), "{apollo}");
        let linkedin = ask("linkedin", &["openid"], false);
        assert!(linkedin.verifier.is_none() && !sent(&linkedin).contains_key("code_challenge"));
        assert_eq!(linkedin.nonce.as_ref(), sent(&linkedin).get("nonce"));
    }

    #[test]
    fn another_account_is_asked_for_where_that_is_defined() {
        assert_eq!(sent(&ask("google", &["openid"], true))["prompt"], "select_account consent");
        assert_eq!(sent(&ask("gitlab", &["openid"], true))["prompt"], "select_account");
        assert_eq!(sent(&ask("gitlab", &["openid", "offline_access"], true))["prompt"], "select_account consent");
        assert_eq!(sent(&ask("gitlab", &["openid", "offline_access"], false))["prompt"], "consent");
        assert!(!sent(&ask("gitlab", &["openid"], false)).contains_key("prompt"));
        assert_eq!(sent(&ask("atlassian", &["read:me"], true))["prompt"], "consent");
        assert_eq!(sent(&ask("google", &["openid"], false))["prompt"], "consent");
        assert_eq!(sent(&ask("google", &["openid"], false))["login_hint"], "ada@example.com");
        assert!(!sent(&ask("github", &["repo"], false)).contains_key("login_hint"));
    }

    #[test]
    fn every_departure_is_its_own() {
        let (one, two) = (ask("google", &["openid"], false), ask("google", &["openid"], false));
        assert_ne!(one.verifier, two.verifier);
        assert_ne!(one.nonce, two.nonce);
    }
}

//! What an issuer says about itself (OpenID Connect Discovery).

use http::Uri;
use serde_json::{Map, Value};

use super::fault::{ProviderTrouble, quoted};
use super::json;
use crate::egress::Egress;

/// The document's name in messages.
pub(super) const DISCOVERY: &str = "discovery document";
const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// The part of a discovery document that the vault uses. Every URL in it is one that the vault would call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The issuer, exactly as it was set.
    pub issuer: String,
    /// Where its keys are.
    pub jwks_uri: Uri,
    /// Where people sign in; absent where the issuer only issues tokens.
    pub authorization_endpoint: Option<Uri>,
    /// Where a code is exchanged.
    pub token_endpoint: Option<Uri>,
    /// How a client proves itself there; what the standard says where the document is silent.
    pub token_endpoint_auth_methods: Vec<String>,
}

/// Checks an issuer as an operator gives it.
///
/// # Errors
/// What is wrong with it, as a clause about "the issuer".
pub fn check_issuer(egress: &Egress, issuer: &str) -> Result<(), String> {
    let uri: Uri = issuer.parse().map_err(|_| "is not a URL".to_owned())?;
    if uri.query().is_some() || issuer.contains('#') || issuer.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("must be a URL without query, fragment and spaces".to_owned());
    }
    if issuer.ends_with(WELL_KNOWN) {
        return Err(format!("is the issuer itself, without {WELL_KNOWN}"));
    }
    egress.admit(&uri).map(drop).map_err(|error| format!("cannot be called: {error}"))
}

impl Metadata {
    /// Where the document of an issuer is.
    pub(super) fn location(issuer: &str) -> Result<Uri, ProviderTrouble> {
        let url = format!("{}{WELL_KNOWN}", issuer.strip_suffix('/').unwrap_or(issuer));
        url.parse().map_err(|_| invalid("the issuer is not a URL"))
    }

    /// Reads the document of `issuer`.
    ///
    /// # Errors
    /// [`ProviderTrouble::IssuerMismatch`] if it is another issuer's: whoever controls that document could otherwise speak for this one.
    /// [`ProviderTrouble::Invalid`] for a missing or unusable member.
    pub(super) fn parse(egress: &Egress, issuer: &str, document: &[u8]) -> Result<Self, ProviderTrouble> {
        let members = json::object(document).map_err(invalid)?;
        let found = members.get("issuer").and_then(Value::as_str).unwrap_or_default();
        if found != issuer {
            return Err(ProviderTrouble::IssuerMismatch { expected: quoted(issuer), found: quoted(found) });
        }
        let url = |name| endpoint(egress, &members, name);
        Ok(Self {
            issuer: issuer.to_owned(),
            jwks_uri: url("jwks_uri")?.ok_or_else(|| invalid("it has no jwks_uri"))?,
            authorization_endpoint: url("authorization_endpoint")?,
            token_endpoint: url("token_endpoint")?,
            token_endpoint_auth_methods: match members.get("token_endpoint_auth_methods_supported").and_then(Value::as_array) {
                Some(methods) => methods.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
                None => vec!["client_secret_basic".to_owned()],
            },
        })
    }
}

fn endpoint(egress: &Egress, members: &Map<String, Value>, name: &str) -> Result<Option<Uri>, ProviderTrouble> {
    let text = match members.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text,
        Some(_) => return Err(invalid(format!("its {name} is not text"))),
    };
    let uri: Uri = text.parse().map_err(|_| invalid(format!("its {name} is not a URL")))?;
    egress.admit(&uri).map_err(|error| invalid(format!("its {name} cannot be used: {error}")))?;
    Ok(Some(uri))
}

pub(super) fn invalid(reason: impl Into<String>) -> ProviderTrouble {
    ProviderTrouble::Invalid { what: DISCOVERY, reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::egress::EgressOptions;
    use serde_json::json;

    fn egress() -> Egress {
        Egress::new(EgressOptions::default()).expect("no file to read")
    }

    fn parse(change: Value) -> Result<Metadata, &'static str> {
        let mut document = json!({"issuer": "https://id.example.com", "jwks_uri": "https://id.example.com/keys"});
        document.as_object_mut().expect("an object").extend(change.as_object().cloned().expect("an object"));
        Metadata::parse(&egress(), "https://id.example.com", document.to_string().as_bytes()).map_err(|trouble| trouble.code())
    }

    #[test]
    fn a_document_is_for_exactly_its_issuer() {
        assert!(parse(json!({})).is_ok());
        for issuer in ["https://id.example.com/", "https://ID.example.com", "https://evil.example", ""] {
            assert_eq!(parse(json!({"issuer": issuer})).err(), Some("idp_issuer_mismatch"), "{issuer}");
        }
        assert_eq!(parse(json!({"issuer": null})).err(), Some("idp_issuer_mismatch"));
        let twice = br#"{"issuer":"https://id.example.com","issuer":"https://id.example.com","jwks_uri":"https://id.example.com/k"}"#;
        assert!(Metadata::parse(&egress(), "https://id.example.com", twice).is_err());
    }

    #[test]
    fn every_url_in_it_can_be_called() {
        for (name, value) in [
            ("jwks_uri", json!("http://id.example.com/keys")),
            ("jwks_uri", json!("https://u:p@id.example.com/keys")),
            ("jwks_uri", json!("file:///etc/passwd")),
            ("jwks_uri", json!(null)),
            ("jwks_uri", json!(5)),
            ("token_endpoint", json!("http://id.example.com/token")),
            ("authorization_endpoint", json!("javascript:alert(1)")),
        ] {
            assert_eq!(parse(json!({name: value})).err(), Some("idp_answer_invalid"), "{name} {value}");
        }
    }

    #[test]
    fn an_issuer_is_a_plain_url() {
        let check = |issuer: &str| check_issuer(&egress(), issuer);
        for good in ["https://id.example.com", "https://id.example.com/tenant/", "http://127.0.0.1:8080", "http://localhost/realms/x"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "id.example.com",
            "http://id.example.com",
            "https://id.example.com?x=1",
            "https://id.example.com#x",
            "https://u@id.example.com",
            "https://id.example.com/.well-known/openid-configuration",
            "https://id.example.com/ x",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
        let found = Metadata::location("https://id.example.com/tenant/").expect("a URL");
        assert_eq!(found.to_string(), "https://id.example.com/tenant/.well-known/openid-configuration");
    }
}

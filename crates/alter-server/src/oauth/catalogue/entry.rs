//! What is known about one provider. The shape of the files in `catalogue/providers` and of what an operator adds.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A provider. `catalogue/provider.schema.json` describes every member, too.
///
/// Absent means unknown or standard; nothing here is guessed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// What programs call it: lower-case letters, digits and single hyphens.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The provider's own page about its OAuth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub documentation_url: Option<String>,
    /// How far to trust the entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Confidence>,
    /// The date (`2026-11-21`) of the last comparison with the sources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked: Option<String>,
    /// Members, as dotted paths, that no source shows.
    #[serde(default)]
    pub from_memory: Vec<String>,
    /// Names in braces in the URLs, for which an operator gives the values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<String>,
    /// The issuer in ID tokens. A part in braces stands for any one path segment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Sending a person there.
    pub authorization: Authorization,
    /// Getting tokens.
    pub token: TokenEndpoint,
    /// Getting new ones.
    #[serde(default, skip_serializing_if = "Refresh::is_unknown")]
    pub refresh: Refresh,
    /// Ending them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation: Option<Revocation>,
    /// Learning whose they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountLookup>,
    /// Where they may be sent.
    pub api: Api,
    /// What later calls need of the provider's answers. Not secret.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keep: Vec<Kept>,
    /// Examples of scopes with their meaning.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scopes: BTreeMap<String, String>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
    /// Where the facts are from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
}

impl Provider {
    /// What a scope means, in words for people: the entry's, or OpenID Connect's own for its four.
    pub fn meaning(&self, scope: &str) -> Option<&str> {
        let standard = match scope {
            "openid" => "Know that it is you",
            "profile" => "See your name and picture",
            "email" => "See your e-mail address",
            "offline_access" => "Use this while you are away",
            _ => return self.scopes.get(scope).map(String::as_str),
        };
        Some(self.scopes.get(scope).map_or(standard, String::as_str))
    }
}

/// How far to trust an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Endpoints in two independent sources or in the provider's own documentation.
    High,
    /// Endpoints as good as that; the behaviour rests mostly on memory.
    Medium,
    /// Neither.
    Low,
}

/// The authorization endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Authorization {
    /// Its URL.
    pub url: String,
    /// What is known about PKCE. S256 is sent unless it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pkce: Option<Pkce>,
    /// Whether the request names scopes. If not, they are chosen in the settings of the app at the provider.
    #[serde(default = "yes", skip_serializing_if = "is_yes")]
    pub sends_scope: bool,
    /// What stands between scopes.
    #[serde(default, skip_serializing_if = "Delimiter::is_space")]
    pub scope_delimiter: Delimiter,
    /// The name of `client_id`, where it has another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id_parameter: Option<String>,
    /// What `redirect_uri` is, if not a URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_uri: Option<RedirectUri>,
    /// The page is behind a fragment, and the parameters follow it.
    #[serde(default, skip_serializing_if = "is_no")]
    pub parameters_in_fragment: bool,
    /// More parameters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
}

/// What is known about PKCE (RFC 7636).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pkce {
    /// A request without it fails.
    Required,
    /// It is checked if sent.
    Supported,
    /// A request with it fails.
    Refused,
}

/// What stands between scopes in one parameter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Delimiter {
    /// A space, as RFC 6749 says.
    #[default]
    #[serde(rename = " ")]
    Space,
    /// A comma.
    #[serde(rename = ",")]
    Comma,
}

impl Delimiter {
    /// The character.
    pub const fn as_char(self) -> char {
        match self {
            Self::Space => ' ',
            Self::Comma => ',',
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it")]
    fn is_space(&self) -> bool {
        *self == Self::Space
    }
}

/// What a provider calls `redirect_uri`, if not a URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RedirectUri {
    /// A label that the provider gave out when the app was registered.
    RegisteredLabel,
}

/// The token endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenEndpoint {
    /// Its URL.
    pub url: String,
    /// How the client's secret may be sent; the first is used. If nothing is known, it is Basic, which RFC 6749 asks every server to accept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub client_authentication: Vec<ClientAuthentication>,
    /// The name of `client_id`, where it has another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id_parameter: Option<String>,
    /// How requests are written. Answers are read in both forms.
    #[serde(default, skip_serializing_if = "Format::is_form")]
    pub format: Format,
    /// Seconds that an access token lives which comes with a refresh token and without a lifetime.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime_s: Option<u32>,
    /// More parameters of the code exchange.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// The provider's own error codes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub error_codes: BTreeMap<String, StandardError>,
    /// Where the answer differs from RFC 6749.
    #[serde(default, skip_serializing_if = "AnswerShape::is_standard")]
    pub answer: AnswerShape,
}

/// How a client shows who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientAuthentication {
    /// HTTP Basic.
    Basic,
    /// `client_id` and `client_secret` in the body.
    Body,
    /// `client_id` in the body: a public client.
    None,
}

/// How a body is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// `application/x-www-form-urlencoded`.
    #[default]
    Form,
    /// `application/json`.
    Json,
}

impl Format {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it")]
    fn is_form(&self) -> bool {
        *self == Self::Form
    }
}

/// The standard error that a provider's own code stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StandardError {
    /// The code or the refresh token is no good.
    InvalidGrant,
    /// The client is not who it says.
    InvalidClient,
    /// Later, perhaps.
    TemporarilyUnavailable,
}

/// Where a token answer differs from RFC 6749. The places are JSON pointers (RFC 6901).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerShape {
    /// The access token; `/access_token` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_token: Option<String>,
    /// The refresh token; `/refresh_token` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// The granted scopes; `/scope` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// What stands between them, if not what stands between them in the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope_delimiter: Option<Delimiter>,
    /// The date and time at which the access token ends, where that is told instead of `expires_in`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
    /// What an `expires_in` of zero means.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_zero: Option<ZeroLifetime>,
    /// What an `expires_in` means that is too large for a lifetime.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_large: Option<LargeLifetime>,
    /// The lifetime of the refresh token, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token_expires_in: Option<String>,
    /// The date and time at which the refresh token ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token_expires_at: Option<String>,
}

impl AnswerShape {
    fn is_standard(&self) -> bool {
        *self == Self::default()
    }
}

/// What an `expires_in` of zero means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ZeroLifetime {
    /// The token does not expire.
    Never,
}

/// What an `expires_in` means that is too large for a lifetime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LargeLifetime {
    /// The moment of expiry, in seconds since 1970.
    UnixTime,
}

/// Refreshing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    /// Whether the provider hands out refresh tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supported: Option<bool>,
    /// Whether each refresh replaces the refresh token and ends the old one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotates: Option<bool>,
    /// Seconds that a refresh token lives, where the answer does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime_s: Option<u32>,
    /// How many seconds before its end an access token is refreshed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leeway_s: Option<u32>,
    /// Where refreshing has a URL of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Whether `redirect_uri` is sent again.
    #[serde(default, skip_serializing_if = "is_no")]
    pub repeats_redirect_uri: bool,
    /// More parameters of the refresh request.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
}

impl Refresh {
    fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

/// Ending tokens. RFC 7009, unless `parameters` say what is sent instead.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// Which token is revoked; the refresh token, where there is one, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenKind>,
    /// The call.
    pub call: Call,
}

/// One of a login's tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenKind {
    /// The access token.
    AccessToken,
    /// The refresh token.
    RefreshToken,
}

impl TokenKind {
    /// The word of RFC 7009's `token_type_hint`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AccessToken => "access_token",
            Self::RefreshToken => "refresh_token",
        }
    }
}

/// Learning whose account it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountLookup {
    /// The scope without which the call is not made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requires_scope: Option<String>,
    /// Pointers into the call's answer; the first that is there counts. If there are none, the usual names are tried.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identifier: Vec<String>,
    /// Pointers into the token answer; if one of them is there, no call is made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identifier_in_token: Vec<String>,
    /// The call.
    pub call: Call,
}

/// A call to the provider besides those to its token endpoint.
///
/// Texts may name, in braces, `client_id`, `client_secret`, `token`, `token_type`, `access_token`, `refresh_token` and what [`Provider::keep`] names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The URL.
    pub url: String,
    /// The method, if not the usual one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
    /// How the client shows who it is, if not as usual.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_authentication: Option<ClientAuthentication>,
    /// The value of `Authorization`, where it is neither the client's nor `Bearer` with the access token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorization_header: Option<String>,
    /// How the body is written.
    #[serde(default, skip_serializing_if = "Format::is_form")]
    pub format: Format,
    /// What is sent: in the query of a GET, else in the body. Empty: an empty body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<BTreeMap<String, String>>,
}

/// The methods that calls use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
    /// DELETE.
    Delete,
}

/// Where the provider's API is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Api {
    /// The hosts that a credential may be sent to, as in a managed secret's `allowed_hosts`.
    pub hosts: Vec<String>,
    /// Where calls go: `https://` and a host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url: Option<String>,
    /// Where the provider tells the host of one customer. Only hosts of the list are believed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_url_from: Option<Place>,
}

/// A place in one of the provider's answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Which answer.
    pub source: Source,
    /// The JSON pointer.
    pub pointer: String,
}

/// Something to keep of the provider's answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// What it is called from then on.
    pub name: String,
    /// Which answer.
    pub source: Source,
    /// The JSON pointer.
    pub pointer: String,
}

/// One of the answers that a provider gives while a person connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// The token answer.
    Token,
    /// The answer of the call that names the account.
    Account,
    /// The parameters with which the person came back, as one object.
    Redirect,
}

const fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it")]
const fn is_yes(value: &bool) -> bool {
    *value
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it")]
const fn is_no(value: &bool) -> bool {
    !*value
}

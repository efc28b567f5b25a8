//! What the shape alone cannot say about an entry. Catalogue and operators' entries pass the same rules.

use std::collections::BTreeMap;
use std::fmt;

use alter_core::url::ProviderUrl;

use super::entry::{Call, Kept, Provider};
use crate::api::AllowedHost;
use crate::oauth::call::is_secret;
use crate::oauth::template::{names, unknown_name};

/// Names that a call's texts may use besides the settings and what is kept.
const CALL_NAMES: [&str; 6] = ["client_id", "client_secret", "token", "token_type", "access_token", "refresh_token"];
/// Parameters that the driver sets itself. An entry that could set them could undo what protects the flow.
const RESERVED: [&str; 14] = [
    "client_id",
    "client_secret",
    "redirect_uri",
    "response_type",
    "response_mode",
    "state",
    "nonce",
    "scope",
    "code",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "grant_type",
    "refresh_token",
];
/// Most entries of a list, and most bytes of a text, that an entry may hold.
const MOST: usize = 100;
const LONGEST: usize = 4096;

/// What is wrong with an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// The member, as a dotted path.
    pub member: String,
    /// What is wrong with it, as a clause that follows the member.
    pub reason: String,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.member, self.reason)
    }
}

type Check = Result<(), Wrong>;

fn wrong(member: impl Into<String>, reason: impl Into<String>) -> Check {
    Err(Wrong { member: member.into(), reason: reason.into() })
}

/// Judges an entry.
///
/// # Errors
/// The first member that is wrong.
pub fn check(provider: &Provider) -> Check {
    check_id(&provider.id)?;
    if provider.name.is_empty() || provider.name.chars().count() > 80 || provider.name.chars().any(char::is_control) {
        return wrong("name", "must be 1 to 80 characters without control characters");
    }
    for setting in &provider.settings {
        check_name("settings", setting)?;
    }
    check_endpoints(provider)?;
    check_parameters("authorization.parameters", &provider.authorization.parameters)?;
    check_parameters("token.parameters", &provider.token.parameters)?;
    check_parameters("refresh.parameters", &provider.refresh.parameters)?;
    check_pointers(provider)?;
    check_api(provider)?;
    for kept in &provider.keep {
        check_kept(kept)?;
    }
    if let Some(revocation) = &provider.revocation {
        check_call("revocation.call", &revocation.call, provider)?;
    }
    if let Some(account) = &provider.account {
        check_call("account.call", &account.call, provider)?;
    }
    Ok(())
}

/// Judges an operator's values for an entry's settings, which become parts of URLs.
///
/// # Errors
/// A setting that is missing, unknown, or not a plain part of a URL.
pub fn check_settings(provider: &Provider, values: &BTreeMap<String, String>) -> Check {
    if let Some(missing) = provider.settings.iter().find(|name| !values.contains_key(*name)) {
        return wrong(format!("settings.{missing}"), format!("is missing: the URLs of {} need it", provider.id));
    }
    for (name, value) in values {
        if !provider.settings.contains(name) {
            return wrong(format!("settings.{name}"), format!("is not a setting of {}", provider.id));
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if value.is_empty() || value.len() > 200 || !value.chars().all(plain) || value.split('.').any(str::is_empty) {
            return wrong(
                format!("settings.{name}"),
                "must be letters, digits, hyphens, underscores and single dots: it becomes a part of a URL",
            );
        }
    }
    Ok(())
}

fn check_id(id: &str) -> Check {
    let words = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    if id.len() > 64 || !id.split('-').all(words) {
        return wrong("id", "must be lower-case letters, digits and single hyphens, at most 64 characters, such as my-crm");
    }
    Ok(())
}

fn check_name(member: &str, name: &str) -> Check {
    let well_formed = name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    if !well_formed || name.len() > 64 || CALL_NAMES.contains(&name) {
        return wrong(member, "must be names of letters, digits and underscores, a letter first, that do not stand for something else");
    }
    Ok(())
}

fn check_endpoints(provider: &Provider) -> Check {
    let fragment = provider.authorization.parameters_in_fragment;
    let endpoints = [
        ("authorization.url", Some(&provider.authorization.url), fragment),
        ("token.url", Some(&provider.token.url), false),
        ("refresh.url", provider.refresh.url.as_ref(), false),
    ];
    for (member, url, fragment) in endpoints {
        let Some(url) = url else { continue };
        check_url(member, url, fragment)?;
        if let Some(name) = unknown_name(url, |name| provider.settings.iter().any(|setting| setting == name)) {
            return wrong(member, format!("names {{{name}}}, which settings does not list"));
        }
    }
    match &provider.issuer {
        Some(issuer) => check_url("issuer", issuer, false),
        None => Ok(()),
    }
}

/// A URL, with names in braces taken as ordinary text: `https`, or `http` to loopback, without user information and query.
fn check_url(member: &str, url: &str, fragment: bool) -> Check {
    let filled = names(url).fold(url.to_owned(), |text, name| text.replace(&format!("{{{name}}}"), "x"));
    if let Err(error) = ProviderUrl::parse(&filled) {
        return wrong(member, format!("is not a usable URL: {}", error.message()));
    }
    if url.contains('?') || (url.contains('#') && !fragment) {
        return wrong(member, "must be a URL without query and fragment; parameters have a place of their own");
    }
    Ok(())
}

fn check_parameters(member: &str, parameters: &BTreeMap<String, String>) -> Check {
    if parameters.len() > MOST || parameters.iter().any(|(name, value)| name.is_empty() || name.len() + value.len() > LONGEST) {
        return wrong(member, format!("must be at most {MOST} short parameters with names"));
    }
    match parameters.keys().find(|name| RESERVED.contains(&name.as_str())) {
        Some(name) => wrong(format!("{member}.{name}"), "is set by the vault itself"),
        None => Ok(()),
    }
}

fn check_pointers(provider: &Provider) -> Check {
    let answer = &provider.token.answer;
    let places = [
        ("access_token", &answer.access_token),
        ("refresh_token", &answer.refresh_token),
        ("scope", &answer.scope),
        ("expires_at", &answer.expires_at),
        ("refresh_token_expires_in", &answer.refresh_token_expires_in),
        ("refresh_token_expires_at", &answer.refresh_token_expires_at),
    ];
    for (name, pointer) in places {
        check_pointer(&format!("token.answer.{name}"), pointer.as_deref())?;
    }
    let account = provider.account.iter();
    for pointer in account.flat_map(|account| account.identifier.iter().chain(&account.identifier_in_token)) {
        check_pointer("account.identifier", Some(pointer))?;
    }
    check_pointer("api.base_url_from.pointer", provider.api.base_url_from.as_ref().map(|place| place.pointer.as_str()))
}

fn check_pointer(member: &str, pointer: Option<&str>) -> Check {
    match pointer {
        Some(text) if !text.starts_with('/') || text.len() > 200 => wrong(member, "must be a JSON pointer such as /data/email"),
        _ => Ok(()),
    }
}

fn check_kept(kept: &Kept) -> Check {
    check_name("keep.name", &kept.name)?;
    check_pointer("keep.pointer", Some(&kept.pointer))
}

fn check_api(provider: &Provider) -> Check {
    let hosts = &provider.api.hosts;
    if hosts.is_empty() || hosts.len() > MOST {
        return wrong("api.hosts", format!("needs 1 to {MOST} entries: a login that may go anywhere can be sent to anyone"));
    }
    for (index, host) in hosts.iter().enumerate() {
        if let Err(reason) = AllowedHost::parse(host) {
            return wrong(format!("api.hosts[{index}]"), reason);
        }
    }
    match &provider.api.base_url {
        Some(base) if crate::oauth::account::admitted_base_url(base, hosts).as_ref() != Some(base) => {
            wrong("api.base_url", "must be https:// and one of api.hosts, without a path")
        }
        _ => Ok(()),
    }
}

fn check_call(member: &str, call: &Call, provider: &Provider) -> Check {
    check_url(&format!("{member}.url"), &call.url, false)?;
    let known = |name: &str| {
        CALL_NAMES.contains(&name) || provider.settings.iter().any(|s| s == name) || provider.keep.iter().any(|kept| kept.name == name)
    };
    let texts = call.parameters.iter().flat_map(BTreeMap::values).chain([&call.url]).chain(&call.authorization_header);
    if let Some(name) = names(&call.url).find(|name| is_secret(name)) {
        return wrong(format!("{member}.url"), format!("names {{{name}}}: secrets do not go into URLs"));
    }
    for text in texts {
        if let Some(name) = unknown_name(text, known) {
            return wrong(member, format!("names {{{name}}}, which is neither a setting nor kept nor the vault's"));
        }
    }
    if call.parameters.as_ref().is_some_and(|parameters| parameters.len() > MOST) {
        return wrong(format!("{member}.parameters"), format!("must be at most {MOST}"));
    }
    Ok(())
}

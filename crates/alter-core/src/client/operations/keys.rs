//! API keys made of other API keys: derive, rotate, revoke.

use super::answer::{self, Details};
use super::arguments::{take_json, take_truth, whole};
use super::plan::{Body, Once, Plan};
use super::target::{Target, segment};
use crate::client::Client;
use crate::error::{Error, Result};
use crate::given::{Args, Given};
use crate::host::Host;
use crate::model::{APIKeyInfo, MintedKey};

const PATH: &str = "/sdk/keys";
/// The scope that makes keys; a key that was made never has it.
const DERIVING: &str = "keys:derive";
const DEFAULT_OVERLAP_DAYS: i128 = 7;
const LONGEST_OVERLAP_DAYS: i128 = 30;

/// `keys.derive`.
pub(super) fn derive<H: Host>(_client: &Client<H>, args: &mut Args) -> Result<Plan> {
    let scopes = args.take_or_null("scopes");
    check_scopes(&scopes)?;
    let expires_in = whole("expires_in", args.take_or_null("expires_in"), 1, None)?;
    if matches!(&scopes, Given::List(entries) if entries.iter().any(|entry| entry.as_text() == Some(DERIVING))) {
        return Err(Error::invalid("scopes holds \"keys:derive\"; a derived key makes no further keys. Remove it."));
    }
    let rate_limit = match args.take_or_null("rate_limit_rpm") {
        Given::Null => None,
        given => Some(whole("rate_limit_rpm", given, 1, None)?.to_string()),
    };
    let body = Body::default()
        .json("scopes", scopes.to_json("scopes")?)
        .json("expires_in", expires_in.to_string())
        .json_if("cidr_allowlist", take_json(args, "cidr_allowlist")?)
        .json_if("name", take_json(args, "name")?)
        .json_if("metadata", take_json(args, "metadata")?)
        .json_if("rate_limit_rpm", rate_limit);
    Ok(Plan::Once(Once::post(format!("{PATH}/derive"), body, minted).in_context()))
}

fn check_scopes(scopes: &Given) -> Result<()> {
    let Given::List(entries) = scopes else { return Err(Error::wrong_type("scopes", "a list of texts", scopes.type_name())) };
    if entries.is_empty() {
        return Err(Error::invalid("scopes is empty. Name at least one scope, for example \"tokens:retrieve\"."));
    }
    match entries.iter().find(|entry| entry.as_text().is_none_or(str::is_empty)) {
        Some(Given::Text(_)) => Err(Error::invalid("scopes holds an empty text. Remove it.")),
        Some(other) => Err(Error::invalid(format!("scopes holds {}; every entry must be text.", other.type_name()))),
        None => Ok(()),
    }
}

/// `keys.rotate`.
pub(super) fn rotate<H: Host>(_client: &Client<H>, args: &mut Args) -> Result<Plan> {
    let days = args.take("overlap_days").unwrap_or(Given::Whole(DEFAULT_OVERLAP_DAYS));
    let days = whole("overlap_days", days, 0, Some(LONGEST_OVERLAP_DAYS))?;
    let path = format!("{PATH}/{}/rotate", take_key(args)?);
    Ok(Plan::Once(Once::post(path, Body::default().json("overlap_days", days.to_string()), minted).in_context()))
}

fn minted(answer: &crate::host::Answer) -> Result<super::Outcome> {
    answer::model(answer, MintedKey::MODEL, Details::StatusAndFaults)
}

/// `keys.revoke`.
pub(super) fn revoke<H: Host>(_client: &Client<H>, args: &mut Args) -> Result<Plan> {
    let path = format!("{PATH}/{}", take_key(args)?);
    let force = take_truth(args, "force").then_some("true");
    let target = Target::path(path).with_some("force", force);
    let judge = |answer: &crate::host::Answer| answer::model(answer, APIKeyInfo::MODEL, Details::StatusAndFaults);
    Ok(Plan::Once(Once::delete(target.into(), judge).in_context()))
}

/// The key's id as a segment of a path: text, a whole number, or an id object of the language.
fn take_key(args: &mut Args) -> Result<String> {
    let given = args.take_or_null("key_id");
    let key = given.printed().ok_or_else(|| Error::wrong_type("key_id", "text", given.type_name()))?;
    if key.trim().is_empty() {
        return Err(Error::invalid("key_id is blank. Give the key's id."));
    }
    segment("key_id", &key)
}

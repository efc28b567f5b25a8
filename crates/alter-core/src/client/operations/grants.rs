//! Grants: list, mint, delegate, revoke.

use super::answer::{self, Details};
use super::arguments::{self, optional_filled, whole};
use super::outcome::Outcome;
use super::plan::{Body, Once, Plan};
use super::policy;
use crate::client::{Client, ClientKind};
use crate::error::{Error, Kind, Result};
use crate::given::{Args, Given};
use crate::host::{Answer, Host};
use crate::json;
use crate::model::{DelegationResult, GrantInfo, RevokeGrantResult, UnifiedGrantListResult};

/// Most grants of one page.
const LARGEST_PAGE: i128 = 1000;
const DEFAULT_PAGE: i128 = 100;

/// `list_grants`.
pub(super) fn list<H: Host>(client: &Client<H>, args: &mut Args) -> Result<Plan> {
    let (limit, offset) = arguments::take_page(args, DEFAULT_PAGE, LARGEST_PAGE)?;
    let mut body = Body::default().json("limit", limit.to_string()).json("offset", offset.to_string());
    for field in ["provider_id", "status", "account", "label"] {
        let value = optional_filled(field, args.take_or_null(field))?;
        body = body.text_if(field, value.as_deref());
    }
    let user_token = optional_filled("end_user_token", args.take_or_null("end_user_token"))?;
    let kind = optional_filled("grant_kind", args.take_or_null("grant_kind"))?;
    if kind.as_deref().is_some_and(|kind| !matches!(kind, "oauth" | "managed_secret")) {
        return Err(Error::invalid("grant_kind must be \"oauth\" or \"managed_secret\", or left out for both."));
    }
    // An agent sees its own grants, whoever is signed in.
    let asks = user_token.is_none() && client.shared.options.kind == ClientKind::App;
    let position = body.len();
    let body = body.text_if("user_token", user_token.as_deref()).text_if("grant_kind", kind.as_deref());
    let once = Once::post("/sdk/grants/list", body, |answer| answer::model(answer, UnifiedGrantListResult::MODEL, Details::Faults));
    Ok(Plan::Once(if asks { once.asking_for_user_token(position, None) } else { once }))
}

/// `mint_grant`.
pub(super) fn mint<H: Host>(_client: &Client<H>, args: &mut Args) -> Result<Plan> {
    let source = arguments::uuid("source_grant_id", args.take_or_null("source_grant_id"))?;
    let label = arguments::filled("label", args.take_or_null("label"))?;
    let policy = mint_policy(args.take_or_null("grant_policy"))?;
    let tags = match args.take_or_null("grant_tags") {
        Given::Null => None,
        given => Some(tags(given)?),
    };
    let body = Body::default().text("label", &label).json_if("grant_policy", policy).json_if("grant_tags", tags);
    Ok(Plan::Once(Once::post(format!("/sdk/grants/{source}/mint"), body, move |answer| {
        answer::model(answer, GrantInfo::MODEL, Details::Faults).map_err(|error| name_the_label(error, &label))
    })))
}

/// A map goes to the vault as it is: which keys this route takes is the vault's to say.
fn mint_policy(value: Given) -> Result<Option<String>> {
    let refused = || {
        Error::invalid("grant_policy[\"default_ttl_seconds\"] preselects a choice for a person; nobody chooses here. Set max_ttl_seconds.")
    };
    match value {
        Given::Null => Ok(None),
        Given::Map(members) => {
            if members.iter().any(|(name, _)| name.as_text() == Some("default_ttl_seconds")) {
                return Err(refused());
            }
            Given::Map(members).to_json("grant_policy").map(Some)
        }
        Given::Model(name, fields) if name == policy::POLICY_MODEL => {
            if fields.iter().any(|(name, value)| name.as_text() == Some("default_ttl_seconds") && !value.is_null()) {
                return Err(refused());
            }
            policy::model_json(fields).map(Some)
        }
        other => Err(Error::wrong_type("grant_policy", "a map or a GrantPolicyInput", other.type_name())),
    }
}

fn tags(value: Given) -> Result<String> {
    let tags = arguments::texts("grant_tags", value)?;
    if tags.iter().any(String::is_empty) {
        return Err(Error::invalid("grant_tags holds an empty text. Remove it."));
    }
    Ok(arguments::texts_json(&tags))
}

/// A conflict whose answer names no label is about the one that was asked for.
fn name_the_label(error: Error, label: &str) -> Error {
    let unnamed = error.kind() == Kind::SiblingLabelConflict && error.attribute("label").is_none_or(|label| label.is_null());
    if unnamed { error.with_attribute("label", label) } else { error }
}

/// `delegate`.
pub(super) fn delegate<H: Host>(client: &Client<H>, args: &mut Args) -> Result<Plan> {
    client.check_open()?;
    let grant = arguments::uuid("grant_id", args.take_or_null("grant_id"))?;
    let to = arguments::filled("to_agent_id", args.take_or_null("to_agent_id"))?;
    let scopes = arguments::scope_constraint("scope_constraint", args.take_or_null("scope_constraint"))?;
    let ttl = match args.take_or_null("ttl_seconds") {
        Given::Null => None,
        given => Some(whole("ttl_seconds", given, 1, None)?),
    };
    let delegable = arguments::optional_flag("delegable", args.take_or_null("delegable"))?;
    let body = Body::default()
        .text("to_agent_id", &to)
        .json_if("delegable", delegable.map(|flag| flag.to_string()))
        .json_if("scope_constraint", scopes.as_deref().map(arguments::texts_json))
        .json_if("ttl_seconds", ttl.map(|seconds| seconds.to_string()));
    Ok(Plan::Once(Once::post(format!("/sdk/grants/{grant}/delegate"), body, |answer| {
        answer::model(answer, DelegationResult::MODEL, Details::Faults)
    })))
}

/// `revoke_delegation`: an application names the agent, an agent means itself.
pub(super) fn revoke_delegation<H: Host>(client: &Client<H>, args: &mut Args) -> Result<Plan> {
    let path = if client.shared.options.kind == ClientKind::App {
        let agent = arguments::filled("agent_id", args.take_or_null("agent_id"))?;
        client.check_open()?;
        let grant = arguments::uuid("grant_id", args.take_or_null("grant_id"))?;
        format!("/sdk/grants/{grant}/delegations/{}", arguments::uuid("agent_id", Given::Text(agent))?)
    } else {
        client.check_open()?;
        format!("/sdk/grants/{}/delegations/me", arguments::uuid("grant_id", args.take_or_null("grant_id"))?)
    };
    Ok(Plan::Once(Once::delete(path, done)))
}

/// The body does not matter, so a redirect could stand for anything, a sign-in page too: it is no success.
fn done(answer: &Answer) -> Result<Outcome> {
    answer::check_status(answer)?;
    if answer.status >= 300 {
        let error = answer::unreadable(&format!("has status {}, a redirect, so nothing was revoked", answer.status));
        return Err(answer::with_status(error, answer));
    }
    Ok(Outcome::Nothing)
}

/// `revoke_grant`.
pub(super) fn revoke<H: Host>(client: &Client<H>, args: &mut Args) -> Result<Plan> {
    client.check_open()?;
    let grant = arguments::uuid("grant_id", args.take_or_null("grant_id"))?;
    let reason = arguments::optional_text("reason", args.take_or_null("reason"))?;
    let body = Body::default().json_if("reason", reason.map(|reason| json::ascii(json::string(&reason))));
    let position = body.len();
    let once = Once::post(format!("/sdk/oauth/grants/{grant}/revoke"), body, |answer| {
        answer::model(answer, RevokeGrantResult::MODEL, Details::StatusAndFaults)
    });
    Ok(Plan::Once(once.asking_for_user_token(position, None)))
}

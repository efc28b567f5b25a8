//! `create_managed_secret_connect_session`: a person brings a secret, or allows the use of one.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use super::answer::{self, Details};
use super::arguments::{self, optional_filled, take_flag};
use super::outcome::Outcome;
use super::plan::{Body, Once, Plan};
use super::policy;
use crate::client::{Client, ClientKind};
use crate::error::{Error, Kind, Result};
use crate::given::{Args, Given};
use crate::host::{Answer, Host, Level};
use crate::model::ManagedSecretConnectSession;
use crate::token::is_canonical_uuid;

const LONGEST_PROVIDER: usize = 50;

/// Members that a vault of an earlier version may not know.
const NEW_MEMBERS: [&str; 6] = ["provider", "agent", "requested_grant", "grant_policy", "direct", "repair_grant_id"];

static WARNED_TEMPLATE: AtomicBool = AtomicBool::new(false);
static WARNED_AGENT: AtomicBool = AtomicBool::new(false);
static WARNED_NAME: AtomicBool = AtomicBool::new(false);

/// `create_managed_secret_connect_session`.
pub(super) fn create<H: Host>(client: &Client<H>, args: &mut Args) -> Result<Plan> {
    let template = args.take_or_null("template_slug");
    let delegated = args.take_or_null("delegated_agent_id");
    warn_once(client, &WARNED_TEMPLATE, &template, "template_slug is deprecated. Use provider.");
    warn_once(client, &WARNED_AGENT, &delegated, "delegated_agent_id is deprecated. Use agent.");
    let name = args.take_or_null("delegated_agent_name");
    warn_once(client, &WARNED_NAME, &name, "delegated_agent_name is ignored: the vault shows the agent's own name. Leave it out.");

    let provider = provider(args.take_or_null("provider"), &template)?;
    let template = template_slug(template)?;
    let (agent, delegated) = agents(client, args.take_or_null("agent"), delegated, provider.is_some())?;
    let user_token = arguments::filled("user_token", args.take_or_null("user_token"))?;
    let grant_policy = args.take_or_null("grant_policy");
    let life = life(args.take_or_null("requested_ttl_seconds"), &grant_policy)?;
    let user_rules = take_flag(args, "allow_user_policy_rules", true)?;
    let delegable = take_flag(args, "delegable", false)?;
    let direct = take_flag(args, "direct", false)?;
    let requested = args.take_or_null("requested_grant");
    let repaired = args.take_or_null("repair_grant_id");
    check_repair(&repaired, agent.is_some() || delegated.is_some(), &requested)?;
    client.check_open()?;
    let requested = policy::requested_grant(requested, false)?;
    let grant_policy = policy::grant_policy(grant_policy)?;
    let repaired = if repaired.is_null() { None } else { Some(arguments::uuid("repair_grant_id", repaired)?) };

    let body = Body::default()
        .text_if("provider", provider.as_deref())
        .text_if("template_slug", template.as_deref())
        .text_if("agent", agent.as_deref())
        .text_if("delegated_agent_id", delegated.as_deref())
        .text("user_token", &user_token)
        .json_if("requested_ttl_seconds", life.map(|seconds| seconds.to_string()))
        .json_if("allowed_origin", given_json("allowed_origin", args)?)
        .json_if("return_url", given_json("return_url", args)?)
        .json_if("allow_user_policy_rules", (!user_rules).then_some("false"))
        .json_if("delegable", delegable.then_some("true"))
        .json_if("requested_grant", requested)
        .json_if("grant_policy", grant_policy)
        .json_if("direct", direct.then_some("true"))
        .text_if("repair_grant_id", repaired.as_deref());
    let sent = Sent {
        provider,
        delegable,
        members: NEW_MEMBERS.into_iter().filter(|name| body.has(name)).collect(),
        names_agent: body.has("agent") || body.has("delegated_agent_id"),
        has_template: template.is_some(),
    };
    Ok(Plan::Once(Once::post("/sdk/managed-secrets/connect/session", body, move |answer| sent.judge(answer))))
}

/// Warns of an argument, once in the program's life.
fn warn_once<H: Host>(client: &Client<H>, warned: &AtomicBool, value: &Given, message: &str) {
    if !value.is_null() && !warned.swap(true, Ordering::AcqRel) {
        client.log(Level::Deprecation, message);
    }
}

fn given_json(field: &str, args: &mut Args) -> Result<Option<String>> {
    match args.take_or_null(field) {
        Given::Null => Ok(None),
        value => value.to_json(field).map(Some),
    }
}

fn provider(value: Given, template: &Given) -> Result<Option<String>> {
    if value.is_null() && template.is_null() {
        return Err(Error::invalid("provider is missing. Give the secret's slug, for example \"openai\"."));
    }
    let Some(provider) = arguments::optional_text("provider", value)? else { return Ok(None) };
    let well_formed = (1..=LONGEST_PROVIDER).contains(&provider.len())
        && provider.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if well_formed {
        return Ok(Some(provider));
    }
    let text = format!("provider is no slug: 1 to {LONGEST_PROVIDER} lower-case letters, digits and hyphens.");
    Err(Error::invalid(text))
}

fn template_slug(value: Given) -> Result<Option<String>> {
    let Some(slug) = optional_filled("template_slug", value)? else { return Ok(None) };
    if slug.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return Ok(Some(slug.to_ascii_lowercase()));
    }
    Err(Error::invalid("template_slug is no slug: letters, digits and hyphens."))
}

/// The agent under its new and its old name. A client that acts as an agent means that one.
fn agents<H: Host>(client: &Client<H>, agent: Given, delegated: Given, by_provider: bool) -> Result<(Option<String>, Option<String>)> {
    let agent = optional_filled("agent", agent)?;
    let delegated = optional_filled("delegated_agent_id", delegated)?;
    if delegated.as_ref().is_some_and(|id| !is_canonical_uuid(&id.to_ascii_lowercase())) {
        return Err(Error::invalid("delegated_agent_id is not a UUID. Give the agent's id, or its name as agent."));
    }
    if agent.is_some() && delegated.is_some() {
        return Err(Error::invalid("agent and delegated_agent_id are two names of one argument. Give agent."));
    }
    let options = &client.shared.options;
    if options.kind != ClientKind::Impersonation {
        return Ok((agent, delegated));
    }
    let itself = options.caller.clone();
    Ok(if by_provider { (itself, None) } else { (None, itself) })
}

fn life(value: Given, grant_policy: &Given) -> Result<Option<i128>> {
    if value.is_null() {
        return Ok(None);
    }
    let seconds = arguments::whole("requested_ttl_seconds", value, 1, None)?;
    if !grant_policy.is_null() {
        return Err(Error::invalid("requested_ttl_seconds and grant_policy both limit the time. Give grant_policy."));
    }
    Ok(Some(seconds))
}

fn check_repair(repaired: &Given, names_agent: bool, requested: &Given) -> Result<()> {
    if repaired.is_null() {
        return Ok(());
    }
    if names_agent {
        return Err(Error::invalid("repair_grant_id renews one grant, so it cannot stand beside an agent."));
    }
    if !requested.is_null() {
        return Err(Error::invalid("repair_grant_id renews one grant, so it cannot stand beside requested_grant."));
    }
    Ok(())
}

/// What was asked, which the answer must show that the vault understood.
struct Sent {
    provider: Option<String>,
    delegable: bool,
    /// Those of the new members that were sent.
    members: Vec<&'static str>,
    names_agent: bool,
    has_template: bool,
}

impl Sent {
    fn judge(&self, answer: &Answer) -> Result<Outcome> {
        if answer.status >= 400 {
            return Err(self.too_old(answer).unwrap_or_else(|| answer::refusal(answer)));
        }
        let body = answer::parse(answer, Details::Status)?;
        let delegable = body.get("delegable_requested");
        if self.delegable && matches!(delegable, None | Some(Value::Bool(false))) {
            return Err(unsupported(answer, "managed_secret_connect_delegable"));
        }
        if !self.delegable && delegable == Some(&Value::Bool(true)) {
            return Err(self.contradicted(answer, "delegable_requested"));
        }
        if !self.members.is_empty() && body.is_object() && body.get("path").is_none() {
            return Err(unsupported(answer, "managed_secret_connect_provider"));
        }
        if self.provider.is_some() && body.is_object() && body.get("secret_slug").and_then(Value::as_str) != self.provider.as_deref() {
            return Err(self.contradicted(answer, "secret_slug"));
        }
        answer::model(answer, ManagedSecretConnectSession::MODEL, Details::Status)
    }

    fn contradicted(&self, answer: &Answer, field: &str) -> Error {
        let error = answer::unreadable(&format!("has a {field} that is not what was asked for"));
        answer::with_status(error, answer).with_detail("field", field)
    }

    /// The error of a refusal by which a vault of an earlier version shows itself.
    fn too_old(&self, answer: &Answer) -> Option<Error> {
        if answer.status != 422 {
            return None;
        }
        let body: Value = serde_json::from_slice(&answer.body).ok()?;
        let detail = body.get("detail");
        let listed = detail.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let faults = || listed.iter().filter_map(|entry| Some((entry.get("type")?.as_str()?, body_field(entry)?)));
        let code = body.get("error").or_else(|| detail?.get("error")).and_then(Value::as_str);
        let new_member = faults().any(|(kind, field)| kind == "extra_forbidden" && self.members.contains(&field));
        let wants_template = faults().any(|(kind, field)| (kind, field) == ("missing", "template_slug")) && !self.has_template;
        let wants_agent = faults().any(|(kind, field)| (kind, field) == ("missing", "delegated_agent_id")) && !self.names_agent;
        if new_member || wants_template {
            return Some(unsupported(answer, "managed_secret_connect_provider"));
        }
        if wants_agent {
            return Some(unsupported(answer, "agent_managed_secret_connect_session"));
        }
        (code == Some("delegated_agent_id_required") && !self.names_agent).then(|| unsupported(answer, "managed_secret_connect_provider"))
    }
}

/// The body's member that a fault of a request validation is about.
fn body_field(entry: &Value) -> Option<&str> {
    match entry.get("loc")?.as_array()?.as_slice() {
        [place, field] if place == "body" => field.as_str(),
        _ => None,
    }
}

fn unsupported(answer: &Answer, feature: &str) -> Error {
    let error = Error::new(Kind::ServerFeatureUnsupported, format!("The vault is older than what was asked of it ({feature}). Update it."));
    answer::with_status(error.with_detail("feature", feature), answer)
}

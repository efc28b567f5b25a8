//! Connect sessions for accounts: made from arguments, from an error, or to be waited for at once.

use super::answer::{self, Details};
use super::arguments::{self, optional_filled, take_flag, take_span};
use super::connect_poll::ConnectPoll;
use super::plan::{Body, Once, Plan};
use super::policy;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::given::{Args, Given};
use crate::host::Host;
use crate::json;
use crate::model::ConnectSession;
use crate::token::is_canonical_uuid;

const PATH: &str = "/sdk/oauth/connect/session";
const METADATA_KEYS: [&str; 2] = ["ip_address", "user_agent"];

/// `create_connect_session`.
pub(super) fn create<H: Host>(client: &Client<H>, args: &mut Args) -> Result<Plan> {
    session(client, args).map(Plan::Once)
}

fn session<H: Host>(client: &Client<H>, args: &mut Args) -> Result<Once> {
    client.check_open()?;
    let metadata = metadata(args.take_or_null("metadata"))?;
    let providers = providers(args.take_or_null("allowed_providers"))?;
    let distinct = distinct(&providers);
    let direct = take_flag(args, "direct", false)?;
    if direct && distinct != 1 {
        return Err(Error::invalid("direct skips the choice of a provider, so allowed_providers must name exactly one."));
    }
    let switch_account = take_flag(args, "switch_account", false)?;
    let user_rules = take_flag(args, "allow_user_policy_rules", true)?;
    let grant_policy = policy::grant_policy(args.take_or_null("grant_policy"))?;
    let requested_grant = policy::requested_grant(args.take_or_null("requested_grant"), true)?;
    let agent = args.take_or_null("agent");
    let repaired = repaired_grant(args.take_or_null("repair_grant_id"), distinct, requested_grant.is_some(), &agent, switch_account)?;
    let agent = optional_filled("agent", agent)?;
    let delegable = arguments::optional_flag("delegable", args.take_or_null("delegable"))?;
    let scopes = arguments::scope_constraint("scope_constraint", args.take_or_null("scope_constraint"))?;
    let user_token = optional_filled("user_token", args.take_or_null("user_token"))?;
    let login_hint = optional_filled("email", args.take_or_null("email"))?;

    let body = Body::default()
        .json("allowed_providers", providers.as_deref().map_or_else(|| "null".to_owned(), arguments::texts_json))
        .json("return_url", args.take_or_null("return_url").to_json("return_url")?)
        .json("allowed_origin", args.take_or_null("allowed_origin").to_json("allowed_origin")?)
        .json("metadata", metadata.unwrap_or_else(|| "null".to_owned()))
        .json_if("direct", direct.then_some("true"))
        .json_if("switch_account", switch_account.then_some("true"))
        .json_if("allow_user_policy_rules", (!user_rules).then_some("false"))
        .json_if("grant_policy", grant_policy)
        .json_if("required_scopes", arguments::take_json(args, "required_scopes")?)
        .json_if("requested_grant", requested_grant)
        .text_if("repair_grant_id", repaired.as_deref())
        .text_if("agent", agent.as_deref())
        .json_if("delegable", delegable.map(|flag| flag.to_string()))
        .json_if("scope_constraint", scopes.as_deref().map(arguments::texts_json));
    let position = body.len();
    let body = body.text_if("user_token", user_token.as_deref()).text_if("login_hint", login_hint.as_deref());
    let once = Once::post(PATH, body, |answer| answer::model(answer, ConnectSession::MODEL, Details::Status));
    Ok(if user_token.is_none() { once.asking_for_user_token(position, None) } else { once })
}

/// Who the person is, as the application's own request says it.
fn metadata(value: Given) -> Result<Option<String>> {
    let members = match value {
        Given::Null => return Ok(None),
        Given::Map(members) => policy::known_members("metadata", members, &METADATA_KEYS)?,
        other => return Err(Error::wrong_type("metadata", "a map of ip_address and user_agent", other.type_name())),
    };
    let mut body = Vec::new();
    for (name, value) in members {
        if let Some(text) = arguments::optional_text(&format!("metadata[\"{name}\"]"), value)? {
            body.push(format!("\"{name}\":{}", json::ascii(json::string(&text))));
        }
    }
    Ok(Some(format!("{{{}}}", body.join(","))))
}

fn providers(value: Given) -> Result<Option<Vec<String>>> {
    const FIELD: &str = "allowed_providers";
    let entries = match value {
        Given::Null => return Ok(None),
        Given::List(entries) | Given::Tuple(entries) => entries,
        other => return Err(Error::wrong_type(FIELD, "a list of texts", other.type_name())),
    };
    let providers = entries.into_iter().map(|entry| arguments::text_entry(FIELD, entry)).collect::<Result<Vec<_>>>()?;
    if providers.is_empty() {
        return Err(Error::invalid("allowed_providers is empty. Name a provider, or leave it out for all of the application's."));
    }
    if providers.iter().any(|provider| provider.trim().is_empty()) {
        return Err(Error::invalid("allowed_providers holds a blank text. Remove it."));
    }
    Ok(Some(providers))
}

/// How many providers the vault will see: it ignores case and outer spaces.
fn distinct(providers: &Option<Vec<String>>) -> usize {
    let mut known: Vec<String> = providers.iter().flatten().map(|provider| provider.trim().to_lowercase()).collect();
    known.sort_unstable();
    known.dedup();
    known.len()
}

/// The grant that the session renews: one provider, and nothing that would make another grant of it.
fn repaired_grant(value: Given, distinct: usize, has_requested: bool, agent: &Given, switches: bool) -> Result<Option<String>> {
    if value.is_null() {
        return Ok(None);
    }
    let refuse = |what: &str| Err(Error::invalid(format!("repair_grant_id renews one grant, so {what}.")));
    if distinct != 1 {
        return refuse("allowed_providers must name exactly its provider");
    }
    if has_requested {
        return refuse("it cannot stand beside requested_grant");
    }
    if !agent.is_null() {
        return refuse("it cannot stand beside agent");
    }
    if switches {
        return refuse("it cannot stand beside switch_account");
    }
    arguments::uuid("repair_grant_id", value).map(Some)
}

/// The attributes of an error that say how to get past it, by name; its class and that class's ancestors stand under `classes`.
///
/// `create_connect_session_for_error`: a session that mends what an error told.
pub(super) fn create_for_error<H: Host>(client: &Client<H>, args: &mut Args) -> Result<Plan> {
    let Some(Given::Map(error)) = args.take("error") else {
        return Err(Error::invalid("error is missing. Give the exception that a call raised."));
    };
    let attribute = |wanted: &str| {
        let found = error.iter().find(|(name, _)| name.as_text() == Some(wanted));
        found.map_or(Given::Null, |(_, value)| value.clone())
    };
    let is_a = |class: &str| matches!(attribute("classes"), Given::List(names) if names.iter().any(|name| name.as_text() == Some(class)));
    let provider = attribute("provider_id");
    if provider.is_null() {
        return Err(Error::invalid("error names no provider, so there is nothing to connect. Use create_connect_session()."));
    }
    let agent = attribute("agent_id");
    if agent.is_null() && is_a("NoDelegatedGrantError") {
        return Err(Error::invalid("error names no agent, so there is nobody to delegate to. Use create_connect_session(agent=…)."));
    }
    let mut wanted = Args::new();
    for name in ["allowed_origin", "return_url", "metadata", "grant_policy", "required_scopes", "user_token"] {
        wanted.push(name, args.take_or_null(name));
    }
    wanted.push("allowed_providers", Given::List(vec![provider]));
    wanted.push("agent", agent);
    let repaired = if is_a("CredentialRevokedError") { attribute("grant_id") } else { Given::Null };
    // The vault's answer is not checked where it is read; an id that is none cannot name the grant.
    if !repaired.as_text().is_some_and(|id| is_canonical_uuid(&id.to_ascii_lowercase())) {
        return create(client, &mut wanted);
    }
    let first = session(client, &mut wanted.clone().with("repair_grant_id", repaired))?;
    Ok(Plan::UnlessNotFound(first, Box::new(create(client, &mut wanted)?)))
}

/// `connect`: a session, a visit to it, and the wait.
pub(super) fn connect<H: Host>(client: &Client<H>, args: &mut Args) -> Result<Plan> {
    client.check_open()?;
    let poll = ConnectPoll::timed(take_timing(args)?);
    // Only whether it is something: programs hand on what they have.
    let open_browser = args.take("open_browser").is_none_or(|wanted| !wanted.is_falsy());
    let providers = args.take_or_null("providers");
    let required = required_scopes(args.take_or_null("scopes"), &providers)?;
    let mut wanted = Args::new().with("allowed_providers", providers).with("required_scopes", required);
    for name in ["grant_policy", "allow_user_policy_rules", "direct", "email"] {
        if let Some(value) = args.take(name) {
            wanted.push(name, value);
        }
    }
    Ok(Plan::Connect { session: session(client, &mut wanted)?, poll, open_browser })
}

/// `timeout` and `poll_interval` of the calls that wait for a person.
pub(super) fn take_timing(args: &mut Args) -> Result<(arguments::Span, arguments::Span)> {
    let timeout = take_span(args, "timeout", Given::Whole(300))?;
    let interval = take_span(args, "poll_interval", Given::Number(2.0))?;
    Ok((timeout, interval))
}

/// `scopes` of `connect`: a map by provider, or a list for the one provider that is named.
fn required_scopes(value: Given, providers: &Given) -> Result<Given> {
    let Given::List(scopes) = value else { return Ok(value) };
    match providers {
        Given::List(named) | Given::Tuple(named) if named.len() == 1 => Ok(Given::Map(vec![(named[0].clone(), Given::List(scopes))])),
        _ => Err(Error::invalid("scopes is a list, which fits exactly one provider. Name one in providers, or give a map by provider.")),
    }
}

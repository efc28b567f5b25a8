//! Managed agents: create, look up, change, end.

use serde_json::{Map, Value};

use super::answer::{self, Details};
use super::arguments::{self, take_json, take_truth, whole};
use super::outcome::Outcome;
use super::plan::{Body, Once, Plan};
use super::target::{Target, segment};
use crate::client::Client;
use crate::error::{Error, Result};
use crate::given::{Args, Given};
use crate::host::{Answer, Host};
use crate::json;
use crate::model::{AgentCreateResult, AgentInfo, AgentListResult, Model};

pub(super) const PATH: &str = "/sdk/agents";

/// Most agents of one page.
const LARGEST_PAGE: i128 = 1000;
const DEFAULT_PAGE: i128 = 100;
/// Largest map of scopes, in bytes of its JSON in UTF-8.
const LARGEST_SCOPES: usize = 12_288;
/// Longest time that a narrowing can wait, in seconds.
const LONGEST_GRACE: i128 = 604_800;

/// `agents.create`.
pub(super) fn create<H: Host>(_client: &Client<H>, args: &mut Args) -> Result<Plan> {
    let name = args.take_or_null("name");
    if name.is_falsy() {
        return Err(Error::invalid("name is missing or empty. Give a short name, for example \"email-assistant\"."));
    }
    let kind = match args.take_or_null("type") {
        Given::Null => "agent",
        Given::Text(text) if text == "agent" => "agent",
        Given::Text(text) if text == "service" => "service",
        _ => return Err(Error::invalid("type must be \"agent\" or \"service\".")),
    };
    let scopes = scopes(args.take("scopes").unwrap_or_else(|| Given::Map(Vec::new())))?;
    let idempotency_key = idempotency_key(args.take_or_null("idempotency_key"))?;
    let metadata = match args.take_or_null("metadata") {
        nothing if nothing.is_falsy() => "{}".to_owned(),
        metadata => metadata.to_json("metadata")?,
    };
    let body = Body::default()
        .json("name", name.to_json("name")?)
        .text("type", kind)
        .json("scopes", scopes)
        .json("metadata", metadata)
        .json_if("display_name", take_json(args, "display_name")?)
        .json_if("policy", take_json(args, "policy")?);
    let mut once = Once::post(PATH, body, |answer| agent_model(answer, AgentCreateResult::MODEL)).in_context();
    once.idempotency_key = idempotency_key;
    Ok(Plan::Once(once))
}

/// A key for the header of that name. An empty one is sent, and means nothing.
fn idempotency_key(value: Given) -> Result<Option<String>> {
    let Some(key) = arguments::optional_text("idempotency_key", value)? else { return Ok(None) };
    if key.is_empty() {
        return Ok(Some(key));
    }
    if !key.bytes().all(|byte| (0x20..=0x7e).contains(&byte)) || key.trim() != key {
        return Err(Error::invalid("idempotency_key must be printable ASCII without spaces at its ends, since it stands in a header."));
    }
    Ok(Some(key))
}

/// What an agent may ask for, as JSON: texts by provider. An empty map allows nothing.
///
/// # Errors
/// `AlterValueError` for anything else, blank or padded texts, empty lists, and more than 12,288 bytes.
fn scopes(value: Given) -> Result<String> {
    const FIELD: &str = "scopes";
    let Given::Map(members) = value else { return Err(Error::wrong_type(FIELD, "a map of lists of texts", value.type_name())) };
    for (name, entries) in &members {
        let name = clean("a key of scopes", name)?;
        let field = format!("scopes[{}]", crate::url::quoted(name));
        match entries {
            Given::List(entries) if !entries.is_empty() => {
                for entry in entries {
                    clean(&format!("an entry of {field}"), entry)?;
                }
            }
            Given::List(_) => return Err(Error::invalid(format!("{field} is empty. Leave the key out to allow nothing of it."))),
            other => return Err(Error::wrong_type(&field, "a list of texts", other.type_name())),
        }
    }
    let text = Given::Map(members).to_json_utf8(FIELD)?;
    if text.len() > LARGEST_SCOPES {
        return Err(Error::invalid(format!("scopes has {} bytes as JSON; {LARGEST_SCOPES} is the most.", text.len())));
    }
    Ok(json::ascii(text))
}

/// A text that is not blank and has no spaces at its ends.
fn clean<'a>(what: &str, value: &'a Given) -> Result<&'a str> {
    let text = value.as_text().ok_or_else(|| Error::wrong_type(what, "text", value.type_name()))?;
    match text.trim() {
        "" => Err(Error::invalid(format!("{what} is blank."))),
        trimmed if trimmed != text => Err(Error::invalid(format!("{what} begins or ends with a space. Remove it."))),
        _ => Ok(text),
    }
}

/// `agents.list`.
pub(super) fn list<H: Host>(_client: &Client<H>, args: &mut Args) -> Result<Plan> {
    let include_revoked = take_truth(args, "include_revoked");
    let (limit, offset) = arguments::take_page(args, DEFAULT_PAGE, LARGEST_PAGE)?;
    let target = Target::path(PATH).with("include_revoked", include_revoked).with("limit", limit).with("offset", offset);
    Ok(Plan::Once(Once::get(target, page).in_context()))
}

/// The wire has `items` where the model has `agents`.
fn page(answer: &Answer) -> Result<Outcome> {
    let mut body = object_with_items(answer)?;
    if let Some(items) = body.shift_remove("items") {
        body.insert("agents".to_owned(), items);
    }
    read(answer, body, AgentListResult::MODEL)
}

/// Reads a model whose `items` are a list, see [`agent_model`].
///
/// # Errors
/// As [`agent_model`].
pub(super) fn list_model(answer: &Answer, model: &'static Model) -> Result<Outcome> {
    let body = object_with_items(answer)?;
    read(answer, body, model)
}

fn object_with_items(answer: &Answer) -> Result<Map<String, Value>> {
    let body = agents_object(answer)?;
    if body.get("items").is_some_and(Value::is_array) {
        return Ok(body);
    }
    let keys: Vec<&str> = body.keys().map(String::as_str).collect();
    Err(answer::unreadable("has no list under \"items\"").with_detail("received_keys", keys))
}

/// `agents.get_by_name`.
pub(super) fn get_by_name<H: Host>(_client: &Client<H>, args: &mut Args) -> Result<Plan> {
    let name = match args.take_or_null("name") {
        nothing if nothing.is_falsy() => return Err(Error::invalid("name is missing or empty. Give the agent's name.")),
        given => given.printed().ok_or_else(|| Error::wrong_type("name", "text", given.type_name()))?,
    };
    let target = Target::path(PATH).with("name", name);
    Ok(Plan::Once(Once::get(target, first).in_context()))
}

fn first(answer: &Answer) -> Result<Outcome> {
    match agents_object(answer)?.get("items") {
        Some(Value::Array(agents)) => match agents.first() {
            Some(agent) => AgentInfo::MODEL
                .read(agent)
                .map(|fields| Outcome::One(AgentInfo::MODEL, fields))
                .map_err(|fault| answer::malformed(answer, agent, &fault, Details::Faults)),
            None => Ok(Outcome::Nothing),
        },
        None | Some(Value::Null) => Ok(Outcome::Nothing),
        Some(_) => Err(answer::unreadable("has something other than a list under \"items\"")),
    }
}

/// `agents.get`.
pub(super) fn get<H: Host>(_client: &Client<H>, args: &mut Args) -> Result<Plan> {
    Ok(Plan::Once(read_agent(&take_agent(args)?)))
}

fn read_agent(agent: &str) -> Once {
    Once::get(format!("{PATH}/{agent}"), |answer| agent_model(answer, AgentInfo::MODEL)).in_context()
}

/// `me`.
pub(super) fn me<H: Host>(_client: &Client<H>, _args: &mut Args) -> Result<Plan> {
    Ok(Plan::Once(read_agent("me")))
}

/// `agents.update`. A change of the scopes needs the version that it is made to: it is read first unless the program names it.
pub(super) fn update<H: Host>(_client: &Client<H>, args: &mut Args) -> Result<Plan> {
    let agent = take_agent(args)?;
    let scopes = match args.take_or_null("scopes") {
        Given::Null => None,
        given => Some(scopes(given)?),
    };
    let version = optional_whole("expected_version", args, 1, None)?;
    let grace = args.take_or_null("grace_seconds");
    if scopes.is_none() && !grace.is_null() {
        return Err(Error::invalid("grace_seconds is how long a narrowing of scopes waits; give scopes, too."));
    }
    let grace = match grace {
        Given::Null => None,
        given => Some(whole("grace_seconds", given, 0, Some(LONGEST_GRACE))?),
    };
    let needs_version = scopes.is_some() && version.is_none();
    let body = Body::default()
        .json_if("display_name", take_json(args, "display_name")?)
        .json_if("metadata", take_json(args, "metadata")?)
        .json_if("scopes", scopes)
        .json_if("policy", take_json(args, "policy")?);
    if !needs_version {
        return Ok(Plan::Once(change(&agent, grace, version, body)));
    }
    let first = read_agent(&agent);
    Ok(Plan::Then(
        first,
        Box::new(move |known| {
            let Outcome::One(_, fields) = known else { return Err(answer::unreadable("is no agent")) };
            let version = fields.get("version").and_then(Value::as_i64).map(i128::from);
            Ok(Plan::Once(change(&agent, grace, version, body)))
        }),
    ))
}

fn optional_whole(field: &str, args: &mut Args, least: i128, most: Option<i128>) -> Result<Option<i128>> {
    match args.take_or_null(field) {
        Given::Null => Ok(None),
        given => whole(field, given, least, most).map(Some),
    }
}

fn change(agent: &str, grace: Option<i128>, version: Option<i128>, body: Body) -> Once {
    let target = Target::path(format!("{PATH}/{agent}")).with_some("grace_seconds", grace).with_some("expected_version", version);
    Once::patch(target, body, |answer| agent_model(answer, AgentInfo::MODEL)).in_context()
}

/// `agents.suspend`.
pub(super) fn suspend<H: Host>(_client: &Client<H>, args: &mut Args) -> Result<Plan> {
    Ok(Plan::Once(change(&take_agent(args)?, None, None, Body::default().text("status", "inactive"))))
}

/// `agents.resume`.
pub(super) fn resume<H: Host>(_client: &Client<H>, args: &mut Args) -> Result<Plan> {
    Ok(Plan::Once(change(&take_agent(args)?, None, None, Body::default().text("status", "active"))))
}

/// `agents.delete`.
pub(super) fn delete<H: Host>(_client: &Client<H>, args: &mut Args) -> Result<Plan> {
    let path = format!("{PATH}/{}", take_agent(args)?);
    Ok(Plan::Once(Once::delete(path, |answer| agent_model(answer, AgentInfo::MODEL)).in_context()))
}

/// The agent's id as a segment of a path.
pub(super) fn take_agent(args: &mut Args) -> Result<String> {
    segment("agent_id", &arguments::filled("agent_id", args.take_or_null("agent_id"))?)
}

/// Reads a model of this part of the API: statuses other than 2xx are refusals, and no body is an empty object.
///
/// # Errors
/// What the vault said, or `BackendError` for an answer that is not the model.
pub(super) fn agent_model(answer: &Answer, model: &'static Model) -> Result<Outcome> {
    let body = agents_object(answer)?;
    read(answer, body, model)
}

fn read(answer: &Answer, body: Map<String, Value>, model: &'static Model) -> Result<Outcome> {
    let body = Value::Object(body);
    let fields = model.read(&body).map_err(|fault| answer::malformed(answer, &body, &fault, Details::Faults))?;
    Ok(Outcome::One(model, fields))
}

fn agents_object(answer: &Answer) -> Result<Map<String, Value>> {
    if !(200..300).contains(&answer.status) {
        return Err(answer::agents_refusal(answer));
    }
    if answer.status == 204 || answer.body.is_empty() {
        return Ok(Map::new());
    }
    match answer::parse(answer, Details::Status)? {
        Value::Object(body) => Ok(body),
        other => Err(answer::unreadable("is not an object").with_detail("received_type", answer::json_type(&other))),
    }
}

//! Calls that the vault makes itself: `proxy_request`.

use super::answer::{self, Details};
use super::approvals;
use super::arguments::{self, optional_filled, take_json};
use super::outcome::Outcome;
use super::plan::{Body, ContextOf, Once, Plan};
use crate::client::options::check_caller;
use crate::client::{Client, ClientKind};
use crate::context;
use crate::error::{Error, Kind, Result};
use crate::given::{Args, Given};
use crate::host::{Answer, Host};
use crate::injection::is_reserved_header;
use crate::model::{ApprovalResult, PendingApproval};
use crate::url::{quoted, template};

pub(super) const PATH: &str = "/sdk/proxy";

/// Longest idempotency key, in characters.
const LONGEST_IDEMPOTENCY_KEY: usize = 255;

/// `proxy_request`. What a method and a URL may be is the vault's to say, since it makes the call.
pub(super) fn request<H: Host>(client: &Client<H>, args: &mut Args) -> Result<Plan> {
    client.check_open()?;
    let mut body = Body::default();
    let address = address(args)?;
    let user_token = optional_filled("user_token", args.take_or_null("user_token"))?;
    let app_user_id = optional_filled("app_user_id", args.take_or_null("app_user_id"))?;
    if app_user_id.is_some() && !address.by_provider() {
        return Err(Error::invalid("app_user_id needs provider: a grant_id names one grant already."));
    }
    let method = arguments::filled("method", args.take_or_null("method"))?.to_uppercase();
    let url = arguments::filled("url", args.take_or_null("url"))?;
    let json = take_body(args)?;
    let headers = take_headers(args)?;
    let query = take_query(args)?;
    let url = template::fill(&url, &take_path_params(args)?)?;

    body = address.into_members(body.text("method", &method).text("url", &url));
    let position = body.len();
    let asks = user_token.is_none();
    body = body
        .text_if("user_token", user_token.as_deref())
        .text_if("app_user_id", app_user_id.as_deref())
        .json_if("body", json)
        .json_if("headers", headers)
        .json_if("query_params", query)
        .json_if("reason", take_json(args, "reason")?)
        .text_if("idempotency_key", take_idempotency_key(args)?.as_deref());
    let caller = take_caller(args)?;
    let context = take_context(args)?;

    let is_agent = client.shared.options.kind != ClientKind::App;
    let mut once = Once::post(PATH, body, move |answer| judge(answer).map_err(|error| if is_agent { missing(error) } else { error }));
    once.caller = caller;
    once.context = context;
    Ok(Plan::Once(if asks { once.asking_for_user_token(position, None) } else { once }))
}

/// Which grant is meant.
enum Address {
    Grant(String),
    Provider { provider: String, account: Option<String>, label: Option<String> },
}

impl Address {
    fn by_provider(&self) -> bool {
        matches!(self, Self::Provider { .. })
    }

    fn into_members(self, body: Body) -> Body {
        match self {
            Self::Grant(grant) => body.text("grant_id", &grant),
            Self::Provider { provider, account, label } => {
                body.text("provider_id", &provider).text_if("account", account.as_deref()).text_if("label", label.as_deref())
            }
        }
    }
}

fn address(args: &mut Args) -> Result<Address> {
    let grant = match args.take_or_null("grant_id") {
        Given::Id(id) => Some(id),
        given => optional_filled("grant_id", given)?,
    };
    let provider = optional_filled("provider", args.take_or_null("provider"))?;
    let account = optional_filled("account", args.take_or_null("account"))?;
    let label = optional_filled("label", args.take_or_null("label"))?;
    match (grant, provider) {
        (None, None) => Err(Error::invalid("proxy_request() needs grant_id or provider, to know whose credential to use.")),
        (Some(_), Some(_)) => Err(Error::invalid("proxy_request() takes grant_id or provider, not both.")),
        (Some(_), None) if account.is_some() => Err(Error::invalid("account needs provider: a grant_id names one grant already.")),
        (Some(_), None) if label.is_some() => Err(Error::invalid("label needs provider: a grant_id names one grant already.")),
        (Some(grant), None) => Ok(Address::Grant(grant)),
        (None, Some(provider)) => Ok(Address::Provider { provider, account, label }),
    }
}

/// The body as JSON, under either of its names. Null is no body: a JSON null cannot be sent.
fn take_body(args: &mut Args) -> Result<Option<String>> {
    let (json, json_body) = (args.take_or_null("json"), args.take_or_null("json_body"));
    if !json.is_null() && !json_body.is_null() {
        return Err(Error::invalid("json and json_body are two names of one argument; give one."));
    }
    let (field, value) = if json.is_null() { ("json_body", json_body) } else { ("json", json) };
    match value {
        Given::Null => Ok(None),
        Given::Flag(_) | Given::Whole(_) | Given::Large(_) | Given::Number(_) | Given::Text(_) | Given::List(_) | Given::Map(_) => {
            value.to_json(field).map(Some)
        }
        other => Err(Error::wrong_type(field, "a map, a list, text, a number or a boolean", other.type_name())),
    }
}

fn take_headers(args: &mut Args) -> Result<Option<String>> {
    let (extra, headers) = (args.take_or_null("extra_headers"), args.take_or_null("headers"));
    if !extra.is_null() && !headers.is_null() {
        return Err(Error::invalid("extra_headers and headers are two names of one argument; give one."));
    }
    let (field, value) = if extra.is_null() { ("headers", headers) } else { ("extra_headers", extra) };
    let members = match value {
        Given::Null => return Ok(None),
        Given::Map(members) => members,
        other => return Err(Error::wrong_type(field, "a map of text to text", other.type_name())),
    };
    for (name, value) in &members {
        check_header(field, name, value)?;
    }
    Given::Map(members).to_json(field).map(Some)
}

fn check_header(field: &str, name: &Given, value: &Given) -> Result<()> {
    let Some(name) = name.as_text() else {
        return Err(Error::invalid(format!("{field} has a name that is {}; every name must be text.", name.type_name())));
    };
    let shown = quoted(name);
    if value.as_text().is_none() {
        return Err(Error::invalid(format!("{field}[{shown}] must be text, not {}.", value.type_name())));
    }
    if is_reserved_header(name) {
        return Err(Error::invalid(format!("{field} sets {shown}, which only the vault may set. Remove it.")));
    }
    if http::header::HeaderName::from_bytes(name.as_bytes()).is_err() {
        return Err(Error::invalid(format!("{field} has a name that is no header name: {shown}.")));
    }
    Ok(())
}

fn take_query(args: &mut Args) -> Result<Option<String>> {
    match args.take_or_null("query_params") {
        Given::Null => Ok(None),
        map @ Given::Map(_) => map.to_json("query_params").map(Some),
        other => Err(Error::wrong_type("query_params", "a map", other.type_name())),
    }
}

fn take_path_params(args: &mut Args) -> Result<Vec<(String, String)>> {
    match args.take_or_null("path_params") {
        Given::Null => Ok(Vec::new()),
        given => texts("path_params", given),
    }
}

/// A map of text to text.
fn texts(field: &str, value: Given) -> Result<Vec<(String, String)>> {
    let Given::Map(members) = value else { return Err(Error::wrong_type(field, "a map of text to text", value.type_name())) };
    let text = |given: Given| match given {
        Given::Text(text) => Ok(text),
        other => Err(Error::invalid(format!("{field} holds {}; every name and value must be text.", other.type_name()))),
    };
    members.into_iter().map(|(name, value)| Ok((text(name)?, text(value)?))).collect()
}

/// Ours: the same key never runs twice, whatever happens in between.
fn take_idempotency_key(args: &mut Args) -> Result<Option<String>> {
    const FIELD: &str = "idempotency_key";
    let Some(key) = optional_filled(FIELD, args.take_or_null(FIELD))? else { return Ok(None) };
    if !key.bytes().all(|byte| (0x20..=0x7e).contains(&byte)) {
        return Err(Error::invalid("idempotency_key must be printable ASCII, for example the id of an order."));
    }
    match key.len() {
        length if length > LONGEST_IDEMPOTENCY_KEY => {
            Err(Error::invalid(format!("idempotency_key has {length} characters; {LONGEST_IDEMPOTENCY_KEY} is the most.")))
        }
        _ => Ok(Some(key)),
    }
}

fn take_caller(args: &mut Args) -> Result<Option<String>> {
    let Some(caller) = arguments::optional_text("caller", args.take_or_null("caller"))? else { return Ok(None) };
    check_caller(&caller)?;
    if caller.trim() != caller {
        return Err(Error::invalid("caller begins or ends with a space, which HTTP drops. Remove it."));
    }
    Ok(Some(caller))
}

/// The call's own context, also an empty one, wins over that of its surroundings.
fn take_context(args: &mut Args) -> Result<ContextOf> {
    match args.take_or_null("context") {
        Given::Null => Ok(ContextOf::Surroundings),
        given => Ok(ContextOf::Call(context::header(&texts("context", given)?)?)),
    }
}

fn judge(answer: &Answer) -> Result<Outcome> {
    match answer.status {
        200 => answer::model(answer, ApprovalResult::MODEL, Details::Status),
        202 => answer::model(answer, PendingApproval::MODEL, Details::Status),
        _ => Err(approvals::refusal(answer)),
    }
}

/// A grant that an agent's client does not find was not delegated to it.
fn missing(error: Error) -> Error {
    match error.kind() {
        Kind::GrantNotFound => error
            .with_kind(Kind::AgentDelegationMissing)
            .with_message("No such grant is delegated to this agent. Ask its owner to delegate one, or check the grant_id."),
        _ => error,
    }
}

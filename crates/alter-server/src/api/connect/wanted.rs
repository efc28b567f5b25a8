//! What the two kinds of Connect sessions are asked with alike.

use http::StatusCode;
use serde_json::json;

use super::session::Leave;
use crate::api::Vault;
use crate::api::acting::Acting;
use crate::api::members::Members;
use crate::api::refusal::Refusal;
use crate::model::{Agent, AgentId, AgentStatus, App, AppId, Restrictions};
use crate::store::Lookup;

const LONGEST_LABEL: usize = 255;
const LONGEST_CLAIM: usize = 1024;

/// The app, with what its operator has set.
///
/// # Errors
/// 500 if there is none, which a key's app cannot be.
pub async fn app(vault: &Vault, app: AppId) -> Result<App, Refusal> {
    vault.store.app(app).await?.ok_or_else(Refusal::internal)
}

/// Takes `return_url` and `allowed_origin`, which the app's operator must have allowed.
///
/// # Errors
/// 400 `invalid_return_url`, `invalid_origin`.
pub fn leave(members: &mut Members, app: &App) -> Result<Leave, Refusal> {
    let leave = Leave { return_url: members.text("return_url")?, allowed_origin: members.text("allowed_origin")? };
    if leave.return_url.as_ref().is_some_and(|url| !app.settings.allows_return(url)) {
        let message =
            "return_url is not one that this application may send people to. An operator allows it with `alter app set --return-url`.";
        return Err(Refusal::bad_request("invalid_return_url", message));
    }
    if leave.allowed_origin.as_ref().is_some_and(|origin| !app.settings.allows_origin(origin)) {
        let message = "allowed_origin is not one that this application may tell results to. An operator allows it with `alter app set --allowed-origin`.";
        return Err(Refusal::bad_request("invalid_origin", message));
    }
    Ok(leave)
}

/// Takes `metadata`, which is only written down: what the application says about the person's browser, as JSON.
///
/// # Errors
/// 400 for anything but the two members it may have.
pub fn metadata(members: &mut Members) -> Result<Option<String>, Refusal> {
    let Some(mut given) = members.object("metadata")? else { return Ok(None) };
    let clipped = |text: String| text.chars().take(LONGEST_CLAIM).collect::<String>();
    let (address, agent) = (given.text("ip_address")?.map(clipped), given.text("user_agent")?.map(clipped));
    given.nothing_else()?;
    Ok(Some(json!({ "claimed_ip_address": address, "claimed_user_agent": agent }).to_string()))
}

/// What `requested_grant` says.
#[derive(Debug, Default)]
pub struct RequestedGrant {
    /// The label.
    pub label: Option<String>,
    /// Which calls it is for.
    pub restrictions: Option<Restrictions>,
}

/// Takes `requested_grant`. `restrictable` says whether it may have restrictions.
///
/// # Errors
/// 422 `invalid_requested_grant`.
pub fn requested_grant(members: &mut Members, restrictable: bool) -> Result<Option<RequestedGrant>, Refusal> {
    let unprocessable = |refusal: Refusal| Refusal::unprocessable("invalid_requested_grant", refusal.message().to_owned());
    read_grant(members, restrictable).map_err(unprocessable)
}

fn read_grant(members: &mut Members, restrictable: bool) -> Result<Option<RequestedGrant>, Refusal> {
    let Some(mut given) = members.object("requested_grant")? else { return Ok(None) };
    let label = given.required_text("label")?;
    if label.chars().count() > LONGEST_LABEL {
        return Err(given.invalid("label", &format!("must have at most {LONGEST_LABEL} characters")));
    }
    let restrictions = if restrictable { crate::api::grants::policy::restrictions(&mut given)? } else { None };
    given.nothing_else()?;
    Ok(Some(RequestedGrant { label: Some(label), restrictions }))
}

/// The agent whose own key asks.
pub fn own_agent(acting: &Acting) -> Option<&Agent> {
    match acting {
        Acting::Agent { agent, through_app: false } => Some(agent),
        _ => None,
    }
}

/// The agent that gets the access: the one that is named, or the one whose own key asks.
///
/// # Errors
/// 404 `agent_not_found`, 400 `agent_cannot_delegate_to_other_agent`.
pub async fn agent(vault: &Vault, app: AppId, acting: &Acting, named: Option<&str>) -> Result<Option<Agent>, Refusal> {
    let own = own_agent(acting);
    let Some(named) = named else { return Ok(own.cloned()) };
    let found = match AgentId::parse(&named.to_ascii_lowercase()) {
        Some(id) => match vault.store.agent(app, id).await? {
            Lookup::Found(agent) => Some(agent),
            _ => None,
        },
        None => vault.store.agent_by_name(app, named.to_owned()).await?,
    };
    let found = found.filter(|agent| agent.status == AgentStatus::Active).ok_or_else(|| {
        let message = "agent names no active agent of this application. List agents to find its id or name.";
        Refusal::new(StatusCode::NOT_FOUND, "agent_not_found", message)
    })?;
    if own.is_some_and(|own| own.id != found.id) {
        let message = "An agent asks for access for itself only. Leave agent out, or use the application's key.";
        return Err(Refusal::bad_request("agent_cannot_delegate_to_other_agent", message));
    }
    Ok(Some(found))
}

/// Whether the session may skip pages of ours: not if there is something to ask the person.
pub const fn direct(asked: bool, repair: bool, delegable: Option<bool>) -> bool {
    repair || (asked && !matches!(delegable, Some(true)))
}

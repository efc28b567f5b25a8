//! Keys of managed agents.

use super::agents::{PATH, agent_model, list_model, take_agent};
use super::arguments::take_truth;
use super::plan::{Body, Once, Plan};
use super::target::{Target, segment};
use crate::client::Client;
use crate::error::{Error, Result};
use crate::given::{Args, Given};
use crate::host::Host;
use crate::model::{AgentKey, AgentKeyList, AgentKeyMintResult};

/// `agents.mint_key`.
pub(super) fn mint<H: Host>(_client: &Client<H>, args: &mut Args) -> Result<Plan> {
    let path = format!("{PATH}/{}/keys", take_agent(args)?);
    Ok(Plan::Once(Once::post(path, Body::default(), |answer| agent_model(answer, AgentKeyMintResult::MODEL)).in_context()))
}

/// `agents.list_keys`.
pub(super) fn list<H: Host>(_client: &Client<H>, args: &mut Args) -> Result<Plan> {
    let path = format!("{PATH}/{}/keys", take_agent(args)?);
    Ok(Plan::Once(Once::get(path, |answer| list_model(answer, AgentKeyList::MODEL)).in_context()))
}

/// `agents.deprecate_key`.
pub(super) fn deprecate<H: Host>(_client: &Client<H>, args: &mut Args) -> Result<Plan> {
    mark(args, "deprecate")
}

/// `agents.undeprecate_key`.
pub(super) fn undeprecate<H: Host>(_client: &Client<H>, args: &mut Args) -> Result<Plan> {
    mark(args, "undeprecate")
}

fn mark(args: &mut Args, verb: &str) -> Result<Plan> {
    let path = format!("{}/{verb}", take_key(args)?);
    Ok(Plan::Once(Once::patch(path, Body::default(), |answer| agent_model(answer, AgentKey::MODEL)).in_context()))
}

/// `agents.revoke_key`.
pub(super) fn revoke<H: Host>(_client: &Client<H>, args: &mut Args) -> Result<Plan> {
    let path = take_key(args)?;
    let force = take_truth(args, "force").then_some("true");
    let target = Target::path(path).with_some("force", force);
    Ok(Plan::Once(Once::delete(target.into(), |answer| agent_model(answer, AgentKey::MODEL)).in_context()))
}

/// The path of an agent's key.
fn take_key(args: &mut Args) -> Result<String> {
    let agent = take_agent(args)?;
    let key = match args.take_or_null("key_id") {
        Given::Text(key) if !key.is_empty() => key,
        nothing if nothing.is_falsy() => return Err(Error::invalid("key_id is missing or empty. Give the key's id.")),
        other => return Err(Error::wrong_type("key_id", "text", other.type_name())),
    };
    Ok(format!("{PATH}/{agent}/keys/{}", segment("key_id", &key)?))
}

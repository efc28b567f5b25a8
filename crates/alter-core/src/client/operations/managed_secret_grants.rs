//! `create_managed_secret_grant`: a stored secret for somebody.

use serde_json::Value;

use super::answer::{self, Details};
use super::arguments;
use super::plan::{Body, Once, Plan};
use super::policy;
use crate::client::{Client, ClientKind};
use crate::error::{Error, Result};
use crate::given::{Args, Given};
use crate::host::Host;
use crate::json;
use crate::model::{AgentPrincipal, CreateGrantResult, PRINCIPAL};

/// `create_managed_secret_grant`.
pub(super) fn create<H: Host>(client: &Client<H>, args: &mut Args) -> Result<Plan> {
    client.check_open()?;
    let secret = arguments::uuid("managed_secret_id", args.take_or_null("managed_secret_id"))?;
    let principal = principal(args.take_or_null("principal"), client.shared.options.kind)?;
    let policy = policy::grant_policy(args.take_or_null("grant_policy"))?.unwrap_or_else(|| "{}".to_owned());
    let credential = arguments::optional_filled("credential_id", args.take_or_null("credential_id"))?;
    let body = Body::default().json("principal", principal).json("grant_policy", policy).text_if("credential_id", credential.as_deref());
    Ok(Plan::Once(Once::post(format!("/sdk/managed-secrets/{secret}/grants"), body, |answer| {
        answer::model(answer, CreateGrantResult::MODEL, Details::Keys)
    })))
}

/// A principal's class, or a map with its `type`, as JSON. An agent speaks for nobody but itself.
fn principal(value: Given, kind: ClientKind) -> Result<String> {
    let refused = |given: &Given| {
        Error::wrong_type(
            "principal",
            "a UserPrincipal, GroupPrincipal, SystemPrincipal or AgentPrincipal, or a map with its type",
            given.type_name(),
        )
    };
    let model = match &value {
        Given::Model(name, _) => PRINCIPAL.models.iter().copied().find(|model| model.name == name).ok_or_else(|| refused(&value))?,
        Given::Map(members) => {
            let named = members.iter().find(|(name, _)| name.as_text() == Some("type")).and_then(|(_, value)| value.as_text());
            let named = named.map(Value::from);
            PRINCIPAL
                .of(named.as_ref())
                .ok_or_else(|| Error::invalid("principal[\"type\"] must be \"user\", \"group\", \"system\" or \"agent\"."))?
        }
        _ => return Err(refused(&value)),
    };
    if kind != ClientKind::App && model.name != AgentPrincipal::MODEL.name {
        return Err(Error::invalid("principal[\"type\"] must be \"agent\" here: an agent's client makes grants for the agent itself."));
    }
    let text = value.to_json("principal")?;
    let value: Value = serde_json::from_str(&text).map_err(|_| Error::invalid("principal cannot be sent."))?;
    let fields = model.read(&value).map_err(|fault| Error::invalid(format!("principal[\"{}\"] {}.", fault.path, fault.problem)))?;
    Ok(json::ascii(Value::Object(fields).to_string()))
}

//! Who acts: the app by its own key, an agent by the agent's key, or an agent through the app that speaks for it.

use http::StatusCode;

use super::Vault;
use super::identity::Identity;
use super::judge::reach::Reach;
use super::refusal::Refusal;
use crate::model::{Agent, AgentId, AgentStatus, ApiKey};

/// Who acts in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acting {
    /// The app.
    App,
    /// An agent of the app.
    Agent {
        /// The agent. It is active, but for the calls that a suspended one may make.
        agent: Box<Agent>,
        /// Whether the app's key speaks for it (`X-Alter-Caller` holds its id).
        through_app: bool,
    },
}

impl Acting {
    /// Finds out who acts. To speak for an agent, the app's key needs `agents:admin`: it can then do what the agent can.
    ///
    /// With `while_suspended` the key of a suspended agent is good enough.
    ///
    /// # Errors
    /// 401 `agent_inactive` for the key of an agent that is not active, 404 `caller_agent_unresolved` if the named agent is not an active one of
    /// the app or not the key's own, 403 `insufficient_scope`.
    pub async fn of(vault: &Vault, key: &ApiKey, reach: &Reach, identity: &Identity<'_>, while_suspended: bool) -> Result<Self, Refusal> {
        let named = identity.named_agent();
        match (key.agent, named) {
            (None, None) => Ok(Self::App),
            (None, Some(named)) => {
                let agent = own_agent(vault, key, AgentId(named)).await?.filter(|agent| agent.status == AgentStatus::Active);
                let agent = agent.ok_or_else(unresolved)?;
                reach.require("agents:admin")?;
                Ok(Self::Agent { agent: Box::new(agent), through_app: true })
            }
            (Some(own), Some(named)) if own.0 != named => Err(unresolved().because("an agent's key named another agent")),
            (Some(own), _) => {
                let agent = own_agent(vault, key, own).await?.ok_or_else(inactive)?;
                let may_act = match agent.status {
                    AgentStatus::Active => true,
                    AgentStatus::Suspended => while_suspended,
                    AgentStatus::Deleted => false,
                };
                if may_act { Ok(Self::Agent { agent: Box::new(agent), through_app: false }) } else { Err(inactive()) }
            }
        }
    }

    /// The agent, if one acts.
    pub fn agent(&self) -> Option<&Agent> {
        match self {
            Self::App => None,
            Self::Agent { agent, .. } => Some(agent),
        }
    }
}

async fn own_agent(vault: &Vault, key: &ApiKey, agent: AgentId) -> Result<Option<Agent>, Refusal> {
    Ok(vault.store.agent(key.app, agent).await?.found())
}

/// 401: the agent whose key it is, may not act.
pub fn inactive() -> Refusal {
    Refusal::unauthorized("agent_inactive", "The agent whose key this is, is paused. Resume it, or use another key.")
}

/// 404 for unknown, deleted and other applications' agents alike.
pub fn agent_not_found() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "agent_not_found", "This application has no such agent. List agents to find its id.")
}

fn unresolved() -> Refusal {
    let message = "X-Alter-Caller is a UUID, which names a managed agent, and this application has no such active agent.";
    Refusal::new(StatusCode::NOT_FOUND, "caller_agent_unresolved", message)
}

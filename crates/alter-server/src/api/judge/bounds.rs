//! How far a key reaches, and the one rule about giving keys out: what a request makes reaches no further than the request itself.
//!
//! Every route that returns a key asks here: deriving, rotating, and making a key for an agent. Constraints that the request carries have
//! narrowed its scopes before ([`Reach`]). A request with a deny rule of its own makes no keys at all: the new key would be used without it.

use super::reach::{Reach, Scope};
use super::request_rule::RequestRule;
use crate::api::refusal::Refusal;
use crate::clock::Timestamp;
use crate::model::{ApiKey, Networks};

/// What the keys of agents may do at most: everything but administer agents, identities of people and secrets. `keys:admin` is over the agent's
/// own keys.
pub const AGENT_SCOPES: &[&str] = &[
    "audit:emit",
    "connect:initiate",
    "grants:read",
    "grants:write",
    "idp_users:read",
    "keys:admin",
    "keys:derive",
    "providers:read",
    "proxy:execute",
    "spans:emit",
    "tokens:retrieve",
];

/// What a derived key never holds: nothing is derived from it.
pub const NEVER_DERIVED: &str = "keys:derive";

/// How far a key, or one request of it, reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When it ends; `None` for never.
    pub expires_at: Option<Timestamp>,
    /// Where requests may come from; `None` for anywhere.
    pub networks: Option<Networks>,
    /// Requests a minute.
    pub limit: u32,
}

/// What a derived key shall be like. What is left out is as it is with its parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Narrowing {
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Where requests may come from.
    pub networks: Option<Networks>,
    /// Requests a minute.
    pub limit: Option<u32>,
}

/// In what a key would reach further than the request that makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// These scopes are not the request's.
    Scopes(Vec<Scope>),
    /// It would live longer.
    Lifetime,
    /// It could be used from elsewhere.
    Networks,
    /// It could be used more often.
    Limit,
}

impl Bounds {
    /// The bounds of a key. `usual` is the vault's limit for keys that have none of their own.
    pub fn of(key: &ApiKey, usual: u32) -> Self {
        Self {
            // Scopes are checked when a key is made; one that cannot be read all the same grants nothing.
            scopes: key.scopes.iter().filter_map(|scope| Scope::parse(scope)).collect(),
            expires_at: key.expires_at,
            networks: key.networks.clone(),
            limit: key.rate.limit(usual),
        }
    }

    /// The bounds of one request: those of its key as far as its constraints leave them. A key that has a successor ends with its grace.
    pub fn of_request(key: &ApiKey, reach: &Reach, usual: u32) -> Self {
        let expires_at = [key.expires_at, key.works_until].into_iter().flatten().min();
        Self { scopes: reach.scopes().to_vec(), expires_at, ..Self::of(key, usual) }
    }

    /// In what these bounds go beyond others; `None` if they are within.
    pub fn beyond(&self, others: &Self) -> Option<Beyond> {
        let missing: Vec<Scope> = self.scopes.iter().filter(|scope| !implied(scope, &others.scopes)).cloned().collect();
        if !missing.is_empty() {
            return Some(Beyond::Scopes(missing));
        }
        if others.expires_at.is_some_and(|end| self.expires_at.is_none_or(|own| own > end)) {
            return Some(Beyond::Lifetime);
        }
        if let Some(wide) = &others.networks
            && self.networks.as_ref().is_none_or(|own| !own.is_within(wide))
        {
            return Some(Beyond::Networks);
        }
        (self.limit > others.limit).then_some(Beyond::Limit)
    }

    /// The bounds of a key that is derived under these.
    ///
    /// # Errors
    /// [`Beyond`]: a narrowing only narrows.
    pub fn derive(&self, wanted: Narrowing) -> Result<Self, Beyond> {
        let derived = Self {
            scopes: wanted.scopes.into_iter().filter(|scope| scope.to_string() != NEVER_DERIVED).collect(),
            expires_at: Some(wanted.expires_at),
            networks: wanted.networks.or_else(|| self.networks.clone()),
            limit: wanted.limit.unwrap_or(self.limit),
        };
        derived.beyond(self).map_or(Ok(derived), Err)
    }

    /// The bounds of the successor of a key, for a request with these bounds. It has those of the key that it follows.
    ///
    /// # Errors
    /// [`Beyond`] if the key reaches further than the request: its successor would hand out what the request does not have.
    pub fn succeed(&self, key: &Self) -> Result<Self, Beyond> {
        key.beyond(self).map_or_else(|| Ok(key.clone()), Err)
    }

    /// The bounds of a key that is made for an agent under these: of what agents' keys may do, what the request may do.
    #[must_use]
    pub fn for_agent(&self) -> Self {
        let scopes = AGENT_SCOPES.iter().filter_map(|scope| Scope::parse(scope)).filter(|scope| implied(scope, &self.scopes));
        Self { scopes: scopes.collect(), ..self.clone() }
    }

    /// The scopes as they are stored.
    pub fn scope_texts(&self) -> Vec<String> {
        self.scopes.iter().map(Scope::to_string).collect()
    }
}

fn implied(scope: &Scope, held: &[Scope]) -> bool {
    held.iter().any(|held| held.implies(scope))
}

impl Beyond {
    /// The member of a request that asks for too much.
    pub const fn member(&self) -> &'static str {
        match self {
            Self::Scopes(_) => "scopes",
            Self::Lifetime => "expires_in",
            Self::Networks => "cidr_allowlist",
            Self::Limit => "rate_limit_rpm",
        }
    }

    /// What is wrong, as a clause that follows the member's name.
    pub fn reason(&self) -> String {
        match self {
            Self::Scopes(missing) => {
                let missing: Vec<String> = missing.iter().map(Scope::to_string).collect();
                format!("holds what this request may not do: {}", missing.join(", "))
            }
            Self::Lifetime => "goes beyond the end of this request's key".to_owned(),
            Self::Networks => "holds networks that this request's key may not be used from".to_owned(),
            Self::Limit => "is more than this request's key may make".to_owned(),
        }
    }
}

/// Refuses to make a key for a request that carries a deny rule.
///
/// # Errors
/// 403 `request_rule_denied`.
pub fn without_rule(rule: Option<&RequestRule>) -> Result<(), Refusal> {
    if rule.is_none() {
        return Ok(());
    }
    let message = "A client with a request rule makes no keys, since they would be used without the rule. Use a client without one.";
    Err(Refusal::forbidden("request_rule_denied", message))
}

#[cfg(test)]
mod tests;

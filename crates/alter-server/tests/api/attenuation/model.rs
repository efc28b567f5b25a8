//! What keys and grants may do, as the store has it: answers tell less.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use alter_server::clock::Timestamp;
use alter_server::model::{AgentId, AppId, GrantFilter, GrantId, KeyId, Networks, Principal, ShownStatus, View};
use alter_server::store::Page;
use serde_json::Value;

use super::Dice;
use crate::harness::TestVault;

/// Keys, grants and agents that are kept to go on with; later ones take the places of earlier ones.
const KEPT: usize = 200;
/// The first ones reach furthest, and stay.
const FIRST: usize = 24;
/// The limit of keys that have none of their own.
const USUAL_LIMIT: u32 = 10_000_000;

#[derive(Clone, Debug)]
pub struct Key {
    pub text: String,
    pub id: String,
    pub scopes: BTreeSet<String>,
    pub ends: Option<Timestamp>,
    pub limit: u64,
    pub networks: Option<Networks>,
    pub agent: Option<String>,
}

impl Key {
    /// Whether it does nothing that another one, used with this reach, does not.
    pub fn is_within(&self, maker: &Self, reach: &BTreeSet<String>) -> bool {
        let networks = match (&self.networks, &maker.networks) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(own), Some(makers)) => own.is_within(makers),
        };
        self.scopes.iter().all(|scope| allows(reach, scope)) && no_later(self.ends, maker.ends) && self.limit <= maker.limit && networks
    }
}

#[derive(Clone, Debug)]
pub struct Grant {
    pub id: String,
    pub opens: String,
    pub approval: bool,
    pub methods: Option<BTreeSet<String>>,
    pub endpoints: Option<BTreeSet<String>>,
    pub scopes: Option<BTreeSet<String>>,
    pub ends: Option<Timestamp>,
    /// The agent that holds it.
    pub agent: Option<String>,
    /// On whose behalf it is used.
    pub behalf: String,
    pub of_person: bool,
    pub delegable: bool,
    pub depth: u64,
    pub parent: Option<String>,
}

impl Grant {
    /// Whether whatever it allows, another one allows as well.
    pub fn is_within(&self, source: &Self) -> bool {
        let narrows = |own: &Option<BTreeSet<String>>, outer: &Option<BTreeSet<String>>| {
            outer.as_ref().is_none_or(|outer| own.as_ref().is_some_and(|own| own.is_subset(outer)))
        };
        self.opens == source.opens
            && self.behalf == source.behalf
            && (self.approval || !source.approval)
            && narrows(&self.methods, &source.methods)
            && narrows(&self.endpoints, &source.endpoints)
            && narrows(&self.scopes, &source.scopes)
            && no_later(self.ends, source.ends)
    }
}

#[derive(Default)]
pub struct World {
    pub keys: Vec<Key>,
    pub grants: Vec<Grant>,
    /// By their ids.
    pub agents: Vec<String>,
    /// The managed secret.
    pub secret: String,
    /// How often each route has made something.
    pub made: [usize; super::walk::ROUTES.len()],
    /// How many sessions for logins and for keys a person has brought to their end.
    pub completed: [usize; 2],
}

/// Keeps what was made to go on with.
pub fn keep<T>(kept: &mut Vec<T>, dice: &mut Dice, made: T) {
    if kept.len() < KEPT {
        kept.push(made);
    } else {
        kept[FIRST + dice.roll(KEPT - FIRST)] = made;
    }
}

/// Whether a held scope allows what another one does: `admin` holds `write` holds `read`, and a scope holds those below it.
pub fn allows(held: &BTreeSet<String>, wanted: &str) -> bool {
    let rank = |verb: &str| ["read", "write", "admin"].iter().position(|known| *known == verb);
    held.iter().any(|held| {
        let (Some((of, verb)), Some((asked_of, asked))) = (held.split_once(':'), wanted.split_once(':')) else { return held == wanted };
        let higher = rank(verb).zip(rank(asked)).is_some_and(|(held, asked)| held >= asked);
        held == wanted || wanted.starts_with(&format!("{held}:")) || (of == asked_of && higher)
    })
}

pub fn no_later(child: Option<Timestamp>, parent: Option<Timestamp>) -> bool {
    parent.is_none_or(|parent| child.is_some_and(|child| child <= parent))
}

async fn app(vault: &TestVault) -> AppId {
    vault.store.app_by_name("demo".to_owned()).await.expect("a read").expect("an app").id
}

/// A key that an answer has shown.
pub async fn key(vault: &TestVault, told: &Value) -> Key {
    let id = ["key_id", "id"].iter().find_map(|member| told[*member].as_str()).expect("an id").to_owned();
    let stored = vault.store.key(app(vault).await, KeyId::parse(&id).expect("an id")).await.expect("a read").found().expect("a key");
    Key {
        text: super::text(told, "api_key"),
        id,
        limit: u64::from(stored.rate.limit(USUAL_LIMIT)),
        ends: stored.expires_at,
        networks: stored.networks,
        agent: stored.agent.map(|agent| agent.to_string()),
        scopes: stored.scopes.into_iter().collect(),
    }
}

/// A grant.
pub async fn grant(vault: &TestVault, id: &str) -> Grant {
    let stored = vault.store.grant(app(vault).await, GrantId::parse(id).expect("an id")).await.expect("a read").found().expect("a grant");
    shown(stored)
}

/// What an agent holds of a grant that was given to it.
pub async fn held_by(vault: &TestVault, agent: &str, of: &str) -> Vec<Grant> {
    let filter = GrantFilter {
        view: View::Agent { agent: AgentId::parse(agent).expect("an id"), person: None },
        around: GrantId::parse(of),
        status: Some(ShownStatus::Active),
        ..GrantFilter::default()
    };
    let found = vault.store.grants(app(vault).await, filter, Page::first(NonZeroU32::MAX)).await.expect("a read");
    found.into_iter().map(shown).filter(|grant| grant.agent.as_deref() == Some(agent)).collect()
}

fn shown(stored: alter_server::model::Grant) -> Grant {
    let set = |list: Option<Vec<String>>| list.map(|list| list.into_iter().collect());
    let restrictions = stored.policy.restrictions.clone().unwrap_or_default();
    let agent = match &stored.principal {
        Principal::Agent { agent } => Some(agent.to_string()),
        _ => None,
    };
    Grant {
        id: stored.id.to_string(),
        opens: format!("{:?}", stored.opens),
        approval: stored.policy.requires_approval,
        methods: set(restrictions.allowed_methods),
        endpoints: set(restrictions.allowed_endpoints),
        scopes: set(stored.scope_constraint),
        ends: stored.expires_at,
        agent,
        behalf: format!("{:?}", stored.on_behalf_of),
        of_person: matches!(stored.on_behalf_of, Principal::User(_)),
        delegable: stored.delegable,
        depth: u64::from(stored.depth),
        parent: stored.parent.map(|parent| parent.to_string()),
    }
}

//! Grants as a person sees them: names instead of ids, and what used them.

use std::collections::BTreeMap;

use crate::api::Vault;
use crate::api::people::browser::Visitor;
use crate::api::refusal::Refusal;
use crate::api::web::words;
use crate::audit::{AuditRow, Standing};
use crate::clock::Timestamp;
use crate::model::{App, Credential, CredentialState, Grant, GrantId, ListedGrant, Principal, RegistrationKind, ShownStatus};
use crate::oauth::catalogue::Catalogue;
use crate::oauth::registration::read_settings;

/// Uses of one grant that are shown.
const MOST_USES: usize = 10;
/// Longest text of a use that is shown, in characters.
const LONGEST: usize = 200;

/// One thing that the application may use.
pub struct Entry {
    /// The root grant's id.
    pub id: String,
    /// The provider's or the secret's name.
    pub name: String,
    /// Whose account it is, and the grant's label.
    pub account: Option<String>,
    /// The label.
    pub label: Option<String>,
    /// How it stands, in words.
    pub state: &'static str,
    /// Whether it can be used now.
    pub active: bool,
    /// When it ends or ended, in words.
    pub until: Option<String>,
    /// Since when it is there, in words.
    pub since: String,
    /// Technical names of what it may be used for.
    pub scopes: Vec<String>,
    /// What narrows it, a sentence each.
    pub limits: Vec<String>,
    /// Whether it is the person's own to take back, and not a group's.
    pub own: bool,
    /// The agents that it was delegated to.
    pub delegations: Vec<Delegation>,
    /// What used it, newest first.
    pub uses: Vec<Use>,
}

/// What an agent holds of it.
pub struct Delegation {
    /// The delegated grant's id.
    pub id: String,
    /// The agent's name.
    pub agent: String,
    /// Whether the agent may pass it on.
    pub passes_on: bool,
    /// When it ends, in words.
    pub until: Option<String>,
}

/// One use.
pub struct Use {
    /// When, in words.
    pub at: String,
    /// Who, as the call named itself.
    pub caller: Option<String>,
    /// The call, without its query.
    pub call: Option<String>,
    /// Why, as the call said.
    pub reason: Option<String>,
    /// Whether the vault refused it.
    pub refused: bool,
}

/// The roots among these grants that were not taken back, newest first, with what was delegated from them and what used them.
///
/// # Errors
/// The store's.
pub async fn entries(
    vault: &Vault,
    app: &App,
    visitor: &Visitor,
    grants: Vec<ListedGrant>,
    rows: &[AuditRow],
) -> Result<Vec<Entry>, Refusal> {
    let now = vault.clock.now();
    let names = provider_names(vault, app).await?;
    let roots = roots(&grants);
    let mut entries = Vec::new();
    for listed in grants.iter().rev().filter(|listed| !listed.grant.is_delegated()) {
        if listed.grant.shown_status(now) == ShownStatus::Revoked {
            continue;
        }
        let below = grants.iter().filter(|other| other.grant.is_delegated() && roots.get(&other.grant.id) == Some(&listed.grant.id));
        let mut delegations = Vec::new();
        for child in below.filter(|child| child.grant.shown_status(now) == ShownStatus::Active) {
            delegations.push(delegation(vault, app, &child.grant).await?);
        }
        let uses = rows.iter().filter(|row| row.entry.grant.is_some_and(|id| roots.get(&id) == Some(&listed.grant.id)));
        let uses = uses.filter_map(used).take(MOST_USES).collect();
        let own = listed.grant.on_behalf_of == Principal::User(visitor.person.clone());
        entries.push(Entry { delegations, uses, own, ..entry(listed, &names, now) });
    }
    Ok(entries)
}

/// The root of each grant.
fn roots(grants: &[ListedGrant]) -> BTreeMap<GrantId, GrantId> {
    let parents: BTreeMap<GrantId, Option<GrantId>> = grants.iter().map(|listed| (listed.grant.id, listed.grant.parent)).collect();
    let root = |mut id: GrantId| {
        for _ in 0..=Grant::MAX_DEPTH {
            match parents.get(&id) {
                Some(Some(parent)) => id = *parent,
                _ => break,
            }
        }
        id
    };
    parents.keys().map(|id| (*id, root(*id))).collect()
}

/// The names of providers: those of the operator's own entries, else the catalogue's.
async fn provider_names(vault: &Vault, app: &App) -> Result<BTreeMap<String, String>, Refusal> {
    let mut names: BTreeMap<String, String> =
        Catalogue::shipped().iter().map(|provider| (provider.id.clone(), provider.name.clone())).collect();
    for registration in vault.store.registrations(app.id, RegistrationKind::Provider).await? {
        if let Some(entry) = read_settings(&registration)?.entry {
            names.insert(registration.name, entry.name);
        }
    }
    Ok(names)
}

fn entry(listed: &ListedGrant, names: &BTreeMap<String, String>, now: Timestamp) -> Entry {
    let (grant, credential) = (&listed.grant, listed.credential.as_ref());
    let account = credential.and_then(|credential| credential.account.as_ref());
    let name = match &listed.secret {
        Some(secret) => secret.name.clone(),
        None => names.get(listed.provider()).cloned().unwrap_or_else(|| listed.provider().to_owned()),
    };
    let (state, active) = state(grant, credential, now);
    Entry {
        id: grant.id.to_string(),
        name,
        account: account.map(|account| account.display_name.clone().unwrap_or_else(|| account.identifier.clone())),
        label: grant.label.clone(),
        state,
        active,
        until: grant.expires_at.map(words::moment),
        since: words::moment(grant.created_at),
        scopes: credential.map(|credential| credential.scopes.clone()).unwrap_or_default(),
        limits: limits(grant),
        own: false,
        delegations: Vec::new(),
        uses: Vec::new(),
    }
}

fn state(grant: &Grant, credential: Option<&Credential>, now: Timestamp) -> (&'static str, bool) {
    match credential.map(|credential| credential.state) {
        Some(CredentialState::Dead) => ("Needs to be connected again", false),
        _ if grant.has_expired(now) => ("Its time is over", false),
        _ => ("In use", true),
    }
}

fn limits(grant: &Grant) -> Vec<String> {
    let mut limits = Vec::new();
    if grant.policy.requires_approval {
        limits.push("Somebody approves each call.".to_owned());
    }
    if let Some(restrictions) = &grant.policy.restrictions {
        limits.extend(restrictions.allowed_methods.as_ref().map(|methods| format!("Only {} calls.", methods.join(", "))));
        limits.extend(restrictions.allowed_endpoints.as_ref().map(|endpoints| format!("Only calls to {}.", endpoints.join(", "))));
    }
    limits
}

async fn delegation(vault: &Vault, app: &App, grant: &Grant) -> Result<Delegation, Refusal> {
    let agent = match grant.principal.agent() {
        Some(agent) => vault.store.agent(app.id, agent).await?.found().map(|agent| agent.name),
        None => None,
    };
    Ok(Delegation {
        id: grant.id.to_string(),
        agent: agent.unwrap_or_else(|| "an agent".to_owned()),
        passes_on: grant.delegable,
        until: grant.expires_at.map(words::moment),
    })
}

/// A row as a use; `None` for what is no call with it.
fn used(row: &AuditRow) -> Option<Use> {
    let entry = &row.entry;
    let is_call = matches!(entry.action.as_ref(), "token.retrieve" | "proxy.request");
    let clipped = |text: &str| -> String { text.chars().filter(|c| !c.is_control()).take(LONGEST).collect() };
    let call = match (&entry.method, &entry.url) {
        (Some(method), Some(url)) => Some(clipped(&format!("{method} {}", url.as_str()))),
        _ => None,
    };
    is_call.then(|| Use {
        at: words::moment(row.at),
        caller: entry.caller.as_deref().map(clipped),
        call,
        reason: entry.reason.as_deref().map(clipped),
        refused: row.standing() == Standing::Refused,
    })
}

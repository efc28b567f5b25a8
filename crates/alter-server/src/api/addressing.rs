//! Which grant a call names, and whether its sender may use it.

use std::num::NonZeroU32;

use alter_core::token::is_canonical_uuid;
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::Vault;
use super::acting::Acting;
use super::grants::held;
use super::pipeline::{Admitted, note};
use super::refusal::Refusal;
use crate::audit::AuditEntry;
use crate::model::{AgentId, AppId, GrantFilter, GrantId, ListedGrant, Membership, Principal, SecretStatus, ShownStatus, View};
use crate::store::{GrantAccess, GrantList, Lookup};

/// Most candidates that an ambiguous answer names.
const MOST_CANDIDATES: NonZeroU32 = NonZeroU32::new(100).expect("100 is not zero");

/// Which grant a request names.
pub enum Wanted {
    /// By id; as given, since a malformed id is refused like an unknown one.
    Grant(Value),
    /// By provider: one of the app's system grants.
    Provider {
        /// The provider's id, or the secret's slug.
        slug: String,
        /// Only a grant with this label.
        label: Option<String>,
        /// Only a grant of this account.
        account: Option<String>,
        /// Only a grant of this user.
        app_user_id: Option<String>,
    },
}

impl Wanted {
    /// Takes the members that name a grant.
    ///
    /// # Errors
    /// 400 `invalid_request` for none, for both ways at once, and for a member of the wrong type.
    pub fn take(members: &mut Map<String, Value>) -> Result<Self, Refusal> {
        let (grant, provider) = (members.remove("grant_id"), text(members, "provider_id")?);
        let (label, account) = (text(members, "label")?, text(members, "account")?);
        let app_user_id = text(members, "app_user_id")?;
        match (grant, provider) {
            (Some(grant), None) if label.is_none() && account.is_none() && app_user_id.is_none() => Ok(Self::Grant(grant)),
            (Some(_), None) => {
                Err(invalid("label, account and app_user_id choose among the grants of a provider; they do not go with grant_id."))
            }
            (None, Some(slug)) => Ok(Self::Provider { slug, label, account, app_user_id }),
            (Some(_), Some(_)) => Err(invalid("Give grant_id or provider_id, not both.")),
            (None, None) => Err(invalid("Give grant_id or provider_id.")),
        }
    }

    /// Puts into the row what the client named.
    pub fn describe(&self, row: &mut AuditEntry) {
        if let Self::Provider { slug, .. } = self {
            note(row, |row| row.provider(slug));
        }
    }

    /// The grant, as the sender of a request may use it on behalf of `person`; the row learns it as soon as it is known.
    ///
    /// # Errors
    /// 404 `grant_not_found`, 409 `ambiguous_grant`, 422 `groups_unknown`.
    pub async fn find(
        &self,
        vault: &Vault,
        request: &Admitted<'_>,
        person: Option<Membership>,
        row: &mut AuditEntry,
    ) -> Result<GrantAccess, Refusal> {
        let app = request.key.app;
        let caller = Caller::of(request, person);
        let grant = self.grant(vault, app, &caller).await?;
        note(row, |row| row.grant(grant));
        let access = find(vault, app, grant).await?;
        let access = caller.own(vault, access).await?;
        note(row, |row| row.grant(access.grant.id));
        Ok(access)
    }

    async fn grant(&self, vault: &Vault, app: AppId, caller: &Caller) -> Result<GrantId, Refusal> {
        let (slug, label, account, app_user_id) = match self {
            Self::Grant(id) => {
                let id = id.as_str().filter(|id| is_canonical_uuid(id)).and_then(GrantId::parse);
                return id.ok_or_else(|| Refusal::grant_not_found("grant_id is not a lower-case UUID"));
            }
            Self::Provider { slug, label, account, app_user_id } => (slug, label, account, app_user_id),
        };
        // The usual case needs no list.
        if let (Caller::App, None, None, None) = (caller, label, account, app_user_id)
            && let [only] = vault.store.system_grants(app, slug.clone()).await?.as_slice()
        {
            return Ok(*only);
        }
        let filter = GrantFilter {
            view: caller.view(),
            provider: Some(slug.clone()),
            status: Some(ShownStatus::Active),
            account: account.clone(),
            label: label.clone(),
            subject: app_user_id.clone(),
            ..GrantFilter::default()
        };
        let mut found = vault.store.list_grants(app, filter, MOST_CANDIDATES, 0).await?;
        // What was passed on to agents is theirs to use, and never a second answer beside its source.
        found.grants.retain(|listed| !is_gone(listed) && (caller.is_agent() || !listed.grant.is_delegated()));
        match found.grants.as_slice() {
            [only] => Ok(only.grant.id),
            [] => Err(Refusal::grant_not_found("no active grant of this provider fits").with("provider_id", slug.as_str())),
            _ => Err(ambiguous(slug, account.is_some(), &found)),
        }
    }
}

/// Whose grants a call may use.
enum Caller {
    /// The app's: any by its id, the app's own by provider.
    App,
    /// Those of the person whom the call is for, and of their groups.
    Person(Membership),
    /// Those that the agent holds; with a person, the delegated ones only on that person's behalf.
    Agent(AgentId, Option<Membership>),
}

impl Caller {
    fn of(request: &Admitted<'_>, person: Option<Membership>) -> Self {
        match (&request.acting, person) {
            // An app that speaks for an agent keeps its own reach here; the agent had to be an active one.
            (Acting::Agent { agent, through_app: false }, person) => Self::Agent(agent.id, person),
            (_, Some(person)) => Self::Person(person),
            (_, None) => Self::App,
        }
    }

    const fn is_agent(&self) -> bool {
        matches!(self, Self::Agent(..))
    }

    /// Among which grants `provider_id` chooses.
    fn view(&self) -> View {
        match self {
            Self::App => View::System,
            Self::Person(person) => View::Person(person.clone()),
            Self::Agent(agent, person) => View::Agent { agent: *agent, person: person.clone() },
        }
    }

    /// The grant as this caller may use it. An agent may name the grant that was delegated to it: it gets what it holds of it. Everybody else's
    /// grants look like none.
    async fn own(&self, vault: &Vault, access: GrantAccess) -> Result<GrantAccess, Refusal> {
        let grant = &access.grant;
        match self {
            Self::App => Ok(access),
            Self::Person(person) if person.holds(&grant.on_behalf_of) => Ok(access),
            Self::Person(person) if person.groups.is_none() && matches!(grant.on_behalf_of, Principal::Group { .. }) => {
                let message = "The grant is a group's, and the user's token does not say which groups they are in.";
                Err(Refusal::unprocessable("groups_unknown", message))
            }
            Self::Person(_) => Err(Refusal::grant_not_found("the grant is not the user's")),
            Self::Agent(agent, person) => {
                let access = if grant.principal.agent() == Some(*agent) {
                    access
                } else {
                    let held = held(vault, grant.app, *agent, grant.id, Some(ShownStatus::Active)).await?;
                    let own = held.first().ok_or_else(|| Refusal::grant_not_found("nothing of the grant was delegated to the agent"))?;
                    find(vault, grant.app, own.grant.id).await?
                };
                if access.grant.is_delegated() && person.as_ref().is_some_and(|person| !person.holds(&access.grant.on_behalf_of)) {
                    return Err(Refusal::grant_not_found("the grant is not used on behalf of the user"));
                }
                Ok(access)
            }
        }
    }
}

fn is_gone(listed: &ListedGrant) -> bool {
    listed.secret.as_ref().is_some_and(|secret| secret.status == SecretStatus::Deleted)
}

/// A grant of an app by its id.
///
/// # Errors
/// 404 `grant_not_found`; the row says whether there is one elsewhere.
pub(super) async fn find(vault: &Vault, app: AppId, grant: GrantId) -> Result<GrantAccess, Refusal> {
    match vault.store.grant_access(app, grant).await? {
        Lookup::Found(access) => Ok(access),
        Lookup::Foreign => Err(Refusal::grant_not_found("the grant belongs to another application")),
        Lookup::Unknown => Err(Refusal::grant_not_found("there is no such grant")),
    }
}

fn ambiguous(slug: &str, account_was_provided: bool, found: &GrantList) -> Refusal {
    let accounts = found.grants.iter().filter_map(|listed| Some(&listed.credential.as_ref()?.account.as_ref()?.identifier));
    let accounts: Vec<&String> = accounts.collect();
    let people = found.grants.iter().filter_map(|listed| match &listed.grant.on_behalf_of {
        Principal::User(person) => Some(&person.subject),
        _ => None,
    });
    let people: Vec<&String> = people.collect();
    let ids: Vec<GrantId> = found.grants.iter().map(|listed| listed.grant.id).collect();
    let candidates: Vec<Value> = found.grants.iter().map(candidate).collect();
    let message = "Several grants of this provider match. Name one by grant_id, account or label.";
    Refusal::new(StatusCode::CONFLICT, "ambiguous_grant", message)
        .with("provider_id", slug)
        .with("account_identifiers", json!(accounts))
        .with("account_was_provided", account_was_provided)
        .with("app_user_ids", json!(people))
        .with("grant_ids", json!(ids))
        .with("candidates", candidates)
        .with("candidates_truncated", found.total > found.grants.len() as u64)
}

fn candidate(listed: &ListedGrant) -> Value {
    let account = listed.credential.as_ref().and_then(|credential| credential.account.as_ref());
    json!({
        "grant_id": listed.grant.id,
        "label": listed.grant.label,
        "account_identifier": account.map(|account| &account.identifier),
        "account_display_name": account.and_then(|account| account.display_name.as_ref()),
    })
}

/// Takes a member that must be text or null. PostgreSQL keeps no NUL in a text, and nobody means one.
///
/// # Errors
/// 400 `invalid_request`.
pub(super) fn text(members: &mut Map<String, Value>, name: &str) -> Result<Option<String>, Refusal> {
    match members.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.contains('\0') => Err(invalid(format!("{name} must not contain U+0000."))),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(invalid(format!("{name} must be text."))),
    }
}

/// 400: the body is at fault.
pub(super) fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::bad_request("invalid_request", message)
}

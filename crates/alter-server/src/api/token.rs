//! `POST /sdk/token`: releases a credential to a client that will make the call itself.

use alter_core::token::is_canonical_uuid;
use http::StatusCode;
use serde_json::{Map, Value, json};
use std::num::NonZeroU32;

use super::Vault;
use super::acting::Acting;
use super::grants::held;
use super::injection::{Sample, answer};
use super::judge::{agent, destination};
use super::login;
use super::people;
use super::pipeline::{Admitted, Answer, Call, Verdict, note};
use super::refusal::Refusal;
use crate::audit::{AuditEntry, Outcome};
use crate::model::{
    AgentId, AppId, Credential, CredentialState, Grant, GrantFilter, GrantId, GrantStatus, ListedGrant, ManagedSecret, Membership, Opens,
    Principal, SecretStatus, ShownStatus, View,
};
use crate::store::{Effect, GrantAccess, GrantList, Lookup};

/// Most candidates that an ambiguous answer names.
const MOST_CANDIDATES: NonZeroU32 = NonZeroU32::new(100).expect("100 is not zero");

/// The endpoint.
pub struct RetrieveToken;

impl Call for RetrieveToken {
    const ACTION: &'static str = "token.retrieve";
    const OUTCOME: Outcome = Outcome::Intent;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Verdict, Refusal> {
        let asked = TokenRequest::parse(request.body)?;
        asked.describe(row);
        request.reach.require("tokens:retrieve")?;
        let app = request.key.app;
        let caller = Caller::of(vault, request, asked.user_token.as_deref()).await?;
        let grant = asked.grant(vault, app, &caller).await?;
        note(row, |row| row.grant(grant));
        let access = find(vault, app, grant).await?;
        let access = caller.own(vault, access).await?;
        note(row, |row| row.grant(access.grant.id));
        if let (Opens::Login(_), Some(credential)) = (access.grant.opens, &access.credential) {
            note(row, |row| row.provider(&credential.provider));
            return release_login(vault, request, &asked.url, &access, credential).await;
        }
        let secret = secret_of(&access)?;
        note(row, |row| row.provider(&secret.slug));
        judge_state(vault, &access, secret)?;
        judge_mode(vault, &access.grant).await?;
        judge_agent(vault, request, &access)?;
        destination::judge(&asked.url, &secret.allowed_hosts)?;
        if let Some(rule) = &request.rule {
            rule.judge_retrieval()?;
        }
        release(vault, &access, secret)
    }
}

/// Which grant a request names.
enum Wanted {
    /// By id; as given, since a malformed id is refused like an unknown one.
    Grant(Value),
    /// By provider: one of the app's system grants.
    Provider { slug: String, label: Option<String>, account: Option<String>, app_user_id: Option<String> },
}

/// The body of the request.
struct TokenRequest {
    wanted: Wanted,
    method: String,
    url: String,
    reason: Option<String>,
    user_token: Option<String>,
}

impl TokenRequest {
    /// Reads the body. Members that this vault does not know are refused: one of them might be meant to narrow the call.
    fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let mut members: Map<String, Value> = serde_json::from_slice(body).map_err(|_| invalid("The body is not a JSON object."))?;
        let request = members.remove("request").filter(Value::is_object);
        let part = |name: &str| request.as_ref().and_then(|r| r.get(name)).and_then(Value::as_str).map(str::to_owned);
        let (Some(method), Some(url)) = (part("method"), part("url")) else {
            return Err(invalid(
                "request must hold the texts method and url: the vault judges the destination before it releases anything.",
            ));
        };
        let reason = text(&mut members, "reason")?;
        let user_token = text(&mut members, "user_token")?;
        let (grant, provider) = (members.remove("grant_id"), text(&mut members, "provider_id")?);
        let (label, account) = (text(&mut members, "label")?, text(&mut members, "account")?);
        let app_user_id = text(&mut members, "app_user_id")?;
        if !members.is_empty() {
            return Err(invalid("The body has a member that this vault does not know, and it ignores none."));
        }
        let wanted = match (grant, provider) {
            (Some(grant), None) if label.is_none() && account.is_none() && app_user_id.is_none() => Wanted::Grant(grant),
            (Some(_), None) => {
                return Err(invalid("label, account and app_user_id choose among the grants of a provider; they do not go with grant_id."));
            }
            (None, Some(slug)) => Wanted::Provider { slug, label, account, app_user_id },
            (Some(_), Some(_)) => return Err(invalid("Give grant_id or provider_id, not both.")),
            (None, None) => return Err(invalid("Give grant_id or provider_id.")),
        };
        Ok(Self { wanted, method, url, reason, user_token })
    }

    /// Puts into the row what the client said.
    fn describe(&self, row: &mut AuditEntry) {
        note(row, |row| row.call(&self.method, &self.url));
        if let Some(reason) = &self.reason {
            note(row, |row| row.reason(reason));
        }
        if let Wanted::Provider { slug, .. } = &self.wanted {
            note(row, |row| row.provider(slug));
        }
    }

    async fn grant(&self, vault: &Vault, app: AppId, caller: &Caller) -> Result<GrantId, Refusal> {
        let (slug, label, account, app_user_id) = match &self.wanted {
            Wanted::Grant(id) => {
                let id = id.as_str().filter(|id| is_canonical_uuid(id)).and_then(GrantId::parse);
                return id.ok_or_else(|| Refusal::grant_not_found("grant_id is not a lower-case UUID"));
            }
            Wanted::Provider { slug, label, account, app_user_id } => (slug, label, account, app_user_id),
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
    async fn of(vault: &Vault, request: &Admitted<'_>, user_token: Option<&str>) -> Result<Self, Refusal> {
        let person = match user_token {
            None => None,
            Some(token) => Some(people::membership(vault, request.key.app, token).await?),
        };
        Ok(match (&request.acting, person) {
            // An app that speaks for an agent keeps its own reach here; the agent had to be an active one.
            (Acting::Agent { agent, through_app: false }, person) => Self::Agent(agent.id, person),
            (_, Some(person)) => Self::Person(person),
            (_, None) => Self::App,
        })
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

/// A grant with rules about single calls, or one that was passed on, is used through the vault only: once a client holds the credential,
/// nothing keeps it to them. An operator may allow the first holder to retrieve what nothing narrows.
async fn judge_mode(vault: &Vault, grant: &Grant) -> Result<(), Refusal> {
    let refuse = |code: &'static str, what: &str| Err(Refusal::bad_request(code, format!("{what}; use proxy_request().")));
    if grant.policy.requires_approval {
        return refuse("hitl_grant_requires_proxy", "A person has to approve each call through this grant");
    }
    if grant.policy.restrictions.is_some() {
        return refuse("restricted_grant_requires_proxy", "This grant is for certain calls only");
    }
    if grant.scope_constraint.is_some() || grant.depth > 1 {
        return refuse("delegated_grant_requires_proxy", "This grant reaches less far than its credential");
    }
    if grant.is_delegated() && !vault.store.app(grant.app).await?.is_some_and(|app| app.settings.retrieve_delegated) {
        return refuse("delegated_grant_requires_proxy", "This grant was delegated");
    }
    Ok(())
}

/// The rules of the agent that acts, if one does.
fn judge_agent(vault: &Vault, request: &Admitted<'_>, access: &GrantAccess) -> Result<(), Refusal> {
    let Some(acting) = request.acting.agent() else { return Ok(()) };
    agent::judge_retrieval(acting)?;
    agent::judge_scopes(acting, access.secret.as_ref(), access.credential.as_ref(), vault.clock.now())
}

async fn find(vault: &Vault, app: AppId, grant: GrantId) -> Result<GrantAccess, Refusal> {
    match vault.store.grant_access(app, grant).await? {
        Lookup::Found(access) => Ok(access),
        Lookup::Foreign => Err(Refusal::grant_not_found("the grant belongs to another application")),
        Lookup::Unknown => Err(Refusal::grant_not_found("there is no such grant")),
    }
}

/// The managed secret that places what the grant opens.
fn secret_of(access: &GrantAccess) -> Result<&ManagedSecret, Refusal> {
    access.secret.as_ref().ok_or_else(|| Refusal::internal().because("the grant opens a login, which nothing here places"))
}

/// Ownership is proven here, so the real reason may be told.
fn judge_state(vault: &Vault, access: &GrantAccess, secret: &ManagedSecret) -> Result<(), Refusal> {
    let grant = &access.grant;
    if secret.status == SecretStatus::Deleted {
        return Err(grant_deleted());
    }
    if grant.status == GrantStatus::Revoked {
        return Err(grant_revoked().with("grant_id", grant.id.to_string()));
    }
    if grant.has_expired(vault.clock.now()) {
        return Err(grant_expired().with("provider_id", secret.slug.as_str()));
    }
    if access.credential.as_ref().is_some_and(|credential| credential.state == CredentialState::Erased) {
        return Err(grant_deleted());
    }
    Ok(())
}

/// A login is judged whole before it is refreshed, and read again after.
async fn release_login(
    vault: &Vault,
    request: &Admitted<'_>,
    url: &str,
    access: &GrantAccess,
    credential: &Credential,
) -> Result<Verdict, Refusal> {
    let registered = login::judge(vault, access, credential, url).await?;
    judge_mode(vault, &access.grant).await?;
    judge_agent(vault, request, access)?;
    if let Some(rule) = &request.rule {
        rule.judge_retrieval()?;
    }
    login::make_fresh(vault, &access.grant, credential, &registered).await?;
    let fresh = find(vault, access.grant.app, access.grant.id).await?;
    let credential = fresh.credential.as_ref().ok_or_else(grant_deleted)?;
    login::judge(vault, &fresh, credential, url).await?;
    judge_mode(vault, &fresh.grant).await?;
    judge_agent(vault, request, &fresh)?;
    let body = login::release(vault, &fresh, credential)?;
    let effect = Effect::UseGrant { grant: fresh.grant.id, judged: fresh.judged() };
    Ok(Verdict { effects: vec![effect], answer: Answer::Json(body) })
}

/// Opens the credential and writes the answer. It stays here until the commit has succeeded.
fn release(vault: &Vault, access: &GrantAccess, secret: &ManagedSecret) -> Result<Verdict, Refusal> {
    let grant = &access.grant;
    let sealed = access.sealed.as_ref().ok_or_else(grant_deleted)?;
    let fields = vault.keys.open(grant.app, access.sealed_to(), sealed).map_err(|error| {
        tracing::error!(grant = %grant.id, %error, "a stored credential cannot be opened");
        Refusal::internal().because(error.to_string())
    })?;
    let mut body = answer(&Sample { grant: grant.id, injection: &secret.injection, parameters: &secret.parameters }, &fields);
    let told = [
        ("provider_id", secret.slug.as_str().into()),
        ("scope_mismatch", grant.scope_mismatch.is_some().into()),
        ("scopes", json!([])),
        ("expires_at", json!(grant.expires_at)),
        ("grant_expires_at", json!(grant.expires_at)),
    ];
    if let Some(members) = body.as_object_mut() {
        members.extend(told.map(|(name, value)| (name.to_owned(), value)));
    }
    let effect = Effect::UseGrant { grant: grant.id, judged: access.judged() };
    Ok(Verdict { effects: vec![effect], answer: Answer::Json(body) })
}

/// 400: the grant was taken back.
pub(super) fn grant_revoked() -> Refusal {
    Refusal::bad_request("grant_revoked", "This grant was revoked. Ask an operator for a new one.")
}

/// 403: the grant's time is over.
pub(super) fn grant_expired() -> Refusal {
    Refusal::forbidden("grant_expired", "This grant has expired. Ask an operator for a new one.")
}

/// 410: the secret behind the grant was deleted.
pub(super) fn grant_deleted() -> Refusal {
    Refusal::new(StatusCode::GONE, "grant_deleted", "The secret behind this grant was deleted.")
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

/// Takes a member that must be text or null.
fn text(members: &mut Map<String, Value>, name: &str) -> Result<Option<String>, Refusal> {
    match members.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(invalid(format!("{name} must be text."))),
    }
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::bad_request("invalid_request", message)
}

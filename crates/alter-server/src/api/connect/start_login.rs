//! `POST /sdk/oauth/connect/session`: an application asks a person for logins at providers.

use std::collections::BTreeMap;

use serde_json::json;

use super::session::{Asked, Flow, Progress, Session};
use super::wanted;
use crate::api::Vault;
use crate::api::grants::constraint;
use crate::api::grants::policy::{Route, WantedPolicy};
use crate::api::grants::{held, own_access, person};
use crate::api::members::{Members, invalid};
use crate::api::people::idp::Idp;
use crate::api::pipeline::{Admitted, Answer, Call, Verdict, note};
use crate::api::refusal::Refusal;
use crate::audit::{AuditEntry, Outcome};
use crate::model::{AppId, Credential, CredentialKind, CredentialState, Grant, Opens, Person, Principal, RegistrationKind, ShownStatus};
use crate::oauth::registration::{ProviderSettings, read_settings, settings_of};
use crate::store::{CredentialFilter, GrantAccess};

const MOST_SCOPES: usize = 200;
const LONGEST_SCOPE: usize = 512;
const LONGEST_HINT: usize = 255;

/// The endpoint.
pub struct StartLogin;

impl Call for StartLogin {
    const ACTION: &'static str = "connect.start";
    const OUTCOME: Outcome = Outcome::Intent;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Verdict, Refusal> {
        request.reach.require("connect:initiate")?;
        if let Some(rule) = &request.rule {
            rule.judge_retrieval()?;
        }
        let (session, warnings) = Wanted::take(vault, request, row).await?.session(vault, request).await?;
        let single = matches!(&session.flow, Flow::Logins { asked, .. } if asked.len() == 1);
        let tells = [("scope_constraint_warnings", json!(warnings)), ("single_provider", json!(single)), ("direct", json!(session.direct))];
        let (effect, answer) = session.open(vault, request.key.app, row, tells)?;
        Ok(Verdict { effects: vec![effect], answer: Answer::Session(answer) })
    }
}

/// What the body asks for.
struct Wanted {
    providers: Option<Vec<String>>,
    required_scopes: BTreeMap<String, Vec<String>>,
    direct: bool,
    switch_account: bool,
    login_hint: Option<String>,
    repair: Option<String>,
    delegable: Option<bool>,
    scope_constraint: Option<Vec<String>>,
    agent: Option<String>,
    person: Option<Person>,
    /// Everything that needs no further judgement.
    rest: Session,
}

impl Wanted {
    async fn take(vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Self, Refusal> {
        let app = wanted::app(vault, request.key.app).await?;
        let mut members = Members::of(request.body)?;
        let providers = members.texts("allowed_providers")?.map(normalized).transpose()?;
        let leave = wanted::leave(&mut members, &app)?;
        if let Some(metadata) = wanted::metadata(&mut members)? {
            note(row, |row| row.report(&metadata));
        }
        let policy = WantedPolicy::take(&mut members, Route::Assign, vault.clock.now())?;
        let grant = wanted::requested_grant(&mut members, true)?.unwrap_or_default();
        let constraint = members.texts("scope_constraint")?.map(constraint::trimmed).transpose()?;
        let person_chooses = members.boolean("allow_user_policy_rules")?.unwrap_or(true);
        let wanted = Self {
            providers,
            required_scopes: members.lists("required_scopes")?.unwrap_or_default(),
            direct: members.boolean("direct")?.unwrap_or_default(),
            switch_account: members.boolean("switch_account")?.unwrap_or_default(),
            login_hint: login_hint(&mut members)?,
            repair: members.text("repair_grant_id")?,
            delegable: members.boolean("delegable")?,
            scope_constraint: constraint,
            agent: members.text("agent")?,
            person: person(vault, request.key.app, &mut members).await?.map(|member| member.person),
            rest: Session {
                flow: Flow::Logins { asked: Vec::new(), switch_account: false, login_hint: None },
                user: None,
                holder: Principal::System,
                agent: None,
                delegable: None,
                scope_constraint: None,
                label: grant.label,
                policy: crate::model::GrantPolicy { restrictions: grant.restrictions, ..policy.policy },
                ends_at: policy.expires_at,
                person_chooses,
                direct: false,
                repair: None,
                leave,
                progress: Progress::default(),
            },
        };
        members.nothing_else()?;
        wanted.judge_repair()?;
        Ok(wanted)
    }

    fn judge_repair(&self) -> Result<(), Refusal> {
        let one = self.providers.as_ref().is_some_and(|providers| providers.len() == 1);
        if self.direct && !one {
            return Err(invalid("direct needs exactly one provider in allowed_providers."));
        }
        if self.repair.is_none() {
            return Ok(());
        }
        let beside =
            [("requested_grant", self.rest.label.is_some()), ("agent", self.agent.is_some()), ("switch_account", self.switch_account)];
        match beside.into_iter().find(|(_, given)| *given) {
            _ if !one => Err(invalid("repair_grant_id needs exactly one provider in allowed_providers.")),
            Some((name, _)) => Err(invalid(format!("{name} cannot stand beside repair_grant_id: a repair keeps the grant as it is."))),
            None => Ok(()),
        }
    }

    /// The session, and a warning for each provider at which the agent's constraint cannot be met.
    async fn session(self, vault: &Vault, request: &Admitted<'_>) -> Result<(Session, Vec<String>), Refusal> {
        let app = request.key.app;
        let mut asked = self.asked(vault, app).await?;
        if self.person.is_some() {
            // Judged now, so that the application learns it and not the person.
            Idp::required(vault, app).await?.relying_party(vault)?;
        }
        let mut session = self.rest;
        if let Some(id) = &self.repair {
            let access = repairable(vault, request, id, self.person.as_ref(), &asked[0].provider).await?;
            let held = access.credential.map(|credential| credential.scopes).unwrap_or_default();
            keep_held(vault, app, &mut asked[0], held).await?;
            session.repair = Some(access.grant.id);
            session.label = access.grant.label;
            session.holder = access.grant.principal;
        } else {
            let agent = wanted::agent(vault, app, &request.acting, self.agent.as_deref()).await?;
            session.holder = match (&self.person, &agent) {
                (Some(person), _) => Principal::User(person.clone()),
                (None, Some(_)) if self.agent.is_some() => return Err(agent_requires_user()),
                // An agent's own key without a user: the login is the agent's.
                (None, Some(agent)) => Principal::Agent { agent: agent.id },
                (None, None) => Principal::System,
            };
            session.agent = agent.map(|agent| agent.id).filter(|_| self.person.is_some());
            for asked in &mut asked {
                if let Some(held) = only_login(vault, app, &asked.provider, &session.holder).await? {
                    keep_held(vault, app, asked, held.scopes).await?;
                }
            }
        }
        session.delegable = self.delegable.filter(|_| session.agent.is_some());
        let warnings = judge_constraint(self.scope_constraint.as_deref(), session.agent.is_some(), &asked)?;
        session.scope_constraint = self.scope_constraint;
        session.direct = wanted::direct(self.direct, session.repair.is_some(), session.delegable);
        session.user = self.person;
        session.flow = Flow::Logins { asked, switch_account: self.switch_account, login_hint: self.login_hint };
        Ok((session, warnings))
    }

    /// The providers, each with the scopes that its person is asked for.
    async fn asked(&self, vault: &Vault, app: AppId) -> Result<Vec<Asked>, Refusal> {
        let mut registered = BTreeMap::new();
        for registration in vault.store.registrations(app, RegistrationKind::Provider).await? {
            registered.insert(registration.name.clone(), read_settings(&registration)?);
        }
        let providers = self.providers.clone().unwrap_or_else(|| registered.keys().cloned().collect());
        if providers.is_empty() {
            let message = "The application is registered at no provider. An operator adds one with `alter provider add`.";
            return Err(Refusal::bad_request("provider_not_configured", message));
        }
        let mut required = BTreeMap::new();
        for (provider, scopes) in &self.required_scopes {
            let provider = provider.trim().to_ascii_lowercase();
            if !providers.contains(&provider) {
                return Err(invalid("required_scopes names a provider that allowed_providers does not."));
            }
            check_scopes(scopes)?;
            required.insert(provider, scopes);
        }
        let ask = |provider: String| {
            let settings = registered.get(&provider).ok_or_else(|| not_configured(&provider))?;
            let scopes = required.get(&provider).map_or_else(|| settings.scopes.clone(), |scopes| scopes.to_vec());
            judge_scopes(&provider, settings, &scopes)?;
            Ok(Asked { provider, scopes })
        };
        providers.into_iter().map(ask).collect()
    }
}

/// Asks for the scopes that a login has beside those that the application wants: new tokens take the place of the old ones, and with fewer scopes every
/// other grant of the login would reach less. Scopes that the operator does not allow any more are let go.
async fn keep_held(vault: &Vault, app: AppId, asked: &mut Asked, held: Vec<String>) -> Result<(), Refusal> {
    // Where no scopes are asked for, the provider decides what it grants.
    if asked.scopes.is_empty() {
        return Ok(());
    }
    let Some(settings) = settings_of(&*vault.store, app, &asked.provider).await? else { return Ok(()) };
    asked.scopes.extend(held.into_iter().filter(|scope| settings.refuses(std::slice::from_ref(scope)).is_none()));
    dedup(&mut asked.scopes);
    Ok(())
}

/// The login of somebody at a provider. With several nobody can tell yet which of them the person will choose.
async fn only_login(vault: &Vault, app: AppId, provider: &str, holder: &Principal) -> Result<Option<Credential>, Refusal> {
    let filter = CredentialFilter { provider: Some(provider.to_owned()), owner: Some(holder.clone()), ..CredentialFilter::default() };
    let found = vault.store.credentials(app, filter).await?;
    let mut logins = found.into_iter().filter(|found| found.kind == CredentialKind::Oauth && found.state != CredentialState::Erased);
    Ok(match (logins.next(), logins.next()) {
        (only, None) => only,
        _ => None,
    })
}

fn login_hint(members: &mut Members) -> Result<Option<String>, Refusal> {
    match members.text("login_hint")? {
        Some(hint) if hint.chars().count() > LONGEST_HINT || hint.chars().any(char::is_control) => {
            Err(members.invalid("login_hint", &format!("must have at most {LONGEST_HINT} characters, none of them a control character")))
        }
        hint => Ok(hint),
    }
}

/// Lower case, without blanks around it, each once.
fn normalized(providers: Vec<String>) -> Result<Vec<String>, Refusal> {
    let mut ids: Vec<String> = providers.iter().map(|provider| provider.trim().to_ascii_lowercase()).collect();
    if ids.is_empty() || ids.iter().any(String::is_empty) {
        return Err(invalid("allowed_providers must name at least one provider, and none may be blank."));
    }
    dedup(&mut ids);
    Ok(ids)
}

/// Keeps the first of what stands there several times.
fn dedup(texts: &mut Vec<String>) {
    let mut seen = std::collections::BTreeSet::new();
    texts.retain(|text| seen.insert(text.clone()));
}

fn check_scopes(scopes: &[String]) -> Result<(), Refusal> {
    let fits = |scope: &String| (1..=LONGEST_SCOPE).contains(&scope.len()) && scope.bytes().all(|b| b.is_ascii_graphic());
    if scopes.len() <= MOST_SCOPES && scopes.iter().all(fits) {
        return Ok(());
    }
    Err(invalid(format!(
        "required_scopes must hold at most {MOST_SCOPES} scopes for a provider, of at most {LONGEST_SCOPE} characters without spaces."
    )))
}

fn judge_scopes(provider: &str, settings: &ProviderSettings, scopes: &[String]) -> Result<(), Refusal> {
    let Some(refused) = settings.refuses(scopes) else { return Ok(()) };
    let message = format!("The scope {refused} is not among those that the operator allows at {provider}.");
    Err(Refusal::bad_request("scope_not_allowed", message).with("provider_id", provider).with("scope", refused))
}

fn not_configured(provider: &str) -> Refusal {
    let shown: String = provider.chars().filter(|c| !c.is_control()).take(80).collect();
    let message = format!("The application is not registered at {shown:?}. An operator adds it with `alter provider add`.");
    Refusal::bad_request("provider_not_configured", message).with("provider_id", shown)
}

fn agent_requires_user() -> Refusal {
    let message = "agent needs user_token: access is delegated to an agent by a person. Pass the user's token, or leave agent out.";
    Refusal::bad_request("agent_requires_user_token", message)
}

/// Whether the agent's constraint can be met: at every provider, at some (then the others are warned of), or nowhere.
fn judge_constraint(constraint: Option<&[String]>, for_agent: bool, asked: &[Asked]) -> Result<Vec<String>, Refusal> {
    let Some(constraint) = constraint else { return Ok(Vec::new()) };
    if !for_agent {
        return Err(constraint::invalid("scope_constraint narrows what an agent gets, and no agent is named."));
    }
    // Where no scopes are asked for, the provider decides what it grants.
    let fits = |asked: &Asked| asked.scopes.is_empty() || constraint.iter().all(|scope| asked.scopes.contains(scope));
    let failing: Vec<&Asked> = asked.iter().filter(|asked| !fits(asked)).collect();
    if failing.len() == asked.len() {
        return Err(constraint::invalid("scope_constraint names a scope that is asked for at none of the providers."));
    }
    Ok(failing.iter().map(|asked| format!("{}: not all scopes of scope_constraint are asked for there", asked.provider)).collect())
}

/// The grant that is repaired, if it is this user's; without a user, the agent's whose own key asks, else the app's.
async fn repairable(
    vault: &Vault,
    request: &Admitted<'_>,
    id: &str,
    person: Option<&Person>,
    provider: &str,
) -> Result<GrantAccess, Refusal> {
    let access = own_access(vault, request.key.app, id).await?;
    let holder = match (person, wanted::own_agent(&request.acting)) {
        (Some(person), _) => Principal::User(person.clone()),
        (None, Some(agent)) => Principal::Agent { agent: agent.id },
        (None, None) => Principal::System,
    };
    let is_login = matches!(access.grant.opens, Opens::Login(_));
    let there = access.credential.as_ref().is_some_and(|credential| credential.provider == provider);
    if !is_login || !there {
        return Err(Refusal::grant_not_found("the grant opens no login at this provider"));
    }
    let erased = access.credential.as_ref().is_none_or(|credential| credential.state == CredentialState::Erased);
    if erased || !repairs(vault, &access.grant, &holder) || !concerns(vault, request, &access.grant).await? {
        return Err(Refusal::grant_not_found("the grant is not one that can be repaired here"));
    }
    Ok(access)
}

/// Whether a holder can repair a grant: a root of theirs that is in force. One whose time is over takes a new consent, since its end was agreed to.
pub fn repairs(vault: &Vault, grant: &Grant, holder: &Principal) -> bool {
    !grant.is_delegated() && grant.shown_status(vault.clock.now()) == ShownStatus::Active && grant.principal == *holder
}

/// Whether a grant is any of the asker's business: an agent's own key only sees what the agent holds, or what was delegated to it.
///
/// # Errors
/// The store's.
pub async fn concerns(vault: &Vault, request: &Admitted<'_>, grant: &Grant) -> Result<bool, Refusal> {
    match wanted::own_agent(&request.acting) {
        None => Ok(true),
        Some(agent) => Ok(!held(vault, grant.app, agent.id, grant.id, Some(ShownStatus::Active)).await?.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(list: &[&str]) -> Vec<String> {
        list.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn providers_are_told_apart_after_trimming() {
        assert_eq!(normalized(texts(&["GitHub ", "github", "google"])), Ok(texts(&["github", "google"])));
        for wrong in [&[][..], &[" "], &["a", "\t"]] {
            assert!(normalized(texts(wrong)).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_constraint_fits_everywhere_somewhere_or_nowhere() {
        let asked = |provider: &str, scopes: &[&str]| Asked { provider: provider.into(), scopes: texts(scopes) };
        let both = [asked("github", &["repo", "user"]), asked("google", &["mail"])];
        let judge = |constraint: &[&str], for_agent| judge_constraint(Some(&texts(constraint)), for_agent, &both);
        assert_eq!(judge_constraint(None, false, &both), Ok(Vec::new()));
        let warnings = judge(&["repo"], true).expect("one fits");
        assert!(warnings.len() == 1 && warnings[0].starts_with("google: "), "{warnings:?}");
        assert_eq!(judge(&["repo", "mail"], true).map_err(|refusal| refusal.code()), Err("invalid_scope_constraint"));
        assert_eq!(judge(&["repo"], false).map_err(|refusal| refusal.code()), Err("invalid_scope_constraint"));
        assert_eq!(judge_constraint(Some(&texts(&["any"])), true, &[asked("notion", &[])]), Ok(Vec::new()));
    }
}

//! `POST /sdk/managed-secrets/connect/session`: an application asks a person for a key of their own, or for the use of the one they have.

use http::StatusCode;
use serde_json::json;

use super::session::{Flow, KeyStep, Progress, Session};
use super::start_login::{concerns, repairs};
use super::wanted;
use crate::api::Vault;
use crate::api::grants::own_access;
use crate::api::grants::policy::{Route, WantedPolicy};
use crate::api::members::{Members, invalid};
use crate::api::people;
use crate::api::people::idp::Idp;
use crate::api::pipeline::{Admitted, Answer, Call, Verdict, note};
use crate::api::refusal::Refusal;
use crate::audit::{AuditEntry, Outcome};
use crate::model::{
    AppId, Credential, CredentialKind, CredentialState, Grant, GrantFilter, GrantPolicy, ManagedSecret, Opens, Person, Principal,
    ShownStatus,
};
use crate::store::Page;

/// The endpoint.
pub struct StartKey;

impl Call for StartKey {
    const ACTION: &'static str = "connect.start";
    const OUTCOME: Outcome = Outcome::Intent;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Verdict, Refusal> {
        request.reach.require("connect:initiate")?;
        request.reach.require("secrets:write")?;
        if let Some(rule) = &request.rule {
            rule.judge_retrieval()?;
        }
        let mut wanted = Wanted::take(vault, request).await?;
        let app = request.key.app;
        judge_sign_in(vault, app).await?;
        let person = people::membership(vault, app, &wanted.user_token).await?.person;
        let secret = secret(vault, app, &wanted.slug).await?;
        note(row, |row| row.provider(&secret.slug));
        let agent = match wanted.repair {
            Some(_) => None,
            None => wanted::agent(vault, app, &request.acting, wanted.agent.as_deref()).await?,
        };
        let (step, grant) = wanted.step(vault, request, &secret, &person).await?;
        let holder = Principal::User(person.clone());
        let delegable_requested = wanted.rest.delegable == Some(true);
        wanted.rest.delegable = wanted.rest.delegable.filter(|_| agent.is_some());
        let session = Session {
            flow: Flow::Key { secret: secret.id, slug: secret.slug.clone(), step },
            user: Some(person),
            holder,
            agent: agent.as_ref().map(|agent| agent.id),
            direct: wanted::direct(wanted.rest.direct, step == KeyStep::Repair, wanted.rest.delegable),
            repair: grant.as_ref().map(|grant| grant.id).filter(|_| step == KeyStep::Repair),
            ..wanted.rest
        };
        // What a person has is not an agent's to know before they agree.
        let tells = wanted::own_agent(&request.acting).is_none();
        let tells = [
            ("delegable_requested", json!(delegable_requested)),
            ("path", json!(tells.then_some(step))),
            ("existing_grant_id", json!(grant.filter(|_| tells).map(|grant| grant.id))),
            ("direct", json!(session.direct)),
            ("secret_slug", json!(secret.slug)),
            ("template_slug", json!(secret.slug)),
            ("agent_id", json!(session.agent)),
        ];
        let (effect, answer) = session.open(vault, app, row, tells)?;
        Ok(Verdict { effects: vec![effect], answer: Answer::Json(answer) })
    }
}

/// What the body asks for.
struct Wanted {
    slug: String,
    user_token: String,
    agent: Option<String>,
    repair: Option<String>,
    rest: Session,
}

impl Wanted {
    async fn take(vault: &Vault, request: &Admitted<'_>) -> Result<Self, Refusal> {
        let app = wanted::app(vault, request.key.app).await?;
        let mut members = Members::of(request.body)?;
        let slug = match (members.text("provider")?, members.text("template_slug")?) {
            (Some(slug), None) | (None, Some(slug)) => slug,
            (Some(slug), Some(old)) if slug == old => slug,
            (Some(_), Some(_)) => {
                return Err(Refusal::unprocessable("secret_template_mismatch", "provider and template_slug name two managed secrets."));
            }
            (None, None) => return Err(members.invalid("provider", "is missing")),
        };
        let agent = match (members.text("agent")?, members.text("delegated_agent_id")?) {
            (Some(_), Some(_)) => return Err(invalid("agent and delegated_agent_id cannot stand beside each other. Use agent.")),
            (agent, old) => agent.or(old),
        };
        let repair = members.text("repair_grant_id")?;
        let grant = wanted::requested_grant(&mut members, false)?;
        if repair.is_some() && (agent.is_some() || grant.is_some()) {
            let message = "agent and requested_grant cannot stand beside repair_grant_id: a repair keeps the grant as it is.";
            return Err(Refusal::unprocessable("invalid_repair", message));
        }
        let policy = policy(&mut members, vault)?;
        let user_token = members.user_token()?.ok_or_else(|| members.invalid("user_token", "is missing"))?;
        let wanted = Self {
            slug,
            user_token,
            agent,
            repair,
            rest: Session {
                flow: Flow::Logins { asked: Vec::new(), switch_account: false, login_hint: None },
                user: None,
                holder: Principal::System,
                agent: None,
                delegable: members.boolean("delegable")?,
                scope_constraint: None,
                label: grant.and_then(|grant| grant.label),
                policy: policy.policy,
                ends_at: policy.expires_at,
                person_chooses: members.boolean("allow_user_policy_rules")?.unwrap_or(true),
                direct: members.boolean("direct")?.unwrap_or_default(),
                repair: None,
                leave: wanted::leave(&mut members, &app)?,
                progress: Progress::default(),
            },
        };
        members.nothing_else()?;
        Ok(wanted)
    }

    /// What the person has to do, and the grant that it is about.
    async fn step(
        &self,
        vault: &Vault,
        request: &Admitted<'_>,
        secret: &ManagedSecret,
        person: &Person,
    ) -> Result<(KeyStep, Option<Grant>), Refusal> {
        let holder = Principal::User(person.clone());
        if let Some(id) = &self.repair {
            let access = own_access(vault, secret.app, id).await?;
            let usable = |key: &Credential| key.kind == CredentialKind::EndUser && key.state != CredentialState::Erased;
            let own_key = access.credential.as_ref().is_some_and(usable);
            let theirs = own_key && repairs(vault, &access.grant, &holder) && concerns(vault, request, &access.grant).await?;
            if access.grant.opens.secret() != Some(secret.id) || !theirs {
                return Err(Refusal::grant_not_found("the grant opens no key of this user's for this secret"));
            }
            return Ok((KeyStep::Repair, Some(access.grant)));
        }
        let existing = existing(vault, secret, &holder, self.rest.label.as_deref()).await?;
        Ok((if existing.is_some() { KeyStep::FastPath } else { KeyStep::KeyEntry }, existing))
    }
}

/// The active grant that a holder has of a managed secret: the one with this label, or without one the oldest.
///
/// # Errors
/// The store's.
pub async fn existing(vault: &Vault, secret: &ManagedSecret, holder: &Principal, label: Option<&str>) -> Result<Option<Grant>, Refusal> {
    let filter = GrantFilter {
        provider: Some(secret.slug.clone()),
        status: Some(ShownStatus::Active),
        label: label.map(str::to_owned),
        ..GrantFilter::default()
    };
    let found = vault.store.grants(secret.app, filter, Page::first(std::num::NonZeroU32::MAX)).await?;
    let usable = |grant: &Grant| {
        let of_secret = matches!(grant.opens, Opens::Secret(id) | Opens::Key { secret: id, .. } if id == secret.id);
        of_secret && !grant.is_delegated() && grant.principal == *holder
    };
    Ok(found.into_iter().find(usable))
}

/// `grant_policy`, or the older `requested_ttl_seconds`.
fn policy(members: &mut Members, vault: &Vault) -> Result<WantedPolicy, Refusal> {
    let ttl = match members.whole_number("requested_ttl_seconds")? {
        Some(0) => return Err(members.invalid("requested_ttl_seconds", "must be more than 0")),
        ttl => ttl,
    };
    let given = members.has("grant_policy");
    let policy = WantedPolicy::take(members, Route::Assign, vault.clock.now())?;
    match ttl {
        Some(_) if given => {
            Err(Refusal::unprocessable("invalid_grant_policy", "requested_ttl_seconds cannot stand beside grant_policy. Use grant_policy."))
        }
        Some(_) => Ok(WantedPolicy { expires_at: None, policy: GrantPolicy { default_ttl_seconds: ttl, ..policy.policy } }),
        None => Ok(policy),
    }
}

/// A person can only enter a key where they can sign in.
async fn judge_sign_in(vault: &Vault, app: AppId) -> Result<(), Refusal> {
    let able = match Idp::find(vault, app).await? {
        Some(idp) => idp.relying_party(vault).is_ok(),
        None => false,
    };
    if able {
        return Ok(());
    }
    let message =
        "People cannot sign in to this application: it has no identity provider with a client. An operator sets one with `alter idp set`.";
    Err(Refusal::new(StatusCode::CONFLICT, "idp_signin_not_configured", message))
}

async fn secret(vault: &Vault, app: AppId, slug: &str) -> Result<ManagedSecret, Refusal> {
    vault.store.secret_by_slug(app, slug.to_owned()).await?.ok_or_else(|| {
        let message = "provider names no managed secret of this application. An operator finds them with `alter secret list`.";
        Refusal::new(StatusCode::NOT_FOUND, "secret_not_found", message)
    })
}

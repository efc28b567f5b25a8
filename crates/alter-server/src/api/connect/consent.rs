//! What a consent makes: the grant, new or under the id that it had, and what is delegated from it.

use serde_json::{Value, json};

use super::lifetime;
use super::session::Session;
use crate::api::Vault;
use crate::api::grants::held;
use crate::api::refusal::Refusal;
use crate::model::{AppId, Credential, Grant, GrantFilter, GrantId, GrantPolicy, GrantStatus, Opens, ShownStatus};
use crate::store::{Effect, Page};

/// What the person chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// How long the access lasts, in seconds; `None` if there was no choice.
    pub lifetime_s: Option<u64>,
    /// Whether the agent may pass it on.
    pub delegable: bool,
}

/// The grant that a consent is about, as it will be.
#[derive(Debug)]
pub struct Agreed {
    /// The root grant.
    pub grant: Grant,
    /// Whether it was there before.
    pub again: bool,
    /// What makes it so.
    pub effects: Vec<Effect>,
    /// The grant of the session's agent, if it has one.
    pub delegated: Option<GrantId>,
    /// What the application is told about the delegation.
    delegation: Option<Value>,
}

impl Agreed {
    /// The grant of a consent on what `opens` says, with its delegation.
    ///
    /// # Errors
    /// The store's.
    pub async fn of(vault: &Vault, app: AppId, session: &Session, opens: Opens, choice: Choice) -> Result<Self, Refusal> {
        let before = match session.repair {
            Some(repaired) => vault.store.grant(app, repaired).await?.found(),
            None => previous(vault, app, session, opens).await?,
        };
        let agreed = match before {
            Some(before) => renewed(vault, session, before, choice),
            None => made(vault, app, session, opens, choice),
        };
        agreed.delegated(vault, session, choice).await
    }

    /// As [`Agreed::of`], for a grant that stays as it is.
    ///
    /// # Errors
    /// The store's.
    pub async fn with(vault: &Vault, session: &Session, grant: Grant, choice: Choice) -> Result<Self, Refusal> {
        Self { grant, again: true, effects: Vec::new(), delegated: None, delegation: None }.delegated(vault, session, choice).await
    }

    /// Adds the delegation to the session's agent. One that is as far-reaching as was agreed now stays, with everything that was passed on from it.
    async fn delegated(mut self, vault: &Vault, session: &Session, choice: Choice) -> Result<Self, Refusal> {
        let Some(agent) = session.agent else { return Ok(self) };
        let (app, root) = (self.grant.app, &self.grant);
        let found = held(vault, app, agent, root.id, Some(ShownStatus::Active)).await?;
        let before = found.into_iter().map(|held| held.grant).find(|held| held.parent == Some(root.id));
        let delegable = match session.delegable {
            None => before.as_ref().is_some_and(|before| before.delegable),
            Some(asked) => asked && choice.delegable,
        };
        let now = vault.clock.now();
        let child = Grant {
            delegable,
            scope_constraint: session.scope_constraint.clone(),
            expires_at: [lifetime::end(session, choice.lifetime_s, now), root.expires_at].into_iter().flatten().min(),
            ..root.delegated_to(agent, now)
        };
        self.delegation = Some(json!({ "agent_id": agent, "delegable": delegable, "policy_refused": false }));
        match before {
            Some(before) if stays(&before, &child) => self.delegated = Some(before.id),
            before => {
                self.delegated = Some(child.id);
                self.effects.extend(before.map(|before| Effect::RevokeGrant { app, grant: before.id }));
                self.effects.push(Effect::CreateGrant(Box::new(child)));
            }
        }
        Ok(self)
    }

    /// What the application learns about it.
    pub fn told(&self, provider: &str, credential: Option<&Credential>, api_base_url: Option<&str>) -> Value {
        json!({
            "grant_id": self.grant.id,
            "provider_id": provider,
            "scopes": credential.map(|credential| credential.scopes.as_slice()).unwrap_or_default(),
            "operation": if self.again { "reauth" } else { "creation" },
            "account_identifier": credential.and_then(|credential| credential.account.as_ref()).map(|account| &account.identifier),
            "api_base_url": api_base_url,
            "grant_policy": { "expires_at": self.grant.expires_at, "created_at": self.grant.created_at, "created_by": null },
            "delegation": self.delegation,
        })
    }
}

/// Whether what was delegated before is what was agreed now: no shorter and no longer.
fn stays(before: &Grant, agreed: &Grant) -> bool {
    before.expires_at == agreed.expires_at && before.delegable == agreed.delegable && before.scope_constraint == agreed.scope_constraint
}

/// The grant that the holder has of a credential, under the session's label and with its rules about single calls; one whose time is over as well.
async fn previous(vault: &Vault, app: AppId, session: &Session, opens: Opens) -> Result<Option<Grant>, Refusal> {
    let filter = GrantFilter { credential: Some(opens.credential_id()), ..GrantFilter::default() };
    let found = vault.store.grants(app, filter, Page::first(std::num::NonZeroU32::MAX)).await?;
    let same = |grant: &Grant| {
        let rules = grant.policy.is_within(&session.policy) && session.policy.is_within(&grant.policy);
        let place = !grant.is_delegated() && grant.principal == session.holder && grant.label == session.label;
        grant.status == GrantStatus::Active && place && rules
    };
    let now = vault.clock.now();
    Ok(found.into_iter().filter(same).max_by_key(|grant| (!grant.has_expired(now), grant.created_at)))
}

fn renewed(vault: &Vault, session: &Session, before: Grant, choice: Choice) -> Agreed {
    let now = vault.clock.now();
    // A repair brings the login back, and nothing else changes.
    let (expires_at, policy) = match session.repair.is_some() {
        true => (before.expires_at, before.policy.clone()),
        false => (
            lifetime::end(session, choice.lifetime_s, now),
            GrantPolicy {
                restrictions: before.policy.restrictions.clone(),
                requires_approval: before.policy.requires_approval,
                ..session.policy.clone()
            },
        ),
    };
    let effect = Effect::RenewGrant { app: before.app, grant: before.id, expires_at, policy: policy.clone() };
    let grant = Grant { expires_at, policy, scope_mismatch: None, ..before };
    Agreed { grant, again: true, effects: vec![effect], delegated: None, delegation: None }
}

fn made(vault: &Vault, app: AppId, session: &Session, opens: Opens, choice: Choice) -> Agreed {
    let now = vault.clock.now();
    let grant = Grant {
        label: session.label.clone(),
        policy: session.policy.clone(),
        expires_at: lifetime::end(session, choice.lifetime_s, now),
        ..Grant::root(app, opens, session.holder.clone(), now)
    };
    Agreed { effects: vec![Effect::CreateGrant(Box::new(grant.clone()))], grant, again: false, delegated: None, delegation: None }
}

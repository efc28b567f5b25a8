//! `DELETE /sdk/keys/{key_id}`: ends a key, and what was derived from it.

use alter_core::key::KeyKind;

use super::{administered, shape};
use crate::api::Vault;
use crate::api::pipeline::{Admitted, Answer, Call, Verdict, note};
use crate::api::query::Query;
use crate::api::refusal::Refusal;
use crate::audit::{AuditEntry, Outcome};
use crate::model::{ApiKey, KeyStatus};
use crate::store::Effect;

/// The endpoint.
pub struct RevokeKey {
    /// The key's id, as it stands in the path.
    pub key: String,
    /// The query.
    pub query: Option<String>,
}

impl Call for RevokeKey {
    const ACTION: &'static str = "key.revoke";
    const OUTCOME: Outcome = Outcome::Done;

    async fn judge(&self, vault: &Vault, request: &Admitted<'_>, row: &mut AuditEntry) -> Result<Verdict, Refusal> {
        let mut query = Query::of(self.query.as_deref())?;
        let force = query.boolean("force")?.unwrap_or_default();
        query.nothing_else()?;
        let key = administered(vault, request, &self.key).await?;
        note(row, |row| row.subject("key", key.id));
        let (key, effects) = revoked(vault, key, force);
        Ok(Verdict { effects, answer: Answer::Json(shape::key(vault, &key)) })
    }
}

/// A key as it is once it is revoked, and what revokes it. Done again it changes nothing. Unless `force`d, an agent keeps its last key.
pub fn revoked(vault: &Vault, key: ApiKey, force: bool) -> (ApiKey, Vec<Effect>) {
    if key.status == KeyStatus::Revoked {
        return (key, Vec::new());
    }
    let mut effects = vec![Effect::SetKeyStatus { app: key.app, key: key.id, status: KeyStatus::Revoked }];
    if let Some(agent) = key.agent.filter(|_| !force && key.kind != KeyKind::Derived) {
        effects.push(Effect::KeepAgentKey { app: key.app, agent });
    }
    (ApiKey { status: KeyStatus::Revoked, revoked_at: Some(vault.clock.now()), ..key }, effects)
}

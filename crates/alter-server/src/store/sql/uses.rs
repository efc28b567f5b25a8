//! Recording uses of keys and grants: the hot part of a token call's commit.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::database::Database;
use super::effects::{Applied, Stop};
use super::value::values;
use crate::clock::Timestamp;
use crate::model::{AgentStatus, CredentialState, GrantId, GrantStatus, KeyId, KeyStatus, SecretStatus};
use crate::store::{Declined, Effect, Entity, JudgedVersions};

/// What one transaction has learned about the keys and grants in use, so that sixteen calls through one key look it up once.
///
/// It lives as long as the transaction, and is emptied by any effect that may change what it holds.
#[derive(Default)]
pub(super) struct UseCache {
    keys: HashMap<KeyId, KeyUse>,
    grants: HashMap<GrantId, GrantUse>,
}

#[derive(Clone, Copy)]
struct KeyUse {
    n: i64,
    status: KeyStatus,
    agent: Option<AgentStatus>,
    expires_at: Option<i64>,
    works_until: Option<i64>,
    last_used_at: Option<i64>,
}

#[derive(Clone, Copy)]
struct GrantUse {
    n: i64,
    status: GrantStatus,
    expires_at: Option<i64>,
    last_used_at: Option<i64>,
    secret: Option<SecretStatus>,
    credential: Option<CredentialState>,
    versions: JudgedVersions,
}

impl UseCache {
    pub(super) fn clear(&mut self) {
        self.keys.clear();
        self.grants.clear();
    }

    /// Judges the uses among the effects without writing anything.
    pub(super) fn judge(&mut self, db: &dyn Database, now: Timestamp, effects: &[Effect]) -> Applied {
        for effect in effects {
            match *effect {
                Effect::UseKey { key } => self.judge_key(db, now, key)?,
                Effect::UseGrant { grant, judged } => self.judge_grant(db, now, grant, judged)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn key(&mut self, db: &dyn Database, key: KeyId) -> Result<&mut KeyUse, Stop> {
        if let Entry::Vacant(empty) = self.keys.entry(key) {
            let found = db.first(
                "SELECT k.n, k.status, a.status, k.expires_at, k.works_until, k.last_used_at
                     FROM api_keys k LEFT JOIN agents a ON a.id = k.agent WHERE k.id = ?1",
                values![key.0.into_bytes()],
                |columns| {
                    Ok(KeyUse {
                        n: columns.get()?,
                        status: columns.word(KeyStatus::parse)?,
                        agent: columns.maybe_word(AgentStatus::parse)?,
                        expires_at: columns.get()?,
                        works_until: columns.get()?,
                        last_used_at: columns.get()?,
                    })
                },
            )?;
            empty.insert(found.ok_or(Declined::NotFound(Entity::Key))?);
        }
        Ok(self.keys.get_mut(&key).expect("it was just looked up"))
    }

    fn judge_key(&mut self, db: &dyn Database, now: Timestamp, key: KeyId) -> Applied {
        let known = self.key(db, key)?;
        if known.status == KeyStatus::Revoked {
            return Err(Declined::KeyRevoked.into());
        }
        if has_passed(known.expires_at, now) {
            return Err(Declined::KeyExpired.into());
        }
        if has_passed(known.works_until, now) {
            return Err(Declined::KeySuperseded.into());
        }
        if known.agent.is_some_and(|status| status != AgentStatus::Active) {
            return Err(Declined::AgentInactive.into());
        }
        Ok(())
    }

    fn grant(&mut self, db: &dyn Database, grant: GrantId) -> Result<&mut GrantUse, Stop> {
        if let Entry::Vacant(empty) = self.grants.entry(grant) {
            let found = db.first(
                "SELECT g.n, g.status, g.expires_at, g.last_used_at, s.status, c.state, s.version, c.generation
                     FROM grants g LEFT JOIN secrets s ON s.id = g.secret LEFT JOIN credentials c ON c.id = g.credential WHERE g.id = ?1",
                values![grant.0.into_bytes()],
                |columns| {
                    Ok(GrantUse {
                        n: columns.get()?,
                        status: columns.word(GrantStatus::parse)?,
                        expires_at: columns.get()?,
                        last_used_at: columns.get()?,
                        secret: columns.maybe_word(SecretStatus::parse)?,
                        credential: columns.maybe_word(CredentialState::parse)?,
                        versions: JudgedVersions { secret: columns.get()?, generation: columns.get()? },
                    })
                },
            )?;
            empty.insert(found.ok_or(Declined::NotFound(Entity::Grant))?);
        }
        Ok(self.grants.get_mut(&grant).expect("it was just looked up"))
    }

    fn judge_grant(&mut self, db: &dyn Database, now: Timestamp, grant: GrantId, judged: JudgedVersions) -> Applied {
        let known = self.grant(db, grant)?;
        if known.status == GrantStatus::Revoked {
            return Err(Declined::GrantRevoked.into());
        }
        if has_passed(known.expires_at, now) {
            return Err(Declined::GrantExpired.into());
        }
        if known.secret == Some(SecretStatus::Deleted) {
            return Err(Declined::SecretDeleted.into());
        }
        match known.credential {
            Some(CredentialState::Dead) => return Err(Declined::CredentialDead.into()),
            Some(CredentialState::Erased) => return Err(Declined::CredentialErased.into()),
            Some(CredentialState::Live) | None => {}
        }
        if known.versions.secret != judged.secret {
            return Err(Declined::SecretChanged.into());
        }
        if known.versions.generation != judged.generation {
            return Err(Declined::Changed(Entity::Credential).into());
        }
        Ok(())
    }

    pub(super) fn use_key(&mut self, db: &dyn Database, now: Timestamp, key: KeyId) -> Applied {
        self.judge_key(db, now, key)?;
        let known = self.key(db, key)?;
        if is_newer_second(now, known.last_used_at) {
            db.execute("UPDATE api_keys SET last_used_at = ?2 WHERE n = ?1", values![known.n, now.as_millis()])?;
            known.last_used_at = Some(now.as_millis());
        }
        Ok(())
    }

    pub(super) fn use_grant(&mut self, db: &dyn Database, now: Timestamp, grant: GrantId, judged: JudgedVersions) -> Applied {
        self.judge_grant(db, now, grant, judged)?;
        let known = self.grant(db, grant)?;
        if is_newer_second(now, known.last_used_at) {
            db.execute("UPDATE grants SET last_used_at = ?2 WHERE n = ?1", values![known.n, now.as_millis()])?;
            known.last_used_at = Some(now.as_millis());
        }
        Ok(())
    }
}

fn has_passed(end: Option<i64>, now: Timestamp) -> bool {
    end.is_some_and(|end| end <= now.as_millis())
}

/// Uses are kept to the second: a busy key costs one update a second, not one a call.
fn is_newer_second(now: Timestamp, last: Option<i64>) -> bool {
    last.is_none_or(|last| Timestamp::from_millis(last).as_secs() < now.as_secs())
}

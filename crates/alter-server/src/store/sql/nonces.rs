//! The table of spent nonces: bounded, and never forgetting one that is still alive.

use sha2::{Digest, Sha256};

use super::database::{Database, SqlResult};
use super::value::values;
use crate::clock::Timestamp;
use crate::store::{Declined, Nonce};

/// Expired nonces that one transaction removes at most: more than it can add, so the table shrinks, and few enough not to be felt.
const SWEEP: u32 = 512;

/// Spends nonces. The number of rows is a counter in the database, changed in the same transaction, because counting a table is slow.
///
/// Where several vaults share the database, each reads the counter when it begins a transaction: the table may pass its cap by what they add in the
/// same moment, and never forgets a live nonce.
#[derive(Debug)]
pub(super) struct NonceTable {
    cap: u64,
    /// Rows in the table before this transaction.
    stored: u64,
    /// Rows that this transaction has taken away.
    swept: u64,
    /// Rows that it has added.
    added: u64,
}

impl NonceTable {
    pub(super) const fn new(cap: u64) -> Self {
        Self { cap, stored: 0, swept: 0, added: 0 }
    }

    /// Reads the counter and forgets nonces that have expired.
    pub(super) fn begin(&mut self, db: &dyn Database, now: Timestamp) -> SqlResult<()> {
        self.stored = db.one("SELECT value FROM counters WHERE name = 'nonces'", &[], |columns| columns.get())?;
        let sweep = format!(
            "DELETE FROM nonces WHERE digest IN (SELECT digest FROM nonces WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2{})",
            db.dialect().hold_free
        );
        self.swept = db.execute(&sweep, values![now.as_millis(), SWEEP])?;
        self.added = 0;
        Ok(())
    }

    /// Remembers a nonce until its lifetime is over.
    pub(super) fn spend(&mut self, db: &dyn Database, now: Timestamp, nonce: &Nonce) -> SqlResult<Result<(), Declined>> {
        let digest = digest(nonce);
        let until = now.plus(Nonce::LIFETIME).as_millis();
        let inserted =
            db.execute("INSERT INTO nonces (digest, expires_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING", values![digest, until])?;
        if inserted == 0 {
            // It may be one that has expired and is only waiting to be swept.
            let revive = "UPDATE nonces SET expires_at = ?2 WHERE digest = ?1 AND expires_at <= ?3";
            let revived = db.execute(revive, values![digest, until, now.as_millis()])?;
            return Ok(if revived == 1 { Ok(()) } else { Err(Declined::NonceReplayed) });
        }
        if (self.stored + self.added).saturating_sub(self.swept) >= self.cap {
            db.execute("DELETE FROM nonces WHERE digest = ?1", values![digest])?;
            return Ok(Err(Declined::NoncesFull));
        }
        self.added += 1;
        Ok(Ok(()))
    }

    /// Writes the counter back. Last, since whoever shares the database waits for the counter until this transaction has ended.
    pub(super) fn end(&self, db: &dyn Database) -> SqlResult<()> {
        if self.added != self.swept {
            let values = values![self.added, self.swept];
            db.execute("UPDATE counters SET value = value + ?1 - ?2 WHERE name = 'nonces'", values)?;
        }
        Ok(())
    }
}

fn digest(nonce: &Nonce) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update(nonce.key.0.as_bytes());
    hash.update(nonce.value.as_bytes());
    let whole: [u8; 32] = hash.finalize().into();
    let mut digest = [0; 16];
    digest.copy_from_slice(&whole[..16]);
    digest
}

//! The table of spent nonces: bounded, and never forgetting one that is still alive.

use rusqlite::{Connection, params};
use sha2::{Digest, Sha256};

use super::columns::is_duplicate;
use crate::clock::Timestamp;
use crate::store::{Declined, Nonce};

/// Expired nonces that one transaction removes at most: more than it can add, so the table shrinks, and few enough not to be felt.
const SWEEP: u32 = 512;

/// Spends nonces. The number of rows is a counter in the database, changed in the same transaction, because counting a table is slow.
#[derive(Debug)]
pub(super) struct NonceTable {
    cap: u64,
    /// Rows in the table, as this transaction sees it.
    rows: u64,
    /// What the counter says.
    stored: u64,
}

impl NonceTable {
    pub(super) const fn new(cap: u64) -> Self {
        Self { cap, rows: 0, stored: 0 }
    }

    /// Reads the counter and forgets nonces that have expired.
    pub(super) fn begin(&mut self, connection: &Connection, now: Timestamp) -> rusqlite::Result<()> {
        self.stored = connection.prepare_cached("SELECT value FROM counters WHERE name = 'nonces'")?.query_row([], |row| row.get(0))?;
        let swept = connection
            .prepare_cached(
                "DELETE FROM nonces WHERE digest IN (SELECT digest FROM nonces WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
            )?
            .execute(params![now.as_millis(), SWEEP])?;
        self.rows = self.stored.saturating_sub(swept as u64);
        Ok(())
    }

    /// Remembers a nonce until its lifetime is over.
    pub(super) fn spend(&mut self, connection: &Connection, now: Timestamp, nonce: &Nonce) -> rusqlite::Result<Result<(), Declined>> {
        let digest = digest(nonce);
        let mut insert = connection.prepare_cached("INSERT INTO nonces (digest, expires_at) VALUES (?1, ?2)")?;
        match insert.execute(params![digest, now.plus(Nonce::LIFETIME).as_millis()]) {
            Ok(_) if self.rows >= self.cap => {
                connection.prepare_cached("DELETE FROM nonces WHERE digest = ?1")?.execute([digest])?;
                Ok(Err(Declined::NoncesFull))
            }
            Ok(_) => {
                self.rows += 1;
                Ok(Ok(()))
            }
            Err(error) if is_duplicate(&error) => {
                // It may be one that has expired and is only waiting to be swept.
                let revived = connection
                    .prepare_cached("UPDATE nonces SET expires_at = ?2 WHERE digest = ?1 AND expires_at <= ?3")?
                    .execute(params![digest, now.plus(Nonce::LIFETIME).as_millis(), now.as_millis()])?;
                Ok(if revived == 1 { Ok(()) } else { Err(Declined::NonceReplayed) })
            }
            Err(error) => Err(error),
        }
    }

    /// Writes the counter back.
    pub(super) fn end(&self, connection: &Connection) -> rusqlite::Result<()> {
        if self.rows != self.stored {
            connection.prepare_cached("UPDATE counters SET value = ?1 WHERE name = 'nonces'")?.execute([self.rows])?;
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

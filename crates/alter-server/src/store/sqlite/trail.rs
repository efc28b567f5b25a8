//! Audit rows: appending within a transaction, and reading back.

use std::borrow::Cow;
use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::columns::{Columns, maybe_bytes, to_json};
use crate::audit::{AuditEntry, AuditKey, AuditRow, AuditUrl, ChainId, ChainKey, Head, Outcome, RowMac};
use crate::clock::Timestamp;
use crate::model::{ActorId, AppId, CallerType, GrantId, KeyId, OperatorId};
use crate::store::StoredHead;

/// Appends rows. The chains' keys are kept between transactions; their heads never are: the database has them.
pub(super) struct Trail {
    key: AuditKey,
    chain_keys: HashMap<ChainId, ChainKey>,
}

/// Deriving a key again costs two hashes, so forgetting all of them now and then keeps memory bounded at no price.
const KEPT_CHAIN_KEYS: usize = 4096;

/// The chains that one transaction has appended to.
#[derive(Default)]
pub(super) struct OpenChains(HashMap<ChainId, OpenChain>);

struct OpenChain {
    n: i64,
    head: Head,
}

impl Trail {
    pub(super) fn new(key: AuditKey) -> Self {
        Self { key, chain_keys: HashMap::new() }
    }

    fn chain_key(&mut self, chain: ChainId) -> &ChainKey {
        if self.chain_keys.len() >= KEPT_CHAIN_KEYS && !self.chain_keys.contains_key(&chain) {
            self.chain_keys.clear();
        }
        self.chain_keys.entry(chain).or_insert_with(|| self.key.chain(chain))
    }

    /// Appends a row to its chain and returns its sequence.
    pub(super) fn append(
        &mut self,
        connection: &Connection,
        open: &mut OpenChains,
        now: Timestamp,
        entry: &AuditEntry,
    ) -> rusqlite::Result<u64> {
        let chain = match open.0.entry(entry.chain) {
            std::collections::hash_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::hash_map::Entry::Vacant(empty) => empty.insert(self.open_chain(connection, entry.chain)?),
        };
        let sequence = chain.head.sequence + 1;
        let mac = self.chain_key(entry.chain).row(chain.head.mac, sequence, now, entry);
        insert(connection, chain.n, sequence, now, entry, mac)?;
        chain.head = Head { chain: entry.chain, sequence, mac };
        Ok(sequence)
    }

    fn open_chain(&mut self, connection: &Connection, chain: ChainId) -> rusqlite::Result<OpenChain> {
        let id = chain.as_uuid().into_bytes();
        let known = connection
            .prepare_cached("SELECT n, sequence, mac FROM audit_chains WHERE id = ?1")?
            .query_row([id], |row| {
                let head = Head { chain, sequence: row.get(1)?, mac: RowMac(row.get(2)?) };
                Ok(OpenChain { n: row.get(0)?, head })
            })
            .optional()?;
        if let Some(known) = known {
            return Ok(known);
        }
        let head = Head::empty(chain);
        let head_mac = self.chain_key(chain).head(&head);
        connection
            .prepare_cached("INSERT INTO audit_chains (id, sequence, mac, head_mac) VALUES (?1, 0, ?2, ?3)")?
            .execute(params![id, head.mac.0, head_mac.0])?;
        Ok(OpenChain { n: connection.last_insert_rowid(), head })
    }

    /// Writes the heads of the chains that were appended to: once a transaction, not once a row.
    pub(super) fn write_heads(&mut self, connection: &Connection, open: &OpenChains) -> rusqlite::Result<()> {
        let mut update = connection.prepare_cached("UPDATE audit_chains SET sequence = ?2, mac = ?3, head_mac = ?4 WHERE n = ?1")?;
        for chain in open.0.values() {
            let head_mac = self.chain_key(chain.head.chain).head(&chain.head);
            update.execute(params![chain.n, chain.head.sequence, chain.head.mac.0, head_mac.0])?;
        }
        Ok(())
    }
}

fn insert(connection: &Connection, chain: i64, sequence: u64, now: Timestamp, entry: &AuditEntry, mac: RowMac) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO audit_rows (chain, sequence, at, action, outcome, code, key, operator, caller, caller_type, actor, grant_id,
                 provider, subject, reason, context, method, url, detail, request_id, report, refers_to, mac)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23)",
        )?
        .execute(params![
            chain,
            sequence,
            now.as_millis(),
            entry.action,
            entry.outcome.as_str(),
            entry.code,
            maybe_bytes(entry.key.map(|id| id.0)),
            maybe_bytes(entry.operator.map(|id| id.0)),
            entry.caller,
            entry.caller_type.map(CallerType::as_str),
            maybe_bytes(entry.actor.map(|id| id.0)),
            maybe_bytes(entry.grant.map(|id| id.0)),
            entry.provider,
            entry.subject,
            entry.reason,
            entry.context,
            entry.method,
            entry.url.as_ref().map(AuditUrl::as_str),
            entry.detail,
            entry.request_id,
            entry.report,
            entry.refers_to,
            mac.0,
        ])
        .map(drop)
}

const ROW: &str =
    "SELECT c.id, r.sequence, r.at, r.action, r.outcome, r.code, r.key, r.operator, r.caller, r.caller_type, r.actor, r.grant_id,
        r.provider, r.subject, r.reason, r.context, r.method, r.url, r.detail, r.request_id, r.report, r.refers_to, r.mac,
        (SELECT v.sequence FROM audit_rows v WHERE v.chain = r.chain AND v.refers_to = r.sequence LIMIT 1)
    FROM audit_rows r JOIN audit_chains c ON c.n = r.chain";

fn read_row(row: &Row<'_>) -> rusqlite::Result<AuditRow> {
    let mut columns = Columns::new(row);
    let chain = columns.id(ChainId::from_uuid)?;
    let (sequence, at) = (columns.get()?, columns.time()?);
    let entry = AuditEntry {
        chain,
        action: Cow::Owned(columns.get()?),
        outcome: columns.word(Outcome::parse)?,
        code: columns.get()?,
        key: columns.maybe_id(KeyId)?,
        operator: columns.maybe_id(OperatorId)?,
        caller: columns.get()?,
        caller_type: columns.maybe_word(CallerType::parse)?,
        actor: columns.maybe_id(ActorId)?,
        grant: columns.maybe_id(GrantId)?,
        provider: columns.get()?,
        subject: columns.get()?,
        reason: columns.get()?,
        context: columns.get()?,
        method: columns.get()?,
        url: columns.get::<Option<String>>()?.map(AuditUrl::as_stored),
        detail: columns.get()?,
        request_id: columns.get()?,
        report: columns.get()?,
        refers_to: columns.get()?,
    };
    Ok(AuditRow { sequence, at, entry, mac: RowMac(columns.get()?), voided_by: columns.get()? })
}

pub(super) fn heads(connection: &Connection) -> rusqlite::Result<Vec<StoredHead>> {
    let mut select = connection.prepare_cached("SELECT id, sequence, mac, head_mac FROM audit_chains ORDER BY n")?;
    let heads = select.query_map([], |row| {
        let mut columns = Columns::new(row);
        let head = Head { chain: columns.id(ChainId::from_uuid)?, sequence: columns.get()?, mac: RowMac(columns.get()?) };
        Ok(StoredHead { head, head_mac: RowMac(columns.get()?) })
    })?;
    heads.collect()
}

pub(super) fn rows_after(connection: &Connection, chain: ChainId, after: u64, limit: u32) -> rusqlite::Result<Vec<AuditRow>> {
    let sql = format!("{ROW} WHERE c.id = ?1 AND r.sequence > ?2 ORDER BY r.sequence LIMIT ?3");
    let mut select = connection.prepare_cached(&sql)?;
    select.query_map(params![chain.as_uuid().into_bytes(), after, limit], read_row)?.collect()
}

pub(super) fn newest(connection: &Connection, chain: Option<ChainId>, limit: u32) -> rusqlite::Result<Vec<AuditRow>> {
    match chain {
        Some(chain) => {
            let sql = format!("{ROW} WHERE c.id = ?1 ORDER BY r.sequence DESC LIMIT ?2");
            connection.prepare_cached(&sql)?.query_map(params![chain.as_uuid().into_bytes(), limit], read_row)?.collect()
        }
        None => {
            let sql = format!("{ROW} ORDER BY r.n DESC LIMIT ?1");
            connection.prepare_cached(&sql)?.query_map([limit], read_row)?.collect()
        }
    }
}

/// See [`Store::audit_of_grants`](crate::store::Store::audit_of_grants).
pub(super) fn of_grants(connection: &Connection, app: AppId, grants: &[GrantId], limit: u32) -> rusqlite::Result<Vec<AuditRow>> {
    // The ids as one JSON value, so that the statement is the same for any number of them.
    let ids: Vec<String> = grants.iter().map(|grant| grant.0.simple().to_string().to_uppercase()).collect();
    let sql = format!("{ROW} WHERE c.id = ?1 AND r.grant_id IN (SELECT unhex(value) FROM json_each(?2)) ORDER BY r.sequence DESC LIMIT ?3");
    let mut select = connection.prepare_cached(&sql)?;
    select.query_map(params![app.0.into_bytes(), to_json(&ids), limit], read_row)?.collect()
}

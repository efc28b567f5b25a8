//! Audit rows: appending within a transaction, and reading back.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use super::columns::{Columns, maybe_bytes, to_json};
use super::database::{Database, SqlError, SqlErrorKind, SqlResult};
use super::specs::like;
use super::value::values;
use crate::audit::{AuditEntry, AuditKey, AuditRow, AuditUrl, ChainId, ChainKey, Head, Outcome, RowMac};
use crate::clock::Timestamp;
use crate::model::{ActorId, AppId, CallerType, GrantId, KeyId, OperatorId};
use crate::store::{AuditActivity, AuditFilter, FoundRow, StoredHead};

/// Appends rows. The chains' keys are kept between transactions; their heads never are: the database has them.
pub(in crate::store) struct Trail {
    key: AuditKey,
    chain_keys: HashMap<ChainId, ChainKey>,
}

/// Deriving a key again costs two hashes, so forgetting all of them now and then keeps memory bounded at no price.
const KEPT_CHAIN_KEYS: usize = 4096;

/// The chains that one transaction has taken.
#[derive(Default)]
pub(in crate::store) struct OpenChains(HashMap<ChainId, OpenChain>);

struct OpenChain {
    n: i64,
    head: Head,
    /// Rows that this transaction has appended.
    rows: u64,
}

impl OpenChains {
    /// The heads that this transaction has written.
    pub(super) fn written(&self) -> Vec<Head> {
        self.0.values().filter(|chain| chain.rows > 0).map(|chain| chain.head).collect()
    }
}

impl Trail {
    pub(in crate::store) fn new(key: AuditKey) -> Self {
        Self { key, chain_keys: HashMap::new() }
    }

    fn chain_key(&mut self, chain: ChainId) -> &ChainKey {
        if self.chain_keys.len() >= KEPT_CHAIN_KEYS && !self.chain_keys.contains_key(&chain) {
            self.chain_keys.clear();
        }
        self.chain_keys.entry(chain).or_insert_with(|| self.key.chain(chain))
    }

    /// Takes chains for this transaction: whoever else appends to one of them waits until it has ended. All of them at once and in one order, so
    /// that two transactions never wait for each other. With `true` a chain is going to be appended to, and made if there is none.
    pub(in crate::store) fn open(&mut self, db: &dyn Database, chains: impl IntoIterator<Item = (ChainId, bool)>) -> SqlResult<OpenChains> {
        let mut ordered = BTreeMap::new();
        for (chain, append) in chains {
            *ordered.entry(chain.as_uuid()).or_insert(false) |= append;
        }
        let mut open = OpenChains::default();
        for (id, append) in ordered {
            let chain = ChainId::from_uuid(id);
            let taken = if append { Some(self.open_chain(db, chain)?) } else { known_chain(db, chain)? };
            open.0.extend(taken.map(|taken| (chain, taken)));
        }
        Ok(open)
    }

    fn open_chain(&mut self, db: &dyn Database, chain: ChainId) -> SqlResult<OpenChain> {
        if let Some(known) = known_chain(db, chain)? {
            return Ok(known);
        }
        let head = Head::empty(chain);
        let head_mac = self.chain_key(chain).head(&head);
        let insert = "INSERT INTO audit_chains (id, sequence, mac, head_mac) VALUES (?1, 0, ?2, ?3) ON CONFLICT DO NOTHING RETURNING n";
        let id = chain.as_uuid().into_bytes();
        if let Some(n) = db.first(insert, values![id, head.mac.0, head_mac.0], |columns| columns.get())? {
            return Ok(OpenChain { n, head, rows: 0 });
        }
        // Another vault has made it meanwhile, and its transaction has ended.
        known_chain(db, chain)?.ok_or_else(|| SqlError::new(SqlErrorKind::Conflict, "an audit chain came and went"))
    }

    /// Appends a row to its chain, which this transaction has taken, and returns its sequence.
    pub(in crate::store) fn append(
        &mut self,
        db: &dyn Database,
        open: &mut OpenChains,
        now: Timestamp,
        entry: &AuditEntry,
    ) -> SqlResult<u64> {
        let chain = open.0.get_mut(&entry.chain).expect("the writer takes the chain of every row that it writes");
        let sequence = chain.head.sequence + 1;
        let mac = self.chain_key(entry.chain).row(chain.head.mac, sequence, now, entry);
        insert(db, chain.n, sequence, now, entry, mac)?;
        chain.head = Head { chain: entry.chain, sequence, mac };
        chain.rows += 1;
        Ok(sequence)
    }

    /// Writes the heads of the chains that were appended to: once a transaction, not once a row.
    pub(in crate::store) fn write_heads(&mut self, db: &dyn Database, open: &OpenChains) -> SqlResult<()> {
        for chain in open.0.values().filter(|chain| chain.rows > 0) {
            let head_mac = self.chain_key(chain.head.chain).head(&chain.head);
            let values = values![chain.n, chain.head.sequence, chain.head.mac.0, head_mac.0];
            db.execute("UPDATE audit_chains SET sequence = ?2, mac = ?3, head_mac = ?4 WHERE n = ?1", values)?;
        }
        Ok(())
    }

    /// Whether the transaction that wrote these heads is in the database. Takes one of its chains first, and so waits for it to end, should it
    /// still be under way. `None` if it had no rows, by which alone it can be told.
    pub(super) fn is_written(&mut self, db: &dyn Database, heads: &[Head]) -> SqlResult<Option<bool>> {
        let Some(head) = heads.first() else { return Ok(None) };
        let chain = self.open_chain(db, head.chain)?;
        let row = "SELECT 1 FROM audit_rows WHERE chain = ?1 AND sequence = ?2 AND mac = ?3";
        db.exists(row, values![chain.n, head.sequence, head.mac.0]).map(Some)
    }
}

/// Takes a chain, if it exists.
fn known_chain(db: &dyn Database, chain: ChainId) -> SqlResult<Option<OpenChain>> {
    let select = format!("SELECT n, sequence, mac FROM audit_chains WHERE id = ?1{}", db.dialect().hold);
    db.first(&select, values![chain.as_uuid().into_bytes()], |columns| {
        let n = columns.get()?;
        Ok(OpenChain { n, head: Head { chain, sequence: columns.get()?, mac: RowMac(columns.get()?) }, rows: 0 })
    })
}

fn insert(db: &dyn Database, chain: i64, sequence: u64, now: Timestamp, entry: &AuditEntry, mac: RowMac) -> SqlResult<()> {
    db.execute(
        "INSERT INTO audit_rows (chain, sequence, at, action, outcome, code, key, operator, caller, caller_type, actor, grant_id,
                 provider, subject, reason, context, method, url, detail, request_id, report, refers_to, mac, trace)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24)",
        values![
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
            entry.trace,
        ],
    )
    .map(drop)
}

const COLUMNS: &str =
    "c.id, r.sequence, r.at, r.action, r.outcome, r.code, r.key, r.operator, r.caller, r.caller_type, r.actor, r.grant_id,
        r.provider, r.subject, r.reason, r.context, r.method, r.url, r.detail, r.request_id, r.trace, r.report, r.refers_to, r.mac,
        (SELECT v.sequence FROM audit_rows v WHERE v.chain = r.chain AND v.refers_to = r.sequence LIMIT 1)";
const FROM: &str = "FROM audit_rows r JOIN audit_chains c ON c.n = r.chain";
static ROW: LazyLock<String> = LazyLock::new(|| format!("SELECT {COLUMNS} {FROM}"));

fn read_row(columns: &mut Columns<'_>) -> SqlResult<AuditRow> {
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
        trace: columns.get()?,
        report: columns.get()?,
        refers_to: columns.get()?,
    };
    Ok(AuditRow { sequence, at, entry, mac: RowMac(columns.get()?), voided_by: columns.get()? })
}

pub(in crate::store) fn heads(db: &dyn Database) -> SqlResult<Vec<StoredHead>> {
    db.all("SELECT id, sequence, mac, head_mac FROM audit_chains ORDER BY n", &[], |columns| {
        let head = Head { chain: columns.id(ChainId::from_uuid)?, sequence: columns.get()?, mac: RowMac(columns.get()?) };
        Ok(StoredHead { head, head_mac: RowMac(columns.get()?) })
    })
}

pub(super) fn rows_after(db: &dyn Database, chain: ChainId, after: u64, limit: u32) -> SqlResult<Vec<AuditRow>> {
    let sql = format!("{} WHERE c.id = ?1 AND r.sequence > ?2 ORDER BY r.sequence LIMIT ?3", *ROW);
    db.all(&sql, values![chain.as_uuid().into_bytes(), after, limit], read_row)
}

pub(super) fn newest(db: &dyn Database, chain: Option<ChainId>, limit: u32) -> SqlResult<Vec<AuditRow>> {
    match chain {
        Some(chain) => {
            let sql = format!("{} WHERE c.id = ?1 ORDER BY r.sequence DESC LIMIT ?2", *ROW);
            db.all(&sql, values![chain.as_uuid().into_bytes(), limit], read_row)
        }
        None => {
            let sql = format!("{} ORDER BY r.n DESC LIMIT ?1", *ROW);
            db.all(&sql, values![limit], read_row)
        }
    }
}

/// See [`Store::audit_of_grants`](crate::store::Store::audit_of_grants).
pub(super) fn of_grants(db: &dyn Database, app: AppId, grants: &[GrantId], limit: u32) -> SqlResult<Vec<AuditRow>> {
    // The ids as one JSON value, so that the statement is the same for any number of them.
    let ids: Vec<String> = grants.iter().map(|grant| grant.0.simple().to_string()).collect();
    let sql = format!("{} WHERE c.id = ?1 AND r.grant_id IN ({}) ORDER BY r.sequence DESC LIMIT ?3", *ROW, db.dialect().ids_in_2);
    db.all(&sql, values![app.0.into_bytes(), to_json(&ids), limit], read_row)
}

/// See [`Store::audit_search`](crate::store::Store::audit_search).
pub(super) fn search(db: &dyn Database, filter: &AuditFilter, limit: u32) -> SqlResult<Vec<FoundRow>> {
    let sql = format!(
        "SELECT {COLUMNS}, r.n {FROM}
         WHERE (c.id = ?1 OR ?1 IS NULL) AND (r.action = ?2 OR ?2 IS NULL) AND (r.outcome = ?3 OR ?3 IS NULL)
             AND (r.at >= ?4 OR ?4 IS NULL) AND (r.at < ?5 OR ?5 IS NULL) AND (r.n < ?6 OR ?6 IS NULL) AND (r.grant_id = ?7 OR ?7 IS NULL)
             AND (lower(coalesce(r.url, '') || ' ' || coalesce(r.reason, '') || ' ' || coalesce(r.caller, '') || ' ' || coalesce(r.provider, '')
                 || ' ' || coalesce(r.subject, '') || ' ' || coalesce(r.code, '') || ' ' || coalesce(r.request_id, '')) LIKE ?8 ESCAPE '!'
                 OR ?8 IS NULL)
         ORDER BY r.n DESC LIMIT ?9"
    );
    let pattern = filter.text.as_deref().map(like);
    db.all(
        &sql,
        values![
            filter.chain.map(|chain| chain.as_uuid().into_bytes()),
            filter.action,
            filter.outcome.map(Outcome::as_str),
            filter.from.map(Timestamp::as_millis),
            filter.until.map(Timestamp::as_millis),
            filter.before,
            maybe_bytes(filter.grant.map(|id| id.0)),
            pattern,
            limit,
        ],
        |columns| Ok(FoundRow { row: read_row(columns)?, position: columns.get()? }),
    )
}

/// See [`Store::audit_activity`](crate::store::Store::audit_activity).
pub(super) fn activity(db: &dyn Database, since: Timestamp, span: i64) -> SqlResult<Vec<AuditActivity>> {
    let took = format!("CASE WHEN r.action = 'proxy.answer' THEN CAST(r.report{} ->> 'duration_ms' AS BIGINT) END", db.dialect().json);
    let sql = format!(
        "SELECT (r.at - ?1) / ?2 AS place, r.action, r.outcome, count(*), CAST(avg({took}) AS BIGINT)
         FROM audit_rows r WHERE r.at >= ?1 GROUP BY place, r.action, r.outcome ORDER BY place, r.action, r.outcome"
    );
    db.all(&sql, values![since.as_millis(), span], |columns| {
        Ok(AuditActivity {
            place: columns.get()?,
            action: columns.get()?,
            outcome: columns.word(Outcome::parse)?,
            count: columns.get()?,
            mean_duration_ms: columns.get()?,
        })
    })
}

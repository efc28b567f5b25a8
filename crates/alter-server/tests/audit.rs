//! The audit chain: it verifies, and every way of tampering with it is found.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should panic where it stands")]

use std::path::Path;
use std::time::{Duration, Instant};

use alter_server::audit::{AuditEntry, AuditKey, ChainId, Finding, Head, Outcome, Report, RowMac, verify, verify_all};
use alter_server::model::{ActorId, AppId, CallerType, GrantId, KeyId, OperatorId};
use alter_server::store::Commit;
use alter_server::store::sqlite::{self, Access, DATABASE_FILE, SqliteOptions};
use proptest::prelude::*;
use tempfile::TempDir;

/// A closed vault with `rows` rows in the vault's chain, each with every field set to something.
fn written(rows: u64) -> (TempDir, AuditKey, Head) {
    let folder = TempDir::new().unwrap();
    let opened = sqlite::open(&SqliteOptions::new(folder.path(), Access::Create)).unwrap();
    let head = block_on(async {
        for number in 0..rows {
            opened.store.commit(Commit::new(full_entry(ChainId::Vault, number)), soon()).await.unwrap();
        }
        let report = verify(&*opened.store, &opened.audit, ChainId::Vault, None).await.unwrap();
        assert!(report.is_intact() && report.rows == rows, "{report:?}");
        opened.store.close().await.unwrap();
        report.head
    });
    (folder, opened.audit, head)
}

fn full_entry(chain: ChainId, number: u64) -> AuditEntry {
    AuditEntry::new(chain, "test.row", Outcome::Intent)
        .refused("test_code", Some("test detail"))
        .key(KeyId::random())
        .operator(OperatorId::random())
        .caller(CallerType::Agent, "planner", Some(ActorId::random()))
        .grant(GrantId::random())
        .provider("github")
        .subject("grant", number)
        .reason("because")
        .context(r#"{"a":1}"#)
        .call("GET", "https://api.github.com/user")
        .request_id("r-1")
        .trace("0af7651916cd43dd8448eb211c80319c")
        .report("{}")
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
}

/// Changes the database as someone would who can write to the file and knows how to get past the triggers.
fn tamper(folder: &Path, sql: &str) {
    let connection = rusqlite::Connection::open(folder.join(DATABASE_FILE)).unwrap();
    connection.execute_batch("DROP TRIGGER audit_rows_stay; DROP TRIGGER audit_rows_keep; PRAGMA foreign_keys = OFF").unwrap();
    connection.execute_batch(sql).unwrap();
}

fn verified(folder: &Path, expected: Option<&Head>) -> Report {
    let opened = sqlite::open(&SqliteOptions::new(folder, Access::Read)).unwrap();
    block_on(async {
        let report = verify(&*opened.store, &opened.audit, ChainId::Vault, expected).await.unwrap();
        opened.store.close().await.unwrap();
        report
    })
}

#[test]
fn a_change_of_any_column_is_found() {
    let (folder, ..) = written(3);
    let names: Vec<String> = {
        let connection = rusqlite::Connection::open(folder.path().join(DATABASE_FILE)).unwrap();
        let mut columns = connection.prepare("SELECT name FROM pragma_table_info('audit_rows')").unwrap();
        columns.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    };
    assert!(names.len() > 20, "{names:?}");
    for name in names {
        let value = match name.as_str() {
            // The physical order; a row's place is its sequence.
            "n" => continue,
            // Moves the row out of the chain.
            "chain" => "77",
            "sequence" => "9",
            "at" => "at + 1",
            "refers_to" => "1",
            "outcome" => "'done'",
            "caller_type" => "'service'",
            "key" | "operator" | "actor" | "grant_id" => "randomblob(16)",
            "mac" => "randomblob(32)",
            _ => "'changed'",
        };
        for value in [value, "NULL"] {
            let (folder, ..) = written(3);
            let connection = rusqlite::Connection::open(folder.path().join(DATABASE_FILE)).unwrap();
            connection.execute_batch("DROP TRIGGER audit_rows_keep; PRAGMA foreign_keys = OFF").unwrap();
            let update = format!("UPDATE audit_rows SET {name} = {value} WHERE sequence = 2");
            // Columns that may not be NULL refuse it; those are covered by the other value.
            if connection.execute_batch(&update).is_err() || (value == "NULL" && name == "refers_to") {
                assert_eq!(value, "NULL", "{update}");
                continue;
            }
            drop(connection);
            let report = verified(folder.path(), None);
            assert!(!report.is_intact(), "{update} was not found");
        }
    }
}

#[test]
fn a_changed_row_is_named_once() {
    let (folder, ..) = written(5);
    tamper(folder.path(), "UPDATE audit_rows SET reason = 'another' WHERE sequence = 3");
    assert_eq!(verified(folder.path(), None).findings, [Finding::NotAsWritten { sequence: 3 }]);
}

#[test]
fn removed_rows_are_named() {
    let (folder, ..) = written(6);
    tamper(folder.path(), "DELETE FROM audit_rows WHERE sequence IN (3, 4)");
    assert_eq!(verified(folder.path(), None).findings, [Finding::Missing { first: 3, last: 4 }]);
    tamper_again(folder.path(), "DELETE FROM audit_rows WHERE sequence = 1");
    let findings = verified(folder.path(), None).findings;
    assert_eq!(findings, [Finding::Missing { first: 1, last: 1 }, Finding::Missing { first: 3, last: 4 }]);
}

fn tamper_again(folder: &Path, sql: &str) {
    let connection = rusqlite::Connection::open(folder.join(DATABASE_FILE)).unwrap();
    connection.execute_batch(&format!("PRAGMA foreign_keys = OFF; {sql}")).unwrap();
}

#[test]
fn a_removed_row_is_found_though_the_rest_moved_up() {
    let (folder, ..) = written(4);
    tamper(
        folder.path(),
        "DELETE FROM audit_rows WHERE sequence = 2;
         UPDATE audit_rows SET sequence = 2 WHERE sequence = 3; UPDATE audit_rows SET sequence = 3 WHERE sequence = 4;",
    );
    let findings = verified(folder.path(), None).findings;
    assert!(findings.contains(&Finding::NotAsWritten { sequence: 2 }), "{findings:?}");
}

#[test]
fn rows_that_changed_places_are_found() {
    let (folder, ..) = written(4);
    tamper(
        folder.path(),
        "UPDATE audit_rows SET sequence = 100 WHERE sequence = 2; UPDATE audit_rows SET sequence = 2 WHERE sequence = 3;
         UPDATE audit_rows SET sequence = 3 WHERE sequence = 100;",
    );
    let findings = verified(folder.path(), None).findings;
    assert!(findings.contains(&Finding::NotAsWritten { sequence: 2 }) && findings.contains(&Finding::NotAsWritten { sequence: 3 }));
}

#[test]
fn an_inserted_row_is_found() {
    let (folder, ..) = written(3);
    tamper(
        folder.path(),
        "INSERT INTO audit_rows (chain, sequence, at, action, outcome, mac)
         SELECT chain, 4, at, 'forged.row', 'done', randomblob(32) FROM audit_rows WHERE sequence = 3",
    );
    let findings = verified(folder.path(), None).findings;
    assert_eq!(findings, [Finding::NotAsWritten { sequence: 4 }, Finding::BeyondHead { head: 3, last: 4 }]);
    tamper_again(folder.path(), "UPDATE audit_chains SET sequence = 4, mac = (SELECT mac FROM audit_rows WHERE sequence = 4)");
    let findings = verified(folder.path(), None).findings;
    assert_eq!(findings, [Finding::NotAsWritten { sequence: 4 }, Finding::HeadForged]);
}

#[test]
fn a_repeated_row_is_found() {
    let (folder, ..) = written(3);
    // Without the unique index a place can be taken twice.
    tamper(
        folder.path(),
        "CREATE TABLE copy AS SELECT * FROM audit_rows; DROP TABLE audit_rows; ALTER TABLE copy RENAME TO audit_rows;
         INSERT INTO audit_rows SELECT * FROM audit_rows WHERE sequence = 2",
    );
    assert_eq!(verified(folder.path(), None).findings, [Finding::Repeated { sequence: 2 }]);
}

#[test]
fn a_cut_tail_is_found_by_the_head_and_a_cut_with_its_head_by_the_exported_one() {
    let (folder, _, exported) = written(5);
    let old_head = {
        let connection = rusqlite::Connection::open(folder.path().join(DATABASE_FILE)).unwrap();
        connection.execute_batch("CREATE TABLE kept AS SELECT * FROM audit_chains").unwrap();
        exported
    };
    // More rows, then back to the head as it was before them: the database alone looks as it did then.
    let opened = sqlite::open(&SqliteOptions::new(folder.path(), Access::Write)).unwrap();
    let later = block_on(async {
        opened.store.commit(Commit::new(full_entry(ChainId::Vault, 6)), soon()).await.unwrap();
        let head = verify(&*opened.store, &opened.audit, ChainId::Vault, Some(&old_head)).await.unwrap();
        assert!(head.is_intact(), "an older head still stands: {head:?}");
        opened.store.close().await.unwrap();
        head.head
    });
    tamper(folder.path(), "DELETE FROM audit_rows WHERE sequence = 6");
    assert_eq!(verified(folder.path(), None).findings, [Finding::CutOff { last: 5, head: 6 }]);
    tamper_again(folder.path(), "UPDATE audit_chains SET sequence = 5, mac = (SELECT mac FROM audit_rows WHERE sequence = 5)");
    assert_eq!(verified(folder.path(), None).findings, [Finding::HeadForged]);
    tamper_again(folder.path(), "DELETE FROM audit_chains; INSERT INTO audit_chains SELECT * FROM kept");
    assert!(verified(folder.path(), None).is_intact(), "a database that was put back whole is found by an exported head only");
    assert_eq!(verified(folder.path(), Some(&later)).findings, [Finding::CutOff { last: 5, head: 6 }]);
}

#[test]
fn a_rewritten_chain_differs_from_the_exported_head() {
    let (folder, _, mut head) = written(3);
    assert!(verified(folder.path(), Some(&head)).is_intact());
    head.mac = RowMac([9; 32]);
    assert_eq!(verified(folder.path(), Some(&head)).findings, [Finding::Diverged { sequence: 3 }]);
    head.sequence = 2;
    assert_eq!(verified(folder.path(), Some(&head)).findings, [Finding::Diverged { sequence: 2 }]);
}

#[test]
fn a_chain_that_is_gone_altogether_is_found_by_its_exported_head() {
    let (folder, _, head) = written(3);
    tamper(folder.path(), "DELETE FROM audit_rows; DELETE FROM audit_chains");
    let opened = sqlite::open(&SqliteOptions::new(folder.path(), Access::Read)).unwrap();
    let reports = block_on(verify_all(&*opened.store, &opened.audit, &[head])).unwrap();
    assert_eq!(reports.len(), 1);
    assert_eq!(reports[0].findings, [Finding::CutOff { last: 0, head: 3 }]);
}

#[test]
fn another_key_verifies_nothing() {
    let (folder, ..) = written(2);
    let opened = sqlite::open(&SqliteOptions::new(folder.path(), Access::Read)).unwrap();
    let report = block_on(verify(&*opened.store, &AuditKey::new([1; 32]), ChainId::Vault, None)).unwrap();
    assert_eq!(
        report.findings,
        [1, 2].map(|sequence| Finding::NotAsWritten { sequence }).into_iter().chain([Finding::HeadForged]).collect::<Vec<_>>()
    );
}

#[test]
fn many_findings_are_counted_and_few_are_kept() {
    let (folder, ..) = written(30);
    tamper(folder.path(), "UPDATE audit_rows SET code = 'changed'");
    let report = verified(folder.path(), None);
    assert_eq!((report.finding_count, report.findings.len()), (30, 20));
}

#[test]
fn rows_are_neither_changed_nor_deleted_by_accident() {
    let (folder, ..) = written(1);
    let connection = rusqlite::Connection::open(folder.path().join(DATABASE_FILE)).unwrap();
    for (sql, why) in
        [("DELETE FROM audit_rows", "audit rows are never deleted"), ("UPDATE audit_rows SET code = 'x'", "audit rows are never changed")]
    {
        assert_eq!(connection.execute_batch(sql).unwrap_err().to_string(), why);
    }
}

#[test]
fn verification_walks_over_many_pages_and_beside_a_writer() {
    let folder = TempDir::new().unwrap();
    let opened = sqlite::open(&SqliteOptions::new(folder.path(), Access::Create)).unwrap();
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap().block_on(async {
        let store = std::sync::Arc::clone(&opened.store);
        let (stop, mut stopped) = tokio::sync::watch::channel(false);
        let writing = tokio::spawn(async move {
            let mut written = 0;
            while !*stopped.borrow_and_update() {
                let calls: Vec<_> = (0..16)
                    .map(|number| {
                        let store = std::sync::Arc::clone(&store);
                        tokio::spawn(async move { store.commit(Commit::new(full_entry(ChainId::Vault, number)), soon()).await })
                    })
                    .collect();
                for call in calls {
                    call.await.unwrap().unwrap();
                    written += 1;
                }
            }
            written
        });
        let mut last = 0;
        while last < 2000 {
            let report = verify(&*opened.store, &opened.audit, ChainId::Vault, None).await.unwrap();
            assert!(report.is_intact(), "{report:?}");
            last = report.rows;
        }
        stop.send(true).unwrap();
        let written: u64 = writing.await.unwrap();
        let report = verify(&*opened.store, &opened.audit, ChainId::Vault, None).await.unwrap();
        assert_eq!((report.rows, report.head.sequence, report.is_intact()), (written, written, true));
    });
}

/// What a stranger may send: any text, also text that looks like the end of a field.
fn any_entry() -> impl Strategy<Value = AuditEntry> {
    let text = || proptest::option::of(".{0,40}");
    (text(), text(), text(), text(), text(), text(), any::<Option<u64>>(), 0..3_usize).prop_map(
        |(code, caller, provider, reason, context, detail, refers_to, outcome)| {
            let mut entry = AuditEntry::new(ChainId::Vault, "test.row", Outcome::ALL[outcome]);
            (entry.code, entry.caller, entry.provider) = (code, caller, provider);
            (entry.reason, entry.context, entry.detail) = (reason, context, detail);
            entry.refers_to = refers_to.map(|sequence| sequence >> 1);
            entry
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Rows that differ have MACs that differ: no two rows share their canonical bytes.
    #[test]
    fn different_rows_have_different_macs(one in any_entry(), two in any_entry(), sequence in 1..9_u64) {
        let key = AuditKey::new([7; 32]);
        let at = alter_server::clock::Timestamp::from_millis(0);
        let mac = |chain: ChainId, entry: &AuditEntry, sequence| key.chain(chain).row(RowMac::GENESIS, sequence, at, entry);
        let (first, second) = (mac(ChainId::Vault, &one, sequence), mac(ChainId::Vault, &two, sequence));
        prop_assert_eq!(one == two, first == second);
        prop_assert_ne!(first, mac(ChainId::Vault, &one, sequence + 1));
        prop_assert_ne!(first, mac(ChainId::App(AppId::random()), &one, sequence));
        prop_assert_ne!(first, key.chain(ChainId::Vault).row(first, sequence, at, &one));
    }

    /// A text moved from one field to its neighbour is another row.
    #[test]
    fn moving_text_between_fields_changes_the_mac(text in ".{1,40}", cut in 0..40_usize) {
        let key = AuditKey::new([7; 32]).chain(ChainId::Vault);
        let at = alter_server::clock::Timestamp::from_millis(0);
        let cut = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= cut).last().unwrap_or(0);
        let mac = |reason: Option<&str>, context: Option<&str>| {
            let mut entry = AuditEntry::new(ChainId::Vault, "test.row", Outcome::Done);
            (entry.reason, entry.context) = (reason.map(str::to_owned), context.map(str::to_owned));
            key.row(RowMac::GENESIS, 1, at, &entry)
        };
        let whole = mac(Some(&text), None);
        prop_assert_ne!(whole, mac(None, Some(&text)));
        prop_assert_ne!(whole, mac(Some(&text[..cut]), Some(&text[cut..])));
        prop_assert_ne!(whole, mac(Some(&text), Some("")));
    }

    #[test]
    fn macs_are_read_as_they_are_printed(bytes in any::<[u8; 32]>(), junk in ".{0,70}") {
        let mac = RowMac(bytes);
        prop_assert_eq!(RowMac::parse(&mac.to_string()), Some(mac));
        prop_assert!(RowMac::parse(&junk).is_none_or(|mac| mac.to_string().eq_ignore_ascii_case(&junk)));
    }

    /// Whatever is written, it is read back as it was and verifies.
    #[test]
    fn any_rows_verify(entries in proptest::collection::vec(any_entry(), 1..20)) {
        let folder = TempDir::new().unwrap();
        let opened = sqlite::open(&SqliteOptions::new(folder.path(), Access::Create)).unwrap();
        block_on(async {
            for entry in &entries {
                opened.store.commit(Commit::new(entry.clone()), soon()).await.unwrap();
            }
            let report = verify(&*opened.store, &opened.audit, ChainId::Vault, None).await.unwrap();
            prop_assert!(report.is_intact(), "{:?}", report);
            let rows = opened.store.audit_rows(ChainId::Vault, 0, std::num::NonZeroU32::MAX).await.unwrap();
            let read: Vec<AuditEntry> = rows.into_iter().map(|row| row.entry).collect();
            prop_assert_eq!(&read, &entries);
            Ok(())
        })?;
    }

    /// Whoever changes, removes, copies or swaps any row is found.
    #[test]
    fn any_tampering_is_found(kind in 0..4_u8, one in 1..9_u64, two in 1..9_u64, text in ".{0,10}") {
        prop_assume!(one != two);
        let (folder, ..) = written(8);
        let swap = format!(
            "UPDATE audit_rows SET sequence = 100 WHERE sequence = {one}; UPDATE audit_rows SET sequence = {one} WHERE sequence = {two};
             UPDATE audit_rows SET sequence = {two} WHERE sequence = 100"
        );
        let quoted = text.replace('\'', "''").replace('\0', "");
        tamper(folder.path(), &match kind {
            0 => format!("UPDATE audit_rows SET detail = '{quoted}' WHERE sequence = {one}"),
            1 => format!("DELETE FROM audit_rows WHERE sequence = {one}"),
            2 => format!("UPDATE audit_rows SET (key, reason, mac) = (SELECT key, reason, mac FROM audit_rows WHERE sequence = {two}) WHERE sequence = {one}"),
            _ => swap,
        });
        prop_assert!(!verified(folder.path(), None).is_intact());
    }
}

//! What programs were told, held against what is there in the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::Failed;
use crate::vaults::{CREDENTIAL, Vaults};

/// What the contract lets a program see when a vault dies: it cannot be reached, or answers that it cannot know or cannot write at the moment.
const NAMED: [&str; 8] = [
    "network",
    "network_error",
    "timeout",
    "audit_unavailable",
    "call_in_progress",
    "changed_meanwhile",
    "secret_changed",
    "too_many_pending_approvals",
];
/// Kinds of errors of the SDK that mean the same.
const NAMED_KINDS: [&str; 2] = ["NetworkError", "TimeoutError"];

/// What programs were told.
#[derive(Default)]
pub struct Ledger(Mutex<Told>);

#[derive(Default)]
struct Told {
    minted: BTreeSet<String>,
    retrieved: u64,
    answered: BTreeSet<String>,
    in_doubt: BTreeSet<String>,
    refused: BTreeMap<String, u64>,
    unexpected: Vec<String>,
}

impl Ledger {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A grant was made.
    pub fn minted(&self, grant: String) {
        self.told().minted.insert(grant);
    }

    /// A credential was released, and the call made with it.
    pub fn retrieved(&self) {
        self.told().retrieved += 1;
    }

    /// The vault has made the call to this path.
    pub fn answered(&self, path: String) {
        self.told().answered.insert(path);
    }

    /// Nobody knows whether the call to this path was made.
    pub fn in_doubt(&self, path: String) {
        self.told().in_doubt.insert(path);
    }

    /// A program got an error.
    pub fn refused(&self, what: &str, kind: &str, code: &str, message: &str) {
        let mut told = self.told();
        *told.refused.entry(format!("{what}: {kind} {code}")).or_default() += 1;
        if !NAMED.contains(&code) && !NAMED_KINDS.contains(&kind) {
            told.unexpected.push(format!("{what}: {kind} {code}: {message}"));
        }
    }

    /// Something that must not be.
    pub fn unexpected(&self, what: String) {
        self.told().unexpected.push(what);
    }

    /// Holds everything against the vaults, the provider and the database, and prints what there was.
    pub fn settle(&self, vaults: &Vaults, kills: usize) -> Result<(), Failed> {
        let told = self.told();
        let mut wrong = told.unexpected.clone();
        let lost: Vec<&String> = {
            let there: BTreeSet<String> = vaults.grants()?;
            told.minted.iter().filter(|grant| !there.contains(*grant)).collect()
        };
        wrong.extend(lost.iter().map(|grant| format!("the grant {grant} was acknowledged, and is not there")));
        let mut calls: BTreeMap<String, usize> = BTreeMap::new();
        for seen in vaults.provider.seen("/") {
            if !seen.authorized {
                wrong.push(format!("a call to {} had no credential", seen.request.path()));
            }
            *calls.entry(seen.request.path().to_owned()).or_default() += 1;
        }
        let once = |path: &&String| path.starts_with("/once/") || path.starts_with("/asked/");
        wrong.extend(
            calls.iter().filter(|(path, count)| once(path) && **count > 1).map(|(path, count)| format!("{path} was called {count} times")),
        );
        wrong.extend(
            told.answered.iter().filter(|path| !calls.contains_key(*path)).map(|path| format!("{path} was answered and never called")),
        );
        let released =
            vaults.count("SELECT count(*) FROM alter_vault.audit_rows WHERE action = 'token.retrieve' AND outcome = 'intent'")?;
        if released < told.retrieved {
            wrong.push(format!("{} credentials were released, and {released} rows say so", told.retrieved));
        }
        let unended = vaults.count("SELECT count(*) FROM alter_vault.approvals WHERE status IN ('approved', 'executing')")?;
        if unended > 0 {
            wrong.push(format!("{unended} calls were agreed to and have no end"));
        }
        for chain in vaults.verified()? {
            if chain["intact"] != true {
                wrong.push(format!("the audit is not intact: {chain}"));
            }
        }
        let count = |prefix: &str| told.answered.iter().filter(|path| path.starts_with(prefix)).count();
        println!("vaults killed                {kills}");
        println!("grants made                  {}", told.minted.len());
        println!("credentials retrieved        {}", told.retrieved);
        println!("calls under a key            {} made", count("/once/"));
        println!("calls that people agreed to  {} made", count("/asked/"));
        println!("calls in doubt               {}", told.in_doubt.len());
        for (error, times) in &told.refused {
            println!("    {times:>6} x {error}");
        }
        if told.minted.is_empty() || told.retrieved == 0 || count("/once/") == 0 || count("/asked/") == 0 {
            wrong.push("a program did nothing".to_owned());
        }
        if wrong.iter().any(|text| text.contains(CREDENTIAL)) {
            wrong.push("an error shows the credential".to_owned());
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
    }
}

//! Verifying chains: page by page, so memory does not grow with the trail.

use std::fmt;
use std::num::NonZeroU32;

use super::chain::{ChainKey, same_mac};
use super::{AuditKey, AuditRow, ChainId, Head};
use crate::store::{Store, StoreError, StoredHead};

const PAGE: NonZeroU32 = NonZeroU32::new(512).expect("512 is not zero");

/// A report keeps this many findings; the rest is only counted.
const KEPT_FINDINGS: usize = 20;

/// Something in a chain that is not as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// A row is not the one that was written at this place: a field was changed, or it was inserted, or moved here, or the row before it is not
    /// the one it was chained to.
    NotAsWritten {
        /// The row.
        sequence: u64,
    },
    /// Rows are gone from the middle or the start.
    Missing {
        /// The first that is gone.
        first: u64,
        /// The last that is gone.
        last: u64,
    },
    /// Two rows claim one place.
    Repeated {
        /// The place.
        sequence: u64,
    },
    /// The tail is gone: the head, stored or given, stands for more rows than there are.
    CutOff {
        /// The last row there is; 0 for none.
        last: u64,
        /// The last row that there must be.
        head: u64,
    },
    /// There are rows behind the stored head.
    BeyondHead {
        /// The last row that the head stands for.
        head: u64,
        /// The last row there is.
        last: u64,
    },
    /// The stored head was not written by the vault, or names another row than the last.
    HeadForged,
    /// The row at the place of the given head is another than the one that it was exported from: the chain was rewritten or rolled back.
    Diverged {
        /// The place.
        sequence: u64,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAsWritten { sequence } => write!(f, "row {sequence} is not as it was written"),
            Self::Missing { first, last } if first == last => write!(f, "row {first} is missing"),
            Self::Missing { first, last } => write!(f, "rows {first} to {last} are missing"),
            Self::Repeated { sequence } => write!(f, "row {sequence} is there more than once"),
            Self::CutOff { last, head } => write!(f, "the tail is cut off: the last row is {last}, it must be {head}"),
            Self::BeyondHead { head, last } => write!(f, "rows {} to {last} are not covered by the head", head + 1),
            Self::HeadForged => f.write_str("the stored head is not as it was written"),
            Self::Diverged { sequence } => write!(f, "row {sequence} is not the one of the expected head"),
        }
    }
}

/// What verifying one chain found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Whose chain.
    pub chain: ChainId,
    /// How many rows were read.
    pub rows: u64,
    /// The last row that was read: the head to export.
    pub head: Head,
    /// The first findings, in the order found.
    pub findings: Vec<Finding>,
    /// How many findings there are in all.
    pub finding_count: u64,
}

impl Report {
    /// Whether the chain is exactly as it was written.
    pub const fn is_intact(&self) -> bool {
        self.finding_count == 0
    }
}

/// Verifies every chain of the store. `expected` are heads that were exported before, at most one a chain is used; one for a chain that the
/// store does not have is reported against an empty chain.
///
/// # Errors
/// When the store cannot be read.
pub async fn verify_all(store: &dyn Store, key: &AuditKey, expected: &[Head]) -> Result<Vec<Report>, StoreError> {
    let mut heads = store.audit_heads().await?;
    for expected in expected {
        if !heads.iter().any(|stored| stored.head.chain == expected.chain) {
            let head = Head::empty(expected.chain);
            heads.push(StoredHead { head, head_mac: key.chain(head.chain).head(&head) });
        }
    }
    let mut reports = Vec::with_capacity(heads.len());
    for stored in heads {
        let expected = expected.iter().find(|head| head.chain == stored.head.chain);
        reports.push(verify_against(store, key, stored, expected).await?);
    }
    Ok(reports)
}

/// Verifies one chain, also against a head that was exported before if one is given. Rows that are written meanwhile are left for the next time.
///
/// # Errors
/// When the store cannot be read.
pub async fn verify(store: &dyn Store, key: &AuditKey, chain: ChainId, expected: Option<&Head>) -> Result<Report, StoreError> {
    let stored = store.audit_heads().await?.into_iter().find(|stored| stored.head.chain == chain);
    let empty = Head::empty(chain);
    let stored = stored.unwrap_or_else(|| StoredHead { head: empty, head_mac: key.chain(chain).head(&empty) });
    verify_against(store, key, stored, expected).await
}

async fn verify_against(store: &dyn Store, key: &AuditKey, stored: StoredHead, expected: Option<&Head>) -> Result<Report, StoreError> {
    let chain = stored.head.chain;
    let mut walk = Walk::new(key.chain(chain), chain, expected.copied());
    let mut live_head = stored;
    loop {
        let page = store.audit_rows(chain, walk.last.sequence, PAGE).await?;
        for row in &page {
            walk.step(row);
        }
        if page.len() < PAGE.get() as usize {
            // The vault may be writing: what came after the head was read is judged against the head as it is now.
            if walk.last.sequence > live_head.head.sequence
                && let Some(newer) = store.audit_heads().await?.into_iter().find(|stored| stored.head.chain == chain)
                && newer != live_head
            {
                live_head = newer;
                continue;
            }
            return Ok(walk.finish(&live_head));
        }
    }
}

/// The state of a walk along a chain: nothing that grows.
struct Walk {
    key: ChainKey,
    last: Head,
    rows: u64,
    expected: Option<Head>,
    findings: Vec<Finding>,
    finding_count: u64,
}

impl Walk {
    fn new(key: ChainKey, chain: ChainId, expected: Option<Head>) -> Self {
        Self { key, last: Head::empty(chain), rows: 0, expected, findings: Vec::new(), finding_count: 0 }
    }

    fn found(&mut self, finding: Finding) {
        self.finding_count += 1;
        if self.findings.len() < KEPT_FINDINGS {
            self.findings.push(finding);
        }
    }

    fn step(&mut self, row: &AuditRow) {
        self.rows += 1;
        if row.sequence <= self.last.sequence {
            self.found(Finding::Repeated { sequence: row.sequence });
            return;
        }
        let gap = row.sequence > self.last.sequence + 1;
        if gap {
            self.found(Finding::Missing { first: self.last.sequence + 1, last: row.sequence - 1 });
        }
        // After a gap the MAC that the row was chained to is gone, so the row itself cannot be judged.
        if !gap && !same_mac(&self.key.row(self.last.mac, row.sequence, row.at, &row.entry), &row.mac) {
            self.found(Finding::NotAsWritten { sequence: row.sequence });
        }
        if let Some(expected) = self.expected
            && expected.sequence == row.sequence
            && !same_mac(&expected.mac, &row.mac)
        {
            self.found(Finding::Diverged { sequence: row.sequence });
        }
        // Going on from the MAC as stored names each bad row once instead of every row after it.
        self.last = Head { chain: self.last.chain, sequence: row.sequence, mac: row.mac };
    }

    fn finish(mut self, stored: &StoredHead) -> Report {
        let last = self.last;
        let head = &stored.head;
        if !same_mac(&self.key.head(head), &stored.head_mac) {
            self.found(Finding::HeadForged);
        } else if head.sequence > last.sequence {
            self.found(Finding::CutOff { last: last.sequence, head: head.sequence });
        } else if head.sequence < last.sequence {
            self.found(Finding::BeyondHead { head: head.sequence, last: last.sequence });
        } else if !same_mac(&head.mac, &last.mac) {
            self.found(Finding::HeadForged);
        }
        if let Some(expected) = self.expected
            && expected.sequence > last.sequence
        {
            self.found(Finding::CutOff { last: last.sequence, head: expected.sequence });
        }
        Report { chain: last.chain, rows: self.rows, head: last, findings: self.findings, finding_count: self.finding_count }
    }
}

//! The keyed hash chain: the bytes that a row's MAC covers, and the head that stands for all rows of a chain.

use std::fmt;

use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{AuditEntry, ChainId};
use crate::clock::Timestamp;

/// The MAC of one row: HMAC-SHA256 over the MAC of the row before it and the row's canonical bytes. Not secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RowMac(pub [u8; 32]);

impl RowMac {
    /// What the first row of a chain is chained to.
    pub const GENESIS: Self = Self([0; 32]);

    /// Reads 64 hexadecimal digits.
    pub fn parse(hex: &str) -> Option<Self> {
        if hex.len() != 64 || !hex.is_ascii() {
            return None;
        }
        let mut mac = [0; 32];
        for (byte, digits) in mac.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
        }
        Some(Self(mac))
    }
}

impl fmt::Display for RowMac {
    /// 64 lower-case hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for RowMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RowMac({self})")
    }
}

/// The end of a chain. Kept outside of the vault (`alter audit head`), it is what a cut-off tail is found against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Whose chain.
    pub chain: ChainId,
    /// Sequence of the last row; 0 for an empty chain.
    pub sequence: u64,
    /// MAC of the last row; [`RowMac::GENESIS`] for an empty chain.
    pub mac: RowMac,
}

impl Head {
    /// The head of a chain without rows.
    pub const fn empty(chain: ChainId) -> Self {
        Self { chain, sequence: 0, mac: RowMac::GENESIS }
    }
}

/// The key of the audit trail: 32 random bytes that the master key wraps. Each chain has a key of its own derived from it, so a row moved
/// into another app's chain verifies nowhere.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct AuditKey([u8; 32]);

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuditKey([redacted])")
    }
}

impl AuditKey {
    /// From its 32 bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// What files that belong to the vault (backups, tombstones) are proven by.
    pub(crate) fn files(&self) -> Hmac<Sha256> {
        let mut key = zeroize::Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(None, &self.0).expand(b"alter files v1", &mut *key).expect("32 bytes are within HKDF's limit of 255 hashes");
        Hmac::new_from_slice(&*key).expect("HMAC takes keys of any length")
    }

    /// The key of one chain. Deriving it costs two hashes: keep it while working on the chain.
    pub fn chain(&self, chain: ChainId) -> ChainKey {
        let mut info = b"alter audit chain v1".to_vec();
        info.extend_from_slice(chain.as_uuid().as_bytes());
        let mut key = zeroize::Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(None, &self.0).expand(&info, &mut *key).expect("32 bytes are within HKDF's limit of 255 hashes");
        ChainKey { chain, keyed: Hmac::new_from_slice(&*key).expect("HMAC takes keys of any length") }
    }
}

/// The key of one chain, ready for use.
#[derive(Clone)]
pub struct ChainKey {
    chain: ChainId,
    keyed: Hmac<Sha256>,
}

impl fmt::Debug for ChainKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChainKey({}, [redacted])", self.chain)
    }
}

impl ChainKey {
    /// The MAC of a row that follows the row with MAC `previous`.
    pub fn row(&self, previous: RowMac, sequence: u64, at: Timestamp, entry: &AuditEntry) -> RowMac {
        let mut mac = self.keyed.clone();
        mac.update(b"row");
        mac.update(&previous.0);
        mac.update(&canonical(self.chain, sequence, at, entry));
        RowMac(mac.finalize().into_bytes().into())
    }

    /// The MAC of a head. It keeps whoever can write to the database, but has no key, from cutting a chain and naming an earlier row its head;
    /// putting back a head that once was is what only an exported head finds.
    pub fn head(&self, head: &Head) -> RowMac {
        let mut mac = self.keyed.clone();
        mac.update(b"head");
        mac.update(self.chain.as_uuid().as_bytes());
        mac.update(&head.sequence.to_be_bytes());
        mac.update(&head.mac.0);
        RowMac(mac.finalize().into_bytes().into())
    }
}

/// Compares two MACs in constant time.
pub(super) fn same_mac(one: &RowMac, two: &RowMac) -> bool {
    one.0.ct_eq(&two.0).into()
}

/// The bytes that stand for a row: a format number, then every field in a fixed order, each as one byte of presence and, if present, its
/// length (four bytes, big-endian) and its bytes. No two different rows have the same bytes, and a new field needs a new format number.
fn canonical(chain: ChainId, sequence: u64, at: Timestamp, entry: &AuditEntry) -> Vec<u8> {
    // Naming every field makes a forgotten one a compile error.
    let AuditEntry {
        chain: _,
        action,
        outcome,
        code,
        key,
        operator,
        caller,
        caller_type,
        actor,
        grant,
        provider,
        subject,
        reason,
        context,
        method,
        url,
        detail,
        request_id,
        trace,
        report,
        refers_to,
    } = entry;
    let mut bytes = Canonical(Vec::with_capacity(512));
    // Rows without a trace have the format that all rows had before there were any.
    bytes.0.push(if trace.is_some() { 2 } else { 1 });
    bytes.field(Some(chain.as_uuid().as_bytes()));
    bytes.field(Some(&sequence.to_be_bytes()));
    bytes.field(Some(&at.as_millis().to_be_bytes()));
    bytes.text(Some(action));
    bytes.text(Some(outcome.as_str()));
    bytes.text(code.as_deref());
    bytes.field(key.as_ref().map(|id| &id.0.as_bytes()[..]));
    bytes.field(operator.as_ref().map(|id| &id.0.as_bytes()[..]));
    bytes.text(caller.as_deref());
    bytes.text(caller_type.map(|kind| kind.as_str()));
    bytes.field(actor.as_ref().map(|id| &id.0.as_bytes()[..]));
    bytes.field(grant.as_ref().map(|id| &id.0.as_bytes()[..]));
    for text in [provider, subject, reason, context, method] {
        bytes.text(text.as_deref());
    }
    bytes.text(url.as_ref().map(super::AuditUrl::as_str));
    for text in [detail, request_id, report] {
        bytes.text(text.as_deref());
    }
    bytes.field(refers_to.map(u64::to_be_bytes).as_ref().map(|sequence| &sequence[..]));
    if trace.is_some() {
        bytes.text(trace.as_deref());
    }
    bytes.0
}

struct Canonical(Vec<u8>);

impl Canonical {
    fn text(&mut self, text: Option<&str>) {
        self.field(text.map(str::as_bytes));
    }

    fn field(&mut self, field: Option<&[u8]>) {
        match field {
            None => self.0.push(0),
            Some(field) => {
                let length = u32::try_from(field.len()).expect("the fields of a row are bounded far below 4 GiB");
                self.0.push(1);
                self.0.extend_from_slice(&length.to_be_bytes());
                self.0.extend_from_slice(field);
            }
        }
    }
}

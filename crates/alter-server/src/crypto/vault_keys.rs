//! The keys of an unlocked vault, and how a vault is unlocked.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use alter_core::secret::Secret;
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::envelope::{Place, SealingKey, open_fields, seal_fields};
use super::ring::KeyRing;
use super::{KeyCheck, KeyError, MasterKeys, SealedSecret, SealedTo, Wrapped};
use crate::audit::AuditKey;
use crate::model::{ActorId, AppId, CallerType, DataKeyId, KeyDigest};

/// The keys that are made once, when the vault is, and wrapped by the master key ever after.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RootKey {
    /// Keys the digests of API and operator keys, the ids of callers, and the keys that sign assertions.
    Pepper,
    /// Keys the audit chains.
    Audit,
}

impl RootKey {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Pepper, Self::Audit];

    /// Its name in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pepper => "pepper",
            Self::Audit => "audit",
        }
    }
}

/// What a store keeps about keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredKeys {
    /// Fingerprints of the master keys, by version. Empty for a store that was just made.
    pub masters: BTreeMap<u32, KeyCheck>,
    /// The root keys, wrapped.
    pub roots: BTreeMap<RootKey, Wrapped>,
    /// The versions of the master key that wrap data keys.
    pub versions_in_use: BTreeSet<u32>,
}

/// What unlocking gives.
#[derive(Debug)]
pub struct Unlocked {
    /// The keys, ready for use.
    pub keys: VaultKeys,
    /// The key of the audit chains: for the store, which alone writes them, and for verification.
    pub audit: AuditKey,
    /// What has to be written to the store before the keys are used: the root keys of a new vault, the fingerprint of a new master key.
    pub to_store: Option<StoredKeys>,
}

/// Unlocks a vault with the master keys at hand, or makes the keys of a new one.
///
/// A current master key that the store does not know is accepted as its next version if the newest known version is among the previous ones:
/// that is how a change of the master key begins.
///
/// # Errors
/// [`KeyError::Wrong`] if the keys at hand are not the vault's, [`KeyError::VersionMissing`] if one of several is not at hand.
pub fn unlock(at_hand: &MasterKeys, stored: &StoredKeys) -> Result<Unlocked, KeyError> {
    let fresh = stored.masters.is_empty();
    let mut ring = KeyRing::recognize(at_hand, &stored.masters)?;
    let new_version = ring.admit_current(at_hand, &stored.masters)?;
    let roots = if fresh { ring.new_roots()? } else { stored.roots.clone() };
    for version in roots.values().map(|root| root.master_version).chain(stored.versions_in_use.iter().copied()) {
        ring.get(version)?;
    }
    let root = |name: RootKey| {
        let wrapped = roots.get(&name).ok_or(KeyError::Incomplete { missing: name.as_str() })?;
        ring.unwrap(wrapped, &Place::Root { name: name.as_str(), master_version: wrapped.master_version })
    };
    let (pepper, audit) = (root(RootKey::Pepper)?, root(RootKey::Audit)?);
    let to_store = new_version.map(|version| StoredKeys {
        masters: BTreeMap::from([(version, at_hand.current.check())]),
        roots: if fresh { roots } else { BTreeMap::new() },
        versions_in_use: BTreeSet::new(),
    });
    let keys = VaultKeys {
        ring: RwLock::new(Arc::new(ring)),
        digests: derived(&pepper, b"alter key digest v1"),
        actors: derived(&pepper, b"alter actor id v1"),
        assertions: derived(&pepper, b"alter assertion key v1"),
    };
    Ok(Unlocked { keys, audit: AuditKey::new(*audit.bytes()), to_store })
}

fn derived(root: &SealingKey, purpose: &[u8]) -> Hmac<Sha256> {
    let mut key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(None, root.bytes()).expand(purpose, &mut *key).expect("32 bytes are within HKDF's limit of 255 hashes");
    Hmac::new_from_slice(&*key).expect("HMAC takes keys of any length")
}

/// The keys of an unlocked vault: what recognizes API keys and opens secrets.
pub struct VaultKeys {
    /// Replaced as a whole when the master key is rotated; whoever works with a ring keeps the one that they began with.
    ring: RwLock<Arc<KeyRing>>,
    digests: Hmac<Sha256>,
    actors: Hmac<Sha256>,
    assertions: Hmac<Sha256>,
}

impl fmt::Debug for VaultKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VaultKeys(master version {}, [redacted])", self.master_version())
    }
}

impl VaultKeys {
    /// The version of the master key that new wraps are made with.
    pub fn master_version(&self) -> u32 {
        self.ring().active()
    }

    fn ring(&self) -> Arc<KeyRing> {
        Arc::clone(&self.ring.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes other master keys into use, without a restart. `known` are the fingerprints in the store, which must hold the current key's.
    ///
    /// Keys that were in use before still open what they have wrapped, until the process ends.
    ///
    /// # Errors
    /// [`KeyError::Wrong`] if the store does not know the current key.
    pub fn take_up(&self, at_hand: &MasterKeys, known: &BTreeMap<u32, KeyCheck>) -> Result<(), KeyError> {
        let ring = KeyRing::recognize(at_hand, known)?;
        if ring.active() == 0 {
            return Err(KeyError::Wrong);
        }
        let mut current = self.ring.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(ring.with_keys_of(&current));
        Ok(())
    }

    /// Wraps a data key with the current master key. What it seals stays as it is.
    ///
    /// # Errors
    /// As [`VaultKeys::open`]; [`KeyError::Random`].
    pub fn rewrap_data_key(&self, id: DataKeyId, wrapped: &Wrapped) -> Result<Wrapped, KeyError> {
        self.ring().rewrap(wrapped, |master_version| Place::DataKey { id, master_version })
    }

    /// Wraps a root key with the current master key.
    ///
    /// # Errors
    /// As [`VaultKeys::rewrap_data_key`].
    pub fn rewrap_root(&self, name: RootKey, wrapped: &Wrapped) -> Result<Wrapped, KeyError> {
        self.ring().rewrap(wrapped, |master_version| Place::Root { name: name.as_str(), master_version })
    }

    /// The digest under which an API or operator key is stored and found.
    pub fn digest(&self, key: &str) -> KeyDigest {
        // On the heap, which is overwritten when it is given back: the hash keeps the last bytes that it took, and on the stack of a thread
        // that has nothing to do next they would stay.
        let mut mac = Box::new(self.digests.clone());
        mac.update(key.as_bytes());
        KeyDigest(mac.finalize_reset().into_bytes().into())
    }

    /// The id of a caller: the same for the same app, type and name, on every instance, without asking the store.
    pub fn actor_id(&self, app: AppId, caller_type: CallerType, caller: &str) -> ActorId {
        let mut mac = self.actors.clone();
        mac.update(app.0.as_bytes());
        mac.update(caller_type.as_str().as_bytes());
        mac.update(&[0]);
        mac.update(caller.as_bytes());
        let whole: [u8; 32] = mac.finalize().into_bytes().into();
        let mut id = [0; 16];
        id.copy_from_slice(&whole[..16]);
        ActorId(Uuid::new_v8(id))
    }

    /// 32 bytes for the private key that signs assertions in a period, the same on every instance. `attempt` gives others in case those are no key.
    pub(crate) fn assertion_seed(&self, period: u64, attempt: u8) -> Zeroizing<[u8; 32]> {
        let mut mac = self.assertions.clone();
        mac.update(&period.to_be_bytes());
        mac.update(&[attempt]);
        Zeroizing::new(mac.finalize().into_bytes().into())
    }

    /// Seals values under a fresh data key, so that they open only for this app and the thing that they belong to.
    ///
    /// # Errors
    /// [`KeyError::Random`].
    pub fn seal(&self, app: AppId, of: impl Into<SealedTo>, fields: &BTreeMap<String, Secret>) -> Result<SealedSecret, KeyError> {
        let (data_key, key) = (DataKeyId::random(), SealingKey::random()?);
        let wrapped = self.ring().wrap(&key, |master_version| Place::DataKey { id: data_key, master_version })?;
        Ok(SealedSecret { data_key, wrapped, fields: seal_fields(&key, data_key, app, of.into(), fields)? })
    }

    /// Opens sealed values.
    ///
    /// # Errors
    /// [`KeyError::Sealed`] if they were altered or were sealed for another app, thing or field; [`KeyError::VersionMissing`] if the master key
    /// that wraps their data key is not at hand.
    pub fn open(&self, app: AppId, of: impl Into<SealedTo>, sealed: &SealedSecret) -> Result<BTreeMap<String, Secret>, KeyError> {
        let place = Place::DataKey { id: sealed.data_key, master_version: sealed.wrapped.master_version };
        open_fields(&self.ring().unwrap(&sealed.wrapped, &place)?, app, of.into(), sealed)
    }
}

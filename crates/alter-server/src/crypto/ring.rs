//! The ring: the versions of the master key at hand, and what is wrapped with them.

use std::collections::BTreeMap;

use super::envelope::{Place, SealingKey};
use super::vault_keys::RootKey;
use super::{KeyCheck, KeyError, MasterKey, MasterKeys, Wrapped};

/// The master keys at hand that the store knows, by version.
pub(super) struct KeyRing {
    active: u32,
    keys: BTreeMap<u32, MasterKey>,
}

impl KeyRing {
    pub(super) fn recognize(at_hand: &MasterKeys, known: &BTreeMap<u32, KeyCheck>) -> Result<Self, KeyError> {
        let mut keys = BTreeMap::new();
        let mut active = 0;
        for key in at_hand.previous.iter().chain([&at_hand.current]) {
            let check = key.check();
            for (version, _) in known.iter().filter(|(_, stored)| **stored == check) {
                keys.insert(*version, key.clone());
                if *key == at_hand.current {
                    active = *version;
                }
            }
        }
        if keys.is_empty() && !known.is_empty() { Err(KeyError::Wrong) } else { Ok(Self { active, keys }) }
    }

    /// Gives the current key a version if it has none yet, and returns that version.
    pub(super) fn admit_current(&mut self, at_hand: &MasterKeys, known: &BTreeMap<u32, KeyCheck>) -> Result<Option<u32>, KeyError> {
        if self.active != 0 {
            return Ok(None);
        }
        let newest = known.keys().next_back().copied().unwrap_or(0);
        // A key nobody has seen may only follow the one that was current: anything else is a mistyped or foreign key.
        if newest != 0 && !self.keys.contains_key(&newest) {
            return Err(KeyError::Wrong);
        }
        self.active = newest + 1;
        self.keys.insert(self.active, at_hand.current.clone());
        Ok(Some(self.active))
    }

    /// The version that new wraps are made with.
    pub(super) const fn active(&self) -> u32 {
        self.active
    }

    /// Keeps the keys of an earlier ring as well, so that what was read before a change is opened after it.
    pub(super) fn with_keys_of(mut self, earlier: &Self) -> Self {
        for (version, key) in &earlier.keys {
            self.keys.entry(*version).or_insert_with(|| key.clone());
        }
        self
    }

    pub(super) fn get(&self, version: u32) -> Result<&MasterKey, KeyError> {
        self.keys.get(&version).ok_or(KeyError::VersionMissing { version })
    }

    pub(super) fn new_roots(&self) -> Result<BTreeMap<RootKey, Wrapped>, KeyError> {
        let wrap = |name: RootKey| {
            let key = SealingKey::random()?;
            let wrapped = self.wrap(&key, |master_version| Place::Root { name: name.as_str(), master_version })?;
            Ok((name, wrapped))
        };
        RootKey::ALL.into_iter().map(wrap).collect()
    }

    pub(super) fn wrap<'p>(&self, key: &SealingKey, place: impl FnOnce(u32) -> Place<'p>) -> Result<Wrapped, KeyError> {
        let master = SealingKey::new(*self.get(self.active)?.bytes());
        Ok(Wrapped { master_version: self.active, bytes: master.seal(&place(self.active), key.bytes())? })
    }

    pub(super) fn unwrap(&self, wrapped: &Wrapped, place: &Place<'_>) -> Result<SealingKey, KeyError> {
        let master = SealingKey::new(*self.get(wrapped.master_version)?.bytes());
        let plain = master.open(place, &wrapped.bytes)?;
        let bytes = <[u8; 32]>::try_from(&plain[..]).map_err(|_| KeyError::Sealed { what: place.to_string() })?;
        Ok(SealingKey::new(bytes))
    }

    /// Opens a wrap and makes one with the active version.
    pub(super) fn rewrap<'p>(&self, wrapped: &Wrapped, place: impl Fn(u32) -> Place<'p>) -> Result<Wrapped, KeyError> {
        self.wrap(&self.unwrap(wrapped, &place(wrapped.master_version))?, place)
    }
}

//! The API keys that were read last, so that a busy key is not read again for every call.
//!
//! The database is this process's alone (see `lock`), and one thread of it writes. That thread calls [`KnownKeys::forget`] before it answers
//! a commit that may have changed a key, so whoever asks after the answer reads the change: what is known is what a read of its own would
//! find. A store that several processes share cannot know this, and must not remember.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::{ApiKey, KeyDigest};

/// Keys that are remembered at most. Reading one again is cheap, so forgetting all of them now and then bounds the memory at no price.
const MOST: usize = 1024;

/// See the [module](self).
#[derive(Default)]
pub(super) struct KnownKeys(Mutex<State>);

#[derive(Default)]
struct State {
    keys: HashMap<KeyDigest, ApiKey>,
    age: Age,
}

/// How often everything was forgotten. A read that was begun at another age may have found what has changed since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Age(u64);

impl KnownKeys {
    /// The key, if it is known; else the age to hand to [`KnownKeys::remember`] with what a read that begins now will find.
    pub(super) fn find(&self, digest: KeyDigest) -> Result<ApiKey, Age> {
        let state = self.lock();
        state.keys.get(&digest).cloned().ok_or(state.age)
    }

    /// Remembers a key, unless something may have changed since its read began. Its `last_used_at` will not be kept current.
    pub(super) fn remember(&self, read_at: Age, key: &ApiKey) {
        let mut state = self.lock();
        if state.age != read_at {
            return;
        }
        if state.keys.len() >= MOST {
            state.keys.clear();
        }
        state.keys.insert(key.digest, key.clone());
    }

    /// Forgets everything, because some key may have changed.
    pub(super) fn forget(&self) {
        let mut state = self.lock();
        state.keys.clear();
        state.age.0 += 1;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Whole between any two statements, so a panic elsewhere does not spoil it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::model::AppId;
    use alter_core::key::KeyKind;

    fn key(number: u64) -> ApiKey {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&number.to_be_bytes());
        ApiKey::new(AppId::random(), KeyKind::Runtime, KeyDigest(digest), Timestamp::from_millis(0))
    }

    #[test]
    fn what_was_read_before_a_change_is_not_remembered_after_it() {
        let (known, key) = (KnownKeys::default(), key(1));
        let before = known.find(key.digest).expect_err("nothing is known yet");
        known.forget();
        known.remember(before, &key);
        let after = known.find(key.digest).expect_err("the read began before the change");
        known.remember(after, &key);
        assert_eq!(known.find(key.digest), Ok(key.clone()));
        known.forget();
        assert!(known.find(key.digest).is_err());
    }

    #[test]
    fn memory_is_bounded() {
        let known = KnownKeys::default();
        for number in 0..=MOST as u64 {
            let key = key(number);
            let age = known.find(key.digest).expect_err("it is new");
            known.remember(age, &key);
            assert_eq!(known.find(key.digest), Ok(key));
        }
        assert!(known.lock().keys.len() <= MOST);
    }
}

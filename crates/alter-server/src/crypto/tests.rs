//! A sealed value opens in its own place and nowhere else, and no key shows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use alter_core::secret::Secret;

use super::*;
use crate::model::{AppId, CallerType, DataKeyId, SecretId};

fn at_hand(current: u8, previous: &[u8]) -> MasterKeys {
    MasterKeys {
        current: MasterKey::new([current; 32]),
        previous: previous.iter().map(|byte| MasterKey::new([*byte; 32])).collect(),
        origin: KeyOrigin::Environment,
    }
}

fn new_vault() -> (VaultKeys, StoredKeys) {
    let unlocked = unlock(&at_hand(1, &[]), &StoredKeys::default()).unwrap();
    (unlocked.keys, unlocked.to_store.unwrap())
}

fn one_field(value: &str) -> BTreeMap<String, Secret> {
    BTreeMap::from([("token".to_owned(), Secret::new(value))])
}

#[test]
fn a_sealed_secret_opens_only_where_it_belongs() {
    let (keys, _) = new_vault();
    let (app, secret) = (AppId::random(), SecretId::random());
    let sealed = keys.seal(app, secret, &one_field("hunter2")).unwrap();
    assert_eq!(keys.open(app, secret, &sealed).unwrap(), one_field("hunter2"));

    let refused = |app, secret, sealed: &SealedSecret| {
        let error = keys.open(app, secret, sealed).unwrap_err();
        assert_eq!(error.code(), "sealed_value_damaged");
        error.to_string()
    };
    refused(AppId::random(), secret, &sealed);
    refused(app, SecretId::random(), &sealed);
    let renamed = SealedSecret { fields: BTreeMap::from([("other".to_owned(), sealed.fields["token"].clone())]), ..sealed.clone() };
    assert!(refused(app, secret, &renamed).contains("field other"));
    refused(app, secret, &SealedSecret { data_key: DataKeyId::random(), ..sealed.clone() });
    let twin = keys.seal(app, secret, &one_field("hunter2")).unwrap();
    refused(app, secret, &SealedSecret { fields: twin.fields.clone(), ..sealed.clone() });
    assert_ne!(twin.fields, sealed.fields, "the same value is sealed differently each time");
}

#[test]
fn no_altered_bit_goes_unnoticed() {
    let (keys, _) = new_vault();
    let (app, secret) = (AppId::random(), SecretId::random());
    let sealed = keys.seal(app, secret, &one_field("hunter2")).unwrap();
    let length = sealed.fields["token"].len();
    for bit in 0..length * 8 {
        let mut altered = sealed.clone();
        altered.fields.get_mut("token").unwrap()[bit / 8] ^= 1 << (bit % 8);
        assert!(keys.open(app, secret, &altered).is_err(), "bit {bit}");
    }
    for bit in 0..sealed.wrapped.bytes.len() * 8 {
        let mut altered = sealed.clone();
        altered.wrapped.bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(keys.open(app, secret, &altered).is_err(), "bit {bit} of the wrap");
    }
    for length in 0..length {
        let mut cut = sealed.clone();
        cut.fields.get_mut("token").unwrap().truncate(length);
        assert!(keys.open(app, secret, &cut).is_err(), "cut to {length}");
    }
}

#[test]
fn unlocking_again_gives_the_same_keys() {
    let (keys, stored) = new_vault();
    let again = unlock(&at_hand(1, &[]), &stored).unwrap();
    assert!(again.to_store.is_none());
    assert_eq!(again.keys.digest("alter_rk_a"), keys.digest("alter_rk_a"));
    assert_ne!(keys.digest("alter_rk_a"), keys.digest("alter_rk_b"));
    let (other, _) = new_vault();
    assert_ne!(other.digest("alter_rk_a"), keys.digest("alter_rk_a"), "every vault has a pepper of its own");
    let app = AppId::random();
    assert_eq!(again.keys.actor_id(app, CallerType::Agent, "x"), keys.actor_id(app, CallerType::Agent, "x"));
    let (secret, sealed) = (SecretId::random(), keys.seal(app, SecretId::random(), &BTreeMap::new()).unwrap());
    assert!(again.keys.open(app, secret, &sealed).unwrap().is_empty());
}

/// A change of the master key: both are at hand until nothing is wrapped by the earlier one.
#[test]
fn a_key_ring_opens_what_any_of_its_keys_has_wrapped() {
    let (keys, mut stored) = new_vault();
    let (app, secret) = (AppId::random(), SecretId::random());
    let old = keys.seal(app, secret, &one_field("old")).unwrap();
    let changing = unlock(&at_hand(2, &[1]), &stored).unwrap();
    let added = changing.to_store.unwrap();
    assert_eq!(added.masters.keys().collect::<Vec<_>>(), [&2]);
    assert!(added.roots.is_empty(), "root keys are re-wrapped by a rotation, not by a start");
    let new = changing.keys.seal(app, secret, &one_field("new")).unwrap();
    assert_eq!((old.wrapped.master_version, new.wrapped.master_version), (1, 2));
    for (sealed, value) in [(&old, "old"), (&new, "new")] {
        assert_eq!(changing.keys.open(app, secret, sealed).unwrap(), one_field(value));
    }
    assert_eq!(keys.open(app, secret, &new).unwrap_err().code(), "master_key_version_missing");
    let mislabelled = SealedSecret { wrapped: Wrapped { master_version: 2, ..old.wrapped.clone() }, ..old };
    assert!(changing.keys.open(app, secret, &mislabelled).is_err(), "the wrap names its version");

    stored.masters.extend(added.masters);
    stored.versions_in_use = BTreeSet::from([1, 2]);
    assert_eq!(unlock(&at_hand(2, &[]), &stored).unwrap_err().code(), "master_key_version_missing");
    assert_eq!(unlock(&at_hand(1, &[2]), &stored).unwrap().keys.master_version(), 1, "the way back is open");
    assert_eq!(unlock(&at_hand(3, &[]), &stored).unwrap_err().code(), "master_key_wrong");
    assert_eq!(unlock(&at_hand(3, &[1]), &stored).unwrap_err().code(), "master_key_wrong");
}

#[test]
fn a_vault_without_its_root_keys_does_not_open() {
    let (_, mut stored) = new_vault();
    let wrapped = stored.roots.remove(&RootKey::Pepper).unwrap();
    assert_eq!(unlock(&at_hand(1, &[]), &stored).unwrap_err().code(), "stored_keys_incomplete");
    // One root key cannot stand in for another.
    stored.roots.insert(RootKey::Pepper, stored.roots[&RootKey::Audit].clone());
    assert_eq!(
        unlock(&at_hand(1, &[]), &stored).unwrap_err().to_string(),
        "the sealed pepper key does not open: it was altered or belongs elsewhere"
    );
    stored.roots.insert(RootKey::Pepper, wrapped);
    unlock(&at_hand(1, &[]), &stored).unwrap();
}

#[test]
fn nothing_shows_a_key() {
    let (keys, stored) = new_vault();
    let sealed = keys.seal(AppId::random(), SecretId::random(), &one_field("hunter2")).unwrap();
    let settings = KeySettings { key: Some(MasterKey::new([1; 32]).to_base64()), file: None, previous: None };
    let shown = format!("{keys:?} {stored:?} {sealed:?} {settings:?} {:?} {:?}", at_hand(1, &[2]), keys.digest("alter_rk_x"));
    let base64 = MasterKey::new([1; 32]).to_base64();
    for secret in ["hunter2", base64.expose(), "[1, 1, 1", "1, 1, 1, 1"] {
        assert!(!shown.contains(secret), "{shown}");
    }
    assert!(shown.contains("MasterKey([redacted])") && shown.contains("KeyDigest([redacted])"), "{shown}");
}

#[test]
fn a_key_file_is_made_once_and_whole() {
    let folder = tempfile::TempDir::new().unwrap();
    let (file, settings) = (folder.path().join(MASTER_KEY_FILE), KeySettings::default());
    assert_eq!(settings.load(folder.path(), false).unwrap_err().code(), "master_key_missing");
    let made: Vec<MasterKeys> = std::thread::scope(|scope| {
        // Two starts at once: the loser of the race must not replace the winner's key.
        let starts: Vec<_> = (0..2).map(|_| scope.spawn(|| settings.load(folder.path(), true))).collect();
        starts.into_iter().filter_map(|start| start.join().unwrap().ok()).collect()
    });
    let kept = settings.load(folder.path(), false).unwrap();
    assert_eq!(kept.origin, KeyOrigin::FolderFile(file.clone()));
    assert!(!made.is_empty() && made.iter().all(|keys| keys.current == kept.current));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left behind");
    assert_eq!(std::fs::read_to_string(&file).unwrap().trim(), kept.current.to_base64().expose());
    let missing = KeySettings { file: Some(PathBuf::from("/nonexistent/key")), ..KeySettings::default() };
    assert_eq!(missing.load(folder.path(), true).unwrap_err().code(), "master_key_unreadable");
}

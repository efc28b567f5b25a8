//! Master keys in the store: what a rotation changes, what it leaves, and what comes at the wrong moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use alter_core::secret::Secret;
use alter_server::audit::{AuditEntry, ChainId, Outcome, verify_all};
use alter_server::crypto::{KeyHome, MasterKey};
use alter_server::rotation::{Progress, Rotation, RotationError, Subject};
use alter_server::store::{Access, Declined, Effect, Faults, StoreError};

use super::harness::{Furnished, NOON, Vault, declined, many};

fn row(action: &'static str) -> AuditEntry {
    AuditEntry::new(ChainId::Vault, action, Outcome::Done)
}

impl Vault {
    fn rotation(&self) -> Rotation {
        Rotation::new(KeyHome::File(self.folder().join("master.key"))).batch(2.try_into().unwrap())
    }

    fn subject(&self) -> Subject<'_> {
        Subject { store: &*self.store, keys: &self.keys }
    }

    async fn rotate(&self) -> Result<Progress, RotationError> {
        let rotation = self.rotation();
        rotation.begin(self.subject(), &row).await?;
        loop {
            let progress = rotation.step(self.subject(), &row).await?;
            if progress.done {
                return Ok(progress);
            }
        }
    }

    async fn value(&self, made: &Furnished) -> Secret {
        let access = self.store.grant_access(made.app.id, made.grant.id).await.unwrap().found().unwrap();
        self.keys.open(made.app.id, made.secret.id, &access.sealed.unwrap()).unwrap()["token"].clone()
    }
}

#[tokio::test]
async fn wraps_change_and_payloads_do_not() {
    let vault = Vault::new();
    let mut made = Vec::new();
    for name in ["one", "two", "three", "four", "five"] {
        made.push(vault.furnished(name).await);
    }
    let sealed =
        async |made: &Furnished| vault.store.grant_access(made.app.id, made.grant.id).await.unwrap().found().unwrap().sealed.unwrap();
    let before = sealed(&made[0]).await;
    assert_eq!(vault.rotate().await.unwrap(), Progress { version: 2, data_keys: 5, remaining: 0, done: true });
    let after = sealed(&made[0]).await;
    assert_eq!((after.data_key, &after.fields), (before.data_key, &before.fields));
    assert_eq!((before.wrapped.master_version, after.wrapped.master_version), (1, 2));
    assert_eq!(
        vault.keys.open(made[0].app.id, made[0].secret.id, &before).unwrap()["token"],
        Secret::new("hunter2"),
        "read before, opened after"
    );
    let digest = vault.keys.digest("alter_rk_x");
    let vault = vault.restarted().await;
    assert_eq!((vault.keys.master_version(), vault.keys.digest("alter_rk_x")), (2, digest));
    for made in &made {
        assert_eq!(vault.value(made).await, Secret::new("hunter2"));
    }
    assert!(vault.keys.open(made[0].app.id, made[0].secret.id, &before).is_err(), "the earlier key is gone");
    for report in verify_all(&*vault.store, &vault.audit, &[]).await.unwrap() {
        assert!(report.is_intact(), "{report:?}");
    }
    let rewraps = vault.rows(ChainId::Vault).await.iter().filter(|row| row.entry.action == "master_key.rewrap").count();
    assert_eq!(rewraps, 4, "root keys, and five data keys by twos");
}

/// What was sealed before the change and comes after its end would have no key: it is declined, and sealing again helps.
#[tokio::test]
async fn a_straggler_is_declined_and_not_lost() {
    let vault = Vault::new();
    let made = vault.furnished("demo").await;
    let late = vault.secret(made.app.id, "late");
    let seal = || vault.keys.seal(made.app.id, late.id, &std::collections::BTreeMap::new()).unwrap();
    let create = |sealed| Effect::CreateSecret { secret: Box::new(late.clone()), sealed };
    let early = seal();
    vault.rotate().await.unwrap();
    assert_eq!(declined(vault.apply(made.chain(), create(early)).await), Declined::MasterKeyChanged);
    assert_eq!(vault.last_row(made.chain()).await.entry.code.as_deref(), Some("master_key_changed"));
    vault.apply(made.chain(), create(seal())).await.unwrap();
}

#[tokio::test]
async fn versions_follow_each_other_and_one_in_use_stays() {
    let vault = Vault::new();
    vault.furnished("demo").await;
    let check = MasterKey::random().unwrap().check();
    let add = |version| Effect::AddMasterKey { version, check };
    for version in [0, 1, 3, u32::MAX] {
        assert_eq!(declined(vault.apply(ChainId::Vault, add(version)).await), Declined::MasterKeyChanged, "{version}");
    }
    vault.apply(ChainId::Vault, add(2)).await.unwrap();
    assert_eq!(declined(vault.apply(ChainId::Vault, Effect::KeepMasterKey { version: 2 }).await), Declined::MasterKeyInUse);
    let stored = vault.store.stored_keys().await.unwrap();
    assert_eq!((stored.masters.len(), stored.masters[&2]), (2, check));
    assert_eq!(vault.store.outdated_data_keys(2, many()).await.unwrap().len(), 1);
    assert_eq!(vault.store.outdated_data_keys(1, many()).await.unwrap(), []);
    vault.apply(ChainId::Vault, Effect::KeepMasterKey { version: 1 }).await.unwrap();
    assert_eq!(vault.store.stored_keys().await.unwrap().masters.into_keys().collect::<Vec<_>>(), [1]);
}

/// A disk that is full stops the rotation with its error; once there is room it goes on where it was.
#[tokio::test]
async fn a_failing_disk_stops_it_and_it_goes_on() {
    #[derive(Default)]
    struct Full(AtomicBool);
    impl Faults for Full {
        fn before_commit(&self) -> Result<(), StoreError> {
            if self.0.load(Ordering::SeqCst) { Err(StoreError::Full) } else { Ok(()) }
        }
    }
    let full = Arc::new(Full::default());
    let vault = Vault::with(|options| options.faults = Arc::clone(&full) as Arc<dyn Faults>);
    let made = vault.furnished("demo").await;
    full.0.store(true, Ordering::SeqCst);
    assert_eq!(vault.rotate().await.unwrap_err().code(), "store_full");
    assert_eq!(vault.keys.master_version(), 1, "nothing uses a key that the store does not know");
    full.0.store(false, Ordering::SeqCst);
    vault.rotation().begin(vault.subject(), &row).await.unwrap();
    full.0.store(true, Ordering::SeqCst);
    assert_eq!(vault.rotate().await.unwrap_err().code(), "store_full");
    assert_eq!(vault.value(&made).await, Secret::new("hunter2"));
    full.0.store(false, Ordering::SeqCst);
    assert_eq!(vault.rotate().await.unwrap().version, 2, "the same rotation");
    assert_eq!(vault.restarted().await.value(&made).await, Secret::new("hunter2"));
}

/// Whoever gives the master key from outside gives the new one beside the earlier one, rotates, and takes the earlier one away.
#[tokio::test]
async fn a_key_given_from_outside_is_rotated_after_a_start_with_both() {
    let (first, second) = (MasterKey::random().unwrap(), MasterKey::random().unwrap());
    let vault = Vault::with(|options| options.keys.key = Some(first.to_base64()));
    let made = vault.furnished("demo").await;
    vault.store.close().await.unwrap();
    let open = |current: &MasterKey, previous: Option<&MasterKey>| {
        vault.open_again(Access::Write, |options| {
            options.keys.key = Some(current.to_base64());
            options.keys.previous = previous.map(MasterKey::to_base64);
        })
    };
    let both = open(&second, Some(&first)).unwrap();
    assert_eq!(both.key_home, KeyHome::Given { with_previous: true });
    let (rotation, subject) = (Rotation::new(both.key_home.clone()), Subject { store: &*both.store, keys: &both.keys });
    for _ in 0..2 {
        rotation.begin(subject, &row).await.unwrap();
        assert!(rotation.step(subject, &row).await.unwrap().done);
    }
    both.store.close().await.unwrap();
    assert!(!vault.folder().join("master.key").exists());
    assert_eq!(open(&first, None).unwrap_err().code(), "master_key_wrong");
    let alone = open(&second, None).unwrap();
    let access = alone.store.grant_access(made.app.id, made.grant.id).await.unwrap().found().unwrap();
    assert_eq!(alone.keys.open(made.app.id, made.secret.id, &access.sealed.unwrap()).unwrap()["token"], Secret::new("hunter2"));
    let (rotation, subject) = (Rotation::new(alone.key_home.clone()), Subject { store: &*alone.store, keys: &alone.keys });
    assert!(matches!(rotation.begin(subject, &row).await, Err(RotationError::NewKeyMissing)));
    assert_eq!(vault.now(), NOON);
}

/// While a rotation is under way the trail can be read from outside with the keys of the file.
#[tokio::test]
async fn the_folder_can_be_read_in_every_state() {
    let vault = Vault::new();
    vault.furnished("demo").await;
    let read = || vault.open_again(Access::Read, |_| {}).unwrap();
    let file = vault.folder().join("master.key");
    // The file is ahead of the store, as after a kill between the two.
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, format!("{}\n{text}", MasterKey::random().unwrap().to_base64().expose())).unwrap();
    read().store.close().await.unwrap();
    vault.rotation().begin(vault.subject(), &row).await.unwrap();
    read().store.close().await.unwrap();
    assert!(vault.rotation().progress(vault.subject()).await.is_ok_and(|progress| !progress.done));
    vault.rotate().await.unwrap();
    assert_eq!(read().keys.master_version(), 2);
}

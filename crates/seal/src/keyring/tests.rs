#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use super::*;
use crate::data_keys::ReplaceError;
use crate::primitive::OsRandom;

const DAY_MILLIS: i64 = 86_400_000;

#[test]
fn a_keyring_gives_its_data_keys_to_the_table_key_only() {
    let (keyring, table_key) = new("t1");
    let read = Keyring::decode("keyring/1", &keyring.encode()).unwrap();
    assert_eq!(read, keyring);
    assert_eq!(read.table_key(), &wrapped("arn:1"));
    assert_eq!((read.version(), read.created_millis(), read.store().as_str()), (1, 0, "t1"));
    let keys = read.open(&table_key).unwrap();
    for structure in Structure::ALL {
        let current = keys.current(structure).unwrap();
        assert!(read.data_keys().iter().any(|entry| entry.id == current.id));
        assert_eq!(keys.by_id(current.id).unwrap().unwrap().structure, structure);
    }
    let wrong = read.open(&SecretKey::generate(&OsRandom)).unwrap_err();
    let text = wrong.to_string();
    assert!(text.contains("version 1 of store `t1`") && text.contains("commitment"), "{text}");
}

#[test]
fn no_byte_of_a_keyring_can_be_changed_cut_off_or_added() {
    let (keyring, table_key) = new("t1");
    let bytes = keyring.encode();
    let refused = |touched: &[u8]| match Keyring::decode("keyring/1", touched) {
        Ok(keyring) => keyring.open(&table_key).is_err(),
        Err(error) => error.to_string().contains("`keyring/1`"),
    };
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        assert!(refused(&flipped), "flipped at {at}");
        assert!(refused(&bytes[..at]), "cut at {at}");
    }
    assert!(refused(&[bytes.as_slice(), &[0]].concat()));
    assert!(!refused(&bytes));
}

// The heart of a change of KMS key: the data keys stay what they were, so no data is rewritten.
#[test]
fn a_new_table_key_opens_the_old_data_keys_and_seals_under_new_ones() {
    let (keyring, old_key) = new("t1");
    let new_key = SecretKey::generate(&OsRandom);
    let next = keyring.rewrap(&old_key, &new_key, wrapped("arn:2"), 7, &OsRandom).unwrap();
    assert_eq!((next.version(), next.data_keys().len()), (2, 6));
    assert_eq!(next.table_key().key_arn, "arn:2");
    assert!(next.open(&old_key).is_err());

    let [before, after] = [keyring.open(&old_key).unwrap(), next.open(&new_key).unwrap()];
    for structure in Structure::ALL {
        let old = before.current(structure).unwrap();
        let same = after.by_id(old.id).unwrap().unwrap();
        assert_eq!(same.secret().expose(), old.secret().expose());
        let fresh = after.current(structure).unwrap();
        assert_ne!(fresh.id, old.id);
        assert_ne!(fresh.secret().expose(), old.secret().expose());
    }
    assert!(keyring.rewrap(&new_key, &new_key, wrapped("arn:2"), 7, &OsRandom).is_err());
}

#[test]
fn data_keys_are_renewed_by_age_and_by_volume() {
    let (keyring, table_key) = new("t1");
    let in_use = keyring.open(&table_key).unwrap();
    let bounds = RenewalBounds { age_millis_max: DAY_MILLIS, sealed_bytes_max: 1000 };
    let renew = |now| keyring.renew(&table_key, &in_use, bounds, now, &OsRandom).unwrap();
    assert_eq!(renew(DAY_MILLIS - 1), None);
    assert_eq!(renew(DAY_MILLIS).unwrap().data_keys().len(), 6);

    in_use.current(Structure::SortedRuns).unwrap().count_sealed(1000);
    let renewed = renew(1).unwrap();
    assert_eq!(renewed.data_keys().len(), 4);
    let keys = renewed.open(&table_key).unwrap();
    let current = |keys: &DataKeys, structure| keys.current(structure).unwrap().id;
    assert_ne!(current(&keys, Structure::SortedRuns), current(&in_use, Structure::SortedRuns));
    assert_eq!(current(&keys, Structure::WriteAheadLog), current(&in_use, Structure::WriteAheadLog));

    // A key that stays in use keeps its count when the newer keyring is taken over.
    in_use.current(Structure::Manifests).unwrap().count_sealed(5);
    in_use.replace(keys).unwrap();
    assert_eq!(in_use.current(Structure::Manifests).unwrap().sealed_bytes(), 5);
    assert_eq!(in_use.current(Structure::SortedRuns).unwrap().sealed_bytes(), 0);
}

#[test]
fn data_keys_that_nothing_needs_are_retired() {
    let (keyring, table_key) = new("t1");
    let [wal, runs, _] = [0, 1, 2].map(|at| keyring.data_keys()[at].id);
    let next = keyring.rewrap(&table_key, &table_key, wrapped("arn:1"), 7, &OsRandom).unwrap();
    let retired = next.retire(&table_key, &HashSet::from([runs]), 8, &OsRandom).unwrap().unwrap();
    assert_eq!((retired.version(), retired.data_keys().len()), (3, 4));
    let keys = retired.open(&table_key).unwrap();
    assert!(keys.by_id(runs).unwrap().is_some());
    assert!(keys.by_id(wal).unwrap().is_none());
    assert_eq!(retired.retire(&table_key, &HashSet::from([runs]), 9, &OsRandom).unwrap(), None);
}

#[test]
fn live_keys_take_only_newer_ones_of_their_own_store() {
    let (keyring, table_key) = new("t1");
    let (other, other_key) = new("t2");
    let keys = keyring.open(&table_key).unwrap();
    let next = keyring.rewrap(&table_key, &table_key, wrapped("arn:1"), 7, &OsRandom).unwrap();
    assert_eq!(keys.replace(other.open(&other_key).unwrap()), Err(ReplaceError::OtherStore));
    keys.replace(next.open(&table_key).unwrap()).unwrap();
    assert_eq!(keys.keyring_version(), Ok(2));
    assert_eq!(keys.replace(keyring.open(&table_key).unwrap()), Err(ReplaceError::Older));
    keys.close();
    assert_eq!(keys.replace(next.open(&table_key).unwrap()), Err(ReplaceError::Closed));
    assert!(keys.current(Structure::SortedRuns).is_err() && !keys.is_open());
}

#[test]
fn a_keyring_has_its_limits() {
    let table_key = SecretKey::generate(&OsRandom);
    let store = StoreId::new("t1").unwrap();
    let too_long = [
        WrappedTableKey { key_arn: "a".repeat(NAME_BYTES_MAX + 1), ..wrapped("") },
        WrappedTableKey { key_material_id: "a".repeat(NAME_BYTES_MAX + 1), ..wrapped("") },
        WrappedTableKey { wrapped: vec![0; WRAPPED_BYTES_MAX + 1], ..wrapped("") },
    ];
    for wrapped in too_long {
        let made = Keyring::create(&store, &table_key, wrapped, 0, &OsRandom);
        assert!(matches!(made, Err(KeyringError::TooMuch { .. })));
    }
    let mut keyring = Keyring::create(&store, &table_key, wrapped("arn:1"), 0, &OsRandom).unwrap();
    for _ in 0..(DATA_KEYS_MAX - 3) / 3 {
        keyring = keyring.rewrap(&table_key, &table_key, wrapped("arn:1"), 0, &OsRandom).unwrap();
    }
    assert_eq!(Keyring::decode("x", &keyring.encode()).unwrap(), keyring);
    assert!(keyring.open(&table_key).is_ok());
    let more = keyring.rewrap(&table_key, &table_key, wrapped("arn:1"), 0, &OsRandom);
    assert!(matches!(more, Err(KeyringError::TooMuch { .. })));
    for id in ["", "a/b", "ü", &"a".repeat(65)] {
        assert_eq!(StoreId::new(id), None, "{id}");
    }
}

#[tokio::test]
async fn keyrings_are_published_once_and_never_edited() {
    let objects: Arc<dyn ObjectStore> = Arc::new(InMemory::new());
    let root = Path::from("tables/t1");
    let (keyring, table_key) = new("t1");
    let keyrings = KeyringStore::new(objects.clone(), &root, keyring.store().clone());
    assert_eq!(keyrings.latest().await.unwrap(), None);
    keyrings.publish(&keyring).await.unwrap();
    let conflict = keyrings.publish(&keyring).await.unwrap_err().to_string();
    assert!(conflict.contains("tables/t1/keyring/00000000000000000001"), "{conflict}");
    let next = keyring.rewrap(&table_key, &table_key, wrapped("arn:1"), 7, &OsRandom).unwrap();
    keyrings.publish(&next).await.unwrap();
    assert_eq!(keyrings.latest().await.unwrap(), Some(next));
    assert_eq!(keyrings.list().await.unwrap(), [1, 2]);
    assert_eq!(keyrings.read(1).await.unwrap(), keyring);

    // An older keyring under a newer name, or another store's, is noticed.
    let [first, third] = [1, 3].map(|version| root.clone().join("keyring").join(format!("{version:020}")));
    objects.copy(&first, &third).await.unwrap();
    assert!(matches!(keyrings.latest().await, Err(KeyringError::Misplaced { version: 1, .. })));
    let (other, _) = new("t2");
    objects.put(&third, other.encode().into()).await.unwrap();
    assert!(matches!(keyrings.latest().await, Err(KeyringError::Misplaced { .. })));
    assert!(matches!(keyrings.publish(&other).await, Err(KeyringError::Misplaced { .. })));
    objects.put(&third, vec![0; 1 << 20].into()).await.unwrap();
    assert!(matches!(keyrings.latest().await, Err(KeyringError::NotAKeyring { .. })));

    objects.delete(&third).await.unwrap();
    keyrings.delete_before(2).await.unwrap();
    assert_eq!(keyrings.list().await.unwrap(), [2]);
}

fn new(store: &str) -> (Keyring, SecretKey) {
    let table_key = SecretKey::generate(&OsRandom);
    let store = StoreId::new(store).unwrap();
    let keyring = Keyring::create(&store, &table_key, wrapped("arn:1"), 0, &OsRandom).unwrap();
    (keyring, table_key)
}

fn wrapped(key_arn: &str) -> WrappedTableKey {
    WrappedTableKey { key_arn: key_arn.into(), key_material_id: "m".into(), wrapped: b"wrapped key".to_vec() }
}

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use object_store::ObjectStoreExt;
use object_store::memory::InMemory;

use super::*;
use crate::primitive::OsRandom;

const CHEAP: PassphraseCost = PassphraseCost { memory_kib: 64, passes: 1, lanes: 2 };

fn key_file(byte: u8) -> Provider {
    Provider::KeyFile(Arc::new(SecretKey::from_slice(&mut [byte; 32]).unwrap()))
}

fn passphrase(text: &str) -> Provider {
    let passphrase = Arc::new(SecretBytes::new(text.as_bytes().to_vec()));
    Provider::Passphrase { passphrase, cost: CHEAP }
}

#[test]
fn each_provider_opens_what_it_sealed_and_nothing_else() {
    let root = RootKey::generate(&OsRandom);
    let providers = [key_file(1), key_file(2), passphrase("correct horse"), passphrase("Correct horse")];
    for (sealer, provider) in providers.iter().enumerate() {
        let object = root.seal(provider, &OsRandom).unwrap();
        for (opener, other) in providers.iter().enumerate() {
            let opened = RootKey::open("root/1", &object, other);
            if sealer == opener {
                assert_eq!(opened.unwrap().0.expose(), root.0.expose());
            } else {
                let text = opened.unwrap_err().to_string();
                assert!(text.contains("`root/1`"), "{text}");
            }
        }
    }
}

#[test]
fn a_root_key_that_was_touched_anywhere_does_not_open() {
    let root = RootKey::generate(&OsRandom);
    for provider in [key_file(1), passphrase("x")] {
        let object = root.seal(&provider, &OsRandom).unwrap();
        for at in 0..object.len() {
            // Byte 10 starts the memory cost: touching the low bytes of the numbers only makes a guess dearer.
            for bit in [1, 0x80] {
                let mut touched = object.clone();
                touched[at] ^= bit;
                let error = RootKey::open("root/1", &touched, &provider).unwrap_err().to_string();
                assert!(error.contains("root/1") || error.contains("cost"), "{at}: {error}");
            }
            assert!(RootKey::open("root/1", &object[..at], &provider).is_err(), "cut at {at}");
        }
    }
}

// A planted object must not make the server take all the memory there is, or compute for hours.
#[test]
fn an_unbearable_cost_is_refused_before_it_is_paid() {
    let numbers = [(u32::MAX, 1, 1), (64, u32::MAX, 1), (64, 1, u32::MAX), (64, 0, 1), (64, 1, 0), (1, 1, 1)];
    for (memory_kib, passes, lanes) in numbers {
        let mut object = MAGIC.to_vec();
        object.extend_from_slice(&[FORMAT, PASSPHRASE]);
        for number in [memory_kib, passes, lanes] {
            object.extend_from_slice(&number.to_be_bytes());
        }
        object.extend_from_slice(&[0; 16 + 104]);
        let opened = RootKey::open("root/1", &object, &passphrase("x"));
        assert!(matches!(opened, Err(RootError::Cost { .. })), "{opened:?}");
    }
}

#[tokio::test]
async fn the_wrong_passphrase_changes_nothing() {
    let objects = Arc::new(InMemory::new());
    let roots = RootStore::new(objects.clone());
    assert!(!roots.exists().await.unwrap());
    assert!(roots.open(&passphrase("right")).await.unwrap().is_none());
    let root = roots.create(&passphrase("right"), &OsRandom).await.unwrap();

    let path = object_store::path::Path::from("root/00000000000000000001");
    let before = objects.get(&path).await.unwrap().bytes().await.unwrap();
    let wrong = roots.open(&passphrase("wrong")).await.unwrap_err();
    assert!(matches!(wrong, RootError::DoesNotOpen { given: "passphrase", .. }), "{wrong}");
    let other = roots.open(&key_file(1)).await.unwrap_err();
    assert!(matches!(other, RootError::OtherProvider { .. }), "{other}");
    assert!(matches!(roots.create(&passphrase("wrong"), &OsRandom).await, Err(RootError::Conflict { .. })));
    assert_eq!(objects.get(&path).await.unwrap().bytes().await.unwrap(), before);

    let opened = roots.open(&passphrase("right")).await.unwrap().unwrap();
    assert_eq!(opened.0.expose(), root.0.expose());
}

#[tokio::test]
async fn a_new_passphrase_replaces_the_old_one() {
    let roots = RootStore::new(Arc::new(InMemory::new()));
    let root = roots.create(&passphrase("old"), &OsRandom).await.unwrap();
    roots.reseal(&root, &key_file(3), &OsRandom).await.unwrap();
    assert!(roots.open(&passphrase("old")).await.is_err());
    let opened = roots.open(&key_file(3)).await.unwrap().unwrap();
    assert_eq!(opened.0.expose(), root.0.expose());
}

#[test]
fn every_store_has_a_key_of_its_own() {
    let root = RootKey::generate(&OsRandom);
    let [system, other] = ["system", "other"].map(|id| root.store_key(&StoreId::new(id).unwrap()));
    assert_ne!(system.expose(), other.expose());
    let again = root.store_key(&StoreId::new("system").unwrap());
    assert_eq!(system.expose(), again.expose());
}

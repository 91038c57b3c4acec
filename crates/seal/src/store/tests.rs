#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::keyring::{Keyring, WrappedTableKey};
use crate::object::StoreId;
use crate::primitive::OsRandom;
use crate::secret::SecretKey;
use object_store::memory::InMemory;

fn open_keys(store: &str) -> Arc<DataKeys> {
    let table_key = SecretKey::generate(&OsRandom);
    let wrapped = WrappedTableKey {
        key_arn: "arn".to_owned(),
        key_material_id: String::new(),
        wrapped: vec![1; 32],
    };
    let store = StoreId::new(store).unwrap();
    let keyring = Keyring::create(&store, &table_key, wrapped, 0, &OsRandom).unwrap();
    let keyring = Keyring::decode("keyring/1", &keyring.encode()).unwrap();
    Arc::new(keyring.open(&table_key).unwrap())
}

#[tokio::test]
async fn what_is_put_comes_back_whole_and_in_parts() {
    let below = Arc::new(InMemory::new());
    let store = SealedStore::new(below.clone(), open_keys("t1"), Arc::new(OsRandom));
    for bytes in [0, 1, 16383, 16384, 16385, 50_000] {
        let path = Path::from(format!("db/compacted/{bytes}"));
        let plain: Vec<u8> = (0..bytes).map(|i| (i % 251) as u8).collect();
        store.put(&path, plain.clone().into()).await.unwrap();
        assert_eq!(store.head(&path).await.unwrap().size, bytes as u64);
        assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), plain);
        for (start, end) in [(0, 1), (100, 20_000), (16_384, 16_385), (40_000, 50_000)] {
            if end <= bytes {
                let part = store.get_range(&path, start as u64..end as u64).await.unwrap();
                assert_eq!(part, plain[start..end]);
            }
        }
    }
}

//! Where the material of keys is kept: one sealed object each, beside the database of the system store.
//!
//! A database never forgets at once: a removed row stays in its log and its sorted
//! runs until they are rewritten, and an older manifest brings it back. A file that is
//! gone is gone, so the material of a destroyed key is out of the data directory as soon
//! as its object is deleted. See `docs/formats/kms-records.md`.

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use strongroom_seal::secret::{SecretBytes, SecretKey};

use super::key::{KeyMaterial, hex};
use super::rows::Row;
use crate::storage::StorageError;
use crate::storage::system::MATERIALS;

/// How many objects are read at once.
const AT_ONCE: usize = 16;

/// Makes the object of `material` durable. Ids are random, so the object is always new.
pub(super) async fn put(store: &dyn ObjectStore, material: &KeyMaterial) -> Result<(), StorageError> {
    let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
    let secret = Plain(SecretBytes::new(material.secret.expose().to_vec()));
    let payload = Bytes::from_owner(secret).into();
    store.put_opts(&path(&material.id), payload, options).await.map_err(failed)?;
    Ok(())
}

/// Reads the secrets of all materials among `rows`. One whose object is gone is left out: the state decides whether
/// its key may do without.
pub(super) async fn read(store: &dyn ObjectStore, rows: Vec<Row>) -> Result<Vec<Row>, StorageError> {
    futures::stream::iter(rows)
        .map(async |row| match row {
            Row::Material { place, key_id, id, created_millis, secret: None } => {
                let secret = get(store, &id).await?;
                Ok(Row::Material { place, key_id, id, created_millis, secret })
            }
            other => Ok(other),
        })
        // In order: a key's materials are numbered from the oldest on.
        .buffered(AT_ONCE)
        .try_collect()
        .await
}

/// Deletes the object of a material; one that is gone already is no failure.
pub(super) async fn delete(store: &dyn ObjectStore, id: &[u8; 32]) -> Result<(), StorageError> {
    match store.delete(&path(id)).await {
        Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

/// The object that holds the material of this id.
pub(super) fn path(id: &[u8; 32]) -> Path {
    Path::from(format!("{MATERIALS}/{}", hex(id)))
}

async fn get(store: &dyn ObjectStore, id: &[u8; 32]) -> Result<Option<SecretKey>, StorageError> {
    let read = match store.get(&path(id)).await {
        Ok(read) => read,
        Err(object_store::Error::NotFound { .. }) => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let bytes = read.bytes().await.map_err(failed)?;
    // Taken over and wiped; the store has kept no other copy.
    let mut plain = bytes.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
    let damaged = || StorageError::Damaged(format!("object `{}` does not hold 32 bytes", path(id)));
    SecretKey::from_slice(&mut plain).ok_or_else(damaged).map(Some)
}

// What is handed to the sealing store, wiped when it is done with it.
struct Plain(SecretBytes);

impl AsRef<[u8]> for Plain {
    fn as_ref(&self) -> &[u8] {
        self.0.expose()
    }
}

fn failed(error: object_store::Error) -> StorageError {
    StorageError::of_object(&error)
}

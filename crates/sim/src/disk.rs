//! What survives a crash: the stored objects, and ways to damage them.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use futures::{FutureExt, StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use parking_lot::Mutex;

use crate::clock::{WORLD_BEGINS_MILLIS, date};

/// Objects in memory, with the virtual time at which each was written.
#[derive(Debug, Default)]
pub struct Disk {
    objects: InMemory,
    written_millis: Mutex<BTreeMap<Path, i64>>,
    damaged: Mutex<BTreeSet<String>>,
}

/// What can become of a stored object behind the server's back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// One bit is flipped; the number chooses which.
    Flip(u64),
    /// The end is missing; the number chooses how much.
    Truncate(u64),
    /// Something follows the end.
    Extend,
    /// It is gone.
    Remove,
}

impl Disk {
    /// Another disk with the same objects.
    pub fn copy(&self) -> Self {
        let copy = Self::default();
        for location in self.paths() {
            let put = copy.objects.put(&location, self.read(&location).into()).now_or_never();
            put.expect(IN_MEMORY).expect(IN_MEMORY);
        }
        *copy.written_millis.lock() = self.written_millis.lock().clone();
        copy
    }

    /// The objects themselves, without faults.
    pub fn objects(&self) -> &InMemory {
        &self.objects
    }

    /// Notes that `location` was written at `now_millis`.
    pub fn wrote(&self, location: &Path, now_millis: i64) {
        self.written_millis.lock().insert(location.clone(), now_millis);
    }

    /// An object's facts, dated in virtual time.
    pub fn dated(&self, meta: ObjectMeta) -> ObjectMeta {
        let written_millis = self.written_millis.lock().get(&meta.location).copied();
        ObjectMeta { last_modified: date(written_millis.unwrap_or(WORLD_BEGINS_MILLIS)), ..meta }
    }

    /// Where all objects lie, in order of their paths.
    pub fn paths(&self) -> Vec<Path> {
        let listed: Vec<ObjectMeta> =
            self.objects.list(None).try_collect().now_or_never().expect(IN_MEMORY).expect(IN_MEMORY);
        listed.into_iter().map(|meta| meta.location).collect()
    }

    /// The bytes at `location`, which exists.
    pub fn read(&self, location: &Path) -> Bytes {
        let found = self.objects.get(location).now_or_never().expect(IN_MEMORY).expect(IN_MEMORY);
        let pieces: Vec<Bytes> = found
            .into_stream()
            .map(|piece| piece.expect(IN_MEMORY))
            .collect()
            .now_or_never()
            .expect(IN_MEMORY);
        pieces.concat().into()
    }

    /// Replaces the bytes at `location` behind the server's back.
    pub fn write_damaged(&self, location: &Path, bytes: Bytes) {
        self.objects.put(location, bytes.into()).now_or_never().expect(IN_MEMORY).expect(IN_MEMORY);
        self.damaged.lock().insert(location.to_string());
    }

    /// Damages the object at `location`, which exists. An empty object can only be extended.
    pub fn damage(&self, location: &Path, damage: Damage) {
        let mut bytes = self.read(location).to_vec();
        match damage {
            Damage::Remove => {
                self.objects.delete(location).now_or_never().expect(IN_MEMORY).expect(IN_MEMORY);
                self.damaged.lock().insert(location.to_string());
                return;
            }
            Damage::Flip(choice) if !bytes.is_empty() => {
                let bit = choice as usize % (bytes.len() * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            Damage::Truncate(choice) if !bytes.is_empty() => {
                bytes.truncate(choice as usize % bytes.len());
            }
            _ => bytes.push(0),
        }
        self.write_damaged(location, bytes.into());
    }

    /// The paths of everything that was damaged so far.
    pub fn damaged(&self) -> BTreeSet<String> {
        self.damaged.lock().clone()
    }
}

const IN_MEMORY: &str = "objects in memory are there at once";

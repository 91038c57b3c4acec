//! What is known of objects that were opened: their size and the key derived for them.
//!
//! Deriving an object's key and reading its header cost more than opening a
//! chunk, so both are kept. Bounded, and wiped when the data keys are closed.

use std::collections::HashMap;
use std::sync::Arc;

use object_store::path::Path;
use object_store::{ObjectMeta, PutResult};
use parking_lot::Mutex;

use crate::chunked::Opener;
use crate::data_keys::Wipe;
use crate::object::Header;

/// An object whose header was read and whose key commitment matched.
#[derive(Debug)]
pub(super) struct OpenObject {
    pub(super) header: Header,
    pub(super) opener: Opener,
    pub(super) sealed_bytes: u64,
    pub(super) plain_bytes: u64,
    e_tag: Option<String>,
    last_modified: Option<chrono::DateTime<chrono::Utc>>,
}

impl OpenObject {
    pub(super) fn read(header: Header, opener: Opener, plain_bytes: u64, meta: &ObjectMeta) -> Self {
        Self {
            header,
            opener,
            sealed_bytes: meta.size,
            plain_bytes,
            e_tag: meta.e_tag.clone(),
            last_modified: Some(meta.last_modified),
        }
    }

    pub(super) fn written(
        header: Header,
        opener: Opener,
        plain_bytes: u64,
        sealed_bytes: u64,
        put: &PutResult,
    ) -> Option<Self> {
        // Without an etag there is nothing to recognise the object by when it is read back.
        let e_tag = Some(put.e_tag.clone()?);
        Some(Self { header, opener, sealed_bytes, plain_bytes, e_tag, last_modified: None })
    }

    /// Whether `meta`, just read from the store below, is still this object.
    pub(super) fn is(&self, meta: &ObjectMeta) -> bool {
        let same_tag = match (&self.e_tag, &meta.e_tag) {
            (Some(known), Some(read)) => known == read,
            (None, None) => self.last_modified == Some(meta.last_modified),
            _ => false,
        };
        same_tag && self.sealed_bytes == meta.size
    }
}

/// A bounded map from paths to open objects.
///
/// Two generations: when the young one is full it becomes the old one, and what
/// was not used since the last time goes. Every step takes constant time.
#[derive(Debug)]
pub(super) struct OpenObjects {
    generation_max: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    closed: bool,
    young: HashMap<Path, Arc<OpenObject>>,
    old: HashMap<Path, Arc<OpenObject>>,
}

impl OpenObjects {
    /// A cache of at most `objects_max` objects.
    pub(super) fn new(objects_max: usize) -> Self {
        Self { generation_max: (objects_max / 2).max(1), state: Mutex::default() }
    }

    pub(super) fn get(&self, path: &Path) -> Option<Arc<OpenObject>> {
        let mut state = self.state.lock();
        if let Some(object) = state.young.get(path) {
            return Some(Arc::clone(object));
        }
        let (path, object) = state.old.remove_entry(path)?;
        state.insert(path, Arc::clone(&object), self.generation_max);
        Some(object)
    }

    pub(super) fn insert(&self, path: Path, object: Arc<OpenObject>) {
        let mut state = self.state.lock();
        // INVARIANT (closed keys leave nothing): an object that was opened while the keys were being closed is not kept.
        if !state.closed {
            state.old.remove(&path);
            state.insert(path, object, self.generation_max);
        }
    }

    pub(super) fn remove(&self, path: &Path) {
        let mut state = self.state.lock();
        state.young.remove(path);
        state.old.remove(path);
    }
}

impl State {
    fn insert(&mut self, path: Path, object: Arc<OpenObject>, generation_max: usize) {
        if self.young.len() >= generation_max {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(path, object);
    }
}

impl Wipe for OpenObjects {
    fn wipe(&self) {
        *self.state.lock() = State { closed: true, ..State::default() };
    }
}

//! An object store that seals everything that passes through it.
//!
//! Callers see plaintext and plaintext sizes; the store below sees sealed
//! objects only (`docs/formats/sealed-object.md`). A range is read as the chunks
//! that hold it, in one read of the store below, once the object's header is
//! known; headers are remembered.
//!
//! INVARIANT (nothing in clear): what a caller passes in reaches the store below
//! sealed or not at all. Paths do reach it, so they must carry ids only.
//!
//! A failure that no retry mends is an `object_store::Error::Generic` around
//! `NonRetryable` around a `SealError`.

mod cache;
mod failure;
mod read;
mod upload;

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    Attribute, AttributeValue, Attributes, CopyMode, CopyOptions, GetOptions, GetResult, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions,
    PutPayload, PutResult, RenameOptions, RenameTargetMode, Result, TagSet,
};
use strongroom_model::clock::Random;

use crate::data_keys::{DataKey, DataKeys, KeysClosed, Structure, Wipe};
use crate::error::SealError;
use crate::object::{self, Header};
use cache::{OpenObject, OpenObjects};
use failure::{not_supported, storage_failure};
pub use read::Inspected;
use upload::SealedUpload;

/// How many objects a store remembers the header and the derived key of, about 1.5 KB each.
const OPEN_OBJECTS_MAX: usize = 1024;

/// The attribute by which SlateDB recognises its own conditional put. It lives in the sealed object's header.
const PUT_TAG_ATTRIBUTE: &str = "slatedbputid";

/// Seals what is written to `inner` under a store's data keys, and opens what is read from it.
#[derive(Debug)]
pub struct SealedStore {
    inner: Arc<dyn ObjectStore>,
    seal: Seal,
}

// What sealing and opening need, apart from the store below; cheap to clone into streams and uploads.
#[derive(Clone, Debug)]
struct Seal {
    keys: Arc<DataKeys>,
    random: Arc<dyn Random>,
    objects: Arc<OpenObjects>,
}

impl SealedStore {
    /// A sealed store over `inner`, under the keys of one store, whose id its objects are bound to.
    ///
    /// Closing the keys makes every later call fail with `SealError::KeysClosed`.
    pub fn new(inner: Arc<dyn ObjectStore>, data_keys: Arc<DataKeys>, random: Arc<dyn Random>) -> Self {
        let objects = Arc::new(OpenObjects::new(OPEN_OBJECTS_MAX));
        let wiped: Arc<dyn Wipe> = objects.clone();
        data_keys.wipe_with_keys(Arc::downgrade(&wiped));
        Self { inner, seal: Seal { keys: data_keys, random, objects } }
    }

    /// The data keys in use.
    pub fn data_keys(&self) -> &Arc<DataKeys> {
        &self.seal.keys
    }
}

impl std::fmt::Display for SealedStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealedStore({})", self.inner)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ObjectStore for SealedStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let PutOptions { mode, tags, attributes, extensions } = opts;
        let put_tag = put_tag(&tags, &attributes)?;
        let data_key = self.seal.current(location)?;
        let plain_bytes = payload.content_length() as u64;
        let sealed_bytes = object::sealed_bytes(plain_bytes).ok_or_else(|| not_supported(TOO_LARGE))?;

        let header = Header::new(data_key.id, &put_tag).ok_or_else(|| not_supported(TAG_TOO_LONG))?;
        let mut sealed = Vec::with_capacity(sealed_bytes as usize);
        let mut sealer = self.seal.start(&header, &data_key, location, &mut sealed);
        for piece in &payload {
            sealer.update(piece, &mut sealed).map_err(|_| not_supported(TOO_LARGE))?;
        }
        let opener = sealer.finish(&mut sealed).map_err(|_| not_supported(TOO_LARGE))?;
        // INVARIANT (sizes): every reader computes the plaintext's size from this one.
        assert_eq!(sealed.len() as u64, sealed_bytes, "a sealed object has the size its plaintext says");
        data_key.count_sealed(plain_bytes);

        let sealed_opts = PutOptions { mode, extensions, ..PutOptions::default() };
        let put = self
            .inner
            .put_opts(location, sealed.into(), sealed_opts)
            .await
            .map_err(|error| storage_failure(location.as_ref(), error))?;
        let written = OpenObject::written(header, opener, plain_bytes, sealed_bytes, &put);
        self.seal.remember_written(location, written);
        Ok(put)
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let PutMultipartOptions { tags, attributes, extensions } = opts;
        let put_tag = put_tag(&tags, &attributes)?;
        let data_key = self.seal.current(location)?;
        let header = Header::new(data_key.id, &put_tag).ok_or_else(|| not_supported(TAG_TOO_LONG))?;

        let inner = self
            .inner
            .put_multipart_opts(location, PutMultipartOptions { extensions, ..Default::default() })
            .await
            .map_err(|error| storage_failure(location.as_ref(), error))?;
        Ok(Box::new(SealedUpload::new(inner, self.seal.clone(), location.clone(), header, data_key)))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.seal.check_open(location.as_ref())?;
        if options.head {
            return self.head_opts(location, options).await;
        }
        match options.range.clone() {
            Some(range) => self.get_part(location, range, options).await,
            None => self.get_whole(location, options).await,
        }
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        object_store::coalesce_ranges(
            ranges,
            |range| self.get_range(location, range),
            object_store::OBJECT_STORE_COALESCE_DEFAULT,
        )
        .await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let seal = self.seal.clone();
        let checked = locations.map(move |location| {
            let location = location?;
            seal.check_open(location.as_ref())?;
            seal.objects.remove(&location);
            Ok(location)
        });
        self.inner
            .delete_stream(checked.boxed())
            .map_err(|error| storage_failure("of a deletion", error))
            .boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.seal.check_open(prefix_name(prefix)) {
            Ok(()) => plain_sizes(prefix, self.inner.list(prefix)),
            Err(closed) => stream::once(async { Err(closed) }).boxed(),
        }
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.seal.check_open(prefix_name(prefix)) {
            Ok(()) => plain_sizes(prefix, self.inner.list_with_offset(prefix, offset)),
            Err(closed) => stream::once(async { Err(closed) }).boxed(),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.seal.check_open(prefix_name(prefix))?;
        let listed = self
            .inner
            .list_with_delimiter(prefix)
            .await
            .map_err(|error| storage_failure(prefix_name(prefix), error))?;
        let objects = listed.objects.into_iter().map(plain_meta).collect::<Result<_>>()?;
        Ok(ListResult { objects, ..listed })
    }

    // The path is bound into the seal, so a copy is opened and sealed anew.
    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let CopyOptions { mode, extensions } = options;
        let get = GetOptions { extensions: extensions.clone(), ..GetOptions::default() };
        let pieces: Vec<Bytes> = self.get_opts(from, get).await?.into_stream().try_collect().await?;
        let mode = match mode {
            CopyMode::Overwrite => PutMode::Overwrite,
            CopyMode::Create => PutMode::Create,
        };
        let put = PutOptions { mode, extensions, ..PutOptions::default() };
        self.put_opts(to, PutPayload::from_iter(pieces), put).await?;
        Ok(())
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        let RenameOptions { target_mode, extensions } = options;
        let mode = match target_mode {
            // Copying an object onto itself and deleting it would lose it.
            RenameTargetMode::Overwrite if from == to => return self.head(from).await.map(drop),
            RenameTargetMode::Overwrite => CopyMode::Overwrite,
            RenameTargetMode::Create => CopyMode::Create,
        };
        self.copy_opts(from, to, CopyOptions { mode, extensions }).await?;
        self.delete(from).await
    }
}

impl Seal {
    fn check_open(&self, object: &str) -> Result<()> {
        if self.keys.is_open() { Ok(()) } else { Err(self.closed(object)) }
    }

    fn closed(&self, object: &str) -> object_store::Error {
        SealError::KeysClosed { store: self.keys.store().to_string(), object: object.to_owned() }.into()
    }

    fn current(&self, location: &Path) -> Result<Arc<DataKey>> {
        self.keys.current(Structure::of_path(location)).map_err(|KeysClosed| self.closed(location.as_ref()))
    }

    fn start(
        &self,
        header: &Header,
        data_key: &DataKey,
        location: &Path,
        out: &mut Vec<u8>,
    ) -> crate::chunked::Sealer {
        let store = self.keys.store();
        object::start_sealing(header, data_key.secret(), store, location.as_ref(), &*self.random, out)
    }

    // Sorted runs are read back soon and often; the rest would push them out of the cache.
    fn remember_written(&self, location: &Path, written: Option<OpenObject>) {
        match written {
            Some(object) if Structure::of_path(location) == Structure::SortedRuns => {
                self.objects.insert(location.clone(), Arc::new(object));
            }
            _ => self.objects.remove(location),
        }
    }
}

const TOO_LARGE: &str = "an object has at most 4 PiB - 1 byte";
const TAG_TOO_LONG: &str = "a put tag has at most 31 bytes";

// The one attribute that has a place in a sealed object; any other would reach the store below in clear.
fn put_tag(tags: &TagSet, attributes: &Attributes) -> Result<Vec<u8>> {
    if !tags.encoded().is_empty() {
        return Err(not_supported("a sealed object carries no tags"));
    }
    let mut put_tag = Vec::new();
    for (attribute, value) in attributes {
        match attribute {
            Attribute::Metadata(name) if name == PUT_TAG_ATTRIBUTE => {
                put_tag = value.as_bytes().to_vec();
            }
            _ => return Err(not_supported("a sealed object carries no attributes but a put tag")),
        }
    }
    Ok(put_tag)
}

fn attributes(header: &Header) -> Attributes {
    let mut attributes = Attributes::new();
    if let Ok(put_tag) = std::str::from_utf8(header.put_tag())
        && !put_tag.is_empty()
    {
        let name = Attribute::Metadata(PUT_TAG_ATTRIBUTE.into());
        attributes.insert(name, AttributeValue::from(put_tag.to_owned()));
    }
    attributes
}

fn prefix_name(prefix: Option<&Path>) -> &str {
    prefix.map_or("", |prefix| prefix.as_ref())
}

fn plain_sizes(
    prefix: Option<&Path>,
    sealed: BoxStream<'static, Result<ObjectMeta>>,
) -> BoxStream<'static, Result<ObjectMeta>> {
    let prefix = prefix_name(prefix).to_owned();
    sealed.map(move |meta| plain_meta(meta.map_err(|error| storage_failure(&prefix, error))?)).boxed()
}

fn plain_meta(sealed: ObjectMeta) -> Result<ObjectMeta> {
    match object::plain_bytes(sealed.size) {
        Some(size) => Ok(ObjectMeta { size, ..sealed }),
        None => Err(SealError::NotSealed { object: sealed.location.to_string() }.into()),
    }
}

#[cfg(test)]
mod tests;

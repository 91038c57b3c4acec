//! Reading through the seal: sizes, whole objects, ranges.

use std::ops::Range;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, StreamExt};
use object_store::path::Path;
use object_store::{
    Error, Extensions, GetOptions, GetRange, GetResult, GetResultPayload, ObjectMeta, ObjectStore, Result,
};

use super::cache::OpenObject;
use super::failure::{no_such_range, passing, storage_failure};
use super::{Seal, SealedStore, attributes};
use crate::chunked::{ChunkSpan, ChunkedError, SEALED_CHUNK_BYTES};
use crate::data_keys::KeysClosed;
use crate::error::SealError;
use crate::object::{self, DataKeyId, EMPTY_OBJECT_BYTES, HEADER_BYTES, Header, HeaderError, PREFIX_BYTES};

/// Up to this many sealed bytes are read and opened at once; more are opened as they arrive.
const AT_ONCE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// All of an object; an offset of 0 would be refused for an empty one.
const WHOLE: GetRange = GetRange::Suffix(u64::MAX);

/// How often a read starts anew because the object was replaced under it.
const ATTEMPTS_MAX: usize = 4;

/// What is known of a stored object once every byte of it has been authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inspected {
    /// The data key it is sealed under.
    pub data_key: DataKeyId,
    /// The size of its plaintext.
    pub plain_bytes: u64,
    /// The size in which it is stored.
    pub sealed_bytes: u64,
}

impl SealedStore {
    /// Reads and authenticates the whole object at `location`, and says what it is sealed under.
    pub async fn inspect(&self, location: &Path) -> Result<Inspected> {
        self.seal.check_open(location.as_ref())?;
        self.seal.objects.remove(location);
        let (object, meta, _) = self.open_object(location, &GetOptions::default()).await?;
        let options = GetOptions { if_match: meta.e_tag, ..GetOptions::default() };
        let whole = self.get_part(location, WHOLE, options).await?;
        let mut content = whole.into_stream();
        let mut plain_bytes = 0;
        while let Some(piece) = content.next().await {
            plain_bytes += piece?.len() as u64;
        }
        // INVARIANT (sizes): the size computed from the stored one is that of what opened.
        assert_eq!(plain_bytes, object.plain_bytes, "an object that opened has its size");
        let (data_key, sealed_bytes) = (object.header.data_key, object.sealed_bytes);
        Ok(Inspected { data_key, plain_bytes, sealed_bytes })
    }

    /// An object's facts without its content.
    pub(super) async fn head_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        if let Some(object) = self.remembered(location, &options) {
            let head = self
                .inner
                .get_opts(location, GetOptions { range: None, ..options.clone() })
                .await
                .map_err(|error| storage_failure(location.as_ref(), error))?;
            if object.is(&head.meta) {
                return Ok(without_content(&object, head.meta, head.extensions));
            }
        }
        let (object, meta, extensions) = self.open_object(location, &options).await?;
        Ok(without_content(&object, meta, extensions))
    }

    /// A whole object.
    pub(super) async fn get_whole(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let path = location.as_ref();
        let sealed =
            self.inner.get_opts(location, options.clone()).await.map_err(|e| storage_failure(path, e))?;
        if sealed.meta.size > AT_ONCE_BYTES_MAX {
            return self.get_part(location, WHOLE, options).await;
        }
        let (meta, extensions) = (sealed.meta.clone(), sealed.extensions.clone());
        let bytes = sealed.bytes().await.map_err(|error| storage_failure(path, error))?;
        if bytes.len() as u64 != meta.size {
            return Err(passing(path, "was read short"));
        }
        let object = self.seal.open_header(path, &bytes, &meta)?;
        let plain = object.opener.open_chunks(0, &bytes[PREFIX_BYTES..]).map_err(|d| damaged(path, d))?;
        let range = 0..object.plain_bytes;
        Ok(with_content(&object, meta, extensions, range, once(Bytes::from(plain))))
    }

    /// A range of an object: the chunks that hold it, in one read.
    pub(super) async fn get_part(
        &self,
        location: &Path,
        range: GetRange,
        options: GetOptions,
    ) -> Result<GetResult> {
        let path = location.as_ref();
        for _ in 0..ATTEMPTS_MAX {
            let remembered = self.remembered(location, &options);
            let may_be_stale = remembered.is_some();
            let object = match remembered {
                Some(object) => object,
                None => self.open_object(location, &options).await?.0,
            };
            match self.get_part_of(location, &object, &range, &options).await {
                Ok(Some(part)) => return Ok(part),
                // Somebody has replaced the object since its header was read.
                Ok(None) => self.seal.objects.remove(location),
                // A store without etags may not show that; what was remembered is not held against the object.
                Err(_) if may_be_stale && self.seal.keys.is_open() => self.seal.objects.remove(location),
                Err(error) => return Err(error),
            }
        }
        Err(passing(path, "keeps changing while it is read"))
    }

    // `None` if what lies at `location` is no longer `object`.
    async fn get_part_of(
        &self,
        location: &Path,
        object: &Arc<OpenObject>,
        range: &GetRange,
        options: &GetOptions,
    ) -> Result<Option<GetResult>> {
        let path = location.as_ref();
        let plain = match range.as_range(object.plain_bytes) {
            Ok(plain) => plain,
            Err(error) => {
                // A mistake of the reader, unless the object has lost its end: then what is its end now does not
                // authenticate.
                if object.plain_bytes > 0 {
                    let end = GetRange::Bounded(object.plain_bytes - 1..object.plain_bytes);
                    if Box::pin(self.get_part_of(location, object, &end, options)).await?.is_none() {
                        return Ok(None);
                    }
                }
                return Err(no_such_range(path, error));
            }
        };
        let span = ChunkSpan::of(plain.clone(), object.plain_bytes);
        let wanted_sealed = shift(&span.sealed, HEADER_BYTES as u64);
        let part = GetOptions { range: Some(GetRange::Bounded(wanted_sealed.clone())), ..options.clone() };

        let sealed = self.inner.get_opts(location, part).await.map_err(|e| storage_failure(path, e))?;
        if !object.is(&sealed.meta) {
            return Ok(None);
        }
        if sealed.range != wanted_sealed {
            return Err(passing(path, "was read at another range than was asked for"));
        }
        let (meta, extensions) = (sealed.meta.clone(), sealed.extensions.clone());
        let sealed_bytes = wanted_sealed.end - wanted_sealed.start;
        let content = if sealed_bytes > AT_ONCE_BYTES_MAX {
            let arriving = Arriving {
                seal: self.seal.clone(),
                path: path.to_owned(),
                object: Arc::clone(object),
                sealed: sealed.into_stream(),
                next_chunk: span.first,
                sealed_left: sealed_bytes,
                skip: span.wanted.start,
                plain_left: plain.end - plain.start,
                buffer: BytesMut::new(),
            };
            arriving.into_stream()
        } else {
            let bytes = sealed.bytes().await.map_err(|error| storage_failure(path, error))?;
            if bytes.len() as u64 != sealed_bytes {
                return Err(passing(path, "was read short"));
            }
            let opened = object.opener.open_chunks(span.first, &bytes).map_err(|d| damaged(path, d))?;
            once(cut(opened, span.wanted))
        };
        Ok(Some(with_content(object, meta, extensions, plain, content)))
    }

    fn remembered(&self, location: &Path, options: &GetOptions) -> Option<Arc<OpenObject>> {
        if options.version.is_some() { None } else { self.seal.objects.get(location) }
    }

    // Reads an object's header, checks its key commitment and remembers both.
    async fn open_object(
        &self,
        location: &Path,
        options: &GetOptions,
    ) -> Result<(Arc<OpenObject>, ObjectMeta, Extensions)> {
        let path = location.as_ref();
        let start = GetOptions {
            head: false,
            range: Some(GetRange::Bounded(0..EMPTY_OBJECT_BYTES as u64)),
            ..options.clone()
        };
        let sealed = match self.inner.get_opts(location, start).await {
            Ok(sealed) => sealed,
            // No store has a byte to give of an object without bytes; not every store says so.
            Err(error @ Error::Generic { .. }) => {
                let head = GetOptions { head: true, range: None, ..options.clone() };
                return match self.inner.get_opts(location, head).await {
                    Ok(found) if found.meta.size == 0 => Err(not_sealed(path)),
                    _ => Err(storage_failure(path, error)),
                };
            }
            Err(error) => return Err(storage_failure(path, error)),
        };
        let (meta, extensions) = (sealed.meta.clone(), sealed.extensions.clone());
        let bytes = sealed.bytes().await.map_err(|error| storage_failure(path, error))?;
        if (bytes.len() as u64) < meta.size.min(EMPTY_OBJECT_BYTES as u64) {
            return Err(passing(path, "was read short"));
        }
        let object = Arc::new(self.seal.open_header(path, &bytes, &meta)?);
        // An empty object says something by being empty, so that it is empty must be authentic.
        if object.plain_bytes == 0 {
            object.opener.open_chunks(0, &bytes[PREFIX_BYTES..]).map_err(|d| damaged(path, d))?;
        }
        if options.version.is_none() {
            self.seal.objects.insert(location.clone(), Arc::clone(&object));
        }
        Ok((object, meta, extensions))
    }
}

impl Seal {
    // `start` holds at least the object's first bytes, up to where its first chunk begins.
    fn open_header(&self, path: &str, start: &[u8], meta: &ObjectMeta) -> Result<OpenObject> {
        let header = Header::decode(start).map_err(|error| match error {
            HeaderError::NotSealed => not_sealed(path),
            HeaderError::Version(version) => SealError::Version { object: path.to_owned(), version }.into(),
        })?;
        let plain_bytes =
            object::plain_bytes(meta.size).ok_or_else(|| damaged(path, ChunkedError::Length))?;
        let prefix =
            start.first_chunk::<PREFIX_BYTES>().ok_or_else(|| damaged(path, ChunkedError::Length))?;
        let data_key =
            self.keys.by_id(header.data_key).map_err(|KeysClosed| self.closed(path))?.ok_or_else(|| {
                SealError::UnknownDataKey { object: path.to_owned(), data_key: header.data_key }
            })?;
        let opener = object::opener(prefix, data_key.secret(), self.keys.store(), path)
            .map_err(|damage| damaged(path, damage))?;
        Ok(OpenObject::read(header, opener, plain_bytes, meta))
    }
}

// Sealed bytes of consecutive chunks that are opened as they arrive.
struct Arriving {
    seal: Seal,
    path: String,
    object: Arc<OpenObject>,
    sealed: BoxStream<'static, Result<Bytes>>,
    next_chunk: u64,
    sealed_left: u64,
    skip: usize,
    plain_left: u64,
    buffer: BytesMut,
}

impl Arriving {
    fn into_stream(self) -> BoxStream<'static, Result<Bytes>> {
        stream::try_unfold(self, |mut arriving| async move {
            Ok(arriving.next().await?.map(|plain| (plain, arriving)))
        })
        .boxed()
    }

    // The next piece of plaintext, of at most a few chunks.
    async fn next(&mut self) -> Result<Option<Bytes>> {
        if self.sealed_left == 0 {
            return Ok(None);
        }
        let target = self.sealed_left.min(4 * SEALED_CHUNK_BYTES as u64) as usize;
        while self.buffer.len() < target {
            match self.sealed.next().await {
                Some(Ok(bytes)) => self.buffer.extend_from_slice(&bytes),
                Some(Err(error)) => return Err(storage_failure(&self.path, error)),
                None => return Err(passing(&self.path, "was read short")),
            }
        }
        // The keys may have been closed since the read began.
        self.seal.check_open(&self.path)?;
        let sealed = self.buffer.split_to(target);
        let plain = self
            .object
            .opener
            .open_chunks(self.next_chunk, &sealed)
            .map_err(|damage| damaged(&self.path, damage))?;
        self.next_chunk += sealed.len().div_ceil(SEALED_CHUNK_BYTES) as u64;
        self.sealed_left -= sealed.len() as u64;

        let start = std::mem::take(&mut self.skip).min(plain.len());
        let end =
            plain.len().min(start.saturating_add(usize::try_from(self.plain_left).unwrap_or(usize::MAX)));
        self.plain_left -= (end - start) as u64;
        Ok(Some(cut(plain, start..end)))
    }
}

// A small part is copied out, so that whoever keeps it does not keep the chunks around it.
fn cut(plain: Vec<u8>, wanted: Range<usize>) -> Bytes {
    if wanted.len() < plain.len() / 4 * 3 {
        Bytes::copy_from_slice(&plain[wanted])
    } else {
        Bytes::from(plain).slice(wanted)
    }
}

fn shift(range: &Range<u64>, by: u64) -> Range<u64> {
    range.start + by..range.end + by
}

fn once(bytes: Bytes) -> BoxStream<'static, Result<Bytes>> {
    stream::once(async { Ok(bytes) }).boxed()
}

fn without_content(object: &OpenObject, meta: ObjectMeta, extensions: Extensions) -> GetResult {
    with_content(object, meta, extensions, 0..object.plain_bytes, stream::empty().boxed())
}

fn with_content(
    object: &OpenObject,
    meta: ObjectMeta,
    extensions: Extensions,
    range: Range<u64>,
    content: BoxStream<'static, Result<Bytes>>,
) -> GetResult {
    GetResult {
        payload: GetResultPayload::Stream(content),
        meta: ObjectMeta { size: object.plain_bytes, ..meta },
        range,
        attributes: attributes(&object.header),
        extensions,
    }
}

fn damaged(path: &str, damage: ChunkedError) -> Error {
    SealError::Damaged { object: path.to_owned(), damage }.into()
}

fn not_sealed(path: &str) -> Error {
    SealError::NotSealed { object: path.to_owned() }.into()
}

//! A multipart upload through the seal.
//!
//! Chunks do not end where a caller's parts end, and some stores want parts of
//! equal size, so sealed bytes are collected and cut anew. What is left over,
//! and the message's last chunk, go out with `complete`.

use std::sync::Arc;

use async_trait::async_trait;
use futures::FutureExt;
use futures::future::try_join_all;
use object_store::path::Path;
use object_store::{MultipartUpload, PutPayload, PutResult, Result, UploadPart};

use super::cache::OpenObject;
use super::failure::{not_supported, storage_failure};
use super::{Seal, TOO_LARGE};
use crate::chunked::Sealer;
use crate::data_keys::DataKey;
use crate::object::Header;

/// The size of every part but the last. Stores in the cloud want at least 5 MiB.
const PART_BYTES: usize = 8 * 1024 * 1024;

/// An upload under way.
#[derive(Debug)]
pub(super) struct SealedUpload {
    inner: Box<dyn MultipartUpload>,
    seal: Seal,
    location: Path,
    header: Header,
    data_key: Arc<DataKey>,
    // `None` once the upload was completed, aborted or has failed.
    sealer: Option<Sealer>,
    // Sealed bytes that no part has taken yet.
    sealed: Vec<u8>,
    plain_bytes: u64,
    sealed_bytes: u64,
}

impl SealedUpload {
    pub(super) fn new(
        inner: Box<dyn MultipartUpload>,
        seal: Seal,
        location: Path,
        header: Header,
        data_key: Arc<DataKey>,
    ) -> Self {
        let mut sealed = Vec::new();
        let sealer = Some(seal.start(&header, &data_key, &location, &mut sealed));
        Self { inner, seal, location, header, data_key, sealer, sealed, plain_bytes: 0, sealed_bytes: 0 }
    }

    fn seal_part(&mut self, data: &PutPayload) -> Result<()> {
        self.seal.check_open(self.location.as_ref())?;
        let sealer = self.sealer.as_mut().ok_or_else(|| not_supported(ENDED))?;
        for piece in data {
            if sealer.update(piece, &mut self.sealed).is_err() {
                self.sealer = None;
                return Err(not_supported(TOO_LARGE));
            }
        }
        self.plain_bytes += data.content_length() as u64;
        Ok(())
    }

    fn put_sealed(&mut self, part: Vec<u8>) -> UploadPart {
        self.sealed_bytes += part.len() as u64;
        self.inner.put_part(part.into())
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl MultipartUpload for SealedUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        if let Err(error) = self.seal_part(&data) {
            return async { Err(error) }.boxed();
        }
        let mut parts = Vec::new();
        while self.sealed.len() >= PART_BYTES {
            let rest = self.sealed.split_off(PART_BYTES);
            let part = std::mem::replace(&mut self.sealed, rest);
            parts.push(self.put_sealed(part));
        }
        let object = self.location.to_string();
        try_join_all(parts).map(move |done| done.map(drop).map_err(|e| storage_failure(&object, e))).boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.seal.check_open(self.location.as_ref())?;
        let sealer = self.sealer.take().ok_or_else(|| not_supported(ENDED))?;
        let opener = sealer.finish(&mut self.sealed).map_err(|_| not_supported(TOO_LARGE))?;
        let last = std::mem::take(&mut self.sealed);
        let object = self.location.to_string();
        self.put_sealed(last).await.map_err(|error| storage_failure(&object, error))?;
        let put = self.inner.complete().await.map_err(|error| storage_failure(&object, error))?;

        self.data_key.count_sealed(self.plain_bytes);
        let header = self.header.clone();
        let written = OpenObject::written(header, opener, self.plain_bytes, self.sealed_bytes, &put);
        self.seal.remember_written(&self.location, written);
        Ok(put)
    }

    async fn abort(&mut self) -> Result<()> {
        self.sealer = None;
        self.sealed = Vec::new();
        self.inner.abort().await.map_err(|error| storage_failure(self.location.as_ref(), error))
    }
}

const ENDED: &str = "the upload has ended";

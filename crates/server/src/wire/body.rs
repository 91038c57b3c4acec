//! Reads a request body: bounded in size, time and memory, unpacked if it is compressed.

use std::io::Read;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::ApiError;
use super::limits::Limits;

/// Why a body was not taken.
#[derive(Debug, PartialEq)]
pub(super) enum BodyError {
    /// It is longer than the limit.
    TooLarge,
    /// It did not arrive in time.
    TooSlow,
    /// Its sender is not known here.
    Stranger(ApiError),
    /// The connection broke, or the body is not what its headers say.
    Broken,
}

/// A body, and its share of the memory that large bodies may take.
pub(super) struct Received<'a> {
    pub(super) bytes: Bytes,
    _share: Option<SemaphorePermit<'a>>,
}

/// Reads the body as it was sent; `large_kib` hands out the memory for large bodies. Once `stopped` resolves, it is waited
/// for no longer.
///
/// Most bodies arrive together with their heads. For one that does not, or that is large, `admit` is asked first.
pub(super) async fn read<'a>(
    body: &mut Incoming,
    limits: &Limits,
    large_kib: &'a Semaphore,
    admit: impl FnOnce() -> Result<(), ApiError>,
    stopped: impl Future<Output = ()>,
) -> Result<Received<'a>, BodyError> {
    let bytes_max = limits.body_bytes_max;
    let announced = body.size_hint();
    if announced.lower() > bytes_max as u64 {
        return Err(BodyError::TooLarge);
    }
    let upper = announced.upper();
    let is_large = upper.is_none_or(|upper| upper > SMALL_BYTES);
    let mut collecting = std::pin::pin!(collect(body, bytes_max));
    if !is_large && let std::task::Poll::Ready(done) = futures::poll!(&mut collecting) {
        return done.map(|bytes| Received { bytes, _share: None });
    }
    admit().map_err(BodyError::Stranger)?;
    let read = async {
        let mut share = None;
        if is_large {
            let bytes = upper.map_or(bytes_max, |upper| bytes_max.min(upper as usize));
            let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
            share = Some(large_kib.acquire_many(kib).await.map_err(|_| BodyError::Broken)?);
        }
        let others_wait = async {
            tokio::time::sleep(limits.share_timeout).await;
            // Another body as large as may be would have to wait.
            while share.is_none() || large_kib.available_permits() * 1024 >= bytes_max {
                tokio::time::sleep(SHARE_STEP).await;
            }
        };
        let bytes = tokio::select! {
            bytes = collecting => bytes?,
            () = others_wait => return Err(BodyError::TooSlow),
        };
        Ok(Received { bytes, _share: share })
    };
    tokio::select! {
        done = tokio::time::timeout(limits.body_timeout, read) => done.unwrap_or(Err(BodyError::TooSlow)),
        () = stopped => Err(BodyError::TooSlow),
    }
}

/// Reads a body and keeps nothing of it, so that its sender comes to read the answer; up to that many bytes and that
/// long.
pub(super) async fn discard(
    body: &mut Incoming,
    bytes_max: usize,
    timeout: Duration,
    stopped: impl Future<Output = ()>,
) {
    let read = async {
        let mut bytes = 0;
        while bytes <= bytes_max
            && let Ok(Some(data)) = next_data(body).await
        {
            bytes += data.len();
        }
    };
    // Whoever is slower does without the answer.
    tokio::select! {
        _ = tokio::time::timeout(timeout, read) => {}
        () = stopped => {}
    }
}

async fn collect(body: &mut Incoming, bytes_max: usize) -> Result<Bytes, BodyError> {
    let Some(first) = next_data(body).await? else {
        return Ok(Bytes::new());
    };
    if body.is_end_stream() {
        return if first.len() > bytes_max { Err(BodyError::TooLarge) } else { Ok(first) };
    }
    let mut whole = BytesMut::from(first);
    while let Some(data) = next_data(body).await? {
        if whole.len() + data.len() > bytes_max {
            return Err(BodyError::TooLarge);
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

async fn next_data(body: &mut Incoming) -> Result<Option<Bytes>, BodyError> {
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// Unpacks a gzip body, off the runtime's threads: a small body may unpack to the whole limit.
pub(super) async fn gunzip(packed: Bytes, bytes_max: usize) -> Result<Bytes, BodyError> {
    tokio::task::spawn_blocking(move || gunzip_now(&packed, bytes_max))
        .await
        .unwrap_or(Err(BodyError::Broken))
}

fn gunzip_now(packed: &[u8], bytes_max: usize) -> Result<Bytes, BodyError> {
    let mut whole = Vec::new();
    let unpacked = flate2::read::MultiGzDecoder::new(packed);
    unpacked.take(bytes_max as u64 + 1).read_to_end(&mut whole).map_err(|_| BodyError::Broken)?;
    if whole.len() > bytes_max {
        return Err(BodyError::TooLarge);
    }
    Ok(whole.into())
}

pub(super) const SMALL_BYTES: u64 = 64 << 10;
/// How often it is looked whether others wait for the memory of a body that is slow.
const SHARE_STEP: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::io::Write;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    }

    /// A few kilobytes that unpack to gigabytes must not cost more than the limit.
    #[test]
    fn a_gzip_body_is_bounded_after_unpacking() {
        let packed = gzip(&vec![0; 100_000]);
        assert!(packed.len() < 1000);
        assert_eq!(gunzip_now(&packed, 99_999), Err(BodyError::TooLarge));
        assert_eq!(gunzip_now(&packed, 100_000).unwrap().len(), 100_000);
    }

    #[test]
    fn a_damaged_gzip_body_is_refused() {
        let mut packed = gzip(b"{\"TableName\": \"t\"}");
        let last = packed.len() - 6;
        packed[last] ^= 1;
        assert_eq!(gunzip_now(&packed, 1000), Err(BodyError::Broken));
        packed.truncate(10);
        assert_eq!(gunzip_now(&packed, 1000), Err(BodyError::Broken));
    }
}

//! Reads a request body: bounded in size, time and memory, unpacked if it is compressed.

use std::io::Read;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Why a body was not taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BodyError {
    /// It is longer than the limit.
    TooLarge,
    /// It did not arrive in time.
    TooSlow,
    /// The connection broke, or the body is not what its headers say.
    Broken,
}

/// A body, and its share of the memory that large bodies may take.
pub(super) struct Received<'a> {
    pub(super) bytes: Bytes,
    _share: Option<SemaphorePermit<'a>>,
}

/// Whether the body may be a large one, for which memory is handed out.
pub(super) fn is_large(body: &Incoming) -> bool {
    body.size_hint().upper().is_none_or(|upper| upper > SMALL_BYTES)
}

/// Reads the body as it was sent; `large_kib` hands out the memory for large bodies. Once `stopped` resolves, it is waited
/// for no longer.
pub(super) async fn read<'a>(
    mut body: Incoming,
    bytes_max: usize,
    timeout: Duration,
    large_kib: &'a Semaphore,
    stopped: impl Future<Output = ()>,
) -> Result<Received<'a>, BodyError> {
    let announced = body.size_hint();
    if announced.lower() > bytes_max as u64 {
        return Err(BodyError::TooLarge);
    }
    let read = async {
        let mut share = None;
        if is_large(&body) {
            let bytes = announced.upper().map_or(bytes_max, |upper| bytes_max.min(upper as usize));
            let kib = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX);
            share = Some(large_kib.acquire_many(kib).await.map_err(|_| BodyError::Broken)?);
        }
        let bytes = collect(&mut body, bytes_max).await?;
        Ok(Received { bytes, _share: share })
    };
    // Most bodies arrive together with their headers; a timer is only armed for the others.
    let mut read = std::pin::pin!(read);
    if let std::task::Poll::Ready(done) = futures::poll!(&mut read) {
        return done;
    }
    tokio::select! {
        done = tokio::time::timeout(timeout, read) => done.unwrap_or(Err(BodyError::TooSlow)),
        () = stopped => Err(BodyError::TooSlow),
    }
}

/// Reads a body and keeps nothing of it, so that its sender comes to read the answer; up to that many bytes and that
/// long.
pub(super) async fn discard(mut body: Incoming, bytes_max: usize, timeout: Duration) {
    let read = async {
        let mut bytes = 0;
        while bytes <= bytes_max
            && let Ok(Some(data)) = next_data(&mut body).await
        {
            bytes += data.len();
        }
    };
    // Whoever is slower does without the answer.
    let _ = tokio::time::timeout(timeout, read).await;
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

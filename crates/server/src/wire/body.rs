//! Reads a request body: bounded in size, time and memory, unpacked if it is compressed.

use std::io::Read;
use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::time::Instant;

use super::ApiError;
use super::body_memory::{BodyMemory, Share};
use super::limits::Limits;

/// Why a body was not taken.
#[derive(Debug, PartialEq)]
pub(super) enum BodyError {
    /// It is longer than the limit.
    TooLarge,
    /// It did not arrive in time.
    TooSlow,
    /// There was no memory for it in time.
    NoMemory,
    /// Its sender is not known here.
    Stranger(ApiError),
    /// The connection broke, or the body is not what its headers say.
    Broken,
}

/// A body, and its share of the memory for bodies.
pub(super) struct Received<'a> {
    pub(super) bytes: Bytes,
    _share: Option<Share<'a>>,
}

/// What waiting for a body is about.
pub(super) struct Waits<S> {
    /// What the request's head takes of memory meanwhile.
    pub(super) head_bytes: usize,
    /// Once it resolves, the body is waited for no longer.
    pub(super) stopped: S,
}

/// Reads the body as it was sent.
///
/// Most bodies arrive together with their heads. One that does not, or that is large, takes a share of `memory`, and
/// `admit` is asked first whether its sender may be known.
pub(super) async fn read<'a>(
    body: &mut Incoming,
    limits: &Limits,
    memory: &'a BodyMemory,
    admit: impl FnOnce() -> Result<(), ApiError>,
    Waits { head_bytes, stopped }: Waits<impl Future<Output = ()>>,
) -> Result<Received<'a>, BodyError> {
    let announced = body.size_hint();
    if announced.lower() > limits.body_bytes_max as u64 {
        return Err(BodyError::TooLarge);
    }
    let is_large = announced.upper().is_none_or(|upper| upper > SMALL_BYTES);
    let mut whole = Vec::new();
    while !is_large && let Some(data) = next_data(body).now_or_never() {
        match data? {
            Some(data) if whole.is_empty() && body.is_end_stream() => {
                return Ok(Received { bytes: data, _share: None });
            }
            Some(data) => whole.extend_from_slice(&data),
            None => return Ok(Received { bytes: whole.into(), _share: None }),
        }
    }
    let bytes_max =
        announced.upper().map_or(limits.body_bytes_max, |upper| upper as usize).min(limits.body_bytes_max);
    let (share, patience) = match admit() {
        Ok(()) => (memory.share(), limits.body_timeout),
        Err(refused) if is_large => return Err(BodyError::Stranger(refused)),
        // The services look at a body's syntax before they ask who sent it.
        Err(refused) => match memory.stranger_share(head_bytes + bytes_max) {
            Some(share) => (share, limits.header_timeout),
            None => return Err(BodyError::Stranger(refused)),
        },
    };
    let late = Late { body, bytes_max, head_bytes, share, pace: Pace::default(), patience };
    tokio::select! {
        received = Box::pin(late.collect(whole, limits, memory)) => received,
        () = stopped => Err(BodyError::TooSlow),
    }
}

/// A body on its way.
struct Late<'a, 'b> {
    body: &'b mut Incoming,
    /// It is no longer than that.
    bytes_max: usize,
    head_bytes: usize,
    share: Share<'a>,
    pace: Pace,
    /// How long its sender may take, the waits for memory not counted.
    patience: Duration,
}

/// How fast a body comes.
#[derive(Default)]
struct Pace {
    /// How long its sender was waited for.
    waited: Duration,
    /// The same, since the pace was last looked at.
    waited_lately: Duration,
    /// What came in that time.
    bytes_lately: usize,
}

impl<'a> Late<'a, '_> {
    async fn collect(
        mut self,
        mut whole: Vec<u8>,
        limits: &Limits,
        memory: &BodyMemory,
    ) -> Result<Received<'a>, BodyError> {
        let mut granted = whole.len();
        self.take_memory(granted, limits).await?;
        while let Some(data) = self.next_data(limits, memory).await? {
            let bytes = whole.len() + data.len();
            if bytes > self.bytes_max {
                return Err(BodyError::TooLarge);
            }
            if bytes > granted {
                // Doubled each time, so that a body is copied once or twice on the whole.
                granted = bytes.next_power_of_two().max(GRANT_BYTES_MIN).min(self.bytes_max);
                self.take_memory(granted, limits).await?;
                whole.reserve_exact(granted - whole.len());
            }
            whole.extend_from_slice(&data);
        }
        Ok(Received { bytes: whole.into(), _share: Some(self.share) })
    }

    async fn take_memory(&mut self, bytes: usize, limits: &Limits) -> Result<(), BodyError> {
        let had_reserve = self.share.is_of_the_reserve();
        if !self.share.grow(self.head_bytes + bytes, limits.body_timeout).await {
            return Err(BodyError::NoMemory);
        }
        if self.share.is_of_the_reserve() && !had_reserve {
            self.pace.begin_anew();
        }
        Ok(())
    }

    async fn next_data(&mut self, limits: &Limits, memory: &BodyMemory) -> Result<Option<Bytes>, BodyError> {
        loop {
            let begun = Instant::now();
            let data = tokio::time::timeout(LOOK_INTERVAL, next_data(self.body)).await;
            self.pace.waited_for(begun.elapsed());
            if self.pace.waited >= self.patience {
                return Err(BodyError::TooSlow);
            }
            if self.pace.waited_lately >= limits.share_timeout {
                // All others wait for the reserve.
                let pace_bytes = match self.share.is_of_the_reserve() {
                    true => RESERVE_PACE_BYTES,
                    false => PACE_BYTES,
                };
                let is_slow = self.pace.bytes_lately < pace_bytes;
                if is_slow && memory.is_short() {
                    return Err(BodyError::TooSlow);
                }
                if !is_slow {
                    self.pace.begin_anew();
                }
            }
            if let Ok(data) = data {
                let data = data?;
                self.pace.bytes_lately += data.as_ref().map_or(0, Bytes::len);
                return Ok(data);
            }
        }
    }
}

impl Pace {
    fn waited_for(&mut self, time: Duration) {
        self.waited += time;
        self.waited_lately += time;
    }

    fn begin_anew(&mut self) {
        (self.waited_lately, self.bytes_lately) = (Duration::ZERO, 0);
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

/// What a small body has at most.
pub(super) const SMALL_BYTES: u64 = 64 << 10;
/// The least that is taken at once for a body on its way, if it may be that long.
const GRANT_BYTES_MIN: usize = 4 << 10;
/// How often it is looked whether others wait for the memory of a body that is slow.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// A body of which less comes within the share timeout is slow.
const PACE_BYTES: usize = 64 << 10;
/// The same for the body that has the reserve.
const RESERVE_PACE_BYTES: usize = 4 << 20;

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

//! The memory that bodies on their way may take, handed out as their bytes arrive.
//!
//! Whoever announces much and sends little holds little. When all is taken, those who wait for more get a reserve in
//! turn, which is enough for any one body; so bodies that wait for each other's memory finish one by one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};

use super::limits::Limits;

/// Memory for bodies, counted in KiB.
pub(super) struct BodyMemory {
    /// What is left for senders who may be known here.
    known_kib: Semaphore,
    /// Beside it, as much as one body may have.
    reserve: Semaphore,
    /// Who waits for either.
    waiting: AtomicUsize,
    /// What is left for small bodies of strangers, who are told what is wrong with their bodies before they are refused.
    stranger_kib: Semaphore,
}

/// What one body holds, until it is dropped.
pub(super) struct Share<'a> {
    memory: &'a BodyMemory,
    kib: usize,
    permits: Option<SemaphorePermit<'a>>,
    reserve: Option<SemaphorePermit<'a>>,
}

impl BodyMemory {
    /// The memory that the limits allow.
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            known_kib: Semaphore::new(kib(limits.large_body_bytes_max).min(Semaphore::MAX_PERMITS)),
            reserve: Semaphore::new(1),
            waiting: AtomicUsize::new(0),
            stranger_kib: Semaphore::new(kib(STRANGER_BYTES_MAX)),
        }
    }

    /// An empty share for a sender who may be known.
    pub(super) fn share(&self) -> Share<'_> {
        Share { memory: self, kib: 0, permits: None, reserve: None }
    }

    /// A share of `bytes` for a stranger; none when others hold too much.
    pub(super) fn stranger_share(&self, bytes: usize) -> Option<Share<'_>> {
        let permits = self.stranger_kib.try_acquire_many(u32::try_from(kib(bytes)).ok()?).ok()?;
        Some(Share { memory: self, kib: kib(bytes), permits: Some(permits), reserve: None })
    }

    /// Whether somebody waits for memory.
    pub(super) fn is_short(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }
}

impl Share<'_> {
    /// Makes the share at least `bytes` large, waiting for as long as `timeout`; says whether it is. `bytes` is at most
    /// what one body may have. Nobody waits where too many do: what their clients send meanwhile takes memory as well.
    pub(super) async fn grow(&mut self, bytes: usize, timeout: Duration) -> bool {
        self.try_grow(bytes, timeout).await.is_some()
    }

    async fn try_grow(&mut self, bytes: usize, timeout: Duration) -> Option<()> {
        let wanted = kib(bytes);
        if self.reserve.is_some() || wanted <= self.kib {
            return Some(());
        }
        let memory = self.memory;
        let more = u32::try_from(wanted - self.kib).unwrap_or(u32::MAX);
        let permits = match memory.known_kib.try_acquire_many(more) {
            Ok(permits) => permits,
            Err(_) => {
                let _waiting = Waiting::begin(&memory.waiting)?;
                tokio::select! {
                    biased;
                    Ok(permits) = memory.known_kib.acquire_many(more) => permits,
                    Ok(reserve) = memory.reserve.acquire() => {
                        self.reserve = Some(reserve);
                        return Some(());
                    }
                    () = tokio::time::sleep(timeout) => return None,
                }
            }
        };
        self.kib = wanted;
        match &mut self.permits {
            Some(held) => held.merge(permits),
            None => self.permits = Some(permits),
        }
        Some(())
    }

    /// Whether it is the reserve that this body takes, which all others wait for.
    pub(super) fn is_of_the_reserve(&self) -> bool {
        self.reserve.is_some()
    }
}

/// Counts one who waits until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    // None where too many wait already.
    fn begin(count: &'a AtomicUsize) -> Option<Self> {
        // Dropped at once, and so uncounted, if there are too many.
        let waiting = Self(count);
        (count.fetch_add(1, Ordering::Relaxed) < WAITING_MAX).then_some(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn kib(bytes: usize) -> usize {
    bytes.div_ceil(1024)
}

/// How many bodies wait for memory at once.
const WAITING_MAX: usize = 512;
/// Bytes of strangers' bodies that are kept at once.
const STRANGER_BYTES_MAX: usize = 8 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(bytes: usize) -> BodyMemory {
        BodyMemory::new(&Limits { large_body_bytes_max: bytes, ..Limits::default() })
    }

    const WAIT: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn who_finds_all_taken_gets_the_reserve_one_at_a_time() {
        let memory = memory(10 << 10);
        let (mut first, mut second, mut third) = (memory.share(), memory.share(), memory.share());
        assert!(first.grow(6 << 10, WAIT).await && second.grow(4 << 10, WAIT).await);
        assert!(!memory.is_short() && !first.is_of_the_reserve());
        // Both wait for what the other has; one of them may go on.
        assert!(second.grow(8 << 10, WAIT).await && second.is_of_the_reserve());
        assert!(!first.grow(8 << 10, WAIT).await);
        let waits = async { third.grow(1 << 10, WAIT).await };
        let ends = async {
            tokio::task::yield_now().await;
            assert!(memory.is_short());
            drop(second);
        };
        assert!(tokio::join!(waits, ends).0);
        assert!(!memory.is_short() && !third.is_of_the_reserve(), "it got what the other has given back");
        drop((first, third));
        assert_eq!((memory.known_kib.available_permits(), memory.reserve.available_permits()), (10, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn only_so_many_wait() {
        let memory = memory(1 << 10);
        let (mut first, mut second) = (memory.share(), memory.share());
        assert!(first.grow(1 << 10, WAIT).await && second.grow(1 << 10, WAIT).await);
        let waits = (0..WAITING_MAX + 3).map(|_| async {
            let mut share = memory.share();
            let begun = tokio::time::Instant::now();
            assert!(!share.grow(1 << 10, WAIT).await);
            begun.elapsed() < WAIT
        });
        let at_once = futures::future::join_all(waits).await;
        assert_eq!(at_once.iter().filter(|at_once| **at_once).count(), 3);
        assert!(!memory.is_short());
    }

    #[tokio::test]
    async fn strangers_have_little_and_do_not_wait() {
        let memory = memory(1 << 20);
        let places = STRANGER_BYTES_MAX >> 16;
        let held: Vec<_> = (0..places).map_while(|_| memory.stranger_share(1 << 16)).collect();
        assert_eq!(held.len(), places);
        assert!(memory.stranger_share(1).is_none());
        assert!(memory.share().grow(1 << 20, WAIT).await, "others do not notice");
    }
}

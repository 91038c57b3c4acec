//! A bound on what writes hold on their way to the disk, all tables together.
//!
//! Until rows are durable, storage holds them several times over: as they are, in blocks of the log, as the log's object,
//! and sealed. An item of 400 KB with twenty entries of all its attributes is 8 MB of rows. Large writes therefore take
//! room before their entries are made, and give it back once they are durable; who finds none left waits, first come, first
//! served. Small writes do not take part: what they hold is bounded by their number.
//!
//! INVARIANT (nobody who has room waits for a latch of items): room is taken under the latches of the items that are
//! written and given back before others are asked for, so those who wait for each other would have to wait for room alone.

use tokio::sync::{Semaphore, SemaphorePermit};

/// Rows of large writes that are on their way to the disk.
const ROOM_BYTES: usize = 32 * 1024 * 1024;
/// Rows of one batch; a batch of one item may have more.
pub(super) const PART_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Writes of fewer bytes of rows take no room.
const SMALL_BYTES_MAX: usize = 64 * 1024;

const UNIT_BYTES: usize = 1024;

/// The room; all tables share it.
pub struct LargeWrites(Semaphore);

/// A share of the room, given back when it is dropped.
#[derive(Default)]
pub(super) struct Room<'a>(
    #[expect(dead_code, reason = "it is held, not looked at")] Option<SemaphorePermit<'a>>,
);

impl LargeWrites {
    pub(super) fn new() -> Self {
        Self(Semaphore::new(ROOM_BYTES / UNIT_BYTES))
    }

    /// Waits until there is room for so many bytes of rows.
    pub(super) async fn room(&self, bytes: usize) -> Room<'_> {
        if bytes <= SMALL_BYTES_MAX {
            return Room(None);
        }
        // Boxed: it is rare, and every write would have to keep space for it.
        Box::pin(self.large(bytes)).await
    }

    async fn large(&self, bytes: usize) -> Room<'_> {
        // What is larger than all the room, which no batch of one item is, takes all of it.
        let units = (bytes / UNIT_BYTES).min(ROOM_BYTES / UNIT_BYTES);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        // It is never closed.
        Room(self.0.acquire_many(units).await.ok())
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn large_writes_share_a_bounded_room_and_small_ones_pass() {
        let writes = LargeWrites::new();
        let first = writes.room(ROOM_BYTES - PART_BYTES_MAX).now_or_never();
        let second = writes.room(PART_BYTES_MAX).now_or_never();
        assert!(first.is_some() && second.is_some());
        assert!(writes.room(SMALL_BYTES_MAX + UNIT_BYTES).now_or_never().is_none());
        assert!(writes.room(SMALL_BYTES_MAX).now_or_never().is_some());
        drop(second);
        assert!(writes.room(PART_BYTES_MAX).now_or_never().is_some());
        drop(first);
        // More than there is at all waits for all of it, and not for ever.
        assert!(writes.room(2 * ROOM_BYTES).now_or_never().is_some());
    }
}

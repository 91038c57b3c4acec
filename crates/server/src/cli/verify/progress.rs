//! Progress on standard error, for what takes long.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// How far a verification is.
pub(super) struct Progress {
    start: Instant,
    total_objects: u64,
    total_bytes: u64,
    objects: AtomicU64,
    bytes: AtomicU64,
    shown: Mutex<Option<Instant>>,
    every: Duration,
    is_terminal: bool,
}

impl Progress {
    /// Nothing is done yet of what there is to do.
    pub(super) fn new(total_objects: u64, total_bytes: u64) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let every = if is_terminal { Duration::from_millis(200) } else { Duration::from_secs(10) };
        Self {
            start: Instant::now(),
            total_objects,
            total_bytes,
            objects: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            shown: Mutex::new(None),
            every,
            is_terminal,
        }
    }

    /// One object more is done.
    pub(super) fn done(&self, bytes: u64) {
        let objects = self.objects.fetch_add(1, Ordering::Relaxed) + 1;
        let bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let mut shown = self.shown.lock();
        if shown.unwrap_or(self.start).elapsed() < self.every {
            return;
        }
        *shown = Some(Instant::now());
        let text = line(objects, self.total_objects, bytes, self.total_bytes);
        // Progress that cannot be shown is no reason to stop.
        let _ = match self.is_terminal {
            true => write!(std::io::stderr(), "\r{text}\x1b[K"),
            false => writeln!(std::io::stderr(), "{text}"),
        };
    }

    /// Clears the line.
    pub(super) fn finish(&self) {
        if self.is_terminal && self.shown.lock().is_some() {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

fn line(objects: u64, total_objects: u64, bytes: u64, total_bytes: u64) -> String {
    let percent = (bytes * 100).checked_div(total_bytes).unwrap_or(100);
    format!(
        "checked {objects} of {total_objects} objects, {} of {} MB ({percent} %)",
        bytes / 1_000_000,
        total_bytes / 1_000_000
    )
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn nothing_to_do_is_done() {
        assert_eq!(line(0, 0, 0, 0), "checked 0 of 0 objects, 0 of 0 MB (100 %)");
        assert_eq!(line(1, 2, 1_000_000, 4_000_000), "checked 1 of 2 objects, 1 of 4 MB (25 %)");
    }
}

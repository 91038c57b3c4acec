//! What happened in a world, line by line, and one number that stands for all of it.
//!
//! Two runs of one seed must end with the same number.

use std::sync::Arc;

use parking_lot::Mutex;

/// The history of one world; clones share it.
#[derive(Clone, Debug, Default)]
pub struct History(Arc<Mutex<Written>>);

#[derive(Debug)]
struct Written {
    hash: u64,
    lines: Vec<String>,
}

impl Default for Written {
    fn default() -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, lines: Vec::new() }
    }
}

impl History {
    /// Adds a line.
    pub fn write(&self, line: String) {
        let mut written = self.0.lock();
        written.hash = line
            .bytes()
            .chain([b'\n'])
            .fold(written.hash, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        written.lines.push(line);
    }

    /// The number that stands for all lines (FNV-1a).
    pub fn hash(&self) -> u64 {
        self.0.lock().hash
    }

    /// All lines.
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().lines.clone()
    }
}

//! The two doors through which time and randomness come in.
//!
//! Production code gets the system's; tests and the simulator get ones they
//! drive. Nothing outside an implementation of these traits reads a clock or a
//! random source.

/// Tells the time.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// Milliseconds since the Unix epoch. Never goes backwards in one process.
    fn now_millis(&self) -> i64;

    /// The same as the machine's clock shows it, which may be put back: for what is compared with other machines' clocks.
    fn wall_millis(&self) -> i64 {
        self.now_millis()
    }
}

/// Draws random bytes fit for keys, salts and nonces.
pub trait Random: Send + Sync + std::fmt::Debug {
    /// Fills `bytes` whole.
    fn fill(&self, bytes: &mut [u8]);
}

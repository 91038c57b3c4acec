//! A key service that did not answer is not asked again for a moment.
//!
//! One that hangs takes seconds to say nothing. Whoever stands in line behind such a call shall not spend
//! the same seconds once more, one after the other.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use super::table_kms::TableKmsError;

/// What is known of a key service's silence.
#[derive(Default)]
pub struct Silence {
    is_silent: AtomicBool,
    until_millis: AtomicI64,
}

/// How long a silent key service is not asked again.
const SILENCE_MILLIS: i64 = 1_000;

impl Silence {
    /// Whether the last call was not answered.
    pub fn is_silent(&self) -> bool {
        self.is_silent.load(Ordering::Relaxed)
    }

    /// Says `Unreachable` without a call, if one was not answered a moment ago.
    pub fn check(&self, now_millis: i64) -> Result<(), TableKmsError> {
        if now_millis < self.until_millis.load(Ordering::Relaxed) {
            return Err(TableKmsError::Unreachable("it did not answer a moment ago".to_owned()));
        }
        Ok(())
    }

    /// Learns from what a call came to, at the time when it came to it: one that hangs has taken its time.
    pub fn learn<T>(&self, outcome: Result<T, TableKmsError>, now_millis: i64) -> Result<T, TableKmsError> {
        let is_silent = matches!(outcome, Err(TableKmsError::Unreachable(_)));
        self.is_silent.store(is_silent, Ordering::Relaxed);
        if is_silent {
            self.until_millis.store(now_millis + SILENCE_MILLIS, Ordering::Relaxed);
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_remembered_for_a_second_and_ends_with_an_answer() {
        let silence = Silence::default();
        assert!(silence.check(5_000).is_ok());
        let none = || Err::<(), _>(TableKmsError::Unreachable("timeout".to_owned()));
        assert!(silence.learn(none(), 5_000).is_err());
        assert!(silence.is_silent() && silence.check(5_999).is_err() && silence.check(6_000).is_ok());
        // A refusal is an answer.
        let no = TableKmsError::Refused { code: "c".into(), message: "m".into(), request_id: "r".into() };
        assert!(silence.learn(Err::<(), _>(no), 6_000).is_err());
        assert!(!silence.is_silent());
    }
}

//! File descriptors: as many as the system gives, and some of them kept from connections.
//!
//! Each connection takes one, and storage takes one for each file that it reads or writes. Without any left for storage
//! every write fails, so connections must not take them all.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// How many descriptors are kept for storage and the rest of the process.
const KEPT: u64 = 256;

/// Raises the soft limit to the hard one, and says how many connections there may be at once: `wanted` or, where the
/// limit is lower, what it leaves.
pub(super) fn connections_max(wanted: usize) -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::debug!(%error, "the limit of open files could not be raised");
    }
    let limit = getrlimit(Resource::Nofile).current;
    let most = connections_within(wanted, limit);
    if most < wanted {
        tracing::warn!(
            "at most {most} connections instead of {wanted}: the system lets this process open {} files; raise the hard \
             limit (`ulimit -Hn`, LimitNOFILE= of systemd) or lower --connections-max",
            limit.unwrap_or_default()
        );
    }
    most
}

// Of a low limit half is kept. None is no limit.
fn connections_within(wanted: usize, limit: Option<u64>) -> usize {
    let Some(limit) = limit else { return wanted };
    let most = limit.saturating_sub(KEPT.min(limit / 2)).max(1);
    wanted.min(usize::try_from(most).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn storage_keeps_its_descriptors() {
        assert_eq!(connections_within(10_000, None), 10_000);
        assert_eq!(connections_within(10_000, Some(20_000)), 10_000);
        assert_eq!(connections_within(10_000, Some(10_100)), 9_844);
        assert_eq!(connections_within(10_000, Some(1_024)), 768);
        assert_eq!(connections_within(10_000, Some(100)), 50);
        assert_eq!(connections_within(10_000, Some(0)), 1);
        assert_eq!(connections_within(10, Some(1_024)), 10);
    }
}

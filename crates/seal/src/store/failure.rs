//! Which failures of the store below no retry mends.

use std::error::Error as StdError;
use std::io::{self, ErrorKind};

use object_store::Error;
use slatedb_common::retry::NonRetryable;

use crate::error::SealError;

/// What the store below said of `object`, marked as final if waiting does not help.
///
/// A full, read-only, failing or vanished disk is for a person to mend: SlateDB
/// would otherwise try the call again for ever, and its caller would hang.
pub(super) fn storage_failure(object: &str, error: Error) -> Error {
    if is_final(&error) && NonRetryable::find(&error).is_none() {
        return SealError::Unavailable { object: object.to_owned(), source: error }.into();
    }
    error
}

/// A refusal of what a sealed store does not do.
pub(super) fn not_supported(why: &'static str) -> Error {
    Error::NotSupported { source: why.into() }
}

/// Something that may be different when it is tried again.
pub(super) fn passing(object: &str, why: &str) -> Error {
    Error::Generic { store: "SealedStore", source: format!("object `{object}` {why}").into() }
}

/// A range that `object` does not have, and will not have when it is tried again.
pub(super) fn no_such_range(object: &str, cause: impl StdError) -> Error {
    let text = format!("object `{object}`: {cause}");
    Error::Generic { store: "SealedStore", source: Box::new(NonRetryable(text.into())) }
}

fn is_final(error: &Error) -> bool {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = next {
        // `io::Error::source` skips the error it wraps.
        next = match error.downcast_ref::<io::Error>() {
            Some(io) if is_final_io(io) => return true,
            Some(io) => io.get_ref().map(|inner| inner as &(dyn StdError + 'static)),
            None => error.source(),
        };
    }
    false
}

fn is_final_io(error: &io::Error) -> bool {
    const EIO: i32 = 5;
    const ENXIO: i32 = 6;
    const ENODEV: i32 = 19;
    matches!(
        error.kind(),
        ErrorKind::StorageFull
            | ErrorKind::QuotaExceeded
            | ErrorKind::FileTooLarge
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::PermissionDenied
            | ErrorKind::NotADirectory
            | ErrorKind::StaleNetworkFileHandle
    ) || matches!(error.raw_os_error(), Some(EIO | ENXIO | ENODEV))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    fn from_disk(error: io::Error) -> Error {
        Error::Generic { store: "LocalFileSystem", source: Box::new(error) }
    }

    #[test]
    fn a_disk_that_is_full_or_broken_is_not_tried_again() {
        for number in [5, 13, 28, 30, 122] {
            let failure = storage_failure("db/wal/1", from_disk(io::Error::from_raw_os_error(number)));
            assert!(!slatedb_common::retry::should_retry(&failure), "errno {number}");
            let found = SealError::find(&failure).map(ToString::to_string).unwrap_or_default();
            assert!(found.contains("`db/wal/1`"), "errno {number}: {found}");
        }
        let wrapped = from_disk(io::Error::other(io::Error::from_raw_os_error(28)));
        assert!(!slatedb_common::retry::should_retry(&storage_failure("x", wrapped)));
    }

    // What a real disk says reaches us through two layers of the store's own errors.
    #[tokio::test]
    async fn a_failure_of_a_real_disk_is_recognised() {
        use object_store::{ObjectStore, ObjectStoreExt, local::LocalFileSystem, path::Path};
        let dir = tempfile::tempdir().unwrap();
        let disk = LocalFileSystem::new_with_prefix(dir.path()).unwrap();
        disk.put(&Path::from("file"), "x".into()).await.unwrap();
        let beneath_a_file = Path::from("file/object");
        let error = disk.put_opts(&beneath_a_file, "x".into(), Default::default()).await.unwrap_err();
        assert!(slatedb_common::retry::should_retry(&error), "the store itself would try for ever: {error}");
        let failure = storage_failure("file/object", error);
        assert!(matches!(SealError::find(&failure), Some(SealError::Unavailable { .. })), "{failure}");
    }

    #[test]
    fn what_may_pass_is_tried_again() {
        for error in [io::Error::from(ErrorKind::TimedOut), io::Error::from_raw_os_error(24)] {
            assert!(slatedb_common::retry::should_retry(&storage_failure("x", from_disk(error))));
        }
    }
}

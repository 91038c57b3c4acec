//! The key file of the `file:PATH` provider: 64 hexadecimal digits that nobody but its owner can read.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use strongroom_model::clock::Random;
use zeroize::Zeroizing;

use crate::secret::SecretKey;

/// Two digits for each byte of the key, and the line's end.
const FILE_BYTES_MAX: u64 = 66;

/// Why a key file cannot be used. Every text names the file.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// It lies in the data directory: a copy of the data would hold its own key.
    #[error("key file `{path}` lies in the data directory `{data_dir}`; keep it elsewhere")]
    InDataDir {
        /// The key file.
        path: PathBuf,
        /// The data directory.
        data_dir: PathBuf,
    },
    /// Others than its owner may read or write it.
    #[error("key file `{path}` has mode {mode:04o}, so others may use it; make it 0600")]
    Open {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is not a plain file with 64 hexadecimal digits.
    #[error("key file `{path}` does not hold a key: 64 hexadecimal digits are wanted")]
    NoKey {
        /// The key file.
        path: PathBuf,
    },
    /// There is no such file.
    #[error("key file `{path}` does not exist")]
    Missing {
        /// The key file.
        path: PathBuf,
    },
    /// It cannot be read or written.
    #[error("key file `{path}` cannot be used: {source}")]
    Io {
        /// The key file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Reads the key file at `path`.
///
/// `data_dir` is the data directory, in which it must not lie; `None` for data in memory.
pub fn read(path: &Path, data_dir: Option<&Path>) -> Result<SecretKey, KeyFileError> {
    check_place(path, data_dir)?;
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => KeyFileError::Missing { path: path.to_owned() },
        _ => KeyFileError::Io { path: path.to_owned(), source },
    };
    // Looked at before it is opened, because opening a pipe would wait for its other end.
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(KeyFileError::NoKey { path: path.to_owned() });
    }
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::Open { path: path.to_owned(), mode });
    }
    if metadata.size() > FILE_BYTES_MAX {
        return Err(KeyFileError::NoKey { path: path.to_owned() });
    }
    let mut digits = Zeroizing::new(Vec::with_capacity(FILE_BYTES_MAX as usize + 1));
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut digits).map_err(failed)?;
    parse(&digits).ok_or_else(|| KeyFileError::NoKey { path: path.to_owned() })
}

/// Makes a key file with a new key at `path`, with mode 0600, and syncs it to disk.
///
/// Errors if anything lies there already.
pub fn create(path: &Path, data_dir: Option<&Path>, random: &dyn Random) -> Result<SecretKey, KeyFileError> {
    check_place(path, data_dir)?;
    let key = SecretKey::generate(random);
    let failed = |source| KeyFileError::Io { path: path.to_owned(), source };
    let mut digits = Zeroizing::new(crate::primitive::hex::encode(key.expose()));
    digits.push('\n');
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed)?;
    if let Err(error) = file.write_all(digits.as_bytes()).and_then(|()| file.sync_all()) {
        // On a full disk a file without a key would stay, and stop every later start.
        let _ = fs::remove_file(path);
        return Err(failed(error));
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)?;
    Ok(key)
}

/// Reads the key file at `path`, or makes one if there is none.
pub fn read_or_create(
    path: &Path,
    data_dir: Option<&Path>,
    random: &dyn Random,
) -> Result<SecretKey, KeyFileError> {
    match read(path, data_dir) {
        Err(KeyFileError::Missing { .. }) => create(path, data_dir, random),
        found => found,
    }
}

fn parse(digits: &[u8]) -> Option<SecretKey> {
    let digits = digits.trim_ascii_end();
    if digits.len() != 64 {
        return None;
    }
    let mut key = Zeroizing::new(crate::primitive::hex::decode(std::str::from_utf8(digits).ok()?)?);
    SecretKey::from_slice(&mut key)
}

fn check_place(path: &Path, data_dir: Option<&Path>) -> Result<(), KeyFileError> {
    let Some(data_dir) = data_dir else {
        return Ok(());
    };
    match lies_in(path, data_dir) {
        Ok(false) => Ok(()),
        Ok(true) => Err(KeyFileError::InDataDir { path: path.to_owned(), data_dir: data_dir.to_owned() }),
        Err(source) => Err(KeyFileError::Io { path: path.to_owned(), source }),
    }
}

/// Whether `path`, or what it leads to, lies in the directory `dir`. Neither need exist.
pub fn lies_in(path: &Path, dir: &Path) -> io::Result<bool> {
    let real_dir = real(dir)?;
    // Both where the name lies and where a link leads.
    let name = std::path::absolute(path)?;
    Ok([real(path)?, name].iter().any(|place| place.starts_with(&real_dir)))
}

// The path without links, of which the last parts need not exist yet.
fn real(path: &Path) -> io::Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    let mut missing = Vec::new();
    let mut existing = absolute.as_path();
    loop {
        match existing.canonicalize() {
            Ok(real) => return Ok(missing.iter().rev().fold(real, |path, part| path.join(part))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        match (existing.file_name(), existing.parent()) {
            (Some(part), Some(parent)) => {
                missing.push(part.to_owned());
                existing = parent;
            }
            _ => return Ok(absolute),
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use crate::primitive::OsRandom;

    #[test]
    fn a_key_file_is_made_once_and_read_by_its_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("root.key");
        let data = dir.path().join("data");
        assert!(matches!(read(&path, Some(&data)), Err(KeyFileError::Missing { .. })));

        let made = read_or_create(&path, Some(&data), &OsRandom).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        let read_back = read_or_create(&path, Some(&data), &OsRandom).unwrap();
        assert_eq!(made.expose(), read_back.expose());
        assert!(create(&path, Some(&data), &OsRandom).is_err());

        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(read(&path, Some(&data)), Err(KeyFileError::Open { mode: 0o640, .. })));
    }

    #[test]
    fn a_key_file_in_the_data_directory_is_refused_however_it_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        let not_yet_there = data.join("root.key");
        assert!(matches!(
            read_or_create(&not_yet_there, Some(&data), &OsRandom),
            Err(KeyFileError::InDataDir { .. })
        ));
        fs::create_dir(&data).unwrap();
        std::os::unix::fs::symlink(&data, dir.path().join("link")).unwrap();
        for name in ["data/sub/root.key", "link/root.key", "data/../data/root.key"] {
            let path = dir.path().join(name);
            let refused = read_or_create(&path, Some(&data), &OsRandom);
            assert!(matches!(refused, Err(KeyFileError::InDataDir { .. })), "{name}: {refused:?}");
        }
        assert!(fs::read_dir(&data).unwrap().next().is_none());
        read_or_create(&dir.path().join("data-of-others.key"), Some(&data), &OsRandom).unwrap();
    }

    #[test]
    fn what_holds_no_key_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("root.key");
        for content in [String::new(), "0".repeat(63), "g".repeat(64), "0".repeat(65), "0".repeat(1000)] {
            fs::write(&path, &content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            assert!(matches!(read(&path, None), Err(KeyFileError::NoKey { .. })), "{content}");
        }
        assert!(matches!(read(dir.path(), None), Err(KeyFileError::NoKey { .. })));
    }
}

//! Where the data lives: a directory of this machine, or memory.
//!
//! A directory belongs to one process at a time and says which release wrote it:
//!
//! ```text
//! DIR/LOCK      held with flock while a server runs
//! DIR/FORMAT    the data format's number
//! DIR/store/    every stored object; all of them sealed
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::own_directory::OwnDirectory;
use object_store::ObjectStore;
use object_store::memory::InMemory;
use rustix::fs::{FlockOperation, flock};

use super::doors::Doors;
use super::error::StorageError;

/// What the setting `data` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DataSetting {
    /// `memory:`: nothing survives the process.
    Memory,
    /// A directory.
    Directory(PathBuf),
}

impl std::str::FromStr for DataSetting {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(if text == "memory:" { Self::Memory } else { Self::Directory(PathBuf::from(text)) })
    }
}

impl std::fmt::Display for DataSetting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Memory => f.write_str("memory:"),
            Self::Directory(path) => write!(f, "{}", path.display()),
        }
    }
}

/// The opened place; as long as it lives no other process can open it.
pub struct Place {
    /// The store of sealed objects, not sealing yet.
    pub store: Arc<dyn ObjectStore>,
    /// Time and chance for the databases kept here.
    pub doors: Doors,
    root: Option<PathBuf>,
    // The same store as the directory it is.
    own: Option<Arc<OwnDirectory>>,
    _locks: Vec<File>,
}

/// Why a place cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Another server has it.
    #[error(
        "the data directory `{0}` is in use by another process; stop that one, or choose another with --data"
    )]
    InUse(PathBuf),
    /// Written by a release this one does not understand.
    #[error(
        "another release wrote the data directory `{path}`: it has format {found}, and this release reads and writes \
         format {FORMAT}; run the release that wrote it, or give this one a new directory with --data and copy the \
         tables over"
    )]
    Format {
        /// The directory.
        path: PathBuf,
        /// What its FORMAT file says.
        found: String,
    },
    /// The data is there, and what says how to read it is not.
    #[error(
        "the data directory `{0}` holds data but its file FORMAT is missing; restore it from a backup of this directory"
    )]
    FormatMissing(PathBuf),
    /// What says how to read the data is there, and the data is not.
    #[error(
        "the folder `store` of the data directory `{0}` is missing: put it back, or restore the whole directory from one \
         backup"
    )]
    StoreMissing(PathBuf),
    /// The directory holds something else.
    #[error(
        "`{0}` is not empty and not a Strongroom data directory; choose an empty or new directory with --data"
    )]
    Foreign(PathBuf),
    /// There is nothing to open.
    #[error("there is no Strongroom data directory at `{0}`")]
    Missing(PathBuf),
    /// The operating system refuses.
    #[error("cannot use the data directory `{path}`: {source}")]
    Io {
        /// The directory.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
}

/// The data format this release writes and reads: a new number for every change of what is stored that releases with
/// the old one do not read, or that does not read what they wrote.
const FORMAT: &str = "2";

impl Place {
    /// Opens the place, creating an empty directory where there is none.
    pub fn open(setting: &DataSetting) -> Result<Self, PlaceError> {
        match setting {
            DataSetting::Memory => Ok(Self::over(Arc::new(InMemory::new()), Doors::default())),
            DataSetting::Directory(path) => Self::open_directory(path),
        }
    }

    /// A place over a store of the caller's, which holds sealed objects only and belongs to this process alone.
    pub fn over(store: Arc<dyn ObjectStore>, doors: Doors) -> Self {
        Self { store, doors, root: None, own: None, _locks: Vec::new() }
    }

    /// Opens a directory that must exist already, to read it only: not a byte of it changes.
    pub fn open_unchanged(path: &Path) -> Result<Self, PlaceError> {
        let io_error = |source| PlaceError::Io { path: path.to_owned(), source };
        let found = match fs::read_to_string(path.join("FORMAT")) {
            Ok(found) => found,
            Err(error) if error.kind() == io::ErrorKind::NotFound && path.join("store").exists() => {
                return Err(PlaceError::FormatMissing(path.to_owned()));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(PlaceError::Missing(path.to_owned()));
            }
            Err(error) => return Err(io_error(error)),
        };
        // A copy may lack the lock's file; a server makes it before it opens anything else.
        let lock = match File::open(path.join("LOCK")) {
            Ok(lock) => Some(lock),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(io_error(error)),
        };
        if let Some(lock) = &lock {
            take_lock(lock, path)?;
        }
        check_format(&found, path)?;
        if !path.join("store").exists() {
            return Err(PlaceError::StoreMissing(path.to_owned()));
        }
        let own = OwnDirectory::open(path.join("store")).map_err(io_error)?;
        Ok(Self::of_directory(own, path, lock.into_iter().collect()))
    }

    /// The directory, or `None` in memory.
    pub fn directory(&self) -> Option<&Path> {
        self.root.as_deref()
    }

    /// Makes sure that objects below `prefix/folder` survive a crash of the machine.
    pub fn create_folders(&self, prefix: &str, folders: &[&str]) -> io::Result<()> {
        self.own.as_ref().map_or(Ok(()), |own| own.make_folders(prefix, folders))
    }

    /// Makes what is missing of `folders` in the folder `prefix`, which must be there, before a database is opened in it.
    pub fn mend_folders(&self, prefix: &str, folders: &[&str]) -> io::Result<()> {
        self.own.as_ref().map_or(Ok(()), |own| own.mend_folders(prefix, folders))
    }

    /// Whether there is a folder of this name; always where there are no folders.
    pub fn has_folder(&self, folder: &str) -> bool {
        self.own.as_ref().is_none_or(|own| own.has_folder(folder))
    }

    /// Looks for what lies in `folder`, or in a folder of it, under the name of an object and is no file. The local store
    /// does not list it, and can neither read nor write what should be in its place.
    pub fn check_folder(&self, folder: &str) -> Result<(), StorageError> {
        let Some(own) = &self.own else { return Ok(()) };
        let found = own.no_file_for_object(folder);
        match found.map_err(|error| StorageError::Unavailable(error.to_string()))? {
            Some(path) => Err(StorageError::Damaged(format!(
                "`{path}` is a folder, or a link that leads nowhere, and an object should be there; move it away, and restore the \
                 object from a backup if there was one"
            ))),
            None => Ok(()),
        }
    }

    /// Removes what is left of a folder whose objects are deleted.
    pub fn remove_folder(&self, prefix: &str) -> io::Result<()> {
        self.own.as_ref().map_or(Ok(()), |own| own.remove_folder(prefix))
    }

    fn open_directory(path: &Path) -> Result<Self, PlaceError> {
        let io_error = |source| PlaceError::Io { path: path.to_owned(), source };
        fs::create_dir_all(path).map_err(io_error)?;
        let lock_path = path.join("LOCK");
        let format_path = path.join("FORMAT");
        let empty = fs::read_dir(path).map_err(io_error)?.next().is_none();
        if !empty && !lock_path.exists() && !format_path.exists() {
            return Err(PlaceError::Foreign(path.to_owned()));
        }
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path).map_err(io_error)?;
        take_lock(&lock, path)?;
        // The file could be deleted, and a second one locked. (Not every file system locks directories.)
        let itself = File::open(path).map_err(io_error)?;
        if let Err(error @ PlaceError::InUse(_)) = take_lock(&itself, path) {
            return Err(error);
        }
        let store_root = path.join("store");
        match fs::read_to_string(&format_path) {
            Ok(found) => check_format(&found, path)?,
            // The first start writes it before anything is stored.
            Err(error)
                if error.kind() == io::ErrorKind::NotFound && !is_empty(&store_root).map_err(io_error)? =>
            {
                return Err(PlaceError::FormatMissing(path.to_owned()));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(&store_root).map_err(io_error)?;
                sync_directory(path).map_err(io_error)?;
                write_durably(&format_path, FORMAT.as_bytes()).map_err(io_error)?;
            }
            Err(error) => return Err(io_error(error)),
        }
        // The first start makes it before that file: it is gone, and none is started anew in its place.
        if !store_root.exists() {
            return Err(PlaceError::StoreMissing(path.to_owned()));
        }
        sync_directory(path).map_err(io_error)?;
        if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            sync_directory(parent).map_err(io_error)?;
        }
        remove_unfinished(&store_root).map_err(io_error)?;
        let own = OwnDirectory::open(store_root).map_err(io_error)?;
        Ok(Self::of_directory(own, path, vec![lock, itself]))
    }

    fn of_directory(own: OwnDirectory, path: &Path, locks: Vec<File>) -> Self {
        let own = Arc::new(own);
        Self {
            store: Arc::clone(&own) as Arc<dyn ObjectStore>,
            doors: Doors::default(),
            root: Some(path.to_owned()),
            own: Some(own),
            _locks: locks,
        }
    }
}

fn take_lock(lock: &File, path: &Path) -> Result<(), PlaceError> {
    flock(lock, FlockOperation::NonBlockingLockExclusive).map_err(|error| {
        if error == rustix::io::Errno::WOULDBLOCK {
            PlaceError::InUse(path.to_owned())
        } else {
            PlaceError::Io { path: path.to_owned(), source: error.into() }
        }
    })
}

fn check_format(found: &str, path: &Path) -> Result<(), PlaceError> {
    if found.trim() == FORMAT {
        return Ok(());
    }
    Err(PlaceError::Format { path: path.to_owned(), found: found.trim().to_owned() })
}

// All of it or nothing: a full disk, or a start that is cut short, must not leave a file without content.
fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(new, path)
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

// Whether a folder holds nothing, or is not there.
fn is_empty(folder: &Path) -> io::Result<bool> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

// The local store writes to `name#N` and then links it to `name`; a crash leaves the former.
fn remove_unfinished(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if entry.file_type()?.is_dir() {
            remove_unfinished(&entry.path())?;
        } else if let Some((_, number)) = name.to_string_lossy().rsplit_once('#')
            && number.bytes().all(|byte| byte.is_ascii_digit())
        {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn one_process_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let setting = DataSetting::Directory(folder.path().join("data"));
        let first = Place::open(&setting).unwrap();
        assert!(matches!(Place::open(&setting), Err(PlaceError::InUse(_))));
        fs::remove_file(folder.path().join("data/LOCK")).unwrap();
        assert!(matches!(Place::open(&setting), Err(PlaceError::InUse(_))));
        drop(first);
        Place::open(&setting).unwrap();
    }

    /// Whoever looks at a directory must neither mend nor spoil it, and not while a server has it.
    #[test]
    fn a_directory_that_is_only_read_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        assert!(matches!(Place::open_unchanged(&data), Err(PlaceError::Missing(_))));
        assert!(!data.exists());
        let serving = Place::open(&DataSetting::Directory(data.clone())).unwrap();
        fs::write(data.join("store/torn#1"), "torn").unwrap();
        assert!(matches!(Place::open_unchanged(&data), Err(PlaceError::InUse(_))));
        drop(serving);
        let reading = Place::open_unchanged(&data).unwrap();
        assert!(data.join("store/torn#1").exists());
        assert!(matches!(Place::open(&DataSetting::Directory(data)), Err(PlaceError::InUse(_))));
        drop(reading);
    }

    #[test]
    fn a_foreign_directory_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.txt"), "years of work").unwrap();
        let setting = DataSetting::Directory(folder.path().to_owned());
        assert!(matches!(Place::open(&setting), Err(PlaceError::Foreign(_))));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn data_without_a_format_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        drop(Place::open(&DataSetting::Directory(data.clone())).unwrap());
        fs::create_dir(data.join("store/root")).unwrap();
        fs::remove_file(data.join("FORMAT")).unwrap();
        let opened = Place::open(&DataSetting::Directory(data.clone()));
        assert!(matches!(opened, Err(PlaceError::FormatMissing(_))));
        assert!(matches!(Place::open_unchanged(&data), Err(PlaceError::FormatMissing(_))));
        assert!(!data.join("FORMAT").exists());
    }

    #[test]
    fn a_lost_store_is_refused_and_not_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        drop(Place::open(&DataSetting::Directory(data.clone())).unwrap());
        fs::remove_dir(data.join("store")).unwrap();
        let opened = Place::open(&DataSetting::Directory(data.clone()));
        assert!(matches!(opened, Err(PlaceError::StoreMissing(_))));
        assert!(matches!(Place::open_unchanged(&data), Err(PlaceError::StoreMissing(_))));
        assert!(!data.join("store").exists());
    }

    /// The steps of a first start: lock, `store`, FORMAT.
    #[test]
    fn a_first_start_that_was_cut_short_is_carried_on() {
        for made in [&["LOCK"][..], &["LOCK", "store"], &["LOCK", "store", "FORMAT.new"]] {
            let folder = tempfile::tempdir().unwrap();
            for name in made {
                match *name {
                    "store" => fs::create_dir(folder.path().join(name)).unwrap(),
                    _ => fs::write(folder.path().join(name), "").unwrap(),
                }
            }
            let place = Place::open(&DataSetting::Directory(folder.path().to_owned()));
            assert!(place.is_ok(), "{made:?}: {:?}", place.err());
            assert_eq!(fs::read_to_string(folder.path().join("FORMAT")).unwrap(), FORMAT);
        }
    }

    #[test]
    fn another_format_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for other in ["1", "99"] {
            fs::write(folder.path().join("FORMAT"), other).unwrap();
            let setting = DataSetting::Directory(folder.path().to_owned());
            let refused = [Place::open(&setting).err(), Place::open_unchanged(folder.path()).err()];
            for error in refused {
                let text = error.unwrap().to_string();
                assert!(
                    text.contains("another release") && text.contains(&format!("format {other}")),
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn leftovers_of_interrupted_writes_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let setting = DataSetting::Directory(folder.path().to_owned());
        drop(Place::open(&setting).unwrap());
        let wal = folder.path().join("store/tables/1/wal");
        fs::create_dir_all(&wal).unwrap();
        fs::write(wal.join("00001.sst"), "kept").unwrap();
        fs::write(wal.join("00002.sst#1"), "torn").unwrap();
        drop(Place::open(&setting).unwrap());
        assert!(wal.join("00001.sst").exists());
        assert!(!wal.join("00002.sst#1").exists());
    }
}

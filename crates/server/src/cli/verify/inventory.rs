//! What lies in a data directory, by the names alone.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

/// Every file of a data directory.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    /// The root key's objects: number and size.
    pub root: Vec<Stored>,
    /// The anchors of the system store.
    pub anchors: Vec<Stored>,
    /// The objects of each store by its folder: `system` or `tables/<id>`.
    pub stores: BTreeMap<String, Vec<Stored>>,
    /// Torn writes, which the server removes when it starts.
    pub unfinished: Vec<String>,
    /// Files that Strongroom does not write.
    pub foreign: Vec<String>,
}

/// One file below `store`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    /// Its path below `store`, with `/`.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// What its name says it is.
    pub kind: Kind,
}

/// What the name of an object says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A version of a keyring, of the root key, or of the anchor.
    Keys(u64),
    /// An object of the write-ahead log.
    Log(u64),
    /// A sorted run.
    SortedRun,
    /// A manifest.
    Manifest(u64),
    /// The state of compaction.
    Compactions,
    /// The material of a KMS key.
    Material,
}

impl Inventory {
    /// Reads the names and sizes of all files of the data directory `root`.
    pub(super) fn of(root: &Path) -> io::Result<Self> {
        let mut inventory = Self::default();
        for entry in fs::read_dir(root)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            match name.as_str() {
                "FORMAT" | "LOCK" | "tls" => {}
                "store" => inventory.walk(&entry.path(), "")?,
                _ => inventory.foreign.push(name),
            }
        }
        for stored in inventory.stores.values_mut().chain([&mut inventory.root, &mut inventory.anchors]) {
            stored.sort_by(|a, b| a.path.cmp(&b.path));
        }
        Ok(inventory)
    }

    fn walk(&mut self, folder: &Path, prefix: &str) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let file_type = entry.file_type()?;
            if file_type.is_dir() {
                if let Some(folder) = store_folder(&path) {
                    self.stores.entry(folder.to_owned()).or_default();
                }
                self.walk(&entry.path(), &format!("{path}/"))?;
            } else if file_type.is_file() {
                self.add(path, entry.metadata()?.len());
            } else {
                self.foreign.push(format!("store/{path}"));
            }
        }
        Ok(())
    }

    fn add(&mut self, path: String, bytes: u64) {
        let is_unfinished = path.rsplit_once('#').is_some_and(|(_, number)| {
            !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
        });
        if is_unfinished {
            self.unfinished.push(format!("store/{path}"));
            return;
        }
        if let Some(version) = path.strip_prefix("root/").and_then(number) {
            self.root.push(Stored { path, bytes, kind: Kind::Keys(version) });
            return;
        }
        if let Some(version) = path.strip_prefix("anchor/").and_then(number) {
            self.anchors.push(Stored { path, bytes, kind: Kind::Keys(version) });
            return;
        }
        let known = store_folder(&path)
            .and_then(|folder| Some((folder.to_owned(), kind(path.strip_prefix(folder)?)?)));
        match known {
            Some((folder, kind)) => {
                self.stores.entry(folder).or_default().push(Stored { path, bytes, kind });
            }
            None => self.foreign.push(format!("store/{path}")),
        }
    }
}

// The store that a path lies in: `system/wal/1.sst` is in `system`.
fn store_folder(path: &str) -> Option<&str> {
    let parts = if path.starts_with("tables/") { 2 } else { 1 };
    let end = path.match_indices('/').nth(parts - 1).map_or(path.len(), |(at, _)| at);
    let folder = &path[..end];
    (folder == "system" || folder.starts_with("tables/")).then_some(folder)
}

fn kind(path_in_store: &str) -> Option<Kind> {
    let (folder, name) = path_in_store.strip_prefix('/')?.split_once('/')?;
    match folder {
        "keyring" => number(name).map(Kind::Keys),
        "wal" => number(name.strip_suffix(".sst")?).map(Kind::Log),
        "manifest" => number(name.strip_suffix(".manifest")?).map(Kind::Manifest),
        "compactions" => number(name.strip_suffix(".compactions")?).map(|_| Kind::Compactions),
        "materials" => {
            let is_id = name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_id.then_some(Kind::Material)
        }
        "compacted" => {
            let ulid = name.strip_suffix(".sst")?;
            (ulid.len() == 26 && ulid.bytes().all(|byte| byte.is_ascii_alphanumeric()))
                .then_some(Kind::SortedRun)
        }
        _ => None,
    }
}

// Twenty digits.
fn number(name: &str) -> Option<u64> {
    (name.len() == 20 && name.bytes().all(|byte| byte.is_ascii_digit())).then(|| name.parse().ok())?
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn names_say_what_an_object_is() {
        let cases = [
            ("/keyring/00000000000000000002", Some(Kind::Keys(2))),
            ("/wal/00000000000000000017.sst", Some(Kind::Log(17))),
            ("/manifest/00000000000000000003.manifest", Some(Kind::Manifest(3))),
            ("/compactions/00000000000000000003.compactions", Some(Kind::Compactions)),
            ("/compacted/01ARZ3NDEKTSV4RRFFQ69G5FAV.sst", Some(Kind::SortedRun)),
            ("/wal/17.sst", None),
            ("/wal/0000000000000000001x.sst", None),
            ("/wal/00000000000000000017.sst.bak", None),
            ("/compacted/deeper/01ARZ3NDEKTSV4RRFFQ69G5FAV.sst", None),
            ("/notes.txt", None),
            ("", None),
        ];
        for (path, expected) in cases {
            assert_eq!(kind(path), expected, "{path}");
        }
    }

    #[test]
    fn every_file_is_accounted_for() {
        let folder = tempfile::tempdir().unwrap();
        let files = [
            "FORMAT",
            "LOCK",
            "tls/key.pem",
            "notes.txt",
            "store/root/00000000000000000001",
            "store/anchor/00000000000000000004",
            "store/anchor/4",
            "store/system/wal/00000000000000000001.sst",
            "store/tables/a-b/keyring/00000000000000000001",
            "store/tables/a-b/wal/00000000000000000002.sst#1",
            "store/tables/a-b/photo.jpg",
            "store/other",
        ];
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "12345").unwrap();
        }
        fs::create_dir_all(folder.path().join("store/tables/empty/wal")).unwrap();
        let inventory = Inventory::of(folder.path()).unwrap();
        assert_eq!((inventory.root.len(), inventory.anchors.len()), (1, 1));
        assert_eq!(inventory.stores.keys().collect::<Vec<_>>(), ["system", "tables/a-b", "tables/empty"]);
        assert_eq!(inventory.stores["tables/a-b"][0].kind, Kind::Keys(1));
        assert_eq!(inventory.stores["system"][0].bytes, 5);
        assert_eq!(inventory.unfinished, ["store/tables/a-b/wal/00000000000000000002.sst#1"]);
        let mut foreign = inventory.foreign.clone();
        foreign.sort();
        assert_eq!(foreign, ["notes.txt", "store/anchor/4", "store/other", "store/tables/a-b/photo.jpg"]);
    }
}

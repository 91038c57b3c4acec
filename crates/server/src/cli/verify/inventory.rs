//! What lies in a data directory, by the names alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::{fs, io};

pub(super) use crate::storage::names::Kind;
use crate::storage::names::{is_folder, kind, store_folder};

/// Every file of a data directory.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    /// The root key's objects: number and size.
    pub root: Vec<Stored>,
    /// The anchors of the system store.
    pub anchors: Vec<Stored>,
    /// The objects of each store by its folder: `system` or `tables/<id>`.
    pub stores: BTreeMap<String, Vec<Stored>>,
    /// The folders that objects or stores lie in.
    pub folders: BTreeSet<String>,
    /// What has the name of an object and is no file: folders, links that lead nowhere.
    pub in_place_of_objects: Vec<String>,
    /// Torn writes, which the server removes when it starts.
    pub unfinished: Vec<String>,
    /// Files and folders that Strongroom does not write.
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
            // As the server does, it follows links: a part of the data may lie on another disk.
            let metadata = match fs::metadata(entry.path()) {
                Err(_) if entry.file_type()?.is_symlink() => fs::symlink_metadata(entry.path())?,
                metadata => metadata?,
            };
            if metadata.is_dir() && is_folder(&path) {
                if store_folder(&path) == Some(&path) {
                    self.stores.entry(path.clone()).or_default();
                }
                self.walk(&entry.path(), &format!("{path}/"))?;
                self.folders.insert(path);
            } else if metadata.is_file() {
                self.add(path, metadata.len());
            } else if kind(&path).is_some() {
                self.in_place_of_objects.push(path);
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
        let Some(kind) = kind(&path) else {
            self.foreign.push(format!("store/{path}"));
            return;
        };
        let among = match store_folder(&path) {
            Some(folder) => self.stores.entry(folder.to_owned()).or_default(),
            None if path.starts_with("anchor/") => &mut self.anchors,
            None => &mut self.root,
        };
        among.push(Stored { path, bytes, kind });
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

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
            "store/tables/a-b/photos/1.jpg",
            "store/other",
            "elsewhere/00000000000000000003.manifest",
        ];
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "12345").unwrap();
        }
        for made in ["store/tables/empty/wal", "store/system/wal/00000000000000000002.sst"] {
            fs::create_dir_all(folder.path().join(made)).unwrap();
        }
        let link = |to: &str, from: &str| {
            std::os::unix::fs::symlink(folder.path().join(to), folder.path().join(from)).unwrap();
        };
        link("elsewhere", "store/system/manifest");
        link("nowhere", "store/system/compacted");
        link("nowhere", "store/anchor/00000000000000000005");
        let mut inventory = Inventory::of(folder.path()).unwrap();
        assert_eq!((inventory.root.len(), inventory.anchors.len()), (1, 1));
        assert_eq!(inventory.stores.keys().collect::<Vec<_>>(), ["system", "tables/a-b", "tables/empty"]);
        assert_eq!(inventory.stores["tables/a-b"][0].kind, Kind::Keys(1));
        assert_eq!(
            inventory.stores["system"].iter().map(|stored| stored.kind).collect::<Vec<_>>(),
            [Kind::Manifest(3), Kind::Log(1)]
        );
        assert_eq!(inventory.stores["system"][1].bytes, 5);
        assert!(inventory.folders.contains("tables/empty/wal"));
        inventory.in_place_of_objects.sort();
        assert_eq!(
            inventory.in_place_of_objects,
            ["anchor/00000000000000000005", "system/wal/00000000000000000002.sst"]
        );
        assert_eq!(inventory.unfinished, ["store/tables/a-b/wal/00000000000000000002.sst#1"]);
        let mut foreign = inventory.foreign.clone();
        foreign.sort();
        assert_eq!(
            foreign,
            [
                "elsewhere",
                "notes.txt",
                "store/anchor/4",
                "store/other",
                "store/system/compacted",
                "store/tables/a-b/photo.jpg",
                "store/tables/a-b/photos"
            ]
        );
    }
}

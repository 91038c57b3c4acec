//! What the name of a file in the data directory's `store` says that it is.
//!
//! ```text
//! root/<version>                       the root key
//! anchor/<version>                     the anchor of the system store
//! system/..., tables/<id>/...          a store:
//!     keyring/<version>
//!     wal/<number>.sst
//!     manifest/<number>.manifest
//!     compacted/<ulid>.sst
//!     compactions/<number>.compactions
//!     materials/<id>                   the system store's
//! ```
//!
//! Whatever has another name was put there by somebody else, or by the operating system: it is nobody's data.

/// What the name of an object says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
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

/// What `path`, which lies below `store`, says that it is; `None` if it is none of ours.
pub fn kind(path: &str) -> Option<Kind> {
    if let Some(version) = path.strip_prefix("root/").or_else(|| path.strip_prefix("anchor/")) {
        return number(version).map(Kind::Keys);
    }
    kind_in_store(path.strip_prefix(store_folder(path)?)?)
}

/// The store that a path lies in: `system/wal/1.sst` is in `system`.
pub fn store_folder(path: &str) -> Option<&str> {
    let parts = if path.starts_with("tables/") { 2 } else { 1 };
    let end = path.match_indices('/').nth(parts - 1).map_or(path.len(), |(at, _)| at);
    let folder = &path[..end];
    (folder == "system" || folder.starts_with("tables/")).then_some(folder)
}

/// Whether `path`, which lies below `store`, is the name of a folder that objects or stores lie in.
pub fn is_folder(path: &str) -> bool {
    if matches!(path, "root" | "anchor" | "tables") {
        return true;
    }
    let in_store = store_folder(path).and_then(|folder| path.strip_prefix(folder));
    in_store.is_some_and(|rest| {
        matches!(rest, "" | "/keyring" | "/wal" | "/manifest" | "/compacted" | "/compactions" | "/materials")
    })
}

fn kind_in_store(path: &str) -> Option<Kind> {
    let (folder, name) = path.strip_prefix('/')?.split_once('/')?;
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
    use super::*;

    #[test]
    fn names_say_what_an_object_is() {
        let cases = [
            ("root/00000000000000000001", Some(Kind::Keys(1))),
            ("anchor/00000000000000000004", Some(Kind::Keys(4))),
            ("anchor/4", None),
            ("system/keyring/00000000000000000002", Some(Kind::Keys(2))),
            ("system/wal/00000000000000000017.sst", Some(Kind::Log(17))),
            ("tables/a-b/manifest/00000000000000000003.manifest", Some(Kind::Manifest(3))),
            ("tables/a-b/compactions/00000000000000000003.compactions", Some(Kind::Compactions)),
            ("system/compacted/01ARZ3NDEKTSV4RRFFQ69G5FAV.sst", Some(Kind::SortedRun)),
            ("system/wal/17.sst", None),
            ("system/wal/0000000000000000001x.sst", None),
            ("system/wal/00000000000000000017.sst.bak", None),
            ("system/compacted/deeper/01ARZ3NDEKTSV4RRFFQ69G5FAV.sst", None),
            ("system/notes.txt", None),
            ("system", None),
            ("wal/00000000000000000017.sst", None),
            ("", None),
        ];
        for (path, expected) in cases {
            assert_eq!(kind(path), expected, "{path}");
        }
    }

    #[test]
    fn folders_are_known() {
        for folder in
            ["root", "anchor", "system", "tables", "tables/a-b", "system/wal", "tables/a-b/compacted"]
        {
            assert!(is_folder(folder), "{folder}");
        }
        for other in ["", "wal", "system/photos", "system/wal/00000000000000000017.sst", "tables/a-b/wal/wal"]
        {
            assert!(!is_folder(other), "{other}");
        }
    }
}

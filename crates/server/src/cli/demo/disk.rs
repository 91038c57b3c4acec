//! The search of the disk: are these bytes anywhere below a folder?

use std::path::{Path, PathBuf};
use std::{fs, io};

/// What a search has looked at and found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Search {
    /// Files read, from their first byte to their last.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Where something was found: the file, and what.
    pub found: Vec<(PathBuf, String)>,
}

/// Reads every file below `folder` and looks for each of `needles`, in the content and in the file's name.
pub(super) fn search(folder: &Path, needles: &[&str]) -> io::Result<Search> {
    let mut result = Search::default();
    search_into(folder, needles, &mut result)?;
    Ok(result)
}

fn search_into(folder: &Path, needles: &[&str], result: &mut Search) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let name = entry.file_name();
        for needle in needles.iter().filter(|needle| contains(name.as_encoded_bytes(), needle.as_bytes())) {
            result.found.push((path.clone(), (*needle).to_owned()));
        }
        if entry.file_type()?.is_dir() {
            search_into(&path, needles, result)?;
            continue;
        }
        let content = fs::read(&path)?;
        result.files += 1;
        result.bytes += content.len() as u64;
        for needle in needles.iter().filter(|needle| contains(&content, needle.as_bytes())) {
            result.found.push((path.clone(), (*needle).to_owned()));
        }
    }
    Ok(())
}

fn contains(content: &[u8], needle: &[u8]) -> bool {
    !needle.is_empty() && content.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn what_is_there_is_found_wherever_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("a/Books-table");
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join("1.sst"), b"\0\xffDune").unwrap();
        fs::write(folder.path().join("empty"), b"").unwrap();
        let result = search(folder.path(), &["Dune", "Books", "Herbert", "DUNE"]).unwrap();
        assert_eq!((result.files, result.bytes), (2, 6));
        let mut found: Vec<&str> = result.found.iter().map(|(_, needle)| needle.as_str()).collect();
        found.sort_unstable();
        assert_eq!(found, ["Books", "Dune"]);
    }
}

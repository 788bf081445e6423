//! Checks that a run never writes to its sources.

use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Snapshot of the files that a run reads. Dropping it after the run checks that none has changed and
/// that no file was added.
#[derive(Debug)]
pub struct Sources {
    folder: PathBuf,
    before: BTreeMap<PathBuf, Found>,
}

#[derive(Debug, PartialEq, Eq)]
struct Found {
    modified: SystemTime,
    content: Content,
}

#[derive(Debug, PartialEq, Eq)]
enum Content {
    Folder,
    Link(PathBuf),
    /// SHA-256; `None` if unreadable.
    File(Option<Vec<u8>>),
}

impl Sources {
    /// Watches everything under `folder` except `out` and hidden files.
    pub fn watch(folder: &Path) -> Self {
        let mut before = BTreeMap::new();
        snapshot(folder, &mut before);
        Self {
            folder: folder.to_owned(),
            before,
        }
    }
}

impl Drop for Sources {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let mut after = BTreeMap::new();
        snapshot(&self.folder, &mut after);
        for (path, found) in &self.before {
            let now = after.remove(path);
            assert_eq!(now.as_ref(), Some(found), "{}", path.display());
        }
        assert!(after.is_empty(), "left beside the sources: {after:?}");
    }
}

fn snapshot(folder: &Path, found: &mut BTreeMap<PathBuf, Found>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let entry = entry.unwrap();
        let (path, name) = (entry.path(), entry.file_name());
        if name == "out" || name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let metadata = entry.metadata().unwrap();
        if metadata.is_dir() {
            snapshot(&path, found);
        }
        let content = if metadata.is_dir() {
            Content::Folder
        } else if metadata.is_symlink() {
            Content::Link(std::fs::read_link(&path).unwrap())
        } else {
            let bytes = std::fs::read(&path).ok();
            Content::File(bytes.map(|bytes| Sha256::digest(bytes).to_vec()))
        };
        let modified = metadata.modified().unwrap();
        found.insert(path, Found { modified, content });
    }
}

//! Walks the files in a folder and its subfolders, sorted by name. Skips hidden ones and what this
//! program wrote, follows links, and enters each folder once, so that cyclic links end.

use super::reading::{RowEvent, absolute, cannot_open, cannot_read};
use crate::error::Result;
use crate::outdir::{is_outdir, is_own_file, is_own_folder};
use crate::platform::{FileId, file_id, is_same};
use crate::text::{count, plural, said};
use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// A file found by a [`Walk`].
#[derive(Debug)]
pub struct WalkedFile {
    pub path: PathBuf,
    /// Path relative to the folder where the walk started.
    pub relative: PathBuf,
}

#[derive(Debug)]
pub struct Walk {
    root: PathBuf,
    /// The remaining names of each open folder, in reverse order.
    open: Vec<(PathBuf, Vec<OsString>)>,
    /// Folders entered so far.
    entered: HashSet<FileId>,
    /// The folder that the run writes to.
    outdir: Option<PathBuf>,
    /// Whether the folder is an outdir itself, so that only our files in it are skipped.
    is_outdir: bool,
    skipped: Vec<PathBuf>,
}

/// The number of skipped paths that a message names.
const MAX_NAMED: usize = 3;

impl Walk {
    /// Starts a walk that leaves out `outdir`.
    pub fn new(folder: &Path, outdir: Option<&Path>) -> Result<Self> {
        let metadata = fs::metadata(folder).map_err(|error| cannot_open(folder, &error))?;
        // Fails if it is not a folder.
        let names = names(folder).map_err(|error| cannot_open(folder, &error))?;
        Ok(Self {
            root: absolute(folder)?,
            open: vec![(PathBuf::new(), names)],
            entered: file_id(&metadata).into_iter().collect(),
            is_outdir: outdir.is_some_and(|outdir| is_same(folder, outdir)) || is_outdir(folder),
            outdir: outdir.map(Path::to_owned),
            skipped: Vec::new(),
        })
    }

    /// The paths skipped so far because this program wrote them: outdirs, exports and files.
    pub fn skipped(&self) -> &[PathBuf] {
        &self.skipped
    }

    fn is_own_folder(&self, folder: &Path) -> bool {
        let outdir = self.outdir.as_deref();
        outdir.is_some_and(|outdir| is_same(folder, outdir)) || is_own_folder(folder)
    }

    fn step(&mut self) -> Option<Result<WalkedFile>> {
        loop {
            let (relative, names) = self.open.last_mut()?;
            let Some(name) = names.pop() else {
                self.open.pop();
                continue;
            };
            let relative = relative.join(name);
            let path = self.root.join(&relative);
            // A dangling link is reported as a file; its image is missing.
            let Ok(metadata) = fs::metadata(&path) else {
                return Some(Ok(WalkedFile { path, relative }));
            };
            if !metadata.is_dir() {
                let is_at_root = self.is_outdir && self.open.len() == 1;
                if is_at_root && relative.to_str().is_some_and(is_own_file) {
                    self.skipped.push(relative);
                    continue;
                }
                return Some(Ok(WalkedFile { path, relative }));
            }
            if file_id(&metadata).is_some_and(|id| !self.entered.insert(id)) {
                continue;
            }
            if self.is_own_folder(&path) {
                self.skipped.push(relative);
                continue;
            }
            match self::names(&path) {
                Ok(names) => self.open.push((relative, names)),
                Err(error) => return Some(Err(cannot_read(&path, error))),
            }
        }
    }
}

impl Iterator for Walk {
    type Item = Result<WalkedFile>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step()
    }
}

/// A warning that names what a scan of `root` has skipped; `None` if that is nothing.
pub fn skipped_warning(root: &Path, skipped: &[PathBuf]) -> Option<RowEvent> {
    let named = skipped.iter().take(MAX_NAMED);
    let named: Vec<String> = named.map(|path| path.display().to_string()).collect();
    let named = named.join(", ");
    let root = root.display();
    let warning = match skipped.len().checked_sub(MAX_NAMED) {
        _ if skipped.is_empty() => return None,
        None | Some(0) => said!(
            "{root}: skipped {named}, written by labeler-tui",
            "{root}: labeler-tui가 쓴 {named}{을} 읽지 않습니다"
        ),
        Some(more) => {
            let (others, n) = (plural(more, "more path"), count(more as u64));
            said!(
                "{root}: skipped {named} and {others}, written by labeler-tui",
                "{root}: labeler-tui가 쓴 {named} 밖에 {n}개를 읽지 않습니다"
            )
        }
    };
    Some(RowEvent::Warning(warning))
}

/// Names in a folder that are not hidden, in reverse order.
fn names(folder: &Path) -> std::io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        if !name.as_encoded_bytes().starts_with(b".") {
            names.push(name);
        }
    }
    names.sort_unstable_by(|a, b| b.cmp(a));
    Ok(names)
}

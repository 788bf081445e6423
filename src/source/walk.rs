//! Walks the files in a folder and its subfolders, sorted by name. Skips hidden ones, follows links,
//! and enters each folder once, so that cyclic links end.

use super::reading::{absolute, cannot_open, cannot_read};
use crate::error::Result;
use crate::platform::{FileId, file_id};
use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// A file found by a [`Walk`].
#[derive(Debug)]
pub struct Found {
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
}

impl Walk {
    pub fn new(folder: &Path) -> Result<Self> {
        let metadata = fs::metadata(folder).map_err(|error| cannot_open(folder, &error))?;
        // Fails if it is not a folder.
        let names = names(folder).map_err(|error| cannot_open(folder, &error))?;
        Ok(Self {
            root: absolute(folder)?,
            open: vec![(PathBuf::new(), names)],
            entered: file_id(&metadata).into_iter().collect(),
        })
    }

    fn step(&mut self) -> Option<Result<Found>> {
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
                return Some(Ok(Found { path, relative }));
            };
            if !metadata.is_dir() {
                return Some(Ok(Found { path, relative }));
            }
            if file_id(&metadata).is_some_and(|id| !self.entered.insert(id)) {
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
    type Item = Result<Found>;

    fn next(&mut self) -> Option<Self::Item> {
        self.step()
    }
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

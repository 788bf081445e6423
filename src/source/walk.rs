//! The files in a folder and its folders, in the order of their names. Hidden ones are left out,
//! links are followed, and no folder is entered twice, so that a circle of links ends.

use super::reading::{absolute, cannot_open, cannot_read};
use crate::error::Result;
use crate::platform::{FileId, file_id};
use std::collections::HashSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// A file that was found.
#[derive(Debug)]
pub struct Found {
    pub path: PathBuf,
    /// From the folder where the walk began.
    pub inside: PathBuf,
}

#[derive(Debug)]
pub struct Walk {
    root: PathBuf,
    /// What is still to be looked at of each folder on the way down, last name first.
    open: Vec<(PathBuf, Vec<OsString>)>,
    /// Folders that were entered.
    entered: HashSet<FileId>,
}

impl Walk {
    pub fn new(folder: &Path) -> Result<Self> {
        let metadata = fs::metadata(folder).map_err(|error| cannot_open(folder, &error))?;
        // Reading it says what it is, where it is no folder.
        let names = names(folder).map_err(|error| cannot_open(folder, &error))?;
        Ok(Self {
            root: absolute(folder)?,
            open: vec![(PathBuf::new(), names)],
            entered: file_id(&metadata).into_iter().collect(),
        })
    }

    fn step(&mut self) -> Option<Result<Found>> {
        loop {
            let (inside, names) = self.open.last_mut()?;
            let Some(name) = names.pop() else {
                self.open.pop();
                continue;
            };
            let inside = inside.join(name);
            let path = self.root.join(&inside);
            // A link that leads nowhere is an image that is missing.
            let Ok(metadata) = fs::metadata(&path) else {
                return Some(Ok(Found { path, inside }));
            };
            if !metadata.is_dir() {
                return Some(Ok(Found { path, inside }));
            }
            if file_id(&metadata).is_some_and(|id| !self.entered.insert(id)) {
                continue;
            }
            match self::names(&path) {
                Ok(names) => self.open.push((inside, names)),
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

/// The names in a folder that are not hidden, the last one first.
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

//! The folder of a dataset. Detects what an earlier export left there, and lets one export at a time
//! write to it.

use super::images::{count_examples, remove_examples};
use super::pending::{PendingFile, PendingFolder, remove_leftovers};
use crate::error::{Context, Error, ErrorKind, Result};
use crate::export::target::Target;
use crate::outdir::{EXPORT_LOCK, EXPORT_STATE, PROGRAM, file_error, is_absent, refuse_irregular};
use crate::store::Lock;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

/// The dataset card.
pub(super) const CARD: &str = "README.md";

#[derive(Debug, Serialize, Deserialize)]
struct State {
    program: String,
    /// Hash of the records and options. Empty while the export is being removed.
    digest: String,
    complete: bool,
    /// Files and folders of the export, except the card.
    files: Vec<String>,
}

impl State {
    /// Whether it is the state of this export.
    fn is_of(&self, digest: &str, parts: &[Part]) -> bool {
        self.digest == digest && self.files == names(parts)
    }
}

/// A file of a dataset, or a folder of examples. Its name is a path in the dataset, with `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub name: String,
    /// Number of files in the folder; `None` for a file.
    examples: Option<usize>,
}

impl Part {
    pub fn file(name: String) -> Self {
        Self {
            name,
            examples: None,
        }
    }

    pub fn folder(name: String, files: usize) -> Self {
        Self {
            name,
            examples: Some(files),
        }
    }
}

#[derive(Debug)]
pub(super) struct Destination {
    root: PathBuf,
}

/// An export that has begun. It alone may write to the folder until it is dropped.
#[derive(Debug)]
pub(super) struct Begun {
    /// How many parts an earlier run of this export has written.
    pub kept: usize,
    _lock: DestinationLock,
}

/// The folder's lock. `None` if its file system has no locks: two exports at once can then make each
/// other fail, but leave no incomplete file under its final name.
#[derive(Debug)]
struct DestinationLock {
    lock: Option<Lock>,
    path: PathBuf,
    /// Folders that did not exist before, the innermost first.
    created: Vec<PathBuf>,
}

impl DestinationLock {
    fn take(root: &Path) -> Result<Self> {
        let is_new = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
        let created = root.ancestors().take_while(is_new).map(Path::to_owned);
        let mut taken = Self {
            lock: None,
            path: root.join(EXPORT_LOCK),
            created: created.collect(),
        };
        fs::create_dir_all(root).map_err(file_error("creating", root))?;
        let instead = "wait until it ends or stop it, or give another --to";
        taken.lock = Lock::take_removable(&taken.path, instead)?;
        Ok(taken)
    }
}

impl Drop for DestinationLock {
    fn drop(&mut self) {
        if self.lock.is_some() {
            // The next export uses a lock file that cannot be removed.
            let _ = fs::remove_file(&self.path);
        }
        for folder in &self.created {
            // Only an empty folder is removed: nothing has been exported to it.
            let _ = fs::remove_dir(folder);
        }
    }
}

impl Destination {
    pub fn at(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
        }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Prepares the folder. It must be new, empty, or have an interrupted run of this export. With
    /// `replace`, another export and a complete one are removed. An error changes nothing.
    pub fn begin(&self, digest: &str, parts: &[Part], replace: bool) -> Result<Begun> {
        self.check(digest, parts, replace)?;
        let lock = DestinationLock::take(&self.root)?;
        // The folder may have changed before it was locked.
        let state = self.check(digest, parts, replace)?;
        let new = parts.iter().map(|part| part.name.as_str());
        let old = state.iter().flat_map(|state| names_inside(&state.files));
        remove_leftovers(&self.root, new.chain(old).chain([CARD, EXPORT_STATE]));
        if let Some(state) = state
            && (!state.is_of(digest, parts) || state.complete && replace)
        {
            // A removal that is interrupted is not taken for an export.
            self.write_state("", &state.files, false)?;
            self.remove(&state.files)?;
        }
        self.write_state(digest, &names(parts), false)?;
        Ok(Begun {
            kept: parts.iter().filter(|part| self.has(part)).count(),
            _lock: lock,
        })
    }

    pub fn complete(&self, digest: &str, parts: &[Part]) -> Result<()> {
        self.write_state(digest, &names(parts), true)
    }

    /// Whether a file or folder of this export is complete.
    pub fn has(&self, part: &Part) -> bool {
        let path = self.root.join(&part.name);
        match part.examples {
            // Installed by a rename.
            None => path.symlink_metadata().is_ok(),
            Some(files) => count_examples(&path).is_ok_and(|found| found == files),
        }
    }

    /// Starts to write a file.
    pub fn begin_file(&self, name: &str) -> Result<PendingFile> {
        PendingFile::begin(&self.root, name)
    }

    /// Writes a file.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let mut pending = self.begin_file(name)?;
        let path = self.root.join(name);
        pending
            .sink
            .write_all(bytes)
            .map_err(file_error("writing", &path))?;
        pending.finish()
    }

    /// Starts to write a folder.
    pub fn begin_folder(&self, name: &str) -> Result<PendingFolder> {
        PendingFolder::begin(&self.root, name)
    }

    /// Checks whether the export may be written, and returns the state of the one that is there.
    fn check(&self, digest: &str, parts: &[Part], replace: bool) -> Result<Option<State>> {
        let existing = self.root.ancestors().find(|folder| folder.exists());
        if existing.is_some_and(|existing| !existing.is_dir()) {
            return Err(self
                .occupied("is not a folder, or is inside a file")
                .with_hint("give --to a folder that is new or empty"));
        }
        let state = self.state()?;
        match &state {
            Some(state) if replace || state.is_of(digest, parts) => {}
            Some(_) => {
                return Err(self.occupied("holds another export").with_hint(
                    "use --replace to remove that export, or give another --to; other records \
or options make another export",
                ));
            }
            None if self.is_empty()? => {}
            None => {
                return Err(self
                    .occupied("is not empty")
                    .with_hint("give a folder that is new or empty"));
            }
        }
        let card = Part::file(CARD.to_owned());
        for part in parts.iter().chain([&card]) {
            self.check_place(part, state.as_ref())?;
        }
        Ok(state)
    }

    /// Checks that nothing is in the way of a file or folder but what the earlier export has
    /// written. A link would lead out of the folder.
    fn check_place(&self, part: &Part, earlier: Option<&State>) -> Result<()> {
        let path = self.root.join(&part.name);
        let parents = path.ancestors().skip(1);
        let mut parents = parents.take_while(|folder| *folder != self.root);
        let is_link_or_file = |path: &Path| {
            let about = path.symlink_metadata();
            about.is_ok_and(|about| !about.is_dir())
        };
        let is_own =
            part.name == CARD || earlier.is_some_and(|earlier| earlier.files.contains(&part.name));
        let in_the_way = match part.examples {
            _ if path.is_symlink() || parents.any(is_link_or_file) => true,
            None => path.is_dir() || path.exists() && !is_own,
            Some(_) if is_link_or_file(&path) => true,
            Some(_) => !is_own && count_examples(&path).is_ok_and(|found| found > 0),
        };
        match in_the_way {
            false => Ok(()),
            true => Err(Error::new(
                ErrorKind::Usage,
                format!("something else is at {}", path.display()),
            )
            .with_hint("move it away, or give another --to")),
        }
    }

    fn state(&self) -> Result<Option<State>> {
        let path = self.root.join(EXPORT_STATE);
        if path
            .symlink_metadata()
            .is_err_and(|error| is_absent(&error))
        {
            return Ok(None);
        }
        refuse_irregular(&path)?;
        let text = fs::read_to_string(&path).map_err(file_error("reading", &path))?;
        let state = serde_json::from_str(&text).ok();
        state.map(Some).ok_or_else(|| {
            self.occupied("has an export.json of another program")
                .with_hint("give a folder that is new or empty")
        })
    }

    fn write_state(&self, digest: &str, files: &[String], complete: bool) -> Result<()> {
        let state = State {
            program: format!("{PROGRAM}{}", env!("CARGO_PKG_VERSION")),
            digest: digest.to_owned(),
            complete,
            files: files.to_vec(),
        };
        let text = serde_json::to_string_pretty(&state)
            .context(ErrorKind::Internal, "writing export.json")?;
        self.write(EXPORT_STATE, format!("{text}\n").as_bytes())
    }

    /// Whether the folder has nothing but what an export leaves that was killed at its beginning.
    fn is_empty(&self) -> Result<bool> {
        let reading = file_error("reading", &self.root);
        let entries = match fs::read_dir(&self.root) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            Err(error) => return Err(reading(error)),
        };
        for entry in entries {
            let name = entry.map_err(&reading)?.file_name();
            let name = name.to_string_lossy();
            if name != EXPORT_LOCK && Target::temporary_of(&name) != Some(EXPORT_STATE) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Removes the listed files of an earlier export and the folders that this leaves empty, without
    /// following links or leaving the folder.
    fn remove(&self, files: &[String]) -> Result<()> {
        for name in names_inside(files).chain([CARD]) {
            let path = self.root.join(name);
            let folders = path.ancestors().skip(1);
            let folders = folders.take_while(|folder| *folder != self.root);
            if folders.clone().any(Path::is_symlink) {
                continue;
            }
            let removed = match path.symlink_metadata() {
                Ok(about) if about.is_dir() => remove_examples(&path),
                Ok(_) => fs::remove_file(&path),
                Err(_) => Ok(()),
            };
            removed.map_err(file_error("removing", &path))?;
            for folder in folders {
                // Fails if it has other files.
                let _ = fs::remove_dir(folder);
            }
        }
        Ok(())
    }

    /// Undoes [`Self::begin`] for an export that failed before any of its parts was complete.
    pub fn abandon(&self, parts: &[Part]) {
        if parts.iter().any(|part| self.has(part)) {
            return;
        }
        let state = self.root.join(EXPORT_STATE);
        let removed = self
            .remove(&names(parts))
            .and_then(|()| fs::remove_file(&state).map_err(file_error("removing", &state)));
        // The export ends with the error that it failed with.
        if let Err(error) = removed {
            tracing::warn!(error = %error.cause, "cannot undo the export");
        }
    }

    fn occupied(&self, what: &str) -> Error {
        Error::new(ErrorKind::Usage, format!("{} {what}", self.root.display()))
    }
}

fn names(parts: &[Part]) -> Vec<String> {
    parts.iter().map(|part| part.name.clone()).collect()
}

/// The names that lead to a place in the folder. The list is read from a file.
fn names_inside(names: &[String]) -> impl Iterator<Item = &str> {
    let is_inside = |name: &&str| {
        let mut parts = Path::new(name).components();
        !name.is_empty() && parts.all(|part| matches!(part, Component::Normal(_)))
    };
    names.iter().map(String::as_str).filter(is_inside)
}

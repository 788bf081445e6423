//! The folder of a dataset. Detects what an earlier export left there and writes files atomically.

use super::images::is_example;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::export::target::{ExportSink, Target};
use crate::outdir::{EXPORT_STATE, PROGRAM, file_error, is_absent, refuse_irregular, sync_folder};
use crate::platform;
use crate::text::plural;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};
use tempfile::TempDir;

#[derive(Debug, Serialize, Deserialize)]
struct State {
    program: String,
    /// Hash of the records and options.
    digest: String,
    complete: bool,
    /// Files and folders of the export, except the card.
    files: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Destination {
    root: PathBuf,
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
    /// `replace`, another export is removed. Returns how many of the files exist already.
    pub fn begin(&self, digest: &str, files: &[String], replace: bool) -> Result<usize> {
        match fs::create_dir_all(&self.root) {
            Ok(()) => {}
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory
                ) =>
            {
                return Err(self
                    .occupied("is not a folder, or is inside a file")
                    .with_hint("give --to a folder that is new or empty"));
            }
            Err(error) => return Err(file_error("creating", &self.root)(error)),
        }
        let state = self.state()?;
        if state.is_none() {
            // A run may have been killed before its first file was in place.
            Target::find(&self.root, EXPORT_STATE)?.remove_leftovers();
        }
        match state {
            Some(state) if state.digest == digest => {}
            Some(state) if replace => self.remove(&state.files)?,
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
        self.write_state(digest, files, false)?;
        Ok(files.iter().filter(|name| self.has(name)).count())
    }

    pub fn complete(&self, digest: &str, files: &[String]) -> Result<()> {
        self.write_state(digest, files, true)
    }

    /// Whether a file or folder exists. Each is installed by a rename, so it is complete.
    pub fn has(&self, name: &str) -> bool {
        self.root.join(name).symlink_metadata().is_ok()
    }

    /// Starts to write a file.
    pub fn begin_file(&self, name: &str) -> Result<PendingFile> {
        self.make_parent(name)?;
        let target = Target::find(&self.root, name)?;
        target.remove_leftovers();
        Ok(PendingFile {
            sink: target.begin()?,
            target,
        })
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
        self.make_parent(name)?;
        let path = self.root.join(name);
        let parent = path.parent().unwrap_or(&self.root).to_owned();
        let prefix = format!("{TEMPORARY_PREFIX}{}.", name.replace('/', "-"));
        remove_leftovers(&parent, &prefix);
        let mut builder = tempfile::Builder::new();
        platform::set_folder_mode(builder.prefix(&prefix));
        let folder = builder
            .tempdir_in(&parent)
            .map_err(file_error("writing in", &parent))?;
        Ok(PendingFolder { folder, path })
    }

    fn make_parent(&self, name: &str) -> Result<()> {
        let path = self.root.join(name);
        let parent = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(parent).map_err(file_error("creating", parent))
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

    fn is_empty(&self) -> Result<bool> {
        let mut entries = fs::read_dir(&self.root).map_err(file_error("reading", &self.root))?;
        Ok(entries.next().is_none())
    }

    /// Removes the listed files of an earlier export, without following links or leaving the
    /// folder.
    fn remove(&self, files: &[String]) -> Result<()> {
        let is_inside = |name: &&String| {
            let mut parts = Path::new(name.as_str()).components();
            !name.is_empty() && parts.all(|part| matches!(part, Component::Normal(_)))
        };
        let card = "README.md".to_owned();
        for name in files.iter().filter(is_inside).chain([&card]) {
            let path = self.root.join(name);
            let folders = path.ancestors().skip(1);
            let mut folders = folders.take_while(|folder| *folder != self.root);
            if folders.any(Path::is_symlink) {
                continue;
            }
            let removed = match path.symlink_metadata() {
                Ok(about) if about.is_dir() => remove_examples(&path),
                Ok(_) => fs::remove_file(&path),
                Err(_) => continue,
            };
            removed.map_err(file_error("removing", &path))?;
        }
        Ok(())
    }

    /// Undoes [`Self::begin`] for an export that failed before any of its files was in place.
    pub fn abandon(&self, files: &[String]) {
        if !files.iter().any(|name| self.has(name)) {
            let _ = fs::remove_file(self.root.join(EXPORT_STATE));
        }
    }

    fn occupied(&self, what: &str) -> Error {
        Error::new(ErrorKind::Usage, format!("{} {what}", self.root.display()))
    }
}

/// Removes the files of examples from a folder, and the folder unless it contains others.
fn remove_examples(folder: &Path) -> io::Result<()> {
    let mut is_empty = true;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        match is_example(&entry.file_name()) && !entry.file_type()?.is_dir() {
            true => fs::remove_file(entry.path())?,
            false => is_empty = false,
        }
    }
    match is_empty {
        true => fs::remove_dir(folder),
        false => Ok(()),
    }
}

/// Name prefix of a folder that is not complete.
const TEMPORARY_PREFIX: &str = ".export-";

/// Removes the incomplete folders of a killed run.
fn remove_leftovers(parent: &Path, prefix: &str) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(prefix);
        if is_ours && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            // A leftover only takes up space.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// A file that is being written.
pub(super) struct PendingFile {
    pub sink: ExportSink,
    target: Target,
}

impl PendingFile {
    /// Appends a line of JSON.
    pub fn json_line(&mut self, row: &impl Serialize) -> Result<()> {
        let row = serde_json::to_string(row);
        self.sink
            .line(&row.context(ErrorKind::Internal, "writing a row")?)
    }

    pub fn finish(self) -> Result<()> {
        self.target.replace(self.sink.finish()?)
    }

    /// For a writer that owns the sink and returns it at the end.
    pub fn into_parts(self) -> (ExportSink, Target) {
        (self.sink, self.target)
    }
}

/// A folder that is being written.
pub(super) struct PendingFolder {
    folder: TempDir,
    path: PathBuf,
}

impl PendingFolder {
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.folder.path().join(name);
        File::create_new(&path)
            .and_then(|mut created| created.write_all(bytes))
            .map_err(file_error("writing", &path))
    }

    /// Syncs the folder and renames it to its final name.
    pub fn finish(self) -> Result<()> {
        let mut written = 0;
        let entries =
            fs::read_dir(self.folder.path()).map_err(file_error("reading", &self.path))?;
        for entry in entries {
            let path = entry.map_err(file_error("reading", &self.path))?.path();
            File::open(&path)
                .and_then(|written| written.sync_all())
                .map_err(file_error("syncing", &path))?;
            written += 1;
        }
        tracing::debug!("{}: {}", self.path.display(), plural(written, "file"));
        sync_folder(self.folder.path())?;
        let folder = self.folder.keep();
        fs::rename(&folder, &self.path).map_err(file_error("writing", &self.path))?;
        sync_folder(self.path.parent().unwrap_or(&self.path))
    }
}

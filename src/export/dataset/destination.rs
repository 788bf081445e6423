//! The folder of a dataset: what may be written there, and what an earlier run has left.

use crate::error::{Context, Error, ErrorKind, Result};
use crate::export::target::{Sink, Target};
use crate::outdir::{file, is_absent, refuse_irregular, sync_folder};
use crate::platform;
use crate::text::plural;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};
use tempfile::TempDir;

/// Says which export a folder holds, and whether all of it.
const STATE: &str = "export.json";

#[derive(Debug, Serialize, Deserialize)]
struct State {
    program: String,
    /// Of the records and options.
    digest: String,
    complete: bool,
    /// Files and folders that are written, besides the card.
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

    /// Makes the folder ready: it is new or empty, or holds a part of this very export, or, with
    /// `replace`, another export, which is removed. How many of the files are there.
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
                    .occupied("is not a folder, or lies in a file")
                    .with_hint("give --to a folder that is new or empty"));
            }
            Err(error) => return Err(file("creating", &self.root)(error)),
        }
        let state = self.state()?;
        if state.is_none() {
            // Of a run that was killed before its first file was in place.
            Target::find(&self.root, STATE)?.remove_leftovers();
        }
        match state {
            Some(state) if state.digest == digest => {}
            Some(state) if replace => self.remove(&state.files)?,
            Some(_) => {
                return Err(self.occupied("holds another export").with_hint(
                    "--replace removes that one; or give another --to. An export of other \
                     records or options is another one",
                ));
            }
            None if self.is_empty()? => {}
            None => {
                return Err(self
                    .occupied("is not empty")
                    .with_hint("give a folder that is new or empty"));
            }
        }
        self.note(digest, files, false)?;
        Ok(files.iter().filter(|name| self.has(name)).count())
    }

    pub fn complete(&self, digest: &str, files: &[String]) -> Result<()> {
        self.note(digest, files, true)
    }

    /// Whether a file or folder has been written; each comes into its place whole.
    pub fn has(&self, name: &str) -> bool {
        self.root.join(name).symlink_metadata().is_ok()
    }

    /// A file to be written, and what to put it in place with.
    pub fn begin_file(&self, name: &str) -> Result<PendingFile> {
        self.make_parent(name)?;
        let target = Target::find(&self.root, name)?;
        target.remove_leftovers();
        Ok(PendingFile {
            sink: target.begin()?,
            target,
        })
    }

    /// A file in one go.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let mut pending = self.begin_file(name)?;
        let path = self.root.join(name);
        pending
            .sink
            .write_all(bytes)
            .map_err(file("writing", &path))?;
        pending.finish()
    }

    /// A folder to be filled.
    pub fn begin_folder(&self, name: &str) -> Result<PendingFolder> {
        self.make_parent(name)?;
        let path = self.root.join(name);
        let parent = path.parent().unwrap_or(&self.root).to_owned();
        let prefix = format!("{TEMPORARY}{}.", name.replace('/', "-"));
        remove_leftovers(&parent, &prefix);
        let mut builder = tempfile::Builder::new();
        platform::set_folder_mode(builder.prefix(&prefix));
        let folder = builder
            .tempdir_in(&parent)
            .map_err(file("writing in", &parent))?;
        Ok(PendingFolder { folder, path })
    }

    fn make_parent(&self, name: &str) -> Result<()> {
        let path = self.root.join(name);
        let parent = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(parent).map_err(file("creating", parent))
    }

    fn state(&self) -> Result<Option<State>> {
        let path = self.root.join(STATE);
        if path
            .symlink_metadata()
            .is_err_and(|error| is_absent(&error))
        {
            return Ok(None);
        }
        refuse_irregular(&path)?;
        let text = fs::read_to_string(&path).map_err(file("reading", &path))?;
        let state = serde_json::from_str(&text).ok();
        state.map(Some).ok_or_else(|| {
            self.occupied("holds an export.json of something else")
                .with_hint("give a folder that is new or empty")
        })
    }

    fn note(&self, digest: &str, files: &[String], complete: bool) -> Result<()> {
        let state = State {
            program: concat!("labeler-tui ", env!("CARGO_PKG_VERSION")).to_owned(),
            digest: digest.to_owned(),
            complete,
            files: files.to_vec(),
        };
        let text = serde_json::to_string_pretty(&state)
            .context(ErrorKind::Internal, "writing export.json")?;
        self.write(STATE, format!("{text}\n").as_bytes())
    }

    fn is_empty(&self) -> Result<bool> {
        let mut entries = fs::read_dir(&self.root).map_err(file("reading", &self.root))?;
        Ok(entries.next().is_none())
    }

    /// Removes what an earlier export wrote; nothing that its list does not name, nothing behind
    /// a link, nothing outside.
    fn remove(&self, files: &[String]) -> Result<()> {
        let is_inside = |name: &&String| {
            let mut parts = Path::new(name.as_str()).components();
            !name.is_empty() && parts.all(|part| matches!(part, Component::Normal(_)))
        };
        let card = "README.md".to_owned();
        for name in files.iter().filter(is_inside).chain([&card]) {
            let path = self.root.join(name);
            let removed = match path.symlink_metadata() {
                Ok(about) if about.is_dir() => fs::remove_dir_all(&path),
                Ok(_) => fs::remove_file(&path),
                Err(_) => continue,
            };
            removed.map_err(file("removing", &path))?;
        }
        Ok(())
    }

    fn occupied(&self, what: &str) -> Error {
        Error::new(ErrorKind::Usage, format!("{} {what}", self.root.display()))
    }
}

/// Before the name of a folder that is not in its place yet.
const TEMPORARY: &str = ".export-";

/// Folders that a killed run left half filled.
fn remove_leftovers(parent: &Path, prefix: &str) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let is_ours = entry.file_name().to_string_lossy().starts_with(prefix);
        if is_ours && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            // Where it cannot be removed, it only takes up space.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// A file that is not in its place yet.
pub(super) struct PendingFile {
    pub sink: Sink,
    target: Target,
}

impl PendingFile {
    pub fn finish(self) -> Result<()> {
        self.target.replace(self.sink.finish()?)
    }

    /// For a writer that takes the sink with it and gives it back at its end.
    pub fn into_parts(self) -> (Sink, Target) {
        (self.sink, self.target)
    }
}

/// A folder that is not in its place yet.
pub(super) struct PendingFolder {
    folder: TempDir,
    path: PathBuf,
}

impl PendingFolder {
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.folder.path().join(name);
        File::create_new(&path)
            .and_then(|mut created| created.write_all(bytes))
            .map_err(file("writing", &path))
    }

    /// Syncs what is in it and puts it in its place.
    pub fn finish(self) -> Result<()> {
        let mut written = 0;
        let entries = fs::read_dir(self.folder.path()).map_err(file("reading", &self.path))?;
        for entry in entries {
            let path = entry.map_err(file("reading", &self.path))?.path();
            File::open(&path)
                .and_then(|written| written.sync_all())
                .map_err(file("syncing", &path))?;
            written += 1;
        }
        tracing::debug!("{}: {}", self.path.display(), plural(written, "file"));
        sync_folder(self.folder.path())?;
        let folder = self.folder.keep();
        fs::rename(&folder, &self.path).map_err(file("writing", &self.path))?;
        sync_folder(self.path.parent().unwrap_or(&self.path))
    }
}

//! Files and folders of a dataset that are being written, and installed under their names when they
//! are complete.

use super::images::remove_examples;
use crate::error::{Context, ErrorKind, Result};
use crate::export::target::{ExportSink, Target};
use crate::outdir::{file_error, sync_folder};
use crate::platform;
use crate::text::plural;
use serde::Serialize;
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Name prefix of a folder that is not complete.
const FOLDER_PREFIX: &str = ".export-";

/// A file that is being written.
pub(super) struct PendingFile {
    pub sink: ExportSink,
    target: Target,
}

impl PendingFile {
    pub fn begin(root: &Path, name: &str) -> Result<Self> {
        make_parent(&root.join(name))?;
        let target = Target::find(root, name)?;
        Ok(Self {
            sink: target.begin()?,
            target,
        })
    }

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
    pub fn begin(root: &Path, name: &str) -> Result<Self> {
        let path = root.join(name);
        let parent = make_parent(&path)?;
        let prefix = format!("{FOLDER_PREFIX}{}.", flat(name));
        let mut builder = tempfile::Builder::new();
        platform::set_folder_mode(builder.prefix(&prefix));
        let folder = builder
            .tempdir_in(parent)
            .map_err(file_error("writing in", parent))?;
        Ok(Self { folder, path })
    }

    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.folder.path().join(name);
        File::create_new(&path)
            .and_then(|mut created| created.write_all(bytes))
            .map_err(file_error("writing", &path))
    }

    /// Syncs the folder and renames it to its final name. If a folder of that name has files of
    /// others, they stay, and the new files are moved to them.
    pub fn finish(self) -> Result<()> {
        let reading = file_error("reading", &self.path);
        let mut names = Vec::new();
        for entry in fs::read_dir(self.folder.path()).map_err(&reading)? {
            let entry = entry.map_err(&reading)?;
            File::open(entry.path())
                .and_then(|written| written.sync_all())
                .map_err(file_error("syncing", &entry.path()))?;
            names.push(entry.file_name());
        }
        sync_folder(self.folder.path())?;
        let files = plural(names.len(), "file");
        tracing::debug!("{}: {files}", self.path.display());
        let writing = file_error("writing", &self.path);
        if is_folder(&self.path) {
            remove_examples(&self.path).map_err(&writing)?;
        }
        if is_folder(&self.path) {
            for name in names {
                let path = self.path.join(&name);
                fs::rename(self.folder.path().join(&name), &path)
                    .map_err(file_error("writing", &path))?;
            }
            sync_folder(&self.path)?;
        } else {
            fs::rename(self.folder.path(), &self.path).map_err(&writing)?;
            // The temporary name is gone.
            let _ = self.folder.keep();
        }
        sync_folder(self.path.parent().unwrap_or(&self.path))
    }
}

/// Whether there is a folder at the path, which is not a link to one.
fn is_folder(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|about| about.is_dir())
}

fn make_parent(path: &Path) -> Result<&Path> {
    let parent = path.parent().unwrap_or(path);
    fs::create_dir_all(parent).map_err(file_error("creating", parent))?;
    Ok(parent)
}

/// The name of a file or folder of the dataset, as it stands in the name of a temporary folder.
fn flat(name: &str) -> String {
    name.replace('/', "-")
}

/// Removes what a killed export left of files and folders with these names. The caller must hold the
/// lock of the dataset.
pub(super) fn remove_leftovers<'a>(root: &Path, names: impl Iterator<Item = &'a str>) {
    let mut parents = HashSet::new();
    let mut files = HashSet::new();
    let mut folders = HashSet::new();
    for name in names {
        let path = root.join(name);
        parents.extend(path.parent().map(Path::to_owned));
        folders.insert(flat(name));
        files.insert(path);
    }
    for parent in parents {
        // A folder that does not exist has no leftovers.
        for entry in fs::read_dir(&parent).into_iter().flatten().flatten() {
            let file_name = entry.file_name();
            let file_name = file_name.to_string_lossy();
            let kind = entry.file_type();
            // A leftover that cannot be removed only takes up space.
            if kind.as_ref().is_ok_and(fs::FileType::is_dir) {
                let of = file_name.strip_prefix(FOLDER_PREFIX);
                let of = of.and_then(|rest| rest.rsplit_once('.'));
                if of.is_some_and(|(of, _)| folders.contains(of)) {
                    let _ = fs::remove_dir_all(entry.path());
                }
            } else if kind.is_ok_and(|kind| kind.is_file()) {
                let of = Target::temporary_of(&file_name);
                if of.is_some_and(|of| files.contains(&parent.join(of))) {
                    let _ = fs::remove_file(entry.path());
                }
            }
        }
    }
}

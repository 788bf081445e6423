//! Reads a folder of manifests as one dataset: `metadata.jsonl` files of splits, Parquet files of
//! Spark or Hugging Face, tar shards, or tables.

use super::columns::Columns;
use super::file::Manifest;
use super::forms::{form_of, open_file};
use crate::error::{Error, ErrorKind, Result};
use crate::source::options::OnlySource;
use crate::source::reading::{ItemSource, RowEvent, Sink, absolute, base_of};
use crate::source::walk::{Walk, WalkedFile, skipped_warning};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Several manifests, read one after another.
#[derive(Debug)]
struct Dataset {
    parts: Vec<Box<dyn ItemSource>>,
    warning: Option<RowEvent>,
}

pub(super) fn open(
    folder: &Path,
    only: OnlySource,
    columns: &Columns,
    outdir: Option<&Path>,
) -> Result<Box<dyn ItemSource>> {
    let mut walk = Walk::new(folder, outdir)?;
    let files = manifests(folder, &mut walk)?;
    // Spark writes a table as a folder named like a file, so its paths are relative to the parent.
    let is_table = form_of(folder).is_some();
    let base = match is_table {
        true => base_of(folder)?,
        false => absolute(folder)?,
    };
    let parts: Result<Vec<_>> = files
        .into_iter()
        .map(|relative| {
            open_file(Manifest {
                prefix: match is_table {
                    true => String::new(),
                    false => prefix(&relative),
                },
                path: folder.join(&relative),
                base: base.clone(),
                only,
                columns: columns.clone(),
            })
        })
        .collect();
    Ok(Box::new(Dataset {
        parts: parts?,
        warning: skipped_warning(folder, walk.skipped()),
    }))
}

/// Finds the files to read, relative to the folder: those of the first kind by precedence.
fn manifests(folder: &Path, walk: &mut Walk) -> Result<Vec<PathBuf>> {
    let mut found: BTreeMap<Option<u8>, Vec<PathBuf>> = BTreeMap::new();
    let mut has_images = false;
    for entry in walk.by_ref() {
        let WalkedFile { path, relative } = entry?;
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.unwrap_or_default().to_ascii_lowercase();
        has_images |= crate::source::folder::is_image(&path);
        // Spark marks files that are not part of a table with an underscore.
        if name.starts_with('_') {
            continue;
        }
        let rank = match form_of(&path) {
            // The manifest of a split, whatever its format.
            Some(_) if name.starts_with("metadata.") => None,
            Some(form) if form.rank.is_some() => form.rank,
            _ => continue,
        };
        found.entry(rank).or_default().push(relative);
    }
    if let Some((_, files)) = found.pop_first() {
        return Ok(files);
    }
    let cause = format!("{} contains no manifest", folder.display());
    let hint = match walk.skipped() {
        [] if has_images => "use --images for a folder of images",
        [_, ..] => {
            "files and folders that labeler-tui wrote are skipped: to label one, give it itself"
        }
        _ => "a dataset has metadata.jsonl, .parquet, .tar, .csv or .jsonl files",
    };
    Err(Error::new(ErrorKind::Source, cause).with_hint(hint))
}

/// Prefix for the paths in one of the dataset's files: the path of its folder. Empty if that is not
/// UTF-8.
fn prefix(relative: &Path) -> String {
    match relative.parent().and_then(Path::to_str) {
        None | Some("") => String::new(),
        Some(relative) => format!("{relative}/"),
    }
}

impl ItemSource for Dataset {
    fn read(&mut self, sink: &mut Sink) -> Result<()> {
        let mut is_ended = false;
        if let Some(warning) = self.warning.take()
            && sink(warning).is_break()
        {
            return Ok(());
        }
        for part in &mut self.parts {
            part.read(&mut |event| {
                let flow = sink(event);
                is_ended |= flow.is_break();
                flow
            })?;
            if is_ended {
                break;
            }
        }
        Ok(())
    }
}

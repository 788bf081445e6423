//! A folder of manifests, as datasets are written: `metadata.jsonl` of each split, Parquet files
//! as Spark and Hugging Face write them, tar shards, tables.

use super::columns::Columns;
use super::file::Manifest;
use super::forms::{form, open_file};
use crate::error::{Error, ErrorKind, Result};
use crate::settings::OnlySource;
use crate::source::reading::{ItemSource, Sink, absolute, base_of};
use crate::source::walk::{Found, Walk};
use std::path::{Path, PathBuf};

/// What manifests of one dataset are called, best first: where there are such, files of the later
/// kinds are something else.
const KINDS: [fn(&str) -> bool; 5] = [
    |name| name.starts_with("metadata."),
    |name| name.ends_with(".parquet"),
    |name| ends_in(name, &[".tar", ".tgz"]),
    |name| ends_in(name, &[".csv", ".tsv"]),
    |name| ends_in(name, &[".jsonl", ".ndjson"]),
];

/// With `.gz` behind it or without.
fn ends_in(name: &str, ends: &[&str]) -> bool {
    let name = name.strip_suffix(".gz").unwrap_or(name);
    ends.iter().any(|end| name.ends_with(end))
}

/// Several manifests, one behind the other.
#[derive(Debug)]
struct Dataset(Vec<Box<dyn ItemSource>>);

pub(super) fn open(
    folder: &Path,
    only: OnlySource,
    columns: &Columns,
) -> Result<Box<dyn ItemSource>> {
    // From the folder on.
    let mut found: [Vec<PathBuf>; KINDS.len()] = Default::default();
    let mut holds_images = false;
    for entry in Walk::new(folder)? {
        let Found { path, inside } = entry?;
        let name = path.file_name().and_then(|name| name.to_str());
        let name = name.unwrap_or_default().to_ascii_lowercase();
        holds_images |= crate::source::folder::is_image(&path);
        // Spark marks what is no part of a table by this.
        if name.starts_with('_') || form(&path).is_none() {
            continue;
        }
        if let Some(kind) = KINDS.iter().position(|is| is(&name)) {
            found[kind].push(inside);
        }
    }
    let Some(files) = found.into_iter().find(|files| !files.is_empty()) else {
        let cause = format!("{} holds no manifest", folder.display());
        return Err(
            Error::new(ErrorKind::Source, cause).with_hint(match holds_images {
                true => "its images are read with --images",
                false => "a dataset has metadata.jsonl, .parquet, .tar, .csv or .jsonl files",
            }),
        );
    };
    // A folder that goes by the name of a table, as Spark writes one, lies where a file would.
    let is_table = form(folder).is_some();
    let base = match is_table {
        true => base_of(folder)?,
        false => absolute(folder)?,
    };
    let parts: Result<Vec<_>> = files
        .into_iter()
        .map(|inside| {
            open_file(Manifest {
                prefix: match is_table {
                    true => String::new(),
                    false => prefix(&inside),
                },
                path: folder.join(&inside),
                base: base.clone(),
                only,
                columns: columns.clone(),
            })
        })
        .collect();
    Ok(Box::new(Dataset(parts?)))
}

/// From the dataset to the folder of one of its files, for the paths in that; a folder whose name
/// is not UTF-8 has none that could be written.
fn prefix(inside: &Path) -> String {
    match inside.parent().and_then(Path::to_str) {
        None | Some("") => String::new(),
        Some(inside) => format!("{inside}/"),
    }
}

impl ItemSource for Dataset {
    fn read(&mut self, sink: &mut Sink) -> Result<()> {
        let mut is_ended = false;
        for part in &mut self.0 {
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

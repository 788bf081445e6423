//! Saves what another program wrote to a file before an export replaces it.

use super::{file_error, open_own, sync_folder};
use crate::error::Result;
use std::collections::HashSet;
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

/// Returns the first path in `outdir` without a file, by names that contain a number from 1 on.
pub fn free_path(outdir: &Path, name: impl Fn(u32) -> String) -> PathBuf {
    let mut number = 1;
    loop {
        let path = outdir.join(name(number));
        if path.symlink_metadata().is_err() {
            return path;
        }
        number += 1;
    }
}

/// Appends the `lines` that the file `name` does not have yet, byte for byte, and syncs it with its
/// folder.
/// Repeating it after a crash changes nothing. Returns how many lines were added.
pub fn keep_lines(outdir: &Path, name: &str, lines: &[impl AsRef<[u8]>]) -> Result<usize> {
    let lines = lines.iter().map(AsRef::as_ref);
    let lines: Vec<&[u8]> = lines.filter(|line| !line.trim_ascii().is_empty()).collect();
    if lines.is_empty() {
        return Ok(0);
    }
    let path = outdir.join(name);
    let failed = |error| file_error("writing", &path)(error);
    let mut kept = open_own(&path, OpenOptions::new().read(true).append(true))?;
    let mut present = Vec::new();
    kept.read_to_end(&mut present).map_err(failed)?;
    let mut known: HashSet<&[u8]> = present.split(|&byte| byte == b'\n').collect();
    let mut added = Vec::new();
    let mut count = 0;
    if !present.is_empty() && !present.ends_with(b"\n") {
        added.push(b'\n');
    }
    for line in lines {
        // An entry may itself contain line feeds.
        let is_present =
            line.contains(&b'\n') && present.windows(line.len()).any(|window| window == line);
        if !is_present && known.insert(line) {
            added.extend_from_slice(line);
            added.push(b'\n');
            count += 1;
        }
    }
    kept.write_all(&added)
        .and_then(|()| kept.sync_all())
        .map_err(failed)?;
    // The folder of `labels.jsonl`, which is synced later, may be another one.
    sync_folder(outdir)?;
    Ok(count)
}

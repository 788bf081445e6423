//! Keeps lines of somebody else's `labels.jsonl` that the export no longer holds.

use super::{file, open_own};
use crate::error::Result;
use std::collections::HashSet;
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::path::Path;

/// Appends those of `lines` that the file `name` does not hold yet, byte for byte, and syncs it, so
/// that doing it again after a crash changes nothing. Returns how many were added.
pub fn keep_lines(outdir: &Path, name: &str, lines: &[impl AsRef<[u8]>]) -> Result<usize> {
    // An empty line is nobody's work.
    let lines = lines.iter().map(AsRef::as_ref);
    let lines: Vec<&[u8]> = lines.filter(|line| !line.trim_ascii().is_empty()).collect();
    if lines.is_empty() {
        return Ok(0);
    }
    let path = outdir.join(name);
    let failed = |error| file("writing", &path)(error);
    let mut kept = open_own(&path, OpenOptions::new().read(true).append(true))?;
    let mut held = Vec::new();
    kept.read_to_end(&mut held).map_err(failed)?;
    let mut known: HashSet<&[u8]> = held.split(|&byte| byte == b'\n').collect();
    let mut added = Vec::new();
    let mut count = 0;
    if !held.is_empty() && !held.ends_with(b"\n") {
        added.push(b'\n');
    }
    for line in lines {
        // One of several lines, of a file that is not text, is looked for as a whole.
        let is_held =
            line.contains(&b'\n') && held.windows(line.len()).any(|window| window == line);
        if !is_held && known.insert(line) {
            added.extend_from_slice(line);
            added.push(b'\n');
            count += 1;
        }
    }
    kept.write_all(&added)
        .and_then(|()| kept.sync_all())
        .map_err(failed)?;
    Ok(count)
}

//! Keeps lines of somebody else's `labels.jsonl` that the export no longer holds.

use super::fault::file;
use super::outdir::open_own;
use crate::error::Result;
use std::collections::HashSet;
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::path::Path;

/// Appends those of `lines` that the file does not hold yet and syncs it, so that doing it again
/// after a crash changes nothing.
pub(super) fn keep_lines(outdir: &Path, name: &str, lines: &[Vec<u8>]) -> Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let path = outdir.join(name);
    let failed = |error| file("writing", &path)(error);
    let mut kept = open_own(&path, OpenOptions::new().read(true).append(true))?;
    let mut held = Vec::new();
    kept.read_to_end(&mut held).map_err(failed)?;
    let mut known: HashSet<&[u8]> = held.split(|&byte| byte == b'\n').collect();
    let mut added = Vec::new();
    if !held.is_empty() && !held.ends_with(b"\n") {
        added.push(b'\n');
    }
    for line in lines {
        // One of several lines, of a file that is not text, is looked for as a whole.
        let there = match line.contains(&b'\n') {
            true => held.windows(line.len()).any(|window| window == line),
            false => false,
        };
        if !there && known.insert(line) {
            added.extend_from_slice(line);
            added.push(b'\n');
        }
    }
    kept.write_all(&added)
        .and_then(|()| kept.sync_all())
        .map_err(failed)
}

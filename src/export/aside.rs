//! Lines of somebody else's that an export no longer holds: appended to a file of their own, so
//! that nobody's work vanishes.

use super::KEPT;
use crate::error::Result;
use crate::store::fault::file;
use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

/// Appends those of `lines` that `labels_kept.jsonl` in `outdir` does not hold yet, byte for byte.
/// Says in words what was kept and why (`why` ends the sentence "2 lines ..."); `None` where
/// everything was there already. Calling it again with the same lines changes nothing.
pub fn keep_aside(outdir: &Path, lines: &[impl AsRef<[u8]>], why: &str) -> Result<Option<String>> {
    let lines = lines.iter().map(AsRef::as_ref).filter(|line| {
        // An empty line is nobody's work.
        !line.trim_ascii().is_empty()
    });
    let lines: Vec<&[u8]> = lines.collect();
    if lines.is_empty() {
        return Ok(None);
    }
    let path = outdir.join(KEPT);
    let mut kept = open(&path)?;
    let mut there = Vec::new();
    kept.read_to_end(&mut there)
        .map_err(file("reading", &path))?;
    let mut known: HashSet<&[u8]> = there.split(|byte| *byte == b'\n').collect();
    let mut added = Vec::new();
    let mut count = 0;
    if !there.is_empty() && !there.ends_with(b"\n") {
        added.push(b'\n');
    }
    for line in lines {
        if known.insert(line) {
            added.extend_from_slice(line);
            added.push(b'\n');
            count += 1;
        }
    }
    if count == 0 {
        return Ok(None);
    }
    kept.write_all(&added)
        .and_then(|()| kept.sync_all())
        .map_err(file("writing", &path))?;
    let lines = match count {
        1 => "1 line".to_owned(),
        n => format!("{n} lines"),
    };
    Ok(Some(format!("{lines} {why}: kept in {}", path.display())))
}

/// Opens the file for appending. A link under this name is not ours and is not followed.
fn open(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32);
    }
    options.open(path).map_err(file("opening", path))
}

//! Recognizes the folders and files that this program wrote, so that none is read as a source.

use super::{EXPORTED, JOURNAL, KEPT, LOCK, LOG, UNREAD};
use serde_json::Value;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The file that identifies an exported dataset.
pub const EXPORT_STATE: &str = "export.json";
/// The file that locks a dataset while it is exported.
pub const EXPORT_LOCK: &str = ".export.lock";
/// `program` in [`EXPORT_STATE`] starts with it.
pub const PROGRAM: &str = "labeler-tui ";
/// The `application_id` of a journal. Early versions left it at 0.
pub const APPLICATION_ID: i64 = 0x4c54_5549;

/// Only this much of an [`EXPORT_STATE`] is read, which lists every file.
const MAX_STATE: u64 = 64 << 20;

/// Whether a folder is an outdir or an exported dataset.
pub fn is_own_folder(folder: &Path) -> bool {
    is_outdir(folder) || is_export(folder)
}

/// Whether a folder has a journal of ours.
pub fn is_outdir(folder: &Path) -> bool {
    let has = |name: &str| folder.join(name).is_file();
    // Read by hand, because SQLite would leave files beside a journal.
    match has(JOURNAL).then(|| application_id(&folder.join(JOURNAL))) {
        Some(Ok(APPLICATION_ID)) => true,
        Some(Ok(0)) => has(LOCK) || has(LOG),
        _ => false,
    }
}

/// Whether a name in an outdir is one of our files that look like a manifest, or one of the copies
/// that we keep of files that another program changed.
pub fn is_own_file(name: &str) -> bool {
    let is_copy = |own: &str| {
        let (stem, extension) = own.split_once('.').unwrap_or((own, ""));
        let middle = name.strip_prefix(stem);
        let middle = middle.and_then(|rest| rest.strip_suffix(extension)?.strip_suffix('.'));
        let number = middle.and_then(|middle| middle.strip_prefix("_kept"));
        number.is_some_and(|number| {
            let digits = number.strip_prefix('-').unwrap_or(number);
            digits.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    let mut like_manifests = EXPORTED.into_iter().chain([UNREAD, KEPT]);
    like_manifests.any(|own| name == own || is_copy(own))
}

fn is_export(folder: &Path) -> bool {
    let path = folder.join(EXPORT_STATE);
    let read = || {
        let file = path.is_file().then(|| File::open(&path))?.ok()?;
        let state: Value =
            serde_json::from_reader(io::BufReader::new(file.take(MAX_STATE))).ok()?;
        Some(state.get("program")?.as_str()?.starts_with(PROGRAM))
    };
    read().unwrap_or_default()
}

/// The `application_id` in the header of an SQLite database; 0 for one that has no header yet.
fn application_id(path: &Path) -> io::Result<i64> {
    let mut header = Vec::new();
    File::open(path)?.take(72).read_to_end(&mut header)?;
    let is_database = header.starts_with(b"SQLite format 3\0");
    match header.last_chunk::<4>() {
        None => Ok(0),
        Some(id) if is_database && header.len() == 72 => Ok(u32::from_be_bytes(*id).into()),
        Some(_) => Err(io::Error::other("not a database")),
    }
}

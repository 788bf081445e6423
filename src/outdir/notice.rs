//! What the user should know of files that were read or written: data, which front ends word.

use std::path::PathBuf;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileNotice {
    /// Records of an earlier run came from a file.
    Imported {
        name: String,
        records: usize,
        utf16: bool,
    },
    /// Lines of a file were read as CP949.
    Cp949 { name: String, lines: usize },
    /// NaN or infinity counts as no value.
    NonFinite { name: String, lines: usize },
    /// A later line has the same image.
    Doubled { name: String, lines: usize },
    /// Another program has changed lines; the journal's records stay.
    Changed { name: String, lines: usize },
    /// Lines cannot be read; the first ones with their numbers and why.
    Unread {
        name: String,
        lines: usize,
        first: Vec<(u64, String)>,
    },
    /// Lines of a file were kept elsewhere before it was replaced.
    Kept {
        name: &'static str,
        lines: usize,
        why: KeptBecause,
        kept: PathBuf,
    },
    /// A file that something else has changed was kept under another name.
    KeptWhole { name: &'static str, kept: PathBuf },
    /// A record is not what was committed.
    Damaged {
        image_path: String,
        item_name: String,
        has_line: bool,
    },
    /// So many more are not.
    MoreDamaged(usize),
    /// What to do about them.
    CheckDisk,
}

/// Why a line was kept elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptBecause {
    SomethingElseChangedIt,
    PictureIsGone,
}

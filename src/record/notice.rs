//! Notices about files that were read or written, as data. Front ends turn them into text.

use std::path::PathBuf;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileNotice {
    /// Records were imported from a file.
    Imported {
        name: String,
        records: usize,
        utf16: bool,
    },
    /// Lines of a file were read as CP949.
    Cp949 { name: String, lines: usize },
    /// Lines had NaN or infinity, which was read as null.
    NonFinite { name: String, lines: usize },
    /// Lines were replaced by a later line for the same image.
    DuplicateImage { name: String, lines: usize },
    /// Another program changed lines. The journal's records were kept.
    Changed { name: String, lines: usize },
    /// Lines are unreadable. `first` are the first ones: line number and reason.
    Unread {
        name: String,
        lines: usize,
        first: Vec<(u64, String)>,
    },
    /// Lines were saved to another file before the file was replaced.
    Kept {
        name: &'static str,
        lines: usize,
        why: KeptBecause,
        kept: PathBuf,
    },
    /// A file that another program changed was saved under another name.
    KeptFile { name: &'static str, kept: PathBuf },
    /// A record's bytes differ from what was committed.
    Damaged {
        image_path: String,
        item_name: String,
        has_line: bool,
    },
    /// Number of damaged records beyond those listed.
    MoreDamaged(usize),
    /// Advice for damaged records: check the disk.
    CheckDisk,
}

/// Why lines were saved to another file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptBecause {
    ChangedElsewhere,
    ImageIsGone,
}

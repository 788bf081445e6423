//! Counts of what happened to the lines of an imported file.

use crate::record::FileNotice;

/// How many unreadable lines are listed. The journal stores the reason for each.
const MAX_LISTED: usize = 5;

#[derive(Default)]
pub struct ImportCounts {
    pub lines: usize,
    /// Lines that an export would write unchanged.
    pub exact: usize,
    pub imported: usize,
    /// Lines replaced by a later line for the same image.
    pub duplicate_images: usize,
    /// Lines that differ from the journal's record, which is kept.
    pub changed: usize,
    pub non_finite: usize,
    pub utf16: bool,
    pub cp949: usize,
    pub unread: Vec<(u64, String)>,
}

impl ImportCounts {
    /// Returns the notices for the user.
    pub fn notices(self, name: &str) -> Vec<FileNotice> {
        let name = || name.to_owned();
        let mut notices = Vec::new();
        if self.imported > 0 {
            notices.push(FileNotice::Imported {
                name: name(),
                records: self.imported,
                utf16: self.utf16,
            });
        }
        let mut lines = |lines: usize, notice: fn(String, usize) -> FileNotice| {
            if lines > 0 {
                notices.push(notice(name(), lines));
            }
        };
        lines(self.cp949, |name, lines| FileNotice::Cp949 { name, lines });
        lines(self.non_finite, |name, lines| FileNotice::NonFinite {
            name,
            lines,
        });
        lines(self.duplicate_images, |name, lines| {
            FileNotice::DuplicateImage { name, lines }
        });
        lines(self.changed, |name, lines| FileNotice::Changed {
            name,
            lines,
        });
        if !self.unread.is_empty() {
            notices.push(FileNotice::Unread {
                name: name(),
                lines: self.unread.len(),
                first: self.unread.into_iter().take(MAX_LISTED).collect(),
            });
        }
        notices
    }
}

//! What became of the lines of a file, in numbers.

use crate::outdir::FileNotice;

/// Unreadable lines told one by one; the journal keeps the reason of each.
const TOLD: usize = 5;

/// What the file held.
#[derive(Default)]
pub struct Tally {
    pub lines: usize,
    /// Lines that are exported exactly as they stand there.
    pub exact: usize,
    pub imported: usize,
    pub doubled: usize,
    pub changed: usize,
    pub non_finite: usize,
    pub utf16: bool,
    pub cp949: usize,
    pub unread: Vec<(u64, String)>,
}

impl Tally {
    /// What the user should know of it.
    pub fn notices(self, name: &str) -> Vec<FileNotice> {
        let name = || name.to_owned();
        let mut told = Vec::new();
        if self.imported > 0 {
            told.push(FileNotice::Imported {
                name: name(),
                records: self.imported,
                utf16: self.utf16,
            });
        }
        let mut lines = |lines: usize, notice: fn(String, usize) -> FileNotice| {
            if lines > 0 {
                told.push(notice(name(), lines));
            }
        };
        lines(self.cp949, |name, lines| FileNotice::Cp949 { name, lines });
        lines(self.non_finite, |name, lines| FileNotice::NonFinite {
            name,
            lines,
        });
        lines(self.doubled, |name, lines| FileNotice::Doubled {
            name,
            lines,
        });
        lines(self.changed, |name, lines| FileNotice::Changed {
            name,
            lines,
        });
        if !self.unread.is_empty() {
            told.push(FileNotice::Unread {
                name: name(),
                lines: self.unread.len(),
                first: self.unread.into_iter().take(TOLD).collect(),
            });
        }
        told
    }
}

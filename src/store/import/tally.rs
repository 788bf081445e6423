//! What became of the lines of a file, in numbers and in words.

use crate::outdir::{KEPT, UNREAD};
use crate::text::plural;

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
    pub fn notices(self, name: &str) -> Vec<String> {
        let mut told = Vec::new();
        if self.imported > 0 {
            let encoding = if self.utf16 { " (UTF-16)" } else { "" };
            told.push(format!(
                "{name}: imported {} of an earlier run{encoding}",
                plural(self.imported, "record")
            ));
        }
        if self.cp949 > 0 {
            told.push(format!(
                "{name}: read {} as CP949; they are exported as UTF-8",
                plural(self.cp949, "line")
            ));
        }
        if self.non_finite > 0 {
            told.push(format!(
                "{name}: NaN or Infinity, which is not JSON, counts as no value in {} and is exported \
                 as null",
                plural(self.non_finite, "line")
            ));
        }
        if self.doubled > 0 {
            told.push(format!(
                "{name}: kept {} in {KEPT}, since a later line has the same image",
                plural(self.doubled, "line")
            ));
        }
        if self.changed > 0 {
            told.push(format!(
                "{name}: kept {} changed outside labeler-tui in {KEPT}; the journal's records stay",
                plural(self.changed, "line")
            ));
        }
        if !self.unread.is_empty() {
            let first = self.unread.iter().take(TOLD);
            let mut why: Vec<String> = first
                .map(|(number, why)| format!("line {number}: {why}"))
                .collect();
            if self.unread.len() > TOLD {
                why.push(format!("and {} more", self.unread.len() - TOLD));
            }
            told.push(format!(
                "{name}: kept {} that cannot be read in {UNREAD} ({})",
                plural(self.unread.len(), "line"),
                why.join("; ")
            ));
        }
        told
    }
}

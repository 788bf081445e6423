//! `labeler-tui journal`: moves, checks and rebuilds the journal of an outdir.

use super::write_out;
use crate::error::Result;
use crate::export::Exports;
use crate::outdir::JOURNAL;
use crate::record::Vocabulary;
use crate::settings::{JournalAction, JournalOptions};
use crate::store;
use crate::text::for_line;
use std::fmt::Write as _;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

/// Does it and says what it did; `false` where a check found something wrong.
pub fn run(options: &JournalOptions, out: &mut dyn Write) -> Result<bool> {
    let outdir = &options.outdir;
    let journal = outdir.join(JOURNAL);
    let journal = journal.display();
    let mut text = String::new();
    let mut sound = true;
    match &options.action {
        JournalAction::Backup(file) => {
            store::backup(outdir, file)?;
            line(&mut text, format_args!("wrote {}", file.display()));
        }
        JournalAction::Restore(file) => {
            let restored = store::restore(outdir, file)?;
            line(
                &mut text,
                format_args!("restored {journal} from {}", file.display()),
            );
            if restored.without_log {
                let what = "the log beside it belongs to another state and was left out";
                line(&mut text, format_args!("{what}"));
            }
            kept(&mut text, restored.kept);
        }
        JournalAction::Check => {
            let checked = store::check(outdir)?;
            sound = checked.problems.is_empty();
            for problem in &checked.problems {
                line(&mut text, format_args!("wrong: {problem}"));
            }
            for note in &checked.notes {
                line(&mut text, format_args!("note: {note}"));
            }
            if sound {
                line(&mut text, format_args!("{journal} is sound"));
            } else {
                line(
                    &mut text,
                    format_args!(
                        "`labeler-tui journal restore FILE` brings a backup back, \
                         `labeler-tui journal rebuild` saves what can be read; both keep \
                         the present journal beside the new one"
                    ),
                );
            }
        }
        JournalAction::Rebuild => {
            let mut rebuilt = store::rebuild(outdir, Arc::new(Vocabulary::builtin()?))?;
            let mut exports = Exports::new(outdir, false);
            exports.rebuild(&mut rebuilt.journal)?;
            let counts = rebuilt.journal.counts()?;
            line(
                &mut text,
                format_args!(
                    "rebuilt {journal}: images {}, records {}, answers {}",
                    counts.groups, counts.records, rebuilt.attempts
                ),
            );
            if rebuilt.lost > 0 {
                line(
                    &mut text,
                    format_args!("rows that could not be read: {}", rebuilt.lost),
                );
            }
            for notice in exports.take_notices() {
                line(&mut text, format_args!("{notice}"));
            }
            kept(&mut text, rebuilt.kept);
        }
    }
    write_out(out, text.as_bytes())?;
    Ok(sound)
}

fn kept(text: &mut String, kept: Option<PathBuf>) {
    if let Some(kept) = kept {
        line(
            text,
            format_args!("the journal of before is kept as {}", kept.display()),
        );
    }
}

/// Paths and damaged rows come from outside.
fn line(text: &mut String, words: std::fmt::Arguments) {
    // Writing to a text cannot fail.
    let _ = writeln!(text, "{}", for_line(&words.to_string()));
}

//! `labeler-tui journal`: moves, checks and rebuilds the journal of an outdir.

use super::{words_of, write_out};
use crate::error::{Error, ErrorKind, Result};
use crate::export::{self, ComparedFile, Exports, Tally};
use crate::outdir::{JOURNAL, KEPT};
use crate::settings::{JournalAction, JournalOptions};
use crate::store::{self, Journal};
use crate::text::for_line;
use crate::wording::Words;
use std::fmt::Write as _;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Lines and steps named one by one.
const NAMED: usize = 3;

/// Does it and says what it did; `false` where a check found something wrong.
pub fn run(options: &JournalOptions, out: &mut dyn Write) -> Result<bool> {
    let outdir = &options.outdir;
    let journal = outdir.join(JOURNAL);
    let journal = journal.display();
    let mut text = String::new();
    let mut sound = true;
    // What could be done is told all the same.
    let mut failed = None;
    match &options.action {
        JournalAction::Backup(file) => {
            store::backup(outdir, file)?;
            line(&mut text, format_args!("wrote {}", file.display()));
        }
        JournalAction::Restore(file) if store::is_run_file(file) && file.exists() => {
            failed = replay(outdir, file, &mut text)?;
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
            let checked = store::check(outdir, words_of(outdir, None)?)?;
            sound = checked.problems.is_empty();
            for problem in &checked.problems {
                line(&mut text, format_args!("wrong: {problem}"));
            }
            if let Some(copy) = &checked.copy {
                let found = export::compare(&copy.journal, outdir)?;
                for file in &found.files {
                    compared(&mut text, file);
                }
                withheld(&mut text, &found.tally);
            }
            for file in rescued(outdir, checked.copy.as_ref().map(|copy| &copy.journal))? {
                line(&mut text, format_args!("note: {file}"));
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
            export::check_outdir(outdir, None)?;
            let mut rebuilt = store::rebuild(outdir, words_of(outdir, None)?)?;
            let mut exports = Exports::new(outdir, &[]);
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
                line(
                    &mut text,
                    format_args!("{}", Words::ENGLISH.file_notice(&notice)),
                );
            }
            for file in rescued(outdir, Some(&rebuilt.journal))? {
                line(&mut text, format_args!("{file}"));
            }
            kept(&mut text, rebuilt.kept);
        }
    }
    write_out(out, text.as_bytes())?;
    match failed {
        Some(error) => Err(error),
        None => Ok(sound),
    }
}

/// Does again what a run wrote down whose journal was lost.
fn replay(outdir: &Path, file: &Path, text: &mut String) -> Result<Option<Error>> {
    export::check_outdir(outdir, None)?;
    let mut journal = Journal::lock(outdir, words_of(outdir, None)?)?;
    let mut exports = Exports::new(outdir, &[]);
    exports.catch_up(&mut journal)?;
    let replayed = store::replay(&mut journal, file)?;
    // Which pictures are gone is known when the source is next read.
    exports.update(&mut journal, false)?;
    line(
        text,
        format_args!(
            "restored from {}: steps {}, already there {}",
            file.display(),
            replayed.done,
            replayed.known
        ),
    );
    if replayed.unsaved > 0 {
        line(
            text,
            format_args!("not saved by the run itself: {}", replayed.unsaved),
        );
    }
    for notice in exports.take_notices() {
        line(
            text,
            format_args!("{}", Words::ENGLISH.file_notice(&notice)),
        );
    }
    for refused in replayed.refused.iter().take(NAMED) {
        line(text, format_args!("not done: {refused}"));
    }
    let n = replayed.refused.len();
    Ok((n > 0).then(|| {
        let cause = format!("{n} of the steps in {} could not be done", file.display());
        Error::new(ErrorKind::Store, cause).with_hint(
            "where the journal does not know an image yet, start the workstation or --batch once \
             with the source, then restore again: what is there already is not done twice",
        )
    }))
}

/// What to do with files of earlier runs whose journal was lost.
fn rescued(outdir: &Path, journal: Option<&Journal>) -> Result<Vec<String>> {
    let Some(journal) = journal else {
        return Ok(Vec::new());
    };
    let files = store::files_to_restore(journal, outdir)?.into_iter();
    let files = files.map(|file| {
        format!(
            "{0} holds what a run did and the journal does not have: `labeler-tui journal restore \
             {0} --outdir {1}` brings it back",
            file.display(),
            outdir.display()
        )
    });
    Ok(files.collect())
}

/// What is not as the journal would write it; the next start sets it right.
fn compared(text: &mut String, file: &ComparedFile) {
    if file.is_same() {
        return;
    }
    let parts = [
        ("missing", &file.missing),
        ("that the journal does not have", &file.extra),
        ("different", &file.different),
    ];
    let parts = parts.iter().filter(|(_, paths)| !paths.is_empty());
    let parts: Vec<String> = parts
        .map(|(what, paths)| {
            let lines = match paths.len() {
                1 => "1 line".to_owned(),
                n => format!("{n} lines"),
            };
            let first: Vec<&str> = paths.iter().take(NAMED).map(String::as_str).collect();
            let more = match paths.len() > NAMED {
                true => ", ...",
                false => "",
            };
            format!("{lines} {what} ({}{more})", first.join(", "))
        })
        .collect();
    line(
        text,
        format_args!(
            "note: {}: {}; the next start writes it anew and keeps what somebody else wrote",
            file.name,
            parts.join(", ")
        ),
    );
}

/// What no file shows because another image is at its path.
fn withheld(text: &mut String, tally: &Tally) {
    if tally.withheld + tally.withheld_edits == 0 {
        return;
    }
    line(
        text,
        format_args!(
            "note: another image is at the path of records: {}, edits: {} ({}); they come back \
             with their image, and their texts are in {KEPT}",
            tally.withheld,
            tally.withheld_edits,
            tally.withheld_paths.join(", ")
        ),
    );
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

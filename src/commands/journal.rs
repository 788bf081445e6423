//! `labeler-tui journal`: moves, checks and rebuilds the journal of an outdir.

use super::options::{JournalAction, JournalOptions};
use super::{load_vocabulary, write_out};
use crate::error::{Error, ErrorKind, Result};
use crate::export::{self, ComparedFile, ExportIssues, Exports, MissingImages};
use crate::outdir::{JOURNAL, KEPT};
use crate::store::{self, Journal};
use crate::text::{for_line, plural};
use crate::wording::Words;
use std::fmt::Write as _;
use std::io::Write;
use std::path::{Path, PathBuf};

/// How many lines or steps are listed one by one.
const MAX_LISTED: usize = 3;

/// Runs the action and reports it. Returns `false` if a check found problems.
pub fn run(options: &JournalOptions, out: &mut dyn Write) -> Result<bool> {
    let outdir = &options.outdir;
    let mut text = String::new();
    let mut sound = true;
    // Reported after what could be done.
    let mut failed = None;
    match &options.action {
        JournalAction::Backup(file) => {
            store::backup(outdir, file)?;
            line(&mut text, format_args!("wrote {}", file.display()));
        }
        JournalAction::Restore(file) if store::is_steps_file(file) && file.exists() => {
            failed = replay(outdir, file, &mut text)?;
        }
        JournalAction::Restore(file) => restore(outdir, file, &mut text)?,
        JournalAction::Check => sound = check(outdir, &mut text)?,
        JournalAction::Rebuild => rebuild(outdir, &mut text)?,
    }
    write_out(out, text.as_bytes())?;
    match failed {
        Some(error) => Err(error),
        None => Ok(sound),
    }
}

/// Replaces the journal with a backup.
fn restore(outdir: &Path, file: &Path, text: &mut String) -> Result<()> {
    let restored = store::restore(outdir, file)?;
    let journal = outdir.join(JOURNAL);
    line(
        text,
        format_args!("restored {} from {}", journal.display(), file.display()),
    );
    if restored.without_log {
        let what = "the log beside the backup belongs to another state and was left out";
        line(text, format_args!("{what}"));
    }
    report_kept(text, restored.kept);
    Ok(())
}

/// Reports problems of the journal and differences of the exports. Returns `false` if the journal
/// has problems.
fn check(outdir: &Path, text: &mut String) -> Result<bool> {
    let checked = store::check(outdir, load_vocabulary(outdir, None)?)?;
    for problem in &checked.problems {
        line(text, format_args!("wrong: {problem}"));
    }
    if let Some(copy) = &checked.copy {
        let found = export::compare(&copy.journal, outdir)?;
        for file in &found.files {
            report_differences(text, file);
        }
        report_withheld(text, &found.issues);
    }
    for file in rescued(outdir, checked.copy.as_ref().map(|copy| &copy.journal))? {
        line(text, format_args!("note: {file}"));
    }
    let is_sound = checked.problems.is_empty();
    if is_sound {
        let journal = outdir.join(JOURNAL);
        line(text, format_args!("{} is sound", journal.display()));
    } else {
        line(
            text,
            format_args!(
                "`labeler-tui journal restore FILE` restores a backup, \
                 `labeler-tui journal rebuild` saves what can be read; both keep \
                 the current journal beside the new one"
            ),
        );
    }
    Ok(is_sound)
}

/// Builds a new journal from `labels.jsonl` and what can be read of the current one.
fn rebuild(outdir: &Path, text: &mut String) -> Result<()> {
    export::check_outdir(outdir, None)?;
    let mut rebuilt = store::rebuild(outdir, load_vocabulary(outdir, None)?)?;
    let mut exports = Exports::new(outdir, &[]);
    exports.rebuild(&mut rebuilt.journal, rebuilt.prefer)?;
    let counts = rebuilt.journal.counts()?;
    line(
        text,
        format_args!(
            "rebuilt {}: images {}, records {}, answers {}",
            outdir.join(JOURNAL).display(),
            counts.groups,
            counts.records,
            rebuilt.attempts
        ),
    );
    if rebuilt.lost > 0 {
        line(
            text,
            format_args!("rows that could not be read: {}", rebuilt.lost),
        );
    }
    report_notices(text, &mut exports);
    for file in rescued(outdir, Some(&rebuilt.journal))? {
        line(text, format_args!("{file}"));
    }
    report_kept(text, rebuilt.kept);
    Ok(())
}

/// Applies the steps that a run saved to `file` after its journal was lost. Returns an error to
/// report if some could not be applied.
fn replay(outdir: &Path, file: &Path, text: &mut String) -> Result<Option<Error>> {
    export::check_outdir(outdir, None)?;
    let mut journal = Journal::lock(outdir, load_vocabulary(outdir, None)?)?;
    let mut exports = Exports::new(outdir, &[]);
    exports.catch_up(&mut journal)?;
    let replayed = store::replay(&mut journal, file)?;
    // The next run with the source finds out which images are gone.
    exports.update(&mut journal, MissingImages::MayTurnUp)?;
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
            format_args!("never saved by the run: {}", replayed.unsaved),
        );
    }
    report_notices(text, &mut exports);
    for refused in replayed.refused.iter().take(MAX_LISTED) {
        line(text, format_args!("not applied: {refused}"));
    }
    let n = replayed.refused.len();
    Ok((n > 0).then(|| {
        let cause = format!(
            "{n} of the steps in {} could not be applied",
            file.display()
        );
        Error::new(ErrorKind::Store, cause).with_hint(
            "if the journal does not know an image yet, start the workstation or --batch once \
             with the source, then restore again; no step is applied twice",
        )
    }))
}

/// Tells how to restore the files that runs saved after their journal was lost.
fn rescued(outdir: &Path, journal: Option<&Journal>) -> Result<Vec<String>> {
    let Some(journal) = journal else {
        return Ok(Vec::new());
    };
    let files = store::files_to_restore(journal, outdir)?.into_iter();
    let files = files.map(|file| {
        format!(
            "{0} holds work of a run that the journal does not have; `labeler-tui journal restore \
             {0} --outdir {1}` restores it",
            file.display(),
            outdir.display()
        )
    });
    Ok(files.collect())
}

/// Reports what happened to files while they were exported.
fn report_notices(text: &mut String, exports: &mut Exports) {
    for notice in exports.take_notices() {
        line(
            text,
            format_args!("{}", Words::ENGLISH.file_notice(&notice)),
        );
    }
}

/// Reports lines that differ from what the journal would write. The next start corrects them.
fn report_differences(text: &mut String, file: &ComparedFile) {
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
            let lines = plural(paths.len(), "line");
            let first: Vec<&str> = paths.iter().take(MAX_LISTED).map(String::as_str).collect();
            let more = match paths.len() > MAX_LISTED {
                true => ", ...",
                false => "",
            };
            format!("{lines} {what} ({}{more})", first.join(", "))
        })
        .collect();
    line(
        text,
        format_args!(
            "note: {}: {}; the next start rewrites the file and keeps lines of other programs",
            file.name,
            parts.join(", ")
        ),
    );
}

/// Reports the records and edits that are withheld because another image is at their path.
fn report_withheld(text: &mut String, issues: &ExportIssues) {
    if issues.withheld + issues.withheld_edits == 0 {
        return;
    }
    line(
        text,
        format_args!(
            "note: another image is at the path of records: {}, edits: {} ({}); they come back \
             with their image, and their texts are in {KEPT}",
            issues.withheld,
            issues.withheld_edits,
            issues.withheld_paths.join(", ")
        ),
    );
}

fn report_kept(text: &mut String, kept: Option<PathBuf>) {
    if let Some(kept) = kept {
        line(
            text,
            format_args!("the previous journal is kept as {}", kept.display()),
        );
    }
}

/// Adds a line. Paths and damaged rows in it are untrusted.
fn line(text: &mut String, line: std::fmt::Arguments) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{}", for_line(&line.to_string()));
}

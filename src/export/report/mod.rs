//! Writes the report: a self-contained HTML page about the records of an outdir.

mod entry;
mod page;
mod plots;

use super::audit_summary::AuditSummary;
use super::target::Target;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::outdir::{file_error, refuse_irregular};
use crate::record::{Field, GroupState, GroupSummary, Reason, Vocabulary};
use crate::store::Journal;
use entry::ReportEntry;
use page::{PAGE_AFTER, PAGE_BEFORE, SCRIPT, STYLE, escaped, filled, script_safe};
use plots::{ReportCounts, plots};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Inputs of a page besides the journal.
#[derive(Debug)]
pub struct ReportPage {
    /// Path of the page.
    pub html: PathBuf,
    pub title: String,
    /// Line below the title: when and from what the page was made.
    pub about: String,
    pub audit: Option<AuditSummary>,
}

/// Summary of a written page.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Reported {
    pub images: usize,
    /// Images that could not be read and are shown without an icon.
    pub without_icon: usize,
}

/// Writes the page. `progress` is called with the number of written images and the total.
pub fn write_report(
    journal: &Journal,
    vocabulary: &Vocabulary,
    page: &ReportPage,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Reported> {
    let (folder, name) = folder_and_name(&page.html)?;
    let with_hint =
        |error: Error| error.with_hint("give --html another name, in a folder that exists");
    let target = Target::find(folder, name).map_err(with_hint)?;
    refuse_other_file(target.path())?;
    let mut out = target.begin().map_err(|error| match error.hint {
        Some(_) => error,
        None => with_hint(error),
    })?;
    let failed = file_error("writing", &page.html);
    let summaries = journal.summaries()?;
    let families = families_of_several(&summaries);
    let mut tally = ReportCounts::default();
    summaries.iter().for_each(|summary| tally.add(summary));
    tally.families = families.len() as u64;
    tally.records = journal.counts()?.records;
    tally.retrieval = journal.retrieval()?;
    let figures = plots::figures(&tally, page.audit.as_ref());
    let plots = plots(&tally, page.audit.as_ref(), vocabulary);
    let before = filled(
        &PAGE_BEFORE,
        &[
            ("title", &escaped(&page.title)),
            ("about", &escaped(&page.about)),
            ("style", STYLE),
            ("figures", &figures),
            ("plots", &plots),
        ],
    );
    let begin = |out: &mut dyn Write| -> io::Result<()> {
        out.write_all(before.as_bytes())?;
        out.write_all(b"{\"meta\":")?;
        out.write_all(script_safe(&meta(vocabulary).to_string()).as_bytes())?;
        out.write_all(b",\"records\":[")
    };
    begin(&mut out).map_err(&failed)?;
    let mut failures = failures_by_path(journal)?;
    let mut reported = Reported::default();
    let total = summaries.len();
    for summary in summaries {
        progress(reported.images, total);
        let (item, _) = journal.item(summary.id)?;
        let first = journal.first_text(summary.id)?;
        let failure = failures.remove(&summary.image_path);
        let confused = match summary.reasons.contains(&Reason::NotFound) {
            true => journal.retrieved(summary.id)?,
            false => None,
        };
        let confused = confused.and_then(|found| found.label.confused);
        let entry = ReportEntry::of(&summary, &item, first, failure, &families);
        let entry = entry.with_confused(confused.map(|other| other.image_path));
        reported.without_icon += usize::from(!entry.has_icon());
        let entry = serde_json::to_string(&entry);
        let entry = entry.context(ErrorKind::Internal, "writing a record of the report")?;
        let comma = if reported.images > 0 { ",\n" } else { "\n" };
        reported.images += 1;
        out.write_all(comma.as_bytes())
            .and_then(|()| out.write_all(script_safe(&entry).as_bytes()))
            .map_err(&failed)?;
    }
    let after = filled(&PAGE_AFTER, &[("script", SCRIPT)]);
    out.write_all(b"]}")
        .and_then(|()| out.write_all(after.as_bytes()))
        .map_err(&failed)?;
    target.replace(out.finish()?)?;
    Ok(reported)
}

/// The families of more than one image.
fn families_of_several(summaries: &[GroupSummary]) -> HashSet<i64> {
    let mut images: HashMap<i64, usize> = HashMap::new();
    for family in summaries.iter().filter_map(|summary| summary.family) {
        *images.entry(family.0).or_default() += 1;
    }
    images.retain(|_, images| *images > 1);
    images.into_keys().collect()
}

/// Why images have no record, by their paths.
fn failures_by_path(journal: &Journal) -> Result<HashMap<String, String>> {
    let mut failures = HashMap::new();
    journal.each_failure(|failed| {
        let why = format!("{}: {}", failed.code, failed.detail);
        failures.insert(failed.image_path, why);
        Ok(())
    })?;
    Ok(failures)
}

/// What the script of the page needs besides the records.
fn meta(vocabulary: &Vocabulary) -> Value {
    let field = |field: &Field| {
        json!({
            "key": field.key(), "name": field.name(), "list": field.is_list(),
        })
    };
    json!({
        "fields": Field::ALL.iter().map(field).collect::<Vec<_>>(),
        "states": GroupState::ALL.iter().map(|state| state.name()).collect::<Vec<_>>(),
        "reasons": Reason::ALL.iter().map(|reason| reason.code()).collect::<Vec<_>>(),
        "colors": plots::swatches(vocabulary),
    })
}

/// Marks a page as one of ours, within its first [`HEAD_BYTES`].
const GENERATOR: &str = r#"<meta name="generator" content="labeler-tui">"#;
const HEAD_BYTES: u64 = 512;

/// Rejects an existing file that is not an earlier report, such as another page or a journal.
fn refuse_other_file(path: &Path) -> Result<()> {
    if let Ok(false) = path.try_exists() {
        return Ok(());
    }
    refuse_irregular(path).map_err(|error| error.with_hint("give --html another name"))?;
    let there = File::open(path).map_err(file_error("reading", path))?;
    let mut begin = Vec::new();
    there
        .take(HEAD_BYTES)
        .read_to_end(&mut begin)
        .map_err(file_error("reading", path))?;
    match begin.is_empty() || String::from_utf8_lossy(&begin).contains(GENERATOR) {
        true => Ok(()),
        false => Err(Error::new(
            ErrorKind::Usage,
            format!(
                "{} exists and is not a report of labeler-tui",
                path.display()
            ),
        )
        .with_hint("give --html another name")),
    }
}

/// Splits the path of the page into folder and file name.
fn folder_and_name(html: &Path) -> Result<(&Path, &str)> {
    let name = html.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| {
        let cause = format!("{} is not a file name", html.display());
        Error::new(ErrorKind::Usage, cause).with_hint("give --html a file such as report.html")
    })?;
    let folder = match html.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    Ok((folder, name))
}

#[cfg(test)]
mod tests;

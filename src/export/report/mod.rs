//! The report: one page in one file, with everything that it shows inside, that says how the
//! records of an outdir stand.

mod entry;
mod page;
mod plots;

use super::audited::Audited;
use super::target::Target;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::outdir::{file, refuse_irregular};
use crate::record::{Field, GroupState, Reason, Vocabulary};
use crate::store::Journal;
use entry::Entry;
use page::{PAGE_AFTER, PAGE_BEFORE, SCRIPT, STYLE, escaped, filled, script_safe};
use plots::{Tally, plots};
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// What a page is made of.
#[derive(Debug)]
pub struct ReportPage {
    /// The page.
    pub html: PathBuf,
    /// Above it.
    pub title: String,
    /// Under that: when it was made, of what.
    pub about: String,
    pub audit: Option<Audited>,
}

/// What is in a page.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Reported {
    pub images: usize,
    /// Images that could not be read, and are not shown.
    pub without_icon: usize,
}

/// Writes the page; `step` hears how many images of how many are in it.
pub fn write_report(
    journal: &Journal,
    vocabulary: &Vocabulary,
    page: &ReportPage,
    step: &mut dyn FnMut(usize, usize),
) -> Result<Reported> {
    let (folder, name) = place(&page.html)?;
    let other = |error: Error| error.with_hint("give --html another name, in a folder that exists");
    let target = Target::find(folder, name).map_err(other)?;
    refuse_other(target.path())?;
    let mut out = target.begin().map_err(|error| match error.hint {
        Some(_) => error,
        None => other(error),
    })?;
    let failed = file("writing", &page.html);
    let summaries = journal.summaries()?;
    let mut tally = Tally::default();
    let mut families: HashMap<i64, usize> = HashMap::new();
    for summary in &summaries {
        tally.add(summary);
        if let Some(family) = summary.family {
            *families.entry(family.0).or_default() += 1;
        }
    }
    families.retain(|_, images| *images > 1);
    tally.families = families.len() as u64;
    tally.records = journal.counts()?.records;
    tally.found = journal.retrieval()?;
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
    let meta = json!({
        "fields": Field::ALL.iter().map(|field| json!({
            "key": field.key(), "name": field.name(), "list": field.is_list(),
        })).collect::<Vec<_>>(),
        "states": GroupState::ALL.iter().map(|state| state.name()).collect::<Vec<_>>(),
        "reasons": Reason::ALL.iter().map(|reason| reason.code()).collect::<Vec<_>>(),
        "colors": plots::swatches(vocabulary),
    });
    let begin = |out: &mut dyn Write| -> io::Result<()> {
        out.write_all(before.as_bytes())?;
        out.write_all(b"{\"meta\":")?;
        out.write_all(script_safe(&meta.to_string()).as_bytes())?;
        out.write_all(b",\"records\":[")
    };
    begin(&mut out).map_err(&failed)?;
    let mut failures = HashMap::new();
    journal.each_failure(|failed| {
        let why = format!("{}: {}", failed.code, failed.detail);
        failures.insert(failed.image_path, why);
        Ok(())
    })?;
    let mut reported = Reported::default();
    let shown: HashSet<i64> = families.into_keys().collect();
    let total = summaries.len();
    for summary in summaries {
        step(reported.images, total);
        let (item, _) = journal.item(summary.id)?;
        let first = journal.first_text(summary.id)?;
        let failure = failures.remove(&summary.image_path);
        let instead = match summary.reasons.contains(&Reason::NotFound) {
            true => journal.retrieved(summary.id)?,
            false => None,
        };
        let instead = instead.and_then(|found| found.label.confused);
        let entry = Entry::of(&summary, &item, first, failure, &shown);
        let entry = entry.with_instead(instead.map(|other| other.image_path));
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

/// How a page begins.
const BEGIN: &[u8] = b"<!doctype html>";

/// Only a page is replaced: the name may be that of a picture, a manifest or a journal.
fn refuse_other(path: &Path) -> Result<()> {
    if let Ok(false) = path.try_exists() {
        return Ok(());
    }
    refuse_irregular(path).map_err(|error| error.with_hint("give --html another name"))?;
    let there = File::open(path).map_err(file("reading", path))?;
    let mut begin = Vec::new();
    there
        .take(BEGIN.len() as u64)
        .read_to_end(&mut begin)
        .map_err(file("reading", path))?;
    match begin.is_empty() || begin.eq_ignore_ascii_case(BEGIN) {
        true => Ok(()),
        false => Err(Error::new(
            ErrorKind::Usage,
            format!("{} is there, and is not a page", path.display()),
        )
        .with_hint("give --html another name")),
    }
}

/// The folder and the name of the page.
fn place(html: &Path) -> Result<(&Path, &str)> {
    let name = html.file_name().and_then(|name| name.to_str());
    let name = name.ok_or_else(|| {
        let cause = format!("{} is not the name of a file", html.display());
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

//! `labeler-tui retrieval`: checks whether the texts of each record find its image among all
//! images.

use super::measure::{RetrievalMeasurement, StageProgress, measure, records};
use super::open_with_bar;
use crate::commands::options::RetrievalOptions;
use crate::commands::{load_vocabulary, progress_bar, write_out};
use crate::embed::named;
use crate::engine::VectorFile;
use crate::error::{Error, ErrorKind, Result};
use crate::outdir;
use crate::record::{
    BeforeAfter, RetrievalMetrics, RetrievalResult, RetrievalSummary, RetrieverName, SearchRank,
    Vocabulary,
};
use crate::store::{self, Journal};
use crate::text::{count, for_json, for_line, pad, percent, plural, utc};
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// How many records or images are listed.
const MAX_LISTED: usize = 10;

/// Measures, stores the result in the journal, and prints it. Returns `false` if some images could
/// not be read.
pub fn run(options: &RetrievalOptions, out: &mut dyn Write) -> Result<bool> {
    let outdir = &options.outdir;
    let vocabulary = load_vocabulary(outdir, options.vocabulary.as_deref())?;
    // The result must be stored, perhaps hours later.
    store::check_unlocked(outdir)?;
    let chosen = {
        let copy = store::copy_to_read(outdir, Arc::clone(&vocabulary))?;
        records(&copy.journal, options.drafts)?
    };
    if chosen.is_empty() {
        let cause = format!("there are no committed records in {}", outdir.display());
        return Err(Error::new(ErrorKind::Usage, cause)
            .with_hint("commit some, or add --drafts to include uncommitted records"));
    }
    outdir::check(outdir, None, &[])?;
    let retriever = open_with_bar(&options.retriever)?;
    let mut vectors = VectorFile::open(outdir, &retriever.digest)?;
    let bar = progress_bar("{msg:10} {wide_bar} {pos}/{len} {eta}");
    let mut stage = "";
    let background = options.background;
    let measured = measure(
        chosen,
        &retriever,
        background,
        &mut vectors,
        &mut |at: StageProgress| {
            if at.stage != stage {
                stage = at.stage;
                bar.reset();
                bar.set_message(at.stage);
            }
            bar.set_length(at.total as u64);
            bar.set_position(at.done as u64);
        },
    );
    bar.finish_and_clear();
    let measured = measured?;
    let summary = RetrievalSummary {
        at: utc(jiff::Timestamp::now()),
        by: named::name_of(&options.retriever, background, retriever.digest.clone()),
        images: measured.records.len() as u64,
        labels: measured.labels,
        queries: measured.queries,
    };
    save(outdir, &vocabulary, &measured, &summary)?;
    let text = match options.json {
        true => for_json(&json(&measured, &summary).to_string()) + "\n",
        false => table(&measured, &summary, outdir),
    };
    write_out(out, text.as_bytes())?;
    Ok(measured.unreadable.is_empty())
}

fn save(
    outdir: &Path,
    vocabulary: &Arc<Vocabulary>,
    measured: &RetrievalMeasurement,
    summary: &RetrievalSummary,
) -> Result<()> {
    let found = measured.records.iter();
    let found: Vec<_> = found
        .map(|(record, found)| (record.group, found.clone()))
        .collect();
    let mut journal = Journal::lock(outdir, Arc::clone(vocabulary)).map_err(|error| {
        error.with_hint("run it again when the outdir is free; no vector is computed twice")
    })?;
    journal.set_retrieved(&found, summary)?;
    Ok(())
}

fn json(measured: &RetrievalMeasurement, summary: &RetrievalSummary) -> Value {
    let finding = |finding: &SearchRank| {
        json!({
            "text": finding.text,
            "rank": finding.rank,
            "margin": finding.margin,
            "confused": finding.confused.as_ref().map(|other| json!({
                "image_path": other.image_path,
                "item_name": other.item_name,
                "family": other.is_family,
            })),
        })
    };
    let records = measured.records.iter().map(|(record, found)| {
        json!({
            "image_path": record.image_path,
            "item_name": record.item_name,
            "label": finding(&found.label),
            "queries": found.queries.iter().map(finding).collect::<Vec<_>>(),
            "not_found": is_missed(found),
        })
    });
    let unreadable = measured.unreadable.iter();
    let unreadable = unreadable.map(|(path, why)| json!({"image_path": path, "detail": why}));
    json!({
        "retriever": summary.by,
        "at": summary.at,
        "images": summary.images,
        "labels": summary.labels,
        "queries": summary.queries,
        "records": records.collect::<Vec<_>>(),
        "unreadable": unreadable.collect::<Vec<_>>(),
    })
}

fn is_missed(found: &RetrievalResult) -> bool {
    found.is_miss(&found.label)
}

fn table(measured: &RetrievalMeasurement, summary: &RetrievalSummary, outdir: &Path) -> String {
    let RetrieverName {
        retriever, adapter, ..
    } = &summary.by;
    let adapter = adapter
        .as_ref()
        .map_or_else(String::new, |it| format!(" with {it}"));
    let mut text = format!(
        "{} searched with {}; {} computed\n\n",
        plural(measured.records.len(), "image"),
        for_line(&format!("{retriever}{adapter}")),
        plural(measured.computed, "vector"),
    );
    text.push_str("                     texts      @1      @5     @10     MRR\n");
    for (name, BeforeAfter { before, after }) in
        [("labels", summary.labels), ("queries", summary.queries)]
    {
        text.push_str(&row(name, &after));
        if before != after {
            text.push_str(&row("  as first written", &before));
        }
    }
    let missed = |found: &&RetrievalResult| is_missed(found);
    let missed = measured
        .records
        .iter()
        .map(|(_, found)| found)
        .filter(missed)
        .count();
    if missed > 0 {
        text.push_str(&format!(
            "\n{} not found by the label; to list them: labeler-tui list --outdir {} --filter \
             reason:not_found\n",
            plural(missed, "image"),
            for_line(&outdir.display().to_string())
        ));
    }
    let mut worst: Vec<_> = measured
        .records
        .iter()
        .filter(|(_, found)| found.label.rank > 1)
        .collect();
    worst.sort_by_key(|(_, found)| std::cmp::Reverse((found.label.rank_outside, found.label.rank)));
    if !worst.is_empty() {
        text.push_str("\n   rank  margin  item, and the item that ranks first\n");
    }
    for (record, found) in worst.iter().take(MAX_LISTED) {
        let label = &found.label;
        let other = label.confused.as_ref().map_or_else(String::new, |other| {
            let family = if other.is_family {
                " (same family)"
            } else {
                ""
            };
            let other = display_name(&other.item_name, &other.image_path);
            format!(" < {other}{family}")
        });
        let own = display_name(&record.item_name, &record.image_path);
        text.push_str(&format!(
            "{:>7} {:>7.3}  {own}{other}\n",
            label.rank, label.margin
        ));
    }
    for (path, why) in measured.unreadable.iter().take(MAX_LISTED) {
        text.push_str(&format!(
            "not searched: {}: {}\n",
            for_line(path),
            for_line(why)
        ));
    }
    if measured.unreadable.len() > MAX_LISTED {
        let more = measured.unreadable.len() - MAX_LISTED;
        text.push_str(&format!("{} more not searched\n", plural(more, "image")));
    }
    text
}

/// The item's name, or the path of its image where it has no name.
fn display_name(name: &str, path: &str) -> String {
    match name.is_empty() {
        true => for_line(path),
        false => for_line(name),
    }
}

fn row(name: &str, figures: &RetrievalMetrics) -> String {
    let percent = |share: f64| format!("{:>5} %", percent(share, 1));
    format!(
        "{} {:>7} {} {} {} {:>7.3}\n",
        pad(name, 18),
        count(figures.texts),
        percent(figures.recall_1),
        percent(figures.recall_5),
        percent(figures.recall_10),
        figures.mrr
    )
}

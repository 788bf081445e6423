//! `labeler-tui list`: prints the records that need review, in queue order, with reasons and
//! suggested fixes.

use super::options::ListOptions;
use super::selection::RecordFilter;
use super::{write_out, write_to_reader};
use crate::error::Result;
use crate::record::filter::NEEDS_REVIEW;
use crate::record::fixes::Fix;
use crate::record::{Field, GroupId, QualityFlags, Record};
use crate::store::{ReviewRecord, copy_to_read};
use crate::text::{for_json, for_line, plural};
use crate::threads::map_in_order;
use crate::wording::Words;
use serde::Serialize;
use serde_json::{Value, json};
use std::io::Write;
use std::ops::ControlFlow;

/// Lines are written in pieces of this size.
const WRITE_BYTES: usize = 64 << 10;

/// One line of `--json`.
#[derive(Debug, Serialize)]
struct ListedRecord {
    image_path: String,
    image_sha256: Option<String>,
    item_name: String,
    state: &'static str,
    uncertainty: f32,
    reasons: Vec<ListedReason>,
    /// Whether a new answer waits for a decision.
    offered: bool,
    /// Why the newest attempt failed.
    failure: Option<ListedFailure>,
    /// A person's judgment of the committed text in an audit.
    judgment: Option<ListedJudgment>,
    /// The same for all images of a family.
    family: Option<GroupId>,
    /// The draft in the record's form; null where there is none.
    record: Option<Record>,
}

#[derive(Debug, Serialize)]
struct ListedFailure {
    code: &'static str,
    detail: String,
}

#[derive(Debug, Serialize)]
struct ListedJudgment {
    verdict: &'static str,
    /// The field that is wrong.
    field: Option<Field>,
}

#[derive(Debug, Serialize)]
struct ListedReason {
    code: &'static str,
    about: Vec<String>,
    fixes: Vec<ListedFix>,
}

/// A suggested fix: the field that it is about, and in `also` the other fields that it changes.
#[derive(Debug, Serialize)]
struct ListedFix {
    #[serde(flatten)]
    main: FieldText,
    kind: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    also: Vec<FieldText>,
}

#[derive(Debug, Serialize)]
struct FieldText {
    field: &'static str,
    /// A text, a list or null, as in the record.
    value: Value,
    /// The value as a single text.
    text: String,
}

/// Prints one line per record that matches the filter, and notes on the audit and on missing colors
/// to `notes`.
pub fn run(options: &ListOptions, out: &mut dyn Write, notes: &mut dyn Write) -> Result<()> {
    let selection = RecordFilter::new(&options.selection, NEEDS_REVIEW)?;
    let copy = copy_to_read(&options.selection.outdir, selection.vocabulary.clone())?;
    let journal = &copy.journal;
    let mut without_colors = 0;
    let mut unwritten = String::new();
    let selected = selection.apply(journal)?.into_iter();
    map_in_order(
        selected.map(|summary| journal.stored_record(summary)),
        |stored| {
            let record = stored.evaluate(&selection.vocabulary);
            let mut text = match options.json {
                true => for_json(&json!(listed(&record)).to_string()),
                false => line(&record),
            };
            text.push('\n');
            (text, record.draft.is_some() && !record.has_colors)
        },
        |(text, lacks_colors)| {
            without_colors += usize::from(lacks_colors);
            unwritten.push_str(&text);
            if unwritten.len() < WRITE_BYTES {
                return Ok(ControlFlow::Continue(()));
            }
            let has_reader = write_to_reader(out, unwritten.as_bytes())?;
            unwritten.clear();
            Ok(match has_reader {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            })
        },
    )?;
    write_out(out, unwritten.as_bytes())?;
    let mut note = String::new();
    if let Some(audit) = super::judged_audit(journal)? {
        let line = Words::ENGLISH.audit_line(&audit);
        note.push_str(&format!(
            "note: audit of records without a reason: {line}\n"
        ));
    }
    if without_colors > 0 {
        note.push_str(&format!(
            "note: the journal does not have the colors of {} yet, so their color reasons are \
             missing; the next run with the source adds them\n",
            plural(without_colors, "image")
        ));
    }
    write_out(notes, note.as_bytes())
}

fn listed(record: &ReviewRecord) -> ListedRecord {
    let summary = &record.summary;
    let reasons = summary.reasons.iter();
    ListedRecord {
        image_path: summary.image_path.clone(),
        image_sha256: record.image_sha256.clone(),
        item_name: record.item.item_name.clone(),
        state: summary.state.name(),
        uncertainty: summary.uncertainty,
        reasons: reasons
            .map(|reason| ListedReason {
                code: reason.code(),
                about: record
                    .draft
                    .as_ref()
                    .map_or_else(Vec::new, |draft| draft.about(*reason).to_vec()),
                fixes: record
                    .fixes
                    .iter()
                    .filter(|fix| fix.reason == *reason)
                    .filter_map(listed_fix)
                    .collect(),
            })
            .collect(),
        offered: summary.offered,
        failure: record.failure.as_ref().map(|failure| ListedFailure {
            code: failure.code.code(),
            detail: failure.detail.to_string(),
        }),
        judgment: summary.judged.map(|judged| ListedJudgment {
            verdict: judged.name(),
            field: judged.field(),
        }),
        family: summary.family,
        record: draft_record(record),
    }
}

fn listed_fix(fix: &Fix) -> Option<ListedFix> {
    let mut fields = fix.fields.iter().map(|(field, values)| FieldText {
        field: field.key(),
        value: value(*field, values),
        text: values.join(", "),
    });
    Some(ListedFix {
        main: fields.next()?,
        kind: fix.kind.code(),
        also: fields.collect(),
    })
}

fn value(field: Field, values: &[String]) -> Value {
    match field.is_list() {
        true => json!(values),
        false => json!(values.first()),
    }
}

fn draft_record(record: &ReviewRecord) -> Option<Record> {
    let draft = record.draft.as_ref()?;
    let item = &record.item;
    Some(Record {
        image_path: record.summary.image_path.clone(),
        image_sha256: record.image_sha256.clone(),
        source_type: item.source_type,
        item_name: item.item_name.clone(),
        item_description: item.item_description.clone(),
        labels: draft.labels.clone(),
        quality_flags: QualityFlags {
            is_uncertain: !record.summary.reasons.is_empty(),
            reasons: record.summary.reasons.clone(),
        },
        model: draft.model.clone(),
        prompt_version: draft.prompt_version.clone(),
        generated_at: draft.generated_at.clone(),
    })
}

/// Tab-separated columns: uncertainty, state, path, name, and why the record is listed: reasons with
/// their first fixes, a new answer, or the failure.
fn line(record: &ReviewRecord) -> String {
    let summary = &record.summary;
    let reasons = summary.reasons.iter().map(|reason| {
        let about = record
            .draft
            .as_ref()
            .map_or(&[][..], |draft| draft.about(*reason));
        let about = match about {
            [] => String::new(),
            about => format!(" ({})", about.join(", ")),
        };
        let fix = record.fixes.iter().find(|fix| fix.reason == *reason);
        let fix = fix.and_then(|fix| fix.fields.first());
        let fix = fix.map_or_else(String::new, |(field, values)| {
            format!(" -> {}: {}", field.name(), values.join(", "))
        });
        format!("{}{about}{fix}", reason.code())
    });
    let offered = summary.offered.then(|| "a new answer waits".to_owned());
    let failure = record.failure.iter();
    let failure = failure.map(|failure| format!("{}: {}", failure.code.code(), failure.detail));
    let columns = [
        format!("{:.2}", summary.uncertainty),
        summary.state.name().to_owned(),
        summary.image_path.clone(),
        record.item.item_name.clone(),
        reasons
            .chain(offered)
            .chain(failure)
            .collect::<Vec<_>>()
            .join("; "),
    ];
    columns.map(|column| for_line(&column)).join("\t")
}

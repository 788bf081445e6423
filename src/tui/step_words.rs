//! What a step did to which fields of how many records, and what it left alone and why, in words.

use super::safe_text::{count, plural};
use super::view::record::field_name;
use crate::engine::Step;
use crate::record::{Change, StepReport};

pub fn words(step: &Step) -> String {
    match step {
        Step::Undone(name) => format!("undone: {name}"),
        Step::Redone(name) => format!("redone: {name}"),
        Step::Done(report) => done(report),
    }
}

fn done(report: &StepReport) -> String {
    let left = left(report);
    if report.records == 0 {
        return match left {
            Some(left) => format!("nothing changed: {left}"),
            None => "nothing changed".to_owned(),
        };
    }
    let mut text = deed(&report.change);
    let alone = report.records == 1 && left.is_none();
    let records = match report.fields[..] {
        _ if alone => String::new(),
        // Where the change may be about several fields, each is named with its records.
        [_, ..] if names_no_field(&report.change) => {
            let fields: Vec<String> = report
                .fields
                .iter()
                .map(|(field, records)| {
                    format!("{} in {}", field_name(*field), count(*records as u64))
                })
                .collect();
            format!(
                " in {}: {}",
                plural(report.records, "record"),
                fields.join(", ")
            )
        }
        [_, ..] => format!(" of {}", plural(report.records, "record")),
        [] => format!(" {}", plural(report.records, "record")),
    };
    text.push_str(&records);
    if alone && names_no_field(&report.change) {
        let fields: Vec<&str> = report
            .fields
            .iter()
            .map(|(field, _)| field_name(*field))
            .collect();
        if !fields.is_empty() {
            text.push_str(&format!(" in {}", fields.join(", ")));
        }
    }
    match left {
        Some(left) => format!("{text}; {left}"),
        None => text,
    }
}

fn names_no_field(change: &Change) -> bool {
    matches!(change, Change::Replace { .. } | Change::Canonicalize { .. })
}

fn deed(change: &Change) -> String {
    match change {
        Change::Set { field, .. } => format!("edited {}", field_name(*field)),
        Change::Add { field, value } => format!("added {value} to {}", field_name(*field)),
        Change::Remove { field, value } => format!("removed {value} from {}", field_name(*field)),
        Change::Rename { field, from, to } => {
            format!("renamed {from} to {to} in {}", field_name(*field))
        }
        Change::Replace { find, with } if with.is_empty() => format!("took `{find}` out"),
        Change::Replace { find, with } => format!("replaced `{find}` with `{with}`"),
        Change::Canonicalize {
            drop_unknown: false,
        } => "translated into the vocabulary".to_owned(),
        Change::Canonicalize { drop_unknown: true } => {
            "translated into the vocabulary, unknown words dropped".to_owned()
        }
        Change::TakeAttempt { .. } => "took the attempt whole".to_owned(),
        Change::TakeField { field, .. } => format!("took {} from the attempt", field_name(*field)),
        Change::SetNote { note: Some(_) } => "wrote a note".to_owned(),
        Change::SetNote { note: None } => "removed the note".to_owned(),
        Change::Accept => "accepted".to_owned(),
        Change::Reject { .. } => "rejected".to_owned(),
        Change::Reopen => "reopened".to_owned(),
        Change::Commit => "committed".to_owned(),
    }
}

/// How many records were left as they were, and why; `None` where there are none.
fn left(report: &StepReport) -> Option<String> {
    let mut parts = Vec::new();
    let mut part = |records: usize, one: &str, many: &str| {
        if records > 0 {
            let verb = if records == 1 { one } else { many };
            parts.push(format!("{} {verb}", count(records as u64)));
        }
    };
    let (one, many) = match &report.change {
        Change::Add { .. } => ("had it already", "had it already"),
        Change::Remove { .. } | Change::Rename { .. } => ("does not have it", "do not have it"),
        Change::Replace { .. } => ("does not hold it", "do not hold it"),
        Change::Canonicalize { .. } => ("has nothing to translate", "have nothing to translate"),
        _ => ("was so already", "were so already"),
    };
    part(report.untouched, one, many);
    part(report.without_draft, "has no draft", "have no draft");
    if let Some((records, why)) = &report.refused {
        let refused = format!("left alone ({why})");
        part(*records, &refused, &refused);
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

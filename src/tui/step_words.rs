//! Words for what a step did, and for versions.

use crate::engine::Step;
use crate::record::{Change, Draft, GroupDetail, LineEffects, Origin, Replacement, StepReport};
use crate::text::{count, fit, plural};

/// What a text is: `imported`, `attempt 2`, `derived from 눈꽃 모자`, `edit`.
pub fn version_kind(detail: &GroupDetail, text: &Draft) -> String {
    match (text.origin, detail.attempt_of(text)) {
        (Origin::Import, _) => "imported".to_owned(),
        (Origin::Attempt(_), Some(at)) if detail.attempts[at].opinion_of.is_some() => {
            "second opinion".to_owned()
        }
        (Origin::Derived(_), _) => match &detail.derived_from {
            Some(name) => format!("derived from {name}"),
            None => "derived".to_owned(),
        },
        (Origin::Attempt(_), Some(at)) => {
            let as_it_came = detail.attempts[at].labels.as_ref() == Some(&text.labels);
            let merged = if as_it_came { "" } else { ", merged" };
            format!("attempt {}{merged}", at + 1)
        }
        (Origin::Edit | Origin::Attempt(_), _) => "edit".to_owned(),
    }
}

/// Cells of a record's name in a notice.
const NAME: usize = 24;

/// Describes what a step changed in how many records, and what it left alone and why. `name` is the
/// only record that it is about, or where undo and redo have gone.
pub fn step_words(step: &Step, records: usize, name: &str) -> String {
    let name = fit(name, NAME);
    let back = |verb: &str, step: &str| match records {
        0 | 1 => format!("{name}: {verb}: {step}"),
        _ => format!("{verb}: {step}; now at {name}"),
    };
    match step {
        Step::Undone(step) => back("undone", step),
        Step::Redone(step) => back("redone", step),
        Step::Done(report) if records == 1 => format!("{name}: {}", done(report)),
        Step::Done(report) => done(report),
    }
}

fn done(report: &StepReport) -> String {
    let left = left_alone(report);
    if report.records == 0 {
        return match left {
            Some(left) => format!("nothing changed: {left}"),
            None => "nothing changed".to_owned(),
        };
    }
    let mut text = verb_phrase(&report.change);
    let alone = report.records == 1 && left.is_none();
    let records = match report.fields[..] {
        _ if alone => String::new(),
        // Where the change may be about several fields, each is named with its records.
        [_, ..] if names_no_field(&report.change) => {
            let fields: Vec<String> = report
                .fields
                .iter()
                .map(|(field, records)| format!("{} in {}", field.name(), count(*records as u64)))
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
            .map(|(field, _)| field.name())
            .collect();
        if !fields.is_empty() {
            text.push_str(&format!(" in {}", fields.join(", ")));
        }
    }
    if let Some(lines) = of_lines(&report.change, report.lines) {
        text.push_str(&format!(": {lines}"));
    }
    match left {
        Some(left) => format!("{text}; {left}"),
        None => text,
    }
}

/// What a decision means for lines that stand in labels.jsonl.
fn of_lines(change: &Change, effects: LineEffects) -> Option<String> {
    let (verb, when) = match change {
        Change::Commit => ("", ""),
        _ => ("will be ", " by the commit"),
    };
    let parts = [
        (effects.confirmed, "confirmed", "", ""),
        (effects.replaced, "replaced", verb, when),
        (effects.removed, "removed", verb, when),
    ];
    let told: Vec<String> = parts
        .into_iter()
        .filter(|(lines, ..)| *lines > 0)
        .map(|(lines, what, verb, when)| {
            format!("{} {verb}{what}{when}", plural(lines, "committed line"))
        })
        .collect();
    (!told.is_empty()).then(|| told.join(", "))
}

fn names_no_field(change: &Change) -> bool {
    matches!(
        change,
        Change::Replace(_) | Change::Canonicalize { .. } | Change::UpdateName | Change::Fix { .. }
    )
}

fn verb_phrase(change: &Change) -> String {
    match change {
        Change::Set { field, .. } => format!("edited {}", field.name()),
        Change::Add { field, value } => format!("added {value} to {}", field.name()),
        Change::Remove { field, value } => format!("removed {value} from {}", field.name()),
        Change::Rename { field, from, to } => {
            format!("renamed {from} to {to} in {}", field.name())
        }
        Change::Synonym { field, from, to } => {
            format!("made {from} a synonym of {to} in {}", field.name())
        }
        Change::Replace(Replacement { find, with, .. }) => match with.as_str() {
            "" => format!("took `{find}` out"),
            with => format!("replaced `{find}` with `{with}`"),
        },
        Change::Canonicalize {
            drop_unknown: false,
        } => "translated into the vocabulary".to_owned(),
        Change::Canonicalize { drop_unknown: true } => {
            "translated into the vocabulary, unknown words dropped".to_owned()
        }
        Change::UpdateName => "updated the name".to_owned(),
        Change::Fix { kind, .. } => kind.done().to_owned(),
        Change::TakeVersion { .. } => "took the version whole".to_owned(),
        Change::TakeField { field, .. } => format!("took {} from the version", field.name()),
        Change::SetNote { note: Some(_) } => "wrote a note".to_owned(),
        Change::SetNote { note: None } => "removed the note".to_owned(),
        Change::Accept => "accepted".to_owned(),
        Change::Reject { .. } => "rejected".to_owned(),
        Change::Reopen => "reopened".to_owned(),
        Change::Commit => "committed".to_owned(),
    }
}

/// How many records were left as they were, and why; `None` where there are none.
pub fn left_alone(report: &StepReport) -> Option<String> {
    let mut parts = Vec::new();
    let mut part = |records: usize, one: &str, many: &str| {
        if records > 0 {
            let verb = if records == 1 { one } else { many };
            parts.push(format!("{} {verb}", count(records as u64)));
        }
    };
    let (one, many) = match &report.change {
        Change::Add { .. } => ("had it already", "had it already"),
        Change::Remove { .. } | Change::Rename { .. } | Change::Synonym { .. } => {
            ("does not have it", "do not have it")
        }
        Change::Replace(_) => ("does not hold it", "do not hold it"),
        Change::Fix { .. } => ("cannot be fixed so", "cannot be fixed so"),
        Change::Canonicalize { .. } => ("has nothing to translate", "have nothing to translate"),
        Change::UpdateName => ("goes by its name", "go by their names"),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Field;

    fn said(change: Change, records: usize, fields: &[(Field, usize)]) -> StepReport {
        StepReport {
            records,
            fields: fields.to_vec(),
            ..StepReport::new(change)
        }
    }

    fn summer() -> Change {
        Change::Add {
            field: Field::TagsKo,
            value: "여름".to_owned(),
        }
    }

    #[test]
    fn a_bulk_step_says_what_it_did_and_what_it_left_alone() {
        let mut report = said(summer(), 40, &[(Field::TagsKo, 40)]);
        report.untouched = 3;
        report.without_draft = 2;
        report.refused = Some((1, "tags_ko holds at most 15".to_owned()));
        assert_eq!(
            done(&report),
            "added 여름 to tags of 40 records; 3 had it already, 2 have no draft, \
             1 left alone (tags_ko holds at most 15)"
        );
        report.records = 0;
        report.fields.clear();
        assert!(done(&report).starts_with("nothing changed: 3 had it already"));
        let one = said(summer(), 1, &[(Field::TagsKo, 1)]);
        assert_eq!(done(&one), "added 여름 to tags");
        assert_eq!(done(&said(Change::Commit, 3, &[])), "committed 3 records");
    }

    #[test]
    fn what_a_decision_means_for_lines_is_told() {
        let mut report = said(Change::Accept, 1, &[]);
        report.lines.confirmed = 1;
        assert_eq!(done(&report), "accepted: 1 committed line confirmed");
        report = said(
            Change::Reject {
                reason: "흐림".into(),
            },
            3,
            &[],
        );
        report.lines.removed = 2;
        assert_eq!(
            done(&report),
            "rejected 3 records: 2 committed lines will be removed by the commit"
        );
        report = said(Change::Commit, 4, &[]);
        report.lines.replaced = 3;
        report.lines.removed = 1;
        assert_eq!(
            done(&report),
            "committed 4 records: 3 committed lines replaced, 1 committed line removed"
        );
    }

    #[test]
    fn a_step_over_several_fields_names_each() {
        let change = Change::Replace(Replacement::everywhere("은빛", "금빛"));
        let fields = [(Field::LabelKo, 3), (Field::TagsKo, 12)];
        assert_eq!(
            done(&said(change.clone(), 14, &fields)),
            "replaced `은빛` with `금빛` in 14 records: label in 3, tags in 12"
        );
        assert_eq!(
            done(&said(change, 1, &fields)),
            "replaced `은빛` with `금빛` in label, tags"
        );
    }
}

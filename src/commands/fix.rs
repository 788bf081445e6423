//! `labeler-tui fix`: applies the safe fixes to the records that match a filter.

use super::selection::Selection;
use super::{lock_journal, write_out};
use crate::error::Result;
use crate::record::filter::NEEDS_REVIEW;
use crate::record::fixes::{FixableRecord, SAFE_FIXES, SafeFix, safe_fixes};
use crate::record::{
    Change, Field, FixKind, GroupId, GroupState, GroupSummary, Reason, Vocabulary,
};
use crate::settings::FixOptions;
use crate::store::copy_to_read;
use crate::text::{for_line, plural};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;

/// The fixes to apply, computed before any is applied.
#[derive(Default)]
struct Plan {
    /// In the order in which they are applied.
    steps: Vec<PlannedStep>,
    /// Records that the fixes may change.
    records: usize,
    /// Of these, how many have a reason before and after.
    flagged: (usize, usize),
    /// How many have each reason before and after.
    reasons: BTreeMap<Reason, (usize, usize)>,
    without_draft: usize,
    decided: usize,
}

struct PlannedStep {
    reason: Reason,
    kind: FixKind,
    pass: usize,
    groups: Vec<GroupId>,
    /// How many records change in each field.
    fields: BTreeMap<Field, usize>,
}

/// Applies the fixes and reports them; with `--dry-run` only reports them.
pub fn run(options: &FixOptions, out: &mut dyn Write) -> Result<()> {
    let outdir = &options.selection.outdir;
    let selection = Selection::new(&options.selection, NEEDS_REVIEW)?;
    let vocabulary = &selection.vocabulary;
    let plan = if options.dry_run {
        let copy = copy_to_read(outdir, vocabulary.clone())?;
        let journal = &copy.journal;
        let selected = selection.apply(journal)?;
        plan(&selected, vocabulary, |summary| journal.fixable(summary))?
    } else {
        let mut journal = lock_journal(outdir, vocabulary)?;
        let selected = selection.apply(&journal)?;
        let plan = plan(&selected, vocabulary, |summary| journal.fixable(summary))?;
        for step in &plan.steps {
            let change = Change::Fix {
                reason: step.reason,
                kind: step.kind,
            };
            journal.apply(&step.groups, &change, &change.name())?;
        }
        plan
    };
    write_out(out, report(&plan, options.dry_run).as_bytes())
}

fn plan(
    selected: &[GroupSummary],
    vocabulary: &Vocabulary,
    read: impl Fn(&GroupSummary) -> Result<Option<FixableRecord>>,
) -> Result<Plan> {
    let mut plan = Plan::default();
    for summary in selected {
        if is_decided(summary.state) {
            plan.decided += 1;
            continue;
        }
        match read(summary)? {
            Some(record) => plan.add(summary.id, &record, vocabulary),
            None => plan.without_draft += 1,
        }
    }
    // Each step depends on the steps before it.
    let order = |step: &PlannedStep| {
        let mut safe = SAFE_FIXES.iter();
        let position = safe.position(|safe| *safe == (step.reason, step.kind));
        (step.pass, position)
    };
    plan.steps.sort_by_key(order);
    Ok(plan)
}

/// Fixes never change a record that a person has accepted, committed or rejected.
fn is_decided(state: GroupState) -> bool {
    matches!(
        state,
        GroupState::Accepted | GroupState::Committed | GroupState::Rejected
    )
}

impl Plan {
    fn add(&mut self, group: GroupId, record: &FixableRecord, vocabulary: &Vocabulary) {
        let context = record.facts.context(vocabulary);
        let mut labels = &record.labels;
        let done = safe_fixes(labels, &context);
        for fix in &done {
            let step = self.step(fix);
            step.groups.push(group);
            for field in labels.differing(&fix.after) {
                *step.fields.entry(field).or_default() += 1;
            }
            labels = &fix.after;
        }
        let after = record.reasons_with(labels, vocabulary);
        self.records += 1;
        self.flagged.0 += usize::from(!record.reasons.is_empty());
        self.flagged.1 += usize::from(!after.is_empty());
        for reason in &record.reasons {
            self.reasons.entry(*reason).or_default().0 += 1;
        }
        for reason in after {
            self.reasons.entry(reason).or_default().1 += 1;
        }
    }

    fn step(&mut self, fix: &SafeFix) -> &mut PlannedStep {
        let &SafeFix {
            reason, kind, pass, ..
        } = fix;
        let is_same =
            |step: &PlannedStep| step.reason == reason && step.kind == kind && step.pass == pass;
        let at = self.steps.iter().position(is_same).unwrap_or_else(|| {
            self.steps.push(PlannedStep {
                reason,
                kind,
                pass,
                groups: Vec::new(),
                fields: BTreeMap::new(),
            });
            self.steps.len() - 1
        });
        &mut self.steps[at]
    }
}

fn report(plan: &Plan, dry_run: bool) -> String {
    let mut text = String::new();
    for step in &plan.steps {
        let action = match dry_run {
            true => format!("would {}", step.kind.title().english),
            false => step.kind.done().english.to_owned(),
        };
        let fields = step.fields.iter();
        let fields: Vec<String> = fields
            .map(|(field, records)| format!("{} {records}", field.key()))
            .collect();
        line(
            &mut text,
            &format!(
                "{action}: {} ({})",
                plural(step.groups.len(), "record"),
                fields.join(", ")
            ),
        );
    }
    if plan.steps.is_empty() {
        line(&mut text, "nothing to fix");
    }
    if plan.without_draft > 0 {
        let items = plural(plan.without_draft, "item");
        line(&mut text, &format!("left alone: {items} without a draft"));
    }
    if plan.decided > 0 {
        let records = plural(plan.decided, "record");
        let why = "accepted, committed or rejected by a person";
        line(&mut text, &format!("left alone: {records} {why}"));
    }
    let (before, after) = plan.flagged;
    let records = plural(plan.records, "record");
    line(
        &mut text,
        &format!("flagged: {before} -> {after} of {records}"),
    );
    for (reason, (before, after)) in &plan.reasons {
        line(
            &mut text,
            &format!("  {}: {before} -> {after}", reason.code()),
        );
    }
    if !dry_run && !plan.steps.is_empty() {
        line(
            &mut text,
            "nothing is committed: the records are edited drafts; accept and commit them in the \
             workstation, where each undo reverts one kind of fix",
        );
    }
    text
}

fn line(text: &mut String, line: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{}", for_line(line));
}

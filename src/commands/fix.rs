//! `labeler-tui fix`: applies the safe fixes to what a filter shows, and says what it did.

use super::selection::Selection;
use super::{lock_journal, write_out};
use crate::error::Result;
use crate::record::filter::NEEDS_REVIEW;
use crate::record::fixes::{FixableRecord, SAFE_FIXES, fix, safe_fixes};
use crate::record::{
    Change, Field, FixKind, GroupId, GroupState, GroupSummary, Reason, Vocabulary,
};
use crate::settings::FixOptions;
use crate::store::copy_to_read;
use crate::text::{for_line, plural};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;

/// What will be done, found out before anything is.
#[derive(Default)]
struct Plan {
    /// One step each, in the order in which they are done.
    steps: Vec<PlannedStep>,
    /// Records that nobody has decided about, flagged before and after.
    records: usize,
    flagged: (usize, usize),
    /// How many have each reason, before and after.
    reasons: BTreeMap<Reason, (usize, usize)>,
    without_draft: usize,
    decided: usize,
}

struct PlannedStep {
    reason: Reason,
    kind: FixKind,
    groups: Vec<GroupId>,
    /// How many records it changes which field of.
    fields: BTreeMap<Field, usize>,
}

/// Fixes, or with `--dry-run` only says what that would do.
pub fn run(options: &FixOptions, out: &mut dyn Write) -> Result<()> {
    let outdir = &options.selection.outdir;
    let selection = Selection::new(&options.selection, NEEDS_REVIEW)?;
    let vocabulary = &selection.vocabulary;
    let plan = if options.dry_run {
        let copy = copy_to_read(outdir, vocabulary.clone())?;
        let journal = &copy.journal;
        let shown = selection.of(journal)?;
        plan(&shown, vocabulary, |summary| journal.fixable(summary))?
    } else {
        let mut journal = lock_journal(outdir, vocabulary)?;
        let shown = selection.of(&journal)?;
        let plan = plan(&shown, vocabulary, |summary| journal.fixable(summary))?;
        for step in &plan.steps {
            let change = Change::Fix {
                reason: step.reason,
                kind: step.kind,
            };
            journal.apply(&step.groups, &change, &change.name())?;
        }
        plan
    };
    write_out(out, words(&plan, options.dry_run).as_bytes())
}

fn plan(
    shown: &[GroupSummary],
    vocabulary: &Vocabulary,
    read: impl Fn(&GroupSummary) -> Result<Option<FixableRecord>>,
) -> Result<Plan> {
    let mut plan = Plan::default();
    for summary in shown {
        if is_decided(summary.state) {
            plan.decided += 1;
            continue;
        }
        match read(summary)? {
            Some(record) => plan.add(summary.id, &record, vocabulary),
            None => plan.without_draft += 1,
        }
    }
    // One step depends on those before it.
    let place = |step: &PlannedStep| {
        let mut safe = SAFE_FIXES.iter();
        safe.position(|(_, kind)| *kind == step.kind)
    };
    plan.steps.sort_by_key(place);
    Ok(plan)
}

/// What a person has accepted, committed or rejected is theirs.
fn is_decided(state: GroupState) -> bool {
    matches!(
        state,
        GroupState::Accepted | GroupState::Committed | GroupState::Rejected
    )
}

impl Plan {
    fn add(&mut self, group: GroupId, record: &FixableRecord, vocabulary: &Vocabulary) {
        let context = record.facts.context(vocabulary);
        let (done, after) = safe_fixes(&record.labels, &context);
        let mut labels = record.labels.clone();
        for (reason, kind) in done {
            let Some(fixed) = fix(reason, kind, &labels, &context) else {
                continue;
            };
            let step = self.step(reason, kind);
            step.groups.push(group);
            for field in labels.differing(&fixed) {
                *step.fields.entry(field).or_default() += 1;
            }
            labels = fixed;
        }
        let after = record.reasons_with(&after, vocabulary);
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

    fn step(&mut self, reason: Reason, kind: FixKind) -> &mut PlannedStep {
        let is_it = |step: &PlannedStep| step.reason == reason && step.kind == kind;
        let at = self.steps.iter().position(is_it).unwrap_or_else(|| {
            self.steps.push(PlannedStep {
                reason,
                kind,
                groups: Vec::new(),
                fields: BTreeMap::new(),
            });
            self.steps.len() - 1
        });
        &mut self.steps[at]
    }
}

fn words(plan: &Plan, dry_run: bool) -> String {
    let mut text = String::new();
    for step in &plan.steps {
        let what = match dry_run {
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
                "{what}: {} ({})",
                plural(step.groups.len(), "record"),
                fields.join(", ")
            ),
        );
    }
    if plan.steps.is_empty() {
        line(&mut text, "nothing to fix");
    }
    if plan.without_draft > 0 {
        let records = plural(plan.without_draft, "item");
        line(&mut text, &format!("left alone: {records} without a draft"));
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
             workstation, where undo takes back one kind of fix at a time",
        );
    }
    text
}

fn line(text: &mut String, words: &str) {
    // Writing to a text cannot fail.
    let _ = writeln!(text, "{}", for_line(words));
}

//! `labeler-tui fix`: applies the safe fixes to the records that match a filter.

use super::options::FixOptions;
use super::selection::RecordFilter;
use super::{lock_journal, progress_bar, write_out};
use crate::error::Result;
use crate::record::filter::NEEDS_REVIEW;
use crate::record::fixes::{SAFE_FIXES, SafeFix, reasons_fixed, safe_fixes};
use crate::record::{Change, Field, FixKind, GroupId, GroupSummary, Reason, Vocabulary};
use crate::store::{Journal, StoredRecord, copy_to_read};
use crate::text::{for_line, plural};
use crate::threads::map_in_order;
use indicatif::ProgressBar;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;
use std::ops::ControlFlow;

/// The fixes to apply, computed before any is applied.
#[derive(Default)]
struct FixPlan {
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
    let bar = progress_bar("{msg:8} {wide_bar} {pos}/{len}");
    let plan = fix(options, &bar);
    bar.finish_and_clear();
    write_out(out, report(&plan?, options.dry_run).as_bytes())
}

/// Applies the fixes, unless `--dry-run` is given, and returns them.
fn fix(options: &FixOptions, bar: &ProgressBar) -> Result<FixPlan> {
    let outdir = &options.selection.outdir;
    let selection = RecordFilter::new(&options.selection, NEEDS_REVIEW)?;
    let vocabulary = &selection.vocabulary;
    if options.dry_run {
        let copy = copy_to_read(outdir, vocabulary.clone())?;
        let journal = &copy.journal;
        return plan(selection.apply(journal)?, vocabulary, journal, bar);
    }
    let mut journal = lock_journal(outdir, vocabulary)?;
    let plan = plan(selection.apply(&journal)?, vocabulary, &journal, bar)?;
    let changes = plan.steps.iter().map(|step| step.groups.len() as u64);
    bar.set_message("fixing");
    bar.set_length(changes.sum());
    bar.set_position(0);
    for step in &plan.steps {
        let change = Change::Fix {
            reason: step.reason,
            kind: step.kind,
        };
        journal.apply(&step.groups, &change, &change.name())?;
        bar.inc(step.groups.len() as u64);
    }
    Ok(plan)
}

fn plan(
    selected: Vec<GroupSummary>,
    vocabulary: &Vocabulary,
    journal: &Journal,
    bar: &ProgressBar,
) -> Result<FixPlan> {
    let mut plan = FixPlan::default();
    // Fixes never change what a person has decided.
    let is_open = |summary: &GroupSummary| !summary.state.is_decided();
    let all = selected.len();
    let open: Vec<GroupSummary> = selected.into_iter().filter(is_open).collect();
    plan.decided = all - open.len();
    bar.set_message("checking");
    bar.set_length(open.len() as u64);
    map_in_order(
        open.into_iter()
            .map(|summary| journal.stored_record(summary)),
        |record| FixedRecord::new(&record, vocabulary),
        |fixed| {
            match fixed {
                Some(fixed) => plan.add(fixed),
                None => plan.without_draft += 1,
            }
            bar.inc(1);
            Ok(ControlFlow::Continue(()))
        },
    )?;
    // Each step depends on the steps before it.
    let order = |step: &PlannedStep| {
        let mut safe = SAFE_FIXES.iter();
        let position = safe.position(|safe| *safe == (step.reason, step.kind));
        (step.pass, position)
    };
    plan.steps.sort_by_key(order);
    Ok(plan)
}

/// A record with its safe fixes and its reasons before and after them.
struct FixedRecord {
    group: GroupId,
    /// Each fix with the fields that it changes.
    fixes: Vec<(SafeFix, Vec<Field>)>,
    before: Vec<Reason>,
    after: Vec<Reason>,
}

impl FixedRecord {
    /// `None` if the record has no draft.
    fn new(record: &StoredRecord, vocabulary: &Vocabulary) -> Option<Self> {
        let (before, context) = record.fixable(vocabulary)?;
        let reasons = &record.summary.reasons;
        let mut labels = before.clone();
        let mut fixes = Vec::new();
        for fix in safe_fixes(before, &context) {
            let fields = labels.differing(&fix.after);
            labels.clone_from(&fix.after);
            fixes.push((fix, fields));
        }
        Some(Self {
            group: record.summary.id,
            fixes,
            before: reasons.clone(),
            after: reasons_fixed(before, reasons, &labels, &context),
        })
    }
}

impl FixPlan {
    fn add(&mut self, record: FixedRecord) {
        for (fix, fields) in &record.fixes {
            let step = self.step(fix);
            step.groups.push(record.group);
            for field in fields {
                *step.fields.entry(*field).or_default() += 1;
            }
        }
        self.records += 1;
        self.flagged.0 += usize::from(!record.before.is_empty());
        self.flagged.1 += usize::from(!record.after.is_empty());
        for reason in record.before {
            self.reasons.entry(reason).or_default().0 += 1;
        }
        for reason in record.after {
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

fn report(plan: &FixPlan, dry_run: bool) -> String {
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
        let why = "accepted, committed or rejected";
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

//! Queries of the front ends: the queue, details of a group, and counts.

use super::errors::{journal_error, unreadable};
use super::review_records;
use super::tables::answers::{attempts_of, read_failure};
use super::tables::computed::{read_observed, signals_of};
use super::tables::drafts::{DraftRow, current_draft, read_draft, read_drafts, reasons_of};
use super::tables::from_json;
use super::tables::groups::read_group;
use super::tables::records::read_record;
use super::tables::states::read_current;
use super::tables::steps::undone_drafts;
use crate::error::{Error, Result};
use crate::record::fixes::FixPreview;
use crate::record::{
    Draft, Estimator, FailureCode, FixKind, GroupDetail, GroupId, GroupState, GroupSummary, Item,
    Labels, Neighbor, Origin, Reason, RetrievalResult, Signal, SourceType, Verdict, Version,
    Vocabulary, VocabularyPreview, about_reasons,
};
use rusqlite::{Connection, OptionalExtension, Row};
use std::collections::{BTreeMap, HashMap};

const SELECT_SUMMARY: &str =
    "SELECT g.id, g.ord, g.image_path, g.name, g.source_type, g.part, h.state,
        h.record IS NOT NULL, h.reasons, h.duplicate, h.signals, h.labels, h.changed_at,
        h.offered, CASE WHEN json_valid(h.head) THEN json_extract(h.head, '$.note') END, d.family,
        h.has_draft,
        CASE WHEN j.draft = (SELECT draft FROM records WHERE id = h.record) THEN j.verdict END,
        j.field
    FROM groups g JOIN heads h ON h.group_id = g.id LEFT JOIN drawings d ON d.group_id = g.id
        LEFT JOIN judgments j ON j.id = (SELECT max(id) FROM judgments WHERE group_id = g.id)";

/// What a group has from earlier runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownGroup {
    /// It needs no answer: it has one, or text of another origin, or it is rejected.
    pub is_answered: bool,
    /// The draft is the committed record, which is not rejected.
    pub is_committed: bool,
    pub is_measured: bool,
}

/// Returns what each of these groups has, in order; `None` for an unknown group.
pub fn known_groups(db: &Connection, ids: &[GroupId]) -> Result<Vec<Option<KnownGroup>>> {
    // One read transaction for all of them.
    let transaction = db
        .unchecked_transaction()
        .map_err(journal_error("reading the groups"))?;
    let mut select = transaction
        .prepare_cached(
            "SELECT h.has_draft OR h.state = 'rejected', h.committed AND h.state <> 'rejected',
                 EXISTS (SELECT 1 FROM colors JOIN drawings USING (group_id)
                     WHERE group_id = h.group_id)
             FROM heads h WHERE h.group_id = ?1",
        )
        .map_err(journal_error("reading the groups"))?;
    let row = |row: &Row| {
        Ok(KnownGroup {
            is_answered: row.get(0)?,
            is_committed: row.get(1)?,
            is_measured: row.get(2)?,
        })
    };
    let known = ids
        .iter()
        .map(|id| select.query_row([id.0], row).optional());
    known
        .collect::<rusqlite::Result<_>>()
        .map_err(journal_error("reading the groups"))
}

/// Counts for the summary of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    pub groups: u64,
    /// Groups with a record.
    pub records: u64,
    /// Groups with any reason, without rejected ones.
    pub flagged: u64,
    /// The same by reason.
    pub by_reason: Vec<(Reason, u64)>,
    /// Groups that have neither a record nor an answer, by their newest failure.
    pub failures: Vec<(FailureCode, u64)>,
    /// Uncertain groups whose committed record is not flagged as uncertain: it was committed under
    /// other rules or by another program.
    pub unmarked: u64,
}

pub fn summary(
    db: &Connection,
    vocabulary: &Vocabulary,
    estimator: &Estimator,
    id: GroupId,
) -> Result<Option<GroupSummary>> {
    db.prepare_cached(&format!("{SELECT_SUMMARY} WHERE g.id = ?1"))
        .and_then(|mut select| select.query_row([id.0], raw_summary).optional())
        .map_err(journal_error("reading a group"))?
        .map(|raw| raw.parse(vocabulary, estimator))
        .transpose()
}

/// Returns the summaries of these groups, in the given order, without unknown groups.
pub fn summaries_of(
    db: &Connection,
    vocabulary: &Vocabulary,
    estimator: &Estimator,
    ids: &[GroupId],
) -> Result<Vec<GroupSummary>> {
    let mut out = Vec::with_capacity(ids.len());
    for &id in ids {
        out.extend(summary(db, vocabulary, estimator, id)?);
    }
    Ok(out)
}

/// Passes all summaries to `take`, in batches and source order, so that a front end can show the
/// first ones at once. Displaced groups are left out.
pub fn each_summary(
    db: &Connection,
    vocabulary: &Vocabulary,
    estimator: &Estimator,
    batch: usize,
    mut take: impl FnMut(Vec<GroupSummary>) -> Result<()>,
) -> Result<()> {
    let mut select = db
        .prepare_cached(&format!(
            "{SELECT_SUMMARY} WHERE NOT g.displaced ORDER BY g.ord, g.id"
        ))
        .map_err(journal_error("reading the groups"))?;
    let rows = select
        .query_map([], raw_summary)
        .map_err(journal_error("reading the groups"))?;
    let mut full = Vec::new();
    for row in rows {
        full.push(
            row.map_err(journal_error("reading the groups"))?
                .parse(vocabulary, estimator)?,
        );
        if full.len() >= batch.max(1) {
            take(std::mem::take(&mut full))?;
        }
    }
    if full.is_empty() {
        return Ok(());
    }
    take(full)
}

pub fn summaries(
    db: &Connection,
    vocabulary: &Vocabulary,
    estimator: &Estimator,
) -> Result<Vec<GroupSummary>> {
    let mut all = Vec::new();
    each_summary(db, vocabulary, estimator, 1024, |batch| {
        all.extend(batch);
        Ok(())
    })?;
    Ok(all)
}

/// Returns all summaries, with the committed text in place of a draft that is not committed.
pub fn committed_summaries(
    db: &Connection,
    vocabulary: &Vocabulary,
    estimator: &Estimator,
) -> Result<Vec<GroupSummary>> {
    let committed: HashMap<i64, i64> = db
        .prepare_cached(
            "SELECT h.group_id, r.draft FROM heads h JOIN records r ON r.id = h.record
             WHERE NOT json_valid(h.head) OR json_extract(h.head, '$.draft') IS NOT r.draft",
        )
        .and_then(|mut select| {
            select
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
        .map_err(journal_error("reading the groups"))?;
    let mut all = summaries(db, vocabulary, estimator)?;
    for summary in &mut all {
        let Some(&draft) = committed.get(&summary.id.0) else {
            continue;
        };
        let draft = read_draft(db, draft)?;
        summary.signals = signals_of(db, summary.id, &draft)?;
        summary.reasons = draft.reasons;
        summary.labels = draft.labels;
        summary.unexplained = (summary.labels)
            .unexplained_words(&summary.name, vocabulary)
            .len();
        summary.uncertainty =
            estimator.uncertainty(&summary.reasons, &summary.signals, summary.unexplained);
    }
    Ok(all)
}

/// Returns everything about one group; `None` if it is unknown.
pub fn detail(
    db: &Connection,
    vocabulary: &Vocabulary,
    estimator: &Estimator,
    id: GroupId,
) -> Result<Option<GroupDetail>> {
    let Some(summary) = summary(db, vocabulary, estimator, id)? else {
        return Ok(None);
    };
    let group = read_group(db, id)?;
    let current = read_current(db, id)?.unwrap_or_default();
    let observed = read_observed(db, id)?;
    let versions = versions(db, id, |row: &DraftRow| {
        let context = row.context(vocabulary, &group.item.item_name, &observed);
        about_reasons(&row.labels, &context)
    })?;
    let number = current.review.draft;
    let shown = versions
        .iter()
        .find(|version| Some(version.number) == number);
    let draft = shown.map(|version| Draft {
        reasons: summary.reasons.clone(),
        ..version.text.clone()
    });
    let committed = match current.review.record_line().and_then(|line| line.record) {
        Some(record) => Some(read_record(db, record)?),
        None => None,
    };
    let confused = match &observed.retrieved {
        Some(retrieved) => confused(db, vocabulary, estimator, &summary, retrieved)?,
        None => None,
    };
    Ok(Some(GroupDetail {
        derived_from: derived_from(db, &versions)?,
        fixes: review_records::stored(db, summary.clone())?.fixes(vocabulary),
        summary,
        item: group.item,
        image_sha256: group.sha256,
        other_names: group.other_names,
        rows: group.rows,
        colors: observed.colors,
        draft,
        versions,
        attempts: attempts_of(db, id)?,
        failure: match current.failure {
            Some(failure) => Some(read_failure(db, failure)?),
            None => None,
        },
        committed,
        current,
        // Added by the engine.
        neighbors: Vec::new(),
        confused,
    }))
}

/// Returns the record that a search by the label finds instead.
fn confused(
    db: &Connection,
    vocabulary: &Vocabulary,
    estimator: &Estimator,
    of: &GroupSummary,
    retrieved: &RetrievalResult,
) -> Result<Option<Neighbor>> {
    let missed = retrieved.miss(&of.labels);
    let Some(other) = missed.and_then(|finding| finding.confused.as_ref()) else {
        return Ok(None);
    };
    let other = summary(db, vocabulary, estimator, other.group)?;
    Ok(other.map(|other| Neighbor {
        group: other.id,
        label: other.labels.label_ko().to_owned(),
        image_path: other.image_path,
        item_name: other.name,
    }))
}

/// Returns the item name of the record from which the newest derived version comes.
fn derived_from(db: &Connection, versions: &[Version]) -> Result<Option<String>> {
    let origins = versions.iter().rev().map(|version| version.text.origin);
    let mut sources = origins.filter_map(|origin| match origin {
        Origin::Derived(from) => Some(from),
        _ => None,
    });
    let name = |from| Ok(read_group(db, from)?.item.item_name);
    sources.next().map(name).transpose()
}

/// Returns all versions of a group's text, oldest first.
fn versions(
    db: &Connection,
    id: GroupId,
    about: impl Fn(&DraftRow) -> Vec<(Reason, Vec<String>)>,
) -> Result<Vec<Version>> {
    let mut committed: HashMap<i64, String> = db
        .prepare_cached(
            "SELECT draft, at FROM records
             WHERE group_id = ?1 AND made_by <> 'unread' ORDER BY id",
        )
        .and_then(|mut select| {
            select
                .query_map([id.0], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
        .map_err(journal_error("reading the versions"))?;
    let undone = undone_drafts(db, id)?;
    let rows = read_drafts(db, id)?.into_iter();
    let version = |(number, row): (i64, DraftRow)| {
        let about = about(&row);
        let text = row.into_draft(about);
        Version {
            number,
            committed: committed.remove(&number),
            undone: text.origin == Origin::Edit && undone.contains(&number),
            text,
        }
    };
    Ok(rows.map(version).collect())
}

/// Returns the item and image hash of a group, which a new attempt needs.
pub fn item(db: &Connection, id: GroupId) -> Result<(Item, Option<String>)> {
    let group = read_group(db, id)?;
    Ok((group.item, group.sha256))
}

pub fn is_empty(db: &Connection) -> Result<bool> {
    db.query_row("SELECT NOT EXISTS (SELECT 1 FROM groups)", [], |row| {
        row.get(0)
    })
    .map_err(journal_error("reading the images"))
}

pub fn counts(db: &Connection) -> Result<Counts> {
    let mut counts = Counts::default();
    let mut by_reason = BTreeMap::new();
    for (key, found) in count_groups(db)? {
        counts.groups += found;
        counts.records += if key.has_record { found } else { 0 };
        counts.unmarked += if key.is_unmarked { found } else { 0 };
        let Some(state) = state_of(&key.state) else {
            continue;
        };
        if state != GroupState::Rejected {
            let reasons = reasons_of(&key.reasons, key.duplicate);
            counts.flagged += if reasons.is_empty() { 0 } else { found };
            for reason in reasons {
                *by_reason.entry(reason).or_insert(0) += found;
            }
        }
    }
    counts.by_reason = by_reason.into_iter().collect();
    counts.failures = failures(db)?;
    Ok(counts)
}

/// The properties by which [`counts`] groups.
#[derive(PartialEq, Eq, Hash)]
struct CountKey {
    /// Empty if the group has no state yet.
    state: String,
    reasons: String,
    duplicate: bool,
    has_record: bool,
    is_unmarked: bool,
}

/// Counts groups by their properties, in one pass: with a hundred thousand groups, each further
/// pass would take a tenth of a second.
fn count_groups(db: &Connection) -> Result<HashMap<CountKey, u64>> {
    let key = |row: &Row| {
        Ok(CountKey {
            state: row.get(0)?,
            reasons: row.get(1)?,
            duplicate: row.get(2)?,
            has_record: row.get(3)?,
            is_unmarked: row.get(4)?,
        })
    };
    let mut select = db
        .prepare_cached(&format!(
            "SELECT ifnull(h.state, ''), ifnull(h.reasons, ''), ifnull(h.duplicate, 0),
                 h.record IS NOT NULL,
                 ifnull(h.state = '{}' AND EXISTS (
                     SELECT 1 FROM records r INDEXED BY records_unflagged
                     WHERE r.id = h.record AND instr(r.record, '\"is_uncertain\":false')
                         AND (h.duplicate = 0 OR r.raw IS NOT NULL)), 0)
             FROM groups g LEFT JOIN heads h ON h.group_id = g.id
             WHERE NOT g.displaced",
            GroupState::Uncertain.name()
        ))
        .map_err(journal_error("counting"))?;
    let mut counts = HashMap::new();
    for found in select
        .query_map([], key)
        .map_err(journal_error("counting"))?
    {
        *counts
            .entry(found.map_err(journal_error("counting"))?)
            .or_insert(0) += 1;
    }
    Ok(counts)
}

fn failures(db: &Connection) -> Result<Vec<(FailureCode, u64)>> {
    let row = |row: &Row| {
        let found = u64::try_from(row.get::<_, i64>(1)?).unwrap_or_default();
        Ok((row.get::<_, String>(0)?, found))
    };
    let failures: Vec<(String, u64)> = db
        .prepare_cached(
            "SELECT f.code, count(*)
             FROM heads h JOIN failures f ON f.id = h.failure JOIN groups g ON g.id = h.group_id
             WHERE h.has_draft = 0 AND h.record IS NULL AND NOT g.displaced GROUP BY f.code",
        )
        .and_then(|mut select| select.query_map([], row)?.collect())
        .map_err(journal_error("counting"))?;
    let known = |(code, found): (String, u64)| Some((FailureCode::parse(&code)?, found));
    Ok(failures.into_iter().filter_map(known).collect())
}

/// Previews what canonicalizing these groups' drafts would change.
pub fn vocabulary_preview(
    db: &Connection,
    vocabulary: &Vocabulary,
    groups: &[GroupId],
) -> Result<VocabularyPreview> {
    let drafts = groups.iter().map(|&group| {
        let current = read_current(db, group)?.unwrap_or_default();
        let draft = current_draft(db, &current.review)?;
        Ok(draft.map(|draft| draft.labels))
    });
    VocabularyPreview::count(drafts, vocabulary)
}

/// Previews what a fix would change in these groups.
pub fn fix_preview(
    db: &Connection,
    vocabulary: &Vocabulary,
    estimator: &Estimator,
    groups: &[GroupId],
    reason: Reason,
    kind: FixKind,
) -> Result<FixPreview> {
    let mut preview = FixPreview::default();
    for group in groups {
        let Some(summary) = summary(db, vocabulary, estimator, *group)? else {
            continue;
        };
        let record = review_records::stored(db, summary)?;
        if let Some((labels, context)) = record.fixable(vocabulary) {
            preview.add(reason, kind, labels, &record.summary.reasons, &context);
        }
    }
    Ok(preview)
}

struct RawSummary {
    id: i64,
    order: i64,
    image_path: String,
    name: String,
    source_type: String,
    part: Option<String>,
    state: String,
    has_record: bool,
    reasons: String,
    duplicate: bool,
    signals: String,
    labels: String,
    changed_at: i64,
    offered: bool,
    note: Option<String>,
    family: Option<i64>,
    has_draft: bool,
    verdict: Option<String>,
    wrong_field: Option<String>,
}

fn raw_summary(row: &Row) -> rusqlite::Result<RawSummary> {
    Ok(RawSummary {
        id: row.get(0)?,
        order: row.get(1)?,
        image_path: row.get(2)?,
        name: row.get(3)?,
        source_type: row.get(4)?,
        part: row.get(5)?,
        state: row.get(6)?,
        has_record: row.get(7)?,
        reasons: row.get(8)?,
        duplicate: row.get(9)?,
        signals: row.get(10)?,
        labels: row.get(11)?,
        changed_at: row.get(12)?,
        offered: row.get(13)?,
        note: row.get(14)?,
        family: row.get(15)?,
        has_draft: row.get(16)?,
        verdict: row.get(17)?,
        wrong_field: row.get(18)?,
    })
}

impl RawSummary {
    /// Adds the item to an error.
    fn named(&self, error: Error) -> Error {
        let item = match self.image_path.is_empty() {
            true => &self.name,
            false => &self.image_path,
        };
        error.context(item)
    }

    fn parse(self, vocabulary: &Vocabulary, estimator: &Estimator) -> Result<GroupSummary> {
        let reasons = reasons_of(&self.reasons, self.duplicate);
        let field = self.wrong_field.as_deref();
        let verdict = self.verdict.as_deref();
        let signals: Vec<Signal> = from_json(&self.signals).map_err(|error| self.named(error))?;
        let labels: Labels = from_json(&self.labels).map_err(|error| self.named(error))?;
        let state = state_of(&self.state)
            .ok_or_else(|| self.named(unreadable("reading a group", &self.state)))?;
        let source_type = SourceType::parse(&self.source_type)
            .ok_or_else(|| self.named(unreadable("reading a group", &self.source_type)))?;
        let unexplained = labels.unexplained_words(&self.name, vocabulary).len();
        let uncertainty = match self.has_draft || !reasons.is_empty() {
            true => estimator.uncertainty(&reasons, &signals, unexplained),
            false => 0.0,
        };
        Ok(GroupSummary {
            id: GroupId(self.id),
            order: u64::try_from(self.order).unwrap_or_default(),
            image_path: self.image_path,
            name: self.name,
            source_type,
            part: self.part,
            state,
            has_record: self.has_record,
            offered: self.offered,
            reasons,
            signals,
            unexplained,
            uncertainty,
            labels,
            note: self.note,
            judged: verdict.and_then(|name| Verdict::parse(name, field)),
            changed_at: self.changed_at,
            family: self.family.map(GroupId),
        })
    }
}

fn state_of(name: &str) -> Option<GroupState> {
    let all = GroupState::ALL.iter().copied();
    all.into_iter().find(|state| state.name() == name)
}

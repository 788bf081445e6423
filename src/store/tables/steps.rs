//! Tables `steps` and `step_entries`: what operators did, undid and redid. Both are append-only.

use super::states::{read_review, review_json};
use super::{from_json, to_json};
use crate::error::Result;
use crate::record::{Change, GroupId, PastStep, ReviewStep};
use crate::store::errors::journal_error;
use rusqlite::{Connection, params};
use std::collections::{HashMap, HashSet};

pub fn insert_step(
    db: &Connection,
    at: &str,
    kind: &str,
    target: Option<i64>,
    change: Option<&Change>,
    done: &str,
) -> Result<i64> {
    let change = change.map(to_json).transpose()?;
    db.prepare_cached(
        "INSERT INTO steps (at, kind, target, change, done) VALUES (?1, ?2, ?3, ?4, ?5)",
    )
    .and_then(|mut insert| insert.insert(params![at, kind, target, change, done]))
    .map_err(journal_error("saving a step"))
}

/// Reads the description of a step.
pub fn describe(db: &Connection, step: i64) -> Result<String> {
    db.prepare_cached("SELECT done FROM steps WHERE id = ?1")
        .and_then(|mut select| select.query_row([step], |row| row.get(0)))
        .map_err(journal_error("reading a step"))
}

/// Reads a step as undo and redo describe it.
pub fn read_past_step(db: &Connection, step: i64) -> Result<PastStep> {
    let records: i64 = db
        .prepare_cached("SELECT count(*) FROM step_entries WHERE step = ?1")
        .and_then(|mut select| select.query_row([step], |row| row.get(0)))
        .map_err(journal_error("reading a step"))?;
    Ok(PastStep {
        done: describe(db, step)?,
        change: read_change(db, step)?.map(Box::new),
        records: usize::try_from(records).unwrap_or_default(),
    })
}

/// Reads the change of a step; `None` for undo and redo, and if it cannot be parsed.
pub fn read_change(db: &Connection, step: i64) -> Result<Option<Change>> {
    let change: Option<String> = db
        .prepare_cached("SELECT change FROM steps WHERE id = ?1")
        .and_then(|mut select| select.query_row([step], |row| row.get(0)))
        .map_err(journal_error("reading a step"))?;
    Ok(change.and_then(|change| from_json(&change).ok()))
}

/// Returns the changes that gave a group another draft; `None` for one that cannot be parsed.
pub fn edits_of(db: &Connection, group: GroupId) -> Result<Vec<Option<Change>>> {
    let changes: Vec<Option<String>> = db
        .prepare_cached(
            "SELECT s.change FROM step_entries e JOIN steps s ON s.id = e.step
             WHERE e.group_id = ?1 AND s.kind = 'do'
                 AND json_extract(e.before, '$.draft') IS NOT json_extract(e.after, '$.draft')",
        )
        .and_then(|mut select| select.query_map([group.0], |row| row.get(0))?.collect())
        .map_err(journal_error("reading the steps"))?;
    let parse = |change: Option<String>| change.and_then(|change| from_json(&change).ok());
    Ok(changes.into_iter().map(parse).collect())
}

/// Returns the drafts that an operator's steps wrote and undid, unless a step that stands wrote or
/// took them too.
pub fn undone_drafts(db: &Connection, group: GroupId) -> Result<HashSet<i64>> {
    type Entry = (i64, String, Option<i64>, Option<i64>);
    let entries: Vec<Entry> = db
        .prepare_cached(
            "SELECT s.id, s.kind, s.target, json_extract(e.after, '$.draft')
             FROM step_entries e JOIN steps s ON s.id = e.step
             WHERE e.group_id = ?1 AND
                 json_extract(e.before, '$.draft') IS NOT json_extract(e.after, '$.draft')
             ORDER BY s.id",
        )
        .and_then(|mut select| {
            select
                .query_map([group.0], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
                })?
                .collect()
        })
        .map_err(journal_error("reading the steps"))?;
    let mut written: HashMap<i64, (Option<i64>, bool)> = HashMap::new();
    for (step, kind, target, draft) in entries {
        match target.and_then(|target| written.get_mut(&target)) {
            Some((_, undone)) => *undone = kind == "undo",
            None => drop(written.insert(step, (draft, false))),
        }
    }
    let (undone, kept): (Vec<_>, Vec<_>) = written.into_values().partition(|(_, undone)| *undone);
    let drafts = |all: Vec<(Option<i64>, bool)>| all.into_iter().filter_map(|(draft, _)| draft);
    let kept: HashSet<i64> = drafts(kept).collect();
    Ok(drafts(undone)
        .filter(|draft| !kept.contains(draft))
        .collect())
}

/// Returns every step in order: its id, its kind, and the step that it undid or redid.
pub fn all_steps(db: &Connection) -> Result<Vec<(i64, String, Option<i64>)>> {
    db.prepare("SELECT id, kind, target FROM steps ORDER BY id")
        .and_then(|mut select| {
            select
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                .collect()
        })
        .map_err(journal_error("reading the steps"))
}

pub fn insert_entry(db: &Connection, step: i64, group: GroupId, entry: &ReviewStep) -> Result<()> {
    let (was, is) = (review_json(&entry.before)?, review_json(&entry.after)?);
    db.prepare_cached(
        "INSERT INTO step_entries (step, group_id, before, after, model_draft)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )
    .and_then(|mut insert| insert.execute(params![step, group.0, was, is, entry.answer]))
    .map_err(journal_error("saving a step"))?;
    Ok(())
}

pub fn read_entries(db: &Connection, step: i64) -> Result<Vec<(GroupId, ReviewStep)>> {
    let rows: Vec<(i64, String, String, Option<i64>)> = db
        .prepare_cached(
            "SELECT group_id, before, after, model_draft FROM step_entries WHERE step = ?1",
        )
        .and_then(|mut select| {
            select
                .query_map([step], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
                })?
                .collect()
        })
        .map_err(journal_error("reading a step"))?;
    rows.into_iter()
        .map(|(group, before, after, answer)| {
            let step = ReviewStep {
                before: read_review(db, &before)?,
                after: read_review(db, &after)?,
                answer,
            };
            Ok((GroupId(group), step))
        })
        .collect()
}

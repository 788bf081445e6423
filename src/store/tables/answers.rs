//! Tables `attempts` and `failures`: model answers, and why items have no answer. Both are
//! append-only.

use super::meta::{Content, bump_version};
use super::{from_json, to_json};
use crate::error::Result;
use crate::record::{Attempt, Failure, FailureCode, FailureDetail, GroupId, Labels};
use crate::store::errors::{journal_error, unreadable};
use rusqlite::{Connection, params};

pub fn insert_attempt(db: &Connection, group: GroupId, attempt: &Attempt) -> Result<i64> {
    let text = to_json(attempt)?;
    db.prepare_cached(
        "INSERT INTO attempts (group_id, at, model, prompt_version, settings_hash, failure,
             attempt)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )
    .and_then(|mut insert| {
        insert.insert(params![
            group.0,
            attempt.at,
            attempt.model,
            attempt.prompt_version,
            attempt.settings_hash,
            attempt.failure.as_ref().map(|failure| failure.code.code()),
            text,
        ])
    })
    .map_err(journal_error("saving an answer"))
}

pub fn read_attempt(db: &Connection, group: GroupId, id: i64) -> Result<Attempt> {
    let text: String = db
        .prepare_cached("SELECT attempt FROM attempts WHERE id = ?1 AND group_id = ?2")
        .and_then(|mut select| select.query_row([id, group.0], |row| row.get(0)))
        .map_err(journal_error("reading an answer"))?;
    from_json(&text)
}

/// Reads the attempts of a group, oldest first.
pub fn attempts_of(db: &Connection, group: GroupId) -> Result<Vec<Attempt>> {
    let rows: Vec<(i64, String)> = db
        .prepare_cached("SELECT id, attempt FROM attempts WHERE group_id = ?1 ORDER BY id")
        .and_then(|mut select| {
            select
                .query_map([group.0], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
        .map_err(journal_error("reading the answers"))?;
    rows.into_iter()
        .map(|(id, text)| {
            let mut attempt: Attempt = from_json(&text)?;
            attempt.id = id;
            Ok(attempt)
        })
        .collect()
}

/// Reads the labels of the second opinions on an answer, oldest first.
pub fn opinions_on(db: &Connection, group: GroupId, answer: i64) -> Result<Vec<Labels>> {
    let rows: Vec<String> = db
        .prepare_cached(
            "SELECT attempt FROM attempts WHERE group_id = ?1 AND json_valid(attempt)
                 AND json_extract(attempt, '$.opinion_of') = ?2 ORDER BY id",
        )
        .and_then(|mut select| {
            select
                .query_map([group.0, answer], |row| row.get(0))?
                .collect()
        })
        .map_err(journal_error("reading the answers"))?;
    let mut opinions = Vec::with_capacity(rows.len());
    for text in rows {
        opinions.extend(from_json::<Attempt>(&text)?.labels);
    }
    Ok(opinions)
}

pub fn insert_failure(db: &Connection, group: GroupId, at: &str, failure: &Failure) -> Result<i64> {
    bump_version(db, Content::Failures)?;
    let detail = to_json(&failure.detail)?;
    db.prepare_cached("INSERT INTO failures (group_id, at, code, detail) VALUES (?1, ?2, ?3, ?4)")
        .and_then(|mut insert| insert.insert(params![group.0, at, failure.code.code(), detail]))
        .map_err(journal_error("saving a failure"))
}

pub fn read_failure(db: &Connection, id: i64) -> Result<Failure> {
    let (code, detail): (String, String) = db
        .prepare_cached("SELECT code, detail FROM failures WHERE id = ?1")
        .and_then(|mut select| select.query_row([id], |row| Ok((row.get(0)?, row.get(1)?))))
        .map_err(journal_error("reading a failure"))?;
    let code = FailureCode::parse(&code).ok_or_else(|| unreadable("reading a failure", code))?;
    let detail = read_failure_detail(detail);
    Ok(Failure { code, detail })
}

/// Earlier versions stored a detail as a sentence, not as JSON.
pub fn read_failure_detail(stored: String) -> FailureDetail {
    from_json(&stored).unwrap_or(FailureDetail::Text(stored))
}

//! Table `records`: every record that was ever committed to `labels.jsonl`. It is append-only.

use super::drafts::read_draft;
use super::groups::read_group;
use super::{from_json, to_json};
use crate::error::Result;
use crate::record::{CommittedBy, GroupId, Line, QualityFlags, Reason, Record};
use crate::store::errors::{journal_error, unreadable};
use crate::text::{clean_text, hex, utc};
use jiff::Timestamp;
use rusqlite::{Connection, params};
use sha2::{Digest, Sha256};

/// Builds the record of a draft and stores it.
pub fn insert_record(
    db: &Connection,
    group: GroupId,
    draft: i64,
    now: Timestamp,
    by: CommittedBy,
) -> Result<i64> {
    let record = record_of(db, group, draft)?;
    insert_record_row(db, group, draft, now, by, &record, None)
}

/// Builds the record of a draft. Its flags lack `duplicate_label`, which the export adds.
pub fn record_of(db: &Connection, group: GroupId, draft: i64) -> Result<Record> {
    let group_row = read_group(db, group)?;
    let row = read_draft(db, draft)?;
    let labels = row.labels;
    let mut reasons = row.reasons;
    if row.with_metadata && row.item_name != group_row.item.item_name {
        // The draft was checked against an earlier item name; the record has the current one.
        reasons.retain(|reason| *reason != Reason::ItemNameMissing);
        if !labels.label_ko().contains(&group_row.item.item_name) {
            reasons.push(Reason::ItemNameMissing);
            reasons.sort_unstable();
        }
    }
    Ok(Record {
        image_path: group_row.image_path,
        image_sha256: group_row.sha256,
        source_type: group_row.item.source_type,
        item_name: group_row.item.item_name,
        item_description: group_row.item.item_description,
        labels,
        quality_flags: QualityFlags {
            is_uncertain: !reasons.is_empty(),
            reasons,
        },
        model: row.model,
        prompt_version: row.prompt_version,
        generated_at: row.generated_at,
    })
}

pub fn insert_record_row(
    db: &Connection,
    group: GroupId,
    draft: i64,
    now: Timestamp,
    by: CommittedBy,
    record: &Record,
    raw: Option<&str>,
) -> Result<i64> {
    let text = to_json(record)?;
    db.prepare_cached(
        "INSERT INTO records (group_id, draft, at, made_by, record, raw, label_key, checksum)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )
    .and_then(|mut insert| {
        insert.insert(params![
            group.0,
            draft,
            utc(now),
            by.name(),
            text,
            raw,
            label_key(record.labels.label_ko()).unwrap_or_default(),
            checksum_of(&text, raw),
        ])
    })
    .map_err(journal_error("saving a record"))
}

pub fn read_record(db: &Connection, id: i64) -> Result<Record> {
    let text: String = db
        .prepare_cached("SELECT record FROM records WHERE id = ?1")
        .and_then(|mut select| select.query_row([id], |row| row.get(0)))
        .map_err(journal_error("reading a record"))?;
    from_json(&text)
}

/// Reads the line that a record stands for.
pub fn read_line(db: &Connection, record: i64) -> Result<Line> {
    let (version, by): (i64, String) = db
        .prepare_cached("SELECT draft, made_by FROM records WHERE id = ?1")
        .and_then(|mut select| select.query_row([record], |row| Ok((row.get(0)?, row.get(1)?))))
        .map_err(journal_error("reading a record"))?;
    Ok(Line {
        record: Some(record),
        version,
        by: CommittedBy::parse(&by).ok_or_else(|| unreadable("reading a record", by))?,
    })
}

/// Computes the checksum of a record, which reveals damage before an export.
pub fn checksum_of(record: &str, raw: Option<&str>) -> String {
    let mut hash = Sha256::new();
    hash.update(record);
    // Never occurs in UTF-8, so it separates the two unambiguously.
    hash.update([0xff]);
    hash.update(raw.unwrap_or_default());
    hex(&hash.finalize())
}

/// Reads a text column that may hold damaged UTF-8.
pub fn lossy(row: &rusqlite::Row, column: usize) -> rusqlite::Result<Option<String>> {
    let value = row.get_ref(column)?;
    Ok(value
        .as_bytes_or_null()?
        .map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
}

/// Part of a migration: adds checksums to records of an earlier schema version.
pub fn fill_checksums(db: &mut Connection) -> rusqlite::Result<()> {
    let is_missing = db
        .prepare("SELECT 1 FROM records WHERE checksum IS NULL")?
        .exists([])?;
    if !is_missing {
        return Ok(());
    }
    let transaction = db.transaction()?;
    {
        let mut select =
            transaction.prepare("SELECT id, record, raw FROM records WHERE checksum IS NULL")?;
        let mut update = transaction.prepare("UPDATE records SET checksum = ?2 WHERE id = ?1")?;
        let ids: Vec<(i64, String)> = select
            .query_map([], |row| {
                let record = lossy(row, 1)?.unwrap_or_default();
                let raw = lossy(row, 2)?;
                Ok((row.get(0)?, checksum_of(&record, raw.as_deref())))
            })?
            .collect::<rusqlite::Result<_>>()?;
        for (id, checksum) in ids {
            update.execute(params![id, checksum])?;
        }
    }
    transaction.commit()
}

/// Normalizes a label for the duplicate check: equal keys are duplicates. `None` if it is empty.
pub fn label_key(label: &str) -> Option<String> {
    let key = clean_text(label);
    (!key.is_empty()).then_some(key)
}

//! Reads the records that operators committed, with the appearance of their icons.

use crate::error::Result;
use crate::record::{Appearance, ApprovedRecord, CommittedBy, GroupId, Record, Vocabulary};
use crate::store::errors::journal_error;
use crate::store::tables::computed::{read_colors, read_drawing, read_family};
use crate::store::tables::from_json;
use crate::store::tables::groups::read_group;
use rusqlite::{Connection, Row};

/// Returns the operator-committed records of `groups`, or of all groups, whose images were
/// measured.
pub fn approved(
    db: &Connection,
    vocabulary: &Vocabulary,
    groups: Option<&[GroupId]>,
) -> Result<Vec<ApprovedRecord>> {
    let chosen = match groups {
        Some(_) => "g.id = ?2",
        None => "?2 IS NULL",
    };
    let mut select = db
        .prepare_cached(&format!(
            "SELECT g.id, r.id, r.record
             FROM groups g JOIN heads h ON h.group_id = g.id JOIN records r ON r.id = h.record
             WHERE r.made_by = ?1 AND {chosen} AND NOT g.displaced"
        ))
        .map_err(journal_error("reading the committed records"))?;
    let all = [None];
    let ids: Vec<Option<i64>> = match groups {
        Some(groups) => groups.iter().map(|group| Some(group.0)).collect(),
        None => all.to_vec(),
    };
    let mut found = Vec::new();
    for id in ids {
        let row = |row: &Row| -> rusqlite::Result<(i64, i64, String)> {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        };
        let rows: Vec<_> = select
            .query_map((CommittedBy::Operator.name(), id), row)
            .and_then(Iterator::collect)
            .map_err(journal_error("reading the committed records"))?;
        for (group, number, text) in rows {
            let group = GroupId(group);
            let record: Record = from_json(&text)?;
            let Some(appearance) = appearance(db, vocabulary, group)? else {
                continue;
            };
            found.push(ApprovedRecord {
                group,
                record: number,
                image_path: record.image_path,
                item_name: record.item_name,
                labels: record.labels,
                appearance,
            });
        }
    }
    Ok(found)
}

/// Returns the appearance of a group's icon; `None` if it was not measured or cannot be compared.
pub fn appearance(
    db: &Connection,
    vocabulary: &Vocabulary,
    group: GroupId,
) -> Result<Option<Appearance>> {
    let Some(colors) = read_colors(db, group)? else {
        return Ok(None);
    };
    let item = read_group(db, group)?.item;
    let drawing = read_drawing(db, group)?.flatten();
    Ok(Appearance::of(
        (&item.item_name, item.item_part.as_deref()),
        &colors,
        drawing.as_ref().map(|drawing| drawing.edges.values()),
        read_family(db, group)?,
        vocabulary,
    ))
}

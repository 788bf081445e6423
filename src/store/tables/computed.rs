//! Tables `colors`, `drawings`, `retrieved` and `checks`, and the inputs of the uncertainty score.
//! All of it is computed from images, drafts and second opinions and can be rebuilt.

use super::answers::opinions_on;
use super::drafts::{DraftRow, codes};
use super::groups::read_group;
use super::{from_json, to_json};
use crate::error::Result;
use crate::icon::{Drawing, Edges};
use crate::record::{ColorHistogram, GroupId, Origin, Reason, RetrievalResult, Signal, agreement};
use crate::store::errors::journal_error;
use rusqlite::{Connection, OptionalExtension, Row, params};

/// What was measured of a group's image.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    pub colors: Option<ColorHistogram>,
    pub retrieved: Option<RetrievalResult>,
}

pub fn write_colors(db: &Connection, group: GroupId, colors: &ColorHistogram) -> Result<()> {
    let text = to_json(colors)?;
    db.prepare_cached("INSERT OR REPLACE INTO colors (group_id, histogram) VALUES (?1, ?2)")
        .and_then(|mut insert| insert.execute(params![group.0, text]))
        .map_err(journal_error("saving colors"))?;
    Ok(())
}

pub fn read_colors(db: &Connection, group: GroupId) -> Result<Option<ColorHistogram>> {
    let text: Option<String> = db
        .prepare_cached("SELECT histogram FROM colors WHERE group_id = ?1")
        .and_then(|mut select| select.query_row([group.0], |row| row.get(0)).optional())
        .map_err(journal_error("reading colors"))?;
    text.map(|text| from_json(&text)).transpose()
}

/// Stores how well a group's texts find its image among all images.
pub fn write_retrieved(db: &Connection, group: GroupId, retrieved: &RetrievalResult) -> Result<()> {
    let text = to_json(retrieved)?;
    db.prepare_cached("INSERT OR REPLACE INTO retrieved (group_id, finding) VALUES (?1, ?2)")
        .and_then(|mut insert| insert.execute(params![group.0, text]))
        .map_err(journal_error("saving retrieval results"))?;
    Ok(())
}

/// Deletes all retrieval results. Returns the groups that had one.
pub fn clear_retrieved(db: &Connection) -> Result<Vec<GroupId>> {
    db.prepare_cached("DELETE FROM retrieved RETURNING group_id")
        .and_then(|mut delete| {
            let ids = delete.query_map([], |row| row.get(0).map(GroupId))?;
            ids.collect()
        })
        .map_err(journal_error("deleting retrieval results"))
}

pub fn read_retrieved(db: &Connection, group: GroupId) -> Result<Option<RetrievalResult>> {
    let text: Option<String> = db
        .prepare_cached("SELECT finding FROM retrieved WHERE group_id = ?1")
        .and_then(|mut select| select.query_row([group.0], |row| row.get(0)).optional())
        .map_err(journal_error("reading retrieval results"))?;
    text.map(|text| from_json(&text)).transpose()
}

pub fn read_observed(db: &Connection, group: GroupId) -> Result<Observed> {
    Ok(Observed {
        colors: read_colors(db, group)?,
        retrieved: read_retrieved(db, group)?,
    })
}

/// Stores the drawing of a group's image, or that it has none. Does not change its family.
pub fn write_drawing(db: &Connection, group: GroupId, drawing: Option<&Drawing>) -> Result<()> {
    let outline = drawing.map(|drawing| drawing.outline.as_slice());
    let edges = drawing.map(|drawing| drawing.edges.values().iter());
    let edges: Option<Vec<u8>> =
        edges.map(|edges| edges.map(|edge| edge.cast_unsigned()).collect());
    db.prepare_cached(
        "INSERT INTO drawings (group_id, outline, edges) VALUES (?1, ?2, ?3)
         ON CONFLICT (group_id) DO UPDATE SET outline = excluded.outline, edges = excluded.edges",
    )
    .and_then(|mut insert| insert.execute(params![group.0, outline, edges]))
    .map_err(journal_error("saving a drawing"))?;
    Ok(())
}

/// Returns the other groups whose images have this outline, with their families and edges.
pub fn drawings_with_outline(
    db: &Connection,
    outline: [u8; 32],
    except: GroupId,
) -> Result<Vec<(GroupId, Option<GroupId>, Edges)>> {
    let drawing = |row: &Row| {
        let group = row.get(0).map(GroupId)?;
        let family = row.get::<_, Option<i64>>(1)?.map(GroupId);
        let edges = row.get_ref(2)?.as_blob()?.iter();
        let edges = Edges::new(edges.map(|edge| edge.cast_signed()).collect());
        Ok((group, family, edges))
    };
    db.prepare_cached(
        "SELECT group_id, family, edges FROM drawings WHERE outline = ?1 AND group_id <> ?2",
    )
    .and_then(|mut select| {
        let others = select.query_map(params![outline.as_slice(), except.0], drawing)?;
        others.collect()
    })
    .map_err(journal_error("reading the drawings"))
}

/// Reads the drawing of a group's image. `None` if the image was not measured yet, `Some(None)` if
/// it has no drawing.
pub fn read_drawing(db: &Connection, group: GroupId) -> Result<Option<Option<Drawing>>> {
    let drawing = |row: &Row| {
        let outline: Option<[u8; 32]> = row.get(0)?;
        let edges: Option<Vec<u8>> = row.get(1)?;
        Ok(outline.zip(edges).map(|(outline, edges)| Drawing {
            outline,
            edges: Edges::new(edges.into_iter().map(u8::cast_signed).collect()),
            // No plate is stored.
            is_plate: false,
        }))
    };
    db.prepare_cached("SELECT outline, edges FROM drawings WHERE group_id = ?1")
        .and_then(|mut select| select.query_row([group.0], drawing).optional())
        .map_err(journal_error("reading a drawing"))
}

pub fn read_family(db: &Connection, group: GroupId) -> Result<Option<GroupId>> {
    db.prepare_cached("SELECT family FROM drawings WHERE group_id = ?1")
        .and_then(|mut select| select.query_row([group.0], |row| row.get(0)).optional())
        .map(|family: Option<Option<i64>>| family.flatten().map(GroupId))
        .map_err(journal_error("reading a family"))
}

pub fn write_family(db: &Connection, group: GroupId, family: GroupId) -> Result<()> {
    db.prepare_cached("UPDATE drawings SET family = ?2 WHERE group_id = ?1")
        .and_then(|mut update| update.execute([group.0, family.0]))
        .map_err(journal_error("saving a family"))?;
    Ok(())
}

/// Moves all groups of a family to another one and returns them.
pub fn merge_family(db: &Connection, family: GroupId, to: GroupId) -> Result<Vec<GroupId>> {
    if family == to {
        return Ok(Vec::new());
    }
    db.prepare_cached("UPDATE drawings SET family = ?2 WHERE family = ?1 RETURNING group_id")
        .and_then(|mut update| {
            let ids = update.query_map([family.0, to.0], |row| row.get(0).map(GroupId))?;
            ids.collect()
        })
        .map_err(journal_error("saving a family"))
}

/// Whether the colors and the drawing of a group's image are stored.
pub fn is_measured(db: &Connection, group: GroupId) -> Result<bool> {
    db.prepare_cached("SELECT 1 FROM colors JOIN drawings USING (group_id) WHERE group_id = ?1")
        .and_then(|mut select| select.exists([group.0]))
        .map_err(journal_error("reading colors"))
}

/// Stores the current reasons of a draft.
pub fn write_check(db: &Connection, id: i64, draft: &mut DraftRow, now: Vec<Reason>) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO checks (draft, reasons) VALUES (?1, ?2)")
        .and_then(|mut insert| insert.execute(params![id, codes(&now)]))
        .map_err(journal_error("saving reasons"))?;
    draft.reasons = now;
    Ok(())
}

/// Returns the model's confidence in the fields of a draft, and its agreement with second opinions.
pub fn signals_of(db: &Connection, group: GroupId, draft: &DraftRow) -> Result<Vec<Signal>> {
    let opinions = match draft.origin {
        Origin::Attempt(id) => opinions_on(db, group, id)?,
        Origin::Derived(_) | Origin::Edit | Origin::Import => Vec::new(),
    };
    let agreements = match opinions.is_empty() {
        true => Vec::new(),
        false => {
            let name = read_group(db, group)?.item.item_name;
            agreement(&draft.labels, &opinions, &name)
        }
    };
    Ok(Signal::of(&draft.confidence, &agreements))
}

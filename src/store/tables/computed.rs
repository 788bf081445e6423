//! `colors` and `checks`, and what the estimate of uncertainty is made from: what is computed from
//! images, drafts and second opinions. Rebuilt where it is gone, so that the tables it is computed
//! from are never changed.

use super::answers::opinions_on;
use super::drafts::{DraftRow, codes};
use super::groups::read_group;
use super::{from_json, to_json};
use crate::error::Result;
use crate::record::{ColorHistogram, GroupId, Origin, Reason, Signal, agreement};
use crate::store::errors::doing;
use rusqlite::{Connection, OptionalExtension, params};

pub fn write_colors(db: &Connection, group: GroupId, colors: &ColorHistogram) -> Result<()> {
    let text = to_json(colors)?;
    db.prepare_cached("INSERT OR REPLACE INTO colors (group_id, histogram) VALUES (?1, ?2)")
        .and_then(|mut insert| insert.execute(params![group.0, text]))
        .map_err(doing("saving colors"))?;
    Ok(())
}

pub fn read_colors(db: &Connection, group: GroupId) -> Result<Option<ColorHistogram>> {
    let text: Option<String> = db
        .prepare_cached("SELECT histogram FROM colors WHERE group_id = ?1")
        .and_then(|mut select| select.query_row([group.0], |row| row.get(0)).optional())
        .map_err(doing("reading colors"))?;
    text.map(|text| from_json(&text)).transpose()
}

pub fn has_colors(db: &Connection, group: GroupId) -> Result<bool> {
    db.prepare_cached("SELECT 1 FROM colors WHERE group_id = ?1")
        .and_then(|mut select| select.exists([group.0]))
        .map_err(doing("reading colors"))
}

/// Notes what the rules say of a stored draft now.
pub fn write_check(db: &Connection, id: i64, draft: &mut DraftRow, now: Vec<Reason>) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO checks (draft, reasons) VALUES (?1, ?2)")
        .and_then(|mut insert| insert.execute(params![id, codes(&now)]))
        .map_err(doing("saving reasons"))?;
    draft.reasons = now;
    Ok(())
}

/// How firmly the model held the fields of a draft, and how far second opinions agree with it.
pub fn signals_of(db: &Connection, group: GroupId, draft: &DraftRow) -> Result<Vec<Signal>> {
    let opinions = match draft.origin {
        Origin::Attempt(id) => opinions_on(db, group, id)?,
        Origin::Edit | Origin::Import => Vec::new(),
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

//! Recolor families: groups whose images are the same drawing. A family goes by the smallest number
//! of its groups, and grows as images are read.

use super::outlines::Outlines;
use crate::error::Result;
use crate::icon::Drawing;
use crate::record::{GroupId, Origin};
use crate::store::errors::doing;
use crate::store::tables::computed::{
    read_drawing, read_family, rename_family, write_drawing, write_family,
};
use crate::store::tables::from_json;
use crate::store::tables::groups::IS_DISPLACED;
use rusqlite::{Connection, Row};

/// Stores the drawing of a group's image and joins the group with every other that shows the same
/// (single linkage: two families that it links become one). Returns the groups whose family is
/// another one now.
pub fn join(
    db: &Connection,
    outlines: &mut Outlines,
    group: GroupId,
    drawing: Option<&Drawing>,
) -> Result<Vec<GroupId>> {
    let before = read_drawing(db, group)?;
    if before
        .as_ref()
        .is_some_and(|before| before.as_ref() == drawing)
    {
        return Ok(Vec::new());
    }
    write_drawing(db, group, drawing)?;
    if before.flatten().is_some() {
        outlines.forget();
    }
    let Some(drawing) = drawing else {
        return Ok(Vec::new());
    };
    let others = outlines.others(db, drawing, group)?;
    let (mut alone, mut families) = others.showing(&drawing.edges);
    let own = read_family(db, group)?;
    others.add(group, own, drawing.edges.clone());
    if alone.is_empty() && families.is_empty() {
        return Ok(Vec::new());
    }
    match own {
        Some(family) => families.push(family),
        None => alone.push(group),
    }
    let Some(family) = alone.iter().chain(&families).copied().min() else {
        return Ok(Vec::new());
    };
    let mut changed = Vec::new();
    for other in &families {
        changed.extend(rename_family(db, *other, family)?);
    }
    for group in &alone {
        write_family(db, *group, family)?;
        changed.push(*group);
    }
    if others.join(&alone, &families, family) != changed.len() {
        // Members whose picture had this outline before are of another one.
        outlines.forget();
    }
    Ok(changed)
}

/// The other groups of a family, in source order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Relatives {
    pub groups: Vec<GroupId>,
    /// The one whose record the others' can be derived from: one that a person has made or
    /// accepted, else the one with the fewest reasons.
    pub source: Option<GroupId>,
}

/// The others that show the drawing of this group's image, without those whose image is gone.
pub fn relatives(db: &Connection, group: GroupId) -> Result<Relatives> {
    let relative = |row: &Row| -> rusqlite::Result<(i64, String, String, Option<String>)> {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    };
    let rows: Vec<_> = db
        .prepare_cached(&format!(
            "SELECT g.id, h.reasons, h.state, d.origin
             FROM drawings m
                 JOIN groups g ON g.id = m.group_id
                 JOIN heads h ON h.group_id = g.id
                 LEFT JOIN drafts d ON d.id = json_extract(h.head, '$.draft')
                     AND d.kept_reasons NOT LIKE '%unread_line%'
             WHERE m.family = (SELECT family FROM drawings WHERE group_id = ?1)
                 AND g.id <> ?1 AND NOT {IS_DISPLACED}
             ORDER BY g.ord, g.id"
        ))
        .and_then(|mut select| select.query_map([group.0], relative)?.collect())
        .map_err(doing("reading a family"))?;
    let mut relatives = Relatives::default();
    let mut least = (u8::MAX, usize::MAX);
    for (id, reasons, state, origin) in rows {
        relatives.groups.push(GroupId(id));
        let Some(origin) = origin else {
            continue;
        };
        let rank = match (from_json(&origin)?, state.as_str()) {
            // From hand to hand every text gets worse.
            (_, "rejected") | (Origin::Derived(_), _) => continue,
            (Origin::Edit, _) | (_, "accepted") => 0,
            _ => 1,
        };
        let found = (rank, reasons.split_whitespace().count());
        if found < least {
            least = found;
            relatives.source = Some(GroupId(id));
        }
    }
    Ok(relatives)
}

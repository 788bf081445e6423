//! Recolor families: groups whose images are the same drawing. A family is named by its smallest
//! group id, and grows as images are read.

use super::outlines::Outlines;
use crate::error::Result;
use crate::icon::Drawing;
use crate::record::{GroupId, Origin};
use crate::store::errors::journal_error;
use crate::store::tables::computed::{
    merge_family, read_drawing, read_family, write_drawing, write_family,
};
use crate::store::tables::from_json;
use rusqlite::{Connection, Row};

/// Stores the drawing of a group's image and joins the group with all others that have the same
/// drawing (single linkage: two families that it links are merged). Returns the groups whose family
/// changed.
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
    let (mut alone, mut families) = others.matching(&drawing.edges);
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
        changed.extend(merge_family(db, *other, family)?);
    }
    for group in &alone {
        write_family(db, *group, family)?;
        changed.push(*group);
    }
    if others.join(&alone, &families, family) != changed.len() {
        // The cache lacks members whose images have another outline now.
        outlines.forget();
    }
    Ok(changed)
}

/// The other groups of a family, in source order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Relatives {
    pub groups: Vec<GroupId>,
    /// The group to derive records from: one whose draft an operator wrote or accepted, or else the
    /// one with the fewest reasons.
    pub source: Option<GroupId>,
}

/// Returns the other groups of this group's family, without displaced ones.
pub fn relatives(db: &Connection, group: GroupId) -> Result<Relatives> {
    let relative = |row: &Row| -> rusqlite::Result<(i64, String, String, Option<String>)> {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
    };
    let rows: Vec<_> = db
        .prepare_cached(
            "SELECT g.id, h.reasons, h.state, d.origin
             FROM drawings m
                 JOIN groups g ON g.id = m.group_id
                 JOIN heads h ON h.group_id = g.id
                 LEFT JOIN drafts d ON d.id = json_extract(h.head, '$.draft')
                     AND d.kept_reasons NOT LIKE '%unread_line%'
             WHERE m.family = (SELECT family FROM drawings WHERE group_id = ?1)
                 AND g.id <> ?1 AND NOT g.displaced
             ORDER BY g.ord, g.id",
        )
        .and_then(|mut select| select.query_map([group.0], relative)?.collect())
        .map_err(journal_error("reading a family"))?;
    let mut relatives = Relatives::default();
    let mut best = (u8::MAX, usize::MAX);
    for (id, reasons, state, origin) in rows {
        relatives.groups.push(GroupId(id));
        let Some(origin) = origin else {
            continue;
        };
        let rank = match (from_json(&origin)?, state.as_str()) {
            // A text derived from a derived text is less reliable.
            (_, "rejected") | (Origin::Derived(_), _) => continue,
            (Origin::Edit, _) | (_, "accepted") => 0,
            _ => 1,
        };
        let found = (rank, reasons.split_whitespace().count());
        if found < best {
            best = found;
            relatives.source = Some(GroupId(id));
        }
    }
    Ok(relatives)
}

//! Recolor families: groups whose images are the same drawing. A family goes by the smallest number
//! of its groups, and grows as images are read.

use super::tables::computed::{drawings_like, read_family, write_drawing, write_family};
use crate::error::Result;
use crate::icon::Drawing;
use crate::record::GroupId;
use rusqlite::Connection;

/// Stores the drawing of a group's image and joins the group with every other that shows the same
/// (single linkage: two families that it links become one). Returns the groups whose family is
/// another one now.
pub fn join(db: &Connection, group: GroupId, drawing: Option<&Drawing>) -> Result<Vec<GroupId>> {
    write_drawing(db, group, drawing)?;
    let Some(drawing) = drawing else {
        return Ok(Vec::new());
    };
    let mut members = drawings_like(db, group, drawing.outline)?;
    members.retain(|(_, other)| drawing.is_same(other));
    if members.is_empty() {
        return Ok(Vec::new());
    }
    let members: Vec<GroupId> = members
        .into_iter()
        .map(|(member, _)| member)
        .chain([group])
        .collect();
    let mut family = group;
    for &member in &members {
        family = family.min(read_family(db, member)?.unwrap_or(member));
    }
    let mut changed = Vec::new();
    for &member in &members {
        changed.extend(write_family(db, member, family)?);
    }
    Ok(changed)
}

//! Groups as a source names them: met again by hash or by path, in this run or a later one.

use super::exports::{ERRORS, LABELS, count_change};
use super::fault::doing;
use super::head::{Heads, from_json, to_json};
use super::journal::Journal;
use crate::error::Result;
use crate::record::{CurrentState, GroupId, Item};
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashSet;

/// A group as the source's first row of it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGroup {
    /// Position in the source.
    pub order: u64,
    pub item: Item,
    /// Of the file's bytes; `None` where there is no file or it is not read.
    pub sha256: Option<String>,
    /// Rows of the source that this stands for.
    pub rows: u64,
    /// Names of the other rows.
    pub other_names: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upserted {
    pub id: GroupId,
    /// The first time that this reading of the source names the group.
    pub first: bool,
    /// Unknown to the journal until now.
    pub new: bool,
    /// The file under a known path holds other bytes than it did: the group waits again.
    pub content_changed: bool,
}

/// More rows of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members {
    pub group: GroupId,
    pub rows: u64,
    pub names: Vec<String>,
}

/// A row of `groups`.
pub(super) struct GroupRow {
    pub order: i64,
    pub image_path: String,
    pub sha256: Option<String>,
    pub item: Item,
    pub other_names: Vec<String>,
    pub rows: u64,
    pub histogram: Option<String>,
}

impl Journal {
    /// To be called before a source is read: row counts start anew, names stay.
    pub fn begin_source(&mut self) {
        self.seen.clear();
    }

    /// Takes in groups, in one transaction. A group is met again by the hash of its bytes, else
    /// by its path; a row that meets a group named before in this reading joins it. Where the
    /// bytes under a known path have changed, the group waits for a new answer and its record
    /// stays until the next commit; an edit or decision of the operator stands.
    pub fn upsert_groups(&mut self, groups: &[NewGroup]) -> Result<Vec<Upserted>> {
        let transaction = self.db.transaction().map_err(doing("saving groups"))?;
        let mut heads = Heads::new(&transaction);
        let mut out = Vec::with_capacity(groups.len());
        let mut met = HashSet::new();
        for group in groups {
            let known = |id: GroupId| self.seen.contains(&id) || met.contains(&id);
            let upserted = upsert(&transaction, &mut heads, group, &known)?;
            if upserted.first {
                met.insert(upserted.id);
            }
            out.push(upserted);
        }
        heads.finish()?;
        transaction.commit().map_err(doing("saving groups"))?;
        self.seen.extend(met);
        Ok(out)
    }

    pub fn upsert_group(&mut self, group: &NewGroup) -> Result<Upserted> {
        let upserted = self.upsert_groups(std::slice::from_ref(group))?;
        upserted.first().copied().ok_or_else(|| {
            super::fault::unreadable("saving a group", "the group did not come back")
        })
    }

    /// More rows of known groups, in one transaction.
    pub fn add_rows(&mut self, rows: &[(GroupId, u64)]) -> Result<()> {
        let transaction = self.db.transaction().map_err(doing("saving rows"))?;
        for (group, rows) in rows {
            transaction
                .prepare_cached("UPDATE groups SET rows = rows + ?2 WHERE id = ?1")
                .and_then(|mut update| update.execute(params![group.0, order_value(*rows)]))
                .map_err(doing("saving rows"))?;
        }
        transaction.commit().map_err(doing("saving rows"))
    }

    /// More rows and names of known groups, in one transaction.
    pub fn add_names(&mut self, members: &[Members]) -> Result<()> {
        let transaction = self.db.transaction().map_err(doing("saving names"))?;
        for member in members {
            let mut row = read_group(&transaction, member.group)?;
            row.rows += member.rows;
            join_names(&mut row, &member.names);
            write_names(&transaction, member.group, &row)?;
        }
        transaction.commit().map_err(doing("saving names"))
    }
}

fn upsert(
    db: &Connection,
    heads: &mut Heads,
    group: &NewGroup,
    seen: &dyn Fn(GroupId) -> bool,
) -> Result<Upserted> {
    let path = path_key(&group.item);
    let by_path = find_by_path(db, &path)?;
    let by_hash = match &group.sha256 {
        Some(sha256) => find_by_hash(db, sha256)?,
        None => None,
    };
    let mut content_changed = false;
    let id = match (by_hash, by_path) {
        (Some(id), _) => id,
        (None, Some(id)) => {
            let row = read_group(db, id)?;
            let differs = group.sha256.is_some() && row.sha256.is_some();
            if differs && (row.image_path != group.item.image_path || seen(id)) {
                // The path shared its bytes with another one and no longer does.
                return insert(db, heads, group, &path);
            }
            content_changed = differs;
            id
        }
        (None, None) => return insert(db, heads, group, &path),
    };
    if by_path != Some(id) {
        link(db, &path, id)?;
    }
    let mut row = read_group(db, id)?;
    if seen(id) {
        row.rows += group.rows;
        let mut names = vec![group.item.item_name.clone()];
        names.extend(group.other_names.iter().cloned());
        join_names(&mut row, &names);
        write_names(db, id, &row)?;
        return Ok(Upserted {
            id,
            first: false,
            new: false,
            content_changed,
        });
    }
    let mut names = vec![std::mem::replace(&mut row.item, group.item.clone()).item_name];
    names.extend(group.other_names.iter().cloned());
    names.extend(std::mem::take(&mut row.other_names));
    join_names(&mut row, &names);
    let order = order_value(group.order);
    if row.order != order && has_own_record(db, id)? {
        count_change(db, LABELS)?;
    }
    let histogram = row.histogram.filter(|_| !content_changed);
    db.prepare_cached(
        "UPDATE groups SET ord = ?2, image_path = ?3, sha256 = COALESCE(?4, sha256), item = ?5,
             name = ?6, source_type = ?7, part = ?8, other_names = ?9, rows = ?10, histogram = ?11
         WHERE id = ?1",
    )
    .map_err(doing("saving a group"))?
    .execute(params![
        id.0,
        order,
        group.item.image_path,
        group.sha256,
        to_json(&group.item)?,
        group.item.item_name,
        group.item.source_type.as_str(),
        group.item.item_part,
        to_json(&row.other_names)?,
        order_value(group.rows),
        histogram,
    ])
    .map_err(doing("saving a group"))?;
    if content_changed {
        forget_answer(db, heads, id)?;
    }
    Ok(Upserted {
        id,
        first: true,
        new: false,
        content_changed,
    })
}

fn insert(db: &Connection, heads: &mut Heads, group: &NewGroup, path: &str) -> Result<Upserted> {
    let mut row = GroupRow {
        order: order_value(group.order),
        image_path: group.item.image_path.clone(),
        sha256: group.sha256.clone(),
        item: group.item.clone(),
        other_names: Vec::new(),
        rows: group.rows,
        histogram: None,
    };
    join_names(&mut row, &group.other_names);
    let id = insert_group(db, &row)?;
    link(db, path, id)?;
    heads.write(id, &CurrentState::default())?;
    Ok(Upserted {
        id,
        first: true,
        new: true,
        content_changed: false,
    })
}

pub(super) fn insert_group(db: &Connection, row: &GroupRow) -> Result<GroupId> {
    db.prepare_cached(
        "INSERT INTO groups (ord, image_path, sha256, item, name, source_type, part, other_names,
             rows)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    )
    .map_err(doing("saving a group"))?
    .insert(params![
        row.order,
        row.image_path,
        row.sha256,
        to_json(&row.item)?,
        row.item.item_name,
        row.item.source_type.as_str(),
        row.item.item_part,
        to_json(&row.other_names)?,
        order_value(row.rows),
    ])
    .map(GroupId)
    .map_err(doing("saving a group"))
}

/// Whether there is a record that was made here. The lines of an earlier file keep their places
/// until one is made.
fn has_own_record(db: &Connection, id: GroupId) -> Result<bool> {
    db.prepare_cached(
        "SELECT 1 FROM heads h JOIN records r ON r.id = h.record
         WHERE h.group_id = ?1 AND r.raw IS NULL",
    )
    .and_then(|mut select| select.exists([id.0]))
    .map_err(doing("reading a group"))
}

/// The picture is another one: its answers no longer speak of it.
fn forget_answer(db: &Connection, heads: &mut Heads, id: GroupId) -> Result<()> {
    let mut current = heads.read(id)?;
    if current.failure.is_some() {
        count_change(db, ERRORS)?;
    }
    current.picture_changed();
    heads.write(id, &current)
}

pub(super) fn read_group(db: &Connection, id: GroupId) -> Result<GroupRow> {
    let (order, image_path, sha256, item, other_names, rows, histogram) = db
        .prepare_cached(
            "SELECT ord, image_path, sha256, item, other_names, rows, histogram
             FROM groups WHERE id = ?1",
        )
        .and_then(|mut select| {
            select.query_row([id.0], |row| {
                Ok((
                    row.get(0)?,
                    row.get(1)?,
                    row.get(2)?,
                    row.get::<_, String>(3)?,
                    row.get::<_, String>(4)?,
                    row.get::<_, i64>(5)?,
                    row.get(6)?,
                ))
            })
        })
        .map_err(doing("reading a group"))?;
    Ok(GroupRow {
        order,
        image_path,
        sha256,
        item: from_json(&item)?,
        other_names: from_json(&other_names)?,
        rows: u64::try_from(rows).unwrap_or_default(),
        histogram,
    })
}

/// What stands for the path of an item; one that has none goes by its address, then its name.
pub(super) fn path_key(item: &Item) -> String {
    if !item.image_path.is_empty() {
        return item.image_path.clone();
    }
    match &item.image_url {
        Some(url) => format!("url:{url}"),
        None => format!("name:{}", item.item_name),
    }
}

pub(super) fn find_by_path(db: &Connection, path: &str) -> Result<Option<GroupId>> {
    db.prepare_cached("SELECT group_id FROM paths WHERE path = ?1")
        .and_then(|mut select| select.query_row([path], |row| row.get(0)).optional())
        .map(|id| id.map(GroupId))
        .map_err(doing("looking for a path"))
}

pub(super) fn find_by_hash(db: &Connection, sha256: &str) -> Result<Option<GroupId>> {
    db.prepare_cached("SELECT id FROM groups WHERE sha256 = ?1 ORDER BY id LIMIT 1")
        .and_then(|mut select| select.query_row([sha256], |row| row.get(0)).optional())
        .map(|id| id.map(GroupId))
        .map_err(doing("looking for a hash"))
}

pub(super) fn link(db: &Connection, path: &str, id: GroupId) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO paths (path, group_id) VALUES (?1, ?2)")
        .and_then(|mut insert| insert.execute(params![path, id.0]))
        .map_err(doing("saving a path"))?;
    Ok(())
}

fn write_names(db: &Connection, id: GroupId, row: &GroupRow) -> Result<()> {
    db.prepare_cached("UPDATE groups SET other_names = ?2, rows = ?3 WHERE id = ?1")
        .map_err(doing("saving names"))?
        .execute(params![
            id.0,
            to_json(&row.other_names)?,
            order_value(row.rows)
        ])
        .map_err(doing("saving names"))?;
    Ok(())
}

fn join_names(row: &mut GroupRow, names: &[String]) {
    let mut known: HashSet<String> = row.other_names.iter().cloned().collect();
    known.insert(row.item.item_name.clone());
    for name in names {
        if known.insert(name.clone()) {
            row.other_names.push(name.clone());
        }
    }
}

/// SQLite knows signed numbers only.
fn order_value(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

//! Groups as a source names them: met again by hash or by path, in this run or a later one.

use super::contents::{Content, bump};
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
    /// The file under a known path holds other bytes than it did and waits for an answer.
    pub content_changed: bool,
    /// The picture of a record is met under another path than before.
    pub moved: bool,
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
    /// To be called before a source is read: row counts start over, names stay.
    pub fn begin_source(&mut self) {
        self.seen.clear();
    }

    /// Takes in groups, in one transaction. A group is met again by the hash of its bytes, else
    /// by its path; a row that meets a group named before in this reading joins it. Where the
    /// bytes under a known path have changed, a record stays with the bytes that it is of, should
    /// they turn up elsewhere, and a new group waits under the path. A group without a record
    /// waits for a new answer itself; an edit or decision of the operator stands.
    pub fn upsert_groups(&mut self, groups: &[NewGroup]) -> Result<Vec<Upserted>> {
        let transaction = self.db.transaction().map_err(doing("saving groups"))?;
        let mut heads = Heads::new(&transaction);
        let mut out = Vec::with_capacity(groups.len());
        let mut met = HashSet::new();
        let mut touched = Touched::default();
        for group in groups {
            let known = |id: GroupId| self.seen.contains(&id) || met.contains(&id);
            let upserted = upsert(&transaction, &mut heads, group, &known, &mut touched)?;
            if upserted.first {
                met.insert(upserted.id);
            }
            out.push(upserted);
        }
        heads.finish()?;
        touched.bump(&transaction)?;
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

    /// More paths at which the images of known groups are, in one transaction. Where another image
    /// was at such a path, its group is displaced.
    pub fn add_paths(&mut self, paths: &[(GroupId, String)]) -> Result<()> {
        let transaction = self.db.transaction().map_err(doing("saving paths"))?;
        let heads = Heads::new(&transaction);
        let mut touched = Touched::default();
        for (group, path) in paths {
            let known = find_by_path(&transaction, path)?;
            if path.is_empty() || known == Some(*group) {
                continue;
            }
            if let Some(other) = known {
                touched.add(&heads.read(other)?);
            }
            link(&transaction, path, *group)?;
        }
        drop(heads);
        touched.bump(&transaction)?;
        transaction.commit().map_err(doing("saving paths"))
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

/// What of the journal's contents looks different after some groups were named.
#[derive(Default)]
struct Touched {
    records: bool,
    failures: bool,
}

impl Touched {
    fn add(&mut self, current: &CurrentState) {
        match current.review.line {
            Some(_) => self.records = true,
            None => self.failures |= current.failure.is_some(),
        }
    }

    fn bump(&self, db: &Connection) -> Result<()> {
        if self.records {
            bump(db, Content::Records)?;
        }
        if self.failures {
            bump(db, Content::Failures)?;
        }
        Ok(())
    }
}

fn upsert(
    db: &Connection,
    heads: &mut Heads,
    group: &NewGroup,
    seen: &dyn Fn(GroupId) -> bool,
    touched: &mut Touched,
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
            let differs = match (&group.sha256, &row.sha256) {
                (Some(now), Some(before)) => !now.eq_ignore_ascii_case(before),
                _ => false,
            };
            let is_shared = row.image_path != group.item.image_path || seen(id);
            if differs && (is_shared || has_other_path(db, id, &path)?) {
                // The path shared its bytes with another one and no longer does.
                return insert(db, heads, group, &path);
            }
            let current = heads.read(id)?;
            if differs && current.review.line.is_some() {
                touched.add(&current);
                // Its label is no twin of others while nobody knows where the picture is.
                forget_answer(heads, id, current)?;
                let mut inserted = insert(db, heads, group, &path)?;
                inserted.content_changed = true;
                return Ok(inserted);
            }
            content_changed = differs;
            id
        }
        (None, None) => return insert(db, heads, group, &path),
    };
    if by_path != Some(id) {
        if let Some(other) = by_path {
            touched.add(&heads.read(other)?);
        }
        link(db, &path, id)?;
    }
    let current = heads.read(id)?;
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
            moved: false,
        });
    }
    let mut names = vec![std::mem::replace(&mut row.item, group.item.clone()).item_name];
    names.extend(group.other_names.iter().cloned());
    names.extend(std::mem::take(&mut row.other_names));
    join_names(&mut row, &names);
    let order = order_value(group.order);
    let moved = row.image_path != group.item.image_path;
    if moved || row.order != order || by_path != Some(id) {
        touched.add(&current);
    }
    let has_record = current.review.line.is_some();
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
        touched.add(&current);
        forget_answer(heads, id, current)?;
    } else {
        find_again(db, heads, id, current)?;
    }
    Ok(Upserted {
        id,
        first: true,
        new: false,
        content_changed,
        moved: moved && has_record,
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
        moved: false,
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

/// The picture is another one: its answers no longer speak of it.
fn forget_answer(heads: &mut Heads, id: GroupId, mut current: CurrentState) -> Result<()> {
    current.picture_changed();
    heads.write(id, &current)
}

/// The picture of a record that was displaced has turned up.
fn find_again(
    db: &Connection,
    heads: &mut Heads,
    id: GroupId,
    mut current: CurrentState,
) -> Result<()> {
    let review = &mut current.review;
    let Some(line) = review.line.filter(|_| review.draft.is_none()) else {
        return Ok(());
    };
    let is_of_this_picture = db
        .prepare_cached(
            "SELECT 1 FROM groups g JOIN records r ON r.id = ?2
             WHERE g.id = ?1 AND lower(g.sha256) = CASE WHEN json_valid(r.record)
                 THEN lower(json_extract(r.record, '$.image_sha256')) END",
        )
        .and_then(|mut select| select.exists(params![id.0, line.record]))
        .map_err(doing("reading a record"))?;
    if is_of_this_picture {
        review.draft = Some(line.version);
        heads.write(id, &current)?;
    }
    Ok(())
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

/// Whether the image was met under a path besides this one, where it may still be.
fn has_other_path(db: &Connection, id: GroupId, path: &str) -> Result<bool> {
    db.prepare_cached("SELECT 1 FROM paths WHERE group_id = ?1 AND path <> ?2 LIMIT 1")
        .and_then(|mut select| select.exists(params![id.0, path]))
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

//! Tables `groups` and `paths`: every known image, and what the source reports about it.
//!
//! A group is one image: once its bytes are known, its hash never changes. Another image at the
//! same path is another group, and the earlier group is *displaced* until its image is found again.

use super::{from_json, to_json};
use crate::error::Result;
use crate::record::{GroupId, Item};
use crate::store::errors::journal_error;
use rusqlite::{Connection, OptionalExtension, params};
use std::collections::HashSet;

/// A row of `groups`.
#[derive(Debug, PartialEq)]
pub struct GroupRow {
    pub order: i64,
    pub image_path: String,
    pub sha256: Option<String>,
    pub item: Item,
    pub other_names: Vec<String>,
    pub rows: u64,
}

/// SQL condition that the column `displaced` stores: another group is at the path of group `g`.
const IS_OTHER_AT_PATH: &str = "(g.image_path <> '' AND EXISTS (
    SELECT 1 FROM paths p WHERE p.path = g.image_path AND p.group_id <> g.id))";

pub fn is_displaced(db: &Connection, id: GroupId) -> Result<bool> {
    db.prepare_cached("SELECT displaced FROM groups WHERE id = ?1")
        .and_then(|mut select| select.query_row([id.0], |row| row.get(0)))
        .map_err(journal_error("reading a group"))
}

/// Determines again whether a group is displaced, after its path or the group at its path changed.
fn update_displaced(db: &Connection, id: GroupId) -> Result<()> {
    db.prepare_cached(&format!(
        "UPDATE groups AS g SET displaced = NOT displaced
         WHERE id = ?1 AND displaced <> {IS_OTHER_AT_PATH}"
    ))
    .and_then(|mut update| update.execute([id.0]))
    .map_err(journal_error("saving a group"))?;
    Ok(())
}

/// Determines again which groups are displaced.
pub fn update_all_displaced(db: &Connection) -> Result<()> {
    db.execute(
        &format!("UPDATE groups AS g SET displaced = {IS_OTHER_AT_PATH}"),
        [],
    )
    .map_err(journal_error("saving the groups"))?;
    Ok(())
}

pub fn insert_group(db: &Connection, row: &GroupRow) -> Result<GroupId> {
    db.prepare_cached(
        "INSERT INTO groups (ord, image_path, sha256, item, name, source_type, part, other_names,
             rows, displaced)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,
             ?2 <> '' AND EXISTS (SELECT 1 FROM paths WHERE path = ?2))",
    )
    .map_err(journal_error("saving a group"))?
    .insert(params![
        row.order,
        row.image_path,
        row.sha256,
        to_json(&row.item)?,
        row.item.item_name,
        row.item.source_type.as_str(),
        row.item.item_part,
        to_json(&row.other_names)?,
        sql_integer(row.rows),
    ])
    .map(GroupId)
    .map_err(journal_error("saving a group"))
}

/// Replaces what the source reports about a group. The hash is set only if it was unknown.
pub fn update_group(db: &Connection, id: GroupId, row: &GroupRow) -> Result<()> {
    db.prepare_cached(
        "UPDATE groups SET ord = ?2, image_path = ?3, sha256 = coalesce(sha256, ?4), item = ?5,
             name = ?6, source_type = ?7, part = ?8, other_names = ?9, rows = ?10
         WHERE id = ?1",
    )
    .map_err(journal_error("saving a group"))?
    .execute(params![
        id.0,
        row.order,
        row.image_path,
        row.sha256,
        to_json(&row.item)?,
        row.item.item_name,
        row.item.source_type.as_str(),
        row.item.item_part,
        to_json(&row.other_names)?,
        sql_integer(row.rows),
    ])
    .map_err(journal_error("saving a group"))?;
    update_displaced(db, id)
}

pub fn add_rows(db: &Connection, id: GroupId, rows: u64) -> Result<()> {
    db.prepare_cached("UPDATE groups SET rows = rows + ?2 WHERE id = ?1")
        .and_then(|mut update| update.execute(params![id.0, sql_integer(rows)]))
        .map_err(journal_error("saving rows"))?;
    Ok(())
}

pub fn write_names(db: &Connection, id: GroupId, row: &GroupRow) -> Result<()> {
    db.prepare_cached("UPDATE groups SET other_names = ?2, rows = ?3 WHERE id = ?1")
        .map_err(journal_error("saving names"))?
        .execute(params![
            id.0,
            to_json(&row.other_names)?,
            sql_integer(row.rows)
        ])
        .map_err(journal_error("saving names"))?;
    Ok(())
}

/// Returns a group's position in the source.
pub fn order_of(db: &Connection, id: GroupId) -> Result<i64> {
    db.prepare_cached("SELECT ord FROM groups WHERE id = ?1")
        .and_then(|mut select| select.query_row([id.0], |row| row.get(0)))
        .map_err(journal_error("reading a group"))
}

pub fn read_group(db: &Connection, id: GroupId) -> Result<GroupRow> {
    let (order, image_path, sha256, item, other_names, rows) = db
        .prepare_cached(
            "SELECT ord, image_path, sha256, item, other_names, rows FROM groups WHERE id = ?1",
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
                ))
            })
        })
        .map_err(journal_error("reading a group"))?;
    Ok(GroupRow {
        order,
        image_path,
        sha256,
        item: from_json(&item)?,
        other_names: from_json(&other_names)?,
        rows: u64::try_from(rows).unwrap_or_default(),
    })
}

/// Returns the key of an item in `paths`: its path, or else its URL, or else its name.
pub fn path_key(item: &Item) -> String {
    if !item.image_path.is_empty() {
        return item.image_path.clone();
    }
    match &item.image_url {
        Some(url) => format!("url:{url}"),
        None => format!("name:{}", item.item_name),
    }
}

pub fn find_by_path(db: &Connection, path: &str) -> Result<Option<GroupId>> {
    db.prepare_cached("SELECT group_id FROM paths WHERE path = ?1")
        .and_then(|mut select| select.query_row([path], |row| row.get(0)).optional())
        .map(|id| id.map(GroupId))
        .map_err(journal_error("looking for a path"))
}

/// Passes the path and hash of every image to `take`.
pub fn each_image(
    db: &Connection,
    mut take: impl FnMut(GroupId, &str, Option<&str>),
) -> Result<()> {
    let reading = journal_error("reading the images");
    let mut select = db
        .prepare_cached("SELECT id, image_path, sha256 FROM groups")
        .map_err(&reading)?;
    let mut rows = select.query([]).map_err(&reading)?;
    while let Some(row) = rows.next().map_err(&reading)? {
        let path: String = row.get(1).map_err(&reading)?;
        let sha256: Option<String> = row.get(2).map_err(&reading)?;
        take(
            GroupId(row.get(0).map_err(&reading)?),
            &path,
            sha256.as_deref(),
        );
    }
    Ok(())
}

pub fn find_by_hash(db: &Connection, sha256: &str) -> Result<Option<GroupId>> {
    db.prepare_cached("SELECT id FROM groups WHERE sha256 = ?1 ORDER BY id LIMIT 1")
        .and_then(|mut select| select.query_row([sha256], |row| row.get(0)).optional())
        .map(|id| id.map(GroupId))
        .map_err(journal_error("looking for a hash"))
}

/// Assigns a path to a group, which displaces the group that was there `before`.
pub fn assign_path(
    db: &Connection,
    path: &str,
    before: Option<GroupId>,
    id: GroupId,
) -> Result<()> {
    db.prepare_cached("INSERT OR REPLACE INTO paths (path, group_id) VALUES (?1, ?2)")
        .and_then(|mut insert| insert.execute(params![path, id.0]))
        .map_err(journal_error("saving a path"))?;
    match before {
        Some(before) => {
            update_displaced(db, before)?;
            update_displaced(db, id)
        }
        None => Ok(()),
    }
}

/// Adds new names to a group. A group without a name takes the first one.
pub fn add_new_names(row: &mut GroupRow, names: &[String]) {
    let mut known: HashSet<String> = row.other_names.iter().cloned().collect();
    known.insert(row.item.item_name.clone());
    known.insert(String::new());
    for name in names {
        if !known.insert(name.clone()) {
            continue;
        }
        match row.item.item_name.is_empty() {
            true => row.item.item_name = name.clone(),
            false => row.other_names.push(name.clone()),
        }
    }
}

/// Converts to SQLite's signed integers.
pub fn sql_integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

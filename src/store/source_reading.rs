//! One reading of a source: its images are met again by content or by path, or are new.

use super::checks::check_group;
use super::errors::doing;
use super::tables::groups::{
    GroupRow, add_rows, find_by_hash, find_by_path, insert_group, is_displaced, join_names, link,
    order_value, path_key, read_group, update_group, write_names,
};
use super::tables::meta::{Content, bump};
use super::tables::states::StateWriter;
use crate::error::Result;
use crate::record::{CurrentState, GroupId, Item, Vocabulary};
use rusqlite::Connection;
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
    /// The picture of a record is met under another path than before.
    pub moved: bool,
    /// The journal says something else of it than before.
    pub changed: bool,
}

/// More rows of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members {
    pub group: GroupId,
    pub rows: u64,
    pub names: Vec<String>,
}

/// What one reading of the source has named so far.
#[derive(Debug, Default)]
pub struct SourceReading {
    named: HashSet<GroupId>,
}

impl SourceReading {
    /// Starts over: row counts too, names stay.
    pub fn begin(&mut self) {
        self.named.clear();
    }

    /// Meets groups, in one transaction. A group is met again by the hash of its bytes, else by
    /// its path while its bytes are not known; a row that meets a group named before in this
    /// reading joins it. Other bytes under a known path are another group; the one before keeps
    /// all that is of it, should its bytes turn up elsewhere. Texts of a group that has another
    /// name now are checked again.
    pub fn upsert(
        &mut self,
        db: &mut Connection,
        vocabulary: &Vocabulary,
        groups: &[NewGroup],
    ) -> Result<Vec<Upserted>> {
        let transaction = db.transaction().map_err(doing("saving groups"))?;
        let mut meeting = Meeting {
            db: &transaction,
            vocabulary,
            states: StateWriter::new(&transaction),
            named: &self.named,
            met: HashSet::new(),
            touched: Touched::default(),
        };
        let mut out = Vec::with_capacity(groups.len());
        for group in groups {
            out.push(meeting.meet(group)?);
        }
        let Meeting {
            states,
            met,
            touched,
            ..
        } = meeting;
        states.finish()?;
        touched.bump(&transaction)?;
        transaction.commit().map_err(doing("saving groups"))?;
        self.named.extend(met);
        Ok(out)
    }
}

/// More rows of known groups, in one transaction.
pub fn add_all_rows(db: &mut Connection, rows: &[(GroupId, u64)]) -> Result<()> {
    let transaction = db.transaction().map_err(doing("saving rows"))?;
    for (group, rows) in rows {
        add_rows(&transaction, *group, *rows)?;
    }
    transaction.commit().map_err(doing("saving rows"))
}

/// More paths at which the images of known groups are, in one transaction. Where another image
/// was at such a path, its group is displaced.
pub fn add_paths(db: &mut Connection, paths: &[(GroupId, String)]) -> Result<()> {
    let transaction = db.transaction().map_err(doing("saving paths"))?;
    let mut states = StateWriter::new(&transaction);
    let mut touched = Touched::default();
    for (group, path) in paths {
        let known = find_by_path(&transaction, path)?;
        if path.is_empty() || known == Some(*group) {
            continue;
        }
        link(&transaction, path, *group)?;
        if let Some(other) = known {
            touched.displaced(&mut states, other)?;
        }
    }
    states.finish()?;
    touched.bump(&transaction)?;
    transaction.commit().map_err(doing("saving paths"))
}

/// More rows and names of known groups, in one transaction.
pub fn add_names(db: &mut Connection, members: &[Members]) -> Result<()> {
    let transaction = db.transaction().map_err(doing("saving names"))?;
    for member in members {
        let mut row = read_group(&transaction, member.group)?;
        row.rows += member.rows;
        join_names(&mut row, &member.names);
        write_names(&transaction, member.group, &row)?;
    }
    transaction.commit().map_err(doing("saving names"))
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

    /// A group's path leads to another one now.
    fn displaced(&mut self, states: &mut StateWriter, id: GroupId) -> Result<()> {
        let current = states.read(id)?;
        self.add(&current);
        // Its text may be in no record.
        self.records |= current.review.draft.is_some();
        states.write(id, &current)
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

/// Groups being met in one transaction.
struct Meeting<'a> {
    db: &'a Connection,
    vocabulary: &'a Vocabulary,
    states: StateWriter<'a>,
    /// Named before in this reading.
    named: &'a HashSet<GroupId>,
    /// Named first in this transaction.
    met: HashSet<GroupId>,
    touched: Touched,
}

impl Meeting<'_> {
    fn meet(&mut self, group: &NewGroup) -> Result<Upserted> {
        let path = path_key(&group.item);
        let by_path = find_by_path(self.db, &path)?;
        let by_hash = match &group.sha256 {
            Some(sha256) => find_by_hash(self.db, sha256)?,
            None => None,
        };
        let of_these_bytes = match (by_hash, by_path) {
            (None, Some(id)) if self.is_of_other_bytes(id, group)? => None,
            (by_hash, by_path) => by_hash.or(by_path),
        };
        let Some(id) = of_these_bytes else {
            return self.insert(group, &path, by_path);
        };
        let mut row = read_group(self.db, id)?;
        let is_named = self.named.contains(&id) || self.met.contains(&id);
        let renewed = renewed(&row, group);
        if !is_named && by_path == Some(id) && row == renewed {
            self.met.insert(id);
            return Ok(Upserted {
                id,
                first: true,
                new: false,
                moved: false,
                changed: false,
            });
        }
        let was_displaced = is_displaced(self.db, id)?;
        self.lead(&path, by_path, id)?;
        if is_named {
            row.rows += group.rows;
            let mut names = vec![group.item.item_name.clone()];
            names.extend(group.other_names.iter().cloned());
            join_names(&mut row, &names);
            write_names(self.db, id, &row)?;
            return Ok(Upserted {
                id,
                first: false,
                new: false,
                moved: false,
                changed: true,
            });
        }
        let current = self.states.read(id)?;
        let moved = row.image_path != renewed.image_path;
        let has_another_place = moved || row.order != renewed.order || by_path != Some(id);
        let has_another_name = row.item.item_name != renewed.item.item_name;
        update_group(self.db, id, &renewed)?;
        if has_another_place {
            self.touched.add(&current);
        }
        if has_another_name {
            check_group(self.db, self.vocabulary, id, &mut self.states)?;
        }
        if is_displaced(self.db, id)? != was_displaced {
            self.states.write(id, &current)?;
        }
        self.met.insert(id);
        Ok(Upserted {
            id,
            first: true,
            new: false,
            moved: moved && current.review.line.is_some(),
            changed: true,
        })
    }

    fn is_of_other_bytes(&self, id: GroupId, group: &NewGroup) -> Result<bool> {
        let known = read_group(self.db, id)?.sha256;
        Ok(match (&group.sha256, &known) {
            (Some(now), Some(known)) => !now.eq_ignore_ascii_case(known),
            _ => false,
        })
    }

    fn insert(
        &mut self,
        group: &NewGroup,
        path: &str,
        before: Option<GroupId>,
    ) -> Result<Upserted> {
        let row = row_of(group, &group.other_names);
        let id = insert_group(self.db, &row)?;
        self.lead(path, before, id)?;
        self.states.write(id, &CurrentState::default())?;
        self.met.insert(id);
        Ok(Upserted {
            id,
            first: true,
            new: true,
            moved: false,
            changed: true,
        })
    }

    /// Makes a path lead to a group, where it led to another one or nowhere before.
    fn lead(&mut self, path: &str, before: Option<GroupId>, id: GroupId) -> Result<()> {
        if before == Some(id) {
            return Ok(());
        }
        link(self.db, path, id)?;
        match before {
            Some(other) => self.touched.displaced(&mut self.states, other),
            None => Ok(()),
        }
    }
}

/// What a group's row says after the source has named it; names that it had are kept.
fn renewed(row: &GroupRow, group: &NewGroup) -> GroupRow {
    let had = std::iter::once(&row.item.item_name);
    let names: Vec<String> = had
        .chain(&group.other_names)
        .chain(&row.other_names)
        .cloned()
        .collect();
    row_of(group, &names)
}

fn row_of(group: &NewGroup, other_names: &[String]) -> GroupRow {
    let mut row = GroupRow {
        order: order_value(group.order),
        image_path: group.item.image_path.clone(),
        sha256: group.sha256.clone(),
        item: group.item.clone(),
        other_names: Vec::new(),
        rows: group.rows,
    };
    join_names(&mut row, other_names);
    row
}

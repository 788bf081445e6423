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
            joining: Joining::new(&transaction, vocabulary),
            named: &self.named,
            met: HashSet::new(),
        };
        let mut out = Vec::with_capacity(groups.len());
        for group in groups {
            out.push(meeting.meet(group)?);
        }
        let Meeting { joining, met, .. } = meeting;
        joining.finish()?;
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

/// More rows and names of known groups, in one transaction. Returns the groups that
/// show a change.
pub fn add_names(
    db: &mut Connection,
    vocabulary: &Vocabulary,
    members: &[Members],
) -> Result<Vec<GroupId>> {
    let transaction = db.transaction().map_err(doing("saving names"))?;
    let mut joining = Joining::new(&transaction, vocabulary);
    let mut changed = Vec::new();
    for member in members {
        let mut row = read_group(&transaction, member.group)?;
        row.rows += member.rows;
        if joining.join(member.group, &mut row, &member.names)? {
            changed.push(member.group);
        }
    }
    changed.extend(joining.finish()?);
    changed.sort_unstable();
    changed.dedup();
    transaction.commit().map_err(doing("saving names"))?;
    Ok(changed)
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

/// Rows joining groups in one transaction.
struct Joining<'a> {
    db: &'a Connection,
    vocabulary: &'a Vocabulary,
    states: StateWriter<'a>,
    touched: Touched,
}

impl<'a> Joining<'a> {
    fn new(db: &'a Connection, vocabulary: &'a Vocabulary) -> Self {
        Self {
            db,
            vocabulary,
            states: StateWriter::new(db),
            touched: Touched::default(),
        }
    }

    /// Returns the groups that show a change.
    fn finish(self) -> Result<Vec<GroupId>> {
        let changed = self.states.finish()?;
        self.touched.bump(self.db)?;
        Ok(changed)
    }

    /// Saves a group's row with further names. A group that has none takes the first as its own,
    /// and its texts are checked again; tells whether it did.
    fn join(&mut self, id: GroupId, row: &mut GroupRow, names: &[String]) -> Result<bool> {
        let had_name = !row.item.item_name.is_empty();
        join_names(row, names);
        if had_name || row.item.item_name.is_empty() {
            write_names(self.db, id, row)?;
            return Ok(false);
        }
        update_group(self.db, id, row)?;
        check_group(self.db, self.vocabulary, id, &mut self.states)?;
        let current = self.states.read(id)?;
        self.touched.add(&current);
        Ok(true)
    }
}

/// Groups being met in one transaction.
struct Meeting<'a> {
    joining: Joining<'a>,
    /// Named before in this reading.
    named: &'a HashSet<GroupId>,
    /// Named first in this transaction.
    met: HashSet<GroupId>,
}

impl Meeting<'_> {
    fn meet(&mut self, group: &NewGroup) -> Result<Upserted> {
        let path = path_key(&group.item);
        let by_path = find_by_path(self.joining.db, &path)?;
        let by_hash = match &group.sha256 {
            Some(sha256) => find_by_hash(self.joining.db, sha256)?,
            None => None,
        };
        let of_these_bytes = match (by_hash, by_path) {
            (None, Some(id)) if self.is_of_other_bytes(id, group)? => None,
            (by_hash, by_path) => by_hash.or(by_path),
        };
        let Some(id) = of_these_bytes else {
            return self.insert(group, &path, by_path);
        };
        let mut row = read_group(self.joining.db, id)?;
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
        let was_displaced = is_displaced(self.joining.db, id)?;
        self.lead(&path, by_path, id)?;
        if is_named {
            row.rows += group.rows;
            let mut names = vec![group.item.item_name.clone()];
            names.extend(group.other_names.iter().cloned());
            self.joining.join(id, &mut row, &names)?;
            return Ok(Upserted {
                id,
                first: false,
                new: false,
                moved: false,
                changed: true,
            });
        }
        let current = self.joining.states.read(id)?;
        let moved = row.image_path != renewed.image_path;
        let has_another_place = moved || row.order != renewed.order || by_path != Some(id);
        let has_another_name = row.item.item_name != renewed.item.item_name;
        update_group(self.joining.db, id, &renewed)?;
        if has_another_place {
            self.joining.touched.add(&current);
        }
        if has_another_name {
            check_group(
                self.joining.db,
                self.joining.vocabulary,
                id,
                &mut self.joining.states,
            )?;
        }
        if is_displaced(self.joining.db, id)? != was_displaced {
            self.joining.states.write(id, &current)?;
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
        let known = read_group(self.joining.db, id)?.sha256;
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
        let id = insert_group(self.joining.db, &row)?;
        self.lead(path, before, id)?;
        self.joining.states.write(id, &CurrentState::default())?;
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
        link(self.joining.db, path, id)?;
        match before {
            Some(other) => self
                .joining
                .touched
                .displaced(&mut self.joining.states, other),
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

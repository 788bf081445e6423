//! Matches the images of a source with the journal's groups, by content or by path.

use super::checks::check_group;
use super::errors::journal_error;
use super::tables::groups::{
    GroupRow, add_new_names, add_rows, assign_path, find_by_hash, find_by_path, insert_group,
    is_displaced, path_key, read_group, sql_integer, update_group, write_names,
};
use super::tables::meta::ChangedContents;
use super::tables::states::StateWriter;
use crate::error::{Error, Result};
use crate::record::{CurrentState, GroupId, Item, Vocabulary};
use rusqlite::Connection;
use std::collections::HashSet;

/// A group as described by its first row in the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewGroup {
    /// Position in the source.
    pub order: u64,
    pub item: Item,
    /// Hash of the image; `None` if there is no file or it was not read.
    pub sha256: Option<String>,
}

/// Result of matching one [`NewGroup`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upserted {
    pub id: GroupId,
    /// The source names the group for the first time in this run.
    pub first: bool,
    /// The journal did not have the group.
    pub new: bool,
    /// The group has a record and its image is at another path now.
    pub moved: bool,
    /// The journal's data about the group changed.
    pub changed: bool,
}

/// Tracks the groups that the source has named in this run.
#[derive(Debug, Default)]
pub struct SourceReading {
    named: HashSet<GroupId>,
}

impl SourceReading {
    /// Starts a new pass over the source, in which row counts start at zero. Names are kept.
    pub fn begin(&mut self) {
        self.named.clear();
    }

    /// Inserts or updates groups in one transaction. A group is found by its hash, or by its path
    /// while its hash is unknown. If this pass has named it before, the rows are added to it. Other
    /// bytes at a known path are a new group; the earlier group keeps its data in case its image
    /// appears elsewhere. Drafts of a group whose item name changed are checked again.
    pub fn upsert(
        &mut self,
        db: &mut Connection,
        vocabulary: &Vocabulary,
        groups: &[NewGroup],
    ) -> Result<Vec<Upserted>> {
        let transaction = db.transaction().map_err(journal_error("saving groups"))?;
        let mut upsert = Upsert {
            updater: GroupUpdater::new(&transaction, vocabulary),
            named: &self.named,
            newly_named: HashSet::new(),
        };
        let mut out = Vec::with_capacity(groups.len());
        for group in groups {
            out.push(upsert.group(group)?);
        }
        let Upsert {
            updater,
            newly_named,
            ..
        } = upsert;
        updater.finish()?;
        transaction
            .commit()
            .map_err(journal_error("saving groups"))?;
        self.named.extend(newly_named);
        Ok(out)
    }
}

/// Adds row counts to known groups, in one transaction.
pub fn add_all_rows(db: &mut Connection, rows: &[(GroupId, u64)]) -> Result<()> {
    let transaction = db.transaction().map_err(journal_error("saving rows"))?;
    for (group, rows) in rows {
        add_rows(&transaction, *group, *rows)?;
    }
    transaction.commit().map_err(journal_error("saving rows"))
}

/// Adds paths of known groups' images, in one transaction. A group whose image was at such a path
/// before is displaced.
pub fn add_paths(db: &mut Connection, paths: &[(GroupId, String)]) -> Result<()> {
    let transaction = db.transaction().map_err(journal_error("saving paths"))?;
    let mut states = StateWriter::new(&transaction);
    let mut changed_contents = ChangedContents::default();
    for (group, path) in paths {
        let known = find_by_path(&transaction, path)?;
        if path.is_empty() || known == Some(*group) {
            continue;
        }
        assign_path(&transaction, path, known, *group)?;
        if let Some(other) = known {
            displace(&mut changed_contents, &mut states, other)?;
        }
    }
    states.finish()?;
    changed_contents.bump_versions(&transaction)?;
    transaction.commit().map_err(journal_error("saving paths"))
}

/// Adds names to known groups, in one transaction. Returns the groups whose summaries changed.
pub fn add_names(
    db: &mut Connection,
    vocabulary: &Vocabulary,
    names: &[(GroupId, Vec<String>)],
) -> Result<Vec<GroupId>> {
    let transaction = db.transaction().map_err(journal_error("saving names"))?;
    let mut updater = GroupUpdater::new(&transaction, vocabulary);
    let mut changed = Vec::new();
    for (group, names) in names {
        let mut row = read_group(&transaction, *group)?;
        if updater.save_with_names(*group, &mut row, names)? {
            changed.push(*group);
        }
    }
    changed.extend(updater.finish()?);
    changed.sort_unstable();
    changed.dedup();
    transaction
        .commit()
        .map_err(journal_error("saving names"))?;
    Ok(changed)
}

/// The item of a group changed in the exports that list it.
fn add_listed(contents: &mut ChangedContents, current: &CurrentState) {
    match current.review.record_line() {
        Some(_) => contents.records = true,
        None => contents.failures |= current.failure.is_some(),
    }
}

/// Another group is at the path of group `id` now.
fn displace(contents: &mut ChangedContents, states: &mut StateWriter, id: GroupId) -> Result<()> {
    let current = states.read(id)?;
    add_listed(contents, &current);
    // Its draft may be uncommitted, but the export keeps it aside.
    contents.records |= current.review.draft.is_some();
    states.write(id, &current)
}

/// Saves rows of groups in one transaction.
struct GroupUpdater<'a> {
    db: &'a Connection,
    vocabulary: &'a Vocabulary,
    states: StateWriter<'a>,
    changed_contents: ChangedContents,
}

impl<'a> GroupUpdater<'a> {
    fn new(db: &'a Connection, vocabulary: &'a Vocabulary) -> Self {
        Self {
            db,
            vocabulary,
            states: StateWriter::new(db),
            changed_contents: ChangedContents::default(),
        }
    }

    /// Returns the groups whose summaries changed.
    fn finish(self) -> Result<Vec<GroupId>> {
        let changed = self.states.finish()?;
        self.changed_contents.bump_versions(self.db)?;
        Ok(changed)
    }

    /// Saves a group's row with further names. A group without a name takes the first one, and its
    /// drafts are checked again. Returns whether that happened.
    fn save_with_names(
        &mut self,
        id: GroupId,
        row: &mut GroupRow,
        names: &[String],
    ) -> Result<bool> {
        let had_name = !row.item.item_name.is_empty();
        add_new_names(row, names);
        if had_name || row.item.item_name.is_empty() {
            write_names(self.db, id, row)?;
            return Ok(false);
        }
        update_group(self.db, id, row)?;
        check_group(self.db, self.vocabulary, id, &mut self.states)?;
        let current = self.states.read(id)?;
        add_listed(&mut self.changed_contents, &current);
        Ok(true)
    }
}

/// Inserts or updates groups in one transaction.
struct Upsert<'a> {
    updater: GroupUpdater<'a>,
    /// Named earlier in this pass.
    named: &'a HashSet<GroupId>,
    /// Named for the first time in this transaction.
    newly_named: HashSet<GroupId>,
}

impl Upsert<'_> {
    fn group(&mut self, group: &NewGroup) -> Result<Upserted> {
        let path = path_key(&group.item);
        let by_path = find_by_path(self.updater.db, &path)?;
        let Some((id, mut row)) = self.find_known(group, by_path)? else {
            return self.insert(group, &path, by_path);
        };
        let is_named = self.named.contains(&id) || self.newly_named.contains(&id);
        let updated = updated_row(&row, group);
        if !is_named && by_path == Some(id) && row == updated {
            self.newly_named.insert(id);
            return Ok(Upserted {
                id,
                first: true,
                new: false,
                moved: false,
                changed: false,
            });
        }
        let was_displaced = is_displaced(self.updater.db, id)?;
        self.assign_path(&path, by_path, id)?;
        if is_named {
            row.rows += 1;
            let names = [group.item.item_name.clone()];
            self.updater.save_with_names(id, &mut row, &names)?;
            return Ok(Upserted {
                id,
                first: false,
                new: false,
                moved: false,
                changed: true,
            });
        }
        let current = self.updater.states.read(id)?;
        let moved = row.image_path != updated.image_path;
        let has_new_position = moved || row.order != updated.order || by_path != Some(id);
        let has_new_name = row.item.item_name != updated.item.item_name;
        update_group(self.updater.db, id, &updated)?;
        let has_new_type = row.item.source_type != updated.item.source_type;
        if has_new_position || has_new_name || has_new_type {
            add_listed(&mut self.updater.changed_contents, &current);
        }
        if has_new_name {
            check_group(
                self.updater.db,
                self.updater.vocabulary,
                id,
                &mut self.updater.states,
            )?;
        }
        if is_displaced(self.updater.db, id)? != was_displaced {
            self.updater.states.write(id, &current)?;
        }
        self.newly_named.insert(id);
        Ok(Upserted {
            id,
            first: true,
            new: false,
            moved: moved && current.review.record_line().is_some(),
            changed: true,
        })
    }

    /// Finds the known group of an image: by its hash, or by its path if the hash of either is
    /// unknown.
    fn find_known(
        &self,
        group: &NewGroup,
        by_path: Option<GroupId>,
    ) -> Result<Option<(GroupId, GroupRow)>> {
        let db = self.updater.db;
        let read = |id| Ok::<_, Error>((id, read_group(db, id)?));
        let at_path = by_path.map(read).transpose()?;
        let Some(sha256) = &group.sha256 else {
            return Ok(at_path);
        };
        let known = at_path.as_ref().and_then(|(_, row)| row.sha256.as_ref());
        // The usual case: the image has not moved.
        if known == Some(sha256) {
            return Ok(at_path);
        }
        let is_other = known.is_some_and(|known| known != sha256);
        match find_by_hash(db, sha256)? {
            Some(id) => read(id).map(Some),
            None => Ok(at_path.filter(|_| !is_other)),
        }
    }

    fn insert(
        &mut self,
        group: &NewGroup,
        path: &str,
        before: Option<GroupId>,
    ) -> Result<Upserted> {
        let row = row_of(group, &[]);
        let id = insert_group(self.updater.db, &row)?;
        self.assign_path(path, before, id)?;
        self.updater.states.write(id, &CurrentState::default())?;
        self.newly_named.insert(id);
        Ok(Upserted {
            id,
            first: true,
            new: true,
            moved: false,
            changed: true,
        })
    }

    /// Assigns a path to a group and displaces the group that was there before.
    fn assign_path(&mut self, path: &str, before: Option<GroupId>, id: GroupId) -> Result<()> {
        if before == Some(id) {
            return Ok(());
        }
        assign_path(self.updater.db, path, before, id)?;
        match before {
            Some(other) => {
                let updater = &mut self.updater;
                displace(&mut updater.changed_contents, &mut updater.states, other)
            }
            None => Ok(()),
        }
    }
}

/// Returns a group's row with the data of the source; earlier names are kept.
fn updated_row(row: &GroupRow, group: &NewGroup) -> GroupRow {
    let earlier = std::iter::once(&row.item.item_name);
    let names: Vec<String> = earlier.chain(&row.other_names).cloned().collect();
    row_of(group, &names)
}

fn row_of(group: &NewGroup, other_names: &[String]) -> GroupRow {
    let mut row = GroupRow {
        order: sql_integer(group.order),
        image_path: group.item.image_path.clone(),
        sha256: group.sha256.clone(),
        item: group.item.clone(),
        other_names: Vec::new(),
        rows: 1,
    };
    add_new_names(&mut row, other_names);
    row
}

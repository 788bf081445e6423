//! Enters the groups of the source into the journal, and finds out what each still needs.

use super::journal::JournalAccess;
use crate::error::Result;
use crate::record::{Failure, GroupId, GroupState, ImageLocation, Item};
use crate::source::GroupEvent;
use crate::store::{KnownGroup, Members, NewGroup};
use crate::text::Said;
use std::collections::{BTreeMap, VecDeque};

/// Names that wait to be saved.
const NAMES: usize = 8192;
/// Pictures measured in one go; a request waits no longer than that.
const MEASURED: usize = 32;

/// The source as it has been read so far.
#[derive(Debug)]
pub struct Ingest {
    /// Whether requests need an image.
    with_image: bool,
    /// Whether the pictures of groups that wait for the model are measured ahead of it.
    ahead: bool,
    /// The groups of this reading of the source.
    by_order: Vec<GroupId>,
    total: u64,
    /// Records whose picture was found under another path.
    moved: u64,
    /// The number of rows, once all have been read.
    rows: Option<u64>,
    refused: u64,
    /// Further names of groups, by the number that the source gave the group. They are saved many
    /// at a time: one image may have a hundred thousand.
    names: BTreeMap<u64, Vec<String>>,
    waiting_names: usize,
    /// Groups whose picture no run has measured (those of an earlier file, or that wait).
    unmeasured: VecDeque<GroupId>,
    /// Some of them are being measured.
    measuring: bool,
}

/// The groups of a batch that the source names for the first time, by what each still needs.
#[derive(Debug, Default)]
pub struct Ingested {
    pub warnings: Vec<Said>,
    /// They are new, the source says something else of them than before, or something is done
    /// about them now.
    pub changed: Vec<GroupId>,
    /// They wait for their first answer.
    pub waiting: Vec<GroupId>,
    /// They had an answer in an earlier run, or just before its end; whether it is the record.
    pub answered: Vec<(GroupId, bool)>,
    pub imageless: Vec<Imageless>,
}

/// A group that cannot be labeled for lack of an image.
#[derive(Debug)]
pub struct Imageless {
    pub group: GroupId,
    pub item: Item,
    pub failure: Failure,
    /// The journal does not hold the failure yet.
    pub is_new: bool,
}

impl Ingest {
    pub fn new(with_image: bool, ahead: bool) -> Self {
        Self {
            with_image,
            ahead,
            by_order: Vec::new(),
            total: 0,
            moved: 0,
            rows: None,
            refused: 0,
            names: BTreeMap::new(),
            waiting_names: 0,
            unmeasured: VecDeque::new(),
            measuring: false,
        }
    }

    /// The groups that the source has named, by the number that it gave them.
    pub fn groups(&self) -> &[GroupId] {
        &self.by_order
    }

    /// Enters a batch of groups, names and paths.
    pub fn add(
        &mut self,
        events: Vec<GroupEvent>,
        journal: &mut JournalAccess,
    ) -> Result<Ingested> {
        let mut ingested = Ingested::default();
        let mut groups = Vec::new();
        let mut failures = Vec::new();
        let mut paths = Vec::new();
        let mut is_named = false;
        for event in events {
            match event {
                GroupEvent::New(group) => {
                    failures.push(group.failure);
                    groups.push(NewGroup {
                        order: group.order,
                        item: group.item,
                        sha256: group.sha256,
                        rows: 1,
                        other_names: Vec::new(),
                    });
                }
                GroupEvent::Name {
                    order,
                    name,
                    is_first,
                } => {
                    is_named |= is_first;
                    self.names.entry(order).or_default().push(name);
                    self.waiting_names += 1;
                }
                GroupEvent::Path { order, path } => paths.push((order, path)),
                GroupEvent::Warning(text) => ingested.warnings.push(text),
            }
        }
        let upserted = journal.with(|journal| journal.upsert_groups(&groups))?;
        let ids: Vec<GroupId> = upserted.iter().map(|group| group.id).collect();
        let known = journal.with(|journal| journal.known_groups(&ids))?;
        let groups = upserted.into_iter().zip(known).zip(failures).zip(groups);
        for (((group, known), failure), new) in groups {
            self.by_order.push(group.id);
            journal.log().know(group.id, &new.item.image_path);
            self.moved += u64::from(group.moved);
            if group.first {
                self.total += 1;
                ingested.changed.extend(group.changed.then_some(group.id));
                let known = known.filter(|_| !group.new);
                self.sort(group.id, known, failure, new.item, &mut ingested);
            }
        }
        let paths: Vec<(GroupId, String)> = paths
            .into_iter()
            .filter_map(|(order, path)| Some((self.group(order)?, path)))
            .collect();
        journal.with(|journal| journal.add_paths(&paths))?;
        // The model may be about to be asked about an image that had none.
        if is_named || self.waiting_names >= NAMES {
            ingested.changed.extend(self.save_names(journal)?);
        }
        Ok(ingested)
    }

    /// Returns the groups that show a change.
    fn save_names(&mut self, journal: &mut JournalAccess) -> Result<Vec<GroupId>> {
        self.waiting_names = 0;
        let members: Vec<Members> = std::mem::take(&mut self.names)
            .into_iter()
            .filter_map(|(order, names)| {
                Some(Members {
                    group: self.group(order)?,
                    rows: 0,
                    names,
                })
            })
            .collect();
        journal.with(|journal| journal.add_names(&members))
    }

    fn group(&self, order: u64) -> Option<GroupId> {
        self.by_order.get(usize::try_from(order).ok()?).copied()
    }

    /// Decides what a group still needs; `failure` says why it has no image.
    fn sort(
        &mut self,
        group: GroupId,
        known: Option<KnownGroup>,
        failure: Option<Failure>,
        item: Item,
        ingested: &mut Ingested,
    ) {
        let state = known.map(|known| known.state);
        let has_answer = !matches!(state, None | Some(GroupState::Waiting | GroupState::Failed));
        let is_measured = known.is_some_and(|known| known.is_measured);
        if failure.is_none() && (has_answer || self.ahead) && !is_measured {
            self.unmeasured.push_back(group);
        }
        if has_answer {
            let is_committed = known.is_some_and(|known| known.is_committed);
            ingested.changed.extend((!is_committed).then_some(group));
            ingested.answered.push((group, is_committed));
            return;
        }
        match failure.filter(|_| self.with_image) {
            Some(failure) => {
                let is_new = state != Some(GroupState::Failed);
                ingested.changed.extend(is_new.then_some(group));
                ingested.imageless.push(Imageless {
                    group,
                    item,
                    failure,
                    is_new,
                });
            }
            None => ingested.waiting.push(group),
        }
    }

    /// The source has been read to its end. Returns the groups that show a change.
    pub fn end(
        &mut self,
        rows: u64,
        rows_of_groups: &[u32],
        refused: u64,
        journal: &mut JournalAccess,
    ) -> Result<Vec<GroupId>> {
        let changed = self.save_names(journal)?;
        self.refused = refused;
        let groups = self.by_order.iter().zip(rows_of_groups);
        let shared: Vec<(GroupId, u64)> = groups
            .filter(|(_, rows)| **rows > 1)
            .map(|(&group, &rows)| (group, u64::from(rows - 1)))
            .collect();
        journal.with(|journal| journal.add_rows(&shared))?;
        self.by_order = Vec::new();
        self.rows = Some(rows);
        Ok(changed)
    }

    /// The next pictures to measure, a few at a time, so that requests do not wait for all of
    /// them; until [`Self::measured`] there are no more.
    pub fn next_unmeasured(
        &mut self,
        journal: &mut JournalAccess,
    ) -> Result<Option<Vec<(GroupId, ImageLocation)>>> {
        if self.measuring {
            return Ok(None);
        }
        let mut files = Vec::new();
        while files.len() < MEASURED
            && let Some(group) = self.unmeasured.pop_front()
        {
            // An earlier run has, or its own request has meanwhile.
            if journal.with(|journal| journal.is_measured(group))? {
                continue;
            }
            let (item, _) = journal.with(|journal| journal.item(group))?;
            files.extend(item.file.map(|file| (group, file)));
        }
        self.measuring = !files.is_empty();
        Ok(self.measuring.then_some(files))
    }

    /// The pictures that [`Self::next_unmeasured`] gave have been measured.
    pub fn measured(&mut self) {
        self.measuring = false;
    }

    /// Whether the source has been read to its end.
    pub fn has_ended(&self) -> bool {
        self.rows.is_some()
    }

    /// Whether pictures are being measured, or are to be.
    pub fn is_measuring(&self) -> bool {
        self.measuring || !self.unmeasured.is_empty()
    }

    /// Whether nothing is left to do for the source itself.
    pub fn is_idle(&self) -> bool {
        self.has_ended() && !self.is_measuring()
    }

    /// 0 before the source has been read to its end.
    pub fn rows(&self) -> u64 {
        self.rows.unwrap_or_default()
    }

    /// Rows that cannot be used; 0 before the source has been read to its end.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Groups known so far.
    pub fn total(&self) -> u64 {
        self.total
    }

    pub fn moved(&self) -> u64 {
        self.moved
    }
}

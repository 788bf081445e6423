//! Adds the groups of the source to the journal and determines what each still needs.

use super::EngineOptions;
use super::journal::JournalAccess;
use crate::error::Result;
use crate::export::MissingImages;
use crate::record::{AttemptSettings, Failure, GroupId, ImageLocation, Item};
use crate::source::GroupEvent;
use crate::store::{KnownGroup, NewGroup};
use crate::text::Said;
use std::collections::{BTreeMap, VecDeque};

/// Number of pending names at which they are saved.
const MAX_PENDING_NAMES: usize = 8192;
/// Pictures measured in one batch, which a request may have to wait for.
const MEASURE_BATCH: usize = 32;

/// State of reading the source.
#[derive(Debug)]
pub struct Ingest {
    /// Whether requests need an image.
    with_image: bool,
    /// Whether pictures are measured before the model labels their groups.
    measure_ahead: bool,
    /// Groups by their order in the source.
    by_order: Vec<GroupId>,
    total: u64,
    /// Records whose picture was found at a different path.
    moved: u64,
    /// Number of rows, once all have been read.
    rows: Option<u64>,
    refused: u64,
    /// Additional names of groups, by source order. They are saved in batches, since one image may
    /// have a hundred thousand.
    names: BTreeMap<u64, Vec<String>>,
    pending_names: usize,
    /// Groups whose picture no run has measured.
    unmeasured: VecDeque<GroupId>,
    /// A batch is being measured.
    measuring: bool,
    /// The user knows that the source is locked.
    warned_of_lock: bool,
}

/// New groups of a batch, by what each still needs.
#[derive(Debug, Default)]
pub struct Ingested {
    pub warnings: Vec<Said>,
    /// Groups whose summary has changed.
    pub changed: Vec<GroupId>,
    /// Groups that need their first answer.
    pub waiting: Vec<GroupId>,
    /// Groups answered in an earlier run, and whether the answer is committed.
    pub answered: Vec<(GroupId, bool)>,
    pub imageless: Vec<Imageless>,
}

/// A group that cannot be labeled because it has no image.
#[derive(Debug)]
pub struct Imageless {
    pub group: GroupId,
    pub item: Item,
    pub failure: Failure,
}

impl Ingest {
    pub fn new(settings: &AttemptSettings, options: &EngineOptions) -> Self {
        Self {
            with_image: settings.with_image,
            // The workstation shows families before the model has labeled them.
            measure_ahead: options.families || !options.commit_automatically,
            by_order: Vec::new(),
            total: 0,
            moved: 0,
            rows: None,
            refused: 0,
            names: BTreeMap::new(),
            pending_names: 0,
            unmeasured: VecDeque::new(),
            measuring: false,
            warned_of_lock: false,
        }
    }

    /// The groups read so far, in source order.
    pub fn groups(&self) -> &[GroupId] {
        &self.by_order
    }

    /// Adds a batch of groups, names and paths to the journal.
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
                    });
                }
                GroupEvent::Name {
                    order,
                    name,
                    is_first,
                } => {
                    is_named |= is_first;
                    self.names.entry(order).or_default().push(name);
                    self.pending_names += 1;
                }
                GroupEvent::Path { order, path } => paths.push((order, path)),
                GroupEvent::Warning(text) => ingested.warnings.push(text),
                GroupEvent::Locked(text) => {
                    if !std::mem::replace(&mut self.warned_of_lock, true) {
                        ingested.warnings.push(text);
                    }
                }
            }
        }
        let upserted = journal.with(|journal| journal.upsert_groups(&groups))?;
        let ids: Vec<GroupId> = upserted.iter().map(|group| group.id).collect();
        let known = journal.with(|journal| journal.known_groups(&ids))?;
        let groups = upserted.into_iter().zip(known).zip(failures).zip(groups);
        for (((group, known), failure), new) in groups {
            self.by_order.push(group.id);
            let (path, sha256) = (&new.item.image_path, new.sha256.as_deref());
            journal.log().remember_image(group.id, path, sha256);
            self.moved += u64::from(group.moved);
            if group.first {
                self.total += 1;
                ingested.changed.extend(group.changed.then_some(group.id));
                let known = known.filter(|_| !group.new);
                self.classify(group.id, known, failure, new.item, &mut ingested);
            }
        }
        let paths: Vec<(GroupId, String)> = paths
            .into_iter()
            .filter_map(|(order, path)| Some((self.group(order)?, path)))
            .collect();
        journal.with(|journal| journal.add_paths(&paths))?;
        // A first name must be saved before the request about its image is sent.
        if is_named || self.pending_names >= MAX_PENDING_NAMES {
            ingested.changed.extend(self.save_names(journal)?);
        }
        Ok(ingested)
    }

    /// Saves the pending names. Returns the groups whose summary has changed.
    fn save_names(&mut self, journal: &mut JournalAccess) -> Result<Vec<GroupId>> {
        self.pending_names = 0;
        let names: Vec<(GroupId, Vec<String>)> = std::mem::take(&mut self.names)
            .into_iter()
            .filter_map(|(order, names)| Some((self.group(order)?, names)))
            .collect();
        journal.with(|journal| journal.add_names(&names))
    }

    fn group(&self, order: u64) -> Option<GroupId> {
        self.by_order.get(usize::try_from(order).ok()?).copied()
    }

    /// Determines what a group still needs. `failure` is the reason why it has no image.
    fn classify(
        &mut self,
        group: GroupId,
        known: Option<KnownGroup>,
        failure: Option<Failure>,
        item: Item,
        ingested: &mut Ingested,
    ) {
        let has_answer = known.is_some_and(|known| known.is_answered);
        let is_measured = known.is_some_and(|known| known.is_measured);
        if failure.is_none() && (has_answer || self.measure_ahead) && !is_measured {
            self.unmeasured.push_back(group);
        }
        if has_answer {
            let is_committed = known.is_some_and(|known| known.is_committed);
            ingested.changed.extend((!is_committed).then_some(group));
            ingested.answered.push((group, is_committed));
            return;
        }
        match failure.filter(|_| self.with_image) {
            Some(failure) => ingested.imageless.push(Imageless {
                group,
                item,
                failure,
            }),
            None => ingested.waiting.push(group),
        }
    }

    /// Ends the source. Returns the groups whose summary has changed.
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

    /// Takes the next batch of pictures to measure. Small batches keep requests from waiting. `None`
    /// until [`Self::end_measuring`] ends the previous batch.
    pub fn next_unmeasured(
        &mut self,
        journal: &mut JournalAccess,
    ) -> Result<Option<Vec<(GroupId, ImageLocation)>>> {
        if self.measuring {
            return Ok(None);
        }
        let mut files = Vec::new();
        while files.len() < MEASURE_BATCH
            && let Some(group) = self.unmeasured.pop_front()
        {
            // An earlier run or the group's own request may have measured it.
            if journal.with(|journal| journal.is_measured(group))? {
                continue;
            }
            let (item, _) = journal.with(|journal| journal.item(group))?;
            files.extend(item.file.map(|file| (group, file)));
        }
        self.measuring = !files.is_empty();
        Ok(self.measuring.then_some(files))
    }

    /// Ends the batch of [`Self::next_unmeasured`].
    pub fn end_measuring(&mut self) {
        self.measuring = false;
    }

    /// Whether the source has been read to its end.
    pub fn has_ended(&self) -> bool {
        self.rows.is_some()
    }

    pub fn missing_images(&self) -> MissingImages {
        match self.has_ended() {
            true => MissingImages::AreGone,
            false => MissingImages::MayTurnUp,
        }
    }

    /// Whether pictures are being measured or waiting for it.
    pub fn is_measuring(&self) -> bool {
        self.measuring || !self.unmeasured.is_empty()
    }

    /// Whether the source is read and all pictures are measured.
    pub fn is_idle(&self) -> bool {
        self.has_ended() && !self.is_measuring()
    }

    /// Number of rows; 0 before the source has been read to its end.
    pub fn rows(&self) -> u64 {
        self.rows.unwrap_or_default()
    }

    /// Number of unusable rows; 0 before the source has been read to its end.
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Number of groups so far.
    pub fn total(&self) -> u64 {
        self.total
    }

    pub fn moved(&self) -> u64 {
        self.moved
    }
}

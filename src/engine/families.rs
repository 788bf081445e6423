//! Schedules groups for labeling. With `--families` the model labels one icon of each recolor family,
//! and the records of the others are derived from it.

use super::journal::JournalAccess;
use super::queue::RequestQueue;
use super::workers::Workers;
use crate::error::Result;
use crate::record::GroupId;
use std::collections::{HashMap, HashSet};

/// Groups without a record, by what they are waiting for.
#[derive(Debug)]
pub struct Families {
    /// Whether records are derived; otherwise the model labels every group.
    derives: bool,
    /// Groups whose picture is not measured yet, with their source order.
    unmeasured: HashMap<GroupId, u64>,
    /// Source order of the next group.
    next_order: u64,
    /// Groups that the model labels.
    requested: HashSet<GroupId>,
    /// Groups waiting for the record of a requested group, by that group.
    followers: HashMap<GroupId, Vec<GroupId>>,
    /// Groups whose record is being derived.
    deriving: HashSet<GroupId>,
}

/// The parts of the engine needed to schedule a group.
pub struct Scheduler<'a> {
    pub journal: &'a mut JournalAccess,
    pub queue: &'a mut RequestQueue,
    pub workers: &'a Workers,
}

impl Families {
    pub fn new(derives: bool) -> Self {
        Self {
            derives,
            unmeasured: HashMap::new(),
            next_order: 0,
            requested: HashSet::new(),
            followers: HashMap::new(),
            deriving: HashSet::new(),
        }
    }

    /// Adds new groups of the source that need a record.
    pub fn add(&mut self, groups: Vec<GroupId>, mut scheduler: Scheduler) -> Result<()> {
        for group in groups {
            let is_ready = !self.derives
                || scheduler
                    .journal
                    .with(|journal| journal.is_measured(group))?;
            match is_ready {
                true => self.schedule(group, &mut scheduler)?,
                false => {
                    self.unmeasured.insert(group, self.next_order);
                    self.next_order += 1;
                }
            }
        }
        Ok(())
    }

    /// Schedules the groups that were waiting for their picture to be measured.
    pub fn measured(
        &mut self,
        groups: impl Iterator<Item = GroupId>,
        mut scheduler: Scheduler,
    ) -> Result<()> {
        for group in groups {
            if self.unmeasured.remove(&group).is_some() {
                self.schedule(group, &mut scheduler)?;
            }
        }
        Ok(())
    }

    /// Schedules all groups still waiting for their picture, since no more will be measured.
    pub fn all_measured(&mut self, mut scheduler: Scheduler) -> Result<()> {
        let mut remaining: Vec<_> = self.unmeasured.drain().collect();
        remaining.sort_unstable_by_key(|(_, order)| *order);
        for (group, _) in remaining {
            self.schedule(group, &mut scheduler)?;
        }
        Ok(())
    }

    pub fn is_waiting_for_pictures(&self) -> bool {
        !self.unmeasured.is_empty()
    }

    /// Schedules the followers of a group that has a record or has failed.
    pub fn finished(&mut self, group: GroupId, mut scheduler: Scheduler) -> Result<()> {
        self.requested.remove(&group);
        for follower in self.followers.remove(&group).unwrap_or_default() {
            self.schedule(follower, &mut scheduler)?;
        }
        Ok(())
    }

    /// Removes groups that the operator retries: they get a request of their own.
    pub fn retried(&mut self, groups: &[GroupId]) {
        let groups: HashSet<GroupId> = groups.iter().copied().collect();
        for group in &groups {
            self.unmeasured.remove(group);
        }
        for followers in self.followers.values_mut() {
            followers.retain(|group| !groups.contains(group));
        }
    }

    /// Ends the derivation of a record. If it failed, the model labels the group instead.
    pub fn derived(&mut self, group: GroupId, is_done: bool, queue: &mut RequestQueue) {
        self.deriving.remove(&group);
        if !is_done {
            self.request(group, queue);
        }
    }

    pub fn is_deriving(&self) -> bool {
        !self.deriving.is_empty()
    }

    /// Number of groups that need no request of their own.
    pub fn following(&self) -> u64 {
        let followers = self.followers.values().map(Vec::len).sum::<usize>();
        (followers + self.deriving.len()) as u64
    }

    fn schedule(&mut self, group: GroupId, scheduler: &mut Scheduler) -> Result<()> {
        if !self.derives {
            scheduler.queue.add(group);
            return Ok(());
        }
        let relatives = scheduler.journal.with(|journal| journal.relatives(group))?;
        if let Some(source) = relatives.source {
            let (from, _) = scheduler.journal.with(|journal| journal.item(source))?;
            let (to, _) = scheduler.journal.with(|journal| journal.item(group))?;
            if let (Some(from), Some(to)) = (from.file, to.file) {
                self.deriving.insert(group);
                scheduler.workers.recolor((source, from), (group, to));
                return Ok(());
            }
        }
        let mut others = relatives.groups.into_iter();
        match others.find(|other| self.requested.contains(other)) {
            Some(requested) => self.followers.entry(requested).or_default().push(group),
            None => self.request(group, scheduler.queue),
        }
        Ok(())
    }

    fn request(&mut self, group: GroupId, queue: &mut RequestQueue) {
        self.requested.insert(group);
        queue.add(group);
    }
}

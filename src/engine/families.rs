//! `--families`: has the model asked about one icon of each recolor family, and the records of
//! the others derived from that one's.

use super::journal::JournalAccess;
use super::queue::RequestQueue;
use super::workers::Workers;
use crate::error::Result;
use crate::record::GroupId;
use std::collections::{HashMap, HashSet};

/// Groups that have no record yet, by what they wait for.
#[derive(Debug)]
pub struct Families {
    /// Otherwise the model is asked about every group.
    derives: bool,
    /// They wait for their picture to be measured; each with its place in the source.
    unmeasured: HashMap<GroupId, u64>,
    /// The place of the next.
    next: u64,
    /// The model is asked about them.
    asked: HashSet<GroupId>,
    /// They wait for the record of one that is asked about, by that one.
    followers: HashMap<GroupId, Vec<GroupId>>,
    /// Their record is being derived.
    deriving: HashSet<GroupId>,
}

/// What has to be at hand to give a group its turn.
pub struct Turns<'a> {
    pub journal: &'a mut JournalAccess,
    pub queue: &'a mut RequestQueue,
    pub workers: &'a Workers,
}

impl Families {
    pub fn new(derives: bool) -> Self {
        Self {
            derives,
            unmeasured: HashMap::new(),
            next: 0,
            asked: HashSet::new(),
            followers: HashMap::new(),
            deriving: HashSet::new(),
        }
    }

    /// New groups of the source that wait for a record.
    pub fn add(&mut self, groups: Vec<GroupId>, mut turns: Turns) -> Result<()> {
        for group in groups {
            let is_known =
                !self.derives || turns.journal.with(|journal| journal.is_measured(group))?;
            match is_known {
                true => self.take_turn(group, &mut turns)?,
                false => {
                    self.unmeasured.insert(group, self.next);
                    self.next += 1;
                }
            }
        }
        Ok(())
    }

    /// Gives those of these groups their turn that waited for their picture.
    pub fn measured(
        &mut self,
        groups: impl Iterator<Item = GroupId>,
        mut turns: Turns,
    ) -> Result<()> {
        for group in groups {
            if self.unmeasured.remove(&group).is_some() {
                self.take_turn(group, &mut turns)?;
            }
        }
        Ok(())
    }

    /// Gives all their turn that wait for their picture: no more are measured.
    pub fn all_measured(&mut self, mut turns: Turns) -> Result<()> {
        let mut left: Vec<_> = self.unmeasured.drain().collect();
        left.sort_unstable_by_key(|(_, place)| *place);
        for (group, _) in left {
            self.take_turn(group, &mut turns)?;
        }
        Ok(())
    }

    pub fn is_waiting_for_pictures(&self) -> bool {
        !self.unmeasured.is_empty()
    }

    /// A group has a record or has failed: those that waited for it have their turn.
    pub fn ended(&mut self, group: GroupId, mut turns: Turns) -> Result<()> {
        self.asked.remove(&group);
        for follower in self.followers.remove(&group).unwrap_or_default() {
            self.take_turn(follower, &mut turns)?;
        }
        Ok(())
    }

    /// The operator has the model asked about these groups themselves.
    pub fn retried(&mut self, groups: &[GroupId]) {
        for group in groups {
            self.unmeasured.remove(group);
        }
        for followers in self.followers.values_mut() {
            followers.retain(|group| !groups.contains(group));
        }
    }

    /// A record was derived, or could not be and the model is asked after all.
    pub fn derived(&mut self, group: GroupId, is_done: bool, queue: &mut RequestQueue) {
        self.deriving.remove(&group);
        if !is_done {
            self.ask(group, queue);
        }
    }

    pub fn is_deriving(&self) -> bool {
        !self.deriving.is_empty()
    }

    /// Groups that need no request of their own.
    pub fn following(&self) -> u64 {
        let followers = self.followers.values().map(Vec::len).sum::<usize>();
        (followers + self.deriving.len()) as u64
    }

    fn take_turn(&mut self, group: GroupId, turns: &mut Turns) -> Result<()> {
        if !self.derives {
            turns.queue.add(group);
            return Ok(());
        }
        let relatives = turns.journal.with(|journal| journal.relatives(group))?;
        if let Some(source) = relatives.source {
            let (from, _) = turns.journal.with(|journal| journal.item(source))?;
            let (to, _) = turns.journal.with(|journal| journal.item(group))?;
            if let (Some(from), Some(to)) = (from.file, to.file) {
                self.deriving.insert(group);
                turns.workers.recolor((source, from), (group, to));
                return Ok(());
            }
        }
        let mut others = relatives.groups.into_iter();
        match others.find(|other| self.asked.contains(other)) {
            Some(asked) => self.followers.entry(asked).or_default().push(group),
            None => self.ask(group, turns.queue),
        }
        Ok(())
    }

    fn ask(&mut self, group: GroupId, queue: &mut RequestQueue) {
        self.asked.insert(group);
        queue.add(group);
    }
}

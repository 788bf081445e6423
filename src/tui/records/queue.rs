//! The queue: the records that pass the filter, in order, and the cursor on the current one.

use super::{Records, Task};
use crate::record::filter::{NEEDS_REVIEW, PinnedRecord, Query, Sort, Views, select};
use crate::record::{GroupId, GroupState, GroupSummary, Vocabulary};
use crate::text::Said;
use std::collections::HashMap;
use std::sync::Arc;

#[derive(Debug)]
pub struct Queue {
    /// Places in [`super::Groups`].
    rows: Vec<u32>,
    cursor: usize,
    current: Option<GroupId>,
    /// The record to go to as soon as the rows show it.
    sought: Option<GroupId>,
    filter: String,
    /// The part of the filter that was not understood.
    filter_error: Option<Said>,
    sort: Sort,
    /// The order of a search, in the place of the other one.
    found: Option<Found>,
    /// Of each recolor family only the first row is shown.
    folded: bool,
    /// The current record as it was when the cursor came to it.
    held: Option<PinnedRecord>,
    /// Of the last task; results of earlier ones are ignored.
    number: u64,
    /// The rows do not yet show what the filter asks for.
    stale: bool,
    in_work: bool,
}

/// What a search has found.
#[derive(Debug)]
struct Found {
    text: String,
    /// The place of each image.
    places: Arc<HashMap<GroupId, u32>>,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            cursor: 0,
            current: None,
            sought: None,
            filter: NEEDS_REVIEW.to_owned(),
            filter_error: None,
            sort: Sort::default(),
            found: None,
            folded: false,
            held: None,
            number: 0,
            stale: false,
            in_work: false,
        }
    }
}

impl Queue {
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn cursor(&self) -> usize {
        self.cursor
    }

    pub fn current(&self) -> Option<GroupId> {
        self.current
    }

    pub fn filter(&self) -> &str {
        &self.filter
    }

    pub fn filter_error(&self) -> Option<&Said> {
        self.filter_error.as_ref()
    }

    pub fn sort(&self) -> Sort {
        self.sort
    }

    /// The text that it is ordered by the likeness to.
    pub fn search_text(&self) -> Option<&str> {
        self.found.as_ref().map(|found| found.text.as_str())
    }

    /// Orders it by a search, the most like first and under the cursor, until the next
    /// [`Self::set_sort`].
    pub fn set_found(&mut self, text: String, groups: Vec<GroupId>) {
        self.sought = groups.first().copied();
        let places = groups.into_iter().zip(0..).collect();
        self.found = Some(Found {
            text,
            places: Arc::new(places),
        });
        self.stale = true;
        self.held = None;
    }

    pub fn row<'a>(&self, row: usize, records: &'a Records) -> Option<&'a GroupSummary> {
        let place = self.rows.get(row)?;
        Some(records.groups().at(*place))
    }

    /// All records that it shows, in order.
    pub fn ids<'a>(&'a self, records: &'a Records) -> impl Iterator<Item = GroupId> + 'a {
        self.rows.iter().map(|place| records.groups().at(*place).id)
    }

    /// Those of these records that pass the filter, whether or not their family is folded.
    pub fn passing(
        &self,
        groups: &[GroupId],
        records: &Records,
        vocabulary: &Vocabulary,
        views: &Views,
    ) -> Vec<GroupId> {
        let (query, _) = Query::parse(&self.filter, vocabulary, views);
        let all = records.groups().snapshot();
        let passing = select(&all, &query, self.sort, self.held_edit(records));
        let passing = passing.into_iter().map(|place| all[place as usize].id);
        passing.filter(|id| groups.contains(id)).collect()
    }

    fn row_of(&self, id: GroupId, records: &Records) -> Option<usize> {
        // Near the cursor first: that is where it nearly always is.
        let is = |row: &usize| records.groups().at(self.rows[*row]).id == id;
        let near = self.cursor.saturating_sub(3)..(self.cursor + 4).min(self.rows.len());
        near.into_iter()
            .find(is)
            .or_else(|| (0..self.rows.len()).find(is))
    }

    /// The next row after the cursor that needs review, from the top again at the end.
    pub fn next_to_review(&self, records: &Records) -> Option<usize> {
        let len = self.rows.len();
        (1..len).map(|step| (self.cursor + step) % len).find(|row| {
            self.row(*row, records)
                .is_some_and(GroupSummary::needs_review)
        })
    }

    /// Where the cursor may go next: one down, or after a decision to the next uncertain record.
    pub fn ahead(&self, records: &Records) -> Vec<GroupId> {
        const FAR: usize = 50;
        let next = self.cursor + 1;
        let uncertain = (next..next + FAR).find(|row| {
            let row = self.row(*row, records);
            row.is_some_and(GroupSummary::needs_review)
        });
        let rows = [Some(next), uncertain].into_iter().flatten();
        rows.filter_map(|row| Some(self.row(row, records)?.id))
            .collect()
    }

    /// Moves the cursor to a row, or to the last one.
    pub fn put_cursor(&mut self, row: usize, records: &Records) {
        self.sought = None;
        self.cursor = row.min(self.rows.len().saturating_sub(1));
        self.follow_cursor(records);
    }

    /// Goes to a record: at once where the rows show it, else as soon as they do.
    pub fn go_to(&mut self, id: GroupId, records: &Records) {
        if let Some(row) = self.row_of(id, records) {
            self.put_cursor(row, records);
        }
        // The rows may be about to change.
        self.sought = Some(id);
        self.stale = true;
    }

    /// Whether the record that it was to go to is hidden by the filter; once.
    pub fn gives_up_seeking(&mut self) -> bool {
        let settled = !self.stale && !self.in_work;
        self.sought.take_if(|_| settled).is_some()
    }

    /// Makes the record under the cursor the current one.
    fn follow_cursor(&mut self, records: &Records) {
        let here = self.row(self.cursor, records).map(|summary| PinnedRecord {
            group: summary.id,
            uncertainty: summary.uncertainty,
            changed_at: summary.changed_at,
        });
        let id = here.map(|held| held.group);
        if id != self.current || self.held.is_none() {
            self.held = here;
        }
        self.current = id;
    }

    pub fn set_filter(&mut self, text: String) {
        self.filter = text;
        self.stale = true;
        self.held = None;
    }

    /// The filter that an earlier run left.
    pub fn restore_filter(&mut self, text: String) {
        self.filter = text;
        self.stale = true;
    }

    pub fn set_sort(&mut self, sort: Sort) {
        self.sort = sort;
        self.found = None;
        self.stale = true;
        self.held = None;
    }

    pub fn is_folded(&self) -> bool {
        self.folded
    }

    /// Shows one row of each recolor family, or all again.
    pub fn set_folded(&mut self, folded: bool) {
        self.folded = folded;
        self.stale = true;
    }

    /// The records have changed.
    pub fn refresh(&mut self) {
        self.stale = true;
    }

    /// The work that brings the rows up to date, if it is needed and none is under way.
    pub fn filter_task(
        &mut self,
        records: &Records,
        vocabulary: &Vocabulary,
        views: &Views,
    ) -> Option<Task> {
        if !self.stale || self.in_work {
            return None;
        }
        (self.stale, self.in_work) = (false, true);
        self.number += 1;
        let (query, error) = Query::parse(&self.filter, vocabulary, views);
        self.filter_error = error;
        Some(Task::Filter {
            number: self.number,
            all: records.groups().snapshot(),
            query,
            sort: self.sort,
            found: self.found.as_ref().map(|found| Arc::clone(&found.places)),
            folded: self.folded,
            held: self.held_edit(records),
        })
    }

    /// The current record, where the operator has begun to edit it.
    fn held_edit(&self, records: &Records) -> Option<PinnedRecord> {
        let held = self.held?;
        let state = records.get(held.group)?.state;
        (state == GroupState::Edited).then_some(held)
    }

    /// Takes the rows that pass the filter; `false` where they are outdated. While the queue
    /// fills for the first time (`filling`), the cursor stays at the top: which record needs
    /// review most is not yet known. It becomes the current one unless it is `kept`.
    pub fn take_rows(
        &mut self,
        number: u64,
        rows: Vec<u32>,
        records: &Records,
        filling: bool,
        kept: bool,
    ) -> bool {
        self.in_work = false;
        if number != self.number {
            return false;
        }
        self.rows = rows;
        if let Some(id) = self.sought
            && self.row_of(id, records).is_some()
        {
            self.sought = None;
            self.current = Some(id);
            self.held = None;
        }
        let row = match self.current {
            _ if filling => Some(0),
            Some(id) => self.row_of(id, records),
            None => None,
        };
        self.cursor = match row {
            Some(row) => row,
            None => self.cursor.min(self.rows.len().saturating_sub(1)),
        };
        if !kept || self.current.is_none() {
            self.follow_cursor(records);
        }
        true
    }
}

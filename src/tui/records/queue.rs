//! The queue: the records that pass the filter, in sort order, with a cursor on the current one.

use super::{Records, Task};
use crate::record::filter::{
    NEEDS_REVIEW, PinnedRecord, Query, Sort, Views, by_uncertainty, select,
};
use crate::record::{GroupId, GroupState, GroupSummary, Vocabulary};
use crate::text::Said;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

/// What stays in place when the queue gets new rows.
#[derive(Debug, Clone, Copy)]
pub struct Stays {
    /// The cursor stays on the first row: the queue fills for the first time.
    pub at_top: bool,
    /// The current record stays, instead of following the cursor.
    pub on_current: bool,
}

#[derive(Debug)]
pub struct Queue {
    /// Indices into [`super::Groups`].
    rows: Vec<u32>,
    cursor: usize,
    current: Option<GroupId>,
    /// The record to go to as soon as the rows contain it.
    seeking: Option<GroupId>,
    /// Where the cursor goes with the rows of a new filter.
    start: Option<Start>,
    filter: String,
    /// Error about a part of the filter that cannot be parsed.
    filter_error: Option<Said>,
    sort: Sort,
    /// Results of a search; they replace the sort order.
    found: Option<SearchResults>,
    /// Whether only the first row of each recolor family is shown.
    folded: bool,
    /// The current record as it was when the cursor reached it.
    pinned: Option<PinnedRecord>,
    /// Number of the last task; results of earlier tasks are ignored.
    number: u64,
    /// Whether the rows are out of date.
    stale: bool,
    task_running: bool,
}

/// The record that stays current under a new filter, if that shows it; otherwise the first row is.
#[derive(Debug, Clone, Copy)]
struct Start(Option<GroupId>);

#[derive(Debug)]
struct SearchResults {
    text: String,
    /// Rank of each image.
    ranks: Arc<HashMap<GroupId, u32>>,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            cursor: 0,
            current: None,
            seeking: None,
            start: None,
            filter: NEEDS_REVIEW.to_owned(),
            filter_error: None,
            sort: Sort::default(),
            found: None,
            folded: false,
            pinned: None,
            number: 0,
            stale: false,
            task_running: false,
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

    /// The text of the search that orders the queue.
    pub fn search_text(&self) -> Option<&str> {
        self.found.as_ref().map(|found| found.text.as_str())
    }

    /// Orders the queue by the results of a search until the next [`Self::set_sort`], and moves the
    /// cursor to the best one.
    pub fn set_search_results(&mut self, text: String, groups: Vec<GroupId>) {
        self.seeking = groups.first().copied();
        let ranks = groups.into_iter().zip(0..).collect();
        self.found = Some(SearchResults {
            text,
            ranks: Arc::new(ranks),
        });
        self.stale = true;
        self.pinned = None;
    }

    pub fn row<'a>(&self, row: usize, records: &'a Records) -> Option<&'a GroupSummary> {
        let index = self.rows.get(row)?;
        Some(records.groups().at(*index))
    }

    /// All records of the queue, in order.
    pub fn ids<'a>(&'a self, records: &'a Records) -> impl Iterator<Item = GroupId> + 'a {
        self.rows.iter().map(|index| records.groups().at(*index).id)
    }

    /// Those of `groups` that pass the filter, whether or not their family is folded.
    pub fn passing(
        &self,
        groups: &[GroupId],
        records: &Records,
        vocabulary: &Vocabulary,
        views: &Views,
    ) -> Vec<GroupId> {
        let (query, _) = Query::parse(&self.filter, vocabulary, views);
        let all = records.groups().snapshot();
        let passing = select(&all, &query, self.sort, self.pinned_edit(records));
        let passing = passing.into_iter().map(|index| all[index as usize].id);
        passing.filter(|id| groups.contains(id)).collect()
    }

    fn row_of(&self, id: GroupId, records: &Records) -> Option<usize> {
        // The record is nearly always near the cursor: look there first.
        let matches = |row: &usize| records.groups().at(self.rows[*row]).id == id;
        let near = self.cursor.saturating_sub(3)..(self.cursor + 4).min(self.rows.len());
        near.into_iter()
            .find(matches)
            .or_else(|| (0..self.rows.len()).find(matches))
    }

    /// The next row after the cursor that needs review; wraps around at the end.
    pub fn next_to_review(&self, records: &Records) -> Option<usize> {
        let len = self.rows.len();
        (1..len).map(|step| (self.cursor + step) % len).find(|row| {
            self.row(*row, records)
                .is_some_and(GroupSummary::needs_review)
        })
    }

    /// Like [`Self::next_to_review`], before the rows are sorted by new scores: of the rows after the
    /// cursor, the one that will be the first.
    pub fn next_by_new_scores(&self, records: &Records) -> Option<usize> {
        if self.sort != Sort::Uncertainty || self.found.is_some() {
            return self.next_to_review(records);
        }
        let first = |rows: Range<usize>| {
            let rows = rows.filter_map(|row| Some((row, self.row(row, records)?)));
            let open = rows.filter(|(_, summary)| summary.needs_review());
            let first = open.min_by_key(|(_, summary)| by_uncertainty(summary, None));
            first.map(|(row, _)| row)
        };
        first(self.cursor + 1..self.rows.len()).or_else(|| first(0..self.cursor))
    }

    /// Records where the cursor may go next: one row down or, after a decision, the next uncertain
    /// one.
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

    /// Moves the cursor to a row, at most to the last one.
    pub fn put_cursor(&mut self, row: usize, records: &Records) {
        (self.seeking, self.start) = (None, None);
        self.cursor = row.min(self.rows.len().saturating_sub(1));
        self.follow_cursor(records);
    }

    /// Goes to a record, at once or as soon as the rows contain it.
    pub fn go_to(&mut self, id: GroupId, records: &Records) {
        if let Some(row) = self.row_of(id, records) {
            self.put_cursor(row, records);
        }
        // The rows may change soon: go to it again then.
        self.seeking = Some(id);
        self.stale = true;
    }

    /// Returns `true`, once, when the filter hides the record to go to.
    pub fn take_failed_seek(&mut self) -> bool {
        let settled = !self.stale && !self.task_running;
        self.seeking.take_if(|_| settled).is_some()
    }

    /// Makes the record under the cursor the current one.
    fn follow_cursor(&mut self, records: &Records) {
        let here = self.row(self.cursor, records).map(|summary| PinnedRecord {
            group: summary.id,
            uncertainty: summary.uncertainty,
            changed_at: summary.changed_at,
        });
        let id = here.map(|pinned| pinned.group);
        if id != self.current || self.pinned.is_none() {
            self.pinned = here;
        }
        self.current = id;
    }

    /// Changes the filter. The current record stays if the new filter shows it; otherwise the cursor
    /// goes to the first row.
    pub fn set_filter(&mut self, text: String) {
        self.start.get_or_insert(Start(self.current));
        self.filter = text;
        self.stale = true;
        self.pinned = None;
    }

    /// Like [`Self::set_filter`] while a filter is being typed: `record` is the one that was current
    /// before, because the rows of an unfinished text must not move the cursor.
    pub fn type_filter(&mut self, text: String, record: Option<GroupId>) {
        self.start = Some(Start(record));
        self.set_filter(text);
    }

    /// Restores the filter of an earlier run.
    pub fn restore_filter(&mut self, text: String) {
        self.filter = text;
        self.stale = true;
    }

    pub fn set_sort(&mut self, sort: Sort) {
        self.sort = sort;
        self.found = None;
        self.stale = true;
        self.pinned = None;
    }

    pub fn is_folded(&self) -> bool {
        self.folded
    }

    /// Shows one row of each recolor family, or all rows.
    pub fn set_folded(&mut self, folded: bool) {
        self.folded = folded;
        self.stale = true;
    }

    /// Marks the rows as out of date.
    pub fn refresh(&mut self) {
        self.stale = true;
    }

    /// The task that updates the rows; `None` if they are up to date or a task is running.
    pub fn filter_task(
        &mut self,
        records: &Records,
        vocabulary: &Vocabulary,
        views: &Views,
    ) -> Option<Task> {
        if !self.stale || self.task_running {
            return None;
        }
        (self.stale, self.task_running) = (false, true);
        self.number += 1;
        let (query, error) = Query::parse(&self.filter, vocabulary, views);
        self.filter_error = error;
        Some(Task::Filter {
            number: self.number,
            all: records.groups().snapshot(),
            query,
            sort: self.sort,
            found: self.found.as_ref().map(|found| Arc::clone(&found.ranks)),
            folded: self.folded,
            pinned: self.pinned_edit(records),
        })
    }

    /// The current record, if the operator has edited it; it keeps its place in the queue.
    fn pinned_edit(&self, records: &Records) -> Option<PinnedRecord> {
        let pinned = self.pinned?;
        let state = records.get(pinned.group)?.state;
        (state == GroupState::Edited).then_some(pinned)
    }

    /// Sets the rows that a task found; returns `false` for the result of an outdated task.
    pub fn set_rows(
        &mut self,
        number: u64,
        rows: Vec<u32>,
        records: &Records,
        stays: Stays,
    ) -> bool {
        self.task_running = false;
        if number != self.number {
            return false;
        }
        self.rows = rows;
        let is_newest = !self.stale;
        let mut start = self.start.take_if(|_| is_newest);
        if let Some(id) = self.seeking
            && self.row_of(id, records).is_some()
        {
            (self.seeking, start) = (None, None);
            self.current = Some(id);
            self.pinned = None;
        }
        let row_of = |id: GroupId| self.row_of(id, records);
        let row = match (start, self.current) {
            _ if stays.at_top => Some(0),
            (Some(Start(record)), _) => Some(record.and_then(row_of).unwrap_or(0)),
            (None, current) => current.and_then(row_of),
        };
        self.cursor = match row {
            Some(row) => row,
            None => self.cursor.min(self.rows.len().saturating_sub(1)),
        };
        if !stays.on_current || self.current.is_none() {
            self.follow_cursor(records);
        }
        true
    }
}

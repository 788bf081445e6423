//! Between messages and a frame: scroll to the cursors, ask for what the frame will need.

use super::app::{App, HELD, Screen};
use super::effect::Effect;
use super::filter::{Held, Query};
use super::groups::needs_person;
use super::layout;
use super::picture;
use super::view::queue::THUMBNAIL;
use super::worker::Job;
use crate::engine::Command;
use crate::record::{Background, GroupDetail, GroupId, GroupState};
use ratatui::layout::Rect;
use std::collections::HashSet;

impl App {
    /// After any number of messages, before a frame: scroll to the cursor, ask for what the
    /// frame will need.
    pub fn settle(&mut self) -> Vec<Effect> {
        if self.queue.stale && !self.queue.in_work {
            self.queue.stale = false;
            self.queue.in_work = true;
            self.queue.number += 1;
            let (query, wrong) = Query::parse(&self.queue.filter, &self.settings.vocabulary);
            self.queue.wrong = wrong;
            self.effects.push(Effect::Work(Job::Filter {
                number: self.queue.number,
                all: self.groups.snapshot(),
                query,
                sort: self.queue.sort,
                held: self.held_edit(),
            }));
        }
        let wants_counts = self.screen == Screen::Statistics
            || matches!(&self.dialog, Some(dialog) if dialog.wants_counts());
        if wants_counts && self.counts_stale {
            self.counts_stale = false;
            self.effects.push(Effect::Work(Job::Count {
                all: self.groups.snapshot(),
            }));
        }
        let rows = self.queue_rows();
        let len = self.queue.rows.len();
        keep_in_view(&mut self.queue.top, self.queue.cursor, rows);
        fill_view(&mut self.queue.top, rows, len);
        let gallery = self.gallery();
        let line = self.queue.cursor / gallery.columns;
        keep_in_view(&mut self.gallery_top, line, gallery.lines);
        let lines = len.div_ceil(gallery.columns);
        fill_view(&mut self.gallery_top, gallery.lines, lines);
        self.clamp_spot();
        if !self.too_small() {
            self.scroll_record();
            self.ask_details();
            self.ask_pictures();
        }
        std::mem::take(&mut self.effects)
    }

    /// The record in hand, where the operator has begun to edit it.
    fn held_edit(&self) -> Option<Held> {
        let held = self.queue.held?;
        let state = self.groups.get(held.group)?.state;
        (state == GroupState::Edited).then_some(held)
    }

    /// Rows of the queue whose details or pictures are on screen, nearest to the cursor first.
    fn rows_in_view(&self) -> Vec<usize> {
        let mut rows: Vec<usize> = match self.screen {
            Screen::Gallery => {
                let gallery = self.gallery();
                let first = self.gallery_top * gallery.columns;
                (first..first + gallery.columns * gallery.lines).collect()
            }
            Screen::Work if self.row_height() == 2 && self.bench().queue.is_some() => {
                (self.queue.top..self.queue.top + self.queue_rows()).collect()
            }
            _ => (self.queue.cursor..self.queue.cursor + 3).collect(),
        };
        rows.retain(|row| *row < self.queue.rows.len());
        rows.sort_by_key(|row| row.abs_diff(self.queue.cursor));
        rows
    }

    /// Where the cursor may go next: one down, or after a decision to the next uncertain one.
    fn ahead(&self) -> Vec<GroupId> {
        const FAR: usize = 50;
        let next = self.queue.cursor + 1;
        let uncertain = (next..next + FAR).find(|row| {
            let row = self.row(*row);
            row.is_some_and(needs_person)
        });
        let rows = [Some(next), uncertain].into_iter().flatten();
        rows.filter_map(|row| Some(self.row(row)?.id)).collect()
    }

    fn ask_details(&mut self) {
        let mut wanted: Vec<GroupId> = self.current.into_iter().chain(self.ahead()).collect();
        wanted.extend(
            self.rows_in_view()
                .into_iter()
                .filter_map(|row| Some(self.row(row)?.id)),
        );
        if self.details.len() > HELD {
            let keep: HashSet<_> = wanted.iter().copied().collect();
            self.details.retain(|id, _| keep.contains(id));
            self.asked.retain(|id| keep.contains(id));
        }
        for id in wanted {
            if self.asked.insert(id) {
                self.send(Command::Open(id));
            }
        }
    }

    pub fn look(&self, detail: &GroupDetail) -> picture::Look {
        if !self.model_view {
            return picture::Look::Plain(self.ground);
        }
        let (upscale, background) = self.asked_with(detail);
        picture::Look::Model {
            upscale,
            background,
        }
    }

    /// Scale and background of the attempt that the draft comes from, else the run's.
    fn asked_with(&self, detail: &GroupDetail) -> (u32, Background) {
        let attempt = match detail.drafted_attempt() {
            Some(at) => detail.attempts.get(at),
            None => detail.attempts.last(),
        };
        attempt.map_or(
            (self.settings.icon.upscale, self.settings.icon.background),
            |attempt| (attempt.settings.upscale, attempt.settings.background),
        )
    }

    pub fn picture_key(&self, detail: &GroupDetail, area: Rect) -> picture::Key {
        picture::Key {
            group: detail.summary.id,
            look: self.look(detail),
            width: area.width,
            height: area.height,
        }
    }

    pub fn thumb_key(&self, group: GroupId, width: u16, height: u16) -> picture::Key {
        picture::Key {
            group,
            look: picture::Look::Tile(self.ground),
            width,
            height,
        }
    }

    fn ask_pictures(&mut self) {
        let mut wishes = Vec::new();
        let mut wish = |detail: &GroupDetail, key: picture::Key| {
            if let Some(file) = &detail.item.file
                && !self.pictures.contains_key(&key)
            {
                wishes.push(picture::Wish {
                    key,
                    file: file.clone(),
                });
            }
        };
        let bench = self.bench();
        if self.screen == Screen::Work
            && let Some(area) = bench.picture
        {
            let (area, _) = layout::picture(layout::inner(area, bench.borders));
            for id in self.current.into_iter().chain(self.ahead()) {
                if let Some(detail) = self.details.get(&id) {
                    wish(detail, self.picture_key(detail, area));
                }
            }
        }
        let thumb = match self.screen {
            Screen::Work if self.row_height() == 2 => Some(THUMBNAIL),
            Screen::Gallery => Some(self.gallery().picture()),
            _ => None,
        };
        if let Some(size) = thumb {
            for row in self.rows_in_view() {
                if let Some(summary) = self.row(row)
                    && let Some(detail) = self.details.get(&summary.id)
                {
                    wish(detail, self.thumb_key(summary.id, size.width, size.height));
                }
            }
        }
        if self.pictures.len() > HELD {
            let keep: HashSet<_> = self.wished.iter().map(|wish| wish.key).collect();
            self.pictures.retain(|key, _| keep.contains(key));
        }
        if wishes != self.wished {
            self.wished = wishes.clone();
            if !wishes.is_empty() {
                self.effects.push(Effect::Pictures(wishes));
            }
        }
    }
}

/// No empty rows at the end where the view has grown and there is something above.
fn fill_view(top: &mut usize, rows: usize, len: usize) {
    *top = (*top).min(len.saturating_sub(rows));
}

pub(super) fn keep_in_view(top: &mut usize, cursor: usize, rows: usize) {
    if cursor < *top {
        *top = cursor;
    } else if cursor >= *top + rows {
        *top = cursor + 1 - rows;
    }
}

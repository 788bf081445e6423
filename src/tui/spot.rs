//! The cursor inside a record: moving over fields and values, and editing what it stands on.

use super::app::{App, Spot};
use super::dialog::{Dialog, Input, Purpose};
use super::layout::{self, Pane};
use super::settle::keep_in_view;
use super::view::record::sheet;
use crate::record::{Change, Field, GroupState, Labels};

impl App {
    pub(super) fn labels(&self) -> Option<&Labels> {
        Some(&self.detail()?.draft.as_ref()?.labels)
    }

    /// English labels are shown where there are some, or were asked for.
    pub fn has_field(&self, field: Field) -> bool {
        field != Field::LabelEn
            || self.settings.english
            || self
                .labels()
                .is_some_and(|labels| labels.text(field).is_some())
    }

    /// Values of the field under the cursor.
    fn spot_values(&self, field: Field) -> Vec<String> {
        self.labels()
            .map(|labels| labels.values(field).to_vec())
            .unwrap_or_default()
    }

    pub(super) fn clamp_spot(&mut self) {
        let len = self.spot_values(self.spot.field).len();
        self.spot.index = self.spot.index.min(len.saturating_sub(1));
    }

    pub(super) fn move_in_record(&mut self, x: isize, y: isize) {
        let lines = self.spot.field == Field::QueryVariantsKo;
        let len = self.spot_values(self.spot.field).len();
        let along = if lines { y } else { x };
        let to = self.spot.index.saturating_add_signed(along);
        if along != 0 && to < len && !(along < 0 && self.spot.index == 0) {
            self.spot.index = to;
            return;
        }
        if y == 0 {
            if x < 0 && (lines || self.spot.index == 0) {
                self.focus = Pane::Queue;
            }
            return;
        }
        let at = Field::ALL
            .iter()
            .position(|field| *field == self.spot.field)
            .unwrap_or(0);
        if y < 0 && at == 0 {
            // Above the first field stand name and reasons.
            self.scroll = 0;
        }
        let mut to = at.saturating_add_signed(y).min(Field::ALL.len() - 1);
        if !self.has_field(Field::ALL[to]) {
            to = to.saturating_add_signed(y).min(Field::ALL.len() - 1);
        }
        if to != at {
            let field = Field::ALL[to];
            let last = y < 0 && field == Field::QueryVariantsKo;
            self.spot = Spot {
                field,
                index: if last { usize::MAX } else { 0 },
            };
        } else if y > 0 {
            self.scroll_by(1);
        }
    }

    /// The record as text, as high as it is.
    fn record_height(&self) -> Option<(usize, usize)> {
        let bench = self.bench();
        let area = layout::inner(bench.record?, bench.borders);
        Some((
            sheet(self, area.width).lines.len(),
            usize::from(area.height),
        ))
    }

    pub(super) fn scroll_by(&mut self, lines: isize) {
        if let Some((length, height)) = self.record_height() {
            self.scroll = self
                .scroll
                .saturating_add_signed(lines)
                .min(length.saturating_sub(height));
        }
    }

    /// Keeps the cursor in view while the record has the keys.
    pub(super) fn scroll_record(&mut self) {
        let bench = self.bench();
        let Some(area) = bench.record else { return };
        let area = layout::inner(area, bench.borders);
        let sheet = sheet(self, area.width);
        let height = usize::from(area.height).max(1);
        let editing = matches!(&self.dialog, Some(Dialog::Input(input)) if input.place().is_some());
        if let Some((line, _)) = sheet.cursor.filter(|_| editing) {
            keep_in_view(&mut self.scroll, line, height);
        } else if self.focus == Pane::Record && self.spot_moved() {
            let lines: Vec<usize> = sheet
                .spots
                .iter()
                .filter(|(_, _, spot)| *spot == self.spot)
                .map(|(line, ..)| *line)
                .collect();
            if let (Some(first), Some(last)) = (lines.first(), lines.last()) {
                keep_in_view(&mut self.scroll, *last, height);
                keep_in_view(&mut self.scroll, *first, height);
            }
        }
        self.scroll = self.scroll.min(sheet.lines.len().saturating_sub(height));
    }

    /// Whether the cursor stands elsewhere than when this was last asked.
    fn spot_moved(&mut self) -> bool {
        let now = (self.current, self.spot);
        std::mem::replace(&mut self.seen_spot, now) != now
    }

    fn in_place(&mut self, purpose: Purpose, text: &str) {
        self.show_work(Pane::Record);
        self.open(Dialog::Input(Input::new(purpose, text)));
    }

    fn refuse_edit(&mut self) {
        let summary = self.current.and_then(|id| self.groups.get(id));
        self.refuse_prompt(match summary.map(|summary| summary.state) {
            None => "There is no item in this list.",
            Some(GroupState::Waiting) => {
                "There is nothing to edit yet: this item waits for the model."
            }
            Some(GroupState::Running) => {
                "There is nothing to edit yet: the model has this item in hand."
            }
            Some(GroupState::Failed) => {
                "There is nothing to edit: this item has failed. Retry it, or reject it."
            }
            Some(_) => "There is nothing to edit yet: this item is still being read.",
        });
    }

    pub(super) fn edit_spot(&mut self) {
        if self.labels().is_none() {
            return self.refuse_edit();
        }
        let groups = self.current.into_iter().collect();
        let Spot { field, index } = self.spot;
        let have = self.spot_values(field);
        match have.get(index) {
            Some(from) if field.is_list() => {
                let (from, text) = (from.clone(), from.clone());
                self.in_place(
                    Purpose::Rename {
                        field,
                        from,
                        groups,
                    },
                    &text,
                );
            }
            None if field.is_list() => self.in_place(Purpose::Add { field, groups }, ""),
            value => {
                let text = value.cloned().unwrap_or_default();
                self.in_place(Purpose::Set { field, groups }, &text);
            }
        }
    }

    pub(super) fn add_to(&mut self, field: Field) {
        let groups = self.targets();
        match groups.len() {
            0 => self.refuse_edit(),
            1 if self.labels().is_none() => self.refuse_edit(),
            1 if self.screen != super::app::Screen::Gallery => {
                self.spot = Spot {
                    field,
                    index: usize::MAX,
                };
                self.in_place(Purpose::Add { field, groups }, "");
            }
            _ => self.open(Dialog::Input(Input::new(
                Purpose::Add { field, groups },
                "",
            ))),
        }
    }

    pub(super) fn remove_spot(&mut self) {
        let Spot { field, index } = self.spot;
        if !field.is_list() {
            return self.say("only values of a list can be removed; edit this field".to_owned());
        }
        if let Some(value) = self.spot_values(field).get(index).cloned() {
            self.apply(
                self.current.into_iter().collect(),
                Change::Remove { field, value },
            );
        }
    }

    pub(super) fn move_spot(&mut self, by: isize) {
        let Spot { field, index } = self.spot;
        let mut list = self.spot_values(field);
        let to = index.saturating_add_signed(by);
        if !field.is_list() || to >= list.len() || to == index {
            return;
        }
        list.swap(index, to);
        self.spot.index = to;
        self.apply(
            self.current.into_iter().collect(),
            Change::Set {
                field,
                values: list,
            },
        );
    }
}

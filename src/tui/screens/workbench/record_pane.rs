//! The record pane: a cursor over fields and values, and edits of the value under it.

use super::field_cursor::FieldCursor;
use super::layout::{Panes, inner_of};
use super::sheet::{Sheet, SheetInput};
use super::texts::fix_key;
use crate::record::{Change, Field, GroupId};
use crate::text::fit;
use crate::tui::dialogs::{Dialog, PromptPurpose, PromptRefusal, TextPrompt};
use crate::tui::keymap::KeyContext;
use crate::tui::screens::{ActionOutcome, View};
use crate::tui::session::Session;
use crate::tui::widgets::{fill_line, keep_in_view, lines, pane};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::widgets::{Clear, Widget as _};
use std::ops::Range;

pub struct RecordPane {
    cursor: FieldCursor,
    /// The first line on screen.
    scroll: usize,
    /// The record that cursor and scroll belong to.
    current: Option<GroupId>,
    /// The cursor position that was last scrolled into view.
    last_shown: (Option<GroupId>, FieldCursor),
}

impl Default for RecordPane {
    fn default() -> Self {
        Self {
            cursor: FieldCursor::START,
            scroll: 0,
            current: None,
            last_shown: (None, FieldCursor::START),
        }
    }
}

/// The room inside the pane's border; `None` if the pane is not shown.
fn room(panes: &Panes) -> Option<Rect> {
    panes.record.map(|area| inner_of(panes, area))
}

fn sheet(prompt: Option<&TextPrompt>, session: &Session, cells: u16) -> Sheet {
    let input = SheetInput {
        session,
        marked: None,
        prompt,
    };
    Sheet::new(&input, cells)
}

fn values(field: Field, session: &Session) -> Vec<String> {
    let labels = session.labels();
    labels
        .map(|labels| labels.values(field).to_vec())
        .unwrap_or_default()
}

impl RecordPane {
    /// Resets cursor and scroll if the current record has changed.
    pub fn follow(&mut self, current: Option<GroupId>) {
        if std::mem::replace(&mut self.current, current) != current {
            self.scroll = 0;
            self.cursor.index = 0;
        }
    }

    /// Moves over values and fields. Returns `false` if the move leaves the pane to the left.
    pub fn step(&mut self, x: isize, y: isize, panes: &Panes, session: &Session) -> bool {
        let FieldCursor { field, index } = self.cursor;
        let in_lines = field == Field::QueryVariantsKo;
        let len = values(field, session).len();
        let along = if in_lines { y } else { x };
        let to = index.saturating_add_signed(along);
        if along != 0 && to < len && !(along < 0 && index == 0) {
            self.cursor.index = to;
            return true;
        }
        if y == 0 {
            return x >= 0 || !(in_lines || index == 0);
        }
        let last = Field::ALL.len() - 1;
        let at = Field::ALL.iter().position(|other| *other == field);
        let at = at.unwrap_or(0);
        if y < 0 && at == 0 {
            // The name is above the first field.
            self.scroll = 0;
        }
        let mut to = at.saturating_add_signed(y).min(last);
        if !session.has_field(Field::ALL[to]) {
            to = to.saturating_add_signed(y).min(last);
        }
        if to != at {
            let field = Field::ALL[to];
            self.cursor = match field {
                Field::QueryVariantsKo if y < 0 => FieldCursor::last_of(field),
                _ => FieldCursor { field, index: 0 },
            };
        } else if y > 0 {
            self.scroll_by(1, panes, session);
        }
        true
    }

    /// Goes to the first field.
    pub fn go_to_top(&mut self) {
        self.cursor = FieldCursor::START;
        self.scroll = 0;
    }

    /// Goes to the last field.
    pub fn go_to_bottom(&mut self) {
        self.go_to(Field::QueryVariantsKo);
        self.scroll = 0;
    }

    pub fn go_to(&mut self, field: Field) {
        self.cursor = FieldCursor { field, index: 0 };
    }

    pub fn scroll_by(&mut self, by: isize, panes: &Panes, session: &Session) {
        if let Some(area) = room(panes) {
            let length = sheet(None, session, area.width).lines.len();
            let max = length.saturating_sub(usize::from(area.height));
            self.scroll = self.scroll.saturating_add_signed(by).min(max);
        }
    }

    /// Scrolls to a fix. Returns `false` if it is already in view.
    pub fn reveal_fix(&mut self, number: usize, panes: &Panes, session: &Session) -> bool {
        let Some(area) = room(panes) else {
            return false;
        };
        let sheet = sheet(None, session, area.width);
        let mut fixes = sheet.fixes.iter();
        let Some((_, lines)) = fixes.find(|(other, _)| *other == number) else {
            return false;
        };
        let before = self.scroll;
        self.keep_in_view(lines.clone(), area);
        self.scroll != before
    }

    /// Scrolls to the label, unless it is in view.
    pub fn reveal_label(&mut self, panes: &Panes, session: &Session) {
        self.follow(session.current());
        if let Some(area) = room(panes)
            && let Some((first, last)) =
                sheet(None, session, area.width).lines_of(FieldCursor::START)
        {
            self.keep_in_view(first..last + 1, area);
        }
    }

    fn keep_in_view(&mut self, lines: Range<usize>, area: Rect) {
        let height = usize::from(area.height).max(1);
        // One more line, because the last line may be covered by `draw_fixes_below`.
        keep_in_view(&mut self.scroll, lines.end, height);
        keep_in_view(&mut self.scroll, lines.start, height);
        self.last_shown = (self.current, self.cursor);
    }

    /// Whether the label is in view, as far as the pane has room for it. A record without a draft
    /// has no label to show.
    pub fn shows_label(&self, panes: &Panes, session: &Session) -> bool {
        let Some(area) = room(panes) else {
            return false;
        };
        let sheet = sheet(None, session, area.width);
        let Some((first, last)) = sheet.lines_of(FieldCursor::START) else {
            return true;
        };
        let covered = usize::from(!self.keys_below(&sheet, area, session).is_empty());
        let end = self.scroll + usize::from(area.height) - covered;
        let is_filled = first == self.scroll && last >= end;
        is_filled || (first >= self.scroll && last < end)
    }

    /// The keys of the fixes that are out of view below, in order.
    fn keys_below(&self, sheet: &Sheet, area: Rect, session: &Session) -> Vec<String> {
        let end = self.scroll + usize::from(area.height);
        let below = sheet.fixes.iter().filter(|(_, lines)| lines.end > end);
        let mut numbers: Vec<usize> = below.map(|(number, _)| *number).collect();
        numbers.sort_unstable();
        let keys = numbers.into_iter();
        let keys = keys.map(|number| fix_key(number, &session.keymap));
        keys.filter(|key| !key.is_empty()).collect()
    }

    /// Draws the keys of the fixes that are out of view below, over the last line.
    fn draw_fixes_below(&self, sheet: &Sheet, inner: Rect, session: &Session, buf: &mut Buffer) {
        let keys = self.keys_below(sheet, inner, session);
        let (Some(first), Some(last)) = (keys.first(), keys.last()) else {
            return;
        };
        let keys = match first == last {
            true => first.clone(),
            false => format!("{first}-{last}"),
        };
        let line = Rect {
            y: inner.bottom().saturating_sub(1),
            height: 1,
            ..inner
        };
        Clear.render(line, buf);
        fill_line(
            &session.words.more_fixes_below(keys),
            session.theme.key(),
            line,
            buf,
        );
    }

    /// Moves the cursor to the value at a screen position. Returns `false` outside of the pane.
    pub fn click(&mut self, at: Position, panes: &Panes, session: &Session) -> bool {
        let Some(area) = room(panes).filter(|area| at.x >= area.x && at.y >= area.y) else {
            return false;
        };
        let line = usize::from(at.y - area.y) + self.scroll;
        let cell = usize::from(at.x - area.x);
        if let Some(value) = sheet(None, session, area.width).value_at(line, cell) {
            self.cursor = value;
        }
        true
    }

    /// The fix at a screen position, counted from 1; the keys of the fixes below stand for the
    /// first one that is out of view.
    pub fn fix_at(&self, at: Position, panes: &Panes, session: &Session) -> Option<usize> {
        let area = room(panes).filter(|area| area.contains(at))?;
        let sheet = sheet(None, session, area.width);
        let end = self.scroll + usize::from(area.height);
        let mut below = sheet.fixes.iter().filter(|(_, lines)| lines.end > end);
        let line = self.scroll + usize::from(at.y - area.y);
        let found = match below.next() {
            Some(first) if line + 1 == end => Some(first),
            _ => sheet.fixes.iter().find(|(_, lines)| lines.contains(&line)),
        };
        found.map(|(number, _)| number + 1)
    }

    /// Keeps the cursor on a value, and in view while the pane is focused.
    pub fn prepare(
        &mut self,
        panes: &Panes,
        focused: bool,
        dialog: Option<&Dialog>,
        session: &Session,
    ) {
        self.follow(session.current());
        if let Some(Dialog::Prompt(prompt)) = dialog
            && let Some(field) = prompt.adds_to()
        {
            self.cursor = FieldCursor::last_of(field);
        }
        let len = values(self.cursor.field, session).len();
        self.cursor.index = self.cursor.index.min(len.saturating_sub(1));
        let Some(area) = room(panes).filter(|_| !session.is_too_small()) else {
            return;
        };
        let prompt = dialog.and_then(Dialog::edits_in_place);
        let sheet = sheet(prompt, session, area.width);
        let height = usize::from(area.height).max(1);
        if let Some((line, _)) = sheet.cursor.filter(|_| prompt.is_some()) {
            keep_in_view(&mut self.scroll, line, height);
        } else if focused
            && self.has_moved()
            && let Some((first, last)) = sheet.lines_of(self.cursor)
        {
            keep_in_view(&mut self.scroll, last, height);
            keep_in_view(&mut self.scroll, first, height);
        }
        self.scroll = self.scroll.min(sheet.lines.len().saturating_sub(height));
    }

    /// Whether the cursor has moved since the last call.
    fn has_moved(&mut self) -> bool {
        let now = (self.current, self.cursor);
        std::mem::replace(&mut self.last_shown, now) != now
    }

    pub fn draw(&self, view: &View<'_>, panes: &Panes, focused: bool, buf: &mut Buffer) {
        let Some(area) = panes.record else { return };
        let theme = &view.session.theme;
        let words = view.session.words;
        let current = view.session.current();
        let current = current.and_then(|id| view.session.records.get(id));
        let score = current.and_then(|summary| view.session.score(summary));
        let title = match (current, score) {
            // A small screen shows the name nowhere else.
            (Some(summary), score) if self.scroll > 0 && !panes.borders => {
                let score = score.map(|score| format!("  {score}"));
                format!("{}{}", summary.title(), score.unwrap_or_default())
            }
            (_, Some(score)) => words.record_title_with(score),
            (_, None) => words.record_title().to_owned(),
        };
        let title = fit(&title, usize::from(area.width).saturating_sub(6));
        let inner = pane(theme, area, panes.borders, &title, focused, buf);
        let input = SheetInput {
            session: view.session,
            marked: (focused && view.dialog.is_none()).then_some(self.cursor),
            prompt: view.dialog.and_then(Dialog::edits_in_place),
        };
        let sheet = Sheet::new(&input, inner.width);
        lines(&sheet.lines, self.scroll, inner, buf);
        if input.prompt.is_none() {
            self.draw_fixes_below(&sheet, inner, view.session, buf);
        }
    }

    /// The cursor position of the text that is edited in place; `Some(None)` if it is out of view,
    /// `None` if the pane does not show the text.
    pub fn text_cursor(
        &self,
        prompt: &TextPrompt,
        panes: &Panes,
        session: &Session,
    ) -> Option<Option<Position>> {
        let area = room(panes)?;
        session.labels()?;
        let at = || {
            let (line, column) = sheet(Some(prompt), session, area.width).cursor?;
            let line = line.checked_sub(self.scroll)?;
            (line < usize::from(area.height)).then(|| {
                Position::new(
                    (area.x + column as u16).min(area.right().saturating_sub(1)),
                    area.y + line as u16,
                )
            })
        };
        Some(at())
    }

    /// The screen position of the value under the cursor.
    pub fn cursor(&self, panes: &Panes, session: &Session) -> Option<Position> {
        let area = room(panes)?;
        let sheet = sheet(None, session, area.width);
        let mut values = sheet.values.iter();
        let (line, cells, _) = values.find(|(.., value)| *value == self.cursor)?;
        let line = line.checked_sub(self.scroll)?;
        let at = Position::new(area.x + cells.start as u16, area.y + line as u16);
        area.contains(at).then_some(at)
    }

    pub fn edit_label(&mut self, session: &Session) -> ActionOutcome {
        self.cursor = FieldCursor::START;
        self.edit(session)
    }

    /// Edits the value under the cursor in place.
    pub fn edit(&self, session: &Session) -> ActionOutcome {
        if session.labels().is_none() {
            return ActionOutcome::open(PromptRefusal::nothing_to_edit(session));
        }
        let groups = session.current().into_iter().collect();
        let FieldCursor { field, index } = self.cursor;
        let value = values(field, session).into_iter().nth(index);
        let text = value.clone().unwrap_or_default();
        let purpose = match value {
            Some(from) if field.is_list() => PromptPurpose::Rename {
                field,
                from,
                groups,
            },
            None if field.is_list() => PromptPurpose::Add { field, groups },
            _ => PromptPurpose::Set { field, groups },
        };
        in_place(purpose, &text)
    }

    /// Adds a value to the field under the cursor.
    pub fn add_value(&mut self, session: &Session) -> ActionOutcome {
        match self.cursor.field {
            field if field.is_list() => self.add_to(field, session),
            _ => self.edit(session),
        }
    }

    pub fn add_to(&mut self, field: Field, session: &Session) -> ActionOutcome {
        if session.labels().is_none() {
            return ActionOutcome::open(PromptRefusal::nothing_to_edit(session));
        }
        self.cursor = FieldCursor::last_of(field);
        let groups = session.current().into_iter().collect();
        in_place(PromptPurpose::Add { field, groups }, "")
    }

    pub fn remove(&self, session: &mut Session) {
        let FieldCursor { field, index } = self.cursor;
        if !field.is_list() {
            return session.notify(session.words.only_lists_shrink());
        }
        if let Some(value) = values(field, session).into_iter().nth(index) {
            session.apply_to_current(Change::Remove { field, value });
        }
    }

    /// Moves the value under the cursor within its list.
    pub fn shift(&mut self, by: isize, session: &mut Session) {
        let FieldCursor { field, index } = self.cursor;
        let mut list = values(field, session);
        let to = index.saturating_add_signed(by);
        if !field.is_list() || to >= list.len() || to == index {
            return;
        }
        list.swap(index, to);
        self.cursor.index = to;
        session.apply_to_current(Change::Set {
            field,
            values: list,
        });
    }
}

fn in_place(purpose: PromptPurpose, text: &str) -> ActionOutcome {
    ActionOutcome {
        show: Some(KeyContext::Record),
        open: Some(Dialog::prompt(purpose, text)),
    }
}

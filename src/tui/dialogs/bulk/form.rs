//! Adds, removes, replaces or sets a value of one field in many records. The operator picks field,
//! action and value; a preview follows the typing.

use super::Scope;
use super::action::{BulkAction, fields, stepped};
use super::choices::{Choices, LABEL};
use super::pending::{self, PendingPreview};
use crate::record::{Change, ChangePreview, Field};
use crate::tui::dialogs::completion::{self, Completion};
use crate::tui::dialogs::{Dialog, DialogPlace, KeyHint, Modal, Next};
use crate::tui::keymap::Key;
use crate::tui::records::ValueCount;
use crate::tui::session::Session;
use crate::tui::widgets::layout::inside_border;
use crate::tui::widgets::{TextEdit, clear, edit_cursor, edit_line, focused_pane, put};
use crate::wording::Words;
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Most completions shown inside the box, above the preview.
const MAX_COMPLETIONS: usize = 5;

/// What the operator enters now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum BulkStep {
    Field,
    Action,
    Value,
    /// The value that replaces the first one.
    Replacement,
}

pub struct BulkForm {
    scope: Scope,
    /// Number of records in the scope.
    records: usize,
    field: Field,
    action: BulkAction,
    step: BulkStep,
    value: TextEdit,
    replacement: TextEdit,
    /// The likely replacement.
    like: Option<String>,
    /// Values that the records have in the field, most frequent first.
    used: Vec<ValueCount>,
    /// Index of the chosen completion.
    chosen: Option<usize>,
    preview: PendingPreview,
    /// Number of changes above those on screen.
    top: usize,
}

impl BulkForm {
    pub fn open(scope: Scope, session: &Session) -> Dialog {
        Self::at_step(
            scope,
            Field::TagsKo,
            BulkAction::Add,
            BulkStep::Field,
            session,
        )
    }

    /// Opens the dialog with field and action already chosen.
    pub fn value(scope: Scope, field: Field, action: BulkAction, session: &Session) -> Dialog {
        Self::at_step(scope, field, action, BulkStep::Value, session)
    }

    /// Opens the dialog to rename a value in all records.
    pub fn rename(field: Field, from: &str, session: &mut Session) -> Dialog {
        Self::with_word(BulkAction::Replace, field, from, None, session)
    }

    fn with_word(
        action: BulkAction,
        field: Field,
        word: &str,
        like: Option<&str>,
        session: &mut Session,
    ) -> Dialog {
        let step = match action {
            BulkAction::Remove => BulkStep::Value,
            _ => BulkStep::Replacement,
        };
        match Self::at_step(Scope::All, field, action, step, session) {
            Dialog::Bulk(mut form) => {
                form.value.set(word);
                form.like = like.map(str::to_owned);
                form.choose_default(session);
                form.preview(session);
                Dialog::Bulk(form)
            }
            other => other,
        }
    }

    /// Opens the dialog to merge a word into another one in all records; `like` is the likely
    /// target.
    pub fn merge(field: Field, from: &str, like: Option<&str>, session: &mut Session) -> Dialog {
        Self::with_word(BulkAction::Merge, field, from, like, session)
    }

    /// Opens the dialog to make a word a synonym of another one; `like` is the likely one.
    pub fn synonym(field: Field, from: &str, like: Option<&str>, session: &mut Session) -> Dialog {
        Self::with_word(BulkAction::Synonym, field, from, like, session)
    }

    /// Opens the dialog to remove a word from all records.
    pub fn delete(field: Field, word: &str, session: &mut Session) -> Dialog {
        Self::with_word(BulkAction::Remove, field, word, None, session)
    }

    fn at_step(
        scope: Scope,
        field: Field,
        action: BulkAction,
        step: BulkStep,
        session: &Session,
    ) -> Dialog {
        let mut form = Self {
            scope,
            records: 0,
            field,
            action,
            step,
            value: TextEdit::default(),
            replacement: TextEdit::default(),
            like: None,
            used: Vec::new(),
            chosen: None,
            preview: PendingPreview::default(),
            top: 0,
        };
        form.count(session);
        match form.records {
            0 => Dialog::refusal(session.words.no_item()),
            _ => Dialog::Bulk(Box::new(form)),
        }
    }

    /// Preview of the change that Enter would apply.
    pub fn current(&self) -> &PendingPreview {
        &self.preview
    }

    pub fn set_preview(&mut self, number: u64, preview: ChangePreview) {
        self.preview.set(number, preview);
    }

    /// Counts the records of the scope and the values that they have in the field.
    fn count(&mut self, session: &Session) {
        let groups = self.scope.groups(session);
        self.records = groups.len();
        self.used = session.records.values_in(&groups, self.field);
        self.choose_default(session);
    }

    fn edited(&self) -> &TextEdit {
        match self.step {
            BulkStep::Replacement => &self.replacement,
            _ => &self.value,
        }
    }

    fn edit(&mut self) -> &mut TextEdit {
        match self.step {
            BulkStep::Replacement => &mut self.replacement,
            _ => &mut self.value,
        }
    }

    fn is_typing(&self) -> bool {
        self.step >= BulkStep::Value
    }

    /// Whether the value being entered must be one that the records have.
    fn needs_existing_value(&self) -> bool {
        match self.step {
            BulkStep::Replacement => self.action == BulkAction::Merge,
            _ => self.step == BulkStep::Value && self.action.needs_existing_value(),
        }
    }

    /// The part of the text that a completion replaces: the text after the last comma, where
    /// several values can be entered.
    fn word(&self) -> &str {
        let text = self.edited().text();
        match self.needs_existing_value()
            || self.field.language().is_none() && !self.field.is_list()
        {
            true => text,
            false => text.rsplit(',').next().unwrap_or(text).trim_start(),
        }
    }

    fn completions(&self, session: &Session) -> Vec<Completion> {
        let mut all = match (self.is_typing(), self.needs_existing_value()) {
            (false, _) => Vec::new(),
            (true, true) => completion::of_counts(&self.used, self.field, self.word(), session),
            (true, false) => completion::of_field(self.field, self.word(), &[], session),
        };
        if self.step == BulkStep::Replacement {
            // A value cannot be replaced with itself.
            all.retain(|completion| completion.value != self.value.text());
        }
        if let Some(like) = self.suggestion() {
            completion::put_first(&mut all, like);
        }
        all
    }

    /// The likely replacement, until the operator types one.
    fn suggestion(&self) -> Option<&str> {
        let is_wanted = self.step == BulkStep::Replacement && self.replacement.text().is_empty();
        self.like.as_deref().filter(|_| is_wanted)
    }

    /// Chooses the first completion if it is the likely replacement, or where only known values are
    /// allowed and the text is not one yet.
    fn choose_default(&mut self, session: &Session) {
        let word = self.word();
        let known = session.vocabulary().find_exact(self.field, word).is_some();
        let closed = self.field.is_closed() && !word.is_empty() && !known;
        let is_used = self.used.iter().any(|count| count.value == word);
        let wanted = (self.needs_existing_value() && !is_used) || (self.is_typing() && closed);
        let wanted = wanted || self.suggestion().is_some();
        self.chosen = (wanted && !self.completions(session).is_empty()).then_some(0);
    }

    /// The entered text with the chosen completion.
    fn entered(&self, session: &Session) -> String {
        let text = self.edited().text();
        let completions = self.completions(session);
        match self.chosen.and_then(|at| completions.get(at)) {
            Some(completion) => {
                let start = text.len() - self.word().len();
                format!("{}{}", &text[..start], completion.value)
            }
            None => text.trim().to_owned(),
        }
    }

    /// The change entered so far; `None` while something is missing.
    fn change(&self, session: &Session) -> Option<Change> {
        let field = self.field;
        let entered = self.entered(session);
        let filled = |text: String| (!text.is_empty()).then_some(text);
        match (self.step, self.action) {
            (BulkStep::Field | BulkStep::Action, _) | (BulkStep::Value, BulkAction::Replace) => {
                None
            }
            (_, BulkAction::Replace | BulkAction::Merge) => Some(Change::Rename {
                field,
                from: self.value.text().to_owned(),
                to: filled(entered)?,
            }),
            (_, BulkAction::Synonym) => Some(Change::Synonym {
                field,
                from: self.value.text().to_owned(),
                to: filled(entered)?,
            }),
            (_, BulkAction::Add) => Some(Change::Add {
                field,
                value: filled(entered)?,
            }),
            (_, BulkAction::Remove) => Some(Change::Remove {
                field,
                value: filled(entered)?,
            }),
            (_, BulkAction::Set) => {
                let all = filled(entered)?;
                let values = match field.is_list() {
                    true => all.split(',').map(|part| part.trim().to_owned()).collect(),
                    false => vec![all],
                };
                Some(Change::Set { field, values })
            }
        }
    }

    fn preview(&mut self, session: &mut Session) {
        let change = self.change(session);
        self.preview.request(self.scope, change, session);
        if self.preview.is_counting() {
            self.top = 0;
        }
    }

    /// Scrolls the list of changes.
    fn scroll(&mut self, by: isize) {
        let changes = self
            .preview
            .preview()
            .map_or(0, |found| found.changes.len());
        let last = changes.saturating_sub(1);
        self.top = self.top.saturating_add_signed(by).min(last);
    }

    fn go_to(&mut self, step: BulkStep, session: &mut Session) {
        self.step = step;
        self.choose_default(session);
        self.preview(session);
    }

    /// Accepts the current choice, then goes to the next step or applies the change.
    fn forward(&mut self, session: &mut Session) -> Next {
        match self.step {
            BulkStep::Field => {
                let mut actions = BulkAction::of(self.field);
                if !actions.any(|(_, action)| action == self.action) {
                    self.action = BulkAction::Set;
                }
                self.count(session);
                self.go_to(BulkStep::Action, session);
            }
            BulkStep::Action => self.go_to(BulkStep::Value, session),
            BulkStep::Value if self.action == BulkAction::Replace => {
                let entered = self.entered(session);
                if !entered.is_empty() {
                    self.value.set(&entered);
                    self.go_to(BulkStep::Replacement, session);
                }
            }
            BulkStep::Value | BulkStep::Replacement => {
                if self.preview.apply(session) {
                    return Next::close();
                }
            }
        }
        Next::stay()
    }

    fn back(&mut self, session: &mut Session) {
        let step = match self.step {
            BulkStep::Field | BulkStep::Action => BulkStep::Field,
            BulkStep::Value => BulkStep::Action,
            BulkStep::Replacement => BulkStep::Value,
        };
        self.go_to(step, session);
    }

    /// Handles a key while a field or an action is chosen: its letter, or an arrow along the list.
    fn choose(&mut self, key: &KeyEvent, session: &mut Session) -> Next {
        let code = match Key::from_event(key)[..] {
            [first, ..] => first.code,
            [] => key.code,
        };
        let by = match code {
            KeyCode::Right | KeyCode::Down => 1,
            KeyCode::Left | KeyCode::Up => -1,
            _ => 0,
        };
        match (code, self.step) {
            (KeyCode::Enter, _) => return self.forward(session),
            (KeyCode::Tab, _) => {
                self.scope = self.scope.next(session);
                self.count(session);
            }
            (KeyCode::Backspace | KeyCode::BackTab, _) => self.back(session),
            (KeyCode::Char(letter), BulkStep::Field) => {
                if let Some((_, field)) = fields().find(|(have, _)| *have == letter) {
                    self.field = field;
                    return self.forward(session);
                }
            }
            (KeyCode::Char(letter), _) => {
                let mut all = BulkAction::of(self.field);
                if let Some((_, action)) = all.find(|(have, _)| *have == letter) {
                    self.action = action;
                    return self.forward(session);
                }
            }
            (_, BulkStep::Field) => {
                let all: Vec<Field> = fields().map(|(_, field)| field).collect();
                self.field = stepped(&all, self.field, by);
            }
            (_, _) => {
                let all: Vec<BulkAction> = BulkAction::of(self.field).map(|(_, a)| a).collect();
                self.action = stepped(&all, self.action, by);
            }
        }
        Next::stay()
    }

    fn area(place: &DialogPlace) -> Rect {
        place.box_of(84, 16)
    }

    /// The line of fields and, once a field is chosen, the line of actions.
    fn choices(&self, inner: Rect, words: Words) -> (Choices, Option<Choices>) {
        let all = fields().map(|(letter, field)| (letter, words.field(field), field == self.field));
        let focused = self.step == BulkStep::Field;
        let fields = Choices::new(words.bulk_field(), all, focused, inner);
        let all = BulkAction::of(self.field);
        let all = all.map(|(letter, action)| (letter, action.name(words), action == self.action));
        let actions = (self.step == BulkStep::Action)
            .then(|| Choices::new(words.bulk_do(), all, true, fields.rest()));
        (fields, actions)
    }

    /// Rectangle of `count` completions, and index of the first one on screen.
    fn completion_area(&self, inner: Rect, count: usize) -> (Rect, usize) {
        let y = self.text_row(inner).y + 1;
        let left = inner.bottom().saturating_sub(y);
        // Leaves room for the first lines of the preview.
        let shown = count.min(usize::from(left.saturating_sub(2)).min(MAX_COMPLETIONS));
        // There may be fewer completions than when one was chosen.
        let chosen = self.chosen.map(|at| at.min(count.saturating_sub(1)));
        let top = chosen.map_or(0, |at| (at + 1).saturating_sub(shown));
        let area = Rect {
            x: inner.x + LABEL - 2,
            y,
            width: inner.width.saturating_sub(LABEL - 2).min(48),
            height: shown as u16,
        };
        (area, top)
    }

    /// The line of the text being typed.
    fn text_row(&self, inner: Rect) -> Rect {
        let row = 1 + u16::from(self.step == BulkStep::Replacement);
        Rect {
            x: inner.x + LABEL,
            y: inner.y + row,
            width: inner.width.saturating_sub(LABEL),
            height: 1,
        }
    }
}

impl Modal for BulkForm {
    fn key(
        &mut self,
        key: &KeyEvent,
        escape: bool,
        _: &DialogPlace,
        session: &mut Session,
    ) -> Next {
        if escape {
            return Next::close();
        }
        if !self.is_typing() {
            return self.choose(key, session);
        }
        let count = self.completions(session).len();
        match key.code {
            KeyCode::Enter => return self.forward(session),
            KeyCode::Tab | KeyCode::Down if count > 0 => {
                self.chosen = Some(self.chosen.map_or(0, |at| (at + 1) % count));
            }
            KeyCode::Up if self.chosen.is_some() => {
                self.chosen = self.chosen.and_then(|at| at.checked_sub(1));
            }
            KeyCode::BackTab => self.back(session),
            KeyCode::PageDown => self.scroll(1),
            KeyCode::PageUp => self.scroll(-1),
            KeyCode::Backspace if self.edited().text().is_empty() => self.back(session),
            _ => {
                // A comma accepts the chosen completion and begins the next value.
                if key.code == KeyCode::Char(',') && !self.needs_existing_value() {
                    let entered = self.entered(session);
                    self.edit().set(&entered);
                }
                if self.edit().key(key) {
                    self.choose_default(session);
                }
            }
        }
        self.preview(session);
        Next::stay()
    }

    fn click(&mut self, at: Position, place: &DialogPlace, session: &Session) -> Option<KeyCode> {
        let inner = inside_border(Self::area(place));
        if self.is_typing() {
            let (area, top) = self.completion_area(inner, self.completions(session).len());
            let row = top + completion::row_at(area, None, at)?;
            // Tab then moves on to the clicked one.
            self.chosen = row.checked_sub(1);
            return Some(KeyCode::Tab);
        }
        let (fields, actions) = self.choices(inner, session.words);
        if let Some(letter) = actions.and_then(|actions| actions.letter_at(at)) {
            return Some(KeyCode::Char(letter));
        }
        let letter = fields.letter_at(at)?;
        self.step = BulkStep::Field;
        Some(KeyCode::Char(letter))
    }

    fn paste(&mut self, text: &str, session: &mut Session) {
        if self.is_typing() {
            self.edit().insert(text);
            self.choose_default(session);
            self.preview(session);
        }
    }

    fn areas(&self, place: &DialogPlace, _: &Session) -> Vec<Rect> {
        vec![Self::area(place)]
    }

    fn draw(&self, place: &DialogPlace, session: &Session, buf: &mut Buffer) {
        let theme = &session.theme;
        let area = Self::area(place);
        clear(area, buf);
        let words = session.words;
        let title = words.change_scope(self.scope.describe(self.records, words));
        let inner = focused_pane(theme, area, &title, buf);
        if !self.is_typing() {
            let (fields, actions) = self.choices(inner, words);
            fields.draw(session, buf);
            if let Some(actions) = actions {
                actions.draw(session, buf);
            }
            return;
        }
        let head = words.bulk_head(self.action.name(words), words.field(self.field));
        put(buf, inner.x, inner.y, inner.width, &head, theme.title());
        let mut rows = vec![(words.bulk_value(), &self.value)];
        if self.step == BulkStep::Replacement {
            let name = match self.action {
                BulkAction::Merge => words.bulk_into(),
                BulkAction::Synonym => words.bulk_of(),
                _ => words.bulk_by(),
            };
            rows.push((name, &self.replacement));
        }
        for (row, (name, edit)) in rows.iter().enumerate() {
            let y = inner.y + 1 + row as u16;
            if y >= inner.bottom() {
                return;
            }
            let here = row + 1 == rows.len();
            let mark = if here { ">" } else { " " };
            put(
                buf,
                inner.x,
                y,
                LABEL,
                &format!("{mark} {name}"),
                theme.dim(),
            );
            let room = Rect {
                y,
                ..self.text_row(inner)
            };
            let style = if here { theme.chip() } else { theme.text() };
            edit_line(edit, style, room, buf);
        }
        let completions = self.completions(session);
        let (area, top) = self.completion_area(inner, completions.len());
        let mut y = area.y;
        if area.height > 0 {
            let chosen = self.chosen.map(|at| at.min(completions.len() - 1) - top);
            let shown = &completions[top..top + usize::from(area.height)];
            completion::draw(shown, chosen, false, theme, area, buf);
            y += area.height;
        }
        let rest = Rect {
            y,
            height: inner.bottom().saturating_sub(y),
            ..inner
        };
        pending::draw(&self.preview, self.top, session, rest, buf);
    }

    fn cursor(&self, place: &DialogPlace, _: &Session) -> Option<Position> {
        let room = self.text_row(inside_border(Self::area(place)));
        self.is_typing().then(|| edit_cursor(self.edited(), room))
    }

    fn hints(&self, session: &Session) -> Vec<KeyHint> {
        let words = session.words;
        match self.step {
            BulkStep::Field | BulkStep::Action => vec![
                (words.letter_enter(), words.choose()),
                ("Tab", words.other_records()),
                ("Backspace", words.back()),
                ("Esc", words.close()),
            ],
            BulkStep::Value if self.action == BulkAction::Replace => vec![
                ("Enter", words.take()),
                ("Tab", words.complete()),
                ("Esc", words.close()),
            ],
            BulkStep::Value | BulkStep::Replacement => vec![
                ("Enter", words.do_it()),
                ("Tab", words.complete()),
                ("Shift-Tab", words.back()),
                ("Esc", words.close()),
            ],
        }
    }

    fn wants_counts(&self) -> bool {
        true
    }
}

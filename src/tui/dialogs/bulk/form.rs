//! Adds, removes, replaces or sets a value of one field in many records: which field, what to do,
//! which value. What it would do is counted and shown while it is typed.

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
use crate::tui::widgets::layout::inner;
use crate::tui::widgets::{TextEdit, clear, edit_cursor, edit_line, pane, put};
use crate::wording::Words;
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Completions are shown inside the box, above the preview.
const OFFERS: usize = 5;

/// What is asked now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Field,
    Action,
    Value,
    /// What takes the place of the value.
    With,
}

pub struct BulkForm {
    scope: Scope,
    /// How many records that is.
    records: usize,
    field: Field,
    action: BulkAction,
    step: Step,
    value: TextEdit,
    with: TextEdit,
    /// Values that the records have in the field, most frequent first.
    used: Vec<ValueCount>,
    /// Index into the completions now shown.
    chosen: Option<usize>,
    preview: PendingPreview,
}

impl BulkForm {
    pub fn open(scope: Scope, session: &Session) -> Dialog {
        Self::at_step(scope, Field::TagsKo, BulkAction::Add, Step::Field, session)
    }

    /// The same where field and action are known.
    pub fn value(scope: Scope, field: Field, action: BulkAction, session: &Session) -> Dialog {
        Self::at_step(scope, field, action, Step::Value, session)
    }

    /// The same where only the new value is missing.
    pub fn rename(field: Field, from: &str, session: &mut Session) -> Dialog {
        Self::of_word(BulkAction::Replace, field, from, None, session)
    }

    fn of_word(
        action: BulkAction,
        field: Field,
        from: &str,
        with: Option<&str>,
        session: &mut Session,
    ) -> Dialog {
        let dialog = Self::at_step(Scope::All, field, action, Step::With, session);
        match dialog {
            Dialog::Bulk(mut form) => {
                form.value.set(from);
                form.with.set(with.unwrap_or_default());
                form.choose_default(session);
                form.preview(session);
                Dialog::Bulk(form)
            }
            other => other,
        }
    }

    /// Puts a word in the place of another one of the list everywhere; `like` is the likely one.
    pub fn merge(field: Field, from: &str, like: Option<&str>, session: &mut Session) -> Dialog {
        Self::of_word(BulkAction::Merge, field, from, like, session)
    }

    /// The same, and the word is another name of that one from now on.
    pub fn synonym(field: Field, from: &str, like: Option<&str>, session: &mut Session) -> Dialog {
        Self::of_word(BulkAction::Synonym, field, from, like, session)
    }

    /// Removes a word everywhere.
    pub fn delete(field: Field, word: &str, session: &mut Session) -> Dialog {
        let dialog = Self::value(Scope::All, field, BulkAction::Remove, session);
        match dialog {
            Dialog::Bulk(mut form) => {
                form.value.set(word);
                form.choose_default(session);
                form.preview(session);
                Dialog::Bulk(form)
            }
            other => other,
        }
    }

    fn at_step(
        scope: Scope,
        field: Field,
        action: BulkAction,
        step: Step,
        session: &Session,
    ) -> Dialog {
        let mut form = Self {
            scope,
            records: 0,
            field,
            action,
            step,
            value: TextEdit::default(),
            with: TextEdit::default(),
            used: Vec::new(),
            chosen: None,
            preview: PendingPreview::default(),
        };
        form.count(session);
        match form.records {
            0 => Dialog::refusal(session.words.no_item()),
            _ => Dialog::Bulk(Box::new(form)),
        }
    }

    pub fn set_preview(&mut self, number: u64, preview: ChangePreview) {
        self.preview.take(number, preview);
    }

    /// Counts the values of the field in the records that it is about.
    fn count(&mut self, session: &Session) {
        let groups = self.scope.groups(session);
        self.records = groups.len();
        self.used = session.records.values_in(&groups, self.field);
        self.choose_default(session);
    }

    fn edited(&self) -> &TextEdit {
        match self.step {
            Step::With => &self.with,
            _ => &self.value,
        }
    }

    fn is_typing(&self) -> bool {
        self.step >= Step::Value
    }

    /// Whether a value is asked for that the records have.
    fn asks_for_old(&self) -> bool {
        match self.step {
            Step::With => self.action == BulkAction::Merge,
            _ => self.step == Step::Value && self.action.takes_old(),
        }
    }

    /// The part of the text that a completion replaces: several values have commas between.
    fn word(&self) -> &str {
        let text = self.edited().text();
        match self.asks_for_old() || self.field.language().is_none() && !self.field.is_list() {
            true => text,
            false => text.rsplit(',').next().unwrap_or(text).trim_start(),
        }
    }

    fn completions(&self, session: &Session) -> Vec<Completion> {
        match (self.is_typing(), self.asks_for_old()) {
            (false, _) => Vec::new(),
            (true, true) => {
                let mut all = completion::of_counts(&self.used, self.field, self.word(), session);
                // Not into itself.
                all.retain(|c| self.step != Step::With || c.value != self.value.text());
                all
            }
            (true, false) => completion::of_field(self.field, self.word(), &[], session),
        }
    }

    /// Where only certain texts can be meant, the likeliest one is chosen at once.
    fn choose_default(&mut self, session: &Session) {
        let word = self.word();
        let known = session.vocabulary().find_exact(self.field, word).is_some();
        let closed = self.field.is_closed() && !word.is_empty() && !known;
        let is_used = self.used.iter().any(|count| count.value == word);
        let wanted = (self.asks_for_old() && !is_used) || (self.is_typing() && closed);
        self.chosen = (wanted && !self.completions(session).is_empty()).then_some(0);
    }

    /// The text as it would be taken now, with the chosen completion.
    fn taken(&self, session: &Session) -> String {
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

    /// The change as it stands; `None` while something is missing.
    fn change(&self, session: &Session) -> Option<Change> {
        let field = self.field;
        let taken = self.taken(session);
        let filled = |text: String| (!text.is_empty()).then_some(text);
        match (self.step, self.action) {
            (Step::Field | Step::Action, _) | (Step::Value, BulkAction::Replace) => None,
            (_, BulkAction::Replace | BulkAction::Merge) => Some(Change::Rename {
                field,
                from: self.value.text().to_owned(),
                to: filled(taken)?,
            }),
            (_, BulkAction::Synonym) => Some(Change::Synonym {
                field,
                from: self.value.text().to_owned(),
                to: filled(taken)?,
            }),
            (_, BulkAction::Add) => Some(Change::Add {
                field,
                value: filled(taken)?,
            }),
            (_, BulkAction::Remove) => Some(Change::Remove {
                field,
                value: filled(taken)?,
            }),
            (_, BulkAction::Set) => {
                let all = filled(taken)?;
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
        self.preview.ask(self.scope, change, session);
    }

    fn go_to(&mut self, step: Step, session: &mut Session) {
        self.step = step;
        self.choose_default(session);
        self.preview(session);
    }

    /// Takes what is chosen, and asks for the next thing or does it.
    fn forward(&mut self, session: &mut Session) -> Next {
        match self.step {
            Step::Field => {
                let mut actions = BulkAction::of(self.field);
                if !actions.any(|(_, action)| action == self.action) {
                    self.action = BulkAction::Set;
                }
                self.count(session);
                self.go_to(Step::Action, session);
            }
            Step::Action => self.go_to(Step::Value, session),
            Step::Value if self.action == BulkAction::Replace => {
                let taken = self.taken(session);
                if !taken.is_empty() {
                    self.value.set(&taken);
                    self.go_to(Step::With, session);
                }
            }
            Step::Value | Step::With => {
                if self.preview.carry_out(session) {
                    return Next::close();
                }
            }
        }
        Next::stay()
    }

    fn back(&mut self, session: &mut Session) {
        let step = match self.step {
            Step::Field | Step::Action => Step::Field,
            Step::Value => Step::Action,
            Step::With => Step::Value,
        };
        self.go_to(step, session);
    }

    /// Keys that choose: the letter of a field or an action, or a step along the list.
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
            (KeyCode::Char(letter), Step::Field) => {
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
            (_, Step::Field) => {
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
        place.box_of(84, 20)
    }

    /// The fields, and once one is taken what to do with it.
    fn choices(&self, inner: Rect, words: Words) -> (Choices, Option<Choices>) {
        let all = fields().map(|(letter, field)| (letter, words.field(field), field == self.field));
        let asked = self.step == Step::Field;
        let fields = Choices::new(words.bulk_field(), all, asked, inner);
        let all = BulkAction::of(self.field);
        let all = all.map(|(letter, action)| (letter, action.name(words), action == self.action));
        let actions = (self.step == Step::Action)
            .then(|| Choices::new(words.bulk_do(), all, true, fields.rest()));
        (fields, actions)
    }

    /// Where so many completions are shown, and the first of them on screen.
    fn offers(&self, inner: Rect, count: usize) -> (Rect, usize) {
        let y = self.text_row(inner).y + 1;
        let left = inner.bottom().saturating_sub(y);
        // The preview keeps its first lines.
        let shown = count.min(usize::from(left.saturating_sub(2)).min(OFFERS));
        // Fewer may be offered than when it was chosen.
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

    /// The rows of the texts that are asked for, from the second line on.
    fn text_row(&self, inner: Rect) -> Rect {
        let row = 1 + u16::from(self.step == Step::With);
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
            KeyCode::Backspace if self.edited().text().is_empty() => self.back(session),
            _ => {
                // A comma takes the chosen one, and begins the next.
                if key.code == KeyCode::Char(',') && !self.asks_for_old() {
                    let taken = self.taken(session);
                    self.edit().set(&taken);
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
        let inner = inner(Self::area(place), true);
        if self.is_typing() {
            let (area, top) = self.offers(inner, self.completions(session).len());
            let row = top + completion::row_at(area, at)?;
            // Tab goes on to the next one.
            self.chosen = row.checked_sub(1);
            return Some(KeyCode::Tab);
        }
        let (fields, actions) = self.choices(inner, session.words);
        if let Some(letter) = actions.and_then(|actions| actions.letter_at(at)) {
            return Some(KeyCode::Char(letter));
        }
        let letter = fields.letter_at(at)?;
        self.step = Step::Field;
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
        let inner = pane(theme, area, true, &title, true, buf);
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
        if self.step == Step::With {
            let name = match self.action {
                BulkAction::Merge => words.bulk_into(),
                BulkAction::Synonym => words.bulk_of(),
                _ => words.bulk_by(),
            };
            rows.push((name, &self.with));
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
        let (offers, top) = self.offers(inner, completions.len());
        let mut y = offers.y;
        if offers.height > 0 {
            let chosen = self.chosen.map(|at| at.min(completions.len() - 1) - top);
            let offered = &completions[top..top + usize::from(offers.height)];
            completion::draw(offered, chosen, false, theme, offers, buf);
            y += offers.height;
        }
        let rest = Rect {
            y,
            height: inner.bottom().saturating_sub(y),
            ..inner
        };
        pending::draw(&self.preview, 0, session, rest, buf);
    }

    fn cursor(&self, place: &DialogPlace, _: &Session) -> Option<Position> {
        let room = self.text_row(inner(Self::area(place), true));
        self.is_typing().then(|| edit_cursor(self.edited(), room))
    }

    fn hints(&self, words: Words) -> Vec<KeyHint> {
        match self.step {
            Step::Field | Step::Action => vec![
                (words.letter_enter(), words.choose()),
                ("Tab", words.other_records()),
                ("Backspace", words.back()),
                ("Esc", words.close()),
            ],
            Step::Value if self.action == BulkAction::Replace => vec![
                ("Enter", words.take()),
                ("Tab", words.complete()),
                ("Esc", words.close()),
            ],
            Step::Value | Step::With => vec![
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

impl BulkForm {
    fn edit(&mut self) -> &mut TextEdit {
        match self.step {
            Step::With => &mut self.with,
            _ => &mut self.value,
        }
    }
}

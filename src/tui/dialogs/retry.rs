//! Asks the model again, with other settings and a hint. Many records need a confirmation.

use super::{Confirm, Dialog, DialogPlace, KeyHint, Modal, Next};
use crate::engine::{Command, Retry};
use crate::record::{Background, GroupId};
use crate::tui::session::Session;
use crate::tui::widgets::layout::inside_border;
use crate::tui::widgets::{TextEdit, clear, edit_cursor, edit_line, focused_pane, put};
use crate::wording::Words;
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Width in cells of a row's name.
const LABEL: u16 = 13;
const ROWS: usize = 5;

/// Asks the model again about these records. For many records it returns a confirmation first. For
/// a single record it then goes to the next one if `advance` is set.
pub fn ask_again(
    session: &mut Session,
    groups: Vec<GroupId>,
    how: Retry,
    advance: bool,
) -> Option<Dialog> {
    if groups.len() <= 1 {
        if session.retry(groups, how) && advance {
            session.go_to_next();
        }
        return None;
    }
    if session.refuse_unsaved() {
        return None;
    }
    if let Some(why) = session.no_model() {
        session.warn(why);
        return None;
    }
    let words = session.words;
    let question = words.ask_about(words.records(groups.len()));
    let detail = words.answers_are_offered();
    let command = Command::Retry { groups, how };
    let confirm = Confirm::new(question, detail.to_owned(), command);
    Some(Dialog::Confirm(confirm))
}

/// Where to go in the values of a row.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cycle {
    Back,
    Forward,
}

pub struct RetryForm {
    groups: Vec<GroupId>,
    /// Whether to go to the next record afterward.
    advance: bool,
    strict: bool,
    /// 0 means the run's setting.
    upscale: u32,
    background: Option<Background>,
    with_image: Option<bool>,
    hint: TextEdit,
    row: usize,
}

impl RetryForm {
    pub fn new(groups: Vec<GroupId>, advance: bool) -> Self {
        Self {
            groups,
            advance,
            strict: true,
            upscale: 0,
            background: None,
            with_image: None,
            hint: TextEdit::default(),
            row: ROWS - 1,
        }
    }

    fn cycle_value(&mut self, to: Cycle) {
        let forward = to == Cycle::Forward;
        match self.row {
            0 => self.strict = !self.strict,
            1 => self.upscale = (self.upscale + if forward { 1 } else { 8 }) % 9,
            2 => {
                const ALL: [Option<Background>; 4] = [
                    None,
                    Some(Background::White),
                    Some(Background::Black),
                    Some(Background::None),
                ];
                let at = ALL.iter().position(|b| *b == self.background).unwrap_or(0);
                self.background = ALL[(at + if forward { 1 } else { 3 }) % 4];
            }
            _ => {
                self.with_image = match (self.with_image, forward) {
                    (None, true) | (Some(false), false) => Some(true),
                    (Some(true), true) | (None, false) => Some(false),
                    _ => None,
                }
            }
        }
    }

    fn settings(&self) -> Retry {
        let hint = self.hint.text().trim();
        Retry {
            strict: self.strict,
            upscale: (self.upscale > 0).then_some(self.upscale),
            background: self.background,
            with_image: self.with_image,
            hint: (!hint.is_empty()).then(|| hint.to_owned()),
        }
    }

    /// Name and value of each row. The last one is the hint, which is typed.
    fn rows(&self, words: Words) -> [(&'static str, String); ROWS] {
        let as_run = || words.as_the_run().to_owned();
        let prompt = match self.strict {
            true => words.stricter(),
            false => words.normal(),
        };
        let scale = match self.upscale {
            0 => as_run(),
            n => format!("{n}x"),
        };
        let background = self.background.map_or_else(as_run, |background| {
            match background {
                Background::White => words.white(),
                Background::Black => words.black(),
                Background::None => words.stored_colors(),
            }
            .to_owned()
        });
        let picture = self.with_image.map_or_else(as_run, |with| {
            match with {
                true => words.with_picture(),
                false => words.without_picture(),
            }
            .to_owned()
        });
        [
            (words.prompt(), prompt.to_owned()),
            (words.scale(), scale),
            (words.ground(), background),
            (words.picture(), picture),
            (words.hint_row(), String::new()),
        ]
    }
}

fn area(place: &DialogPlace) -> Rect {
    place.box_of(64, ROWS as u16 + 2)
}

/// The line where the hint is typed, aligned with the other values.
fn hint_area(inner: Rect) -> Rect {
    let before = LABEL + 2;
    Rect {
        x: inner.x + before,
        y: inner.y + ROWS as u16 - 1,
        width: inner.width.saturating_sub(before),
        height: 1,
    }
}

impl Modal for RetryForm {
    fn key(
        &mut self,
        key: &KeyEvent,
        escape: bool,
        _: &DialogPlace,
        session: &mut Session,
    ) -> Next {
        match key.code {
            _ if escape => return Next::close(),
            KeyCode::Enter => {
                let how = self.settings();
                return Next {
                    open: ask_again(session, self.groups.clone(), how, self.advance),
                    ..Next::close()
                };
            }
            KeyCode::Down | KeyCode::Tab => self.row = (self.row + 1) % ROWS,
            KeyCode::Up | KeyCode::BackTab => self.row = (self.row + ROWS - 1) % ROWS,
            _ if self.row == ROWS - 1 => {
                self.hint.key(key);
            }
            KeyCode::Left => self.cycle_value(Cycle::Back),
            KeyCode::Right | KeyCode::Char(' ') => self.cycle_value(Cycle::Forward),
            _ => {}
        }
        Next::stay()
    }

    fn click(&mut self, at: Position, place: &DialogPlace, _: &Session) -> Option<KeyCode> {
        let inner = inside_border(area(place));
        let row = usize::from(at.y.checked_sub(inner.y)?);
        if !inner.contains(at) || row >= ROWS {
            return None;
        }
        self.row = row;
        // A click on a value shows the next one; the hint is typed.
        let is_value = at.x >= inner.x + LABEL && row < ROWS - 1;
        is_value.then_some(KeyCode::Right)
    }

    fn paste(&mut self, text: &str, _: &mut Session) {
        self.hint.insert(text);
    }

    fn areas(&self, place: &DialogPlace, _: &Session) -> Vec<Rect> {
        vec![area(place)]
    }

    fn draw(&self, place: &DialogPlace, session: &Session, buf: &mut Buffer) {
        let theme = &session.theme;
        let area = area(place);
        clear(area, buf);
        let words = session.words;
        let title = words.ask_title(words.records(self.groups.len()));
        let inner = focused_pane(theme, area, &title, buf);
        let rows = self.rows(words);
        for (row, (name, value)) in rows.iter().enumerate().take(usize::from(inner.height)) {
            let y = inner.y + row as u16;
            let here = row == self.row;
            let mark = if here { "> " } else { "  " };
            let name = format!("{mark}{name}");
            put(buf, inner.x, y, LABEL, &name, theme.dim());
            if row == ROWS - 1 {
                edit_line(&self.hint, theme.chip(), hint_area(inner), buf);
                continue;
            }
            let (text, style) = match here {
                true => (format!("< {value} >"), theme.cursor()),
                false => (format!("  {value}"), theme.text()),
            };
            let cells = inner.width.saturating_sub(LABEL);
            put(buf, inner.x + LABEL, y, cells, &text, style);
        }
    }

    fn cursor(&self, place: &DialogPlace, _: &Session) -> Option<Position> {
        let inner = inside_border(area(place));
        let area = hint_area(inner);
        let typing = self.row == ROWS - 1 && area.y < inner.bottom();
        typing.then(|| edit_cursor(&self.hint, area))
    }

    fn hints(&self, session: &Session) -> Vec<KeyHint> {
        let words = session.words;
        vec![
            ("Enter", words.ask()),
            ("Tab", words.next()),
            ("Left Right", words.changes()),
            ("Esc", words.close()),
        ]
    }
}

//! Choices in a line, each with the letter that takes it: where they are, and how they look.

use crate::text::width;
use crate::tui::session::Session;
use crate::tui::widgets::put;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Cells before choices and before texts being typed.
pub const LABEL: u16 = 10;

/// A line of choices, broken where it is too long.
pub struct Choices {
    name: &'static str,
    /// Whether one of them is asked for now.
    asked: bool,
    area: Rect,
    all: Vec<Choice>,
}

struct Choice {
    letter: char,
    text: String,
    /// Whether it is the one that is taken.
    here: bool,
    place: Rect,
}

impl Choices {
    pub fn new<'a>(
        name: &'static str,
        all: impl Iterator<Item = (char, &'a str, bool)>,
        asked: bool,
        area: Rect,
    ) -> Self {
        let start = area.x + (width(name) as u16 + 2).clamp(8, LABEL);
        let (mut x, mut y) = (start, area.y);
        let all = all.map(|(letter, name, here)| {
            let text = format!("{letter} {name}");
            let cells = width(&text) as u16 + 2;
            if x + cells > area.right() && x > start {
                (x, y) = (start, y + 1);
            }
            let place = Rect::new(x, y, cells.min(area.right().saturating_sub(x)), 1);
            x += cells + 1;
            Choice {
                letter,
                text,
                here,
                place,
            }
        });
        Self {
            name,
            asked,
            area,
            all: all.collect(),
        }
    }

    /// What is left below them.
    pub fn rest(&self) -> Rect {
        let last = self.all.last().map_or(self.area.y, |choice| choice.place.y);
        let y = (last + 1).min(self.area.bottom());
        Rect {
            y,
            height: self.area.bottom() - y,
            ..self.area
        }
    }

    /// The letter of the choice at a place.
    pub fn letter_at(&self, at: Position) -> Option<char> {
        let mut all = self.all.iter();
        let found = all.find(|choice| choice.place.contains(at) && self.area.contains(at));
        Some(found?.letter)
    }

    pub fn draw(&self, session: &Session, buf: &mut Buffer) {
        let theme = &session.theme;
        let area = self.area;
        let mark = if self.asked { ">" } else { " " };
        let name = format!("{mark} {}", self.name);
        put(buf, area.x, area.y, LABEL, &name, theme.dim());
        for choice in &self.all {
            let at = choice.place;
            if at.y >= area.bottom() {
                break;
            }
            let style = match choice.here {
                true => theme.cursor(self.asked),
                false => theme.text(),
            };
            let sign = if choice.here { ">" } else { " " };
            let room = area.right().saturating_sub(at.x);
            put(
                buf,
                at.x,
                at.y,
                room,
                &format!("{sign}{}", choice.text),
                style,
            );
        }
    }
}

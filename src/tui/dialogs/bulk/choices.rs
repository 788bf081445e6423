//! A line of choices, each with the letter that picks it: layout and drawing.

use crate::text::width;
use crate::tui::session::Session;
use crate::tui::widgets::put;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Width in cells of the labels before choices and texts.
pub const LABEL: u16 = 10;

/// A line of choices, wrapped where it is too long.
pub struct Choices {
    name: &'static str,
    /// Whether the operator picks from this line now.
    focused: bool,
    area: Rect,
    all: Vec<ChoiceLabel>,
}

struct ChoiceLabel {
    letter: char,
    text: String,
    chosen: bool,
    area: Rect,
}

impl Choices {
    pub fn new<'a>(
        name: &'static str,
        all: impl Iterator<Item = (char, &'a str, bool)>,
        focused: bool,
        area: Rect,
    ) -> Self {
        let start = area.x + (width(name) as u16 + 2).clamp(8, LABEL);
        let (mut x, mut y) = (start, area.y);
        let all = all.map(|(letter, name, chosen)| {
            let text = format!("{letter} {name}");
            let cells = width(&text) as u16 + 2;
            if x + cells > area.right() && x > start {
                (x, y) = (start, y + 1);
            }
            let place = Rect::new(x, y, cells.min(area.right().saturating_sub(x)), 1);
            x += cells + 1;
            ChoiceLabel {
                letter,
                text,
                chosen,
                area: place,
            }
        });
        Self {
            name,
            focused,
            area,
            all: all.collect(),
        }
    }

    /// The area below the choices.
    pub fn rest(&self) -> Rect {
        let last = self.all.last().map_or(self.area.y, |choice| choice.area.y);
        let y = (last + 1).min(self.area.bottom());
        Rect {
            y,
            height: self.area.bottom() - y,
            ..self.area
        }
    }

    /// The letter of the choice at a screen position.
    pub fn letter_at(&self, at: Position) -> Option<char> {
        let mut all = self.all.iter();
        let found = all.find(|choice| choice.area.contains(at) && self.area.contains(at));
        Some(found?.letter)
    }

    pub fn draw(&self, session: &Session, buf: &mut Buffer) {
        let theme = &session.theme;
        let area = self.area;
        let mark = if self.focused { ">" } else { " " };
        let name = format!("{mark} {}", self.name);
        put(buf, area.x, area.y, LABEL, &name, theme.dim());
        for choice in &self.all {
            let at = choice.area;
            if at.y >= area.bottom() {
                break;
            }
            let style = match choice.chosen {
                true => theme.cursor_in(self.focused),
                false => theme.text(),
            };
            let sign = if choice.chosen { ">" } else { " " };
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

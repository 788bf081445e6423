//! One-line bars made of pieces of text, some of which can be clicked.

use super::put;
use crate::text::{fit, width};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// A piece of a bar, with its position.
pub struct Piece<P> {
    x: u16,
    text: String,
    style: Style,
    /// The effect of a click.
    press: Option<P>,
}

impl<P> Piece<P> {
    fn cells(&self) -> u16 {
        width(&self.text) as u16
    }

    /// Its first column.
    pub fn start(&self) -> u16 {
        self.x
    }

    /// The column after it.
    pub fn end(&self) -> u16 {
        self.x + self.cells()
    }
}

/// The pieces of a bar, from left to right.
pub struct Pieces<P> {
    pub area: Rect,
    /// The column of the next piece.
    pub x: u16,
    pub all: Vec<Piece<P>>,
}

impl<P> Pieces<P> {
    pub fn of(area: Rect) -> Self {
        Self {
            area,
            x: area.x,
            all: Vec::new(),
        }
    }

    pub fn add(&mut self, text: &str, style: Style, press: Option<P>) {
        let room = self.area.right().saturating_sub(self.x);
        let piece = Piece {
            x: self.x,
            text: fit(text, usize::from(room)),
            style,
            press,
        };
        self.x = piece.end();
        self.all.push(piece);
    }
}

/// The effect of a click on a column of a bar.
pub fn press_at<P: Copy>(pieces: &[Piece<P>], x: u16) -> Option<P> {
    let mut pieces = pieces.iter();
    let found = pieces.find(|piece| (piece.x..piece.end()).contains(&x));
    found?.press
}

pub fn draw_pieces<P>(pieces: &[Piece<P>], y: u16, buf: &mut Buffer) {
    for piece in pieces {
        put(buf, piece.x, y, piece.cells(), &piece.text, piece.style);
    }
}

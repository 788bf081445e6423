//! The screens, drawn from the state alone.

pub mod attempts;
pub mod dialogs;
pub mod editor;
pub mod gallery;
pub mod header;
pub mod help;
pub mod picture;
pub mod progress;
pub mod queue;
pub mod record;
pub mod statistics;
pub mod translate;

use super::app::{App, Screen};
use super::layout::{self, Pane};
use super::safe_text::{plain_emoji, width, wrap_offsets};
use ratatui::buffer::{Buffer, CellDiffOption};
use ratatui::layout::{Position, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Clear, Widget};

impl Widget for &App {
    fn render(self, area: Rect, buf: &mut Buffer) {
        if self.too_small() {
            too_small(self, area, buf);
            return;
        }
        let frame = layout::frame(area);
        header::header(self, frame.header, buf);
        let boxes = dialogs::areas(self, frame.body);
        match self.screen {
            Screen::Work => {
                let bench = self.bench();
                if let Some(area) = bench.queue {
                    queue::draw(self, area, bench.borders, &boxes, buf);
                }
                if let Some(area) = bench.picture {
                    picture::draw(self, area, bench.borders, &boxes, buf);
                }
                if let Some(area) = bench.record {
                    let inner = pane(
                        self,
                        area,
                        bench.borders,
                        "Record",
                        self.focus == Pane::Record,
                        buf,
                    );
                    lines(
                        &record::sheet(self, inner.width).lines,
                        self.scroll,
                        inner,
                        buf,
                    );
                }
            }
            Screen::Gallery => gallery::draw(self, &boxes, buf),
            Screen::Attempts => attempts::draw(self, frame.body, buf),
            Screen::Progress => progress::draw(self, frame.body, buf),
            Screen::Statistics => statistics::draw(self, frame.body, buf),
        }
        header::hints(self, frame.hints, buf);
        dialogs::draw(self, frame.body, buf);
        settle_wide(buf);
    }
}

/// Makes what is wider than a cell look the same in every terminal, and leave nothing behind.
fn settle_wide(buf: &mut Buffer) {
    for at in 0..buf.content.len() {
        let (before, after) = buf.content.split_at_mut(at + 1);
        let (Some(cell), Some(next)) = (before.last_mut(), after.first_mut()) else {
            return;
        };
        // Pictures have cells of their own kind.
        if cell.symbol().len() == 1 || cell.diff_option != CellDiffOption::None {
            continue;
        }
        // Terminals disagree on the cells of an emoji of several parts (xterm and tmux give each
        // part its own): what one of them draws too far stays there when the text is gone.
        if let Some((first, second)) = plain_emoji(cell.symbol()) {
            cell.set_char(first);
            if width(cell.symbol()) == 1 {
                next.set_char(second).set_style(cell.style());
            }
        }
        // Half a character that is written over becomes a blank in the colors of what is written.
        // The cell that it covered counts as changed when it is seen again.
        if width(cell.symbol()) > 1 {
            next.modifier.insert(Modifier::HIDDEN);
        }
    }
}

/// Where the terminal's own cursor belongs, so that an input method composes there.
pub fn cursor(app: &App) -> Option<Position> {
    if app.too_small() {
        return None;
    }
    editor::cursor(app)
}

fn too_small(app: &App, area: Rect, buf: &mut Buffer) {
    let text = format!("too small: {}x{} needed", layout::LEAST.0, layout::LEAST.1);
    for (row, line) in super::safe_text::wrap(&text, usize::from(area.width))
        .iter()
        .enumerate()
        .take(usize::from(area.height))
    {
        put(
            buf,
            area.x,
            area.y + row as u16,
            area.width,
            line,
            app.theme.bad(),
        );
    }
}

/// A pane's frame or title; gives what is left inside.
pub(super) fn pane(
    app: &App,
    area: Rect,
    borders: bool,
    title: &str,
    focused: bool,
    buf: &mut Buffer,
) -> Rect {
    let style = app.theme.border(focused);
    // The pane that has the keys is marked in words too, for terminals without color.
    let title = if focused {
        format!("> {title} ")
    } else {
        format!(" {title} ")
    };
    if borders {
        Block::bordered()
            .border_type(BorderType::Rounded)
            .border_style(style)
            .title(Span::styled(title, style))
            .render(area, buf);
    } else {
        put(buf, area.x, area.y, area.width, &title, style);
    }
    layout::inner(area, borders)
}

/// Makes room for a box over the panes. A wide character that the box cuts in two goes whole:
/// its other half would take the place of the border.
pub(super) fn clear(area: Rect, buf: &mut Buffer) {
    Clear.render(area, buf);
    let Some(left) = area.x.checked_sub(1) else {
        return;
    };
    for y in area.top()..area.bottom() {
        if let Some(cell) = buf.cell_mut((left, y))
            && width(cell.symbol()) > 1
        {
            cell.set_symbol(" ");
        }
    }
}

/// Text at a place, cut to `width` cells.
pub(super) fn put(buf: &mut Buffer, x: u16, y: u16, width: u16, text: &str, style: Style) -> u16 {
    if width == 0 || !buf.area.contains(Position::new(x, y)) {
        return x;
    }
    let text = super::safe_text::fit(text, usize::from(width));
    buf.set_stringn(x, y, text, usize::from(width), style).0
}

pub(super) fn put_line(buf: &mut Buffer, x: u16, y: u16, width: u16, line: &Line<'_>) {
    if width > 0 && buf.area.contains(Position::new(x, y)) {
        buf.set_line(x, y, line, width);
    }
}

/// Texts that follow each other, each in its style, broken into lines of at most `cells`.
pub(super) fn wrap_styled(parts: &[(&str, Style)], cells: usize) -> Vec<Vec<Span<'static>>> {
    let text: String = parts.iter().map(|(text, _)| *text).collect();
    let lines = wrap_offsets(&text, cells).into_iter();
    lines
        .map(|(start, line)| {
            let mut spans = Vec::new();
            let mut begin = 0;
            for (part, style) in parts {
                let end = begin + part.len();
                let (from, to) = (begin.max(start), end.min(start + line.len()));
                if from < to {
                    spans.push(Span::styled(text[from..to].to_owned(), *style));
                }
                begin = end;
            }
            spans
        })
        .collect()
}

/// As many of the lines, from `scroll` on, as fit.
pub(super) fn lines(all: &[Line<'_>], scroll: usize, area: Rect, buf: &mut Buffer) {
    for (row, line) in all
        .iter()
        .skip(scroll)
        .take(usize::from(area.height))
        .enumerate()
    {
        put_line(buf, area.x, area.y + row as u16, area.width, line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::style::Color;

    fn row(text: &str, style: Style) -> Buffer {
        let mut buf = Buffer::empty(Rect::new(0, 0, 6, 1));
        buf.set_string(0, 0, text, style);
        settle_wide(&mut buf);
        buf
    }

    #[test]
    fn the_cell_behind_a_wide_character_is_redrawn_when_it_is_seen() {
        let blue = Style::new().bg(Color::Blue);
        let (wide, narrow) = (row("가", Style::new()), row("1", blue));
        let drawn: Vec<u16> = wide.diff(&narrow).iter().map(|(x, ..)| *x).collect();
        assert_eq!(drawn, [0, 1]);
        assert_eq!(wide.diff(&row("나", blue)).len(), 1);
    }

    #[test]
    fn both_cells_of_an_emoji_have_its_colors() {
        let blue = Style::new().bg(Color::Blue);
        for text in ["🇰🇷", "☎\u{fe0f}"] {
            let buf = row(text, blue);
            assert_eq!(buf.content[1].bg, Color::Blue, "{text}");
        }
    }
}

//! Characters wider than a cell, drawn alike by every terminal.

use crate::text::{plain_emoji, width};
use ratatui::buffer::{Buffer, CellDiffOption};
use ratatui::style::Modifier;

/// Makes wide characters look the same in every terminal, and leave nothing behind.
pub fn normalize_wide(buf: &mut Buffer) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;
    use ratatui::style::{Color, Style};

    fn row(text: &str, style: Style) -> Buffer {
        let mut buf = Buffer::empty(Rect::new(0, 0, 6, 1));
        buf.set_string(0, 0, text, style);
        normalize_wide(&mut buf);
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

//! Makes wide characters look the same in every terminal.

use crate::text::{plain_emoji, width};
use ratatui::buffer::{Buffer, CellDiffOption};
use ratatui::style::Modifier;

/// Makes wide characters look the same in every terminal and leave no remains when they are gone.
pub fn normalize_wide(buf: &mut Buffer) {
    for at in 0..buf.content.len() {
        let (before, after) = buf.content.split_at_mut(at + 1);
        let (Some(cell), Some(next)) = (before.last_mut(), after.first_mut()) else {
            return;
        };
        // Cells of pictures are left alone.
        if cell.symbol().len() == 1 || cell.diff_option != CellDiffOption::None {
            continue;
        }
        // Terminals disagree on the width of an emoji of several parts (xterm and tmux give each
        // part its own cells), and what is drawn too far would stay when the text is gone.
        if let Some((first, second)) = plain_emoji(cell.symbol()) {
            cell.set_char(first);
            if width(cell.symbol()) == 1 {
                next.set_char(second).set_style(cell.style());
            }
        }
        // A half-overwritten character becomes a blank in the new colors. The modifier makes the
        // cell that it covered count as changed when it is visible again.
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
    fn the_cell_covered_by_a_wide_character_is_redrawn_when_it_is_visible() {
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

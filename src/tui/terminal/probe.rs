//! Asks the terminal which images it can show and how bright its background is.

use crate::tui::theme::Ground;
use ratatui_image::FontSize;
use ratatui_image::picker::cap_parser::{Parser, QueryStdioOptions, Response};
use ratatui_image::picker::{Picker, ProtocolType};
use std::io::{Write as _, stdout};

/// What a terminal reports that it can do.
pub struct Capabilities {
    pub picker: Picker,
    /// Whether the background is dark or light, where the terminal reports its color.
    pub ground: Option<Ground>,
}

impl Capabilities {
    /// Whether the terminal shows pixels smaller than half a cell.
    pub fn shows_pixels(&self) -> bool {
        self.picker.protocol_type() != ProtocolType::Halfblocks
    }
}

/// Writes the queries. The replies arrive among the keys, at any time; [`Replies`] collects them.
pub fn request() -> std::io::Result<()> {
    let in_tmux = Picker::halfblocks().tmux_detected();
    let query = Parser::query(
        in_tmux,
        QueryStdioOptions {
            terminal_background_color_osc: true,
            blacklist_protocols: if is_iterm_like() {
                // Their kitty and sixel lack what is needed here.
                vec![ProtocolType::Kitty, ProtocolType::Sixel]
            } else {
                Vec::new()
            },
            ..QueryStdioOptions::default()
        },
    );
    let mut out = stdout().lock();
    if in_tmux {
        // The query goes through tmux to the terminal where that is allowed; this tmux answers.
        out.write_all(b"\x1b]11;?\x07")?;
    }
    out.write_all(query.as_bytes())?;
    out.flush()
}

fn is_iterm_like() -> bool {
    ["WEZTERM_EXECUTABLE", "KONSOLE_VERSION"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}

/// The terminal's replies so far.
#[derive(Default)]
pub struct Replies {
    parser: Parser,
    responses: Vec<Response>,
}

impl Replies {
    /// Takes one complete reply.
    pub fn take(&mut self, report: &str) {
        for c in report.chars() {
            self.responses.extend(self.parser.push(c));
        }
    }

    /// Whether the last query is answered, and with it all of them.
    pub fn are_complete(&self) -> bool {
        self.responses.contains(&Response::Status)
    }

    pub fn capabilities(&self) -> Capabilities {
        Capabilities {
            picker: picker(&self.responses),
            ground: ground(&self.responses),
        }
    }
}

fn picker(responses: &[Response]) -> Picker {
    let said = responses.iter().find_map(|response| match response {
        Response::CellSize(Some((width, height))) if *width > 0 && *height > 0 => {
            Some(FontSize::new(*width, *height))
        }
        _ => None,
    });
    let Some(font) = said.or_else(measured) else {
        return Picker::halfblocks();
    };
    #[expect(
        deprecated,
        reason = "the other constructors read standard input themselves and eat keys"
    )]
    let mut picker = Picker::from_fontsize(font);
    // A kitty reply counts most; otherwise the environment decides.
    if responses.contains(&Response::Kitty) {
        picker.set_protocol_type(ProtocolType::Kitty);
    } else if responses.contains(&Response::Sixel) && !is_iterm_like() {
        picker.set_protocol_type(ProtocolType::Sixel);
    }
    picker
}

fn ground(responses: &[Response]) -> Option<Ground> {
    responses.iter().find_map(|response| match response {
        Response::Background(r, g, b) => Some(Ground::of([*r, *g, *b])),
        _ => None,
    })
}

/// Pixels of a cell as the kernel knows them.
fn measured() -> Option<FontSize> {
    let size = crossterm::terminal::window_size().ok()?;
    let width = size.width.checked_div(size.columns)?;
    let height = size.height.checked_div(size.rows)?;
    (width > 0 && height > 0).then(|| FontSize::new(width, height))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Vec<Response> {
        let mut answers = Replies::default();
        answers.take(text);
        answers.responses
    }

    #[test]
    fn answers_choose_the_protocol() {
        let xterm = said("\u{1b}[?63;1;2;4;6;9;15;22c\u{1b}[6;18;9t\u{1b}[0n");
        let chosen = picker(&xterm);
        assert_eq!(chosen.protocol_type(), ProtocolType::Sixel);
        assert_eq!(
            (chosen.font_size().width, chosen.font_size().height),
            (9, 18)
        );
        let kitty = said("\u{1b}_Gi=31;OK\u{1b}\\\u{1b}[?62;4c\u{1b}[6;20;10t\u{1b}[0n");
        assert_eq!(picker(&kitty).protocol_type(), ProtocolType::Kitty);
    }

    #[test]
    fn the_ground_is_what_the_terminal_says() {
        let light = said("\u{1b}]11;rgb:ffff/ffff/dddd\u{1b}\\\u{1b}[0n");
        assert_eq!(ground(&light), Some(Ground::Light));
        let dark = said("\u{1b}]11;rgb:1717/1717/4040\u{7}\u{1b}[0n");
        assert_eq!(ground(&dark), Some(Ground::Dark));
        assert_eq!(ground(&said("\u{1b}[0n")), None);
    }
}

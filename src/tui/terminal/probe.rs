//! Queries which image protocols the terminal supports and how bright its background is.

use crate::tui::options::PictureChoice;
use crate::tui::picture::Graphics;
use crate::tui::theme::Ground;
use ratatui_image::FontSize;
use ratatui_image::picker::cap_parser::{Parser, QueryStdioOptions, Response};
use ratatui_image::picker::{Picker, ProtocolType};
use std::io::{Write as _, stdout};

/// What a terminal can show, according to its replies.
pub struct Capabilities {
    pub graphics: Graphics,
    /// Whether the background is dark or light, if the terminal reports its color.
    pub ground: Option<Ground>,
}

/// Queries the terminal's name and version (XTVERSION), because some terminals claim protocols that
/// they do not fully support.
const NAME_QUERY: &[u8] = b"\x1b[>q";

/// Writes the queries. The replies arrive between keys at any time; [`Replies`] collects them.
pub fn request() -> std::io::Result<()> {
    let in_tmux = Picker::halfblocks().tmux_detected();
    let query = Parser::query(
        in_tmux,
        QueryStdioOptions {
            terminal_background_color_osc: true,
            kitty_compression: true,
            ..QueryStdioOptions::default()
        },
    );
    let mut out = stdout().lock();
    if in_tmux {
        // tmux answers this query itself; the others pass through it to the terminal, if allowed.
        out.write_all(b"\x1b]11;?\x07")?;
    }
    // The other query comes last, because its reply marks the end of all replies.
    out.write_all(NAME_QUERY)?;
    out.write_all(query.as_bytes())?;
    out.flush()
}

/// The terminal's replies so far.
#[derive(Default)]
pub struct Replies {
    parser: Parser,
    responses: Vec<Response>,
    /// The terminal's name and version: `kitty(0.26.5)`, `WezTerm 20240203`.
    name: Option<String>,
}

impl Replies {
    /// Adds one complete reply.
    pub fn take(&mut self, report: &str) {
        if let Some(name) = report.strip_prefix("\x1bP>|") {
            let name = name.trim_end_matches(['\x1b', '\\', '\x07']);
            self.name = Some(name.to_owned());
            return;
        }
        for c in report.chars() {
            self.responses.extend(self.parser.push(c));
        }
    }

    /// Whether the last query was answered, and so all of them.
    pub fn are_complete(&self) -> bool {
        self.responses.contains(&Response::Status)
    }

    pub fn capabilities(&self, choice: PictureChoice) -> Capabilities {
        Capabilities {
            graphics: Graphics {
                picker: self.picker(choice),
                accepts_zlib: self.responses.contains(&Response::KittyCompression),
            },
            ground: ground(&self.responses),
        }
    }

    fn picker(&self, choice: PictureChoice) -> Picker {
        let reported = self.responses.iter().find_map(|response| match response {
            Response::CellSize(Some((width, height))) if *width > 0 && *height > 0 => {
                Some(FontSize::new(*width, *height))
            }
            _ => None,
        });
        let protocol = match choice {
            PictureChoice::Auto => self.protocol(),
            PictureChoice::Kitty => ProtocolType::Kitty,
            PictureChoice::Sixel => ProtocolType::Sixel,
            PictureChoice::Iterm => ProtocolType::Iterm2,
            PictureChoice::Blocks | PictureChoice::None => ProtocolType::Halfblocks,
        };
        let font = reported.or_else(measured);
        // If the operator chose a protocol, it is used even with a guessed cell size.
        let font = font.or((choice != PictureChoice::Auto).then_some(FontSize::new(10, 20)));
        let Some(font) = font.filter(|_| protocol != ProtocolType::Halfblocks) else {
            return Picker::halfblocks();
        };
        #[expect(
            deprecated,
            reason = "the other constructors read standard input themselves and eat keys"
        )]
        let mut picker = Picker::from_fontsize(font);
        picker.set_protocol_type(protocol);
        picker
    }

    /// The protocol according to the replies. Environment variables do not count, because they may
    /// come from another terminal from which this one was started.
    fn protocol(&self) -> ProtocolType {
        let name = self.name.as_deref().unwrap_or_default();
        let is = |program: &str| name.starts_with(program);
        // These do not support the placeholders of kitty's protocol.
        let lacks_placeholders = is("WezTerm") || is("iTerm2");
        // It keeps pictures on the screen under what is drawn over them, or loses others.
        if is("Konsole") {
            ProtocolType::Halfblocks
        } else if self.responses.contains(&Response::Kitty)
            && !lacks_placeholders
            && !is_old_kitty(name)
        {
            ProtocolType::Kitty
        } else if lacks_placeholders {
            ProtocolType::Iterm2
        } else if self.responses.contains(&Response::Sixel) {
            ProtocolType::Sixel
        } else {
            ProtocolType::Halfblocks
        }
    }
}

/// Whether this is kitty before 0.28, which draws the placeholders as boxes.
fn is_old_kitty(name: &str) -> bool {
    let version = name.strip_prefix("kitty(").unwrap_or_default();
    let mut parts = version.split(['.', ')']).map(str::parse::<u32>);
    matches!((parts.next(), parts.next()), (Some(Ok(0)), Some(Ok(..28))))
}

fn ground(responses: &[Response]) -> Option<Ground> {
    responses.iter().find_map(|response| match response {
        Response::Background(r, g, b) => Some(Ground::of([*r, *g, *b])),
        _ => None,
    })
}

/// The pixel size of a cell according to the kernel.
fn measured() -> Option<FontSize> {
    let size = crossterm::terminal::window_size().ok()?;
    let width = size.width.checked_div(size.columns)?;
    let height = size.height.checked_div(size.rows)?;
    (width > 0 && height > 0).then(|| FontSize::new(width, height))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collected(replies: &[&str]) -> Replies {
        let mut collected = Replies::default();
        for reply in replies {
            collected.take(reply);
        }
        collected
    }

    const SIXEL: &str = "\u{1b}[?63;1;2;4;6;9;15;22c";
    const KITTY: &str = "\u{1b}_Gi=31;OK\u{1b}\\";
    const CELL: &str = "\u{1b}[6;18;9t";

    #[test]
    fn replies_choose_the_protocol() {
        let chosen = |replies: &[&str]| {
            collected(replies)
                .picker(PictureChoice::Auto)
                .protocol_type()
        };
        assert_eq!(chosen(&[SIXEL, CELL]), ProtocolType::Sixel);
        assert_eq!(chosen(&[KITTY, SIXEL, CELL]), ProtocolType::Kitty);
        for (name, protocol) in [
            ("kitty(0.26.5)", ProtocolType::Halfblocks),
            ("kitty(0.28.0)", ProtocolType::Kitty),
            ("ghostty 1.1.0", ProtocolType::Kitty),
            ("WezTerm 20240203-110809", ProtocolType::Iterm2),
            ("Konsole 23.08.4", ProtocolType::Halfblocks),
        ] {
            let name = format!("\u{1b}P>|{name}\u{1b}\\");
            assert_eq!(chosen(&[&name, KITTY, CELL]), protocol, "{name}");
        }
        assert_eq!(chosen(&["\u{1b}[?62c", CELL]), ProtocolType::Halfblocks);
        let font = collected(&[SIXEL, CELL])
            .picker(PictureChoice::Auto)
            .font_size();
        assert_eq!((font.width, font.height), (9, 18));
    }

    #[test]
    fn the_operators_choice_overrides_the_replies() {
        let kitty = collected(&[KITTY, SIXEL, CELL]);
        for (choice, protocol) in [
            (PictureChoice::Kitty, ProtocolType::Kitty),
            (PictureChoice::Sixel, ProtocolType::Sixel),
            (PictureChoice::Iterm, ProtocolType::Iterm2),
            (PictureChoice::Blocks, ProtocolType::Halfblocks),
        ] {
            assert_eq!(kitty.picker(choice).protocol_type(), protocol);
        }
    }

    #[test]
    fn pictures_are_compressed_if_the_terminal_can_inflate_them() {
        let accepts_zlib = "\u{1b}_Gi=32;OK\u{1b}\\";
        for (replies, expected) in [
            (&[KITTY, CELL][..], false),
            (&[KITTY, accepts_zlib, CELL], true),
        ] {
            let capabilities = collected(replies).capabilities(PictureChoice::Auto);
            assert_eq!(capabilities.graphics.accepts_zlib, expected);
        }
    }

    #[test]
    fn the_ground_comes_from_the_reported_background() {
        let ground = |reply: &str| collected(&[reply]).capabilities(PictureChoice::Auto).ground;
        let light = "\u{1b}]11;rgb:ffff/ffff/dddd\u{1b}\\\u{1b}[0n";
        assert_eq!(ground(light), Some(Ground::Light));
        let dark = "\u{1b}]11;rgb:1717/1717/4040\u{7}\u{1b}[0n";
        assert_eq!(ground(dark), Some(Ground::Dark));
        assert_eq!(ground("\u{1b}[0n"), None);
    }
}

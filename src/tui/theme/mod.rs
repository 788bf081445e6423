//! Colors by role for any color depth. Color is never the only carrier of a meaning.

mod file;
mod nearest;

pub use file::{BUILT_IN_THEMES, ThemeColors};

use crate::record::GroupState;
use file::{Colors, Ink};
use nearest::{nearest_of_16, nearest_of_256};
use ratatui::buffer::Cell;
use ratatui::style::{Color, Modifier, Style};

/// The color depth of the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// `NO_COLOR`: bold, underline and reverse only.
    None,
    Ansi16,
    Ansi256,
    True,
}

/// The kind of background that the terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    Dark,
    Light,
}

impl Ground {
    /// Classifies a background color as dark or light.
    pub fn of(color: [u8; 3]) -> Self {
        if luma(color) >= 128_000 {
            Self::Light
        } else {
            Self::Dark
        }
    }
}

/// The brightness of a color, from 0 to 255,000.
fn luma([r, g, b]: [u8; 3]) -> u32 {
    299 * u32::from(r) + 587 * u32::from(g) + 114 * u32::from(b)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    pub depth: Depth,
    pub ground: Ground,
    pub palette: ThemeColors,
}

impl Theme {
    /// Reads `NO_COLOR`, `COLORTERM`, `TERM` and `COLORFGBG` through `env`.
    pub fn detect(palette: ThemeColors, env: impl Fn(&str) -> Option<String>) -> Self {
        let term = env("TERM").unwrap_or_default();
        let depth = if env("NO_COLOR").is_some_and(|value| !value.is_empty()) || term == "dumb" {
            Depth::None
        } else if env("COLORTERM").is_some_and(|v| v == "truecolor" || v == "24bit")
            || term.ends_with("-direct")
        {
            Depth::True
        } else if term.contains("256color") {
            Depth::Ansi256
        } else {
            Depth::Ansi16
        };
        let light = env("COLORFGBG")
            .and_then(|value| value.rsplit(';').next()?.parse::<u8>().ok())
            .is_some_and(|back| back == 7 || back == 15);
        Self {
            depth,
            ground: if light { Ground::Light } else { Ground::Dark },
            palette,
        }
    }

    fn colors(&self) -> &Colors {
        match self.ground {
            Ground::Dark => &self.palette.dark,
            Ground::Light => &self.palette.light,
        }
    }

    /// A color at this terminal's depth; `None` for the default color.
    fn color(&self, ink: Ink) -> Option<Color> {
        match self.depth {
            Depth::None => None,
            Depth::Ansi16 => ink.basic,
            Depth::Ansi256 => Some(ink.indexed),
            Depth::True => Some(ink.full),
        }
    }

    fn ink(&self, ink: Ink) -> Style {
        self.color(ink)
            .map_or_else(Style::new, |color| Style::new().fg(color))
    }

    /// The style of text on a colored background, if there are enough colors.
    fn on(&self, (back, text): (Ink, Ink)) -> Option<Style> {
        let many = matches!(self.depth, Depth::Ansi256 | Depth::True);
        let style = Style::new().bg(self.color(back)?).fg(self.color(text)?);
        many.then_some(style)
    }

    pub fn text(&self) -> Style {
        Style::new()
    }

    pub fn dim(&self) -> Style {
        match self.color(self.colors().dim) {
            Some(color) => Style::new().fg(color),
            // Bright black is the background itself in some terminals.
            None => Style::new().add_modifier(Modifier::DIM),
        }
    }

    pub fn title(&self) -> Style {
        self.accent().add_modifier(Modifier::BOLD)
    }

    pub fn accent(&self) -> Style {
        self.ink(self.colors().accent)
    }

    pub fn good(&self) -> Style {
        self.ink(self.colors().good)
    }

    pub fn warn(&self) -> Style {
        self.ink(self.colors().warn)
    }

    pub fn bad(&self) -> Style {
        self.ink(self.colors().bad).add_modifier(Modifier::BOLD)
    }

    /// Text with low confidence, which is also marked with `~`.
    pub fn weak(&self) -> Style {
        self.warn().add_modifier(Modifier::UNDERLINED)
    }

    pub fn border(&self, focused: bool) -> Style {
        if focused { self.title() } else { self.dim() }
    }

    /// The row under the cursor, in the focused pane or in another.
    pub fn cursor_in(&self, focused: bool) -> Style {
        match focused {
            true => self.cursor(),
            false => self.cursor_elsewhere(),
        }
    }

    /// The row under the cursor in the focused pane.
    pub fn cursor(&self) -> Style {
        let reversed = || Style::new().add_modifier(Modifier::REVERSED);
        self.on(self.colors().cursor).unwrap_or_else(reversed)
    }

    /// The row under the cursor in a pane without the focus.
    fn cursor_elsewhere(&self) -> Style {
        match (self.depth, self.color(self.colors().cursor_elsewhere)) {
            (Depth::Ansi256 | Depth::True, Some(back)) => Style::new().bg(back),
            _ => Style::new().add_modifier(Modifier::UNDERLINED),
        }
    }

    pub fn key(&self) -> Style {
        self.title()
    }

    pub fn chip(&self) -> Style {
        self.on(self.colors().chip).unwrap_or_default()
    }

    /// A cell filled with a color, on which no letter is visible; `style` if the terminal has too
    /// few colors.
    pub fn swatch(&self, rgb: Option<[u8; 3]>, style: Style) -> Style {
        match rgb.and_then(|rgb| self.rgb(rgb)) {
            Some(color) => Style::new().fg(color).bg(color),
            None => style,
        }
    }

    pub fn state(&self, state: GroupState) -> Style {
        match state {
            GroupState::Waiting => self.dim(),
            GroupState::Running => self.accent(),
            GroupState::Draft => self.text(),
            GroupState::Uncertain => self.warn(),
            GroupState::Edited => self.accent(),
            GroupState::Accepted | GroupState::Committed => self.good(),
            GroupState::Rejected => self.dim(),
            GroupState::Failed => self.bad(),
        }
    }

    /// Draws the two pixels of a cell with what the terminal has. Terminals with 256 colors pick the
    /// nearest one themselves; for terminals with 16 colors it is picked here. Without colors, the
    /// pixels become a character as dense as they are bright, or dark on a light ground.
    pub fn draw_pixels(&self, cell: &mut Cell) {
        const DENSE: [&str; 5] = [" ", "░", "▒", "▓", "█"];
        let (Color::Rgb(r, g, b), Color::Rgb(r2, g2, b2)) = (cell.fg, cell.bg) else {
            return;
        };
        let (upper, lower) = ([r, g, b], [r2, g2, b2]);
        match self.depth {
            Depth::True | Depth::Ansi256 => {}
            Depth::Ansi16 => {
                cell.fg = nearest_of_16(upper);
                cell.bg = nearest_of_16(lower);
            }
            Depth::None => {
                let bright = (luma(upper) + luma(lower)) as usize * DENSE.len() / 510_001;
                let dense = match self.ground {
                    Ground::Dark => bright,
                    Ground::Light => DENSE.len() - 1 - bright,
                };
                cell.set_symbol(DENSE[dense]);
                (cell.fg, cell.bg) = (Color::Reset, Color::Reset);
            }
        }
    }

    /// A color of a picture, as near as the terminal can show it; `None` if the terminal has too
    /// few colors.
    pub fn rgb(&self, [r, g, b]: [u8; 3]) -> Option<Color> {
        match self.depth {
            Depth::None | Depth::Ansi16 => None,
            Depth::True => Some(Color::Rgb(r, g, b)),
            Depth::Ansi256 => Some(Color::Indexed(nearest_of_256([r, g, b]))),
        }
    }
}

/// One ASCII sign per state, so that states can be told apart without color.
pub fn sign(state: GroupState) -> &'static str {
    match state {
        GroupState::Waiting => ".",
        GroupState::Running => ">",
        GroupState::Draft => "o",
        GroupState::Uncertain => "?",
        GroupState::Edited => "*",
        GroupState::Accepted => "+",
        GroupState::Committed => "=",
        GroupState::Rejected => "x",
        GroupState::Failed => "!",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_decides_the_depth() {
        let with = |pairs: &'static [(&str, &str)]| {
            Theme::detect(ThemeColors::load(None).unwrap(), move |name| {
                pairs
                    .iter()
                    .find(|(key, _)| *key == name)
                    .map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(with(&[("TERM", "xterm")]).depth, Depth::Ansi16);
        assert_eq!(with(&[("TERM", "screen-256color")]).depth, Depth::Ansi256);
        assert_eq!(with(&[("COLORTERM", "truecolor")]).depth, Depth::True);
        assert_eq!(
            with(&[("COLORTERM", "truecolor"), ("NO_COLOR", "1")]).depth,
            Depth::None
        );
        assert_eq!(with(&[("COLORFGBG", "0;15")]).ground, Ground::Light);
        assert_eq!(with(&[("COLORFGBG", "15;0")]).ground, Ground::Dark);
    }

    #[test]
    fn bright_black_is_not_used_in_16_colors() {
        let theme = Theme {
            depth: Depth::Ansi16,
            ground: Ground::Dark,
            palette: ThemeColors::load(None).unwrap(),
        };
        assert_eq!(theme.dim(), Style::new().add_modifier(Modifier::DIM));
        let pixel = |color| {
            let mut cell = Cell::new("▀");
            (cell.fg, cell.bg) = (color, color);
            theme.draw_pixels(&mut cell);
            cell.fg
        };
        for gray in 0..=255 {
            assert_ne!(pixel(Color::Rgb(gray, gray, gray)), Color::DarkGray);
        }
        assert_eq!(pixel(Color::Rgb(210, 20, 30)), Color::Red);
    }

    #[test]
    fn signs_differ() {
        let mut signs: Vec<_> = GroupState::ALL.iter().map(|state| sign(*state)).collect();
        signs.sort_unstable();
        signs.dedup();
        assert_eq!(signs.len(), GroupState::ALL.len());
    }
}

//! Colors by role, for as many colors as the terminal has. Color never carries a meaning alone.

use crate::record::{GroupState, to_oklab};
use ratatui::style::{Color, Modifier, Style};

/// How many colors there are to draw with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// `NO_COLOR`: bold, underline and reverse only.
    None,
    Ansi16,
    Ansi256,
    True,
}

/// What the terminal shows behind text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    Dark,
    Light,
}

impl Ground {
    /// Whether a color is dark or light.
    pub fn of([r, g, b]: [u8; 3]) -> Self {
        let luma = 299 * u32::from(r) + 587 * u32::from(g) + 114 * u32::from(b);
        if luma >= 128_000 {
            Self::Light
        } else {
            Self::Dark
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    pub depth: Depth,
    pub ground: Ground,
}

impl Theme {
    /// Reads `NO_COLOR`, `COLORTERM`, `TERM` and `COLORFGBG` through `env`.
    pub fn detect(env: impl Fn(&str) -> Option<String>) -> Self {
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
        }
    }

    /// One color of a role: (16, dark 256, light 256).
    fn pick(&self, basic: Color, dark: u8, light: u8) -> Style {
        match (self.depth, self.ground) {
            (Depth::None, _) => Style::new(),
            (Depth::Ansi16, _) => Style::new().fg(basic),
            (_, Ground::Dark) => Style::new().fg(Color::Indexed(dark)),
            (_, Ground::Light) => Style::new().fg(Color::Indexed(light)),
        }
    }

    pub fn text(&self) -> Style {
        Style::new()
    }

    pub fn dim(&self) -> Style {
        match self.depth {
            Depth::None => Style::new().add_modifier(Modifier::DIM),
            _ => self.pick(Color::DarkGray, 245, 243),
        }
    }

    pub fn title(&self) -> Style {
        self.pick(Color::Cyan, 80, 30).add_modifier(Modifier::BOLD)
    }

    pub fn accent(&self) -> Style {
        self.pick(Color::Cyan, 80, 30)
    }

    pub fn good(&self) -> Style {
        self.pick(Color::Green, 114, 28)
    }

    pub fn warn(&self) -> Style {
        self.pick(Color::Yellow, 221, 130)
    }

    pub fn bad(&self) -> Style {
        self.pick(Color::Red, 203, 160).add_modifier(Modifier::BOLD)
    }

    /// Text that the model held weakly; it is also marked with `~`.
    pub fn weak(&self) -> Style {
        self.warn().add_modifier(Modifier::UNDERLINED)
    }

    pub fn border(&self, focused: bool) -> Style {
        if focused { self.title() } else { self.dim() }
    }

    /// The row under the cursor, of the focused pane or of another.
    pub fn cursor(&self, focused: bool) -> Style {
        match (self.depth, focused) {
            (Depth::True | Depth::Ansi256, true) => match self.ground {
                Ground::Dark => Style::new().bg(Color::Indexed(24)).fg(Color::Indexed(255)),
                Ground::Light => Style::new().bg(Color::Indexed(153)).fg(Color::Indexed(232)),
            },
            (Depth::True | Depth::Ansi256, false) => match self.ground {
                Ground::Dark => Style::new().bg(Color::Indexed(237)),
                Ground::Light => Style::new().bg(Color::Indexed(253)),
            },
            (_, true) => Style::new().add_modifier(Modifier::REVERSED),
            (_, false) => Style::new().add_modifier(Modifier::UNDERLINED),
        }
    }

    pub fn key(&self) -> Style {
        self.pick(Color::Cyan, 80, 30).add_modifier(Modifier::BOLD)
    }

    pub fn chip(&self) -> Style {
        match (self.depth, self.ground) {
            (Depth::None | Depth::Ansi16, _) => Style::new(),
            (_, Ground::Dark) => Style::new().bg(Color::Indexed(238)).fg(Color::Indexed(253)),
            (_, Ground::Light) => Style::new().bg(Color::Indexed(254)).fg(Color::Indexed(235)),
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

    /// The color of a pixel that is drawn as a cell. Terminals of 256 colors show any color, or the
    /// nearest of theirs; for those of sixteen the nearest one is picked here.
    pub fn pixel(&self, color: Color) -> Color {
        let Color::Rgb(r, g, b) = color else {
            return color;
        };
        if self.depth != Depth::Ansi16 {
            return color;
        }
        let distance = |have: &[u8; 3]| -> u32 {
            let apart = [(r, have[0]), (g, have[1]), (b, have[2])];
            apart
                .iter()
                .map(|(a, b)| u32::from(a.abs_diff(*b)).pow(2))
                .sum()
        };
        let nearest = BASIC.iter().min_by_key(|(_, have)| distance(have));
        nearest.map_or(color, |(basic, _)| *basic)
    }

    /// A color of the picture itself, as near as the terminal can; `None` where only its name
    /// can be shown.
    pub fn rgb(&self, [r, g, b]: [u8; 3]) -> Option<Color> {
        match self.depth {
            Depth::None | Depth::Ansi16 => None,
            Depth::True => Some(Color::Rgb(r, g, b)),
            Depth::Ansi256 => Some(Color::Indexed(nearest_of_256([r, g, b]))),
        }
    }
}

/// The sixteen as most terminals show them.
const BASIC: [(Color, [u8; 3]); 16] = [
    (Color::Black, [0, 0, 0]),
    (Color::Red, [205, 0, 0]),
    (Color::Green, [0, 205, 0]),
    (Color::Yellow, [205, 205, 0]),
    (Color::Blue, [0, 0, 238]),
    (Color::Magenta, [205, 0, 205]),
    (Color::Cyan, [0, 205, 205]),
    (Color::Gray, [229, 229, 229]),
    (Color::DarkGray, [127, 127, 127]),
    (Color::LightRed, [255, 0, 0]),
    (Color::LightGreen, [0, 255, 0]),
    (Color::LightYellow, [255, 255, 0]),
    (Color::LightBlue, [92, 92, 255]),
    (Color::LightMagenta, [255, 0, 255]),
    (Color::LightCyan, [0, 255, 255]),
    (Color::White, [255, 255, 255]),
];

/// The color of the 6x6x6 cube or the grey ramp that looks most alike. Hue counts more than
/// lightness: a swatch shows which color it is, and a dark green must not come out grey.
fn nearest_of_256(rgb: [u8; 3]) -> u8 {
    const LIGHTNESS_WEIGHT: f32 = 0.3;
    let wanted = to_oklab(rgb);
    let distance = |index: &u8| -> f32 {
        let have = to_oklab(rgb_of_256(*index));
        let [l, a, b] = [0, 1, 2].map(|at| have[at] - wanted[at]);
        (l * LIGHTNESS_WEIGHT).powi(2) + a * a + b * b
    };
    (16..=255)
        .min_by(|a, b| distance(a).total_cmp(&distance(b)))
        .unwrap_or(16)
}

fn rgb_of_256(index: u8) -> [u8; 3] {
    const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    if index >= 232 {
        return [8 + (index - 232) * 10; 3];
    }
    let cube = usize::from(index.saturating_sub(16));
    [cube / 36, cube / 6 % 6, cube % 6].map(|level| LEVELS[level])
}

/// One ASCII sign per state, so that no color is needed to tell them apart.
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
    fn environment_decides_the_depth() {
        let with = |pairs: &'static [(&str, &str)]| {
            Theme::detect(move |name| {
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
    fn pixels_are_of_the_sixteen_where_there_are_no_more() {
        let theme = |depth| Theme {
            depth,
            ground: Ground::Dark,
        };
        let red = Color::Rgb(210, 20, 30);
        assert_eq!(theme(Depth::Ansi16).pixel(red), Color::Red);
        assert_eq!(theme(Depth::Ansi256).pixel(red), red);
        for (basic, [r, g, b]) in BASIC {
            assert_eq!(theme(Depth::Ansi16).pixel(Color::Rgb(r, g, b)), basic);
        }
    }

    #[test]
    fn colors_stay_themselves_in_256() {
        for index in 16..=255 {
            let rgb = rgb_of_256(index);
            assert_eq!(rgb_of_256(nearest_of_256(rgb)), rgb);
        }
        let [r, g, b] = rgb_of_256(nearest_of_256([77, 107, 60]));
        assert!(g > r && g > b, "a dark green became {r} {g} {b}");
    }

    #[test]
    fn signs_differ() {
        let mut signs: Vec<_> = GroupState::ALL.iter().map(|state| sign(*state)).collect();
        signs.sort_unstable();
        signs.dedup();
        assert_eq!(signs.len(), GroupState::ALL.len());
    }
}

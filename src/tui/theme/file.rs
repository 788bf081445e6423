//! Reads theme files, which have a color for each role on a dark and on a light background.

use super::nearest::nearest_of_256;
use crate::error::{Error, ErrorKind, Result, unreadable};
use crate::text::with_short_quotes;
use ratatui::style::Color;
use serde::Deserialize;
use std::path::Path;

const DARK: &str = include_str!("../../../assets/themes/dark.toml");
const LIGHT: &str = include_str!("../../../assets/themes/light.toml");
const HIGH_CONTRAST: &str = include_str!("../../../assets/themes/high-contrast.toml");
const COLOR_BLIND: &str = include_str!("../../../assets/themes/color-blind.toml");

/// The built-in theme files by name.
pub const BUILT_IN_THEMES: &[(&str, &str)] = &[
    ("dark", DARK),
    ("light", LIGHT),
    ("high-contrast", HIGH_CONTRAST),
    ("color-blind", COLOR_BLIND),
];

/// A color for every color depth of terminals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ink {
    pub full: Color,
    /// The nearest of 256 colors.
    pub indexed: Color,
    /// One of 16 colors; `None` to use the terminal's default.
    pub basic: Option<Color>,
}

/// The colors for one kind of background.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colors {
    pub accent: Ink,
    pub good: Ink,
    pub warn: Ink,
    pub bad: Ink,
    pub dim: Ink,
    pub cursor: (Ink, Ink),
    pub cursor_elsewhere: Ink,
    pub chip: (Ink, Ink),
}

/// The colors for both kinds of background.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThemeColors {
    pub dark: Colors,
    pub light: Colors,
}

impl ThemeColors {
    /// Loads a theme by built-in name or path; `None` or `auto` loads the built-in colors for
    /// either background.
    pub fn load(choice: Option<&str>) -> Result<Self> {
        let read = |name: &str, text: &str| {
            let file: ThemeFile = toml::from_str(text).map_err(|error| {
                let error = with_short_quotes(&error);
                Error::new(ErrorKind::Usage, format!("the theme {name}: {error}"))
                    .with_hint("`labeler-tui show theme dark` prints an example")
            })?;
            Ok(file)
        };
        let named = |name: &str| BUILT_IN_THEMES.iter().find(|(known, _)| *known == name);
        let name = match choice {
            None | Some("auto") => {
                let (dark, light) = (read("dark", DARK)?, read("light", LIGHT)?);
                let file = ThemeFile {
                    dark: dark.dark,
                    light: light.light,
                };
                return file.palette("auto");
            }
            Some(name) => name,
        };
        if let Some((_, text)) = named(name) {
            return read(name, text)?.palette(name);
        }
        let path = Path::new(name);
        if !path.exists() && !name.contains(['/', '.']) {
            let names: Vec<&str> = BUILT_IN_THEMES.iter().map(|(name, _)| *name).collect();
            let cause = format!("there is no theme `{name}`");
            return Err(Error::new(ErrorKind::Usage, cause).with_hint(format!(
                "--theme takes auto, {} or the path of a file",
                names.join(", ")
            )));
        }
        let action = format!("cannot read the theme {}", path.display());
        let text = crate::text::read_text(path).map_err(unreadable(ErrorKind::Usage, action))?;
        read(name, &text)?.palette(name)
    }
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct ThemeFile {
    dark: Option<ThemeTable>,
    light: Option<ThemeTable>,
}

impl ThemeFile {
    fn palette(self, name: &str) -> Result<ThemeColors> {
        let (Some(dark), Some(light)) = (self.dark.or(self.light), self.light.or(self.dark)) else {
            let cause = format!("the theme {name} has neither a table [dark] nor a table [light]");
            return Err(Error::new(ErrorKind::Usage, cause));
        };
        Ok(ThemeColors {
            dark: dark.colors(),
            light: light.colors(),
        })
    }
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct ThemeTable {
    accent: ThemeColor,
    good: ThemeColor,
    warn: ThemeColor,
    bad: ThemeColor,
    dim: ThemeColor,
    cursor: ThemePair,
    cursor_elsewhere: ThemeColor,
    chip: ThemePair,
}

impl ThemeTable {
    fn colors(&self) -> Colors {
        Colors {
            accent: self.accent.0,
            good: self.good.0,
            warn: self.warn.0,
            bad: self.bad.0,
            dim: self.dim.0,
            cursor: (self.cursor.back.0, self.cursor.text.0),
            cursor_elsewhere: self.cursor_elsewhere.0,
            chip: (self.chip.back.0, self.chip.text.0),
        }
    }
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct ThemePair {
    back: ThemeColor,
    text: ThemeColor,
}

/// `"#rrggbb"`, or a pair of that and the name of a basic color.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(try_from = "RawThemeColor")]
struct ThemeColor(Ink);

#[derive(Deserialize)]
#[serde(untagged)]
enum RawThemeColor {
    Full(String),
    Both(String, String),
}

impl TryFrom<RawThemeColor> for ThemeColor {
    type Error = String;

    fn try_from(raw: RawThemeColor) -> Result<Self, String> {
        let (full, basic) = match raw {
            RawThemeColor::Full(full) => (full, None),
            RawThemeColor::Both(full, basic) => (full, Some(basic)),
        };
        let rgb = rgb(&full).ok_or_else(|| format!("`{full}` is not a color such as #5fd7d7"))?;
        let basic = basic.map(|name| basic_color(&name)).transpose()?;
        let [r, g, b] = rgb;
        Ok(Self(Ink {
            full: Color::Rgb(r, g, b),
            indexed: Color::Indexed(nearest_of_256(rgb)),
            basic,
        }))
    }
}

fn rgb(text: &str) -> Option<[u8; 3]> {
    let digits = text.strip_prefix('#')?;
    if digits.len() != 6 || !digits.is_ascii() {
        return None;
    }
    let part = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
    Some([part(0)?, part(2)?, part(4)?])
}

/// A basic color by name. Bright colors are excluded, because some terminals show them as their
/// background.
fn basic_color(name: &str) -> Result<Color, String> {
    Ok(match name {
        "black" => Color::Black,
        "red" => Color::Red,
        "green" => Color::Green,
        "yellow" => Color::Yellow,
        "blue" => Color::Blue,
        "magenta" => Color::Magenta,
        "cyan" => Color::Cyan,
        "white" => Color::Gray,
        _ => {
            return Err(format!(
                "`{name}` is not one of black, red, green, yellow, blue, magenta, cyan, white"
            ));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn built_in_themes_can_be_loaded() {
        for (name, _) in BUILT_IN_THEMES {
            ThemeColors::load(Some(name)).unwrap();
        }
        let auto = ThemeColors::load(None).unwrap();
        assert_eq!(auto.dark, ThemeColors::load(Some("dark")).unwrap().dark);
        assert_eq!(auto.light, ThemeColors::load(Some("light")).unwrap().light);
        // A theme with only one table uses it on both backgrounds.
        let dark = ThemeColors::load(Some("dark")).unwrap();
        assert_eq!(dark.dark, dark.light);
    }

    fn luminance([r, g, b]: [u8; 3]) -> f64 {
        let linear = |value: u8| {
            let value = f64::from(value) / 255.0;
            if value <= 0.04045 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        };
        0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b)
    }

    fn contrast(a: f64, b: f64) -> f64 {
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// Uses the colors of xterm.
    #[test]
    fn every_theme_has_enough_contrast_in_16_colors() {
        for (name, _) in BUILT_IN_THEMES {
            let palette = ThemeColors::load(Some(name)).unwrap();
            for (colors, ground) in [(palette.dark, 0.0), (palette.light, 1.0)] {
                if palette.dark == palette.light && (ground == 1.0) != (*name == "light") {
                    continue;
                }
                for ink in [colors.accent, colors.good, colors.warn, colors.bad] {
                    let shown = match ink.basic.unwrap() {
                        Color::Black => [0, 0, 0],
                        Color::Red => [205, 0, 0],
                        Color::Green => [0, 205, 0],
                        Color::Yellow => [205, 205, 0],
                        Color::Blue => [0, 0, 238],
                        Color::Magenta => [205, 0, 205],
                        Color::Cyan => [0, 205, 205],
                        _ => [229, 229, 229],
                    };
                    let found = contrast(luminance(shown), ground);
                    assert!(found >= 3.0, "{name}: {:?} has {found}", ink.basic);
                }
            }
        }
    }

    #[test]
    fn the_high_contrast_theme_has_high_contrast() {
        let luminance = |ink: Ink| match ink.full {
            Color::Rgb(r, g, b) => luminance([r, g, b]),
            other => panic!("{other}"),
        };
        let palette = ThemeColors::load(Some("high-contrast")).unwrap();
        for (colors, ground) in [(palette.dark, 0.0), (palette.light, 1.0)] {
            for ink in [
                colors.accent,
                colors.good,
                colors.warn,
                colors.bad,
                colors.dim,
            ] {
                let found = contrast(luminance(ink), ground);
                assert!(found >= 7.0, "{ink:?}: {found}");
            }
            for (back, text) in [colors.cursor, colors.chip] {
                assert!(contrast(luminance(back), luminance(text)) >= 7.0);
            }
        }
    }

    #[test]
    fn mistakes_in_a_file_are_reported() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("mine.toml");
        let cause = |text: &str| {
            std::fs::write(&file, text).unwrap();
            ThemeColors::load(file.to_str()).unwrap_err().cause
        };
        assert!(cause("").contains("neither a table [dark] nor a table [light]"));
        assert!(cause("[dusk]\n").contains("dusk"));
        let wrong = DARK.replace("#8a8a8a", "gray");
        assert!(cause(&wrong).contains("`gray` is not a color such as #5fd7d7"));
        let wrong = DARK.replace("\"red\"", "\"bright red\"");
        assert!(cause(&wrong).contains("`bright red` is not one of"));
        let error = ThemeColors::load(Some("dusk")).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Usage);
        assert!(error.hint.unwrap().contains("high-contrast"));
    }
}

//! Finds the terminal color that is nearest to an RGB color.

use crate::record::to_oklab;
use ratatui::style::Color;
use std::sync::LazyLock;

/// The 16 colors as most terminals show them, without bright black, which some show as their
/// background.
const BASIC: [(Color, [u8; 3]); 15] = [
    (Color::Black, [0, 0, 0]),
    (Color::Red, [205, 0, 0]),
    (Color::Green, [0, 205, 0]),
    (Color::Yellow, [205, 205, 0]),
    (Color::Blue, [0, 0, 238]),
    (Color::Magenta, [205, 0, 205]),
    (Color::Cyan, [0, 205, 205]),
    (Color::Gray, [229, 229, 229]),
    (Color::LightRed, [255, 0, 0]),
    (Color::LightGreen, [0, 255, 0]),
    (Color::LightYellow, [255, 255, 0]),
    (Color::LightBlue, [92, 92, 255]),
    (Color::LightMagenta, [255, 0, 255]),
    (Color::LightCyan, [0, 255, 255]),
    (Color::White, [255, 255, 255]),
];

pub fn nearest_of_16(rgb: [u8; 3]) -> Color {
    let distance = |basic: &[u8; 3]| -> u32 {
        let channels = rgb.iter().zip(basic);
        channels
            .map(|(a, b)| u32::from(a.abs_diff(*b)).pow(2))
            .sum()
    };
    let nearest = BASIC.iter().min_by_key(|(_, basic)| distance(basic));
    nearest.map_or(Color::Reset, |(basic, _)| *basic)
}

/// The nearest color of the 6x6x6 cube or the gray ramp. Hue counts more than lightness, so that a
/// swatch of dark green does not turn gray.
pub fn nearest_of_256(rgb: [u8; 3]) -> u8 {
    const LIGHTNESS_WEIGHT: f32 = 0.3;
    static CANDIDATES: LazyLock<Vec<(u8, [f32; 3])>> = LazyLock::new(|| {
        let candidate = |index| (index, to_oklab(rgb_of_256(index)));
        (16..=255).map(candidate).collect()
    });
    let wanted = to_oklab(rgb);
    let distance = |(_, candidate): &&(u8, [f32; 3])| -> f32 {
        let [l, a, b] = [0, 1, 2].map(|at| candidate[at] - wanted[at]);
        (l * LIGHTNESS_WEIGHT).powi(2) + a * a + b * b
    };
    let candidates = CANDIDATES.iter();
    let nearest = candidates.min_by(|a, b| distance(a).total_cmp(&distance(b)));
    nearest.map_or(16, |(index, _)| *index)
}

fn rgb_of_256(index: u8) -> [u8; 3] {
    const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    if index >= 232 {
        return [8 + (index - 232) * 10; 3];
    }
    let cube = usize::from(index.saturating_sub(16));
    [cube / 36, cube / 6 % 6, cube % 6].map(|level| LEVELS[level])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_of_the_16_is_nearest_to_itself() {
        for (basic, rgb) in BASIC {
            assert_eq!(nearest_of_16(rgb), basic);
        }
    }

    #[test]
    fn each_of_the_256_is_nearest_to_itself() {
        for index in 16..=255 {
            let rgb = rgb_of_256(index);
            assert_eq!(rgb_of_256(nearest_of_256(rgb)), rgb);
        }
        let [r, g, b] = rgb_of_256(nearest_of_256([77, 107, 60]));
        assert!(g > r && g > b, "a dark green became {r} {g} {b}");
    }
}

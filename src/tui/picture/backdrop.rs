//! Backdrops behind the transparent pixels of an icon on the screen.

use crate::icon::Icon;
use crate::wording::Words;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Backdrop {
    White,
    Black,
    Checker,
}

/// The operator's choice of backdrop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum BackdropChoice {
    /// The backdrop with enough contrast to the edge of the icon.
    #[default]
    Contrast,
    Always(Backdrop),
}

impl BackdropChoice {
    pub fn next(self) -> Self {
        match self {
            Self::Contrast => Self::Always(Backdrop::White),
            Self::Always(Backdrop::White) => Self::Always(Backdrop::Black),
            Self::Always(Backdrop::Black) => Self::Always(Backdrop::Checker),
            Self::Always(Backdrop::Checker) => Self::Contrast,
        }
    }

    pub fn name(self, words: Words) -> &'static str {
        match self {
            Self::Contrast => words.on_contrast(),
            Self::Always(backdrop) => backdrop.name(words),
        }
    }

    pub fn for_icon(self, icon: &Icon) -> Backdrop {
        match self {
            Self::Contrast => by_contrast(icon),
            Self::Always(backdrop) => backdrop,
        }
    }
}

impl Backdrop {
    pub fn name(self, words: Words) -> &'static str {
        match self {
            Self::White => words.on_white(),
            Self::Black => words.on_black(),
            Self::Checker => words.on_checkerboard(),
        }
    }

    /// Brightness at a pixel; `square` is the size of a checkerboard square in pixels.
    pub fn brightness(self, x: u32, y: u32, square: u32) -> u8 {
        match self {
            Self::White => 255,
            Self::Black => 0,
            Self::Checker if (x / square + y / square).is_multiple_of(2) => 160,
            Self::Checker => 96,
        }
    }
}

/// Least contrast ratio, as defined by WCAG, at which a pixel stands out.
const MIN_CONTRAST: f32 = 1.6;
/// Share of the edge pixels that must stand out. White is preferred: by default the model sees
/// icons on white.
const MIN_EDGE_SHARE: f32 = 0.7;

/// White if enough of the icon's edge stands out from it, else black, else the checkerboard for
/// edges that are both pale and dark.
fn by_contrast(icon: &Icon) -> Backdrop {
    let edge = edge(icon);
    if edge.is_empty() {
        return Backdrop::White;
    }
    let share = |ground: f32| {
        let contrast = |pixel: f32| {
            let (bright, dark) = (pixel.max(ground), pixel.min(ground));
            (bright + 0.05) / (dark + 0.05)
        };
        let out = edge
            .iter()
            .filter(|pixel| contrast(**pixel) >= MIN_CONTRAST);
        out.count() as f32 / edge.len() as f32
    };
    let (white, black) = (share(1.0), share(0.0));
    match (white, black) {
        _ if white >= MIN_EDGE_SHARE || white >= black && white > 0.5 => Backdrop::White,
        _ if black >= MIN_EDGE_SHARE => Backdrop::Black,
        _ => Backdrop::Checker,
    }
}

/// Luminances, 0 to 1, of the opaque pixels next to transparent ones.
fn edge(icon: &Icon) -> Vec<f32> {
    let (width, height) = (icon.width as usize, icon.height as usize);
    let pixels = icon.rgba.as_chunks::<4>().0;
    let opaque = |x: usize, y: usize| {
        pixels
            .get(y * width + x)
            .is_some_and(|pixel| pixel[3] >= 128)
    };
    let mut edge = Vec::new();
    for y in 0..height {
        for x in 0..width {
            if !opaque(x, y) {
                continue;
            }
            let beside = [
                (x > 0).then(|| (x - 1, y)),
                (y > 0).then(|| (x, y - 1)),
                (x + 1 < width).then_some((x + 1, y)),
                (y + 1 < height).then_some((x, y + 1)),
            ];
            let mut beside = beside.into_iter().flatten();
            if beside.any(|(x, y)| !opaque(x, y)) {
                let [r, g, b, _] = pixels[y * width + x];
                edge.push(0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b));
            }
        }
    }
    edge
}

fn linear(value: u8) -> f32 {
    let value = f32::from(value) / 255.0;
    match value <= 0.04045 {
        true => value / 12.92,
        false => ((value + 0.055) / 1.055).powf(2.4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A square with a left and a right color, surrounded by transparent pixels.
    fn icon(left: [u8; 3], right: [u8; 3]) -> Icon {
        let mut rgba = Vec::new();
        for y in 0..8 {
            for x in 0..8 {
                let [r, g, b] = if x < 4 { left } else { right };
                let inside = (2..6).contains(&x) && (2..6).contains(&y);
                rgba.extend([r, g, b, if inside { 255 } else { 0 }]);
            }
        }
        Icon {
            width: 8,
            height: 8,
            rgba,
        }
    }

    #[test]
    fn the_backdrop_contrasts_with_the_edge_of_the_icon() {
        let of = |left, right| BackdropChoice::Contrast.for_icon(&icon(left, right));
        assert_eq!(of([20; 3], [20; 3]), Backdrop::White);
        assert_eq!(of([200, 30, 30], [200, 30, 30]), Backdrop::White);
        assert_eq!(of([250, 250, 240], [255; 3]), Backdrop::Black);
        assert_eq!(of([250; 3], [5; 3]), Backdrop::Checker);
        // No pixel is transparent.
        let opaque = Icon {
            width: 1,
            height: 1,
            rgba: vec![255; 4],
        };
        assert_eq!(BackdropChoice::Contrast.for_icon(&opaque), Backdrop::White);
        // The operator's choice overrides the contrast.
        let always = BackdropChoice::Always(Backdrop::White);
        assert_eq!(always.for_icon(&icon([255; 3], [255; 3])), Backdrop::White);
    }
}

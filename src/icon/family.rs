//! Recolor families: icons that are the same drawing in different colors.

use super::Icon;
use sha2::{Digest, Sha256};

/// Pixels at least this opaque belong to the drawing.
const OPAQUE: u8 = 128;
/// A drawing that fills more of its bounding box is a plate, a card or a photo, whose outline does
/// not identify it.
const MAX_FILL: f32 = 0.92;
/// Minimum correlation between the edges of two icons of the same drawing.
const MIN_CORRELATION: f32 = 0.7;
/// The same for two plates: only copies and recolors, since plates may share a frame.
const MIN_PLATE_CORRELATION: f32 = 0.95;
/// Safety margin for the rounding of `f32`.
const ROUNDING_MARGIN: f32 = 0.999;
/// Smaller edges, in 8-bit color steps, are rounding errors in a flat icon.
const MIN_STEP: f32 = 1e-3;

/// An icon without its colors: its outline and the edges inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawing {
    /// SHA-256 of width, height and the alpha channel.
    pub outline: [u8; 32],
    pub edges: Edges,
    /// Whether it fills its bounding box.
    pub is_plate: bool,
}

/// Strength of the color change at each opaque pixel, row by row, minus the mean and scaled so that
/// the largest magnitude is 127. All zero for a flat icon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edges {
    values: Box<[i8]>,
    /// Sum of the squared values.
    squared: i64,
    /// Sum of the squared values in the second half.
    squared_rest: i64,
}

impl Drawing {
    /// Extracts the drawing of an icon; `None` if it is empty or a plate.
    pub fn of(icon: &Icon) -> Option<Self> {
        Self::of_any(icon).filter(|drawing| !drawing.is_plate)
    }

    /// Extracts the drawing of an icon; `None` if it is empty.
    pub fn of_any(icon: &Icon) -> Option<Self> {
        let (width, height) = (icon.width as usize, icon.height as usize);
        let pixels = icon.rgba.as_chunks::<4>().0;
        let opaque = |x: usize, y: usize| pixels[y * width + x][3] >= OPAQUE;
        let mut count = 0_usize;
        let (mut left, mut right, mut top, mut bottom) = (width, 0, height, 0);
        for y in 0..height {
            for x in (0..width).filter(|x| opaque(*x, y)) {
                count += 1;
                (left, right) = (left.min(x), right.max(x + 1));
                (top, bottom) = (top.min(y), bottom.max(y + 1));
            }
        }
        let area = right.saturating_sub(left) * bottom.saturating_sub(top);
        if count == 0 {
            return None;
        }
        let mut steps = Vec::with_capacity(count);
        for y in 0..height {
            for x in (0..width).filter(|x| opaque(*x, y)) {
                let here = pixels[y * width + x];
                // Transparent neighbors have no color, so they make no edge.
                let next = |x: usize, y: usize| match x < width && y < height && opaque(x, y) {
                    true => pixels[y * width + x],
                    false => here,
                };
                let squared = difference(here, next(x + 1, y)) + difference(here, next(x, y + 1));
                steps.push(squared.sqrt());
            }
        }
        let mut outline = Sha256::new();
        outline.update(icon.width.to_le_bytes());
        outline.update(icon.height.to_le_bytes());
        for pixel in pixels {
            outline.update([pixel[3]]);
        }
        Some(Self {
            outline: outline.finalize().into(),
            edges: edges(&steps),
            is_plate: count as f32 >= MAX_FILL * area as f32,
        })
    }

    /// Whether `other` is the same drawing, whatever its colors.
    pub fn is_same(&self, other: &Self) -> bool {
        let min = match self.is_plate {
            true => MIN_PLATE_CORRELATION,
            false => MIN_CORRELATION,
        };
        self.outline == other.outline && self.edges.correlate(&other.edges, min)
    }
}

impl Edges {
    pub fn new(values: Box<[i8]>) -> Self {
        let (first, rest) = values.split_at(values.len() / 2);
        let squared_rest = product(rest, rest);
        Self {
            squared: product(first, first) + squared_rest,
            squared_rest,
            values,
        }
    }

    pub fn values(&self) -> &[i8] {
        &self.values
    }

    /// Whether two drawings with the same outline have the same edges.
    pub fn are_same(&self, other: &Self) -> bool {
        self.correlate(other, MIN_CORRELATION)
    }

    /// Whether the correlation with other edges is at least `min`.
    fn correlate(&self, other: &Self, min: f32) -> bool {
        if self.values.len() != other.values.len() {
            return false;
        }
        if self.squared == 0 || other.squared == 0 {
            return self.squared == other.squared;
        }
        let threshold = min * (self.squared as f32 * other.squared as f32).sqrt();
        let half = self.values.len() / 2;
        let (first, rest) = self.values.split_at(half);
        let (other_first, other_rest) = other.values.split_at(half);
        let first = product(first, other_first);
        // Upper bound of the second half's product (Cauchy-Schwarz). It rules out most pairs early.
        let bound = (self.squared_rest as f32 * other.squared_rest as f32).sqrt();
        if first as f32 + bound < threshold * ROUNDING_MARGIN {
            return false;
        }
        (first + product(rest, other_rest)) as f32 >= threshold
    }
}

/// Squared distance of two RGB colors.
fn difference(a: [u8; 4], b: [u8; 4]) -> f32 {
    (0..3)
        .map(|at| (f32::from(a[at]) - f32::from(b[at])).powi(2))
        .sum()
}

fn edges(steps: &[f32]) -> Edges {
    let mean = steps.iter().sum::<f32>() / steps.len() as f32;
    let largest = steps
        .iter()
        .map(|step| (step - mean).abs())
        .fold(0.0, f32::max);
    let scale = match largest > MIN_STEP {
        true => f32::from(i8::MAX) / largest,
        false => 0.0,
    };
    let values = steps
        .iter()
        .map(|step| ((step - mean) * scale).round() as i8);
    Edges::new(values.collect())
}

/// Dot product.
fn product(a: &[i8], b: &[i8]) -> i64 {
    // Sums of this many products fit into 32 bits.
    const BLOCK: usize = 1 << 16;
    let blocks = a.chunks(BLOCK).zip(b.chunks(BLOCK));
    blocks
        .map(|(a, b)| {
            let products = a.iter().zip(b).map(|(a, b)| i32::from(*a) * i32::from(*b));
            i64::from(products.sum::<i32>())
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    /// A 16x16 icon: a disk with a bar across it, drawn in two colors.
    fn badge(disk: [u8; 3], bar: [u8; 3], bar_row: u32) -> Icon {
        let rgba = (0..16 * 16)
            .flat_map(|at: u32| {
                let (x, y) = (at % 16, at / 16);
                let inside = (x as i32 * 2 - 15).pow(2) + (y as i32 * 2 - 15).pow(2) <= 225;
                let [r, g, b] = if y / 2 == bar_row { bar } else { disk };
                if inside { [r, g, b, 255] } else { [0; 4] }
            })
            .collect();
        Icon {
            width: 16,
            height: 16,
            rgba,
        }
    }

    fn same(a: &Icon, b: &Icon) -> bool {
        let [a, b] = [a, b].map(|icon| Drawing::of(icon).unwrap());
        assert_eq!(a.is_same(&b), b.is_same(&a));
        a.is_same(&b)
    }

    #[test]
    fn a_recolored_icon_is_the_same_drawing() {
        let red = badge([200, 30, 30], [90, 10, 10], 3);
        for recolored in [
            badge([30, 30, 200], [10, 10, 90], 3),
            badge([240, 240, 240], [120, 120, 120], 3),
            // Light and dark swapped.
            badge([90, 10, 10], [240, 220, 40], 3),
        ] {
            assert!(same(&red, &recolored));
        }
        let elsewhere = badge([200, 30, 30], [90, 10, 10], 6);
        assert!(!same(&red, &elsewhere));
    }

    #[test]
    fn the_early_exit_agrees_with_a_full_comparison() {
        let mut random = StdRng::seed_from_u64(3);
        let mut seen = [0; 2];
        for _ in 0..20_000 {
            let length = random.random_range(1..40);
            let values = |random: &mut StdRng| (0..length).map(|_| random.random()).collect();
            let a: Box<[i8]> = values(&mut random);
            let noise: Box<[i8]> = values(&mut random);
            // From equal to unrelated, so that pairs fall on both sides of the threshold.
            let share = random.random_range(0.0..2.0_f32);
            let mixed = a.iter().zip(&noise).map(|(a, noise)| {
                ((f32::from(*a) + share * f32::from(*noise)) / (1.0 + share)) as i8
            });
            let b: Box<[i8]> = mixed.collect();
            let product = |a: &[i8], b: &[i8]| -> i64 {
                let products = a.iter().zip(b).map(|(a, b)| i64::from(*a) * i64::from(*b));
                products.sum()
            };
            let lengths = product(&a, &a) as f32 * product(&b, &b) as f32;
            let expected = match lengths == 0.0 {
                true => product(&a, &a) == product(&b, &b),
                false => product(&a, &b) as f32 >= MIN_CORRELATION * lengths.sqrt(),
            };
            assert_eq!(Edges::new(a).are_same(&Edges::new(b)), expected);
            seen[usize::from(expected)] += 1;
        }
        assert!(seen.iter().all(|count| *count > 4000), "{seen:?}");
    }

    #[test]
    fn different_outlines_are_different_drawings() {
        let whole = badge([200, 30, 30], [90, 10, 10], 3);
        let mut cut = whole.clone();
        cut.rgba[(8 * 16 + 8) * 4 + 3] = 0;
        assert!(!same(&whole, &cut));
    }

    #[test]
    fn flat_silhouettes_match_each_other_but_no_detailed_drawing() {
        let flat = |color| badge(color, color, 0);
        assert!(same(&flat([200, 30, 30]), &flat([30, 30, 200])));
        let drawn = badge([30, 30, 200], [10, 10, 90], 3);
        assert!(!same(&flat([30, 30, 200]), &drawn));
    }

    #[test]
    fn full_rectangles_and_empty_icons_have_no_drawing() {
        let plate = |alpha| Icon {
            width: 4,
            height: 4,
            rgba: [200, 30, 30, alpha].repeat(16),
        };
        assert_eq!(Drawing::of(&plate(255)), None);
        assert_eq!(Drawing::of(&plate(0)), None);
    }

    #[test]
    fn a_plate_is_the_same_as_its_recolor() {
        let plate = |color: [u8; 3], line: usize| {
            let pixel = |at: usize| match at % 8 == line {
                true => [color[0], color[1], color[2], 255],
                false => [255; 4],
            };
            let icon = Icon {
                width: 8,
                height: 8,
                rgba: (0..64).flat_map(pixel).collect(),
            };
            let drawing = Drawing::of_any(&icon).unwrap();
            assert!(drawing.is_plate);
            drawing
        };
        let red = plate([200, 30, 30], 3);
        assert!(red.is_same(&plate([30, 30, 200], 3)));
        assert!(!red.is_same(&plate([200, 30, 30], 5)));
    }
}

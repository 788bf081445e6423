//! Families: icons that are the same drawing in other colors.

use super::Icon;
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// Pixels at least this opaque belong to the drawing.
const OPAQUE: u8 = 128;
/// A drawing that fills more of its bounding box is a plate, a card or a photo: its outline says
/// nothing about what is on it.
const MOST_FILLED: f32 = 0.92;
/// The least correlation of the edges of two icons of one drawing.
const LEAST_CORRELATION: f32 = 0.7;

/// What tells whether two icons are the same drawing: their outline and where their edges are.
#[derive(Debug, Clone, PartialEq)]
pub struct Drawing {
    /// SHA-256 of width, height and the alpha channel.
    outline: [u8; 32],
    /// Length of the RGB gradient at each opaque pixel, with mean 0 and norm 1; all 0 where
    /// the icon is of one flat color.
    edges: Vec<f32>,
}

impl Drawing {
    /// The drawing of an icon; `None` for one that is empty or fills its bounding box.
    pub fn of(icon: &Icon) -> Option<Self> {
        let (width, height) = (icon.width as usize, icon.height as usize);
        let pixels = icon.rgba.as_chunks::<4>().0;
        let opaque = |x: usize, y: usize| pixels[y * width + x][3] >= OPAQUE;
        let mut count = 0_usize;
        let (mut left, mut right, mut top, mut bottom) = (width, 0, height, 0);
        for y in 0..height {
            for x in 0..width {
                if opaque(x, y) {
                    count += 1;
                    (left, right) = (left.min(x), right.max(x + 1));
                    (top, bottom) = (top.min(y), bottom.max(y + 1));
                }
            }
        }
        let area = right.saturating_sub(left) * bottom.saturating_sub(top);
        if count == 0 || count as f32 >= MOST_FILLED * area as f32 {
            return None;
        }
        let mut edges = Vec::with_capacity(count);
        for y in 0..height {
            for x in 0..width {
                if opaque(x, y) {
                    let here = pixels[y * width + x];
                    // Beside the drawing there is no color to step to.
                    let next = |x: usize, y: usize| {
                        if x < width && y < height && opaque(x, y) {
                            pixels[y * width + x]
                        } else {
                            here
                        }
                    };
                    edges.push(difference(here, next(x + 1, y)) + difference(here, next(x, y + 1)));
                }
            }
        }
        normalize(&mut edges);
        let mut outline = Sha256::new();
        outline.update(icon.width.to_le_bytes());
        outline.update(icon.height.to_le_bytes());
        for pixel in pixels {
            outline.update([pixel[3]]);
        }
        Some(Self {
            outline: outline.finalize().into(),
            edges,
        })
    }

    /// Whether `other` is the same drawing, whatever its colors.
    pub fn is_same(&self, other: &Self) -> bool {
        if self.outline != other.outline {
            return false;
        }
        let flat = |edges: &[f32]| edges.iter().all(|edge| *edge == 0.0);
        let correlation: f32 = self
            .edges
            .iter()
            .zip(&other.edges)
            .map(|(a, b)| a * b)
            .sum();
        correlation >= LEAST_CORRELATION || (flat(&self.edges) && flat(&other.edges))
    }
}

/// The squared length of the step from one RGB color to another.
fn difference(a: [u8; 4], b: [u8; 4]) -> f32 {
    (0..3)
        .map(|at| (f32::from(a[at]) - f32::from(b[at])).powi(2))
        .sum()
}

/// From squared lengths to lengths with mean 0 and norm 1.
fn normalize(edges: &mut [f32]) {
    for edge in edges.iter_mut() {
        *edge = edge.sqrt();
    }
    let mean = edges.iter().sum::<f32>() / edges.len() as f32;
    for edge in edges.iter_mut() {
        *edge -= mean;
    }
    let norm = edges.iter().map(|edge| edge * edge).sum::<f32>().sqrt();
    // What rounding leaves of a flat icon is no edge.
    let scale = if norm > 1e-3 { 1.0 / norm } else { 0.0 };
    for edge in edges.iter_mut() {
        *edge *= scale;
    }
}

/// Groups drawings into families by single linkage: each is the same drawing as at least one
/// other of its family. Families of at least two, as places in `drawings`, in order of their
/// first members.
pub fn families(drawings: &[Option<Drawing>]) -> Vec<Vec<usize>> {
    let mut by_outline: HashMap<[u8; 32], Vec<usize>> = HashMap::new();
    for (place, drawing) in drawings.iter().enumerate() {
        if let Some(drawing) = drawing {
            by_outline.entry(drawing.outline).or_default().push(place);
        }
    }
    let mut found = Vec::new();
    for mut left in by_outline.into_values() {
        while let Some(first) = (!left.is_empty()).then(|| left.remove(0)) {
            let mut family = vec![first];
            let mut next = 0;
            while let Some(&member) = family.get(next) {
                next += 1;
                left.retain(|&other| {
                    let (a, b) = (&drawings[member], &drawings[other]);
                    let same = a
                        .as_ref()
                        .zip(b.as_ref())
                        .is_some_and(|(a, b)| a.is_same(b));
                    if same {
                        family.push(other);
                    }
                    !same
                });
            }
            if family.len() > 1 {
                family.sort_unstable();
                found.push(family);
            }
        }
    }
    found.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A 16x16 icon: a disk with a darker bar, drawn in two colors.
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

    fn drawings(icons: &[Icon]) -> Vec<Option<Drawing>> {
        icons.iter().map(Drawing::of).collect()
    }

    #[test]
    fn one_drawing_in_three_colors_is_a_family() {
        let icons = [
            badge([200, 30, 30], [90, 10, 10], 3),
            badge([10, 10, 200], [5, 5, 60], 6),
            badge([30, 30, 200], [10, 10, 90], 3),
            badge([240, 240, 240], [120, 120, 120], 3),
        ];
        assert_eq!(families(&drawings(&icons)), [vec![0, 2, 3]]);
    }

    #[test]
    fn another_outline_is_another_drawing() {
        let mut cut = badge([200, 30, 30], [90, 10, 10], 3);
        cut.rgba[(8 * 16 + 8) * 4 + 3] = 0;
        let icons = [badge([10, 10, 200], [5, 5, 60], 3), cut];
        assert_eq!(families(&drawings(&icons)), Vec::<Vec<usize>>::new());
    }

    #[test]
    fn flat_silhouettes_are_one_drawing_and_unlike_a_drawn_one() {
        let icons = [
            badge([200, 30, 30], [200, 30, 30], 0),
            badge([30, 30, 200], [30, 30, 200], 0),
            badge([30, 30, 200], [10, 10, 90], 3),
        ];
        assert_eq!(families(&drawings(&icons)), [vec![0, 1]]);
    }

    #[test]
    fn plates_and_empty_icons_have_no_drawing() {
        let plate = |alpha| Icon {
            width: 4,
            height: 4,
            rgba: [200, 30, 30, alpha].repeat(16),
        };
        assert_eq!(Drawing::of(&plate(255)), None);
        assert_eq!(Drawing::of(&plate(0)), None);
    }
}

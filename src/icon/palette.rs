//! Clusters the colors of an icon's opaque pixels in a perceptual color space (OKLab).

use super::Icon;
use crate::record::ColorHistogram;
use oklab::{Oklab, Rgb, oklab_to_srgb, srgb_to_oklab};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Pixels at least this opaque count as visible.
const OPAQUE: u8 = 128;
/// Pixels with less alpha are nearly invisible; those with more are nearly opaque.
const TRANSLUCENT: std::ops::RangeInclusive<u8> = 16..=230;
/// Edge length of a bin in OKLab. Two colors in one bin look the same at icon size.
const BIN: f32 = 0.04;
/// Bins kept. Further bins of a colorful image are merged into their nearest kept bins.
const MAX_BINS: usize = 256;
/// Bins closer than this to a swatch belong to it.
const SWATCH_RADIUS: f32 = 0.13;
const MAX_SWATCHES: usize = 6;
/// Smaller swatches are omitted.
const MIN_SHARE: f32 = 0.02;
/// OKLab lightness below which a pixel may belong to a dark outline.
const OUTLINE: f32 = 0.30;
/// OKLab lightness below which a color counts for `dark_core`.
const DARK: f32 = 0.45;

/// A dominant color and its share of the opaque pixels (0-1).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Swatch {
    pub rgb: [u8; 3],
    pub share: f32,
}

/// The colors of an icon: a few swatches for people, a histogram for the rules.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Palette {
    pub opaque: u32,
    pub total: u32,
    /// Largest share first, at most six.
    pub swatches: Vec<Swatch>,
    pub histogram: ColorHistogram,
}

/// Computes the palette of an icon without its outline: pixel art is outlined in black, which nobody
/// counts among its colors. An icon that is all outline keeps it.
pub fn palette(icon: &Icon) -> Palette {
    let grid = PixelGrid::of(icon);
    let mut bins = grid.bins(PixelGrid::is_inner);
    if bins.is_empty() {
        bins = grid.bins(PixelGrid::is_opaque);
    }
    let mut dark = grid.bins(PixelGrid::is_core);
    let pixels = |bins: &[Bin]| bins.iter().map(|bin| bin.count).sum::<u32>();
    let (counted, core) = (pixels(&bins), pixels(&dark));
    dark.retain(|bin| bin.center()[0] < DARK);
    let opaque = grid.pixels.iter().filter(|[.., a]| *a >= OPAQUE).count() as u32;
    let share = |count: u32| count as f32 / counted as f32;
    let alphas = || grid.pixels.iter().map(|[.., alpha]| *alpha);
    let visible = alphas()
        .filter(|alpha| alpha >= TRANSLUCENT.start())
        .count();
    let translucent = alphas().filter(|alpha| TRANSLUCENT.contains(alpha)).count();
    Palette {
        opaque,
        total: icon.width * icon.height,
        swatches: swatches(&bins)
            .into_iter()
            .map(|swatch| Swatch {
                rgb: swatch.rgb(),
                share: share(swatch.count),
            })
            .filter(|swatch| swatch.share >= MIN_SHARE)
            .collect(),
        histogram: ColorHistogram {
            opaque,
            bins: bins
                .iter()
                .map(|bin| (bin.center(), share(bin.count)))
                .collect(),
            dark_core: dark
                .iter()
                .map(|bin| (bin.center(), bin.count as f32 / core as f32))
                .collect(),
            translucent: translucent as f32 / visible.max(1) as f32,
        },
    }
}

/// An icon's pixels, with the part of the icon that each belongs to.
pub(super) struct PixelGrid<'a> {
    width: usize,
    pub(super) pixels: &'a [[u8; 4]],
    dark: Vec<bool>,
}

impl<'a> PixelGrid<'a> {
    pub(super) fn of(icon: &'a Icon) -> Self {
        let pixels = icon.rgba.as_chunks::<4>().0;
        let dark = pixels
            .iter()
            .map(|&[r, g, b, a]| a >= OPAQUE && srgb_to_oklab(Rgb { r, g, b }).l < OUTLINE)
            .collect();
        Self {
            width: icon.width as usize,
            pixels,
            dark,
        }
    }

    /// Index of the pixel at an offset; `None` outside of the icon.
    fn step(&self, at: usize, dx: isize, dy: isize) -> Option<usize> {
        let x = (at % self.width).checked_add_signed(dx)?;
        let y = (at / self.width).checked_add_signed(dy)?;
        (x < self.width && y < self.pixels.len() / self.width).then_some(y * self.width + x)
    }

    pub(super) fn is_opaque(&self, at: usize) -> bool {
        self.pixels[at][3] >= OPAQUE
    }

    /// Opaque and not part of the outline: a dark pixel counts only in a 2x2 block of dark pixels.
    pub(super) fn is_inner(&self, at: usize) -> bool {
        let is_dark = |dx, dy| self.step(at, dx, dy).is_some_and(|place| self.dark[place]);
        let in_block = || {
            [(-1, -1), (-1, 1), (1, -1), (1, 1)]
                .into_iter()
                .any(|(dx, dy)| is_dark(dx, 0) && is_dark(0, dy) && is_dark(dx, dy))
        };
        self.is_opaque(at) && (!self.dark[at] || in_block())
    }

    /// Opaque, with opaque neighbors on all four sides.
    fn is_core(&self, at: usize) -> bool {
        self.is_opaque(at)
            && [(-1, 0), (1, 0), (0, -1), (0, 1)]
                .into_iter()
                .all(|(dx, dy)| {
                    self.step(at, dx, dy)
                        .is_some_and(|place| self.is_opaque(place))
                })
    }

    fn bins(&self, belongs: impl Fn(&Self, usize) -> bool) -> Vec<Bin> {
        let mut counts: HashMap<[u8; 3], u32> = HashMap::new();
        for at in (0..self.pixels.len()).filter(|&at| belongs(self, at)) {
            let [r, g, b, _] = self.pixels[at];
            *counts.entry([r, g, b]).or_default() += 1;
        }
        bins(&counts)
    }
}

/// Pixels of similar color; the center is their mean.
#[derive(Default, Clone, Copy)]
struct Bin {
    count: u32,
    sum: [f64; 3],
}

impl Bin {
    fn add(&mut self, lab: [f32; 3], count: u32) {
        self.count += count;
        for (sum, value) in self.sum.iter_mut().zip(lab) {
            *sum += f64::from(value) * f64::from(count);
        }
    }

    fn merge(&mut self, other: &Bin) {
        self.count += other.count;
        for (sum, value) in self.sum.iter_mut().zip(other.sum) {
            *sum += value;
        }
    }

    fn center(&self) -> [f32; 3] {
        self.sum.map(|sum| (sum / f64::from(self.count)) as f32)
    }

    fn rgb(&self) -> [u8; 3] {
        let [l, a, b] = self.center();
        oklab_to_srgb(Oklab { l, a, b }).into()
    }
}

/// Sorts colors into bins, largest first. Ties have a fixed order, so that the palette is
/// deterministic.
fn bins(counts: &HashMap<[u8; 3], u32>) -> Vec<Bin> {
    let mut cells: HashMap<[i32; 3], Bin> = HashMap::new();
    let mut colors: Vec<_> = counts.iter().collect();
    colors.sort_unstable();
    for (&[r, g, b], &count) in colors {
        let Oklab { l, a, b } = srgb_to_oklab(Rgb { r, g, b });
        let lab = [l, a, b];
        cells
            .entry(lab.map(|value| (value / BIN).floor() as i32))
            .or_default()
            .add(lab, count);
    }
    let mut cells: Vec<_> = cells.into_iter().collect();
    cells.sort_unstable_by_key(|(cell, bin)| (std::cmp::Reverse(bin.count), *cell));
    let mut bins: Vec<Bin> = cells.into_iter().map(|(_, bin)| bin).collect();
    if bins.len() > MAX_BINS {
        let rest = bins.split_off(MAX_BINS);
        let centers: Vec<_> = bins.iter().map(Bin::center).collect();
        for bin in rest {
            if let Some(nearest) = nearest(&centers, bin.center()) {
                bins[nearest].merge(&bin);
            }
        }
        bins.sort_by_key(|bin| std::cmp::Reverse(bin.count));
    }
    bins
}

/// Repeatedly merges the largest remaining bin with all bins near it.
fn swatches(bins: &[Bin]) -> Vec<Bin> {
    let mut remaining = bins.to_vec();
    let mut swatches = Vec::new();
    while swatches.len() < MAX_SWATCHES && !remaining.is_empty() {
        let center = remaining[0].center();
        let mut swatch = Bin::default();
        remaining.retain(|bin| {
            let near = distance(perceived(center), perceived(bin.center())) <= SWATCH_RADIUS;
            if near {
                swatch.merge(bin);
            }
            !near
        });
        swatches.push(swatch);
    }
    swatches.sort_by_key(|bin| std::cmp::Reverse(bin.count));
    swatches
}

/// Maps lightness to the toe curve of Okhsv (Ottosson): OKLab alone separates blacks that nobody
/// would call different colors.
fn perceived([l, a, b]: [f32; 3]) -> [f32; 3] {
    const K1: f32 = 0.206;
    const K2: f32 = 0.03;
    const K3: f32 = (1.0 + K1) / (1.0 + K2);
    let shifted = K3 * l - K1;
    let l = 0.5 * (shifted + (shifted * shifted + 4.0 * K2 * K3 * l.max(0.0)).sqrt());
    [l, a, b]
}

fn nearest(centers: &[[f32; 3]], to: [f32; 3]) -> Option<usize> {
    (0..centers.len())
        .min_by(|&a, &b| distance(centers[a], to).total_cmp(&distance(centers[b], to)))
}

fn distance(a: [f32; 3], b: [f32; 3]) -> f32 {
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).powi(2))
        .sum::<f32>()
        .sqrt()
}

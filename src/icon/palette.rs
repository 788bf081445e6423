//! The colors that an icon's opaque pixels show, gathered in a perceptual space (OKLab).

use super::Icon;
use crate::record::ColorHistogram;
use oklab::{Oklab, Rgb, oklab_to_srgb, srgb_to_oklab};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Pixels at least this opaque count as shown.
const OPAQUE: u8 = 128;
/// Edge of a bin in OKLab; two colors of one bin can hardly be told apart at icon size.
const BIN: f32 = 0.04;
/// Bins kept; the rest of a colorful image joins its nearest kept bins.
const MAX_BINS: usize = 256;
/// Bins closer than this to a swatch belong to it.
const SWATCH_RADIUS: f32 = 0.13;
const MAX_SWATCHES: usize = 6;
/// Smaller swatches are left out.
const MIN_SHARE: f32 = 0.02;

/// A dominant color and its share of the opaque pixels (0-1).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Swatch {
    pub rgb: [u8; 3],
    pub share: f32,
}

/// What colors an icon shows: a few swatches for people, a histogram for the rules.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Palette {
    pub opaque: u32,
    pub total: u32,
    /// Most first, at most six.
    pub swatches: Vec<Swatch>,
    pub histogram: ColorHistogram,
}

pub fn palette(icon: &Icon) -> Palette {
    let mut opaque = 0;
    let mut counts: HashMap<[u8; 3], u32> = HashMap::new();
    for &[r, g, b, a] in icon.rgba.as_chunks::<4>().0 {
        if a >= OPAQUE {
            opaque += 1;
            *counts.entry([r, g, b]).or_default() += 1;
        }
    }
    let bins = bins(&counts);
    let share = |count: u32| count as f32 / opaque as f32;
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
        },
    }
}

/// Pixels of nearly one color; the center is their mean.
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

/// Most first; equal ones in a fixed order, so that one image always gives one palette.
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

/// Takes the largest bin that is left with all bins near it, again and again.
fn swatches(bins: &[Bin]) -> Vec<Bin> {
    let mut left = bins.to_vec();
    let mut swatches = Vec::new();
    while swatches.len() < MAX_SWATCHES && !left.is_empty() {
        let center = left[0].center();
        let mut swatch = Bin::default();
        left.retain(|bin| {
            let near = distance(seen(center), seen(bin.center())) <= SWATCH_RADIUS;
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

/// With the lightness bent as the eye sees it beside white: OKLab alone tells blacks apart that
/// nobody would call different colors. The curve and its constants are Ottosson's for Okhsv.
fn seen([l, a, b]: [f32; 3]) -> [f32; 3] {
    const K1: f32 = 0.206;
    const K2: f32 = 0.03;
    const K3: f32 = (1.0 + K1) / (1.0 + K2);
    let bent = K3 * l - K1;
    let l = 0.5 * (bent + (bent * bent + 4.0 * K2 * K3 * l.max(0.0)).sqrt());
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

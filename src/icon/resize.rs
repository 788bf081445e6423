//! Resampling of 8-bit RGB that gives the same bytes as Pillow's `Image.BICUBIC` and `BILINEAR`.

use super::Picture;

/// Weights are integers of this many fractional bits, as in Pillow.
const BITS: u32 = 22;

/// How a pixel is made from those around its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    Bicubic,
    Bilinear,
}

/// [`resize`] by [`Filter::Bicubic`].
pub fn resize_bicubic(picture: &Picture, width: u32, height: u32) -> Picture {
    resize(picture, width, height, Filter::Bicubic)
}

/// Resizes to `width` x `height`; smooths over the covered pixels where a side becomes smaller.
pub fn resize(picture: &Picture, width: u32, height: u32, filter: Filter) -> Picture {
    let shrinks = |from: u32, to: u32| i64::from(from) - i64::from(to);
    let lower = shrinks(picture.height, height);
    // The order shows, since each pass rounds and clamps. It is that of Pillow from 13 on; before,
    // rows always came first, as they do here for all but tall pictures that become much lower.
    let columns_first = lower > 0 && lower > 2 * shrinks(picture.width, width);
    match columns_first {
        true => rows(&columns(picture, height, filter), width, filter),
        false => columns(&rows(picture, width, filter), height, filter),
    }
}

/// Resizes each row.
fn rows(picture: &Picture, width: u32, filter: Filter) -> Picture {
    let (from, to) = (picture.width as usize, width as usize);
    let rgb = match from == to {
        true => picture.rgb.clone(),
        false => {
            let taps = taps(from, to, filter);
            let rows = picture.rgb.chunks_exact((from * 3).max(1));
            rows.flat_map(|row| {
                taps.iter().flat_map(move |tap| {
                    [0, 1, 2]
                        .map(|channel| tap.apply(|index| row[(tap.start + index) * 3 + channel]))
                })
            })
            .collect()
        }
    };
    Picture {
        width,
        height: picture.height,
        rgb,
    }
}

/// Resizes each column.
fn columns(picture: &Picture, height: u32, filter: Filter) -> Picture {
    let (from, to) = (picture.height as usize, height as usize);
    let (rgb, row_bytes) = (&picture.rgb, picture.width as usize * 3);
    let rgb = match from == to {
        true => rgb.clone(),
        false => taps(from, to, filter)
            .iter()
            .flat_map(|tap| {
                (0..row_bytes).map(move |column| {
                    tap.apply(|index| rgb[(tap.start + index) * row_bytes + column])
                })
            })
            .collect(),
    };
    Picture {
        width: picture.width,
        height,
        rgb,
    }
}

/// The source pixels of one target pixel along one axis.
struct Tap {
    start: usize,
    weights: Vec<i32>,
}

impl Tap {
    fn apply(&self, pixel: impl Fn(usize) -> u8) -> u8 {
        let sum: i32 = self
            .weights
            .iter()
            .enumerate()
            .map(|(index, weight)| weight * i32::from(pixel(index)))
            .sum();
        ((sum + (1 << (BITS - 1))) >> BITS).clamp(0, 255) as u8
    }
}

fn taps(from: usize, to: usize, filter: Filter) -> Vec<Tap> {
    let scale = from as f64 / to as f64;
    let stretch = scale.max(1.0);
    let (reach, weigh): (f64, fn(f64) -> f64) = match filter {
        Filter::Bicubic => (2.0, cubic),
        Filter::Bilinear => (1.0, triangle),
    };
    let support = reach * stretch;
    (0..to)
        .map(|target| {
            let center = (target as f64 + 0.5) * scale;
            let start = (center - support + 0.5).max(0.0) as usize;
            let end = ((center + support + 0.5) as usize).min(from);
            let weights: Vec<f64> = (start..end)
                .map(|source| weigh((source as f64 - center + 0.5) / stretch))
                .collect();
            let sum: f64 = weights.iter().sum();
            Tap {
                start,
                weights: weights
                    .iter()
                    .map(|weight| (weight / sum * f64::from(1 << BITS)).round() as i32)
                    .collect(),
            }
        })
        .collect()
}

/// The cubic convolution kernel with a = -0.5.
fn cubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

fn triangle(x: f64) -> f64 {
    (1.0 - x.abs()).max(0.0)
}

//! Resamples 8-bit RGB with the same bytes as Pillow's `Image.BICUBIC` and `BILINEAR`.

use super::Picture;

/// Weights are fixed-point numbers with this many fractional bits, as in Pillow.
const BITS: u32 = 22;

/// Interpolation kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    Bicubic,
    Bilinear,
}

/// [`resize`] by [`Filter::Bicubic`].
pub fn resize_bicubic(picture: &Picture, width: u32, height: u32) -> Picture {
    resize(picture, width, height, Filter::Bicubic)
}

/// A rectangle of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub left: u32,
    pub top: u32,
    pub width: u32,
    pub height: u32,
}

/// Resizes to `width` x `height`, with antialiasing when shrinking.
pub fn resize(picture: &Picture, width: u32, height: u32, filter: Filter) -> Picture {
    let whole = Window {
        left: 0,
        top: 0,
        width,
        height,
    };
    resize_window(picture, (width, height), whole, filter)
}

/// Computes only a window of a [`resize`]d picture.
pub fn resize_window(
    picture: &Picture,
    (width, height): (u32, u32),
    window: Window,
    filter: Filter,
) -> Picture {
    let shrinks = |from: u32, to: u32| i64::from(from) - i64::from(to);
    let lower = shrinks(picture.height, height);
    // The order of the passes affects the bytes, since each pass rounds and clamps. This is Pillow's
    // order since version 13, which starts with columns for tall pictures that become much lower.
    let columns_first = lower > 0 && lower > 2 * shrinks(picture.width, width);
    let across = Axis {
        to: width as usize,
        start: window.left as usize,
        count: window.width as usize,
        filter,
    };
    let down = Axis {
        to: height as usize,
        start: window.top as usize,
        count: window.height as usize,
        filter,
    };
    match columns_first {
        true => rows(&columns(picture, down), across),
        false => columns(&rows(picture, across), down),
    }
}

/// Resampling of one axis: its new length, and the part of it to compute.
#[derive(Clone, Copy)]
struct Axis {
    to: usize,
    start: usize,
    count: usize,
    filter: Filter,
}

impl Axis {
    fn is_identity(&self, from: usize) -> bool {
        from == self.to && from == self.count
    }
}

fn rows(picture: &Picture, axis: Axis) -> Picture {
    let from = picture.width as usize;
    let rgb = match axis.is_identity(from) {
        true => picture.rgb.clone(),
        false => {
            let taps = taps(from, axis);
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
        width: axis.count as u32,
        height: picture.height,
        rgb,
    }
}

fn columns(picture: &Picture, axis: Axis) -> Picture {
    let from = picture.height as usize;
    let (rgb, row_bytes) = (&picture.rgb, picture.width as usize * 3);
    let rgb = match axis.is_identity(from) {
        true => rgb.clone(),
        false => taps(from, axis)
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
        height: axis.count as u32,
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

fn taps(from: usize, axis: Axis) -> Vec<Tap> {
    let scale = from as f64 / axis.to as f64;
    let stretch = scale.max(1.0);
    let (reach, kernel): (f64, fn(f64) -> f64) = match axis.filter {
        Filter::Bicubic => (2.0, cubic),
        Filter::Bilinear => (1.0, triangle),
    };
    let support = reach * stretch;
    (axis.start..axis.start + axis.count)
        .map(|target| {
            let center = (target as f64 + 0.5) * scale;
            let start = (center - support + 0.5).max(0.0) as usize;
            let end = ((center + support + 0.5) as usize).min(from);
            let weights: Vec<f64> = (start..end)
                .map(|source| kernel((source as f64 - center + 0.5) / stretch))
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

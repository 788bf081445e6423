//! Learned positions: a square grid of them is stretched over each frame, and a patch gets the
//! mean of the four nearest, weighted by their distance.

use crate::vlm::architecture::{Grid, ImagePatches};
use crate::vlm::models::shared::rope::merged_order;
use candle_core::{Device, Result, Tensor};
use rayon::prelude::*;

/// The learned grid.
#[derive(Debug)]
pub struct Positions {
    /// `(side * side, width)` in f32, row by row.
    table: Vec<f32>,
    side: usize,
    width: usize,
}

impl Positions {
    /// From `(places, width)` in any float type. Places that fill no square are not used.
    pub fn new(table: &Tensor) -> Result<Self> {
        let (places, width) = table.dims2()?;
        let table = table.to_dtype(candle_core::DType::F32)?;
        Ok(Self {
            table: table.flatten_all()?.to_vec1()?,
            side: places.isqrt(),
            width,
        })
    }

    /// The positions of each picture's patches, `(patches, width)`.
    pub fn of(&self, images: &[ImagePatches], merge: usize) -> Result<Tensor> {
        let taps: Vec<[Tap; 4]> = images
            .iter()
            .flat_map(|image| taps(image.grid, merge, self.side))
            .collect();
        let mut numbers = vec![0f32; taps.len() * self.width];
        numbers
            .par_chunks_mut(self.width)
            .zip(&taps)
            .for_each(|(out, taps)| {
                for tap in taps {
                    let learned = &self.table[tap.place * self.width..][..self.width];
                    for (out, learned) in out.iter_mut().zip(learned) {
                        *out += tap.weight * learned;
                    }
                }
            });
        Tensor::from_vec(numbers, (taps.len(), self.width), &Device::Cpu)
    }
}

/// A learned position and its part in that of a patch.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Tap {
    place: usize,
    weight: f32,
}

/// The four learned positions around each patch, in the order of patches, `side` of them in a row
/// of the grid. The corners of a frame are those of the grid.
fn taps(grid: Grid, merge: usize, side: usize) -> Vec<[Tap; 4]> {
    let (rows, columns) = (along(grid.h, side), along(grid.w, side));
    let frame: Vec<[Tap; 4]> = merged_order(grid.h, grid.w, merge)
        .map(|(row, column)| {
            let (rows, columns) = (rows[row], columns[column]);
            std::array::from_fn(|i| {
                let (row, column) = (rows[i / 2], columns[i % 2]);
                Tap {
                    place: row.place * side + column.place,
                    weight: row.weight * column.weight,
                }
            })
        })
        .collect();
    frame.repeat(grid.t)
}

/// The two learned places around each of `patches` along one side.
fn along(patches: usize, side: usize) -> Vec<[Tap; 2]> {
    let last = side - 1;
    let steps = patches.saturating_sub(1).max(1) as f32;
    let around = |patch| {
        let at = patch as f32 * last as f32 / steps;
        let (before, rest) = (at.floor(), at - at.floor());
        let first = before as usize;
        let tap = |place: usize, weight| Tap {
            place: place.min(last),
            weight,
        };
        [tap(first, 1.0 - rest), tap(first + 1, rest)]
    };
    (0..patches).map(around).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tap(place: usize, weight: f32) -> Tap {
        Tap { place, weight }
    }

    #[test]
    fn a_frame_has_the_corners_of_the_grid() {
        // As many patches as places: each has its own.
        let own = along(4, 4);
        assert_eq!(own[2], [tap(2, 1.0), tap(3, 0.0)]);
        assert_eq!(own[3], [tap(3, 1.0), tap(3, 0.0)]);
        // Seven patches over four places: every other one is halfway.
        let half = along(7, 4);
        assert_eq!(half[3], [tap(1, 0.5), tap(2, 0.5)]);
        assert_eq!(half[6], [tap(3, 1.0), tap(3, 0.0)]);
        assert_eq!(along(1, 4), [[tap(0, 1.0), tap(1, 0.0)]]);
        assert_eq!(along(2, 1), [[tap(0, 1.0), tap(0, 0.0)]; 2]);
    }

    #[test]
    fn a_slope_stays_a_slope() {
        // A position is ten times its row plus its column.
        let side = 5;
        let table: Vec<f32> = (0..side * side)
            .map(|place| (place / side * 10 + place % side) as f32)
            .collect();
        let table = Tensor::from_vec(table, (side * side, 1), &Device::Cpu).unwrap();
        let positions = Positions::new(&table).unwrap();
        let grid = Grid { t: 2, h: 4, w: 6 };
        let image = ImagePatches {
            pixels: Vec::new(),
            grid,
        };
        let numbers: Vec<f32> = positions
            .of(&[image], 2)
            .unwrap()
            .flatten_all()
            .unwrap()
            .to_vec1()
            .unwrap();
        let frame = merged_order(4, 6, 2);
        let expected: Vec<f32> = frame
            .map(|(row, column)| row as f32 * 40.0 / 3.0 + column as f32 * 4.0 / 5.0)
            .collect();
        for (number, expected) in numbers.iter().zip(expected.repeat(2)) {
            assert!((number - expected).abs() < 1e-4, "{number}, not {expected}");
        }
        assert_eq!(numbers.len(), 48);
    }
}

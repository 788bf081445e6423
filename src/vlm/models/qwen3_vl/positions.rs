//! Learned position embeddings: a square grid of them is stretched over each frame, and each patch
//! interpolates bilinearly between the four nearest.

use crate::vlm::architecture::{Grid, ImagePatches};
use crate::vlm::models::shared::rope::merged_order;
use crate::vlm::nn::team;
use candle_core::{Device, Result, Tensor};

/// The learned grid of position embeddings.
#[derive(Debug)]
pub struct Positions {
    /// `(side * side, width)` in f32, row-major.
    table: Vec<f32>,
    side: usize,
    width: usize,
}

impl Positions {
    /// `table` is `(positions, width)` in any float type. Positions beyond the largest square are not
    /// used.
    pub fn new(table: &Tensor) -> Result<Self> {
        let (positions, width) = table.dims2()?;
        let table = table.to_dtype(candle_core::DType::F32)?;
        Ok(Self {
            table: table.flatten_all()?.to_vec1()?,
            side: positions.isqrt(),
            width,
        })
    }

    /// Interpolates the position embeddings of all patches, `(patches, width)`.
    pub fn of(&self, images: &[ImagePatches], merge: usize) -> Result<Tensor> {
        let taps: Vec<[Tap; 4]> = images
            .iter()
            .flat_map(|image| taps(image.grid, merge, self.side))
            .collect();
        let mut embeddings = vec![0f32; taps.len() * self.width];
        team::for_chunks(&mut embeddings, self.width, 4, |patch, out| {
            for tap in &taps[patch] {
                let learned = &self.table[tap.index * self.width..][..self.width];
                for (out, learned) in out.iter_mut().zip(learned) {
                    *out += tap.weight * learned;
                }
            }
        });
        Tensor::from_vec(embeddings, (taps.len(), self.width), &Device::Cpu)
    }
}

/// A learned position and its weight in an interpolation.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Tap {
    index: usize,
    weight: f32,
}

/// The four learned positions around each patch, in patch order. The corners of a frame coincide
/// with those of the grid, which is `side` positions wide.
fn taps(grid: Grid, merge: usize, side: usize) -> Vec<[Tap; 4]> {
    let (rows, columns) = (along(grid.h, side), along(grid.w, side));
    let frame: Vec<[Tap; 4]> = merged_order(grid.h, grid.w, merge)
        .map(|(row, column)| {
            let (rows, columns) = (rows[row], columns[column]);
            std::array::from_fn(|i| {
                let (row, column) = (rows[i / 2], columns[i % 2]);
                Tap {
                    index: row.index * side + column.index,
                    weight: row.weight * column.weight,
                }
            })
        })
        .collect();
    frame.repeat(grid.t)
}

/// The two learned positions around each patch along one axis.
fn along(patches: usize, side: usize) -> Vec<[Tap; 2]> {
    let last = side - 1;
    let steps = patches.saturating_sub(1).max(1) as f32;
    let around = |patch| {
        let at = patch as f32 * last as f32 / steps;
        let (before, rest) = (at.floor(), at - at.floor());
        let first = before as usize;
        let tap = |index: usize, weight| Tap {
            index: index.min(last),
            weight,
        };
        [tap(first, 1.0 - rest), tap(first + 1, rest)]
    };
    (0..patches).map(around).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tap(index: usize, weight: f32) -> Tap {
        Tap { index, weight }
    }

    #[test]
    fn the_corners_of_a_frame_coincide_with_the_grid() {
        // As many patches as positions: no interpolation.
        let own = along(4, 4);
        assert_eq!(own[2], [tap(2, 1.0), tap(3, 0.0)]);
        assert_eq!(own[3], [tap(3, 1.0), tap(3, 0.0)]);
        // Seven patches over four positions: every other patch is halfway between two.
        let half = along(7, 4);
        assert_eq!(half[3], [tap(1, 0.5), tap(2, 0.5)]);
        assert_eq!(half[6], [tap(3, 1.0), tap(3, 0.0)]);
        assert_eq!(along(1, 4), [[tap(0, 1.0), tap(1, 0.0)]]);
        assert_eq!(along(2, 1), [[tap(0, 1.0), tap(0, 0.0)]; 2]);
    }

    #[test]
    fn interpolation_is_linear() {
        // Each position's embedding is ten times its row plus its column.
        let side = 5;
        let table: Vec<f32> = (0..side * side)
            .map(|index| (index / side * 10 + index % side) as f32)
            .collect();
        let table = Tensor::from_vec(table, (side * side, 1), &Device::Cpu).unwrap();
        let positions = Positions::new(&table).unwrap();
        let grid = Grid { t: 2, h: 4, w: 6 };
        let image = ImagePatches {
            pixels: Vec::new(),
            grid,
        };
        let embeddings: Vec<f32> = positions
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
        for (got, expected) in embeddings.iter().zip(expected.repeat(2)) {
            assert!((got - expected).abs() < 1e-4, "{got}, not {expected}");
        }
        assert_eq!(embeddings.len(), 48);
    }
}

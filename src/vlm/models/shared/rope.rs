//! Rotary positions: three-part for the language model (M-RoPE), row and column for the vision
//! tower.

use crate::vlm::architecture::Grid;
use crate::vlm::nn::rope::{Angles, Position, frequencies};
use candle_core::DType;

/// Positions of an image's tokens, if the next text position would be `start`.
pub fn image_positions(grid: Grid, merge: usize, start: u32) -> Vec<Position> {
    let (rows, columns) = (grid.h / merge, grid.w / merge);
    let mut positions = Vec::with_capacity(grid.t * rows * columns);
    for t in 0..grid.t {
        for row in 0..rows {
            for column in 0..columns {
                positions.push([t, row, column].map(|offset| start + offset as u32));
            }
        }
    }
    positions
}

/// The language model's rotary frequencies.
#[derive(Debug)]
pub struct TextRope {
    inverse: Vec<f32>,
    /// The part of a position that each frequency applies to.
    part: Vec<usize>,
}

impl TextRope {
    /// `theta` is the base; `part` assigns each frequency to a part of a position.
    pub fn new(theta: f64, part: &[usize]) -> Self {
        Self {
            inverse: frequencies(theta, part.len()),
            part: part.to_vec(),
        }
    }

    pub fn angles(&self, positions: &[Position], dtype: DType) -> Angles {
        let half = self.inverse.len();
        let mut angles = Vec::with_capacity(positions.len() * half);
        for position in positions {
            let each = self.part.iter().zip(&self.inverse);
            angles.extend(each.map(|(part, inverse)| position[*part] as f32 * inverse));
        }
        Angles::new(&angles, half, dtype)
    }
}

/// The vision tower's rotary frequencies: half apply to the row, half to the column.
#[derive(Debug)]
pub struct VisionRope {
    inverse: Vec<f32>,
}

impl VisionRope {
    pub fn new(theta: f64, head_dim: usize) -> Self {
        Self {
            inverse: frequencies(theta, head_dim / 4),
        }
    }

    pub fn angles(&self, positions: &[PatchPosition], dtype: DType) -> Angles {
        let half = self.inverse.len() * 2;
        let mut angles = Vec::with_capacity(positions.len() * half);
        for (row, column) in positions {
            for part in [row, column] {
                angles.extend(self.inverse.iter().map(|inverse| *part as f32 * inverse));
            }
        }
        Angles::new(&angles, half, dtype)
    }
}

/// Row and column of a patch in its frame.
pub type PatchPosition = (usize, usize);

/// Iterates over the patches of a frame in layout order: the patches of one token are adjacent.
pub fn merged_order(h: usize, w: usize, merge: usize) -> impl Iterator<Item = PatchPosition> {
    let tokens =
        (0..h / merge).flat_map(move |row| (0..w / merge).map(move |column| (row, column)));
    tokens.flat_map(move |(row, column)| {
        (0..merge * merge).map(move |i| (row * merge + i / merge, column * merge + i % merge))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_positions_start_at_the_next_text_position() {
        let wide = Grid { t: 1, h: 2, w: 6 };
        let positions = image_positions(wide, 2, 5);
        assert_eq!(positions, [[5, 5, 5], [5, 5, 6], [5, 5, 7]]);
    }

    #[test]
    fn patches_of_one_token_are_adjacent() {
        let order: Vec<_> = merged_order(2, 4, 2).collect();
        let expected = [
            (0, 0),
            (0, 1),
            (1, 0),
            (1, 1),
            (0, 2),
            (0, 3),
            (1, 2),
            (1, 3),
        ];
        assert_eq!(order, expected);
    }
}

//! Attention windows: square parts of a frame whose tokens attend only to each other.

use crate::vlm::architecture::Grid;

/// The tokens of several images, window by window.
#[derive(Debug, PartialEq, Eq)]
pub struct Windows {
    /// Row-major token indices in window order.
    pub order: Vec<usize>,
    /// Number of tokens in each window.
    pub lengths: Vec<usize>,
}

impl Windows {
    /// Cuts each frame into windows of `side * side` tokens; those at the right and bottom may be
    /// smaller. A token is `merge * merge` patches.
    pub fn new(grids: &[Grid], merge: usize, side: usize) -> Self {
        let mut windows = Self {
            order: Vec::new(),
            lengths: Vec::new(),
        };
        for grid in grids {
            for _ in 0..grid.t {
                windows.add_frame(grid.h / merge, grid.w / merge, side);
            }
        }
        windows
    }

    fn add_frame(&mut self, rows: usize, columns: usize, side: usize) {
        let first = self.order.len();
        for top in (0..rows).step_by(side) {
            for left in (0..columns).step_by(side) {
                let (bottom, right) = (rows.min(top + side), columns.min(left + side));
                for row in top..bottom {
                    let start = first + row * columns;
                    self.order.extend(start + left..start + right);
                }
                self.lengths.push((bottom - top) * (right - left));
            }
        }
    }

    /// For each row-major token, its index in window order.
    pub fn inverse_order(&self) -> Vec<u32> {
        let mut inverse = vec![0; self.order.len()];
        for (index, token) in (0..).zip(&self.order) {
            inverse[*token] = index;
        }
        inverse
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_start_at_the_upper_left() {
        // Three rows and five columns of tokens.
        let windows = Windows::new(&[Grid { t: 1, h: 6, w: 10 }], 2, 2);
        let order = [0, 1, 5, 6, 2, 3, 7, 8, 4, 9, 10, 11, 12, 13, 14];
        assert_eq!(windows.order, order);
        assert_eq!(windows.lengths, [4, 4, 2, 2, 2, 1]);
    }

    #[test]
    fn windows_do_not_span_frames() {
        let (image, video) = (Grid { t: 1, h: 2, w: 2 }, Grid { t: 2, h: 2, w: 6 });
        let windows = Windows::new(&[image, video], 2, 4);
        assert_eq!(windows.order, [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(windows.lengths, [1, 3, 3]);
    }

    #[test]
    fn inverse_order_undoes_order() {
        let grids = [Grid { t: 1, h: 14, w: 22 }, Grid { t: 1, h: 8, w: 6 }];
        for side in 1..9 {
            let windows = Windows::new(&grids, 2, side);
            let inverse = windows.inverse_order();
            let back: Vec<usize> = inverse
                .iter()
                .map(|index| windows.order[*index as usize])
                .collect();
            assert!(back.into_iter().eq(0..7 * 11 + 4 * 3));
            assert_eq!(windows.lengths.iter().sum::<usize>(), inverse.len());
        }
    }
}

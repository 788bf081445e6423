//! The windows of frames: square parts whose tokens attend to each other only.

use crate::vlm::architecture::Grid;

/// The tokens of several pictures, window by window.
#[derive(Debug, PartialEq, Eq)]
pub struct Windows {
    /// Which token, in the order of rows and columns, comes at each place.
    pub order: Vec<usize>,
    /// How many tokens each window has.
    pub lengths: Vec<usize>,
}

impl Windows {
    /// Cuts each frame into windows of `side * side` tokens, smaller ones at the right and at the
    /// bottom. A token is `merge * merge` patches.
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

    /// The place of each token, in the order of rows and columns.
    pub fn places(&self) -> Vec<u32> {
        let mut places = vec![0; self.order.len()];
        for (place, token) in (0..).zip(&self.order) {
            places[*token] = place;
        }
        places
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_cut_from_the_upper_left() {
        // Three rows and five columns of tokens.
        let windows = Windows::new(&[Grid { t: 1, h: 6, w: 10 }], 2, 2);
        let order = [0, 1, 5, 6, 2, 3, 7, 8, 4, 9, 10, 11, 12, 13, 14];
        assert_eq!(windows.order, order);
        assert_eq!(windows.lengths, [4, 4, 2, 2, 2, 1]);
    }

    #[test]
    fn windows_never_reach_into_another_frame() {
        let (small, film) = (Grid { t: 1, h: 2, w: 2 }, Grid { t: 2, h: 2, w: 6 });
        let windows = Windows::new(&[small, film], 2, 4);
        assert_eq!(windows.order, [0, 1, 2, 3, 4, 5, 6]);
        assert_eq!(windows.lengths, [1, 3, 3]);
    }

    #[test]
    fn places_undo_the_order() {
        let grids = [Grid { t: 1, h: 14, w: 22 }, Grid { t: 1, h: 8, w: 6 }];
        for side in 1..9 {
            let windows = Windows::new(&grids, 2, side);
            let places = windows.places();
            let back: Vec<usize> = places
                .iter()
                .map(|place| windows.order[*place as usize])
                .collect();
            assert!(back.into_iter().eq(0..7 * 11 + 4 * 3));
            assert_eq!(windows.lengths.iter().sum::<usize>(), places.len());
        }
    }
}

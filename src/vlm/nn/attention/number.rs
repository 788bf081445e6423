//! What attention over slices needs of a type of numbers.

use crate::vlm::nn::kv::layout::Cached;

/// Queries that are combined with the same keys or values in one pass: what the registers hold.
pub(crate) const GROUP: usize = 8;

/// A type in which keys and values are multiplied. A pair is as many numbers as
/// [`Stored::PAIR`](crate::vlm::nn::stored::Stored::PAIR) says.
pub(crate) trait Number: Cached {
    /// Scores of `r` queries, at most [`GROUP`], in pairs `(head_dim / PAIR, r, PAIR)`, against `n`
    /// keys in blocks; block `b` of the wanted head starts at `b * step` of `keys`. Query `h` writes
    /// to `out[h * stride..]`.
    fn score(
        queries: &[Self],
        r: usize,
        keys: &[Self],
        step: usize,
        n: usize,
        out: &mut [f32],
        stride: usize,
    );

    /// Weights in this type; `room` is for those that have to be rounded.
    fn weights<'a>(weights: &'a [f32], room: &'a mut Vec<Self>) -> &'a [Self];

    /// Adds `n` values, weighted for each of `r` queries, to `out`, `(r, head_dim)`. Block `b` of
    /// the wanted head starts at `b * step` of `values`; the weights of query `h` are
    /// `weights[h * stride..]`.
    fn accumulate(
        weights: &[Self],
        r: usize,
        stride: usize,
        values: &[Self],
        step: usize,
        n: usize,
        out: &mut [f32],
    );
}

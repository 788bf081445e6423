//! The kernels that attention over slices needs for each element type.

use crate::vlm::nn::kv::layout::LayerElement;

/// Maximum number of queries per pass over the same keys or values, limited by the registers.
pub(crate) const GROUP: usize = 8;

/// The attention kernels of an element type. A pair is
/// [`KvElement::PAIR`](crate::vlm::nn::kv::element::KvElement::PAIR) elements.
pub(crate) trait AttentionKernel: LayerElement {
    /// Computes the scores of `r` queries, at most [`GROUP`], against `n` keys. `queries` are in
    /// pairs, `(head_dim / PAIR, r, PAIR)`. `keys` are in blocks: block `b` of the head starts at
    /// `keys[b * step]`. The scores of query `h` start at `out[h * stride]`.
    fn score(
        queries: &[Self],
        r: usize,
        keys: &[Self],
        step: usize,
        n: usize,
        out: &mut [f32],
        stride: usize,
    );

    /// Converts weights to this type, in `buffer` if they must be rounded.
    fn weights<'a>(weights: &'a [f32], buffer: &'a mut Vec<Self>) -> &'a [Self];

    /// Adds `n` values, weighted for each of `r` queries, to `out`, `(r, head_dim)`. Block `b` of
    /// the head starts at `values[b * step]`; the weights of query `h` start at
    /// `weights[h * stride]`.
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

//! Attention with candle's operations, for accelerators. The number of launches per layer does not
//! depend on the number of sequences: rows are padded to tiles, one product scores the shared prefix
//! for all sequences, and another scores their own keys.

use crate::vlm::nn::kv::layout::{CacheSpec, HeadShape};
use crate::vlm::nn::kv::pool::score_dtype;
use crate::vlm::nn::launches::launch;
use crate::vlm::nn::ops::repeated_shapes;
use crate::vlm::nn::padding::{Padding, RangePadding};
use crate::vlm::nn::rope::Angles;
use candle_core::{D, DType, Result, Tensor};
use candle_nn::ops::softmax_last_dim;

/// Causal attention of a step; see [`super::attend`].
pub(super) fn attend(
    qkv: &Tensor,
    layer: usize,
    spec: &CacheSpec,
    angles: &Angles,
    padding: &Padding,
) -> Result<Tensor> {
    let HeadShape {
        heads,
        kv_heads,
        head_dim,
    } = spec.shape;
    let tokens = qkv.dim(0)?;
    let Padding {
        tiles,
        width,
        slots,
        columns,
        ..
    } = *padding;
    let rows = angles.apply(qkv, heads, kv_heads)?;
    let _shapes = repeated_shapes(qkv);

    let cache = padding.pool.layer(layer)?;
    let gathered = launch!(rows.index_select(&padding.gather, 0)?);
    let new = 2 * kv_heads * slots * width;
    let queries = gathered.narrow(0, new, gathered.dim(0)? - new)?;
    let new = gathered.narrow(0, 0, new)?;
    let new = new.reshape((2 * kv_heads * slots, width, head_dim))?;
    launch!(cache.scatter_set(&padding.scatter, &new, 1)?);
    let own = cache.reshape((2 * kv_heads, slots, (), head_dim))?;
    let own = match &padding.tile_slots {
        Some(slots) => launch!(own.index_select(slots, 1)?),
        None => own,
    };
    let own = own.narrow(2, 0, columns)?;
    let keys = own.narrow(0, 0, kv_heads)?;
    let values = own.narrow(0, kv_heads, kv_heads)?;

    let wide = score_dtype(spec.dtype);
    let per_tile = width * spec.shape.group();
    let queries = cast(&queries, wide)?.reshape((kv_heads, tiles, per_tile, head_dim))?;
    let keys = cast(&keys, wide)?;
    let scores = launch!(queries.matmul(&keys.t()?)?);
    let scores = apply_mask(&scores, &padding.own_mask, tiles * width)?;

    let all = kv_heads * tiles * per_tile;
    let narrow = |weights: &Tensor, start, columns| {
        let part = weights.narrow(D::Minus1, start, columns)?;
        match part.dtype() == spec.dtype {
            true => Ok(launch!(part.contiguous()?)),
            false => cast(&part, spec.dtype),
        }
    };
    let own_shape = (kv_heads, tiles, per_tile, columns);
    let out = match &padding.shared {
        None => {
            let weights = softmax(&scores)?;
            let weights = cast(&weights, spec.dtype)?.reshape(own_shape)?;
            launch!(weights.matmul(&values)?)
        }
        Some(shared) => {
            let (shared_keys, shared_values) = &shared.layers[layer];
            let before = shared_keys.dim(1)?;
            let queries = queries.reshape((kv_heads, tiles * per_tile, head_dim))?;
            let first = launch!(queries.matmul(&shared_keys.t()?)?);
            let first = match &padding.shared_mask {
                Some(mask) => apply_mask(&first, mask, tiles * width)?,
                None => first,
            };
            let flat = |scores: &Tensor, columns| scores.reshape((all, columns));
            // Two launches: one copy for each part.
            let scores = launch!(launch!(Tensor::cat(
                &[flat(&first, before)?, flat(&scores, columns)?],
                1
            )?));
            let weights = softmax(&scores)?;
            let first = narrow(&weights, 0, before)?;
            let first = first.reshape((kv_heads, tiles * per_tile, before))?;
            let first = launch!(first.matmul(shared_values)?);
            let weights = narrow(&weights, before, columns)?.reshape(own_shape)?;
            let own = launch!(weights.matmul(&values)?);
            launch!((first.reshape(own.shape())? + own)?)
        }
    };
    let out = out.reshape((all, head_dim))?;
    launch!(out.index_select(&padding.results, 0)?).reshape((tokens, heads * head_dim))
}

/// Adds a mask, `(rows, 1, columns)`, to scores, `(kv_heads, rows, group, columns)`. Scores may come
/// in any shape of this order, which is preserved.
fn apply_mask(scores: &Tensor, mask: &Tensor, rows: usize) -> Result<Tensor> {
    let columns = scores.dim(D::Minus1)?;
    let kv_heads = scores.dim(0)?;
    let by_row = scores.reshape((kv_heads, rows, (), columns))?;
    launch!(by_row.broadcast_add(mask)?).reshape(scores.shape())
}

/// Softmax over the last dimension, in f32.
fn softmax(scores: &Tensor) -> Result<Tensor> {
    let scores = cast(scores, DType::F32)?;
    Ok(launch!(softmax_last_dim(&scores)?))
}

fn cast(x: &Tensor, dtype: DType) -> Result<Tensor> {
    match x.dtype() == dtype {
        true => Ok(x.clone()),
        false => Ok(launch!(x.to_dtype(dtype)?)),
    }
}

/// Full attention within ranges of rows; see [`super::attend_within`].
pub(super) fn attend_within(
    qkv: &Tensor,
    heads: usize,
    angles: &Angles,
    padding: &RangePadding,
) -> Result<Tensor> {
    let (rows, all) = qkv.dims2()?;
    let head_dim = all / 3 / heads;
    let dtype = qkv.dtype();
    let (ranges, width) = (padding.ranges, padding.width);
    let rotated = angles.apply(qkv, heads, heads)?;
    let padded = launch!(rotated.index_select(&padding.gather, 0)?);
    let padded = padded.reshape((3, heads, ranges, width, head_dim))?;
    let queries = cast(&padded.get(0)?, score_dtype(dtype))?;
    let keys = cast(&padded.get(1)?, score_dtype(dtype))?;
    let scores = launch!(queries.matmul(&keys.t()?)?);
    let scores = match &padding.mask {
        Some(mask) => launch!(scores.broadcast_add(mask)?),
        None => scores,
    };
    let weights = cast(&softmax(&scores)?, dtype)?;
    let out = launch!(weights.matmul(&padded.get(2)?)?);
    let out = out.reshape((heads * ranges * width, head_dim))?;
    launch!(out.index_select(&padding.results, 0)?).reshape((rows, heads * head_dim))
}

//! Scores and weighted values in f32, with whatever vectors the processor has.

use super::number::{GROUP, Number};
use crate::vlm::nn::kv_layout::BLOCK;
use crate::vlm::nn::ops::{self, mul_add, vectorized};

/// Tokens whose scores are computed at once.
const CHUNK: usize = 2 * BLOCK;

impl Number for f32 {
    fn score(
        queries: &[f32],
        r: usize,
        keys: &[f32],
        step: usize,
        n: usize,
        out: &mut [f32],
        stride: usize,
    ) {
        score(queries, r, keys, step, n, out, stride);
    }

    fn weights<'a>(scores: &'a [f32], _: &'a mut Vec<f32>) -> &'a [f32] {
        scores
    }

    fn accumulate(
        weights: &[f32],
        r: usize,
        stride: usize,
        values: &[f32],
        step: usize,
        n: usize,
        out: &mut [f32],
    ) {
        accumulate_values(weights, r, stride, values, step, n, out);
    }
}

/// Calls `$f::<R, FMA>` for the number of queries at hand.
macro_rules! for_group {
    ($r:expr, $f:ident, $($arg:expr),*) => {
        match $r {
            1 => $f::<1, FMA>($($arg),*),
            2 => $f::<2, FMA>($($arg),*),
            3 => $f::<3, FMA>($($arg),*),
            4 => $f::<4, FMA>($($arg),*),
            5 => $f::<5, FMA>($($arg),*),
            6 => $f::<6, FMA>($($arg),*),
            7 => $f::<7, FMA>($($arg),*),
            _ => $f::<GROUP, FMA>($($arg),*),
        }
    };
}

vectorized! {
    fn score(queries: &[f32], r: usize, keys: &[f32], step: usize, n: usize, out: &mut [f32],
             stride: usize) {
        for_group!(r, score_group, queries, keys, step, n, out, stride)
    }
}

#[inline(always)]
fn score_group<const R: usize, const FMA: bool>(
    queries: &[f32],
    keys: &[f32],
    step: usize,
    n: usize,
    out: &mut [f32],
    stride: usize,
) {
    let size = queries.len() / R * BLOCK;
    let whole = n / CHUNK * CHUNK;
    for at in (0..whole).step_by(CHUNK) {
        let first = at / BLOCK * step;
        let pair = [&keys[first..][..size], &keys[first + step..][..size]];
        score_blocks::<R, 2, FMA>(queries, pair, CHUNK, &mut out[at..], stride);
    }
    for at in (whole..n).step_by(BLOCK) {
        let block = [&keys[at / BLOCK * step..][..size]];
        score_blocks::<R, 1, FMA>(queries, block, BLOCK.min(n - at), &mut out[at..], stride);
    }
}

/// Scores against `W` blocks at once, so that a query is loaded once for all of them.
#[inline(always)]
fn score_blocks<const R: usize, const W: usize, const FMA: bool>(
    queries: &[f32],
    blocks: [&[f32]; W],
    n: usize,
    out: &mut [f32],
    stride: usize,
) {
    let mut sums = [[[0f32; BLOCK]; W]; R];
    for (i, queries) in queries.chunks_exact(R).enumerate() {
        for h in 0..R {
            for w in 0..W {
                let keys = &blocks[w][i * BLOCK..][..BLOCK];
                for l in 0..BLOCK {
                    sums[h][w][l] = mul_add::<FMA>(queries[h], keys[l], sums[h][w][l]);
                }
            }
        }
    }
    for (h, sums) in sums.iter().enumerate() {
        out[h * stride..][..n].copy_from_slice(&sums.as_flattened()[..n]);
    }
}

vectorized! {
    fn accumulate_values(weights: &[f32], r: usize, stride: usize, values: &[f32], step: usize, n: usize,
             out: &mut [f32]) {
        for_group!(r, accumulate_values_group, weights, stride, values, step, n, out)
    }
}

#[inline(always)]
fn accumulate_values_group<const R: usize, const FMA: bool>(
    weights: &[f32],
    stride: usize,
    values: &[f32],
    step: usize,
    n: usize,
    out: &mut [f32],
) {
    // Two registers wide, so that a weight is loaded once for both.
    const WIDE: usize = 2 * ops::LANES;
    let dim = out.len() / R;
    let rows: [&[f32]; R] = std::array::from_fn(|h| &weights[h * stride..][..n]);
    let whole = dim / WIDE * WIDE;
    for column in (0..whole).step_by(WIDE) {
        let mut sums = [[0f32; WIDE]; R];
        for (h, sums) in sums.iter_mut().enumerate() {
            sums.copy_from_slice(&out[h * dim + column..][..WIDE]);
        }
        for (b, at) in (0..n).step_by(BLOCK).enumerate() {
            let used = BLOCK.min(n - at);
            let block = &values[b * step..][..used * dim];
            for (j, value) in block.chunks_exact(dim).enumerate() {
                let value = &value[column..][..WIDE];
                for h in 0..R {
                    let weight = rows[h][at + j];
                    for l in 0..WIDE {
                        sums[h][l] = mul_add::<FMA>(weight, value[l], sums[h][l]);
                    }
                }
            }
        }
        for (h, sums) in sums.iter().enumerate() {
            out[h * dim + column..][..WIDE].copy_from_slice(sums);
        }
    }
    for column in whole..dim {
        for (h, row) in rows.iter().enumerate() {
            let sum: f32 = row
                .iter()
                .enumerate()
                .map(|(j, weight)| weight * values[j / BLOCK * step + j % BLOCK * dim + column])
                .sum();
            out[h * dim + column] += sum;
        }
    }
}

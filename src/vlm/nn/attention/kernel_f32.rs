//! Attention kernels in f32, compiled for the processor's vector units. Loops index plainly instead
//! of using iterators, see [`vectorized`].

#![allow(clippy::manual_memcpy, clippy::needless_range_loop)]

use super::kernel::{AttentionKernel, GROUP};
use crate::vlm::nn::kv::layout::BLOCK;
use crate::vlm::nn::simd::{self, each, mul_add, vectorized};

/// Number of tokens whose scores are computed at once.
const CHUNK: usize = 2 * BLOCK;

impl AttentionKernel for f32 {
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

/// Calls `$f::<R, FMA>` with `R` equal to the number of queries.
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
    let mut at = 0;
    while at < n {
        let first = at / BLOCK * step;
        if at + CHUNK <= n {
            let pair = [&keys[first..][..size], &keys[first + step..][..size]];
            score_blocks::<R, 2, FMA>(queries, pair, CHUNK, &mut out[at..], stride);
            at += CHUNK;
        } else {
            let block = [&keys[first..][..size]];
            let used = if n - at < BLOCK { n - at } else { BLOCK };
            score_blocks::<R, 1, FMA>(queries, block, used, &mut out[at..], stride);
            at += BLOCK;
        }
    }
}

/// Scores `n` tokens of `W` blocks at once, so that each query element is loaded once for all.
#[inline(always)]
fn score_blocks<const R: usize, const W: usize, const FMA: bool>(
    queries: &[f32],
    blocks: [&[f32]; W],
    n: usize,
    out: &mut [f32],
    stride: usize,
) {
    let mut sums = [[[0f32; BLOCK]; W]; R];
    for i in each(0..queries.len() / R) {
        let queries = &queries[i * R..][..R];
        for h in each(0..R) {
            for w in each(0..W) {
                let keys = &blocks[w][i * BLOCK..][..BLOCK];
                for l in each(0..BLOCK) {
                    sums[h][w][l] = mul_add::<FMA>(queries[h], keys[l], sums[h][w][l]);
                }
            }
        }
    }
    for h in each(0..R) {
        for w in each(0..W) {
            let used = if n - w * BLOCK < BLOCK {
                n - w * BLOCK
            } else {
                BLOCK
            };
            let out = &mut out[h * stride + w * BLOCK..][..used];
            let scores = sums[h][w];
            if used == BLOCK {
                for l in each(0..BLOCK) {
                    out[l] = scores[l];
                }
                continue;
            }
            for l in each(0..used) {
                out[l] = scores[l];
            }
        }
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
    // Two registers wide, so that each weight is loaded once for both.
    const WIDE: usize = 2 * simd::LANES;
    let dim = out.len() / R;
    let mut column = 0;
    while column + WIDE <= dim {
        let mut sums = [[0f32; WIDE]; R];
        for h in each(0..R) {
            let out = &out[h * dim + column..][..WIDE];
            for l in each(0..WIDE) {
                sums[h][l] = out[l];
            }
        }
        for token in each(0..n) {
            let at = token / BLOCK * step + token % BLOCK * dim + column;
            let value = &values[at..][..WIDE];
            for h in each(0..R) {
                let weight = weights[h * stride + token];
                for l in each(0..WIDE) {
                    sums[h][l] = mul_add::<FMA>(weight, value[l], sums[h][l]);
                }
            }
        }
        for h in each(0..R) {
            let out = &mut out[h * dim + column..][..WIDE];
            for l in each(0..WIDE) {
                out[l] = sums[h][l];
            }
        }
        column += WIDE;
    }
    while column < dim {
        for h in each(0..R) {
            let mut sum = 0f32;
            for token in each(0..n) {
                let at = token / BLOCK * step + token % BLOCK * dim + column;
                sum += weights[h * stride + token] * values[at];
            }
            out[h * dim + column] += sum;
        }
        column += 1;
    }
}

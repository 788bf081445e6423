//! Attention kernels in bf16: with AVX-512 BF16, which adds the products of a pair to each f32 sum,
//! and a portable version.

#![allow(unsafe_code, reason = "vector instructions")]

use super::kernel::{AttentionKernel, GROUP};
use crate::vlm::nn::kv::element::{KvElement, multiplies_bf16};
use crate::vlm::nn::kv::layout::BLOCK;
use half::bf16;

const PAIR: usize = <bf16 as KvElement>::PAIR;

/// Calls `vectors::$f::<R>` with `R` equal to the number of queries.
#[cfg(target_arch = "x86_64")]
macro_rules! for_group {
    ($r:expr, $f:ident, $($arg:expr),*) => {
        // SAFETY: the caller has checked that the processor has the instructions.
        unsafe {
            match $r {
                1 => vectors::$f::<1>($($arg),*),
                2 => vectors::$f::<2>($($arg),*),
                3 => vectors::$f::<3>($($arg),*),
                4 => vectors::$f::<4>($($arg),*),
                5 => vectors::$f::<5>($($arg),*),
                6 => vectors::$f::<6>($($arg),*),
                7 => vectors::$f::<7>($($arg),*),
                _ => vectors::$f::<GROUP>($($arg),*),
            }
        }
    };
}

impl AttentionKernel for bf16 {
    fn score(
        queries: &[bf16],
        r: usize,
        keys: &[bf16],
        step: usize,
        n: usize,
        out: &mut [f32],
        stride: usize,
    ) {
        #[cfg(target_arch = "x86_64")]
        if multiplies_bf16() {
            for_group!(r, score, queries, keys, step, n, out, stride);
            return;
        }
        score(queries, r, keys, step, n, out, stride);
    }

    fn weights<'a>(weights: &'a [f32], buffer: &'a mut Vec<bf16>) -> &'a [bf16] {
        if buffer.len() < weights.len() {
            buffer.resize(weights.len(), bf16::ZERO);
        }
        let buffer = &mut buffer[..weights.len()];
        bf16::round(weights, buffer);
        buffer
    }

    fn accumulate(
        weights: &[bf16],
        r: usize,
        stride: usize,
        values: &[bf16],
        step: usize,
        n: usize,
        out: &mut [f32],
    ) {
        let mut done = 0;
        #[cfg(target_arch = "x86_64")]
        if multiplies_bf16() {
            for_group!(r, accumulate, weights, stride, values, step, n, out);
            done = out.len() / r / vectors::WIDE * vectors::WIDE;
        }
        if done * r < out.len() {
            accumulate(weights, r, stride, values, step, n, out, done);
        }
    }
}

fn score(
    queries: &[bf16],
    r: usize,
    keys: &[bf16],
    step: usize,
    n: usize,
    out: &mut [f32],
    stride: usize,
) {
    for h in 0..r {
        for token in 0..n {
            let block = &keys[token / BLOCK * step..];
            let mut sum = 0f32;
            for (i, queries) in queries.chunks_exact(r * PAIR).enumerate() {
                for place in 0..PAIR {
                    let key = block[(i * BLOCK + token % BLOCK) * PAIR + place];
                    sum += queries[h * PAIR + place].to_f32() * key.to_f32();
                }
            }
            out[h * stride + token] = sum;
        }
    }
}

/// Accumulates the values' columns from `first` on.
#[allow(clippy::too_many_arguments)]
fn accumulate(
    weights: &[bf16],
    r: usize,
    stride: usize,
    values: &[bf16],
    step: usize,
    n: usize,
    out: &mut [f32],
    first: usize,
) {
    let dim = out.len() / r;
    for (h, out) in out.chunks_exact_mut(dim).enumerate() {
        for (column, out) in out.iter_mut().enumerate().skip(first) {
            for token in 0..n {
                let (pair, place) = (token % BLOCK / PAIR, token % PAIR);
                let value = values[token / BLOCK * step + (pair * dim + column) * PAIR + place];
                *out += weights[h * stride + token].to_f32() * value.to_f32();
            }
        }
    }
}

/// The AVX-512 version. Its loops index plainly instead of using iterators, see the int8 kernel.
#[cfg(target_arch = "x86_64")]
#[allow(clippy::needless_range_loop)]
mod vectors {
    use super::{BLOCK, PAIR};
    use half::bf16;
    use std::arch::x86_64::*;

    const LANES: usize = 16;
    /// Columns of values that are accumulated at once.
    pub const WIDE: usize = 2 * LANES;
    /// Blocks of keys that are scored at once.
    const BLOCKS: usize = 2;

    /// # Safety
    /// The processor has AVX-512 BF16. This holds for all functions below.
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub unsafe fn score<const R: usize>(
        queries: &[bf16],
        keys: &[bf16],
        step: usize,
        n: usize,
        out: &mut [f32],
        stride: usize,
    ) {
        let size = queries.len() / R * BLOCK;
        let mut at = 0;
        while at < n {
            let block = at / BLOCK;
            let first = &keys[block * step..][..size];
            let out = &mut out[at..];
            // SAFETY: promised by the caller.
            unsafe {
                if n - at > BLOCK {
                    let second = &keys[(block + 1) * step..][..size];
                    score_blocks::<R, BLOCKS>(queries, [first, second], step, n - at, out, stride);
                } else {
                    score_blocks::<R, 1>(queries, [first], step, n - at, out, stride);
                }
            }
            at += BLOCKS * BLOCK;
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    unsafe fn score_blocks<const R: usize, const W: usize>(
        queries: &[bf16],
        keys: [&[bf16]; W],
        step: usize,
        n: usize,
        out: &mut [f32],
        stride: usize,
    ) {
        let pairs = queries.len() / (PAIR * R);
        let n = n.min(W * BLOCK);
        // The unsafe code below relies on these.
        for w in 0..W {
            assert!(keys[w].len() >= pairs * PAIR * BLOCK);
        }
        assert!(out.len() >= (R - 1) * stride + n);
        let mut sums = [[_mm512_setzero_ps(); W]; R];
        for pair in 0..pairs {
            let mut block = [_mm512_setzero_si512(); W];
            for w in 0..W {
                let at = keys[w].as_ptr().wrapping_add(pair * PAIR * BLOCK);
                // SAFETY: a pair of each of 16 tokens is 64 bytes, and there are `pairs` of them.
                block[w] = unsafe { load(at) };
                prefetch(at.wrapping_add(BLOCKS * step));
            }
            for h in 0..R {
                // SAFETY: there are `pairs * R` pairs.
                let query = unsafe { spread(queries.as_ptr().add((pair * R + h) * PAIR)) };
                for w in 0..W {
                    sums[h][w] = add_products(sums[h][w], query, block[w]);
                }
            }
        }
        for h in 0..R {
            for w in 0..W {
                let used = n.saturating_sub(w * BLOCK).min(BLOCK);
                let lanes = ((1u32 << used) - 1) as u16;
                // SAFETY: `out` has space for every lane in the mask.
                unsafe {
                    let at = out.as_mut_ptr().add(h * stride + w * BLOCK);
                    _mm512_mask_storeu_ps(at, lanes, sums[h][w]);
                }
            }
        }
    }

    #[target_feature(enable = "avx512f,avx512bf16")]
    pub unsafe fn accumulate<const R: usize>(
        weights: &[bf16],
        stride: usize,
        values: &[bf16],
        step: usize,
        n: usize,
        out: &mut [f32],
    ) {
        let dim = out.len() / R;
        // The unsafe code below relies on these.
        assert!(weights.len() >= (R - 1) * stride + n);
        let blocks = n.div_ceil(BLOCK);
        assert!(values.len() >= blocks.saturating_sub(1) * step + BLOCK * dim);
        let mut column = 0;
        while column + WIDE <= dim {
            let mut sums = [[_mm512_setzero_ps(); 2]; R];
            for h in 0..R {
                for half in 0..2 {
                    let at = h * dim + column + half * LANES;
                    // SAFETY: `out` has `R` rows of `dim` columns.
                    sums[h][half] = unsafe { _mm512_loadu_ps(out.as_ptr().add(at)) };
                }
            }
            let mut token = 0;
            while token < n {
                let pair = token % BLOCK / PAIR;
                let at = token / BLOCK * step + (pair * dim + column) * PAIR;
                // SAFETY: a pair of each of 32 columns is 128 bytes, within the block.
                let pairs = unsafe {
                    let at = values.as_ptr().add(at);
                    prefetch(at.wrapping_add(blocks * step));
                    prefetch(at.wrapping_add(blocks * step + PAIR * LANES));
                    [load(at), load(at.add(PAIR * LANES))]
                };
                for h in 0..R {
                    // SAFETY: there are `n` weights; an odd last one is read by itself.
                    let weight = unsafe {
                        let at = weights.as_ptr().add(h * stride + token);
                        match token + 1 < n {
                            true => spread(at),
                            false => _mm512_set1_epi32(i32::from(at.read().to_bits())),
                        }
                    };
                    for half in 0..2 {
                        sums[h][half] = add_products(sums[h][half], weight, pairs[half]);
                    }
                }
                token += PAIR;
            }
            for h in 0..R {
                for half in 0..2 {
                    let at = h * dim + column + half * LANES;
                    // SAFETY: as above.
                    unsafe { _mm512_storeu_ps(out.as_mut_ptr().add(at), sums[h][half]) };
                }
            }
            column += WIDE;
        }
    }

    /// Fetches 32 numbers of the blocks that follow into the cache. A sequence's own keys and values
    /// come from memory, and the processor does not see past the end of a block, where another head
    /// begins; without this a step of 32 icons took 3 % longer.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn prefetch(at: *const bf16) {
        // Only a hint: the address may be past the last block.
        _mm_prefetch::<_MM_HINT_T0>(at.cast());
    }

    /// Loads 32 numbers.
    ///
    /// # Safety
    /// `at` points to 32 numbers.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    unsafe fn load(at: *const bf16) -> __m512i {
        // SAFETY: promised by the caller.
        unsafe { _mm512_loadu_si512(at.cast()) }
    }

    /// Broadcasts a pair to every lane.
    ///
    /// # Safety
    /// `at` points to two numbers.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    unsafe fn spread(at: *const bf16) -> __m512i {
        // SAFETY: promised by the caller.
        _mm512_set1_epi32(unsafe { at.cast::<i32>().read_unaligned() })
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn add_products(sum: __m512, a: __m512i, b: __m512i) -> __m512 {
        // SAFETY: both types are 32 values of 16 bits.
        unsafe {
            let (a, b) = (
                std::mem::transmute::<__m512i, __m512bh>(a),
                std::mem::transmute::<__m512i, __m512bh>(b),
            );
            _mm512_dpbf16_ps(sum, a, b)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize, seed: usize) -> Vec<bf16> {
        let numbers =
            (0..count).map(|i| ((i * 7 + seed) * 2_654_435_761 % 1009) as f32 / 504.0 - 1.0);
        numbers.map(bf16::from_f32).collect()
    }

    fn assert_close(got: &[f32], expected: &[f32]) {
        for (got, expected) in got.iter().zip(expected) {
            assert!((got - expected).abs() < 1e-3, "{got} {expected}");
        }
    }

    /// On a processor without the instructions, this compares the portable kernel with itself.
    #[test]
    fn the_vector_kernel_equals_the_portable_one() {
        for (dim, kv_heads) in [(20, 1), (32, 2), (84, 2)] {
            let step = kv_heads * dim * BLOCK;
            let stored = numbers(5 * step, 1);
            for r in 1..=GROUP {
                for n in [1, 2, 15, 16, 17, 31, 33, 64, 79] {
                    let queries = numbers(r * dim, 3);
                    let stride = n + 3;
                    let mut scores = [vec![0f32; r * stride], vec![0f32; r * stride]];
                    score(&queries, r, &stored, step, n, &mut scores[0], stride);
                    bf16::score(&queries, r, &stored, step, n, &mut scores[1], stride);
                    assert_close(&scores[1], &scores[0]);
                    let weights = numbers(r * stride, 5);
                    let mut sums = [vec![1f32; r * dim], vec![1f32; r * dim]];
                    accumulate(&weights, r, stride, &stored, step, n, &mut sums[0], 0);
                    bf16::accumulate(&weights, r, stride, &stored, step, n, &mut sums[1]);
                    assert_close(&sums[1], &sums[0]);
                }
            }
        }
    }
}

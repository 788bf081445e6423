//! The kernel for processors with AVX2 but without VNNI: weights and activations are widened to 16
//! bits, so that pairs of products are added without overflow.

#![allow(unsafe_code, reason = "vector instructions")]

use super::layout::{PANEL, Panel, PanelBlock, STEP, TILE, TileBlock};
use super::prefetch::Prefetch;
use crate::vlm::nn::output::OutputTile;
use std::arch::x86_64::*;

/// Rows whose sums fit into registers for [`GROUP`] tokens.
const HALF: usize = 16;
const GROUP: usize = 3;

/// The kernel with AVX2, FMA and F16C.
///
/// # Safety
/// See [`TileKernel`](super::kernel::TileKernel).
#[target_feature(enable = "avx2,fma,f16c")]
#[allow(clippy::needless_range_loop)]
pub unsafe fn multiply<const STEPS: usize>(
    panel: &[PanelBlock<STEPS>],
    tile: &[TileBlock<STEPS>],
    used: usize,
    _: Prefetch,
    out: &OutputTile,
) {
    let mut sums = [[0f32; PANEL]; TILE];
    let mut wide = [[[0i16; STEP]; TILE]; STEPS];
    for index in 0..panel.len() {
        let (weights, values) = (&panel[index], &tile[index]);
        for step in 0..STEPS {
            for token in 0..TILE {
                for i in 0..STEP {
                    wide[step][token][i] = i16::from(values.values[step][token][i]);
                }
            }
        }
        let mut token = 0;
        while token < used {
            // SAFETY: promised by the caller; the tokens are within the tile.
            unsafe {
                match used - token {
                    1 => accumulate::<STEPS, 1>(weights, values, &wide, token, &mut sums),
                    2 => accumulate::<STEPS, 2>(weights, values, &wide, token, &mut sums),
                    _ => accumulate::<STEPS, GROUP>(weights, values, &wide, token, &mut sums),
                }
            }
            token += GROUP;
        }
    }
    // SAFETY: promised by the caller.
    unsafe { out.write(&sums[..used]) };
}

/// Adds the products of a block for `ROWS` tokens, starting at `first`.
///
/// # Safety
/// The processor has AVX2, FMA and F16C, and `first + ROWS` is at most [`TILE`].
#[target_feature(enable = "avx2,fma,f16c")]
#[allow(clippy::needless_range_loop)]
unsafe fn accumulate<const STEPS: usize, const ROWS: usize>(
    weights: &PanelBlock<STEPS>,
    values: &TileBlock<STEPS>,
    wide: &[[[i16; STEP]; TILE]; STEPS],
    first: usize,
    sums: &mut [[f32; PANEL]; TILE],
) {
    for half in 0..PANEL / HALF {
        let mut whole = [[_mm256_setzero_si256(); 4]; ROWS];
        for step in 0..STEPS {
            // SAFETY: half a step of a panel is 64 bytes, and four values of a token are 8.
            unsafe {
                let from = weights.weights[step]
                    .as_ptr()
                    .add(half * HALF)
                    .cast::<__m128i>();
                let mut four = [_mm256_setzero_si256(); 4];
                for i in 0..4 {
                    four[i] = _mm256_cvtepu8_epi16(_mm_load_si128(from.add(i)));
                }
                for row in 0..ROWS {
                    let value = wide[step].as_ptr().add(first + row).cast::<i64>();
                    let value = _mm256_set1_epi64x(value.read_unaligned());
                    for i in 0..4 {
                        let products = _mm256_madd_epi16(four[i], value);
                        whole[row][i] = _mm256_add_epi32(whole[row][i], products);
                    }
                }
            }
        }
        for pair in 0..2 {
            let lane = half * HALF + pair * 8;
            // SAFETY: eight scales are 16 bytes, and eight sums are 32.
            unsafe {
                let scales = _mm_loadu_si128(weights.scales.as_ptr().add(lane).cast());
                let scales = _mm256_cvtph_ps(scales);
                for row in 0..ROWS {
                    let token = first + row;
                    let both = [whole[row][2 * pair], whole[row][2 * pair + 1]];
                    // Adds the two halves of each row, which gives the order 0 1 4 5 2 3 6 7.
                    let sum = _mm256_hadd_epi32(both[0], both[1]);
                    let sum = _mm256_permute4x64_epi64::<0b11_01_10_00>(sum);
                    let sum = _mm256_add_epi32(
                        sum,
                        _mm256_set1_epi32(-PanelBlock::<STEPS>::OFFSET * values.totals[token]),
                    );
                    let scale = _mm256_mul_ps(scales, _mm256_set1_ps(values.scales[token]));
                    let at = sums[token].as_mut_ptr().add(lane);
                    let sum = _mm256_fmadd_ps(_mm256_cvtepi32_ps(sum), scale, _mm256_loadu_ps(at));
                    _mm256_storeu_ps(at, sum);
                }
            }
        }
    }
}

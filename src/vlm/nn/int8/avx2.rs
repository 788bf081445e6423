//! The kernel for processors with AVX2 but without VNNI, for 8-bit and 4-bit weights.

#![allow(unsafe_code, reason = "vector instructions")]

use super::layout::{PANEL, Panel, TILE, TileBlock};
use super::prefetch::Prefetch;
use crate::vlm::nn::output::OutputTile;
use std::arch::x86_64::*;

/// Registers of eight rows in a panel, and those whose sums for up to [`GROUP`] tokens fit into
/// registers.
const ALL: usize = PANEL / 8;
const HALF: usize = ALL / 2;
const GROUP: usize = 4;

/// The kernel with AVX2, FMA and F16C.
///
/// # Safety
/// See [`TileKernel`](super::kernel::TileKernel).
#[target_feature(enable = "avx2,fma,f16c")]
#[allow(clippy::needless_range_loop)]
pub unsafe fn multiply<const STEPS: usize, B: Panel<STEPS>>(
    panel: &[B],
    tile: &[TileBlock<STEPS>],
    used: usize,
    prefetch: Prefetch,
    out: &OutputTile,
) {
    let next = panel.as_ptr_range().end.cast::<i8>();
    let passes = ALL / HALF * used.div_ceil(GROUP);
    let mut sums = [[0f32; PANEL]; TILE];
    for index in 0..panel.len() {
        let (weights, values) = (&panel[index], &tile[index]);
        let ahead = next.wrapping_add(index * size_of::<B>());
        // SAFETY: promised by the caller; the tokens are within the tile.
        unsafe {
            match used {
                // Memory limits these, and is fastest if all rows are read in order.
                1 => accumulate::<STEPS, 1, ALL, B>(weights, 0, values, 0, &mut sums),
                2 => accumulate::<STEPS, 2, ALL, B>(weights, 0, values, 0, &mut sums),
                _ => {
                    for pass in 0..passes {
                        for line in prefetch.lines_of(pass, passes) {
                            // Only a hint: the address may be past the last panel.
                            let line = ahead.wrapping_add(line * Prefetch::LINE);
                            _mm_prefetch::<_MM_HINT_T1>(line);
                        }
                        let register = pass % 2 * HALF;
                        let first = pass / 2 * GROUP;
                        let some = match used - first {
                            1 => accumulate::<STEPS, 1, HALF, B>,
                            2 => accumulate::<STEPS, 2, HALF, B>,
                            3 => accumulate::<STEPS, 3, HALF, B>,
                            _ => accumulate::<STEPS, GROUP, HALF, B>,
                        };
                        some(weights, register, values, first, &mut sums);
                    }
                }
            }
        }
    }
    // SAFETY: promised by the caller.
    unsafe { out.write(&sums[..used]) };
}

/// Adds the products of some of a block's rows with `ROWS` tokens.
///
/// # Safety
/// The processor has FMA and F16C. See [`Panel::products_avx2`].
#[target_feature(enable = "avx2,fma,f16c")]
#[allow(clippy::needless_range_loop)]
unsafe fn accumulate<
    const STEPS: usize,
    const ROWS: usize,
    const REGISTERS: usize,
    B: Panel<STEPS>,
>(
    weights: &B,
    register: usize,
    values: &TileBlock<STEPS>,
    first: usize,
    sums: &mut [[f32; PANEL]; TILE],
) {
    // SAFETY: promised by the caller.
    let products = unsafe { weights.products_avx2::<ROWS, REGISTERS>(register, values, first) };
    for i in 0..REGISTERS {
        let lane = B::lane_avx2(register + i);
        // SAFETY: eight scales are 16 bytes, and eight sums are 32.
        unsafe {
            let scales = _mm_loadu_si128(weights.scales().as_ptr().add(lane).cast());
            let scales = _mm256_cvtph_ps(scales);
            for row in 0..ROWS {
                let token = first + row;
                let scale = _mm256_mul_ps(scales, _mm256_set1_ps(values.scales[token]));
                let at = sums[token].as_mut_ptr().add(lane);
                let whole = _mm256_cvtepi32_ps(products[row][i]);
                _mm256_storeu_ps(at, _mm256_fmadd_ps(whole, scale, _mm256_loadu_ps(at)));
            }
        }
    }
}

//! The kernel with AVX-512 VNNI, for 8-bit and 4-bit weights.

#![allow(unsafe_code, reason = "vector instructions")]

use super::layout::{PANEL, Panel, TILE, TileBlock};
use super::prefetch::Prefetch;
use crate::vlm::nn::output::OutputTile;
use std::arch::x86_64::*;

/// The kernel with AVX-512 VNNI.
///
/// # Safety
/// See [`TileKernel`](super::kernel::TileKernel).
pub unsafe fn multiply<const STEPS: usize, B: Panel<STEPS>>(
    panel: &[B],
    tile: &[TileBlock<STEPS>],
    used: usize,
    prefetch: Prefetch,
    out: &OutputTile,
) {
    // SAFETY: promised by the caller.
    unsafe {
        match used {
            1 => vnni::<STEPS, 1, B>(panel, tile, prefetch, out),
            2 => vnni::<STEPS, 2, B>(panel, tile, prefetch, out),
            3 => vnni::<STEPS, 3, B>(panel, tile, prefetch, out),
            4 => vnni::<STEPS, 4, B>(panel, tile, prefetch, out),
            5 => vnni::<STEPS, 5, B>(panel, tile, prefetch, out),
            6 => vnni::<STEPS, 6, B>(panel, tile, prefetch, out),
            7 => vnni::<STEPS, 7, B>(panel, tile, prefetch, out),
            _ => vnni::<STEPS, TILE, B>(panel, tile, prefetch, out),
        }
    }
}

/// Loops index plainly: iterator adapters are not always inlined into a function with its own target
/// features, and are ten times slower then.
///
/// # Safety
/// See [`TileKernel`](super::kernel::TileKernel), with `ROWS` tokens.
#[target_feature(enable = "avx512f,avx512vnni")]
#[allow(clippy::needless_range_loop)]
unsafe fn vnni<const STEPS: usize, const ROWS: usize, B: Panel<STEPS>>(
    panel: &[B],
    tile: &[TileBlock<STEPS>],
    prefetch: Prefetch,
    out: &OutputTile,
) {
    let next = panel.as_ptr_range().end.cast::<i8>();
    let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
    for index in 0..panel.len() {
        let (weights, values) = (&panel[index], &tile[index]);
        let ahead = next.wrapping_add(index * size_of::<B>());
        let mut whole = [[_mm512_setzero_si512(); 2]; ROWS];
        for row in 0..ROWS {
            whole[row] = [_mm512_set1_epi32(-B::OFFSET * values.totals[row]); 2];
        }
        // SAFETY: promised by the caller.
        let offsets = unsafe { weights.offsets() };
        let fours = values.values.as_ptr().cast::<i32>();
        for step in 0..STEPS {
            // Spread over the steps: all at once would fill the memory queue and stall.
            for line in prefetch.lines_of(step, STEPS) {
                // Only a hint: the address may be past the last panel.
                _mm_prefetch::<_MM_HINT_T1>(ahead.wrapping_add(line * Prefetch::LINE));
            }
            // SAFETY: promised by the caller; a step of a tile is `TILE` times four bytes, and there
            // are `STEPS` of them.
            unsafe {
                let [low, high] = weights.step(step, offsets);
                for row in 0..ROWS {
                    let four = _mm512_set1_epi32(fours.add(step * TILE + row).read());
                    whole[row][0] = _mm512_dpbusd_epi32(whole[row][0], low, four);
                    whole[row][1] = _mm512_dpbusd_epi32(whole[row][1], high, four);
                }
            }
        }
        // SAFETY: the scales of a panel are 64 bytes, two half registers.
        let scales = unsafe {
            let at = weights.scales().as_ptr().cast::<__m256i>();
            [
                _mm512_cvtph_ps(_mm256_loadu_si256(at)),
                _mm512_cvtph_ps(_mm256_loadu_si256(at.add(1))),
            ]
        };
        for row in 0..ROWS {
            let scale = _mm512_set1_ps(values.scales[row]);
            for half in 0..2 {
                let scale = _mm512_mul_ps(scales[half], scale);
                let whole = _mm512_cvtepi32_ps(whole[row][half]);
                sums[row][half] = _mm512_fmadd_ps(whole, scale, sums[row][half]);
            }
        }
    }
    let mut numbers = [[0f32; PANEL]; ROWS];
    for row in 0..ROWS {
        let at = numbers[row].as_mut_ptr();
        // SAFETY: a row is two registers.
        unsafe {
            _mm512_storeu_ps(at, sums[row][0]);
            _mm512_storeu_ps(at.add(PANEL / 2), sums[row][1]);
        }
    }
    // SAFETY: promised by the caller.
    unsafe { out.write(&numbers) };
}

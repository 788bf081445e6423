//! The kernel for VNNI with 256-bit registers: AVX-VNNI, which most processors without AVX-512 have,
//! and AVX-512 VNNI with VL, which is equivalent, for tests.

#![allow(unsafe_code, reason = "vector instructions")]

use super::layout::{PanelBlock, TileBlock};
use super::prefetch::Prefetch;
use crate::vlm::nn::output::OutputTile;

/// The kernel with AVX-VNNI.
///
/// # Safety
/// See [`TileKernel`](super::kernel::TileKernel).
pub unsafe fn multiply<const STEPS: usize>(
    panel: &[PanelBlock<STEPS>],
    tile: &[TileBlock<STEPS>],
    used: usize,
    _: Prefetch,
    out: &OutputTile,
) {
    // SAFETY: promised by the caller.
    unsafe {
        match is_x86_feature_detected!("avxvnni") {
            true => avx_vnni::multiply(panel, tile, used, out),
            false => avx512_vl::multiply(panel, tile, used, out),
        }
    }
}

/// Defines the kernel for one of the two names of the instruction.
macro_rules! product {
    ($name:ident, $features:literal, $multiply_add:ident) => {
        #[allow(clippy::needless_range_loop)]
        mod $name {
            use crate::vlm::nn::int8::layout::{PANEL, Panel, PanelBlock, TILE, TileBlock};
            use crate::vlm::nn::output::OutputTile;
            use std::arch::x86_64::*;

            /// Rows whose sums fit into registers for [`GROUP`] tokens.
            const HALF: usize = 16;
            const GROUP: usize = 4;

            #[target_feature(enable = $features)]
            pub unsafe fn multiply<const STEPS: usize>(
                panel: &[PanelBlock<STEPS>],
                tile: &[TileBlock<STEPS>],
                used: usize,
                out: &OutputTile,
            ) {
                let mut sums = [[0f32; PANEL]; TILE];
                for index in 0..panel.len() {
                    let (weights, values) = (&panel[index], &tile[index]);
                    let mut token = 0;
                    while token < used {
                        match used - token {
                            1 => accumulate::<STEPS, 1>(weights, values, token, &mut sums),
                            2 => accumulate::<STEPS, 2>(weights, values, token, &mut sums),
                            3 => accumulate::<STEPS, 3>(weights, values, token, &mut sums),
                            _ => accumulate::<STEPS, GROUP>(weights, values, token, &mut sums),
                        }
                        token += GROUP;
                    }
                }
                // SAFETY: promised by the caller.
                unsafe { out.write(&sums[..used]) };
            }

            /// Adds the products of a block for `ROWS` tokens, starting at `first`.
            #[target_feature(enable = $features)]
            fn accumulate<const STEPS: usize, const ROWS: usize>(
                weights: &PanelBlock<STEPS>,
                values: &TileBlock<STEPS>,
                first: usize,
                sums: &mut [[f32; PANEL]; TILE],
            ) {
                for half in 0..PANEL / HALF {
                    let mut whole = [[_mm256_setzero_si256(); 2]; ROWS];
                    for row in 0..ROWS {
                        let added = PanelBlock::<STEPS>::OFFSET * values.totals[first + row];
                        whole[row] = [_mm256_set1_epi32(-added); 2];
                    }
                    for step in 0..STEPS {
                        // SAFETY: half of a step is 64 bytes, two registers.
                        let (low, high) = unsafe {
                            let at = weights.weights[step].as_ptr().add(half * HALF);
                            let at = at.cast::<__m256i>();
                            (_mm256_load_si256(at), _mm256_load_si256(at.add(1)))
                        };
                        for row in 0..ROWS {
                            // SAFETY: the token is within the tile, and its four values are 4 bytes.
                            let four = unsafe {
                                let fours = values.values[step].as_ptr().cast::<i32>();
                                fours.add(first + row).read()
                            };
                            let four = _mm256_set1_epi32(four);
                            whole[row][0] = $multiply_add(whole[row][0], low, four);
                            whole[row][1] = $multiply_add(whole[row][1], high, four);
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
                                let scale = _mm256_set1_ps(values.scales[token]);
                                let scale = _mm256_mul_ps(scales, scale);
                                let at = sums[token].as_mut_ptr().add(lane);
                                let whole = _mm256_cvtepi32_ps(whole[row][pair]);
                                let sum = _mm256_fmadd_ps(whole, scale, _mm256_loadu_ps(at));
                                _mm256_storeu_ps(at, sum);
                            }
                        }
                    }
                }
            }
        }
    };
}

product!(avx_vnni, "avx2,fma,f16c,avxvnni", _mm256_dpbusd_avx_epi32);
product!(
    avx512_vl,
    "avx2,fma,f16c,avx512f,avx512vl,avx512vnni",
    _mm256_dpbusd_epi32
);

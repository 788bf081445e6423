//! The kernel with AMX: a tile register holds 16 rows of 64 bytes, and one instruction multiplies two
//! registers. The stable standard library has no functions for the instructions.

#![allow(unsafe_code, reason = "tile registers and vector instructions")]

use super::layout::{PANEL, Panel, PanelBlock, STEP, TILE, TileBlock};
use super::prefetch::Prefetch;
use crate::platform;
use crate::vlm::nn::output::OutputTile;
use std::arch::asm;
use std::arch::x86_64::*;
use std::sync::LazyLock;

/// Bytes of a row of a tile register.
const ROW: usize = 64;

/// Whether this processor has AMX for 8-bit integers, and the system lets this process use it.
pub fn is_available() -> bool {
    static IS_AVAILABLE: LazyLock<bool> = LazyLock::new(|| {
        const LEAF: u32 = 7;
        const OSXSAVE: u32 = 1 << 27;
        const AMX: u32 = 1 << 24 | 1 << 25;
        let has_leaf = __get_cpuid_max(0).0 >= LEAF;
        let has_tiles = has_leaf && __cpuid_count(LEAF, 0).edx & AMX == AMX;
        let saves_state = __cpuid(1).ecx & OSXSAVE != 0;
        has_tiles && saves_state && platform::allow_tile_registers()
    });
    *IS_AVAILABLE
}

/// The shapes of the tile registers, as the processor reads them.
#[repr(C, align(64))]
struct Shapes {
    palette: u8,
    start_row: u8,
    _reserved: [u8; 14],
    row_bytes: [u16; 8],
    _reserved_row_bytes: [u16; 8],
    rows: [u8; 8],
    _reserved_rows: [u8; 8],
}

impl Shapes {
    /// For so many steps at once: two registers of sums, one of activations, two of weights.
    const fn of(steps: usize) -> Self {
        let (tile, width, steps) = (TILE as u8, (steps * STEP) as u16, steps as u8);
        let row = ROW as u16;
        Self {
            palette: 1,
            start_row: 0,
            _reserved: [0; 14],
            row_bytes: [row, row, width, row, row, 0, 0, 0],
            _reserved_row_bytes: [0; 8],
            rows: [tile, tile, tile, steps, steps, 0, 0, 0],
            _reserved_rows: [0; 8],
        }
    }
}

/// How many steps of a block are multiplied at once: as many as fit into a row of a register.
const fn at_once(steps: usize) -> usize {
    let most = ROW / STEP;
    if steps < most { steps } else { most }
}

/// The sums of a block: of each token, one for each row of the panel.
#[repr(C, align(64))]
struct Sums([[i32; PANEL]; TILE]);

/// The kernel with AMX. Activations are in [`TileOrder::Tokens`](super::layout::TileOrder::Tokens).
///
/// # Safety
/// See [`TileKernel`](super::kernel::TileKernel).
#[target_feature(enable = "avx512f")]
#[allow(clippy::needless_range_loop)]
pub unsafe fn multiply<const STEPS: usize>(
    panel: &[PanelBlock<STEPS>],
    tile: &[TileBlock<STEPS>],
    used: usize,
    prefetch: Prefetch,
    out: &OutputTile,
) {
    let shapes = const { Shapes::of(at_once(STEPS)) };
    // SAFETY: the shapes are valid, and promised by the caller.
    unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const shapes, options(nostack, readonly)) };
    let next = panel.as_ptr_range().end.cast::<i8>();
    let mut sums = [[_mm512_setzero_ps(); 2]; TILE];
    let mut whole = Sums([[0; PANEL]; TILE]);
    for index in 0..panel.len() {
        let (weights, values) = (&panel[index], &tile[index]);
        let ahead = next.wrapping_add(index * size_of::<PanelBlock<STEPS>>());
        prefetch.lines().for_each(|line| {
            // Only a hint: the address may be past the last panel.
            _mm_prefetch::<_MM_HINT_T1>(ahead.wrapping_add(line * Prefetch::LINE));
        });
        // SAFETY: the registers have the shapes of these blocks.
        unsafe { multiply_block(weights, values, &mut whole) };
        // SAFETY: the scales of a panel are 64 bytes, two half registers.
        let scales = unsafe {
            let at = weights.scales.as_ptr().cast::<__m256i>();
            [
                _mm512_cvtph_ps(_mm256_loadu_si256(at)),
                _mm512_cvtph_ps(_mm256_loadu_si256(at.add(1))),
            ]
        };
        for token in 0..TILE {
            let scale = _mm512_set1_ps(values.scales[token]);
            let offset = PanelBlock::<STEPS>::OFFSET * values.totals[token];
            let offset = _mm512_set1_epi32(offset);
            for half in 0..2 {
                // SAFETY: half of a token's sums are one register.
                let whole = unsafe {
                    let at = whole.0[token].as_ptr().add(half * PANEL / 2);
                    _mm512_load_si512(at.cast())
                };
                let whole = _mm512_cvtepi32_ps(_mm512_sub_epi32(whole, offset));
                let scale = _mm512_mul_ps(scales[half], scale);
                sums[token][half] = _mm512_fmadd_ps(whole, scale, sums[token][half]);
            }
        }
    }
    // SAFETY: promised by the caller. Unused registers cost nothing when threads are switched.
    unsafe { asm!("tilerelease", options(nostack, nomem)) };
    let mut numbers = [[0f32; PANEL]; TILE];
    for token in 0..TILE {
        let at = numbers[token].as_mut_ptr();
        // SAFETY: a row is two registers.
        unsafe {
            _mm512_storeu_ps(at, sums[token][0]);
            _mm512_storeu_ps(at.add(PANEL / 2), sums[token][1]);
        }
    }
    // SAFETY: promised by the caller.
    unsafe { out.write(&numbers[..used]) };
}

/// Multiplies the block of a panel with that of a tile. The weights are unsigned, the activations
/// signed.
///
/// # Safety
/// The processor has AMX, and the registers have the shapes for `STEPS`.
#[inline(always)]
unsafe fn multiply_block<const STEPS: usize>(
    weights: &PanelBlock<STEPS>,
    values: &TileBlock<STEPS>,
    whole: &mut Sums,
) {
    const { assert!(STEPS.is_multiple_of(at_once(STEPS))) };
    // SAFETY: promised by the caller. A step of weights is `PANEL` times four bytes, the activations
    // of a token are `STEPS` times four, and both blocks have `STEPS` steps.
    unsafe {
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            out("tmm0") _, out("tmm1") _,
            options(nostack, nomem),
        );
        for step in (0..STEPS).step_by(at_once(STEPS)) {
            asm!(
                "tileloadd tmm2, [{values} + {per_token}]",
                "tileloadd tmm3, [{weights} + {per_step}]",
                "tdpbsud tmm0, tmm2, tmm3",
                "tileloadd tmm4, [{weights} + {per_step} + 64]",
                "tdpbsud tmm1, tmm2, tmm4",
                values = in(reg) values.values.as_ptr().cast::<u8>().add(step * STEP),
                per_token = in(reg) STEPS * STEP,
                weights = in(reg) weights.weights[step].as_ptr(),
                per_step = in(reg) PANEL * STEP,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _, out("tmm4") _,
                options(nostack, readonly),
            );
        }
        asm!(
            "tilestored [{sums} + {per_token}], tmm0",
            "tilestored [{sums} + {per_token} + 64], tmm1",
            sums = in(reg) whole.0.as_mut_ptr(),
            per_token = in(reg) PANEL * size_of::<i32>(),
            options(nostack),
        );
    }
}

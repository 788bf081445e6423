//! The product of panels with tiles, spread over threads: with AVX-512 VNNI, and the same numbers one
//! by one.

#![allow(
    unsafe_code,
    reason = "vector instructions, and threads that write to parts of one output"
)]

use super::layout::{PANEL, Panel, STEP, TILE, TileBlock};
use crate::vlm::nn::output::{Finish, Output, Part};
use rayon::prelude::*;

/// Bytes of activations that stay in the second-level cache while the panels pass by.
const ACTIVATION_BYTES: usize = 1 << 20;

/// Parts of a product for each thread.
const SHARES: usize = 8;

/// How products are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Path {
    /// One by one, on any processor: what the instructions are tested against.
    Plain,
    Avx2,
    AvxVnni,
    Avx512Vnni,
}

impl Path {
    /// The fastest first.
    pub const ALL: [Self; 4] = [Self::Avx512Vnni, Self::AvxVnni, Self::Avx2, Self::Plain];

    /// Whether this processor has the instructions.
    pub fn is_available(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return match self {
            Self::Plain => true,
            Self::Avx2 => {
                is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("fma")
                    && is_x86_feature_detected!("f16c")
            }
            // The same instruction has another name where there is AVX-512: tests need no other
            // processor.
            Self::AvxVnni => {
                Self::Avx2.is_available()
                    && (is_x86_feature_detected!("avxvnni")
                        || is_x86_feature_detected!("avx512vnni")
                            && is_x86_feature_detected!("avx512vl"))
            }
            Self::Avx512Vnni => {
                is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vnni")
            }
        };
        #[cfg(not(target_arch = "x86_64"))]
        return self == Self::Plain;
    }

    /// The fastest that this processor has.
    pub fn best() -> Self {
        let mut available = Self::ALL.into_iter().filter(|path| path.is_available());
        available.next().unwrap_or(Self::Plain)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "none",
            Self::Avx2 => "AVX2",
            Self::AvxVnni => "AVX-VNNI",
            Self::Avx512Vnni => "AVX-512 VNNI",
        }
    }
}

/// Multiplies a panel with the first tokens of a tile, so many.
///
/// # Safety
/// The processor has the instructions. The tile has as many blocks as the panel. The part's output,
/// bias and residual hold what [`Part`] says, so many tokens from its first on, and nobody else
/// touches that part of the output meanwhile.
pub type Product<const STEPS: usize, B> =
    unsafe fn(&[B], &[TileBlock<STEPS>], usize, Fetch, &Part<'_>);

/// Multiplies the rows of `panels`, which has this `(rows, columns)`, with the tokens of `tiles`,
/// which were `numbers` activations. Gives what `finish` makes of them, `(tokens, rows)` or half as
/// many.
///
/// # Safety
/// The processor has the instructions of `product`.
pub unsafe fn multiply<const STEPS: usize, B: Panel<STEPS>>(
    product: Product<STEPS, B>,
    panels: &[B],
    tiles: &[TileBlock<STEPS>],
    (rows, columns): (usize, usize),
    numbers: usize,
    finish: Finish,
) -> Vec<f32> {
    let (tokens, width) = (numbers / columns, finish.width(rows));
    let per_row = columns / (STEPS * STEP);
    // What the unsafe code below goes by.
    assert_eq!(panels.len(), rows.div_ceil(PANEL) * per_row);
    match finish {
        Finish::Gate => assert!(rows.is_multiple_of(PANEL)),
        Finish::Add { bias, residual, .. } => {
            assert!(bias.is_none_or(|bias| bias.len() == rows));
            assert!(residual.is_none_or(|residual| residual.len() == tokens * rows));
        }
    }
    let tiles = &tiles[..tokens.div_ceil(TILE) * per_row];
    let products = tokens * width;
    let mut out: Vec<f32> = Vec::with_capacity(products);
    let shared = Output::new(&mut out);
    // Tiles that pass over a panel while it is in the cache.
    let at_once = (ACTIVATION_BYTES / (per_row * size_of::<TileBlock<STEPS>>())).max(1);
    // Panels that a thread takes at a time: few, so that none waits long for the last of another.
    let threads = rayon::current_num_threads();
    let at_a_time = (panels.len() / per_row / (SHARES * threads)).max(1);
    for (group, tiles) in tiles.chunks(at_once * per_row).enumerate() {
        let passes = tiles.len() / per_row;
        let all = panels.par_chunks(per_row).enumerate();
        let panels = all.with_max_len(at_a_time);
        panels.for_each(|(panel, blocks)| {
            let column = panel * finish.width(PANEL);
            for (pass, activations) in tiles.chunks_exact(per_row).enumerate() {
                let token = (group * at_once + pass) * TILE;
                let part = Part {
                    out: &shared,
                    width,
                    token,
                    column,
                    finish,
                };
                let used = TILE.min(tokens - token);
                let fetch = Fetch::share::<B>(pass, passes);
                // SAFETY: the sizes are asserted above, and the instructions promised; no other
                // panel or tile writes this part of `out`, which outlives the loop.
                unsafe { product(blocks, activations, used, fetch, &part) };
            }
        });
    }
    // SAFETY: the panels cover all rows of the matrix and the tiles all tokens, so every number
    // was written. Zeroing them first took 3 % of a step.
    unsafe { out.set_len(products) };
    out
}

/// The cache lines of each block of the next panel that a pass over this one prefetches.
#[derive(Clone, Copy)]
pub struct Fetch {
    first: usize,
    end: usize,
}

impl Fetch {
    const LINE: usize = 64;

    /// Divides the lines between the passes over a panel.
    fn share<B>(pass: usize, passes: usize) -> Self {
        let lines = size_of::<B>() / Self::LINE;
        Self {
            first: lines * pass / passes,
            end: lines * (pass + 1) / passes,
        }
    }
}

/// The product with AVX-512 VNNI.
///
/// # Safety
/// As for [`Product`].
#[cfg(target_arch = "x86_64")]
pub unsafe fn multiply_tile<const STEPS: usize, B: Panel<STEPS>>(
    panel: &[B],
    tile: &[TileBlock<STEPS>],
    used: usize,
    fetch: Fetch,
    part: &Part,
) {
    // SAFETY: promised by the caller.
    unsafe {
        match used {
            1 => vnni::<STEPS, 1, B>(panel, tile, fetch, part),
            2 => vnni::<STEPS, 2, B>(panel, tile, fetch, part),
            3 => vnni::<STEPS, 3, B>(panel, tile, fetch, part),
            4 => vnni::<STEPS, 4, B>(panel, tile, fetch, part),
            5 => vnni::<STEPS, 5, B>(panel, tile, fetch, part),
            6 => vnni::<STEPS, 6, B>(panel, tile, fetch, part),
            7 => vnni::<STEPS, 7, B>(panel, tile, fetch, part),
            _ => vnni::<STEPS, TILE, B>(panel, tile, fetch, part),
        }
    }
}

/// The same numbers on any processor, one by one.
///
/// # Safety
/// As for [`Product`], on any processor.
pub unsafe fn multiply_plainly<const STEPS: usize, B: Panel<STEPS>>(
    panel: &[B],
    tile: &[TileBlock<STEPS>],
    used: usize,
    _: Fetch,
    part: &Part,
) {
    let mut sums = [[0f32; PANEL]; TILE];
    for (token, sums) in sums.iter_mut().enumerate().take(used) {
        for (lane, sum) in sums.iter_mut().enumerate() {
            for (weights, values) in panel.iter().zip(tile) {
                let mut whole = -B::ADDED * values.totals[token];
                for (step, values) in values.values.iter().enumerate() {
                    let weights = weights.weights(step, lane);
                    for (weight, value) in weights.iter().zip(&values[token]) {
                        whole += i32::from(*weight) * i32::from(*value);
                    }
                }
                let scale = weights.scales()[lane].to_f32() * values.scales[token];
                *sum = (whole as f32).mul_add(scale, *sum);
            }
        }
    }
    // SAFETY: promised by the caller.
    unsafe { part.write(&sums[..used]) };
}

/// Loops here are plain ones over numbers: adapters of iterators are not always compiled into a
/// function with instructions of its own, and then take ten times as long.
///
/// # Safety
/// As for [`Product`], with `ROWS` tokens.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vnni")]
#[allow(clippy::needless_range_loop)]
unsafe fn vnni<const STEPS: usize, const ROWS: usize, B: Panel<STEPS>>(
    panel: &[B],
    tile: &[TileBlock<STEPS>],
    fetch: Fetch,
    part: &Part,
) {
    use std::arch::x86_64::*;
    let next = panel.as_ptr_range().end.cast::<i8>();
    let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
    for index in 0..panel.len() {
        let (weights, values) = (&panel[index], &tile[index]);
        let ahead = next.wrapping_add(index * size_of::<B>());
        let mut line = fetch.first;
        let mut whole = [[_mm512_setzero_si512(); 2]; ROWS];
        for row in 0..ROWS {
            whole[row] = [_mm512_set1_epi32(-B::ADDED * values.totals[row]); 2];
        }
        // SAFETY: promised by the caller.
        let offsets = unsafe { weights.offsets() };
        let fours = values.values.as_ptr().cast::<i32>();
        for step in 0..STEPS {
            // Spread over the steps: together they would fill the queue of the memory, and wait.
            let end = fetch.first + (fetch.end - fetch.first) * (step + 1) / STEPS;
            while line < end {
                // Only a hint: it may lie behind the last panel.
                _mm_prefetch::<_MM_HINT_T1>(ahead.wrapping_add(line * Fetch::LINE));
                line += 1;
            }
            // SAFETY: promised by the caller; a step of a tile is `TILE` times four bytes, and there
            // are `STEPS`.
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
    unsafe { part.write(&numbers) };
}

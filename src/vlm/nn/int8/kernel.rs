//! Multiplies panels with tiles on many threads. Contains the AVX-512 VNNI kernel and the portable
//! one.

#![allow(
    unsafe_code,
    reason = "vector instructions, and threads that write to disjoint parts of one output"
)]

use super::layout::{PANEL, Panel, STEP, TILE, TileBlock};
use crate::vlm::nn::output::{ACTIVATION_BYTES, Epilogue, Output, OutputTile};
use rayon::prelude::*;

/// Target number of tasks per thread.
const SHARES: usize = 8;

/// The vector instructions that a kernel uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstructionSet {
    /// None. Runs on any processor, as the reference in tests.
    Portable,
    Avx2,
    AvxVnni,
    Avx512Vnni,
}

impl InstructionSet {
    /// Fastest first.
    pub const ALL: [Self; 4] = [Self::Avx512Vnni, Self::AvxVnni, Self::Avx2, Self::Portable];

    /// Whether this processor has the instructions.
    pub fn is_available(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        return match self {
            Self::Portable => true,
            Self::Avx2 => {
                is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("fma")
                    && is_x86_feature_detected!("f16c")
            }
            // AVX-512 has the same instruction under another name, which lets tests cover it there.
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
        return self == Self::Portable;
    }

    /// The fastest that this processor has.
    pub fn best() -> Self {
        let mut available = Self::ALL.into_iter().filter(|it| it.is_available());
        available.next().unwrap_or(Self::Portable)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "none",
            Self::Avx2 => "AVX2",
            Self::AvxVnni => "AVX-VNNI",
            Self::Avx512Vnni => "AVX-512 VNNI",
        }
    }
}

/// A kernel that multiplies a panel with the given number of tokens of a tile.
///
/// # Safety
/// The processor has the instructions. The tile has as many blocks as the panel. The output, bias
/// and residual have the sizes documented in [`OutputTile`] for this number of tokens, and no other
/// thread accesses this part of the output meanwhile.
pub type TileKernel<const STEPS: usize, B> =
    unsafe fn(&[B], &[TileBlock<STEPS>], usize, Prefetch, &OutputTile<'_>);

/// Multiplies a matrix of shape `(rows, columns)`, packed in `panels`, with the activations in
/// `tiles`; `numbers` is the count of activations. Returns the result of the epilogue,
/// `(tokens, rows)`, or `(tokens, rows / 2)` with gates.
///
/// # Safety
/// The processor has the instructions of `kernel`.
pub unsafe fn multiply<const STEPS: usize, B: Panel<STEPS>>(
    kernel: TileKernel<STEPS, B>,
    panels: &[B],
    tiles: &[TileBlock<STEPS>],
    (rows, columns): (usize, usize),
    numbers: usize,
    epilogue: Epilogue,
) -> Vec<f32> {
    let (tokens, width) = (numbers / columns, epilogue.width(rows));
    let per_row = columns / (STEPS * STEP);
    // The unsafe code below relies on these.
    assert_eq!(panels.len(), rows.div_ceil(PANEL) * per_row);
    match epilogue {
        Epilogue::Gate => assert!(rows.is_multiple_of(PANEL)),
        Epilogue::Add { bias, residual, .. } => {
            assert!(bias.is_none_or(|bias| bias.len() == rows));
            assert!(residual.is_none_or(|residual| residual.len() == tokens * rows));
        }
    }
    let tiles = &tiles[..tokens.div_ceil(TILE) * per_row];
    let outputs = tokens * width;
    let mut out: Vec<f32> = Vec::with_capacity(outputs);
    let shared = Output::new(&mut out);
    // Number of tiles that use a panel while it is in the cache.
    let group_tiles = (ACTIVATION_BYTES / (per_row * size_of::<TileBlock<STEPS>>())).max(1);
    // Panels per task: few, so that no thread waits long for the last task of another.
    let threads = rayon::current_num_threads();
    let task_panels = (panels.len() / per_row / (SHARES * threads)).max(1);
    for (group, tiles) in tiles.chunks(group_tiles * per_row).enumerate() {
        let passes = tiles.len() / per_row;
        let all = panels.par_chunks(per_row).enumerate();
        let panels = all.with_max_len(task_panels);
        panels.for_each(|(panel, blocks)| {
            let column = panel * epilogue.width(PANEL);
            for (pass, activations) in tiles.chunks_exact(per_row).enumerate() {
                let token = (group * group_tiles + pass) * TILE;
                let out = OutputTile {
                    out: &shared,
                    width,
                    token,
                    column,
                    epilogue,
                };
                let used = TILE.min(tokens - token);
                let prefetch = Prefetch::share::<B>(pass, passes);
                // SAFETY: the sizes are asserted above, and the caller promises the instructions. No
                // other panel or tile writes this part of the output, which outlives the loop.
                unsafe { kernel(blocks, activations, used, prefetch, &out) };
            }
        });
    }
    // SAFETY: the panels cover all rows of the matrix and the tiles cover all tokens, so every
    // element was written. Zeroing them first took 3 % of a step.
    unsafe { out.set_len(outputs) };
    out
}

/// The cache lines of each block of the next panel that a pass over the current one prefetches.
#[derive(Clone, Copy)]
pub struct Prefetch {
    first: usize,
    end: usize,
}

impl Prefetch {
    const LINE: usize = 64;

    /// Divides the lines among the passes over a panel.
    fn share<B>(pass: usize, passes: usize) -> Self {
        let lines = size_of::<B>() / Self::LINE;
        Self {
            first: lines * pass / passes,
            end: lines * (pass + 1) / passes,
        }
    }
}

/// The kernel with AVX-512 VNNI.
///
/// # Safety
/// See [`TileKernel`].
#[cfg(target_arch = "x86_64")]
pub unsafe fn multiply_tile<const STEPS: usize, B: Panel<STEPS>>(
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

/// The kernel for any processor.
///
/// # Safety
/// See [`TileKernel`].
pub unsafe fn multiply_portable<const STEPS: usize, B: Panel<STEPS>>(
    panel: &[B],
    tile: &[TileBlock<STEPS>],
    used: usize,
    _: Prefetch,
    out: &OutputTile,
) {
    let mut sums = [[0f32; PANEL]; TILE];
    for (token, sums) in sums.iter_mut().enumerate().take(used) {
        for (lane, sum) in sums.iter_mut().enumerate() {
            for (weights, values) in panel.iter().zip(tile) {
                let mut whole = -B::OFFSET * values.totals[token];
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
    unsafe { out.write(&sums[..used]) };
}

/// Loops index plainly: iterator adapters are not always inlined into a function with its own target
/// features, and are ten times slower then.
///
/// # Safety
/// See [`TileKernel`], with `ROWS` tokens.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vnni")]
#[allow(clippy::needless_range_loop)]
unsafe fn vnni<const STEPS: usize, const ROWS: usize, B: Panel<STEPS>>(
    panel: &[B],
    tile: &[TileBlock<STEPS>],
    prefetch: Prefetch,
    out: &OutputTile,
) {
    use std::arch::x86_64::*;
    let next = panel.as_ptr_range().end.cast::<i8>();
    let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
    for index in 0..panel.len() {
        let (weights, values) = (&panel[index], &tile[index]);
        let ahead = next.wrapping_add(index * size_of::<B>());
        let mut line = prefetch.first;
        let mut whole = [[_mm512_setzero_si512(); 2]; ROWS];
        for row in 0..ROWS {
            whole[row] = [_mm512_set1_epi32(-B::OFFSET * values.totals[row]); 2];
        }
        // SAFETY: promised by the caller.
        let offsets = unsafe { weights.offsets() };
        let fours = values.values.as_ptr().cast::<i32>();
        for step in 0..STEPS {
            // Spread over the steps: all at once would fill the memory queue and stall.
            let end = prefetch.first + (prefetch.end - prefetch.first) * (step + 1) / STEPS;
            while line < end {
                // Only a hint: the address may be past the last panel.
                _mm_prefetch::<_MM_HINT_T1>(ahead.wrapping_add(line * Prefetch::LINE));
                line += 1;
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

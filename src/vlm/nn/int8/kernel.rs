//! Multiplies panels with tiles on many threads, with the kernel of an instruction set. Contains the
//! kernel for any processor.

#![allow(
    unsafe_code,
    reason = "threads that write to disjoint parts of one output"
)]

use super::layout::{PANEL, Panel, STEP, TILE, TileBlock};
use super::prefetch::Prefetch;
use crate::vlm::nn::output::{ACTIVATION_BYTES, Epilogue, OutputTile};
use crate::vlm::nn::team::{self, SharedPointer};

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
    /// For 8-bit weights, and AVX-512 VNNI for others.
    Amx,
}

impl InstructionSet {
    /// Fastest first.
    pub const ALL: [Self; 5] = [
        Self::Amx,
        Self::Avx512Vnni,
        Self::AvxVnni,
        Self::Avx2,
        Self::Portable,
    ];

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
            Self::Amx => Self::Avx512Vnni.is_available() && super::amx::is_available(),
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
            Self::Amx => "AMX",
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
    let shared = SharedPointer::new(out.as_mut_ptr());
    // Number of tiles that use a panel while it is in the cache.
    let group_tiles = (ACTIVATION_BYTES / (per_row * size_of::<TileBlock<STEPS>>())).max(1);
    // Panels per task: few, so that no thread waits long for the last task of another.
    let task_panels = (panels.len() / per_row / (SHARES * team::threads())).max(1);
    for (group, tiles) in tiles.chunks(group_tiles * per_row).enumerate() {
        let passes = tiles.len() / per_row;
        team::for_each(panels.len() / per_row, task_panels, |panel| {
            let blocks = &panels[panel * per_row..][..per_row];
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
                let prefetch = Prefetch::share::<B>(pass, passes, tokens);
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

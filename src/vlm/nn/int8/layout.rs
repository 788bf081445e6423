//! How weights and activations lie for the kernel: panels of rows and tiles of tokens, block by
//! block. Loops inside are plain ones over numbers, see the kernel.

#![allow(
    unsafe_code,
    clippy::needless_range_loop,
    reason = "a promise about plain numbers, registers, and loops for vector instructions"
)]

use crate::vlm::nn::pages::{Pages, Plain};
use crate::vlm::nn::vectors::vectorized;
use candle_core::Result;
use half::f16;
use rayon::prelude::*;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{__m512i, _mm512_load_si512, _mm512_setzero_si512};

/// Rows of weights side by side: two registers of 16.
pub const PANEL: usize = 32;
/// Activation rows that a pass over a panel takes.
pub const TILE: usize = 8;
/// Weights of a row that one instruction takes.
pub const STEP: usize = 4;

/// Adding this rounds to the nearest whole number, in the low bits.
pub const ROUND: f32 = 12_582_912.0;

/// A block of `STEPS * STEP` weights of each row of a panel.
pub trait Panel<const STEPS: usize>: Plain + Send + Sync {
    const EMPTY: Self;
    /// Added to each weight: the instruction takes one unsigned operand.
    const ADDED: i32;

    /// What a whole number of a weight stands for, row by row.
    fn scales(&self) -> &[f16; PANEL];

    /// Weights of a row, with what is added.
    fn weights(&self, step: usize, lane: usize) -> [u8; STEP];

    /// Takes over a row of another block.
    fn copy_lane(&mut self, lane: usize, from: &Self, its: usize);

    /// Rounds `STEPS * STEP` weights of a row.
    fn round(&mut self, lane: usize, numbers: &[f32]);

    /// What [`Self::step`] needs of a block, in registers.
    ///
    /// # Safety
    /// The processor has AVX-512, here and below.
    #[cfg(target_arch = "x86_64")]
    unsafe fn offsets(&self) -> [__m512i; 2];

    /// Four weights of each row, with what is added. `step` is below `STEPS`.
    ///
    /// # Safety
    /// As above.
    #[cfg(target_arch = "x86_64")]
    unsafe fn step(&self, step: usize, offsets: [__m512i; 2]) -> [__m512i; 2];
}

/// A block of weights of eight bits.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub struct PanelBlock<const STEPS: usize> {
    /// Four weights of row 0, of row 1, ...; then the next four. 128 is added to each.
    pub weights: [[[u8; STEP]; PANEL]; STEPS],
    pub scales: [f16; PANEL],
}

// SAFETY: it consists of whole numbers and of f16, without gaps: any bytes are a value of each.
unsafe impl<const STEPS: usize> Plain for PanelBlock<STEPS> {}

impl<const STEPS: usize> Panel<STEPS> for PanelBlock<STEPS> {
    const EMPTY: Self = Self {
        weights: [[[128; STEP]; PANEL]; STEPS],
        scales: [f16::ZERO; PANEL],
    };
    const ADDED: i32 = 128;

    #[inline(always)]
    fn scales(&self) -> &[f16; PANEL] {
        &self.scales
    }

    fn weights(&self, step: usize, lane: usize) -> [u8; STEP] {
        self.weights[step][lane]
    }

    fn copy_lane(&mut self, lane: usize, from: &Self, its: usize) {
        self.scales[lane] = from.scales[its];
        for step in 0..STEPS {
            self.weights[step][lane] = from.weights[step][its];
        }
    }

    fn round(&mut self, lane: usize, numbers: &[f32]) {
        let mut most = 0f32;
        largest(numbers, &mut most);
        self.scales[lane] = f16::from_f32(most / 127.0);
        let mut fours = [[128u8; STEP]; STEPS];
        let scale = self.scales[lane].to_f32();
        if scale > 0.0 {
            round(numbers, 1.0 / scale, fours.as_flattened_mut());
        }
        for step in 0..STEPS {
            self.weights[step][lane] = fours[step];
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn offsets(&self) -> [__m512i; 2] {
        // SAFETY: promised by the caller.
        [unsafe { _mm512_setzero_si512() }; 2]
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn step(&self, step: usize, _: [__m512i; 2]) -> [__m512i; 2] {
        let at = self.weights.as_ptr().cast::<__m512i>();
        // SAFETY: a step is 128 bytes, two registers, and there are `STEPS`.
        unsafe {
            [
                _mm512_load_si512(at.add(2 * step)),
                _mm512_load_si512(at.add(2 * step + 1)),
            ]
        }
    }
}

/// Numbers that are looked at together.
pub const LANES: usize = 16;

/// The largest size of a number. There are whole [`LANES`] of them.
#[inline(always)]
fn size_of_largest(numbers: &[f32]) -> f32 {
    let mut most = [0f32; LANES];
    let mut at = 0;
    while at + LANES <= numbers.len() {
        let chunk = &numbers[at..][..LANES];
        for i in 0..LANES {
            let size = chunk[i].abs();
            most[i] = if size > most[i] { size } else { most[i] };
        }
        at += LANES;
    }
    let mut largest = 0f32;
    for i in 0..LANES {
        largest = if most[i] > largest { most[i] } else { largest };
    }
    largest
}

vectorized! {
    fn largest(numbers: &[f32], out: &mut f32) {
        *out = size_of_largest(numbers);
    }
}

vectorized! {
    /// Numbers in steps of one scale, whose inverse is given, with 128 added.
    fn round(numbers: &[f32], inverse: f32, out: &mut [u8]) {
        let out = &mut out[..numbers.len()];
        for i in 0..numbers.len() {
            let number = (numbers[i] * inverse).clamp(-127.0, 127.0);
            let whole = (number + ROUND).to_bits() as i32;
            out[i] = (whole.wrapping_sub(ROUND.to_bits() as i32) + 128) as u8;
        }
    }
}

/// A block of each row of a tile of activations.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub struct TileBlock<const STEPS: usize> {
    pub values: [[[i8; STEP]; TILE]; STEPS],
    /// The sums of the values: they tell what is added to weights from a product.
    pub totals: [i32; TILE],
    pub scales: [f32; TILE],
}

impl<const STEPS: usize> TileBlock<STEPS> {
    pub const EMPTY: Self = Self {
        values: [[[0; STEP]; TILE]; STEPS],
        totals: [0; TILE],
        scales: [0.0; TILE],
    };
}

/// Packs `rows` of numbers, `columns` wide, panel after panel. `read` gives those of a row.
pub fn pack<const STEPS: usize, B: Panel<STEPS>>(
    (rows, columns): (usize, usize),
    read: &(dyn Fn(usize, &mut [f32]) + Sync),
) -> Result<Pages<B>> {
    let per_row = columns / (STEPS * STEP);
    let mut blocks: Pages<B> = Pages::new(rows.div_ceil(PANEL) * per_row)?;
    let panels = blocks.par_chunks_mut(per_row).enumerate();
    panels.for_each_init(
        || vec![0f32; columns],
        |numbers, (panel, blocks)| {
            blocks.fill(B::EMPTY);
            for row in panel * PANEL..rows.min((panel + 1) * PANEL) {
                read(row, numbers);
                let parts = numbers.chunks_exact(STEPS * STEP);
                for (block, numbers) in blocks.iter_mut().zip(parts) {
                    block.round(row % PANEL, numbers);
                }
            }
        },
    );
    Ok(blocks)
}

/// Blocks that a thread quantizes at a time: enough to be worth waking for.
const BLOCKS: usize = 16;

/// Quantizes rows of activations, `columns` wide, into tiles.
pub fn quantize<const STEPS: usize>(x: &[f32], columns: usize, tiles: &mut [TileBlock<STEPS>]) {
    let (width, per_row) = (STEPS * STEP, columns / (STEPS * STEP));
    let blocks = tiles.par_iter_mut().enumerate().with_min_len(BLOCKS);
    blocks.for_each(|(index, block)| {
        let rows = x[index / per_row * TILE * columns..].chunks_exact(columns);
        for (lane, row) in rows.take(TILE).enumerate() {
            let values = &row[index % per_row * width..][..width];
            let steps = block.values.as_flattened_mut();
            let (total, scale) = (&mut block.totals[lane], &mut block.scales[lane]);
            quantize_block(values, lane, steps, total, scale);
        }
    });
}

vectorized! {
    /// Quantizes a block of a row of activations into its lane of the tile, whose steps follow each
    /// other.
    fn quantize_block(values: &[f32], lane: usize, steps: &mut [[i8; STEP]], total: &mut i32,
                      scale: &mut f32) {
        let largest = size_of_largest(values);
        let inverse = if largest > 0.0 { 127.0 / largest } else { 0.0 };
        let mut sums = [0i32; LANES];
        // Times zero, a number that is not finite is NaN, and so is what it is added to.
        let mut broken = [0f32; LANES];
        let mut first = 0;
        while first + LANES <= values.len() {
            let chunk = &values[first..][..LANES];
            let mut whole = [0i8; LANES];
            for i in 0..LANES {
                let bits = (chunk[i] * inverse + ROUND).to_bits() as i32;
                whole[i] = bits.wrapping_sub(ROUND.to_bits() as i32) as i8;
                sums[i] += i32::from(whole[i]);
                broken[i] += chunk[i] * 0.0;
            }
            for four in 0..LANES / STEP {
                let at = four * STEP;
                steps[(first / STEP + four) * TILE + lane] =
                    [whole[at], whole[at + 1], whole[at + 2], whole[at + 3]];
            }
            first += LANES;
        }
        let mut sum = 0;
        let mut finite = 0f32;
        for i in 0..LANES {
            sum += sums[i];
            finite += broken[i];
        }
        *total = sum;
        // NaN and infinity must survive quantization.
        *scale = largest / 127.0 + finite;
    }
}

//! Memory layout of weights and activations for the kernel: panels of rows and tiles of tokens,
//! block by block. Loops index plainly instead of using iterators, see the kernel.

#![allow(
    unsafe_code,
    clippy::needless_range_loop,
    reason = "plain-data impls, vector instructions and loops that vectorize"
)]

use crate::vlm::nn::pages::{Pages, Pod};
use crate::vlm::nn::simd::{LANES, vectorized};
use crate::vlm::nn::team;
use candle_core::Result;
use half::f16;
use rayon::prelude::*;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// Rows of weights per panel: two registers of 16.
pub const PANEL: usize = 32;
/// Activation rows per pass over a panel.
pub const TILE: usize = 8;
/// Weights of a row per instruction.
pub const STEP: usize = 4;

/// Adding this rounds to the nearest integer, in the low bits.
pub const ROUND: f32 = 12_582_912.0;

/// A block of `STEPS * STEP` weights of each row of a panel. A row's index in its panel is its lane.
pub trait Panel<const STEPS: usize>: Pod + Send + Sync {
    const EMPTY: Self;
    /// Offset that makes weights unsigned, since the instruction takes one unsigned operand.
    const OFFSET: i32;

    /// The scale of each row.
    fn scales(&self) -> &[f16; PANEL];

    /// Four weights of a row, offset included.
    fn weights(&self, step: usize, lane: usize) -> [u8; STEP];

    /// Copies lane `from_lane` of another block.
    fn copy_lane(&mut self, lane: usize, from: &Self, from_lane: usize);

    /// Quantizes `STEPS * STEP` weights of a row.
    fn quantize(&mut self, lane: usize, numbers: &[f32]);

    /// Loads the values that [`Self::step`] needs.
    ///
    /// # Safety
    /// The processor has AVX-512.
    #[cfg(target_arch = "x86_64")]
    unsafe fn offsets(&self) -> [__m512i; 2];

    /// Loads four weights of each row, offset included.
    ///
    /// # Safety
    /// The processor has AVX-512, and `step` is below `STEPS`.
    #[cfg(target_arch = "x86_64")]
    unsafe fn step(&self, step: usize, offsets: [__m512i; 2]) -> [__m512i; 2];

    /// The first of the eight lanes in a register of [`Self::products_avx2`].
    #[cfg(target_arch = "x86_64")]
    fn lane_avx2(register: usize) -> usize;

    /// Multiplies eight rows for each register with `ROWS` tokens, starting at `token`. Returns the
    /// sums without scales and offset. There are four registers in all.
    ///
    /// # Safety
    /// The processor has AVX2, `REGISTERS` is 2 or 4, `register` is a multiple of it and below 4, and
    /// `token + ROWS` is at most [`TILE`].
    #[cfg(target_arch = "x86_64")]
    unsafe fn products_avx2<const ROWS: usize, const REGISTERS: usize>(
        &self,
        register: usize,
        tile: &TileBlock<STEPS>,
        token: usize,
    ) -> [[__m256i; REGISTERS]; ROWS];
}

/// A block of 8-bit weights.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub struct PanelBlock<const STEPS: usize> {
    /// Four weights of each row, then the next four, with 128 added to each.
    pub weights: [[[u8; STEP]; PANEL]; STEPS],
    pub scales: [f16; PANEL],
}

// SAFETY: it consists of integers and f16 without padding, for which any bytes are valid.
unsafe impl<const STEPS: usize> Pod for PanelBlock<STEPS> {}

impl<const STEPS: usize> Panel<STEPS> for PanelBlock<STEPS> {
    const EMPTY: Self = Self {
        weights: [[[128; STEP]; PANEL]; STEPS],
        scales: [f16::ZERO; PANEL],
    };
    const OFFSET: i32 = 128;

    #[inline(always)]
    fn scales(&self) -> &[f16; PANEL] {
        &self.scales
    }

    fn weights(&self, step: usize, lane: usize) -> [u8; STEP] {
        self.weights[step][lane]
    }

    fn copy_lane(&mut self, lane: usize, from: &Self, from_lane: usize) {
        self.scales[lane] = from.scales[from_lane];
        for step in 0..STEPS {
            self.weights[step][lane] = from.weights[step][from_lane];
        }
    }

    fn quantize(&mut self, lane: usize, numbers: &[f32]) {
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
        // SAFETY: a step is 128 bytes, two registers, and there are `STEPS` of them.
        unsafe {
            [
                _mm512_load_si512(at.add(2 * step)),
                _mm512_load_si512(at.add(2 * step + 1)),
            ]
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn lane_avx2(register: usize) -> usize {
        register * 8
    }

    /// The instruction multiplies unsigned with signed numbers and adds two products in 16 bits, which
    /// overflow with weights up to 255. Therefore weights lose their offset, and their signs are moved
    /// to the activations.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn products_avx2<const ROWS: usize, const REGISTERS: usize>(
        &self,
        register: usize,
        tile: &TileBlock<STEPS>,
        token: usize,
    ) -> [[__m256i; REGISTERS]; ROWS] {
        // SAFETY: a step is 128 bytes, four registers, and four values of a token are 4 bytes.
        unsafe {
            let (ones, offset) = (_mm256_set1_epi16(1), _mm256_set1_epi8(-128));
            let mut sums = [[_mm256_setzero_si256(); REGISTERS]; ROWS];
            for step in 0..STEPS {
                let at = self.weights[step].as_ptr().cast::<__m256i>().add(register);
                let mut signed = [_mm256_setzero_si256(); REGISTERS];
                let mut sizes = signed;
                for i in 0..REGISTERS {
                    // Flipping the highest bit subtracts the offset.
                    signed[i] = _mm256_xor_si256(_mm256_load_si256(at.add(i)), offset);
                    sizes[i] = _mm256_abs_epi8(signed[i]);
                }
                let values = tile.values[step].as_ptr().cast::<i32>().add(token);
                for row in 0..ROWS {
                    let four = _mm256_set1_epi32(values.add(row).read());
                    for i in 0..REGISTERS {
                        let four = _mm256_sign_epi8(four, signed[i]);
                        let pairs = _mm256_maddubs_epi16(sizes[i], four);
                        let products = _mm256_madd_epi16(pairs, ones);
                        sums[row][i] = _mm256_add_epi32(sums[row][i], products);
                    }
                }
            }
            sums
        }
    }
}

/// The largest absolute value. The length must be a multiple of [`LANES`].
#[inline(always)]
fn max_abs(numbers: &[f32]) -> f32 {
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
        *out = max_abs(numbers);
    }
}

vectorized! {
    /// Quantizes numbers by the inverse of their scale and adds 128.
    fn round(numbers: &[f32], inverse: f32, out: &mut [u8]) {
        let out = &mut out[..numbers.len()];
        for i in 0..numbers.len() {
            let number = (numbers[i] * inverse).clamp(-127.0, 127.0);
            let whole = (number + ROUND).to_bits() as i32;
            out[i] = (whole.wrapping_sub(ROUND.to_bits() as i32) + 128) as u8;
        }
    }
}

/// The order of the values of a tile's block, four at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TileOrder {
    /// Those of each token, then the next of each: `(steps, tokens)`.
    Steps,
    /// All of a token, then all of the next: `(tokens, steps)`.
    Tokens,
}

/// A block of quantized activations of each row of a tile.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub struct TileBlock<const STEPS: usize> {
    /// In [`TileOrder::Steps`]; with another order, only the bytes are meaningful.
    pub values: [[[i8; STEP]; TILE]; STEPS],
    /// Sums of the values, which correct products for the offset of the weights.
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

/// Quantizes and packs a matrix into panels; `read` returns one row.
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
                    block.quantize(row % PANEL, numbers);
                }
            }
        },
    );
    Ok(blocks)
}

/// Most blocks of a tile that a thread quantizes at a time.
const BLOCKS: usize = 16;

/// Quantizes rows of activations, `columns` wide, into tiles.
pub fn quantize<const STEPS: usize>(
    x: &[f32],
    columns: usize,
    order: TileOrder,
    tiles: &mut [TileBlock<STEPS>],
) {
    // The distance of consecutive values of a token, and of consecutive tokens.
    let (per_step, per_token) = match order {
        TileOrder::Steps => (TILE, 1),
        TileOrder::Tokens => (1, STEPS),
    };
    let (width, per_row) = (STEPS * STEP, columns / (STEPS * STEP));
    let grain = (tiles.len() / (2 * team::threads())).clamp(1, BLOCKS);
    team::for_chunks(tiles, 1, grain, |index, block| {
        let block = &mut block[0];
        let rows = x[index / per_row * TILE * columns..].chunks_exact(columns);
        for (lane, row) in rows.take(TILE).enumerate() {
            let values = &row[index % per_row * width..][..width];
            let steps = &mut block.values.as_flattened_mut()[lane * per_token..];
            let (total, scale) = (&mut block.totals[lane], &mut block.scales[lane]);
            quantize_block(values, per_step, steps, total, scale);
        }
    });
}

vectorized! {
    /// Quantizes one block of a row of activations. Writes four values at each `per_step`th place.
    fn quantize_block(values: &[f32], per_step: usize, steps: &mut [[i8; STEP]], total: &mut i32,
                      scale: &mut f32) {
        let largest = max_abs(values);
        let inverse = if largest > 0.0 { 127.0 / largest } else { 0.0 };
        let mut sums = [0i32; LANES];
        // Becomes NaN if any value is NaN or infinite, since those times zero are NaN.
        let mut not_finite = [0f32; LANES];
        let mut first = 0;
        while first + LANES <= values.len() {
            let chunk = &values[first..][..LANES];
            let mut whole = [0i8; LANES];
            for i in 0..LANES {
                let bits = (chunk[i] * inverse + ROUND).to_bits() as i32;
                whole[i] = bits.wrapping_sub(ROUND.to_bits() as i32) as i8;
                sums[i] += i32::from(whole[i]);
                not_finite[i] += chunk[i] * 0.0;
            }
            for four in 0..LANES / STEP {
                let at = four * STEP;
                steps[(first / STEP + four) * per_step] =
                    [whole[at], whole[at + 1], whole[at + 2], whole[at + 3]];
            }
            first += LANES;
        }
        let mut sum = 0;
        let mut zero_or_nan = 0f32;
        for i in 0..LANES {
            sum += sums[i];
            zero_or_nan += not_finite[i];
        }
        *total = sum;
        // NaN and infinity must survive quantization.
        *scale = largest / 127.0 + zero_or_nan;
    }
}

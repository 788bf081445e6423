//! How weights and activations lie for the kernel: panels of rows and tiles of tokens, block by
//! block. Loops inside are plain ones over numbers, see the kernel.

#![allow(
    unsafe_code,
    clippy::needless_range_loop,
    reason = "a promise about plain numbers, and loops for vector instructions"
)]

use super::pages::{Pages, Plain};
use crate::vlm::nn::ops::vectorized;
use candle_core::Result;
use half::f16;
use rayon::prelude::*;

/// Weights of a row that share a scale in a file.
pub const FILE_BLOCK: usize = 32;
/// Bytes of a Q8_0 block: the scale as f16, then the weights.
const Q8_0_BYTES: usize = 2 + FILE_BLOCK;
/// Rows of weights side by side: two registers of 16.
pub const PANEL: usize = 32;
/// Activation rows that a pass over a panel takes.
pub const TILE: usize = 8;
/// Weights of a row that one instruction takes.
pub const STEP: usize = 4;

/// Adding this rounds to the nearest whole number, in the low bits.
const ROUND: f32 = 12_582_912.0;

/// A block of `STEPS * STEP` weights of each row of a panel.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub struct PanelBlock<const STEPS: usize> {
    /// Four weights of row 0, of row 1, ...; then the next four. 128 is added to each: the
    /// instruction takes one unsigned operand.
    pub weights: [[[u8; STEP]; PANEL]; STEPS],
    pub scales: [f16; PANEL],
}

impl<const STEPS: usize> PanelBlock<STEPS> {
    pub const EMPTY: Self = Self {
        weights: [[[128; STEP]; PANEL]; STEPS],
        scales: [f16::ZERO; PANEL],
    };
}

// SAFETY: it consists of whole numbers and of f16, without gaps: any bytes are a value of each.
unsafe impl<const STEPS: usize> Plain for PanelBlock<STEPS> {}

/// A block of each row of a tile of activations.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub struct TileBlock<const STEPS: usize> {
    pub values: [[[i8; STEP]; TILE]; STEPS],
    /// Cancels what the 128 added to each weight adds to a sum.
    pub shifts: [i32; TILE],
    pub scales: [f32; TILE],
}

impl<const STEPS: usize> TileBlock<STEPS> {
    pub const EMPTY: Self = Self {
        values: [[[0; STEP]; TILE]; STEPS],
        shifts: [0; TILE],
        scales: [0.0; TILE],
    };
}

/// Packs rows of Q8_0, `columns` wide, panel after panel. Where a block is wider than a file's, its
/// weights are rounded to the scale that they now share.
pub fn pack<const STEPS: usize>(
    data: &[u8],
    rows: usize,
    columns: usize,
) -> Result<Pages<PanelBlock<STEPS>>> {
    let per_row = columns / (STEPS * STEP);
    let row_bytes = columns / FILE_BLOCK * Q8_0_BYTES;
    let mut blocks = Pages::new(rows.div_ceil(PANEL) * per_row)?;
    blocks
        .par_chunks_mut(per_row)
        .zip(data.par_chunks(PANEL * row_bytes))
        .for_each(|(panel, rows)| {
            panel.fill(PanelBlock::EMPTY);
            for (lane, row) in rows.chunks_exact(row_bytes).enumerate() {
                pack_row(row, lane, panel);
            }
        });
    Ok(blocks)
}

/// Packs one row into its lane of a panel.
fn pack_row<const STEPS: usize>(row: &[u8], lane: usize, panel: &mut [PanelBlock<STEPS>]) {
    let parts = STEPS * STEP / FILE_BLOCK;
    let bytes = row.as_chunks::<Q8_0_BYTES>().0;
    let mut fours = [[0u8; STEP]; STEPS];
    for (index, block) in panel.iter_mut().enumerate() {
        let parts = &bytes[index * parts..][..parts];
        block.scales[lane] = match parts {
            // As they are.
            [part] => scale_of(part),
            _ => {
                let mut most = 0f32;
                most_of(parts, &mut most);
                f16::from_f32(most / 127.0)
            }
        };
        match block.scales[lane].to_f32() {
            0.0 => fours = [[128; STEP]; STEPS],
            scale => round(parts, 1.0 / scale, fours.as_flattened_mut()),
        }
        for step in 0..STEPS {
            block.weights[step][lane] = fours[step];
        }
    }
}

fn scale_of(part: &[u8; Q8_0_BYTES]) -> f16 {
    f16::from_le_bytes([part[0], part[1]])
}

vectorized! {
    /// The largest of the weights, as a number.
    fn most_of(parts: &[[u8; Q8_0_BYTES]], out: &mut f32) {
        *out = 0.0;
        for part in parts {
            let mut most = 0u8;
            for i in 0..FILE_BLOCK {
                let weight = (part[2 + i] as i8).unsigned_abs();
                most = if weight > most { weight } else { most };
            }
            *out = out.max(scale_of(part).to_f32().abs() * f32::from(most));
        }
    }
}

vectorized! {
    /// The weights of a file's blocks in steps of one scale, whose inverse is given, with 128 added.
    fn round(parts: &[[u8; Q8_0_BYTES]], inverse: f32, out: &mut [u8]) {
        for index in 0..parts.len() {
            let part = &parts[index];
            // One block keeps its own scale, and its weights are whole already.
            let factor = if parts.len() == 1 { 1.0 } else { scale_of(part).to_f32() * inverse };
            let out = &mut out[index * FILE_BLOCK..][..FILE_BLOCK];
            for i in 0..FILE_BLOCK {
                let weight = f32::from(part[2 + i] as i8) * factor;
                let whole = (weight.clamp(-127.0, 127.0) + ROUND).to_bits() as i32;
                out[i] = (whole.wrapping_sub(ROUND.to_bits() as i32) + 128) as u8;
            }
        }
    }
}

/// Quantizes rows of activations, `columns` wide, into tiles.
pub fn quantize<const STEPS: usize>(x: &[f32], columns: usize, tiles: &mut [TileBlock<STEPS>]) {
    let per_row = columns / (STEPS * STEP);
    tiles
        .par_chunks_mut(per_row)
        .zip(x.par_chunks(TILE * columns))
        .for_each(|(tile, rows)| {
            for (lane, row) in rows.chunks_exact(columns).enumerate() {
                for (block, values) in tile.iter_mut().zip(row.chunks_exact(STEPS * STEP)) {
                    let steps = block.values.as_flattened_mut();
                    let (shift, scale) = (&mut block.shifts[lane], &mut block.scales[lane]);
                    quantize_block(values, lane, steps, shift, scale);
                }
            }
        });
}

vectorized! {
    /// Quantizes a block of a row of activations into its lane of the tile, whose steps follow each
    /// other.
    fn quantize_block(values: &[f32], lane: usize, steps: &mut [[i8; STEP]], shift: &mut i32,
                      scale: &mut f32) {
        let chunks = values.as_chunks::<16>().0;
        let mut most = [0f32; 16];
        for chunk in chunks {
            for i in 0..16 {
                most[i] = if chunk[i].abs() > most[i] { chunk[i].abs() } else { most[i] };
            }
        }
        let mut largest = 0f32;
        for value in most {
            largest = if value > largest { value } else { largest };
        }
        let inverse = if largest > 0.0 { 127.0 / largest } else { 0.0 };
        let mut sums = [0i32; 16];
        // Times zero, a number that is not finite is NaN, and so is what it is added to.
        let mut broken = [0f32; 16];
        for (index, chunk) in chunks.iter().enumerate() {
            let mut whole = [0i8; 16];
            for i in 0..16 {
                let bits = (chunk[i] * inverse + ROUND).to_bits() as i32;
                whole[i] = bits.wrapping_sub(ROUND.to_bits() as i32) as i8;
                sums[i] += i32::from(whole[i]);
                broken[i] += chunk[i] * 0.0;
            }
            for four in 0..4 {
                let at = four * STEP;
                steps[(index * 4 + four) * TILE + lane] =
                    [whole[at], whole[at + 1], whole[at + 2], whole[at + 3]];
            }
        }
        let mut sum = 0;
        let mut finite = 0f32;
        for i in 0..16 {
            sum += sums[i];
            finite += broken[i];
        }
        *shift = -128 * sum;
        // NaN and infinity must survive quantization.
        *scale = largest / 127.0 + finite;
    }
}

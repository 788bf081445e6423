//! 4-bit weights for the same kernel: integers from 0 to 15 with a zero point and a scale for every
//! block of 32 in a row, which makes 4.75 bits per weight.

#![allow(
    unsafe_code,
    clippy::needless_range_loop,
    reason = "a plain-data impl, vector instructions and loops that vectorize"
)]

use super::layout::{PANEL, Panel, ROUND, STEP, TileBlock};
use crate::vlm::nn::pages::Pod;
use crate::vlm::nn::simd::{LANES, vectorized};
use half::f16;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// Steps per block.
pub const STEPS: usize = 8;
const WEIGHTS: usize = STEPS * STEP;
/// Number of rows in the low nibbles of a step's bytes; the other rows are in the high nibbles.
const LOW: usize = PANEL / 2;
const MAX_LEVEL: f32 = 15.0;

/// A block of 32 weights of each row of a panel.
#[derive(Clone, Copy)]
#[repr(C, align(32))]
pub struct NibbleBlock {
    levels: [[[u8; STEP]; LOW]; STEPS],
    scales: [f16; PANEL],
    /// [`Panel::OFFSET`] minus the zero point: the difference between a weight and its level.
    offsets: [u8; PANEL],
}

// SAFETY: it consists of integers and f16 without padding, for which any bytes are valid.
unsafe impl Pod for NibbleBlock {}

impl NibbleBlock {
    fn level(&self, step: usize, lane: usize) -> [u8; STEP] {
        let shift = 4 * (lane / LOW);
        self.levels[step][lane % LOW].map(|byte| byte >> shift & 15)
    }

    fn put(&mut self, step: usize, lane: usize, levels: [u8; STEP]) {
        let shift = 4 * (lane / LOW);
        let bytes = &mut self.levels[step][lane % LOW];
        for i in 0..STEP {
            bytes[i] = bytes[i] & !(15 << shift) | levels[i] << shift;
        }
    }
}

impl Panel<STEPS> for NibbleBlock {
    const EMPTY: Self = Self {
        levels: [[[0; STEP]; LOW]; STEPS],
        scales: [f16::ZERO; PANEL],
        offsets: [Self::OFFSET as u8; PANEL],
    };
    const OFFSET: i32 = 16;

    #[inline(always)]
    fn scales(&self) -> &[f16; PANEL] {
        &self.scales
    }

    fn weights(&self, step: usize, lane: usize) -> [u8; STEP] {
        let levels = self.level(step, lane);
        // A damaged file may contain any offset.
        levels.map(|level| level.wrapping_add(self.offsets[lane]))
    }

    fn copy_lane(&mut self, lane: usize, from: &Self, from_lane: usize) {
        self.scales[lane] = from.scales[from_lane];
        self.offsets[lane] = from.offsets[from_lane];
        for step in 0..STEPS {
            self.put(step, lane, from.level(step, from_lane));
        }
    }

    fn quantize(&mut self, lane: usize, numbers: &[f32]) {
        let mut block = QuantizedBlock {
            scale: f16::ZERO,
            zero: 0.0,
            levels: [0; WEIGHTS],
        };
        quantize_block(numbers, &mut block);
        self.scales[lane] = block.scale;
        self.offsets[lane] = (Self::OFFSET - block.zero as i32) as u8;
        for (step, levels) in block.levels.as_chunks::<STEP>().0.iter().enumerate() {
            self.put(step, lane, *levels);
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn offsets(&self) -> [__m512i; 2] {
        // SAFETY: half of the offsets are 16 bytes, one for each row.
        unsafe {
            let at = self.offsets.as_ptr().cast::<__m128i>();
            let four = _mm512_set1_epi32(0x0101_0101);
            let low = _mm512_cvtepu8_epi32(_mm_loadu_si128(at));
            let high = _mm512_cvtepu8_epi32(_mm_loadu_si128(at.add(1)));
            [
                _mm512_mullo_epi32(low, four),
                _mm512_mullo_epi32(high, four),
            ]
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn step(&self, step: usize, offsets: [__m512i; 2]) -> [__m512i; 2] {
        // SAFETY: a step is 64 bytes, one register, and there are `STEPS` of them.
        unsafe {
            let both = _mm512_loadu_si512(self.levels.as_ptr().cast::<__m512i>().add(step));
            let low = _mm512_set1_epi8(15);
            // No byte overflows into the next: a level and its offset are at most 31.
            [
                _mm512_add_epi32(_mm512_and_si512(both, low), offsets[0]),
                _mm512_add_epi32(
                    _mm512_and_si512(_mm512_srli_epi32::<4>(both), low),
                    offsets[1],
                ),
            ]
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    fn lane_avx2(register: usize) -> usize {
        register % 2 * LOW + register / 2 * 8
    }

    /// Sums of 16 bits hold all 16 products of a level and a value, since `16 * 15 * 127` is below
    /// `1 << 15`. The zero point times the total of the values is subtracted in the end.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn products_avx2<const ROWS: usize, const REGISTERS: usize>(
        &self,
        register: usize,
        tile: &TileBlock<STEPS>,
        token: usize,
    ) -> [[__m256i; REGISTERS]; ROWS] {
        // SAFETY: a step is 64 bytes, two registers of two levels a byte, four values of a token are 4
        // bytes, and eight offsets are 8.
        unsafe {
            let low = _mm256_set1_epi8(15);
            let mut pairs = [[_mm256_setzero_si256(); REGISTERS]; ROWS];
            for step in 0..STEPS {
                let at = self.levels[step].as_ptr().cast::<__m256i>();
                let mut levels = [_mm256_setzero_si256(); REGISTERS];
                for i in 0..REGISTERS / 2 {
                    let both = _mm256_load_si256(at.add(register / 2 + i));
                    levels[2 * i] = _mm256_and_si256(both, low);
                    levels[2 * i + 1] = _mm256_and_si256(_mm256_srli_epi16::<4>(both), low);
                }
                let values = tile.values[step].as_ptr().cast::<i32>().add(token);
                for row in 0..ROWS {
                    let four = _mm256_set1_epi32(values.add(row).read());
                    for i in 0..REGISTERS {
                        let products = _mm256_maddubs_epi16(levels[i], four);
                        pairs[row][i] = _mm256_add_epi16(pairs[row][i], products);
                    }
                }
            }
            let ones = _mm256_set1_epi16(1);
            let mut sums = [[_mm256_setzero_si256(); REGISTERS]; ROWS];
            for i in 0..REGISTERS {
                let lane = Self::lane_avx2(register + i);
                let offsets = _mm_loadl_epi64(self.offsets.as_ptr().add(lane).cast());
                let offsets = _mm256_cvtepu8_epi32(offsets);
                let offsets = _mm256_sub_epi32(offsets, _mm256_set1_epi32(Self::OFFSET));
                for row in 0..ROWS {
                    let total = _mm256_set1_epi32(tile.totals[token + row]);
                    let offset = _mm256_mullo_epi32(offsets, total);
                    sums[row][i] = _mm256_add_epi32(_mm256_madd_epi16(pairs[row][i], ones), offset);
                }
            }
            sums
        }
    }
}

/// A quantized block of one row.
struct QuantizedBlock {
    scale: f16,
    /// The level of zero.
    zero: f32,
    levels: [u8; WEIGHTS],
}

vectorized! {
    /// Finds the scale and zero point with the least squared error. The largest values may be
    /// clipped to bring the others closer.
    fn quantize_block(numbers: &[f32], out: &mut QuantizedBlock) {
        let numbers = &numbers[..WEIGHTS];
        let (mut low, mut high) = ([0f32; LANES], [0f32; LANES]);
        for part in 0..WEIGHTS / LANES {
            let chunk = &numbers[part * LANES..][..LANES];
            for i in 0..LANES {
                low[i] = if chunk[i] < low[i] { chunk[i] } else { low[i] };
                high[i] = if chunk[i] > high[i] { chunk[i] } else { high[i] };
            }
        }
        let (mut least, mut most) = (0f32, 0f32);
        for i in 0..LANES {
            least = if low[i] < least { low[i] } else { least };
            most = if high[i] > most { high[i] } else { most };
        }
        const CANDIDATES: usize = 10;
        const CLIP_STEP: f32 = 0.04;
        let mut best = f32::INFINITY;
        let mut inverse = 0f32;
        for candidate in 0..CANDIDATES {
            let kept = 1.0 - CLIP_STEP * candidate as f32;
            let rounded = f16::from_f32((most - least) * kept / MAX_LEVEL);
            let scale = rounded.to_f32();
            if scale <= 0.0 {
                continue;
            }
            let inverse_scale = 1.0 / scale;
            let zero = (-least * kept * inverse_scale).round().clamp(0.0, MAX_LEVEL);
            let mut errors = [0f32; LANES];
            for part in 0..WEIGHTS / LANES {
                let chunk = &numbers[part * LANES..][..LANES];
                for i in 0..LANES {
                    let level = (chunk[i] * inverse_scale + zero).clamp(0.0, MAX_LEVEL);
                    let level = level + ROUND - ROUND;
                    let error = (level - zero) * scale - chunk[i];
                    errors[i] += error * error;
                }
            }
            let mut sum = 0f32;
            for i in 0..LANES {
                sum += errors[i];
            }
            if sum < best {
                best = sum;
                (out.scale, out.zero, inverse) = (rounded, zero, inverse_scale);
            }
        }
        for i in 0..WEIGHTS {
            let level = (numbers[i] * inverse + out.zero).clamp(0.0, MAX_LEVEL);
            out.levels[i] = ((level + ROUND).to_bits() & 15) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantized_weights_are_close_and_zero_is_exact() {
        let numbers: Vec<f32> = (0..WEIGHTS)
            .map(|i| match i % 7 {
                0 => 0.0,
                _ => ((i * 37 % 101) as f32 - 40.0) / 100.0,
            })
            .collect();
        let mut block = NibbleBlock::EMPTY;
        for lane in [0, 15, 16, 31] {
            block.quantize(lane, &numbers);
        }
        for lane in [0, 15, 16, 31] {
            let scale = block.scales[lane].to_f32();
            assert!(scale <= 1.01 / 15.0);
            for (step, numbers) in numbers.as_chunks::<STEP>().0.iter().enumerate() {
                for (weight, number) in block.weights(step, lane).iter().zip(numbers) {
                    let weight = scale * (i32::from(*weight) - NibbleBlock::OFFSET) as f32;
                    assert!((weight - number).abs() <= 1.2 * scale, "{weight} {number}");
                    assert!(*number != 0.0 || weight == 0.0);
                }
            }
        }
        // Other rows have not changed.
        assert_eq!(block.weights(3, 14), [16; STEP]);
        let mut copy = NibbleBlock::EMPTY;
        copy.copy_lane(20, &block, 15);
        assert_eq!(copy.weights(5, 20), block.weights(5, 15));
    }

    #[test]
    fn zeros_and_values_of_one_sign_are_quantized_closely() {
        let mut block = NibbleBlock::EMPTY;
        for (lane, value) in [(0, 0.0), (1, 0.75), (2, -0.75)] {
            block.quantize(lane, &[value; WEIGHTS]);
            let got = block.scales[lane].to_f32()
                * (i32::from(block.weights(0, lane)[0]) - NibbleBlock::OFFSET) as f32;
            assert!((got - value).abs() < 1e-3, "{got} {value}");
        }
    }
}

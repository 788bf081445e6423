//! Weights of four bits for the same kernel: whole numbers from 0 to 15 with a zero point and a
//! scale for every block of 32 of a row, which is 4.75 bits a weight.

#![allow(
    unsafe_code,
    clippy::needless_range_loop,
    reason = "a promise about plain numbers, registers, and loops for vector instructions"
)]

use super::layout::{LANES, PANEL, Panel, ROUND, STEP};
use crate::vlm::nn::pages::Plain;
use crate::vlm::nn::vectors::vectorized;
use half::f16;
#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;

/// Steps of a block.
pub const STEPS: usize = 8;
const WEIGHTS: usize = STEPS * STEP;
/// The rows in the low halves of a step's bytes; the others are in the high ones.
const LOW: usize = PANEL / 2;
const MOST: f32 = 15.0;

/// A block of 32 weights of each row of a panel.
#[derive(Clone, Copy)]
#[repr(C, align(32))]
pub struct NibbleBlock {
    levels: [[[u8; STEP]; LOW]; STEPS],
    scales: [f16; PANEL],
    /// What makes a level a weight with [`Panel::ADDED`] added: that less the zero point.
    offsets: [u8; PANEL],
}

// SAFETY: it consists of whole numbers and of f16, without gaps: any bytes are a value of each.
unsafe impl Plain for NibbleBlock {}

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
        offsets: [Self::ADDED as u8; PANEL],
    };
    const ADDED: i32 = 16;

    #[inline(always)]
    fn scales(&self) -> &[f16; PANEL] {
        &self.scales
    }

    fn weights(&self, step: usize, lane: usize) -> [u8; STEP] {
        let levels = self.level(step, lane);
        // A damaged file may hold any offset.
        levels.map(|level| level.wrapping_add(self.offsets[lane]))
    }

    fn copy_lane(&mut self, lane: usize, from: &Self, its: usize) {
        self.scales[lane] = from.scales[its];
        self.offsets[lane] = from.offsets[its];
        for step in 0..STEPS {
            self.put(step, lane, from.level(step, its));
        }
    }

    fn round(&mut self, lane: usize, numbers: &[f32]) {
        let mut found = Rounded {
            scale: f16::ZERO,
            zero: 0.0,
            levels: [0; WEIGHTS],
        };
        round_block(numbers, &mut found);
        self.scales[lane] = found.scale;
        self.offsets[lane] = (Self::ADDED - found.zero as i32) as u8;
        for (step, levels) in found.levels.as_chunks::<STEP>().0.iter().enumerate() {
            self.put(step, lane, *levels);
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    unsafe fn offsets(&self) -> [__m512i; 2] {
        // SAFETY: half of the offsets are 16 bytes, one for each row, which four weights share.
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
        // SAFETY: a step is 64 bytes, one register, and there are `STEPS`.
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
}

/// Numbers as levels of a scale.
struct Rounded {
    scale: f16,
    /// The level of zero.
    zero: f32,
    levels: [u8; WEIGHTS],
}

vectorized! {
    /// Finds the scale and the zero point that lose least: the largest numbers may be cut so that
    /// the others are closer.
    fn round_block(numbers: &[f32], out: &mut Rounded) {
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
        const TRIED: usize = 10;
        const EACH: f32 = 0.04;
        let mut best = f32::INFINITY;
        let mut inverse = 0f32;
        for tried in 0..TRIED {
            let kept = 1.0 - EACH * tried as f32;
            let rounded = f16::from_f32((most - least) * kept / MOST);
            let scale = rounded.to_f32();
            if scale <= 0.0 {
                continue;
            }
            let inverse_of = 1.0 / scale;
            let zero = (-least * kept * inverse_of).round().clamp(0.0, MOST);
            let mut off = [0f32; LANES];
            for part in 0..WEIGHTS / LANES {
                let chunk = &numbers[part * LANES..][..LANES];
                for i in 0..LANES {
                    let level = (chunk[i] * inverse_of + zero).clamp(0.0, MOST);
                    let level = level + ROUND - ROUND;
                    let lost = (level - zero) * scale - chunk[i];
                    off[i] += lost * lost;
                }
            }
            let mut sum = 0f32;
            for i in 0..LANES {
                sum += off[i];
            }
            if sum < best {
                best = sum;
                (out.scale, out.zero, inverse) = (rounded, zero, inverse_of);
            }
        }
        for i in 0..WEIGHTS {
            let level = (numbers[i] * inverse + out.zero).clamp(0.0, MOST);
            out.levels[i] = ((level + ROUND).to_bits() & 15) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounded_weights_are_close_and_zero_stays() {
        let numbers: Vec<f32> = (0..WEIGHTS)
            .map(|i| match i % 7 {
                0 => 0.0,
                _ => ((i * 37 % 101) as f32 - 40.0) / 100.0,
            })
            .collect();
        let mut block = NibbleBlock::EMPTY;
        for lane in [0, 15, 16, 31] {
            block.round(lane, &numbers);
        }
        for lane in [0, 15, 16, 31] {
            let scale = block.scales[lane].to_f32();
            assert!(scale <= 1.01 / 15.0);
            for (step, numbers) in numbers.as_chunks::<STEP>().0.iter().enumerate() {
                for (weight, number) in block.weights(step, lane).iter().zip(numbers) {
                    let weight = scale * (i32::from(*weight) - NibbleBlock::ADDED) as f32;
                    assert!((weight - number).abs() <= 1.2 * scale, "{weight} {number}");
                    assert!(*number != 0.0 || weight == 0.0);
                }
            }
        }
        // Other rows are as they were.
        assert_eq!(block.weights(3, 14), [16; STEP]);
        let mut copy = NibbleBlock::EMPTY;
        copy.copy_lane(20, &block, 15);
        assert_eq!(copy.weights(5, 20), block.weights(5, 15));
    }

    #[test]
    fn numbers_of_one_sign_and_none_are_held() {
        let mut block = NibbleBlock::EMPTY;
        for (lane, value) in [(0, 0.0), (1, 0.75), (2, -0.75)] {
            block.round(lane, &[value; WEIGHTS]);
            let got = block.scales[lane].to_f32()
                * (i32::from(block.weights(0, lane)[0]) - NibbleBlock::ADDED) as f32;
            assert!((got - value).abs() < 1e-3, "{got} {value}");
        }
    }
}

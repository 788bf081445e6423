//! The element types of the KV cache on the CPU: f32, and bf16 on processors that multiply it, which
//! halves memory and time.

#![allow(unsafe_code, reason = "vector instructions")]

use half::bf16;
use std::fmt::Debug;

/// An element type of cached keys and values.
pub(crate) trait KvElement: Copy + Default + Debug + Send + Sync + 'static {
    /// Number of adjacent elements whose products one instruction adds up: adjacent elements of a
    /// key, or the same element of consecutive values.
    const PAIR: usize;

    /// Rounds f32 numbers to this type; `out` must have the same length.
    fn round(numbers: &[f32], out: &mut [Self]);
}

impl KvElement for f32 {
    const PAIR: usize = 1;

    fn round(numbers: &[f32], out: &mut [Self]) {
        out.copy_from_slice(numbers);
    }
}

impl KvElement for bf16 {
    const PAIR: usize = 2;

    fn round(numbers: &[f32], out: &mut [Self]) {
        assert_eq!(numbers.len(), out.len());
        #[cfg(target_arch = "x86_64")]
        if multiplies_bf16() {
            // SAFETY: the processor has the instructions, and the lengths are equal.
            return unsafe { round_bf16(numbers, out) };
        }
        for (out, number) in out.iter_mut().zip(numbers) {
            *out = bf16::from_f32(*number);
        }
    }
}

/// Whether the processor has bf16 dot products.
pub fn multiplies_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// # Safety
/// The processor has AVX-512 BF16, and `out` is as long as `numbers`.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bf16")]
unsafe fn round_bf16(numbers: &[f32], out: &mut [bf16]) {
    use std::arch::x86_64::{__m256bh, _mm512_cvtneps_pbh, _mm512_loadu_ps};
    const LANES: usize = 16;
    let whole = numbers.len() / LANES * LANES;
    let mut at = 0;
    while at < whole {
        // SAFETY: both slices have 16 more elements from here on.
        unsafe {
            let rounded = _mm512_cvtneps_pbh(_mm512_loadu_ps(numbers.as_ptr().add(at)));
            out.as_mut_ptr()
                .add(at)
                .cast::<__m256bh>()
                .write_unaligned(rounded);
        }
        at += LANES;
    }
    while at < numbers.len() {
        out[at] = bf16::from_f32(numbers[at]);
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_the_same_on_every_processor() {
        let numbers: Vec<f32> = (0..37)
            .map(|i| (i as f32 - 18.0) * 1.234_567)
            .chain([f32::NAN, f32::INFINITY, 0.0])
            .collect();
        let mut rounded = vec![bf16::ZERO; numbers.len()];
        bf16::round(&numbers, &mut rounded);
        for (number, rounded) in numbers.iter().zip(rounded) {
            match number.is_nan() {
                true => assert!(rounded.is_nan()),
                false => assert_eq!(rounded, bf16::from_f32(*number)),
            }
        }
    }
}

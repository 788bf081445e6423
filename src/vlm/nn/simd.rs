//! Loops over rows, compiled for the processor's vector units.

#![allow(
    unsafe_code,
    clippy::needless_range_loop,
    reason = "vector instructions and loops that vectorize"
)]

use std::mem::MaybeUninit;
use std::ops::Range;

/// Compiles a function over slices for the vector units of x86 and selects one at run time. In the
/// body, `FMA` is true where a fused multiply-add is one instruction.
///
/// A body may call only functions that are always inlined, and loops over indices. Functions that
/// are compiled separately, as iterator adapters and slice copies may be, do not use the vector
/// units, and calling them for every few elements is up to ten times slower.
macro_rules! vectorized {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $body:block) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments, unsafe_code)]
        $vis fn $name($($arg: $type),*) {
            #[inline(always)]
            #[allow(clippy::too_many_arguments, unused_variables)]
            fn body<const FMA: bool>($($arg: $type),*) $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,fma")]
                #[allow(clippy::too_many_arguments)]
                fn avx512($($arg: $type),*) { body::<true>($($arg),*) }
                #[target_feature(enable = "avx2,fma")]
                #[allow(clippy::too_many_arguments)]
                fn avx2($($arg: $type),*) { body::<true>($($arg),*) }
                if is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512bw")
                {
                    // SAFETY: the processor has the features that the function is compiled for.
                    return unsafe { avx512($($arg),*) };
                }
                if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                    // SAFETY: as above.
                    return unsafe { avx2($($arg),*) };
                }
            }
            body::<{ cfg!(target_arch = "aarch64") }>($($arg),*)
        }
    };
}
pub(crate) use vectorized;

/// An index range for `for i in each(0..n)` that is inlined even in debug builds, where each step of
/// a standard range is a function call.
pub(crate) struct Each(Range<usize>);

#[inline(always)]
pub(crate) fn each(range: Range<usize>) -> Each {
    Each(range)
}

impl Iterator for Each {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        let at = self.0.start;
        if at >= self.0.end {
            return None;
        }
        self.0.start = at + 1;
        Some(at)
    }
}

/// `a * b + c`, fused only if that is one instruction.
#[inline(always)]
pub(crate) fn mul_add<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// `e^x` to about one unit in the last place, written so that loops over it vectorize. Returns 0
/// below -87 and `e^88` above 88.
#[inline(always)]
pub(crate) fn exp<const FMA: bool>(x: f32) -> f32 {
    // Adding this rounds to an integer, in the low bits.
    const ROUND: f32 = 12_582_912.0;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let clamped = x.clamp(-87.0, 88.0);
    let shifted = mul_add::<FMA>(clamped, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = mul_add::<FMA>(n, -LN2_HIGH, clamped);
    let r = mul_add::<FMA>(n, -LN2_LOW, r);
    // A short Taylor series suffices: |r| <= ln(2)/2.
    let mut p = 1.0 / 5040.0;
    p = mul_add::<FMA>(p, r, 1.0 / 720.0);
    p = mul_add::<FMA>(p, r, 1.0 / 120.0);
    p = mul_add::<FMA>(p, r, 1.0 / 24.0);
    p = mul_add::<FMA>(p, r, 1.0 / 6.0);
    p = mul_add::<FMA>(p, r, 0.5);
    p = mul_add::<FMA>(p, r, 1.0);
    p = mul_add::<FMA>(p, r, 1.0);
    let exponent = shifted
        .to_bits()
        .wrapping_sub(ROUND.to_bits())
        .wrapping_add(127)
        << 23;
    let y = p * f32::from_bits(exponent);
    if x < -87.0 { 0.0 } else { y }
}

/// `x * sigmoid(x)`.
#[inline(always)]
pub(crate) fn silu<const FMA: bool>(x: f32) -> f32 {
    x / (1.0 + exp::<FMA>(-x))
}

/// `x * sigmoid(1.702 x)`.
#[inline(always)]
pub(crate) fn quick_gelu<const FMA: bool>(x: f32) -> f32 {
    x / (1.0 + exp::<FMA>(-1.702 * x))
}

/// GELU in its tanh form, written with e^x: x * sigmoid(2 u), u = sqrt(2 / pi) (x + 0.044715 x^3).
#[inline(always)]
pub(crate) fn gelu_tanh<const FMA: bool>(x: f32) -> f32 {
    const LINEAR: f32 = -1.595_769;
    const CUBIC: f32 = -0.071_354_82;
    let u = x * mul_add::<FMA>(x * x, CUBIC, LINEAR);
    x / (1.0 + exp::<FMA>(u))
}

/// Lanes of independent partial results, so that sums over a slice vectorize.
pub(crate) const LANES: usize = 16;

#[inline(always)]
fn sum(xs: &[f32]) -> f32 {
    let mut lanes = [0f32; LANES];
    let mut at = 0;
    while at + LANES <= xs.len() {
        let chunk = &xs[at..][..LANES];
        for i in each(0..LANES) {
            lanes[i] += chunk[i];
        }
        at += LANES;
    }
    let mut sum = 0f32;
    for i in each(0..LANES) {
        sum += lanes[i];
    }
    while at < xs.len() {
        sum += xs[at];
        at += 1;
    }
    sum
}

/// The sum of squared differences from `mean`.
#[inline(always)]
fn sum_of_squares(xs: &[f32], mean: f32) -> f32 {
    let mut lanes = [0f32; LANES];
    let mut at = 0;
    while at + LANES <= xs.len() {
        let chunk = &xs[at..][..LANES];
        for i in each(0..LANES) {
            lanes[i] += (chunk[i] - mean) * (chunk[i] - mean);
        }
        at += LANES;
    }
    let mut sum = 0f32;
    for i in each(0..LANES) {
        sum += lanes[i];
    }
    while at < xs.len() {
        sum += (xs[at] - mean) * (xs[at] - mean);
        at += 1;
    }
    sum
}

#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if b > a { b } else { a }
}

#[inline(always)]
fn max(xs: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let mut at = 0;
    while at + LANES <= xs.len() {
        let chunk = &xs[at..][..LANES];
        for i in each(0..LANES) {
            lanes[i] = larger(lanes[i], chunk[i]);
        }
        at += LANES;
    }
    let mut max = f32::NEG_INFINITY;
    for i in each(0..LANES) {
        max = larger(max, lanes[i]);
    }
    while at < xs.len() {
        max = larger(max, xs[at]);
        at += 1;
    }
    max
}

vectorized! {
    pub(crate) fn rms_norm_row(x: &[f32], weight: &[f32], eps: f32, out: &mut [MaybeUninit<f32>]) {
        let n = x.len();
        let (weight, out) = (&weight[..n], &mut out[..n]);
        let mean = sum_of_squares(x, 0.0) / n as f32;
        let scale = 1.0 / (mean + eps).sqrt();
        for i in each(0..n) {
            out[i].write(weight[i] * (x[i] * scale));
        }
    }
}

vectorized! {
    pub(crate) fn layer_norm_row(x: &[f32], weight: &[f32], bias: &[f32], eps: f32, out: &mut [MaybeUninit<f32>]) {
        let n = x.len();
        let (weight, bias, out) = (&weight[..n], &bias[..n], &mut out[..n]);
        let mean = sum(x) / n as f32;
        let variance = sum_of_squares(x, mean) / n as f32;
        let scale = 1.0 / (variance + eps).sqrt();
        for i in each(0..n) {
            out[i].write((x[i] - mean) * scale * weight[i] + bias[i]);
        }
    }
}

vectorized! {
    pub(crate) fn swiglu_row(gate: &[f32], up: &[f32], out: &mut [MaybeUninit<f32>]) {
        let n = gate.len();
        let (up, out) = (&up[..n], &mut out[..n]);
        for i in each(0..n) {
            out[i].write(silu::<FMA>(gate[i]) * up[i]);
        }
    }
}

vectorized! {
    pub(crate) fn quick_gelu_row(x: &[f32], out: &mut [MaybeUninit<f32>]) {
        let out = &mut out[..x.len()];
        for i in each(0..x.len()) {
            out[i].write(quick_gelu::<FMA>(x[i]));
        }
    }
}

vectorized! {
    pub(crate) fn gelu_tanh_row(x: &[f32], out: &mut [MaybeUninit<f32>]) {
        let out = &mut out[..x.len()];
        for i in each(0..x.len()) {
            out[i].write(gelu_tanh::<FMA>(x[i]));
        }
    }
}

vectorized! {
    /// Turns scores into weights that add up to one.
    pub(crate) fn softmax_row(row: &mut [f32]) {
        let top = max(row);
        for i in each(0..row.len()) {
            row[i] = exp::<FMA>(row[i] - top);
        }
        let scale = 1.0 / sum(row);
        for i in each(0..row.len()) {
            row[i] *= scale;
        }
    }
}

vectorized! {
    fn log_sum_exp_into(row: &[f32], out: &mut f32) {
        let top = max(row);
        let mut lanes = [0f32; LANES];
        let mut at = 0;
        while at + LANES <= row.len() {
            let chunk = &row[at..][..LANES];
            for i in each(0..LANES) {
                lanes[i] += exp::<FMA>(chunk[i] - top);
            }
            at += LANES;
        }
        let mut total = sum(&lanes);
        while at < row.len() {
            total += exp::<FMA>(row[at] - top);
            at += 1;
        }
        *out = top + total.ln();
    }
}

/// `ln(sum(e^x))`. A logit minus this is a natural log-probability.
pub fn log_sum_exp(logits: &[f32]) -> f32 {
    let mut out = 0.0;
    log_sum_exp_into(logits, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_close_to_the_standard_library() {
        for i in -8800..8800 {
            let x = i as f32 / 100.0;
            let (got, want) = (exp::<false>(x), x.exp());
            if x < -87.0 {
                assert!(got < 1e-37);
            } else {
                assert!(
                    (got - want).abs() <= 4e-7 * want,
                    "e^{x} = {want}, not {got}"
                );
            }
        }
        assert_eq!(exp::<false>(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp::<false>(0.0), 1.0);
    }

    #[test]
    fn probabilities_add_up_to_one() {
        let logits: Vec<f32> = (0..1000).map(|i| (i % 37) as f32 - 20.0).collect();
        let norm = log_sum_exp(&logits);
        let total: f32 = logits.iter().map(|x| (x - norm).exp()).sum();
        assert!((total - 1.0).abs() < 1e-4);
    }
}

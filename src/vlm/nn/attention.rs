//! Attention of a step, and within ranges of rows: over plain slices on the CPU, with candle's
//! operations elsewhere. Every sequence attends to its shared prefix and to its own keys in place.

use super::attention_cpu;
use super::kv_cache::{CacheSpec, HeadShape, LayerCache, Span};
use super::ops::{self, with_slice};
use super::rope::Angles;
use candle_core::{D, DType, Result, Tensor};
use std::ops::Range;

/// Causal attention of a step. A row of `qkv`, `(tokens, (heads + 2 kv_heads) * head_dim)`, holds
/// a token's queries, keys and values. Keys and values are appended to the caches of the spans,
/// which together cover all rows. Gives `(tokens, heads * head_dim)`.
pub fn attend(
    qkv: &Tensor,
    layer: usize,
    spec: &CacheSpec,
    angles: &Angles,
    spans: &mut [Span],
) -> Result<Tensor> {
    if ops::is_plain(qkv) && spec.dtype == DType::F32 {
        let out = with_slice(qkv, |qkv| {
            attention_cpu::attend(qkv, layer, spec.shape, angles, spans)
        })?;
        let width = spec.shape.heads * spec.shape.head_dim;
        return Tensor::from_vec(out, (qkv.dim(0)?, width), qkv.device());
    }
    let parts: Result<Vec<Tensor>> = spans
        .iter_mut()
        .map(|span| {
            let rows = qkv.narrow(0, span.rows.start, span.rows.len())?;
            attend_generic(&rows, layer, spec, angles, span)
        })
        .collect();
    Tensor::cat(&parts?, 0)
}

/// The same for one span with candle's operations; `qkv` holds the span's rows.
fn attend_generic(
    qkv: &Tensor,
    layer: usize,
    spec: &CacheSpec,
    angles: &Angles,
    span: &mut Span,
) -> Result<Tensor> {
    let HeadShape {
        heads,
        kv_heads,
        head_dim,
    } = spec.shape;
    let (q_dim, kv_dim, group) = (heads * head_dim, spec.shape.kv_dim(), spec.shape.group());
    let tokens = qkv.dim(0)?;
    let angles = angles.rows(&span.rows)?;
    let part = |start, heads: usize| {
        qkv.narrow(1, start, heads * head_dim)?
            .reshape((tokens, heads, head_dim))
    };
    let queries = angles.apply(&part(0, heads)?)?;
    let queries = (queries * (1.0 / (head_dim as f64).sqrt()))?;
    let queries = queries.reshape((kv_heads, group * tokens, head_dim))?;
    let keys = angles.apply(&part(q_dim, kv_heads)?)?;
    let values = part(q_dim + kv_dim, kv_heads)?.transpose(0, 1)?;

    let sequence = &mut *span.sequence;
    let (shared, before) = (sequence.shared_len(), sequence.own_len());
    let LayerCache::Device(own) = &mut sequence.layers[layer] else {
        candle_core::bail!("the sequence was made for another device")
    };
    own.append(spec, before, &keys, &values)?;
    let mut segments = Vec::with_capacity(2);
    if let Some(prefix) = sequence.prefix()
        && let LayerCache::Device(layer) = &prefix.layers[layer]
    {
        segments.extend(layer.view(shared)?);
    }
    if let LayerCache::Device(own) = &sequence.layers[layer] {
        segments.extend(own.view(before + tokens)?);
    }

    let scores: Result<Vec<Tensor>> = segments
        .iter()
        .map(|(keys, _)| queries.matmul(&keys.t()?))
        .collect();
    let scores = Tensor::cat(&scores?, D::Minus1)?.to_dtype(DType::F32)?;
    let total = shared + before + tokens;
    let scores = if tokens == 1 {
        scores
    } else {
        let mask: Vec<f32> = (0..tokens)
            .flat_map(|i| {
                let visible = shared + before + i + 1;
                (0..total).map(move |j| if j < visible { 0.0 } else { f32::NEG_INFINITY })
            })
            .collect();
        let mask = Tensor::from_vec(mask, (1, 1, tokens, total), qkv.device())?;
        scores
            .reshape((kv_heads, group, tokens, total))?
            .broadcast_add(&mask)?
            .reshape((kv_heads, group * tokens, total))?
    };
    let weights = candle_nn::ops::softmax_last_dim(&scores)?.to_dtype(spec.dtype)?;
    let mut at = 0;
    let mut out: Option<Tensor> = None;
    for (keys, values) in &segments {
        let n = keys.dim(1)?;
        let part = weights
            .narrow(D::Minus1, at, n)?
            .contiguous()?
            .matmul(&values.contiguous()?)?;
        at += n;
        out = Some(match out {
            Some(sum) => (sum + part)?,
            None => part,
        });
    }
    let Some(out) = out else {
        candle_core::bail!("attention over no keys")
    };
    out.reshape((heads, tokens, head_dim))?
        .transpose(0, 1)?
        .reshape((tokens, q_dim))
}

/// Full attention within each range of rows, which together cover all rows in order. A row of
/// `qkv`, `(rows, 3 * heads * head_dim)`, holds its queries, keys and values. Gives
/// `(rows, heads * head_dim)`.
pub fn attend_within(
    qkv: &Tensor,
    heads: usize,
    angles: &Angles,
    ranges: &[Range<usize>],
) -> Result<Tensor> {
    let (rows, width) = qkv.dims2()?;
    let dim = width / 3;
    if ops::is_plain(qkv) {
        let out = with_slice(qkv, |qkv| {
            Ok(attention_cpu::attend_within(
                qkv, heads, dim, angles, ranges,
            ))
        })?;
        return Tensor::from_vec(out, (rows, dim), qkv.device());
    }
    let head_dim = dim / heads;
    let parts: Result<Vec<Tensor>> = ranges
        .iter()
        .map(|range| {
            let rows = qkv.narrow(0, range.start, range.len())?;
            let part = |i: usize| {
                rows.narrow(1, i * dim, dim)?
                    .reshape((range.len(), heads, head_dim))
            };
            let angles = angles.rows(range)?;
            let queries = (angles.apply(&part(0)?)? * (1.0 / (head_dim as f64).sqrt()))?;
            let keys = angles.apply(&part(1)?)?;
            let scores = queries.matmul(&keys.t()?)?.to_dtype(DType::F32)?;
            let weights = candle_nn::ops::softmax_last_dim(&scores)?.to_dtype(qkv.dtype())?;
            weights
                .matmul(&part(2)?.transpose(0, 1)?.contiguous()?)?
                .transpose(0, 1)?
                .reshape((range.len(), dim))
        })
        .collect();
    Tensor::cat(&parts?, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vlm::nn::kv_cache::{Prefix, Sequence};
    use crate::vlm::nn::rope::frequencies;
    use candle_core::Device;
    use std::sync::Arc;

    const SHAPE: HeadShape = HeadShape {
        heads: 18,
        kv_heads: 2,
        head_dim: 20,
    };
    const WIDTH: usize = (SHAPE.heads + 2 * SHAPE.kv_heads) * SHAPE.head_dim;

    fn random(rows: usize, width: usize) -> Tensor {
        Tensor::randn(0f32, 1.0, (rows, width), &Device::Cpu).unwrap()
    }

    /// A different angle for every token and frequency.
    fn angles(tokens: usize, head_dim: usize) -> Angles {
        let inverse = frequencies(100.0, head_dim / 2);
        let all: Vec<f32> = (0..tokens)
            .flat_map(|token| inverse.iter().map(move |inverse| token as f32 * inverse))
            .collect();
        Angles::new(&all, head_dim / 2, &Device::Cpu, DType::F32).unwrap()
    }

    /// 64-bit numbers take the generic path, which an accelerator takes for all.
    fn spec(dtype: DType) -> Arc<CacheSpec> {
        Arc::new(CacheSpec {
            layers: 1,
            shape: SHAPE,
            device: Device::Cpu,
            dtype,
        })
    }

    fn assert_close(plain: &Tensor, generic: &Tensor) {
        let generic = generic.to_dtype(DType::F32).unwrap();
        assert_eq!(plain.dims(), generic.dims());
        let distance = (plain - generic).unwrap().abs().unwrap();
        let furthest = distance.flatten_all().unwrap().max(0).unwrap();
        assert!(furthest.to_scalar::<f32>().unwrap() < 1e-5);
    }

    fn step(spec: &CacheSpec, qkv: &Tensor, sequences: &mut [(Sequence, usize)]) -> Tensor {
        let rows: usize = sequences.iter().map(|(_, rows)| rows).sum();
        let mut start = 0;
        let mut spans: Vec<Span> = sequences
            .iter_mut()
            .map(|(sequence, count)| {
                start += *count;
                Span {
                    sequence,
                    rows: start - *count..start,
                }
            })
            .collect();
        let qkv = qkv.to_dtype(spec.dtype).unwrap();
        let out = attend(&qkv, 0, spec, &angles(rows, SHAPE.head_dim), &mut spans).unwrap();
        for (sequence, count) in sequences {
            sequence.commit(&vec![[0; 3]; *count]);
        }
        out
    }

    #[test]
    fn plain_slices_and_candles_operations_agree() {
        let shared = random(21, WIDTH);
        let first = random(20, WIDTH);
        let second = random(4, WIDTH);
        let run = |dtype| {
            let spec = spec(dtype);
            let mut start = [(Sequence::new(&spec, None), 21)];
            let outs = [step(&spec, &shared, &mut start)];
            let [(start, _)] = start;
            let prefix: Arc<Prefix> = Arc::new(start.into_prefix().unwrap());
            let mut sequences = [
                (Sequence::new(&spec, Some(Arc::clone(&prefix))), 17),
                (Sequence::new(&spec, None), 2),
                (Sequence::new(&spec, Some(prefix)), 1),
            ];
            let next = step(&spec, &first, &mut sequences);
            sequences[0].0.truncate(21 + 15).unwrap();
            for ((_, rows), count) in sequences.iter_mut().zip([1, 2, 1]) {
                *rows = count;
            }
            let last = step(&spec, &second, &mut sequences);
            let [shared] = outs;
            [shared, next, last]
        };
        for (plain, generic) in run(DType::F32).iter().zip(&run(DType::F64)) {
            assert_close(plain, generic);
        }
    }

    #[test]
    fn ranges_attend_to_themselves_alone() {
        let ranges = [0..8, 8..12, 12..36];
        let (heads, head_dim) = (3, 20);
        let qkv = random(36, 3 * heads * head_dim);
        let angles = angles(36, head_dim);
        let plain = attend_within(&qkv, heads, &angles, &ranges).unwrap();
        let generic = qkv.to_dtype(DType::F64).unwrap();
        let generic = attend_within(&generic, heads, &angles, &ranges).unwrap();
        assert_close(&plain, &generic);
        let alone = qkv.narrow(0, 8, 4).unwrap();
        let angles = angles.rows(&(8..12)).unwrap();
        let all = std::slice::from_ref(&(0..4));
        let alone = attend_within(&alone, heads, &angles, all).unwrap();
        assert_close(&plain.narrow(0, 8, 4).unwrap(), &alone);
    }
}

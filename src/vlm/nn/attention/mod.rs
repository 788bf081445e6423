//! Causal attention of a step and full attention within ranges of rows: over slices on the CPU, with
//! candle's operations elsewhere. Every sequence attends to its shared prefix and its own keys.

mod kernel;
mod kernel_bf16;
mod kernel_f32;
mod slices;
mod tensors;

use super::Backend;
use super::batch::Batch;
use super::kv::element::multiplies_bf16;
use super::linear::Placement;
use super::ops::with_slice;
use super::padding::RangePadding;
use super::rope::Angles;
use candle_core::{DType, Result, Tensor};
use half::bf16;
use std::ops::Range;

/// The element type of the KV cache. If weights are quantized, bf16 is precise enough.
pub fn cached_dtype(placement: &Placement) -> DType {
    let quantized = placement.quantization.is_some() && placement.backend == Backend::Slices;
    match quantized && multiplies_bf16() {
        true => DType::BF16,
        false => placement.activations(),
    }
}

/// Causal attention of a step. A row of `qkv`, `(tokens, (heads + 2 kv_heads) * head_dim)`, is a
/// token's queries, keys and values. Keys and values are appended to the caches of the sequences,
/// whose spans together cover all rows. Returns `(tokens, heads * head_dim)`.
pub fn attend(qkv: &Tensor, layer: usize, angles: &Angles, batch: &mut Batch) -> Result<Tensor> {
    let spec = batch.spec;
    match &batch.padding {
        Some(padding) => tensors::attend(qkv, layer, spec, angles, padding),
        None => {
            let (shape, spans) = (spec.shape, &mut batch.spans);
            let out = with_slice(qkv, |qkv| match spec.dtype {
                DType::BF16 => slices::attend::<bf16>(qkv, layer, shape, angles, spans),
                _ => slices::attend::<f32>(qkv, layer, shape, angles, spans),
            })?;
            let width = spec.shape.heads * spec.shape.head_dim;
            Tensor::from_vec(out, (qkv.dim(0)?, width), qkv.device())
        }
    }
}

/// Ranges of rows that attend only to themselves and together cover all rows in order.
pub struct Ranges {
    ranges: Vec<Range<usize>>,
    heads: usize,
    /// `None` with [`Backend::Slices`], which needs no padding.
    padding: Option<RangePadding>,
}

impl Ranges {
    pub fn new(ranges: Vec<Range<usize>>, heads: usize, placement: &Placement) -> Result<Self> {
        let padding = match placement.backend {
            Backend::Slices => None,
            Backend::Tensors => {
                let dtype = placement.activations();
                Some(RangePadding::new(&ranges, heads, dtype, &placement.device)?)
            }
        };
        Ok(Self {
            ranges,
            heads,
            padding,
        })
    }
}

/// Full attention within each range of rows. A row of `qkv`, `(rows, 3 * heads * head_dim)`, is its
/// queries, keys and values. Returns `(rows, heads * head_dim)`.
pub fn attend_within(qkv: &Tensor, angles: &Angles, ranges: &Ranges) -> Result<Tensor> {
    let heads = ranges.heads;
    match &ranges.padding {
        Some(padding) => tensors::attend_within(qkv, heads, angles, padding),
        None => {
            let (rows, width) = qkv.dims2()?;
            let dim = width / 3;
            let out = with_slice(qkv, |qkv| {
                let ranges = &ranges.ranges;
                Ok(slices::attend_within(qkv, heads, dim, angles, ranges))
            })?;
            Tensor::from_vec(out, (rows, dim), qkv.device())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vlm::checkpoint::weight_cache::WeightCache;
    use crate::vlm::nn::kv::layout::{CacheSpec, HeadShape, Prefix};
    use crate::vlm::nn::kv::pool::Pool;
    use crate::vlm::nn::kv::sequence::{Sequence, Span};
    use crate::vlm::nn::launches;
    use crate::vlm::nn::rope::frequencies;
    use candle_core::Device;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};
    use std::sync::Arc;

    const SHAPE: HeadShape = HeadShape {
        heads: 18,
        kv_heads: 2,
        head_dim: 20,
    };
    const WIDTH: usize = (SHAPE.heads + 2 * SHAPE.kv_heads) * SHAPE.head_dim;

    /// Approximately normal and the same in every run: the error of half precision depends on the
    /// values.
    fn random(rows: usize, width: usize) -> Tensor {
        let mut random = StdRng::seed_from_u64(rows as u64);
        let mut number = || (0..12).map(|_| random.random::<f32>()).sum::<f32>() - 6.0;
        let numbers: Vec<f32> = (0..rows * width).map(|_| number()).collect();
        Tensor::from_vec(numbers, (rows, width), &Device::Cpu).unwrap()
    }

    /// A different angle for every token and frequency.
    fn angles(tokens: Range<usize>, head_dim: usize, dtype: DType) -> Angles {
        let inverse = frequencies(100.0, head_dim / 2);
        let all: Vec<f32> = tokens
            .flat_map(|token| inverse.iter().map(move |inverse| token as f32 * inverse))
            .collect();
        Angles::new(&all, head_dim / 2, dtype)
    }

    fn spec(backend: Backend, dtype: DType) -> Arc<CacheSpec> {
        Arc::new(CacheSpec {
            layers: 1,
            shape: SHAPE,
            backend,
            device: Device::Cpu,
            dtype,
        })
    }

    fn placement(backend: Backend, dtype: DType) -> Placement {
        Placement {
            device: Device::Cpu,
            backend,
            dtype,
            quantization: None,
            cache: WeightCache::Off,
        }
    }

    /// The largest difference, relative to the largest value.
    fn distance(plain: &Tensor, other: &Tensor) -> f32 {
        let other = other.to_dtype(DType::F32).unwrap();
        assert_eq!(plain.dims(), other.dims());
        let most = |x: &Tensor| {
            let x = x.abs().unwrap().flatten_all().unwrap();
            x.max(0).unwrap().to_scalar::<f32>().unwrap()
        };
        most(&(plain - other).unwrap()) / most(plain)
    }

    fn step(spec: &CacheSpec, qkv: &Tensor, sequences: &mut [(Sequence, usize)]) -> Tensor {
        let rows: usize = sequences.iter().map(|(_, rows)| rows).sum();
        let mut start = 0;
        let spans: Vec<Span> = sequences
            .iter_mut()
            .map(|(sequence, count)| {
                start += *count;
                Span {
                    sequence,
                    rows: start - *count..start,
                }
            })
            .collect();
        // Over slices, activations are f32 whatever the cache's type.
        let dtype = match spec.backend {
            Backend::Slices => DType::F32,
            Backend::Tensors => spec.dtype,
        };
        let qkv = qkv.to_dtype(dtype).unwrap();
        let angles = angles(0..rows, SHAPE.head_dim, dtype);
        let mut batch = Batch::new(spec, spans).unwrap();
        let out = attend(&qkv, 0, &angles, &mut batch).unwrap();
        for (sequence, count) in sequences {
            sequence.commit(&vec![[0; 3]; *count]);
        }
        out
    }

    fn prefix(spec: &Arc<CacheSpec>, qkv: &Tensor) -> Arc<Prefix> {
        let rows = qkv.dim(0).unwrap();
        let mut start = [(Sequence::new(spec, None, None).unwrap(), rows)];
        step(spec, qkv, &mut start);
        let [(start, _)] = start;
        Arc::new(start.into_prefix().unwrap())
    }

    #[test]
    fn slices_and_tensors_agree() {
        let starts = [random(21, WIDTH), random(40, WIDTH)];
        let first = random(27, WIDTH);
        let second = random(8, WIDTH);
        let run = |backend, dtype| {
            let spec = spec(backend, dtype);
            let prefixes = [prefix(&spec, &starts[0]), prefix(&spec, &starts[1])];
            let pool = Pool::new(&spec);
            let sequence = |prefix: Option<usize>| {
                let prefix = prefix.map(|i| Arc::clone(&prefixes[i]));
                Sequence::new(&spec, prefix, Some(&pool)).unwrap()
            };
            let mut sequences = vec![
                (sequence(Some(0)), 17),
                (sequence(None), 2),
                (sequence(Some(0)), 1),
                (sequence(Some(1)), 7),
            ];
            let mut outs = vec![step(&spec, &first, &mut sequences)];
            sequences[0].0 = sequences[0].0.fork(21 + 15, Some(&pool)).unwrap();
            // Continues one sequence, forks one, and reuses the slot of a dropped one.
            let fork = sequences[3].0.fork(45, Some(&pool)).unwrap();
            sequences.remove(1);
            sequences.push((fork, 2));
            sequences.push((sequence(Some(1)), 3));
            for (sequence, count) in sequences.iter_mut().zip([1, 1, 1, 2, 3]) {
                sequence.1 = count;
            }
            outs.push(step(&spec, &second, &mut sequences));
            // Uses a few of many slots.
            let mut few = sequences.split_off(4);
            few[0].1 = 5;
            outs.push(step(&spec, &second.narrow(0, 0, 5).unwrap(), &mut few));
            // A single sequence with the first prefix.
            sequences.truncate(1);
            sequences[0].1 = 4;
            outs.push(step(
                &spec,
                &second.narrow(0, 2, 4).unwrap(),
                &mut sequences,
            ));
            outs
        };
        let plain = run(Backend::Slices, DType::F32);
        for (backend, dtype, most) in [
            (Backend::Slices, DType::BF16, 2e-2),
            (Backend::Tensors, DType::F32, 1e-5),
            (Backend::Tensors, DType::BF16, 2e-2),
            (Backend::Tensors, DType::F16, 3e-3),
        ] {
            for (i, (plain, other)) in plain.iter().zip(&run(backend, dtype)).enumerate() {
                let distance = distance(plain, other);
                assert!(
                    distance < most,
                    "{backend:?} {dtype:?} step {i}: {distance}"
                );
            }
        }
    }

    #[test]
    fn launches_do_not_grow_with_sequences() {
        for dtype in [DType::F32, DType::BF16, DType::F16] {
            let spec = spec(Backend::Tensors, dtype);
            let shared = prefix(&spec, &random(21, WIDTH));
            let launches = |sequences: usize, tokens: usize| {
                let pool = Pool::new(&spec);
                let new = |_| Sequence::new(&spec, Some(Arc::clone(&shared)), Some(&pool));
                let mut all: Vec<(Sequence, usize)> =
                    (0..sequences).map(|i| (new(i).unwrap(), tokens)).collect();
                let qkv = random(sequences * tokens, WIDTH);
                launches::count(|| {
                    step(&spec, &qkv, &mut all);
                })
            };
            let one = launches(1, 1);
            assert!((10..=20).contains(&one), "{dtype:?}: {one}");
            for (sequences, tokens) in [(2, 3), (32, 1), (128, 1), (7, 20)] {
                assert_eq!(launches(sequences, tokens), one);
            }
        }
    }

    #[test]
    fn nan_stays_in_its_sequence() {
        let spec = spec(Backend::Tensors, DType::F32);
        let pool = Pool::new(&spec);
        let new = || Sequence::new(&spec, None, Some(&pool)).unwrap();
        let qkv = random(6, WIDTH);
        let alone = step(&spec, &qkv, &mut [(new(), 6)]);
        let broken = (random(9, WIDTH) * f64::NAN).unwrap();
        step(&spec, &broken, &mut [(new(), 9)]);
        assert_eq!(distance(&alone, &step(&spec, &qkv, &mut [(new(), 6)])), 0.0);
    }

    #[test]
    fn ranges_attend_only_to_themselves() {
        let (heads, head_dim) = (3, 20);
        let all = [0..8, 8..12, 12..36];
        let qkv = random(36, 3 * heads * head_dim);
        let run = |backend, dtype, ranges: &[Range<usize>], rows: Range<usize>| {
            let ranges = Ranges::new(ranges.to_vec(), heads, &placement(backend, dtype)).unwrap();
            let qkv = qkv.narrow(0, rows.start, rows.len()).unwrap();
            let qkv = qkv.to_dtype(dtype).unwrap();
            attend_within(&qkv, &angles(rows, head_dim, dtype), &ranges).unwrap()
        };
        let plain = run(Backend::Slices, DType::F32, &all, 0..36);
        for (dtype, most) in [(DType::F32, 1e-5), (DType::BF16, 2e-2), (DType::F16, 3e-3)] {
            let tensors = run(Backend::Tensors, dtype, &all, 0..36);
            let distance = distance(&plain, &tensors);
            assert!(distance < most, "{dtype:?}: {distance}");
        }
        for backend in [Backend::Slices, Backend::Tensors] {
            let alone = run(backend, DType::F32, std::slice::from_ref(&(0..4)), 8..12);
            assert!(distance(&alone, &plain.narrow(0, 8, 4).unwrap()) < 1e-5);
        }
    }
}

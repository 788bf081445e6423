//! Attention over plain slices on the CPU, and with candle's operations elsewhere. Every sequence
//! attends to its shared prefix and to its own keys where they lie.

use super::kv_cache::{BLOCK, CacheSpec, HeadShape, LayerCache, PlainLayer, Sequence};
use super::ops::{self, mul_add, softmax_row, vectorized, with_slice};
use super::rope::{Angles, Grid};
use candle_core::{D, DType, Result, Tensor};
use rayon::prelude::*;
use std::ops::Range;

/// Queries that are scored against the same keys in one pass.
const GROUP: usize = 8;

/// The rows of a step that belong to one sequence.
pub struct Span<'a> {
    pub sequence: &'a mut Sequence,
    pub rows: Range<usize>,
}

/// Calls `$f::<R, FMA>` for the number of queries at hand.
macro_rules! for_group {
    ($r:expr, $f:ident, $($arg:expr),*) => {
        match $r {
            1 => $f::<1, FMA>($($arg),*),
            2 => $f::<2, FMA>($($arg),*),
            3 => $f::<3, FMA>($($arg),*),
            4 => $f::<4, FMA>($($arg),*),
            5 => $f::<5, FMA>($($arg),*),
            6 => $f::<6, FMA>($($arg),*),
            7 => $f::<7, FMA>($($arg),*),
            _ => $f::<GROUP, FMA>($($arg),*),
        }
    };
}

vectorized! {
    /// Scores of `r` queries, interleaved `(head_dim, r)`, against `n` keys in blocks; block `b`
    /// of the wanted head starts at `start + b * step`. Query `h` writes to `out[h * stride..]`.
    fn score(queries: &[f32], r: usize, keys: &[f32], start: usize, step: usize, n: usize,
             out: &mut [f32], stride: usize) {
        for_group!(r, score_group, queries, keys, start, step, n, out, stride)
    }
}

#[inline(always)]
fn score_group<const R: usize, const FMA: bool>(
    queries: &[f32],
    keys: &[f32],
    start: usize,
    step: usize,
    n: usize,
    out: &mut [f32],
    stride: usize,
) {
    let size = queries.len() / R * BLOCK;
    for (b, at) in (0..n).step_by(BLOCK).enumerate() {
        let block = &keys[start + b * step..][..size];
        let mut sums = [[0f32; BLOCK]; R];
        for (keys, queries) in block.chunks_exact(BLOCK).zip(queries.chunks_exact(R)) {
            for h in 0..R {
                for l in 0..BLOCK {
                    sums[h][l] = mul_add::<FMA>(queries[h], keys[l], sums[h][l]);
                }
            }
        }
        let used = BLOCK.min(n - at);
        for (h, sums) in sums.iter().enumerate() {
            out[h * stride + at..][..used].copy_from_slice(&sums[..used]);
        }
    }
}

vectorized! {
    /// Adds the `n` values, weighted for each of `r` queries, to `out`, `(r, head_dim)`. The
    /// value of token `j` starts at `start + j * step`.
    fn weigh(weights: &[f32], r: usize, stride: usize, values: &[f32], start: usize, step: usize,
             n: usize, out: &mut [f32]) {
        for_group!(r, weigh_group, weights, stride, values, start, step, n, out)
    }
}

#[inline(always)]
fn weigh_group<const R: usize, const FMA: bool>(
    weights: &[f32],
    stride: usize,
    values: &[f32],
    start: usize,
    step: usize,
    n: usize,
    out: &mut [f32],
) {
    // Two registers wide, so that a weight is loaded once for both.
    const WIDE: usize = 2 * ops::LANES;
    let dim = out.len() / R;
    let rows: [&[f32]; R] = std::array::from_fn(|h| &weights[h * stride..][..n]);
    let whole = dim / WIDE * WIDE;
    for column in (0..whole).step_by(WIDE) {
        let mut sums = [[0f32; WIDE]; R];
        for j in 0..n {
            let value = &values[start + j * step + column..][..WIDE];
            for h in 0..R {
                let weight = rows[h][j];
                for l in 0..WIDE {
                    sums[h][l] = mul_add::<FMA>(weight, value[l], sums[h][l]);
                }
            }
        }
        for (h, sums) in sums.iter().enumerate() {
            for (out, sum) in out[h * dim + column..].iter_mut().zip(sums) {
                *out += sum;
            }
        }
    }
    for column in whole..dim {
        for (h, row) in rows.iter().enumerate() {
            let each = row.iter().enumerate();
            let sum: f32 = each
                .map(|(j, w)| w * values[start + j * step + column])
                .sum();
            out[h * dim + column] += sum;
        }
    }
}

/// Keys and values of one head that some queries may see.
struct Segment<'a> {
    layer: &'a PlainLayer,
    tokens: usize,
}

/// What one thread writes to while it attends.
#[derive(Default)]
struct Scratch {
    queries: Vec<f32>,
    scores: Vec<f32>,
}

impl Scratch {
    /// Lays `r` queries out for scoring: turned, scaled and interleaved.
    fn set_queries(
        &mut self,
        r: usize,
        dim: usize,
        query: impl Fn(usize, &mut dyn FnMut(usize, f32)),
    ) {
        self.queries.resize(r * dim, 0.0);
        for h in 0..r {
            let queries = &mut self.queries;
            query(h, &mut |i, value| queries[i * r + h] = value);
        }
    }

    /// Attends with the queries to the segments; `out` is `(r, head_dim)`.
    fn attend(
        &mut self,
        r: usize,
        kv_dim: usize,
        offset: usize,
        segments: &[Segment],
        out: &mut [f32],
    ) {
        let total: usize = segments.iter().map(|segment| segment.tokens).sum();
        self.scores.resize(r * total, 0.0);
        let mut at = 0;
        for Segment { layer, tokens } in segments {
            let (start, step) = (offset * BLOCK, kv_dim * BLOCK);
            let scores = &mut self.scores[at..];
            score(
                &self.queries,
                r,
                &layer.keys,
                start,
                step,
                *tokens,
                scores,
                total,
            );
            at += tokens;
        }
        self.scores.chunks_exact_mut(total).for_each(softmax_row);
        out.fill(0.0);
        at = 0;
        for Segment { layer, tokens } in segments {
            let weights = &self.scores[at..];
            weigh(
                weights,
                r,
                total,
                &layer.values,
                offset,
                kv_dim,
                *tokens,
                out,
            );
            at += tokens;
        }
    }
}

/// Causal attention of a step. A row of `qkv`, `(tokens, (heads + 2 kv_heads) * head_dim)`, holds
/// a token's queries, keys and values; the keys and values join the caches of the spans, which
/// together cover all rows. Gives `(tokens, heads * head_dim)`.
pub(super) fn attend(
    qkv: &Tensor,
    layer: usize,
    spec: &CacheSpec,
    angles: &Angles,
    spans: &mut [Span],
) -> Result<Tensor> {
    if ops::is_plain(qkv) && spec.dtype == DType::F32 {
        let out = with_slice(qkv, |qkv| {
            attend_plain(qkv, layer, spec.shape, angles, spans)
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

fn attend_plain(
    qkv: &[f32],
    layer: usize,
    shape: HeadShape,
    angles: &Angles,
    spans: &mut [Span],
) -> Result<Vec<f32>> {
    let HeadShape {
        heads,
        kv_heads,
        head_dim,
    } = shape;
    let (q_dim, kv_dim, group) = (heads * head_dim, shape.kv_dim(), shape.group());
    let width = q_dim + 2 * kv_dim;
    let rows = qkv.len() / width;

    for span in &mut *spans {
        let before = span.sequence.own_len();
        let LayerCache::Plain(cache) = &mut span.sequence.layers[layer] else {
            candle_core::bail!("the sequence was made for another device")
        };
        // A step that panicked halfway may have left more.
        cache.truncate(kv_dim, before);
        for (i, row) in span.rows.clone().enumerate() {
            let kv = &qkv[row * width + q_dim..(row + 1) * width];
            let (keys, values) = kv.split_at(kv_dim);
            let mut slot = cache.key_slots(before + i, kv_dim);
            for (head, key) in keys.chunks_exact(head_dim).enumerate() {
                angles.turn(row, key, 1.0, |i, value| slot(head * head_dim + i, value));
            }
            drop(slot);
            cache.values.extend_from_slice(values);
        }
    }

    // Which sequence a row belongs to, and how many of its own tokens the row may see.
    let mut owners = vec![(0, 0); rows];
    for (index, span) in spans.iter().enumerate() {
        let before = span.sequence.own_len();
        for (i, row) in span.rows.clone().enumerate() {
            owners[row] = (index, before + i + 1);
        }
    }
    let spans: &[Span] = spans;
    let scale = 1.0 / (head_dim as f32).sqrt();
    let mut out = vec![0f32; rows * q_dim];
    out.par_chunks_mut(group * head_dim)
        .enumerate()
        .try_for_each_init(Scratch::default, |scratch, (task, out)| {
            let (row, head) = (task / kv_heads, task % kv_heads);
            let (owner, own) = owners[row];
            let sequence = &*spans[owner].sequence;
            let mut segments = Vec::with_capacity(2);
            if let Some(prefix) = sequence.prefix() {
                segments.push((&prefix.layers[layer], prefix.tokens()));
            }
            segments.push((&sequence.layers[layer], own));
            let segments: Result<Vec<Segment>> = segments
                .into_iter()
                .map(|(layer, tokens)| match layer {
                    LayerCache::Plain(layer) => Ok(Segment { layer, tokens }),
                    LayerCache::Device(_) => {
                        candle_core::bail!("the shared prefix was made for another device")
                    }
                })
                .collect();
            let segments = segments?;
            let queries = &qkv[row * width + head * group * head_dim..][..group * head_dim];
            for (queries, out) in queries
                .chunks(GROUP * head_dim)
                .zip(out.chunks_mut(GROUP * head_dim))
            {
                let r = queries.len() / head_dim;
                scratch.set_queries(r, head_dim, |h, put| {
                    angles.turn(row, &queries[h * head_dim..][..head_dim], scale, put);
                });
                scratch.attend(r, kv_dim, head * head_dim, &segments, out);
            }
            Ok::<(), candle_core::Error>(())
        })?;
    Ok(out)
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

/// Full attention within each picture. A row of `qkv`, `(patches, 3 * heads * head_dim)`, holds a
/// patch's queries, keys and values. Gives `(patches, heads * head_dim)`.
pub(super) fn attend_pictures(
    qkv: &Tensor,
    heads: usize,
    angles: &Angles,
    grids: &[Grid],
) -> Result<Tensor> {
    let (patches, width) = qkv.dims2()?;
    let dim = width / 3;
    // A frame attends to itself alone; pictures have one.
    let frames = grids
        .iter()
        .flat_map(|grid| std::iter::repeat_n(grid.h * grid.w, grid.t));
    let mut ranges = Vec::new();
    let mut start = 0;
    for n in frames {
        ranges.push(start..start + n);
        start += n;
    }
    if ops::is_plain(qkv) {
        let out = with_slice(qkv, |qkv| {
            Ok(pictures_plain(qkv, heads, dim, angles, &ranges))
        })?;
        return Tensor::from_vec(out, (patches, dim), qkv.device());
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

fn pictures_plain(
    qkv: &[f32],
    heads: usize,
    dim: usize,
    angles: &Angles,
    ranges: &[Range<usize>],
) -> Vec<f32> {
    let (head_dim, width) = (dim / heads, 3 * dim);
    let scale = 1.0 / (head_dim as f32).sqrt();
    let tasks: Vec<(&Range<usize>, usize)> = ranges
        .iter()
        .flat_map(|range| (0..heads).map(move |head| (range, head)))
        .collect();
    let done: Vec<Vec<f32>> = tasks
        .par_iter()
        .map_init(Scratch::default, |scratch, (range, head)| {
            let part =
                |row: usize, i: usize| &qkv[row * width + i * dim + head * head_dim..][..head_dim];
            let mut cache = PlainLayer::default();
            for (i, row) in (*range).clone().enumerate() {
                angles.turn(row, part(row, 1), 1.0, cache.key_slots(i, head_dim));
                cache.values.extend_from_slice(part(row, 2));
            }
            let segment = [Segment {
                layer: &cache,
                tokens: range.len(),
            }];
            let mut out = vec![0f32; range.len() * head_dim];
            for (group, out) in out.chunks_mut(GROUP * head_dim).enumerate() {
                let r = out.len() / head_dim;
                let first = range.start + group * GROUP;
                scratch.set_queries(r, head_dim, |h, put| {
                    angles.turn(first + h, part(first + h, 0), scale, put);
                });
                scratch.attend(r, head_dim, 0, &segment, out);
            }
            out
        })
        .collect();
    let mut out = vec![0f32; qkv.len() / 3];
    for ((range, head), done) in tasks.iter().zip(&done) {
        for (row, values) in (*range).clone().zip(done.chunks_exact(head_dim)) {
            out[row * dim + head * head_dim..][..head_dim].copy_from_slice(values);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qwen2vl::kv_cache::Prefix;
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

    fn angles(tokens: usize, head_dim: usize) -> Angles {
        let config = crate::qwen2vl::config::TextConfig {
            hidden_size: SHAPE.heads * head_dim,
            intermediate_size: 1,
            num_hidden_layers: 1,
            num_attention_heads: SHAPE.heads,
            num_key_value_heads: SHAPE.kv_heads,
            vocab_size: 1,
            rms_norm_eps: 1e-6,
            rope_theta: 100.0,
            mrope_section: [head_dim / 2 - 2, 1, 1],
            max_position_embeddings: 100,
            tie_word_embeddings: true,
        };
        let positions: Vec<[u32; 3]> = (0..tokens as u32).map(|i| [i, i / 2, i + 3]).collect();
        crate::qwen2vl::rope::TextRope::new(&config)
            .angles(&positions, &Device::Cpu, DType::F32)
            .unwrap()
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
    fn pictures_attend_to_themselves_alone() {
        let grids = [(2, 4), (2, 2), (6, 4)].map(|(h, w)| Grid { t: 1, h, w });
        let (heads, head_dim) = (3, 20);
        let qkv = random(36, 3 * heads * head_dim);
        let angles = angles(36, head_dim);
        let plain = attend_pictures(&qkv, heads, &angles, &grids).unwrap();
        let generic = qkv.to_dtype(DType::F64).unwrap();
        let generic = attend_pictures(&generic, heads, &angles, &grids).unwrap();
        assert_close(&plain, &generic);
        let alone = qkv.narrow(0, 8, 4).unwrap();
        let angles = angles.rows(&(8..12)).unwrap();
        let alone = attend_pictures(&alone, heads, &angles, &grids[1..2]).unwrap();
        assert_close(&plain.narrow(0, 8, 4).unwrap(), &alone);
    }
}

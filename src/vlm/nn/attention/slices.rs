//! Attention over slices, for the CPU.
//!
//! Rows of different sequences that share a prefix attend to it together: a tile of its keys or
//! values is loaded once and used by all their queries while it is in the processor's cache.

use super::kernel::{AttentionKernel, GROUP};
use crate::vlm::nn::kv::layout::{BLOCK, CpuLayer, HeadShape, PrefixLayers};
use crate::vlm::nn::kv::sequence::{Own, Sequence, Span};
use crate::vlm::nn::rope::Angles;
use crate::vlm::nn::simd::softmax_row;
use crate::vlm::nn::team;
use candle_core::Result;
use std::ops::Range;

/// Tokens of a [`KvTile`], divided by the pair size: their keys or values stay in the L1 cache while
/// all query tiles of a run use them.
const CHUNK: usize = 2 * BLOCK;
/// Maximum number of rows in a run: their scores stay in the L2 cache.
const RUN: usize = 8;

const FOREIGN: &str = "keys and values were made for another device";

/// The first `tokens` keys and values of a layer.
#[derive(Clone, Copy)]
struct Segment<'a, T> {
    layer: &'a CpuLayer<T>,
    tokens: usize,
}

/// Up to [`GROUP`] queries that attend to the same tokens: those that all tiles share, then their
/// own.
struct QueryTile<'a, T> {
    queries: usize,
    own: Option<Segment<'a, T>>,
}

/// Keys and values of consecutive tokens, to be combined with one query tile.
struct KvTile<'a, T> {
    /// The index of the query tile.
    query_tile: usize,
    layer: &'a CpuLayer<T>,
    /// The first token in the layer.
    at: usize,
    /// At most [`CHUNK`] times the pair size.
    tokens: usize,
    /// Offset of its scores in a query's row of scores.
    column: usize,
}

/// Iterates over the KV tiles of each query tile. A tile of shared tokens is repeated for all query
/// tiles before the next one.
fn kv_tiles<'a, T: AttentionKernel>(
    shared: Option<Segment<'a, T>>,
    tiles: &'a [QueryTile<'a, T>],
) -> impl Iterator<Item = KvTile<'a, T>> {
    let chunk = CHUNK * T::PAIR;
    let common = shared.map_or(0, |segment| segment.tokens);
    let starts = move |segment: Segment<'a, T>| {
        (0..segment.tokens)
            .step_by(chunk)
            .map(move |at| (segment, at))
    };
    let tile = move |query_tile, (segment, at): (Segment<'a, T>, usize), before| KvTile {
        query_tile,
        layer: segment.layer,
        at,
        tokens: chunk.min(segment.tokens - at),
        column: before + at,
    };
    let together = shared
        .into_iter()
        .flat_map(starts)
        .flat_map(move |start| (0..tiles.len()).map(move |index| tile(index, start, 0)));
    let apart = tiles.iter().enumerate().flat_map(move |(index, queries)| {
        let own = queries.own.into_iter().flat_map(starts);
        own.map(move |start| tile(index, start, common))
    });
    together.chain(apart)
}

/// Positions of a query tile's queries and scores in [`Scratch`].
struct TileRanges {
    queries: Range<usize>,
    scores: Range<usize>,
    /// Number of tokens that each query attends to.
    tokens: usize,
}

/// Working memory of one thread.
#[derive(Default)]
struct Scratch<T> {
    /// The query tiles, each in pairs `(head_dim / PAIR, queries, PAIR)`.
    queries: Vec<T>,
    /// The tiles' scores, each `(queries, tokens)`.
    scores: Vec<f32>,
    /// The tiles' softmax weights, rounded.
    weights: Vec<T>,
    /// One head of one token in f32.
    wide: Vec<f32>,
    /// The same, rounded.
    head: Vec<T>,
}

impl<T: AttentionKernel> Scratch<T> {
    /// Adds the queries of one more tile, given as pairs of a row of the step and its query.
    fn push_queries<'q>(
        &mut self,
        angles: &Angles,
        head_dim: usize,
        queries: impl ExactSizeIterator<Item = (usize, &'q [f32])>,
    ) {
        let (r, start) = (queries.len(), self.queries.len());
        let scale = 1.0 / (head_dim as f32).sqrt();
        self.queries.resize(start + r * head_dim, T::default());
        for (h, (row, query)) in queries.enumerate() {
            self.wide.resize(head_dim, 0.0);
            angles.rotate(row, query, scale, &mut self.wide);
            self.head.resize(head_dim, T::default());
            T::round(&self.wide, &mut self.head);
            let pairs = self.queries[start + h * T::PAIR..].chunks_mut(r * T::PAIR);
            for (to, from) in pairs.zip(self.head.chunks_exact(T::PAIR)) {
                to[..T::PAIR].copy_from_slice(from);
            }
        }
    }

    /// Computes attention of the tiles' queries, which it consumes, to the head that starts at
    /// `offset` of a token's `kv_dim` elements. Returns `(queries, head_dim)`.
    fn attend(
        &mut self,
        kv_dim: usize,
        offset: usize,
        head_dim: usize,
        shared: Option<Segment<T>>,
        tiles: &[QueryTile<T>],
    ) -> Vec<f32> {
        let (start, step) = (offset * BLOCK, kv_dim * BLOCK);
        let common = shared.map_or(0, |segment| segment.tokens);
        let (mut queries, mut scores) = (0, 0);
        let ranges: Vec<TileRanges> = tiles
            .iter()
            .map(|tile| {
                let tokens = common + tile.own.map_or(0, |own| own.tokens);
                let first = (queries, scores);
                queries += tile.queries * head_dim;
                scores += tile.queries * tokens;
                TileRanges {
                    queries: first.0..queries,
                    scores: first.1..scores,
                    tokens,
                }
            })
            .collect();
        if self.scores.len() < scores {
            self.scores.resize(scores, 0.0);
        }
        for tile in kv_tiles(shared, tiles) {
            let range = &ranges[tile.query_tile];
            T::score(
                &self.queries[range.queries.clone()],
                tiles[tile.query_tile].queries,
                &tile.layer.keys[start + tile.at / BLOCK * step..],
                step,
                tile.tokens,
                &mut self.scores[range.scores.clone()][tile.column..],
                range.tokens,
            );
        }
        for range in &ranges {
            self.scores[range.scores.clone()]
                .chunks_exact_mut(range.tokens)
                .for_each(softmax_row);
        }
        let weights = T::weights(&self.scores[..scores], &mut self.weights);
        let mut out = vec![0f32; queries];
        for tile in kv_tiles(shared, tiles) {
            let range = &ranges[tile.query_tile];
            T::accumulate(
                &weights[range.scores.clone()][tile.column..],
                tiles[tile.query_tile].queries,
                range.tokens,
                &tile.layer.values[start + tile.at / BLOCK * step..],
                step,
                tile.tokens,
                &mut out[range.queries.clone()],
            );
        }
        self.queries.clear();
        out
    }
}

/// Consecutive rows whose sequences share a prefix.
struct SharedRun<'a, T> {
    rows: Range<usize>,
    shared: Option<Segment<'a, T>>,
    /// For each row, the tokens of its own sequence that it attends to.
    own: Vec<Segment<'a, T>>,
}

/// Causal attention of a step; see [`super::attend`].
pub fn attend<T: AttentionKernel>(
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
        append::<T>(span, qkv, layer, shape, angles)?;
    }

    let spans: &[Span] = spans;
    let most = (rows * kv_heads).div_ceil(4 * team::threads());
    let runs = runs::<T>(spans, layer, most.clamp(1, RUN))?;
    let tasks: Vec<(&SharedRun<T>, usize)> = runs
        .iter()
        .flat_map(|run| (0..kv_heads).map(move |head| (run, head)))
        .collect();
    let done = team::map_with(tasks.len(), Scratch::default, |scratch, task| {
        let (run, head) = &tasks[task];
        let mut tiles = Vec::with_capacity(run.rows.len());
        for (row, own) in run.rows.clone().zip(&run.own) {
            let queries = &qkv[row * width + head * group * head_dim..][..group * head_dim];
            for queries in queries.chunks(GROUP * head_dim) {
                let queries = queries.chunks_exact(head_dim).map(|query| (row, query));
                tiles.push(QueryTile {
                    queries: queries.len(),
                    own: Some(*own),
                });
                scratch.push_queries(angles, head_dim, queries);
            }
        }
        scratch.attend(kv_dim, head * head_dim, head_dim, run.shared, &tiles)
    });
    let places = tasks.iter().map(|(run, head)| (run.rows.clone(), *head));
    Ok(gather(places.zip(&done), q_dim, group * head_dim, rows))
}

/// Appends the keys and values of a span's rows to its sequence.
fn append<T: AttentionKernel>(
    span: &mut Span,
    qkv: &[f32],
    layer: usize,
    shape: HeadShape,
    angles: &Angles,
) -> Result<()> {
    let (head_dim, kv_dim) = (shape.head_dim, shape.kv_dim());
    let q_dim = shape.heads * head_dim;
    let before = span.sequence.own_len();
    let layers = match &mut span.sequence.own {
        Own::Cpu(layers) => T::layers_mut(layers),
        Own::Pooled(_) => None,
    };
    let Some(layers) = layers else {
        candle_core::bail!("{FOREIGN}")
    };
    let cache = &mut layers[layer];
    // A step that panicked may have left extra tokens.
    cache.truncate(kv_dim, before);
    let (mut wide, mut rounded) = (vec![0f32; head_dim], vec![T::default(); head_dim]);
    for (i, row) in span.rows.clone().enumerate() {
        let kv = &qkv[row * (q_dim + 2 * kv_dim) + q_dim..][..2 * kv_dim];
        let (keys, values) = kv.split_at(kv_dim);
        let mut slot = cache.slot(before + i, shape);
        for (head, key) in keys.chunks_exact(head_dim).enumerate() {
            angles.rotate(row, key, 1.0, &mut wide);
            T::round(&wide, &mut rounded);
            slot.put_key(head, &rounded);
        }
        for (head, value) in values.chunks_exact(head_dim).enumerate() {
            T::round(value, &mut rounded);
            slot.put_value(head, &rounded);
        }
    }
    Ok(())
}

/// Splits the rows of a step into runs of at most `most` rows.
fn runs<'a, T: AttentionKernel>(
    spans: &'a [Span],
    layer: usize,
    most: usize,
) -> Result<Vec<SharedRun<'a, T>>> {
    let mut runs: Vec<SharedRun<T>> = Vec::new();
    for span in spans {
        let shared = shared::<T>(span.sequence, layer)?;
        let own = match &span.sequence.own {
            Own::Cpu(layers) => T::layers(layers),
            Own::Pooled(_) => None,
        };
        let Some(own) = own else {
            candle_core::bail!("{FOREIGN}")
        };
        for (i, row) in span.rows.clone().enumerate() {
            let segment = Segment {
                layer: &own[layer],
                tokens: span.sequence.own_len() + i + 1,
            };
            let address =
                |segment: Option<Segment<T>>| segment.map(|it| std::ptr::from_ref(it.layer));
            match runs.last_mut() {
                Some(run) if run.own.len() < most && address(run.shared) == address(shared) => {
                    run.rows.end = row + 1;
                    run.own.push(segment);
                }
                _ => runs.push(SharedRun {
                    rows: row..row + 1,
                    shared,
                    own: vec![segment],
                }),
            }
        }
    }
    Ok(runs)
}

/// The prefix of a sequence, if any.
fn shared<T: AttentionKernel>(sequence: &Sequence, layer: usize) -> Result<Option<Segment<'_, T>>> {
    let Some(prefix) = sequence.prefix() else {
        return Ok(None);
    };
    let layers = match &prefix.layers {
        PrefixLayers::Cpu(layers) => T::layers(layers),
        PrefixLayers::Tensors(_) => None,
    };
    match layers {
        Some(layers) => Ok(Some(Segment {
            layer: &layers[layer],
            tokens: prefix.tokens(),
        })),
        None => candle_core::bail!("{FOREIGN}"),
    }
}

/// Assembles a matrix, `(rows, width)`, from blocks that cover some rows and one slice of their
/// columns.
fn gather<'a>(
    parts: impl Iterator<Item = ((Range<usize>, usize), &'a Vec<f32>)>,
    width: usize,
    part_width: usize,
    rows: usize,
) -> Vec<f32> {
    let mut out = vec![0f32; rows * width];
    for ((rows, part), numbers) in parts {
        for (row, numbers) in rows.zip(numbers.chunks_exact(part_width)) {
            out[row * width + part * part_width..][..part_width].copy_from_slice(numbers);
        }
    }
    out
}

/// Full attention within each range of rows; see [`super::attend_within`].
pub fn attend_within(
    qkv: &[f32],
    heads: usize,
    dim: usize,
    angles: &Angles,
    ranges: &[Range<usize>],
) -> Vec<f32> {
    let (head_dim, width) = (dim / heads, 3 * dim);
    let shape = HeadShape {
        heads: 1,
        kv_heads: 1,
        head_dim,
    };
    let tasks: Vec<(&Range<usize>, usize)> = ranges
        .iter()
        .flat_map(|range| (0..heads).map(move |head| (range, head)))
        .collect();
    let done = team::map_with(tasks.len(), Scratch::default, |scratch, task| {
        let (range, head) = &tasks[task];
        let part =
            |row: usize, i: usize| &qkv[row * width + i * dim + head * head_dim..][..head_dim];
        let mut cache = CpuLayer::default();
        let mut key = vec![0f32; head_dim];
        for (i, row) in (*range).clone().enumerate() {
            let mut slot = cache.slot(i, shape);
            angles.rotate(row, part(row, 1), 1.0, &mut key);
            slot.put_key(0, &key);
            slot.put_value(0, part(row, 2));
        }
        let all = Segment {
            layer: &cache,
            tokens: range.len(),
        };
        // Splits a large range, so that the scores stay in the processor's cache.
        let mut out = Vec::with_capacity(range.len() * head_dim);
        for first in (*range).clone().step_by(RUN * GROUP) {
            let rows: Vec<usize> = (first..range.end.min(first + RUN * GROUP)).collect();
            let mut tiles: Vec<QueryTile<f32>> = Vec::new();
            for rows in rows.chunks(GROUP) {
                let queries = rows.iter().map(|row| (*row, part(*row, 0)));
                scratch.push_queries(angles, head_dim, queries);
                tiles.push(QueryTile {
                    queries: rows.len(),
                    own: None,
                });
            }
            out.extend(scratch.attend(head_dim, 0, head_dim, Some(all), &tiles));
        }
        out
    });
    let places = tasks.iter().map(|(range, head)| ((*range).clone(), *head));
    gather(places.zip(&done), dim, head_dim, qkv.len() / width)
}

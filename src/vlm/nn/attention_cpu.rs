//! Attention over plain slices, for the CPU.
//!
//! Rows of different sequences that share a prefix attend to it together: a tile of its keys or
//! values is fetched once and used by the queries of all of them while it is in the cache.

use super::kv_cache::{Own, Span};
use super::kv_layout::{BLOCK, HeadShape, PlainLayer, PrefixLayers};
use super::ops::{self, mul_add, softmax_row, vectorized};
use super::rope::Angles;
use candle_core::Result;
use rayon::prelude::*;
use std::ops::Range;

/// Queries that are scored against the same keys in one pass: what the registers hold.
const GROUP: usize = 8;
/// Tokens of a [`KvTile`]: their keys or values stay in the first-level cache while the query
/// tiles of a run pass over them.
const CHUNK: usize = 2 * BLOCK;
/// The most rows of a run: their scores stay in the second-level cache.
const RUN: usize = 8;

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
    /// of the wanted head starts at `b * step` of `keys`. Query `h` writes to
    /// `out[h * stride..]`.
    fn score(queries: &[f32], r: usize, keys: &[f32], step: usize, n: usize, out: &mut [f32],
             stride: usize) {
        for_group!(r, score_group, queries, keys, step, n, out, stride)
    }
}

#[inline(always)]
fn score_group<const R: usize, const FMA: bool>(
    queries: &[f32],
    keys: &[f32],
    step: usize,
    n: usize,
    out: &mut [f32],
    stride: usize,
) {
    let size = queries.len() / R * BLOCK;
    let whole = n / CHUNK * CHUNK;
    for at in (0..whole).step_by(CHUNK) {
        let first = at / BLOCK * step;
        let pair = [&keys[first..][..size], &keys[first + step..][..size]];
        score_blocks::<R, 2, FMA>(queries, pair, CHUNK, &mut out[at..], stride);
    }
    for at in (whole..n).step_by(BLOCK) {
        let block = [&keys[at / BLOCK * step..][..size]];
        score_blocks::<R, 1, FMA>(queries, block, BLOCK.min(n - at), &mut out[at..], stride);
    }
}

/// Scores against `W` blocks at once, so that a query is loaded once for all of them.
#[inline(always)]
fn score_blocks<const R: usize, const W: usize, const FMA: bool>(
    queries: &[f32],
    blocks: [&[f32]; W],
    n: usize,
    out: &mut [f32],
    stride: usize,
) {
    let mut sums = [[[0f32; BLOCK]; W]; R];
    for (i, queries) in queries.chunks_exact(R).enumerate() {
        for h in 0..R {
            for w in 0..W {
                let keys = &blocks[w][i * BLOCK..][..BLOCK];
                for l in 0..BLOCK {
                    sums[h][w][l] = mul_add::<FMA>(queries[h], keys[l], sums[h][w][l]);
                }
            }
        }
    }
    for (h, sums) in sums.iter().enumerate() {
        out[h * stride..][..n].copy_from_slice(&sums.as_flattened()[..n]);
    }
}

vectorized! {
    /// Adds `n` values, weighted for each of `r` queries, to `out`, `(r, head_dim)`. Block `b` of
    /// the wanted head starts at `b * step` of `values`; the weights of query `h` are
    /// `weights[h * stride..]`.
    fn accumulate_values(weights: &[f32], r: usize, stride: usize, values: &[f32], step: usize, n: usize,
             out: &mut [f32]) {
        for_group!(r, accumulate_values_group, weights, stride, values, step, n, out)
    }
}

#[inline(always)]
fn accumulate_values_group<const R: usize, const FMA: bool>(
    weights: &[f32],
    stride: usize,
    values: &[f32],
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
        for (h, sums) in sums.iter_mut().enumerate() {
            sums.copy_from_slice(&out[h * dim + column..][..WIDE]);
        }
        for (b, at) in (0..n).step_by(BLOCK).enumerate() {
            let used = BLOCK.min(n - at);
            let block = &values[b * step..][..used * dim];
            for (j, value) in block.chunks_exact(dim).enumerate() {
                let value = &value[column..][..WIDE];
                for h in 0..R {
                    let weight = rows[h][at + j];
                    for l in 0..WIDE {
                        sums[h][l] = mul_add::<FMA>(weight, value[l], sums[h][l]);
                    }
                }
            }
        }
        for (h, sums) in sums.iter().enumerate() {
            out[h * dim + column..][..WIDE].copy_from_slice(sums);
        }
    }
    for column in whole..dim {
        for (h, row) in rows.iter().enumerate() {
            let sum: f32 = row
                .iter()
                .enumerate()
                .map(|(j, weight)| weight * values[j / BLOCK * step + j % BLOCK * dim + column])
                .sum();
            out[h * dim + column] += sum;
        }
    }
}

/// The first `tokens` keys and values of a layer.
#[derive(Clone, Copy)]
struct Segment<'a> {
    layer: &'a PlainLayer,
    tokens: usize,
}

/// Up to [`GROUP`] queries that see the same tokens: those that all tiles share, then their own.
struct QueryTile<'a> {
    queries: usize,
    own: Option<Segment<'a>>,
}

/// Keys and values of consecutive tokens, to be combined with one query tile.
struct KvTile<'a> {
    /// The index of the query tile.
    query_tile: usize,
    layer: &'a PlainLayer,
    /// The first token in the layer.
    at: usize,
    /// At most [`CHUNK`].
    tokens: usize,
    /// Where its scores begin among those of a query.
    column: usize,
}

/// The tiles of keys and values for each query tile. A tile of the shared tokens comes for all
/// query tiles one after the other.
fn kv_tiles<'a>(
    shared: Option<Segment<'a>>,
    tiles: &'a [QueryTile<'a>],
) -> impl Iterator<Item = KvTile<'a>> {
    let common = shared.map_or(0, |segment| segment.tokens);
    let starts = |segment: Segment<'a>| {
        (0..segment.tokens)
            .step_by(CHUNK)
            .map(move |at| (segment, at))
    };
    let tile = move |query_tile, (segment, at): (Segment<'a>, usize), before| KvTile {
        query_tile,
        layer: segment.layer,
        at,
        tokens: CHUNK.min(segment.tokens - at),
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

/// Where the queries and the scores of a query tile are in [`Scratch`].
struct TileRanges {
    queries: Range<usize>,
    scores: Range<usize>,
    /// Tokens that each query sees.
    tokens: usize,
}

/// The working memory of one thread.
#[derive(Default)]
struct Scratch {
    /// Tile after tile, each interleaved `(head_dim, queries)`.
    queries: Vec<f32>,
    /// Tile after tile, each `(queries, tokens)`.
    scores: Vec<f32>,
}

impl Scratch {
    /// Adds the queries of one more tile in the layout for scoring: rotated, scaled, interleaved.
    fn push_queries(
        &mut self,
        r: usize,
        dim: usize,
        query: impl Fn(usize, &mut dyn FnMut(usize, f32)),
    ) {
        let start = self.queries.len();
        self.queries.resize(start + r * dim, 0.0);
        let queries = &mut self.queries[start..];
        for h in 0..r {
            query(h, &mut |i, value| queries[i * r + h] = value);
        }
    }

    /// Attends with the queries of the tiles, which it consumes, to the head whose numbers start
    /// at `offset` of the `kv_dim` of a token. Gives `(queries, head_dim)`.
    fn attend(
        &mut self,
        kv_dim: usize,
        offset: usize,
        head_dim: usize,
        shared: Option<Segment>,
        tiles: &[QueryTile],
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
            score(
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
        let mut out = vec![0f32; queries];
        for tile in kv_tiles(shared, tiles) {
            let range = &ranges[tile.query_tile];
            accumulate_values(
                &self.scores[range.scores.clone()][tile.column..],
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
struct Run<'a> {
    rows: Range<usize>,
    shared: Option<Segment<'a>>,
    /// For each row, the tokens of its own sequence that it sees.
    own: Vec<Segment<'a>>,
}

/// Causal attention of a step; see [`super::attention::attend`].
pub(crate) fn attend(
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
        let Own::Plain(layers) = &mut span.sequence.own else {
            candle_core::bail!("the sequence was made for another device")
        };
        let cache = &mut layers[layer];
        // A step that panicked halfway may have left more.
        cache.truncate(kv_dim, before);
        for (i, row) in span.rows.clone().enumerate() {
            let kv = &qkv[row * width + q_dim..(row + 1) * width];
            let (keys, values) = kv.split_at(kv_dim);
            let mut slot = cache.slot(before + i, shape);
            for (head, key) in keys.chunks_exact(head_dim).enumerate() {
                angles.rotate(row, key, 1.0, |i, number| slot.put_key(head, i, number));
            }
            for (head, value) in values.chunks_exact(head_dim).enumerate() {
                slot.put_value(head, value);
            }
        }
    }

    let spans: &[Span] = spans;
    let most = (rows * kv_heads).div_ceil(4 * rayon::current_num_threads());
    let runs = runs(spans, layer, most.clamp(1, RUN))?;
    let tasks: Vec<(&Run, usize)> = runs
        .iter()
        .flat_map(|run| (0..kv_heads).map(move |head| (run, head)))
        .collect();
    let scale = 1.0 / (head_dim as f32).sqrt();
    let done: Vec<Vec<f32>> = tasks
        .par_iter()
        .map_init(Scratch::default, |scratch, (run, head)| {
            let mut tiles = Vec::with_capacity(run.rows.len());
            for (row, own) in run.rows.clone().zip(&run.own) {
                let queries = &qkv[row * width + head * group * head_dim..][..group * head_dim];
                for queries in queries.chunks(GROUP * head_dim) {
                    let r = queries.len() / head_dim;
                    scratch.push_queries(r, head_dim, |h, put| {
                        angles.rotate(row, &queries[h * head_dim..][..head_dim], scale, put);
                    });
                    tiles.push(QueryTile {
                        queries: r,
                        own: Some(*own),
                    });
                }
            }
            scratch.attend(kv_dim, head * head_dim, head_dim, run.shared, &tiles)
        })
        .collect();
    let places = tasks.iter().map(|(run, head)| (run.rows.clone(), *head));
    Ok(gather(places.zip(&done), q_dim, group * head_dim, rows))
}

/// Cuts the rows of a step into runs of at most `most`.
fn runs<'a>(spans: &'a [Span], layer: usize, most: usize) -> Result<Vec<Run<'a>>> {
    let mut runs: Vec<Run> = Vec::new();
    for span in spans {
        let sequence = &*span.sequence;
        let shared = match sequence.prefix().map(|prefix| (prefix, &prefix.layers)) {
            Some((prefix, PrefixLayers::Plain(layers))) => Some(Segment {
                layer: &layers[layer],
                tokens: prefix.tokens(),
            }),
            None => None,
            Some((_, PrefixLayers::Tensors(_))) => {
                candle_core::bail!("the prefix was made for another device")
            }
        };
        let Own::Plain(layers) = &sequence.own else {
            candle_core::bail!("the sequence was made for another device")
        };
        let own = &layers[layer];
        for (i, row) in span.rows.clone().enumerate() {
            let segment = Segment {
                layer: own,
                tokens: sequence.own_len() + i + 1,
            };
            let address = |segment: Option<Segment>| segment.map(|s| std::ptr::from_ref(s.layer));
            match runs.last_mut() {
                Some(run) if run.own.len() < most && address(run.shared) == address(shared) => {
                    run.rows.end = row + 1;
                    run.own.push(segment);
                }
                _ => runs.push(Run {
                    rows: row..row + 1,
                    shared,
                    own: vec![segment],
                }),
            }
        }
    }
    Ok(runs)
}

/// Copies what was computed for some rows and one part of their numbers into one matrix,
/// `(rows, width)`.
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

/// Full attention within each range of rows; see [`super::attention::attend_within`].
pub(crate) fn attend_within(
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
                let mut slot = cache.slot(i, shape);
                angles.rotate(row, part(row, 1), 1.0, |i, number| {
                    slot.put_key(0, i, number)
                });
                slot.put_value(0, part(row, 2));
            }
            let all = Segment {
                layer: &cache,
                tokens: range.len(),
            };
            // A large range is cut into parts whose scores stay in the cache.
            let mut out = Vec::with_capacity(range.len() * head_dim);
            for first in (*range).clone().step_by(RUN * GROUP) {
                let rows: Vec<usize> = (first..range.end.min(first + RUN * GROUP)).collect();
                let tiles: Vec<QueryTile> = rows
                    .chunks(GROUP)
                    .map(|rows| {
                        scratch.push_queries(rows.len(), head_dim, |h, put| {
                            angles.rotate(rows[h], part(rows[h], 0), scale, put);
                        });
                        QueryTile {
                            queries: rows.len(),
                            own: None,
                        }
                    })
                    .collect();
                out.extend(scratch.attend(head_dim, 0, head_dim, Some(all), &tiles));
            }
            out
        })
        .collect();
    let places = tasks.iter().map(|(range, head)| ((*range).clone(), *head));
    gather(places.zip(&done), dim, head_dim, qkv.len() / width)
}

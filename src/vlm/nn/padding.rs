//! How the ragged rows of a step lie in padded tensors, where one product serves every sequence.
//!
//! A tile is the rows of one sequence in a step, padded to the longest. What is picked from where
//! is the same in every layer, so its indices and masks are made once for a step.

use super::kv::layout::{COLUMNS, CacheSpec, HeadShape, Prefix};
use super::kv::pool::{Pool, SharedKeys, score_dtype};
use super::kv::sequence::{Own, Span};
use candle_core::{DType, Result, Tensor};
use std::ops::Range;
use std::sync::Arc;

/// The index of no row: it reads as zeros, and nothing is written for it.
const NONE: u32 = u32::MAX;

/// The tiles of a step over one [`Pool`]. Numbers of a row of a step are `(all_heads, head_dim)`:
/// those of queries, keys and values.
pub(crate) struct Padding {
    pub pool: Arc<Pool>,
    pub tiles: usize,
    /// Rows of a tile.
    pub width: usize,
    pub slots: usize,
    /// Own tokens that are looked at.
    pub columns: usize,
    /// The slot of each tile. `None` where there is a tile for every slot, in order.
    pub picked: Option<Tensor>,
    /// Of the numbers of the step: new keys and values, `(2, kv_heads, slots, width)`, followed by
    /// the queries, `(kv_heads, tiles, width, group)`. To pick them together saves a launch.
    pub numbers: Tensor,
    /// The place in its slot of each new key and value, `(2 * kv_heads * slots, width, head_dim)`.
    pub places: Tensor,
    /// `(tokens, kv_heads, group)` of the results.
    pub results: Tensor,
    /// What hides later and unused own tokens, `(tiles * width, 1, columns)`.
    pub own_mask: Tensor,
    pub shared: Option<Arc<SharedKeys>>,
    /// What hides other sequences' prefixes, `(tiles * width, 1, shared tokens)`; `None` where all
    /// have the same.
    pub shared_mask: Option<Tensor>,
}

impl Padding {
    /// For spans whose sequences have one pool, in which it makes room for their new tokens.
    pub fn new(spec: &CacheSpec, spans: &[Span]) -> Result<Self> {
        let slots_of: Vec<usize> = spans.iter().map(slot).collect::<Result<_>>()?;
        let Some(pool) = spans.first().and_then(|span| span.sequence.pool()) else {
            candle_core::bail!("a step needs sequences of a pool")
        };
        let pool = Arc::clone(pool);
        let longest = |f: fn(&Span) -> usize| spans.iter().map(f).max().unwrap_or(0);
        let width = longest(|span| span.rows.len());
        let columns = longest(|span| span.sequence.own_len() + span.rows.len());
        let columns = columns.next_multiple_of(COLUMNS);
        pool.reserve(columns)?;
        let slots = pool.slots();
        // Looking at a few idle slots is cheaper than copying the others.
        let every = spans.len() * 2 > slots;
        let layout = Layout {
            spans,
            slots_of: &slots_of,
            shape: spec.shape,
            tiles: if every { slots } else { spans.len() },
            width,
            slots,
            every,
        };
        let device = &spec.device;
        let upload = |numbers: Vec<u32>| Tensor::new(numbers, device);
        let dim = spec.shape.head_dim;
        let places = upload(layout.places())?
            .reshape((2 * spec.shape.kv_heads * slots, width, 1))?
            .broadcast_as((2 * spec.shape.kv_heads * slots, width, dim))?
            .contiguous()?;
        let shared = layout.prefixes();
        let shared = match shared.is_empty() {
            true => None,
            false => Some(pool.shared(&shared)?),
        };
        let mask = |mask: Vec<f32>, columns: usize| {
            let shape = (layout.tiles * width, 1, columns);
            Tensor::from_vec(mask, shape, device)?.to_dtype(score_dtype(spec.dtype))
        };
        let shared_mask = shared.as_ref().and_then(|shared| {
            let numbers = layout.shared_mask(shared)?;
            Some(mask(numbers, shared.tokens()))
        });
        Ok(Self {
            tiles: layout.tiles,
            width,
            slots,
            columns,
            picked: match every {
                true => None,
                false => Some(upload(slots_of.iter().map(|slot| *slot as u32).collect())?),
            },
            numbers: upload([layout.new_numbers(), layout.queries()].concat())?,
            places,
            results: upload(layout.results())?,
            own_mask: mask(layout.own_mask(columns), columns)?,
            shared,
            shared_mask: shared_mask.transpose()?,
            pool,
        })
    }
}

fn slot(span: &Span) -> Result<usize> {
    match &span.sequence.own {
        Own::Pooled(lease) => Ok(lease.slot()),
        Own::Plain(_) => candle_core::bail!("the sequence was made for another device"),
    }
}

struct Layout<'a> {
    spans: &'a [Span<'a>],
    slots_of: &'a [usize],
    shape: HeadShape,
    tiles: usize,
    width: usize,
    slots: usize,
    every: bool,
}

impl Layout<'_> {
    /// The tile of each span, with the span.
    fn spans(&self) -> impl Iterator<Item = (usize, &Span<'_>)> {
        let tile = |i: usize| if self.every { self.slots_of[i] } else { i };
        self.spans
            .iter()
            .enumerate()
            .map(move |(i, span)| (tile(i), span))
    }

    fn all_heads(&self) -> usize {
        self.shape.heads + 2 * self.shape.kv_heads
    }

    fn queries(&self) -> Vec<u32> {
        let (kv_heads, group) = (self.shape.kv_heads, self.shape.group());
        let mut index = vec![NONE; kv_heads * self.tiles * self.width * group];
        for (tile, span) in self.spans() {
            for (t, row) in span.rows.clone().enumerate() {
                for head in 0..kv_heads {
                    let at = ((head * self.tiles + tile) * self.width + t) * group;
                    let from = row * self.all_heads() + head * group;
                    for i in 0..group {
                        index[at + i] = (from + i) as u32;
                    }
                }
            }
        }
        index
    }

    /// Calls `put` with where the new keys and values of a row go, `(2 * kv_heads, slots, width)`,
    /// its place in its slot, and the row and head that they come from.
    fn each_new(&self, mut put: impl FnMut(usize, usize, usize, usize)) {
        for (span, slot) in self.spans.iter().zip(self.slots_of) {
            let before = span.sequence.own_len();
            for (t, row) in span.rows.clone().enumerate() {
                for head in 0..2 * self.shape.kv_heads {
                    let at = (head * self.slots + slot) * self.width + t;
                    put(at, before + t, row, head);
                }
            }
        }
    }

    fn new_numbers(&self) -> Vec<u32> {
        let mut index = vec![NONE; 2 * self.shape.kv_heads * self.slots * self.width];
        self.each_new(|at, _, row, head| {
            index[at] = (row * self.all_heads() + self.shape.heads + head) as u32;
        });
        index
    }

    fn places(&self) -> Vec<u32> {
        let mut index = vec![NONE; 2 * self.shape.kv_heads * self.slots * self.width];
        self.each_new(|at, place, _, _| index[at] = place as u32);
        index
    }

    fn results(&self) -> Vec<u32> {
        let (kv_heads, group) = (self.shape.kv_heads, self.shape.group());
        let rows = self
            .spans
            .iter()
            .map(|span| span.rows.end)
            .max()
            .unwrap_or(0);
        let mut index = vec![NONE; rows * self.shape.heads];
        for (tile, span) in self.spans() {
            for (t, row) in span.rows.clone().enumerate() {
                for head in 0..kv_heads {
                    let from = ((head * self.tiles + tile) * self.width + t) * group;
                    let at = row * self.shape.heads + head * group;
                    for i in 0..group {
                        index[at + i] = (from + i) as u32;
                    }
                }
            }
        }
        index
    }

    /// Rows that are no token's see everything: they are never read.
    fn own_mask(&self, columns: usize) -> Vec<f32> {
        let mut mask = vec![0.0; self.tiles * self.width * columns];
        for (tile, span) in self.spans() {
            for t in 0..span.rows.len() {
                let row = &mut mask[(tile * self.width + t) * columns..][..columns];
                row[span.sequence.own_len() + t + 1..].fill(f32::NEG_INFINITY);
            }
        }
        mask
    }

    /// The prefixes of all sequences, each once, in an order that does not depend on the step.
    fn prefixes(&self) -> Vec<Arc<Prefix>> {
        let mut all: Vec<Arc<Prefix>> = Vec::new();
        for prefix in self.spans.iter().filter_map(|span| span.sequence.prefix()) {
            if !all.iter().any(|other| Arc::ptr_eq(other, prefix)) {
                all.push(Arc::clone(prefix));
            }
        }
        all.sort_by_key(Arc::as_ptr);
        all
    }

    /// `None` if every sequence has the only prefix.
    fn shared_mask(&self, shared: &SharedKeys) -> Option<Vec<f32>> {
        let alone = shared.prefixes.len() == 1;
        if alone
            && self
                .spans
                .iter()
                .all(|span| span.sequence.prefix().is_some())
        {
            return None;
        }
        let columns = shared.tokens();
        let mut mask = vec![0.0; self.tiles * self.width * columns];
        for (tile, span) in self.spans() {
            let seen = seen(shared, span.sequence.prefix());
            for t in 0..span.rows.len() {
                let row = &mut mask[(tile * self.width + t) * columns..][..columns];
                row[..seen.start].fill(f32::NEG_INFINITY);
                row[seen.end..].fill(f32::NEG_INFINITY);
            }
        }
        Some(mask)
    }
}

/// Where the tokens of `prefix` are among the shared ones.
fn seen(shared: &SharedKeys, prefix: Option<&Arc<Prefix>>) -> Range<usize> {
    let mut start = 0;
    for other in &shared.prefixes {
        let end = start + other.tokens();
        if prefix.is_some_and(|prefix| Arc::ptr_eq(prefix, other)) {
            return start..end;
        }
        start = end;
    }
    0..0
}

/// Ranges of rows that attend to themselves alone, padded to the longest. Numbers of a row are
/// `(3, heads, head_dim)`.
pub(crate) struct RangePadding {
    pub ranges: usize,
    pub width: usize,
    /// `(3, heads, ranges, width)` of the numbers of all rows.
    pub numbers: Tensor,
    /// `(rows, heads)` of the results, `(heads, ranges, width)`.
    pub results: Tensor,
    /// What hides padding, `(1, ranges, 1, width)`; `None` where there is none.
    pub mask: Option<Tensor>,
}

impl RangePadding {
    /// For ranges that together cover all rows in order.
    pub fn new(
        ranges: &[Range<usize>],
        heads: usize,
        dtype: DType,
        device: &candle_core::Device,
    ) -> Result<Self> {
        let width = ranges.iter().map(Range::len).max().unwrap_or(0);
        let rows = ranges.iter().map(|range| range.end).max().unwrap_or(0);
        let mut numbers = vec![NONE; 3 * heads * ranges.len() * width];
        let mut results = vec![NONE; rows * heads];
        let mut mask = vec![0.0; ranges.len() * width];
        for (n, range) in ranges.iter().enumerate() {
            mask[n * width + range.len()..][..width - range.len()].fill(f32::NEG_INFINITY);
            for (t, row) in range.clone().enumerate() {
                for head in 0..heads {
                    results[row * heads + head] = ((head * ranges.len() + n) * width + t) as u32;
                }
                for number in 0..3 * heads {
                    let at = (number * ranges.len() + n) * width + t;
                    numbers[at] = (row * 3 * heads + number) as u32;
                }
            }
        }
        let ragged = ranges.iter().any(|range| range.len() < width);
        let mask = Tensor::from_vec(mask, (1, ranges.len(), 1, width), device)?;
        Ok(Self {
            ranges: ranges.len(),
            width,
            numbers: Tensor::new(numbers, device)?,
            results: Tensor::new(results, device)?,
            mask: match ragged {
                true => Some(mask.to_dtype(score_dtype(dtype))?),
                false => None,
            },
        })
    }
}

//! Layout of a step's ragged rows in padded tensors, where one product serves every sequence.
//!
//! A tile is the rows of one sequence in a step, padded to the longest. Indices and masks are the
//! same in every layer, so they are created once per step.

use super::kv::layout::{COLUMNS, CacheSpec, HeadShape, Prefix};
use super::kv::pool::{Pool, SharedKeys, score_dtype};
use super::kv::sequence::{Own, Span};
use candle_core::{DType, Result, Tensor};
use std::ops::Range;
use std::sync::Arc;

/// The index of padding: gathers read zeros, scatters write nothing.
const NONE: u32 = u32::MAX;

/// The tiles of a step over one [`Pool`]. A row of a step consists of the query, key and value heads
/// of one token; indices refer to heads.
pub(crate) struct Padding {
    pub pool: Arc<Pool>,
    pub tiles: usize,
    /// Rows per tile.
    pub width: usize,
    pub slots: usize,
    /// Own tokens that the step attends to.
    pub columns: usize,
    /// The slot of each tile. `None` if there is a tile for every slot, in order.
    pub tile_slots: Option<Tensor>,
    /// Heads to gather from the step: new keys and values, `(2, kv_heads, slots, width)`, then the
    /// queries, `(kv_heads, tiles, width, group)`. One gather for all saves a launch.
    pub gather: Tensor,
    /// Token positions to scatter new keys and values to,
    /// `(2 * kv_heads * slots, width, head_dim)`.
    pub scatter: Tensor,
    /// Heads to gather from the results, `(tokens, kv_heads, group)`.
    pub results: Tensor,
    /// Hides later and unused own tokens, `(tiles * width, 1, columns)`.
    pub own_mask: Tensor,
    pub shared: Option<Arc<SharedKeys>>,
    /// Hides the prefixes of other sequences, `(tiles * width, 1, shared tokens)`; `None` if all
    /// have the same prefix.
    pub shared_mask: Option<Tensor>,
}

impl Padding {
    /// Lays out spans whose sequences share one pool, and reserves space in it for their new tokens.
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
        // Computing a few idle slots is cheaper than gathering the others.
        let all_slots = spans.len() * 2 > slots;
        let layout = Layout {
            spans,
            slots_of: &slots_of,
            shape: spec.shape,
            tiles: if all_slots { slots } else { spans.len() },
            width,
            slots,
            all_slots,
        };
        let device = &spec.device;
        let upload = |indices: Vec<u32>| Tensor::new(indices, device);
        let dim = spec.shape.head_dim;
        let scatter = upload(layout.new_positions())?
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
            let values = layout.shared_mask(shared)?;
            Some(mask(values, shared.tokens()))
        });
        Ok(Self {
            tiles: layout.tiles,
            width,
            slots,
            columns,
            tile_slots: match all_slots {
                true => None,
                false => Some(upload(slots_of.iter().map(|slot| *slot as u32).collect())?),
            },
            gather: upload([layout.new_heads(), layout.queries()].concat())?,
            scatter,
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
        Own::Cpu(_) => candle_core::bail!("the sequence was made for another device"),
    }
}

struct Layout<'a> {
    spans: &'a [Span<'a>],
    slots_of: &'a [usize],
    shape: HeadShape,
    tiles: usize,
    width: usize,
    slots: usize,
    all_slots: bool,
}

impl Layout<'_> {
    /// The spans with their tiles.
    fn spans(&self) -> impl Iterator<Item = (usize, &Span<'_>)> {
        let tile = |i: usize| if self.all_slots { self.slots_of[i] } else { i };
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

    /// Calls `put` for each new key and value head with its index in
    /// `(2 * kv_heads, slots, width)`, its token position in the slot, and the row and head that it
    /// comes from.
    fn for_each_new(&self, mut put: impl FnMut(usize, usize, usize, usize)) {
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

    fn new_heads(&self) -> Vec<u32> {
        let mut index = vec![NONE; 2 * self.shape.kv_heads * self.slots * self.width];
        self.for_each_new(|at, _, row, head| {
            index[at] = (row * self.all_heads() + self.shape.heads + head) as u32;
        });
        index
    }

    fn new_positions(&self) -> Vec<u32> {
        let mut index = vec![NONE; 2 * self.shape.kv_heads * self.slots * self.width];
        self.for_each_new(|at, position, _, _| index[at] = position as u32);
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

    /// Padding rows attend to everything, since their results are never read.
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

    /// The distinct prefixes of all sequences, in an order that does not depend on the step.
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

    /// `None` if every sequence has the same prefix.
    fn shared_mask(&self, shared: &SharedKeys) -> Option<Vec<f32>> {
        let single = shared.prefixes.len() == 1;
        if single
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
            let visible = prefix_columns(shared, span.sequence.prefix());
            for t in 0..span.rows.len() {
                let row = &mut mask[(tile * self.width + t) * columns..][..columns];
                row[..visible.start].fill(f32::NEG_INFINITY);
                row[visible.end..].fill(f32::NEG_INFINITY);
            }
        }
        Some(mask)
    }
}

/// The columns of `prefix` among all shared tokens.
fn prefix_columns(shared: &SharedKeys, prefix: Option<&Arc<Prefix>>) -> Range<usize> {
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

/// Ranges of rows that attend only to themselves, padded to the longest. A row is
/// `(3, heads, head_dim)`; indices refer to heads.
pub(crate) struct RangePadding {
    pub ranges: usize,
    pub width: usize,
    /// Heads to gather from the rows, `(3, heads, ranges, width)`.
    pub gather: Tensor,
    /// Heads to gather from the results, `(rows, heads)`.
    pub results: Tensor,
    /// Hides padding, `(1, ranges, 1, width)`; `None` if there is none.
    pub mask: Option<Tensor>,
}

impl RangePadding {
    /// `ranges` must cover all rows in order.
    pub fn new(
        ranges: &[Range<usize>],
        heads: usize,
        dtype: DType,
        device: &candle_core::Device,
    ) -> Result<Self> {
        let width = ranges.iter().map(Range::len).max().unwrap_or(0);
        let rows = ranges.iter().map(|range| range.end).max().unwrap_or(0);
        let mut gather = vec![NONE; 3 * heads * ranges.len() * width];
        let mut results = vec![NONE; rows * heads];
        let mut mask = vec![0.0; ranges.len() * width];
        for (n, range) in ranges.iter().enumerate() {
            mask[n * width + range.len()..][..width - range.len()].fill(f32::NEG_INFINITY);
            for (t, row) in range.clone().enumerate() {
                for head in 0..heads {
                    results[row * heads + head] = ((head * ranges.len() + n) * width + t) as u32;
                }
                for head in 0..3 * heads {
                    let at = (head * ranges.len() + n) * width + t;
                    gather[at] = (row * 3 * heads + head) as u32;
                }
            }
        }
        let ragged = ranges.iter().any(|range| range.len() < width);
        let mask = Tensor::from_vec(mask, (1, ranges.len(), 1, width), device)?;
        Ok(Self {
            ranges: ranges.len(),
            width,
            gather: Tensor::new(gather, device)?,
            results: Tensor::new(results, device)?,
            mask: match ragged {
                true => Some(mask.to_dtype(score_dtype(dtype))?),
                false => None,
            },
        })
    }
}

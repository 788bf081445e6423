//! The rows of a step: the sequence of each, and their layout in padded tensors.

use super::Backend;
use super::kv::layout::CacheSpec;
use super::kv::sequence::Span;
use super::padding::Padding;
use candle_core::Result;

/// Rows that are computed together. Their sequences share one pool, if they have one.
pub struct Batch<'a> {
    pub(crate) spec: &'a CacheSpec,
    pub(crate) spans: Vec<Span<'a>>,
    /// `None` with [`Backend::Slices`], which needs no padding.
    pub(crate) padding: Option<Padding>,
}

impl<'a> Batch<'a> {
    /// The rows of `spans` must be consecutive and start at 0.
    pub fn new(spec: &'a CacheSpec, spans: Vec<Span<'a>>) -> Result<Self> {
        let padding = match spec.backend {
            Backend::Slices => None,
            Backend::Tensors => Some(Padding::new(spec, &spans)?),
        };
        Ok(Self {
            spec,
            spans,
            padding,
        })
    }
}

//! The rows of a step: whose they are, and how they lie in padded tensors.

use super::Backend;
use super::kv::layout::CacheSpec;
use super::kv::sequence::Span;
use super::padding::Padding;
use candle_core::Result;

/// Rows that are computed together. Their sequences have one pool, where they have any.
pub struct Batch<'a> {
    pub(crate) spec: &'a CacheSpec,
    pub(crate) spans: Vec<Span<'a>>,
    /// `None` for slices, which need none.
    pub(crate) padding: Option<Padding>,
}

impl<'a> Batch<'a> {
    /// The rows of `spans` follow each other and begin with 0.
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

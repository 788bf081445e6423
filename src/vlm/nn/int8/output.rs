//! The output of a product, which many threads write at once.

#![allow(unsafe_code, reason = "threads that write to parts of one output")]

/// The output that the panels' threads write to, each to a part of its own.
pub struct Output(*mut f32);

// SAFETY: it only tells addresses; who writes to them says why that is safe.
unsafe impl Sync for Output {}

impl Output {
    /// Of what `numbers` has room for. Whoever writes promises to keep within that, and to write
    /// before it is gone.
    pub fn new(numbers: &mut Vec<f32>) -> Self {
        Self(numbers.as_mut_ptr())
    }

    /// Where a number goes.
    pub fn at(&self, index: usize) -> *mut f32 {
        self.0.wrapping_add(index)
    }
}

/// The part of the output for the products of a panel with a tile, and what is added to them.
pub struct Part<'a> {
    /// `(tokens, width)`.
    pub out: &'a Output,
    /// The first token and the first row of the matrix.
    pub token: usize,
    pub row: usize,
    pub width: usize,
    /// `(width)`.
    pub bias: Option<&'a [f32]>,
    /// `(tokens, width)`.
    pub residual: Option<&'a [f32]>,
}

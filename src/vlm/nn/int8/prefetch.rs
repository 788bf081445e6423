//! Fetches weights into the cache before they are needed.

/// The cache lines of each block of the next panel that a pass over the current one prefetches.
#[derive(Clone, Copy)]
pub struct Prefetch {
    first: usize,
    end: usize,
}

impl Prefetch {
    pub const LINE: usize = 64;

    /// Divides the lines among the passes over a panel.
    pub fn share<B>(pass: usize, passes: usize) -> Self {
        let lines = size_of::<B>() / Self::LINE;
        Self {
            first: lines * pass / passes,
            end: lines * (pass + 1) / passes,
        }
    }

    /// The lines of a block, by number.
    #[inline(always)]
    pub fn lines(self) -> std::ops::Range<usize> {
        self.first..self.end
    }
}

//! Fetches weights into the cache before they are needed.

/// The cache lines of each block of the next panel that a pass over the current one prefetches.
#[derive(Clone, Copy)]
pub struct Prefetch {
    first: usize,
    end: usize,
}

/// Up to this many tokens, a product waits for nothing but memory, and the processor prefetches better
/// by itself: measured with AVX-512, prefetching here as well took 1.1 to 1.4 times as long with 8-bit
/// weights and made no difference with 4-bit ones (0.96 to 1.01); with AVX2, 1.0 to 1.4 times with 8-bit
/// weights.
const FEW_TOKENS: usize = 4;

impl Prefetch {
    pub const LINE: usize = 64;

    /// Divides the lines among the passes over a panel.
    pub fn share<B>(pass: usize, passes: usize, tokens: usize) -> Self {
        let lines = match tokens {
            0..=FEW_TOKENS => 0,
            _ => size_of::<B>() / Self::LINE,
        };
        Self {
            first: lines * pass / passes,
            end: lines * (pass + 1) / passes,
        }
    }

    /// The lines of a block for one of several passes over it, by number.
    #[inline(always)]
    pub fn lines_of(self, pass: usize, passes: usize) -> std::ops::Range<usize> {
        let count = self.end - self.first;
        self.first + count * pass / passes..self.first + count * (pass + 1) / passes
    }

    /// The lines of a block, by number.
    #[inline(always)]
    pub fn lines(self) -> std::ops::Range<usize> {
        self.first..self.end
    }
}

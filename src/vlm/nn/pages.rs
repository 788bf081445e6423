//! Memory for weights, in large pages where the system has them: a step reads all of it, and with
//! small pages the processor looks up a page every few blocks.

#![allow(unsafe_code, reason = "numbers in memory that is mapped")]

use candle_core::Result;
use memmap2::MmapMut;
use rayon::prelude::*;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

/// Bytes that a thread copies at a time.
const PART: usize = 1 << 20;

/// A type that any bytes are a value of, without gaps and without a destructor.
///
/// # Safety
/// That is what an implementation promises.
pub unsafe trait Plain: Copy {}

/// A slice in memory of its own. Its bytes are zero at first.
pub struct Pages<T> {
    map: MmapMut,
    len: usize,
    of: PhantomData<T>,
}

impl<T: Plain> Pages<T> {
    pub fn new(len: usize) -> Result<Self> {
        // The start of a page is aligned for anything that is smaller.
        const { assert!(align_of::<T>() <= 4096) };
        let map = MmapMut::map_anon((len * size_of::<T>()).max(1))?;
        #[cfg(target_os = "linux")]
        if let Err(error) = map.advise(memmap2::Advice::HugePage) {
            // Only slower.
            tracing::debug!(%error, "no large pages for weights");
        }
        Ok(Self {
            map,
            len,
            of: PhantomData,
        })
    }

    /// A copy of the bytes of another.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        if !bytes.len().is_multiple_of(size_of::<T>()) {
            candle_core::bail!("{} bytes do not end with a block", bytes.len())
        }
        let mut pages = Self::new(bytes.len() / size_of::<T>())?;
        let parts = pages.map.par_chunks_mut(PART).zip(bytes.par_chunks(PART));
        parts.for_each(|(to, from)| to[..from.len()].copy_from_slice(from));
        Ok(pages)
    }

    pub fn bytes(&self) -> &[u8] {
        &self.map[..self.len * size_of::<T>()]
    }
}

impl<T: Plain> Deref for Pages<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the mapping is aligned and large enough, see `new`; whatever bytes it holds are
        // values of `T`.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().cast(), self.len) }
    }
}

impl<T: Plain> DerefMut for Pages<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and it is borrowed for writing.
        unsafe { std::slice::from_raw_parts_mut(self.map.as_mut_ptr().cast(), self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // SAFETY: any bytes are a number.
    unsafe impl Plain for u32 {}

    #[test]
    fn pages_are_zero_and_hold_what_is_written() {
        let mut pages = Pages::<u32>::new(5000).unwrap();
        assert!(pages.iter().all(|number| *number == 0));
        pages[4999] = 7;
        assert_eq!((pages.len(), pages[4999]), (5000, 7));
        assert!(Pages::<u32>::new(0).unwrap().is_empty());
    }
}

//! Memory for weights, in huge pages if the system has them: a step reads all of it, and small pages
//! would cost a page lookup every few blocks.

#![allow(unsafe_code, reason = "typed slices in mapped memory")]

use candle_core::Result;
use memmap2::MmapMut;
use rayon::prelude::*;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};

/// Bytes that a thread copies at a time.
const PART: usize = 1 << 20;

/// A type without padding for which any bytes are a valid value.
///
/// # Safety
/// The type has these properties.
pub unsafe trait Pod: Copy {}

/// A slice in mapped memory of its own, initially zero.
pub struct Pages<T> {
    map: MmapMut,
    len: usize,
    of: PhantomData<T>,
}

impl<T: Pod> Pages<T> {
    pub fn new(len: usize) -> Result<Self> {
        // A mapping starts at a page, which is aligned for any smaller type.
        const { assert!(align_of::<T>() <= 4096) };
        let Some(bytes) = len.checked_mul(size_of::<T>()) else {
            candle_core::bail!("{len} values do not fit in memory")
        };
        let map = MmapMut::map_anon(bytes.max(1))?;
        #[cfg(target_os = "linux")]
        if let Err(error) = map.advise(memmap2::Advice::HugePage) {
            tracing::debug!(%error, "no huge pages for weights");
        }
        Ok(Self {
            map,
            len,
            of: PhantomData,
        })
    }

    /// Copies values from their bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        if !bytes.len().is_multiple_of(size_of::<T>()) {
            candle_core::bail!("{} bytes do not divide into blocks", bytes.len())
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

impl<T: Pod> Deref for Pages<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: the mapping is aligned and large enough, see `new`, and any bytes are valid values
        // of `T`.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().cast(), self.len) }
    }
}

impl<T: Pod> DerefMut for Pages<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and the mapping is borrowed mutably.
        unsafe { std::slice::from_raw_parts_mut(self.map.as_mut_ptr().cast(), self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // SAFETY: any bytes are a valid `u32`.
    unsafe impl Pod for u32 {}

    #[test]
    fn pages_start_zeroed_and_can_be_written() {
        let mut pages = Pages::<u32>::new(5000).unwrap();
        assert!(pages.iter().all(|number| *number == 0));
        pages[4999] = 7;
        assert_eq!((pages.len(), pages[4999]), (5000, 7));
        assert!(Pages::<u32>::new(0).unwrap().is_empty());
    }
}

//! Counts what an accelerator is told to run. A step is bound by that number long before it is
//! bound by arithmetic, so a test holds it.

/// Marks an operation over tensors that is one launch on an accelerator.
macro_rules! launch {
    ($operation:expr) => {{
        $crate::vlm::nn::launches::one();
        $operation
    }};
}
pub(crate) use launch;

#[cfg(test)]
thread_local! {
    static LAUNCHES: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// One more, on this thread.
#[inline(always)]
pub(crate) fn one() {
    #[cfg(test)]
    LAUNCHES.with(|launches| launches.set(launches.get() + 1));
}

/// How many `work` makes on this thread.
#[cfg(test)]
pub(crate) fn count(work: impl FnOnce()) -> usize {
    let before = LAUNCHES.with(std::cell::Cell::get);
    work();
    LAUNCHES.with(std::cell::Cell::get) - before
}

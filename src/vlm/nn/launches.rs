//! Counts kernel launches. On an accelerator, launches limit a step long before arithmetic does, so
//! tests check their number.

/// Marks a tensor operation that is one kernel launch on an accelerator.
macro_rules! launch {
    ($operation:expr) => {{
        $crate::vlm::nn::launches::record();
        $operation
    }};
}
pub(crate) use launch;

#[cfg(test)]
thread_local! {
    static LAUNCHES: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Counts one launch on this thread.
#[inline(always)]
pub(crate) fn record() {
    #[cfg(test)]
    LAUNCHES.with(|launches| launches.set(launches.get() + 1));
}

/// Returns the number of launches that `work` makes on this thread.
#[cfg(test)]
pub(crate) fn count(work: impl FnOnce()) -> usize {
    let before = LAUNCHES.with(std::cell::Cell::get);
    work();
    LAUNCHES.with(std::cell::Cell::get) - before
}

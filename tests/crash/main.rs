//! The real program, killed again and again while it labels, exports, imports and reviews: what it
//! has told is there, what was there is unchanged, and every exported line is true of its file.
//!
//! `KILLS=1000 cargo test --test crash` kills more often. What a loss of power may leave is tried in
//! `src/store/tests/power`, at every write of the journal.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unreachable,
    clippy::unwrap_used
)]

// `tests/batch` uses all of it.
#[allow(dead_code)]
#[path = "../common/mod.rs"]
mod common;
mod exporting;
mod importing;
mod killing;
mod labeling;
mod reviewing;
mod system_calls;

/// How often each series kills.
fn kills() -> usize {
    let told = std::env::var("KILLS").ok();
    told.and_then(|n| n.parse().ok()).unwrap_or(25)
}

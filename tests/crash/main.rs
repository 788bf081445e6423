//! Kills the program while it labels, exports, imports and reviews. Nothing that it reported is
//! lost, earlier data is unchanged, and every exported line matches its file.
//!
//! `KILLS=1000 cargo test --test crash` kills more often. `src/store/tests/power` tests power
//! failures at every write of the journal.

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

/// Number of kills per test.
fn kills() -> usize {
    let kills = std::env::var("KILLS").ok();
    kills.and_then(|n| n.parse().ok()).unwrap_or(25)
}

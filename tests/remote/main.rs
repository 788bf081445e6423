//! Labeling through servers that behave, misbehave and vanish: a small HTTP server in this
//! process plays them all. `agreement`, `behaviors`, `faults` and `several` look at the labeler alone,
//! `program`, `https` and `doctor` at the real program.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unreachable,
    clippy::unwrap_used
)]

mod agreement;
mod behaviors;
// `tests/batch` uses all of it.
#[allow(dead_code)]
#[path = "../common/mod.rs"]
mod common;
mod doctor;
mod faults;
// Elsewhere no environment variable chooses the authorities.
#[cfg(target_os = "linux")]
mod https;
#[allow(dead_code)]
#[path = "../common/memory.rs"]
mod memory;
mod program;
mod run;
mod server;
mod several;

/// Sent as a bearer token, and to be seen nowhere else.
const KEY: &str = "sk-very-secret-7731";

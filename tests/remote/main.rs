//! Tests of labeling through servers, with a small HTTP server in this process that acts as all of
//! them. `agreement`, `behaviors`, `errors` and `several` test the labeler alone; `program`, `https`
//! and `doctor` test the real program.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unreachable,
    clippy::unwrap_used
)]

mod agreement;
mod behaviors;
// Only `tests/batch` uses all of it.
#[allow(dead_code)]
#[path = "../common/mod.rs"]
mod common;
mod doctor;
mod errors;
mod failing;
// On other systems no environment variable sets the authorities.
#[cfg(target_os = "linux")]
mod https;
#[allow(dead_code)]
#[path = "../common/memory.rs"]
mod memory;
mod program;
mod run;
mod server;
mod several;

/// API key, which must appear only in the request header.
const KEY: &str = "sk-very-secret-7731";

//! Runs `--batch` as a user does: the real program with its own home and an empty environment.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unreachable,
    clippy::unwrap_used
)]

mod any_answer;
mod attempts;
mod bench;
#[path = "../common/mod.rs"]
mod common;
mod compare;
mod datasets;
mod demo;
mod disk;
mod doctor;
mod exports;
mod families;
mod fixing;
mod images;
mod interruption;
mod model;
mod options;
mod outdir;
mod report;
mod sources;
mod usage;

//! `--batch` as a user runs it: the real program, its own home, an empty environment.

mod attempts;
#[path = "../common/mod.rs"]
mod common;
mod interruption;
mod sources;
mod usage;

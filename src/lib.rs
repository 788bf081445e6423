//! labeler-tui: labels small game-item icons with Qwen2-VL on the user's own machine, and gives
//! an operator a fast place to review uncertain records, edit and commit them.
//!
//! An *item* is a row of a source. Items with the same image are one *group*. What a model or an
//! operator writes about a group is a *draft*; a draft that is committed is a *record*, a line of
//! `labels.jsonl`.
//!
//! # From a row of a source to a line of labels.jsonl
//!
//! ```text
//! source -> dedup -> icon -> prompt -> labeler (local model | remote endpoint)
//!        -> parse + rules -> journal -> review -> export
//! ```
//!
//! Both front ends, the workstation ([`tui`]) and `--batch` ([`batch`]), are thin: they send
//! [`engine::Command`]s to one engine and receive [`engine::Event`]s. Everything between is the
//! same code.
//!
//! # Layers, lowest first
//!
//! A module imports from modules of its own layer that stand to its left, and from layers below.
//!
//! ```text
//! L0  text, error, threads, record
//! L1  settings, source, icon, prompt, outdir, store, export
//! L2  vlm, embed                    -> L0, icon
//! L3  labeler, engine               -> L0-L2
//! L4  wording, batch, tui           -> record, text, settings, error, threads, icon, engine's messages and handle
//! L5  commands, cli, logging, main
//! ```
//!
//! `tui` and `batch` never see the model, the store or a source; nothing below L4 knows of a
//! terminal. The engine reports data; `wording` finds the words
//! for both front ends, `tui` those that it alone shows. `tests/tidy/` holds the tree to this.
//!
//! # Invariants
//!
//! - State lives in the journal, which only grows; undo adds a step that
//!   restores the state of before.
//! - One thread owns the weights, one thread owns the journal; messages between threads are
//!   plain enums.
//! - A bad item is reported as an event and the run goes on; the exit status says that there was one.
//! - Sources are read-only; exports are written beside their target, synced and renamed.

#[allow(clippy::disallowed_methods, reason = "it prints")]
pub mod batch;
pub mod cli;
#[allow(clippy::disallowed_methods, reason = "it prints")]
pub mod commands;
pub mod embed;
pub mod engine;
pub mod error;
pub mod export;
pub mod icon;
pub mod labeler;
pub mod logging;
pub mod outdir;
pub mod platform;
pub mod prompt;
pub mod record;
pub mod settings;
pub mod source;
pub mod store;
pub mod text;
pub mod threads;
#[allow(clippy::disallowed_methods, reason = "it prints")]
pub mod tui;
pub mod vlm;
pub mod wording;

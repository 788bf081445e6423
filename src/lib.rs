//! Labels small game-item icons with Qwen2-VL on the user's own machine, and gives an operator a
//! fast place to review, edit and commit uncertain records.
//!
//! An *item* is a row of a source. Items with the same image are one *group*. What a model or an
//! operator writes about a group is a *draft*. A committed draft is a *record*: one line of
//! `labels.jsonl`.
//!
//! # From a source row to a line of labels.jsonl
//!
//! ```text
//! source -> dedup -> icon -> prompt -> labeler (local model | remote endpoint)
//!        -> parse + rules -> journal -> review -> export
//! ```
//!
//! Both front ends, the workstation ([`tui`]) and `--batch` ([`batch`]), are thin: they send
//! [`engine::Command`]s to one engine and receive [`engine::Event`]s. Everything else is shared.
//!
//! # Layers, lowest first
//!
//! A module imports only from modules to its left in its own layer, and from layers below; where an
//! arrow names some of those, from no others. `tests/tidy/` reads this table and enforces it.
//!
//! ```text
//! L0  platform, text, error, threads, record
//! L1  outdir, source, icon, prompt, store, export
//! L2  vlm, embed -> L0, icon
//! L3  labeler, engine
//! L4  wording, batch, tui -> L0, icon, engine::messages, engine::handle, labeler::report, source::image_file
//! L5  commands, cli, logging, main
//! ```
//!
//! `tui` and `batch` never see the model, the store or a source. Nothing below L4 knows about the
//! terminal. The engine reports data; `wording` turns it into text for both front ends, and `tui`
//! adds the text that only it shows.
//!
//! # Invariants
//!
//! - State lives in the journal, which only grows; undo adds a step that restores the earlier
//!   state.
//! - One thread owns the weights, one thread owns the journal; messages between threads are
//!   plain enums.
//! - A bad item is reported as an event and the run continues; the exit status shows that there
//!   was one.
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
pub mod source;
pub mod store;
pub mod text;
pub mod threads;
#[allow(clippy::disallowed_methods, reason = "it prints")]
pub mod tui;
pub mod vlm;
pub mod wording;

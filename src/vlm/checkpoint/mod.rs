//! A checkpoint on disk: its files, weights and tokenizer, wherever they come from.

pub(crate) mod builtin;
pub mod config;
pub mod files;
mod hub;
pub mod tokenizer;
pub mod weight_cache;
pub mod weights;

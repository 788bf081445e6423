//! Qwen2-VL on candle: equal to the reference, built for batches of short jobs that are alike.
//!
//! [`Qwen2Vl`] owns the weights and computes ragged steps over [`Sequence`]s: the linear layers
//! see the tokens of all of them as one matrix, attention runs for each over its own keys and
//! those of a [`Prefix`] that many share.

mod attention;
mod attention_cpu;
mod builtin;
pub mod config;
pub mod device;
pub mod files;
pub mod generate;
mod hub;
pub mod image;
mod int8;
pub mod kv_cache;
pub mod linear;
pub mod model;
pub mod open;
pub mod ops;
mod prefixes;
pub mod quantize;
pub mod rope;
pub mod sampling;
mod slot;
pub mod text;
pub mod tokenizer;
pub mod vision;
pub mod weights;

pub use config::Config;
pub use files::CheckpointFiles;
pub use generate::{
    FinishReason, GenerateEvent, GenerateRequest, GeneratedToken, Generator, GeneratorOptions,
    StepStats,
};
pub use image::ImagePatches;
pub use kv_cache::{Prefix, Sequence};
pub use linear::Quantization;
pub use model::{ImageFeatures, LoadOptions, LoadStage, Qwen2Vl, SequenceStep};
pub use rope::Grid;
pub use sampling::{Constraint, Sampling};
pub use tokenizer::{ChatTokens, StreamDecoder, Tokenizer};

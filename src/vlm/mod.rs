//! Vision-language models on candle, built for batches of short, similar requests.
//!
//! - [`checkpoint`]: a model's files, weights and tokenizer
//! - [`nn`]: the building blocks of models
//! - [`architecture`]: the interface between shared code and one architecture
//! - [`models`]: the architectures, one folder each
//! - [`memory`]: memory estimates
//! - [`model`]: a loaded model
//! - [`generate`]: batched generation, from prompts to tokens
//!
//! [`open::open`] opens the model that the options name.

pub mod architecture;
pub mod checkpoint;
pub mod device;
pub mod generate;
pub mod load;
pub mod memory;
pub mod model;
pub mod models;
pub mod nn;
pub mod open;
mod options;
#[cfg(test)]
mod testing;

pub use architecture::{Features, Grid, ImagePatches, LoadStage, ModelSpec};
pub use checkpoint::files::CheckpointFiles;
pub use checkpoint::tokenizer::{ChatTokens, StreamDecoder, Tokenizer};
pub use device::LoadOptions;
pub use generate::request::{FinishReason, GenerateEvent, GenerateRequest, GeneratedToken};
pub use generate::sampling::{Constraint, Mask, Sampling, tokens_of};
pub use generate::scheduler::{Generator, GeneratorOptions, MemoryCap, StepStats};
pub use load::{Checkpoint, load};
pub use model::{ImageFeatures, Model, SequenceStep};
pub use nn::Backend;
pub use nn::kv::layout::Prefix;
pub use nn::kv::sequence::Sequence;
pub use nn::linear::Quantization;
pub use options::{DeviceChoice, ModelOptions, Precision, Quantize};

//! Vision-language models on candle, built for batches of short jobs that are alike.

pub mod checkpoint;
pub mod device;
pub mod generate;
pub mod model;
pub mod models;
pub mod nn;
pub mod open;

pub use checkpoint::files::CheckpointFiles;
pub use checkpoint::tokenizer::{ChatTokens, StreamDecoder, Tokenizer};
pub use generate::sampling::{Constraint, Sampling};
pub use generate::scheduler::{
    FinishReason, GenerateEvent, GenerateRequest, GeneratedToken, Generator, GeneratorOptions,
    StepStats,
};
pub use model::{ImageFeatures, LoadOptions, LoadStage, Qwen2Vl, SequenceStep};
pub use models::qwen2_vl::config::Config;
pub use models::qwen2_vl::image::ImagePatches;
pub use models::qwen2_vl::rope::Grid;
pub use nn::kv_cache::{Prefix, Sequence};
pub use nn::linear::Quantization;

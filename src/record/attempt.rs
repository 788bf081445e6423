//! A model's answer for a group, with everything needed to evaluate and repeat the request.

use super::{Failure, Field, Labels, Reason};
use serde::{Deserialize, Serialize};

/// The background behind transparent pixels. `None` drops alpha and keeps the stored colors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Background {
    #[default]
    White,
    Black,
    None,
}

/// The settings of a request. `settings_hash` is a hash of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptSettings {
    /// Whether the request uses the stricter prompt of a quality retry.
    pub strict: bool,
    /// Bicubic factor before the model's own resize, 1-8.
    pub upscale: u32,
    pub background: Background,
    pub with_image: bool,
    pub with_metadata: bool,
    /// A hint that the operator typed for this attempt only.
    pub hint: Option<String>,
    pub max_new_tokens: usize,
    /// The maximum number of committed records given as examples.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub examples: usize,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// One chat turn: a system text, then a user turn with `images` pictures followed by `user`. Chat
/// markers inside the texts are tokenized as plain text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chat {
    /// `None` uses the default of the model's chat template.
    pub system: Option<String>,
    pub user: String,
    pub images: usize,
}

/// The prompt text of a request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestText {
    /// SHA-256 of the prompt text.
    pub digest: String,
    /// Journal ids of the committed records given as examples.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<i64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Timings {
    pub preprocess_ms: f64,
    pub vision_ms: f64,
    pub prefill_ms: f64,
    pub decode_ms: f64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenCounts {
    pub prompt: usize,
    /// Prompt tokens whose keys and values came from the shared prefix.
    pub shared: usize,
    pub generated: usize,
    /// Generated tokens that the grammar forced.
    pub forced: usize,
}

/// The model's confidence in one field, computed from sampled tokens only (forced ones excluded).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldConfidence {
    pub field: Field,
    /// Geometric mean of the sampled tokens' probabilities, 0-1.
    pub mean: f32,
    /// Lowest probability among the sampled tokens, 0-1.
    pub weakest: f32,
    /// Words that contain a low-probability token, as they appear in the text.
    pub weak_words: Vec<String>,
}

/// A model's answer for a group, or its failure to answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Assigned by the journal; 0 before it is stored.
    pub id: i64,
    /// RFC 3339, UTC.
    pub at: String,
    pub model: String,
    pub prompt_version: String,
    /// Journal id of the attempt that this one retries.
    #[serde(default)]
    pub retry_of: Option<i64>,
    /// Journal id of the attempt that this one is a second opinion on, sampled from the same
    /// prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opinion_of: Option<i64>,
    pub settings: AttemptSettings,
    pub settings_hash: String,
    /// `None` if no request was sent, and for attempts stored before this field existed.
    #[serde(default, rename = "asked", skip_serializing_if = "Option::is_none")]
    pub request_text: Option<RequestText>,
    pub raw_text: String,
    /// `None` exactly when `failure` is set.
    pub labels: Option<Labels>,
    /// Reasons that the rules find in `labels`, including those that the model reported.
    pub reasons: Vec<Reason>,
    /// Empty if the labeler reports no probabilities.
    pub confidence: Vec<FieldConfidence>,
    pub truncated: bool,
    pub timings: Timings,
    pub tokens: TokenCounts,
    pub failure: Option<Failure>,
}

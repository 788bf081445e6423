//! One answer of a model for a group, with everything needed to judge and repeat it.

use super::{FailureCode, Field, Labels, Reason};
use serde::{Deserialize, Serialize};

/// What shows through transparent pixels; `None` drops alpha and keeps the stored colors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Background {
    #[default]
    White,
    Black,
    None,
}

/// What an attempt was asked with; hashed into `settings_hash`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptSettings {
    /// The stricter prompt of a quality retry.
    pub strict: bool,
    /// Bicubic factor before the model's own resize, 1-8.
    pub upscale: u32,
    pub background: Background,
    pub with_image: bool,
    pub with_metadata: bool,
    /// Typed by the operator for this attempt only.
    pub hint: Option<String>,
    pub max_new_tokens: usize,
    /// The most committed records that are shown as examples.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub examples: usize,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// The text that a request was made of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestText {
    /// SHA-256 of the whole text, the same for the same words.
    pub digest: String,
    /// The committed records that stood in it as examples, by their numbers in the journal.
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
    /// Of the generated ones, those that the grammar left no choice in.
    pub forced: usize,
}

/// How firmly the model held one field, from the tokens it really chose (forced ones left out).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldConfidence {
    pub field: Field,
    /// Geometric mean of the chosen tokens' probabilities, 0-1.
    pub mean: f32,
    /// The least probable chosen token, 0-1.
    pub weakest: f32,
    /// Words of the field that hold a token of low probability, as they stand in the text.
    pub weak_words: Vec<String>,
}

/// Why an attempt gave no labels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub code: FailureCode,
    pub detail: String,
}

/// One answer of a model for a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Given by the journal; 0 before it is stored.
    pub id: i64,
    /// RFC 3339, UTC.
    pub at: String,
    pub model: String,
    pub prompt_version: String,
    /// The answer that this attempt was to better: its number in the journal.
    #[serde(default)]
    pub retry_of: Option<i64>,
    /// The answer that this attempt is a second opinion on, sampled from the same prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opinion_of: Option<i64>,
    pub settings: AttemptSettings,
    pub settings_hash: String,
    /// `None` where nothing was asked, and for answers of before it was noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<RequestText>,
    pub raw_text: String,
    /// `None` exactly where `failure` is there.
    pub labels: Option<Labels>,
    /// What the rules say of `labels`, the model's own reasons included.
    pub reasons: Vec<Reason>,
    /// Empty where the labeler gives no probabilities.
    pub confidence: Vec<FieldConfidence>,
    pub truncated: bool,
    pub timings: Timings,
    pub tokens: TokenCounts,
    pub failure: Option<Failure>,
}

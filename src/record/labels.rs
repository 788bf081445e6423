//! What a model or an operator says of an icon, and the exported record around it.

use super::{Reason, SourceType};
use serde::{Deserialize, Serialize};

/// The `attributes` object of a record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attributes {
    pub colors: Vec<String>,
    pub theme: Vec<String>,
    pub material: Vec<String>,
    pub vibe: Vec<String>,
    pub item_type_guess: Option<String>,
}

/// The part of a record that a model writes and an operator edits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels {
    pub label_ko: String,
    pub label_en: Option<String>,
    pub tags_ko: Vec<String>,
    pub attributes: Attributes,
    pub query_variants_ko: Vec<String>,
    /// Reasons that the model itself gave; the rules add theirs.
    pub model_reasons: Vec<Reason>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QualityFlags {
    pub is_uncertain: bool,
    pub reasons: Vec<Reason>,
}

/// One line of `labels.jsonl`: exactly these keys, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    pub image_path: String,
    pub image_sha256: Option<String>,
    pub source_type: SourceType,
    pub item_name: String,
    pub item_description: Option<String>,
    pub label_ko: String,
    pub label_en: Option<String>,
    pub tags_ko: Vec<String>,
    pub attributes: Attributes,
    pub query_variants_ko: Vec<String>,
    pub quality_flags: QualityFlags,
    pub model: String,
    pub prompt_version: String,
    /// RFC 3339, UTC.
    pub generated_at: String,
}

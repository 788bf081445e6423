//! The tokenizer's configuration file.

use crate::error::Result;
use crate::vlm::CheckpointFiles;
use serde::Deserialize;
use serde_json::Value;

/// `tokenizer_config.json`.
#[derive(Deserialize, Default)]
pub struct TokenizerConfig {
    tokenizer_class: Option<String>,
    pub do_lower_case: Option<bool>,
    pub tokenize_chinese_chars: Option<bool>,
    pub strip_accents: Option<bool>,
    pub model_max_length: Option<f64>,
    pub padding_side: Option<String>,
    pub pad_token: Option<Value>,
    pub eos_token: Option<Value>,
}

impl TokenizerConfig {
    /// Reads the file; a missing file is an empty configuration.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn read(files: &CheckpointFiles) -> Result<Self> {
        match &files.tokenizer_config {
            Some(file) => file.json(),
            None => Ok(Self::default()),
        }
    }

    /// The tokenizer's class in transformers.
    pub fn class(&self) -> &str {
        let class = self.tokenizer_class.as_deref().unwrap_or_default();
        class.trim_end_matches("Fast")
    }
}

//! Options of a retriever.

use crate::vlm::ModelOptions;
use std::path::PathBuf;

/// The model that embeds images and texts for retrieval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetrieverOptions {
    pub model: ModelOptions,
    /// The folder of a LoRA adapter to merge into the model.
    pub adapter: Option<PathBuf>,
}

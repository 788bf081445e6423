//! The properties that each model family defines; everything else is shared.

use super::vision::Sizes;
use crate::error::Result;
use crate::vlm::architecture::{Features, ImagePatches};
use crate::vlm::checkpoint::tensor_list::TensorList;
use crate::vlm::checkpoint::weights::Weights;
use crate::vlm::nn::linear::Placement;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// The vision tower of a family and the properties of its language model.
pub trait Tower: Debug + Send + Sync + Sized + 'static {
    /// The fields of `vision_config`.
    type Fields: TowerFields;

    const TEXT: TextFamily;

    /// Lists names and shapes of the tower's tensors.
    fn tensors(fields: &Self::Fields, sizes: &Sizes, list: &mut TensorList);

    /// Loads the weights; calls `loaded` after each block.
    fn load(
        weights: &Weights,
        placement: &Placement,
        fields: &Self::Fields,
        sizes: &Sizes,
        loaded: &mut dyn FnMut(),
    ) -> candle_core::Result<Self>;

    /// Encodes all images in one pass; returns the features of each.
    fn forward(&self, images: &[ImagePatches]) -> candle_core::Result<Vec<Features>>;
}

/// The `vision_config` of a family.
pub trait TowerFields: DeserializeOwned + Debug + Clone + Send + Sync {
    /// Returns the sizes and checks all other fields.
    fn sizes(&self) -> Result<Sizes>;
}

/// Properties of all language models of a family.
#[derive(Debug, Clone, Copy)]
pub struct TextFamily {
    /// The chat template's default system text; `None` if there is no system turn by default.
    pub system: Option<&'static str>,
    /// Whether queries, keys and values always have biases. If not, `attention_bias` decides for
    /// them and for the output.
    pub biased_qkv: bool,
    /// Whether each head's queries and keys are normalized.
    pub normed_heads: bool,
    pub sections: Sections,
    /// Default of `mrope_section`.
    pub mrope_section: [usize; 3],
    /// Whether `tie_word_embeddings` in the nested configuration is enough to tie the head.
    pub nested_ties: bool,
    /// Default of `head_dim`; `None` if it must be the width divided by the number of heads.
    pub head_dim: Option<usize>,
}

/// How rotary frequencies are assigned to the parts of a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sections {
    /// All frequencies of one part, then of the next.
    Consecutive,
    /// In turn until a part's section is used up; the rest go to the first part.
    Interleaved,
}

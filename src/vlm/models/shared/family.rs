//! What a family of models says of itself: everything else is shared.

use super::vision::Sizes;
use crate::error::Result;
use crate::vlm::architecture::{Features, ImagePatches};
use crate::vlm::checkpoint::tensor_list::TensorList;
use crate::vlm::checkpoint::weights::Weights;
use crate::vlm::nn::linear::Placement;
use serde::de::DeserializeOwned;
use std::fmt::Debug;

/// The vision tower of a family, and what its language model is like.
pub trait Tower: Debug + Send + Sync + Sized + 'static {
    /// `vision_config` as written.
    type Fields: TowerFields;

    const TEXT: TextFamily;

    /// Names and shapes of its tensors.
    fn tensors(fields: &Self::Fields, sizes: &Sizes, list: &mut TensorList);

    /// Calls `loaded` after each block.
    fn load(
        weights: &Weights,
        placement: &Placement,
        fields: &Self::Fields,
        sizes: &Sizes,
        loaded: &mut dyn FnMut(),
    ) -> candle_core::Result<Self>;

    /// Features of each picture. All pictures are computed together.
    fn forward(&self, images: &[ImagePatches]) -> candle_core::Result<Vec<Features>>;
}

/// `vision_config` of a family.
pub trait TowerFields: DeserializeOwned + Debug + Clone + Send + Sync {
    /// The sizes that it gives, and a check of all else.
    fn sizes(&self) -> Result<Sizes>;
}

/// What all language models of a family have in common.
#[derive(Debug, Clone, Copy)]
pub struct TextFamily {
    /// What its chat template says where a chat has no system text; `None` for no such turn.
    pub system: Option<&'static str>,
    /// Whether queries, keys and values always have biases. Otherwise `attention_bias` says
    /// whether they and the output have.
    pub biased_qkv: bool,
    /// Whether each head's queries and keys are normalized.
    pub normed_heads: bool,
    pub sections: Sections,
    /// Where `mrope_section` is left out.
    pub mrope_section: [usize; 3],
    /// Whether a head is tied too where only the nested configuration says so.
    pub nested_ties: bool,
    /// Where `head_dim` is left out; `None` for the width divided by the heads, and nothing else.
    pub head_dim: Option<usize>,
}

/// How rotary frequencies are divided between the parts of a position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sections {
    /// One part after the other.
    Consecutive,
    /// In turn, as long as a part has some left; the rest are the first part's.
    Interleaved,
}

//! The vision tower: turns patches into features of the language model's width.

use super::config::VisionFields;
use crate::vlm::architecture::{Features, ImagePatches};
use crate::vlm::checkpoint::tensor_list::TensorList;
use crate::vlm::checkpoint::weights::Weights;
use crate::vlm::models::shared::blocks::{
    Block, BlockStyle, Merger, MergerStyle, MlpStyle, NormKind, patch_embed, patch_embed_tensors,
};
use crate::vlm::models::shared::family::{Sections, TextFamily, Tower};
use crate::vlm::models::shared::rope::VisionRope;
use crate::vlm::models::shared::vision::{ImageBatch, Sizes};
use crate::vlm::nn::attention::Ranges;
use crate::vlm::nn::linear::{Linear, Placement};
use crate::vlm::nn::ops::Activation;
use candle_core::Result;

const BLOCKS: BlockStyle = BlockStyle {
    norm: NormKind::Layer,
    mlp: MlpStyle::Plain {
        names: ["mlp.fc1", "mlp.fc2"],
        activation: Activation::QuickGelu,
    },
};
const MERGER: MergerStyle = MergerStyle {
    norm: NormKind::Layer,
    norm_name: "ln_q",
    layers: ["mlp.0", "mlp.2"],
    norms_merged: false,
};

#[derive(Debug)]
pub struct VisionTower {
    patch_embed: Linear,
    blocks: Vec<Block>,
    merger: Merger,
    rope: VisionRope,
    sizes: Sizes,
    placement: Placement,
}

impl Tower for VisionTower {
    type Fields = VisionFields;

    const TEXT: TextFamily = TextFamily {
        system: Some("You are a helpful assistant."),
        biased_qkv: true,
        normed_heads: false,
        sections: Sections::Consecutive,
        mrope_section: [16, 24, 24],
        nested_ties: true,
        head_dim: None,
    };

    fn tensors(_: &VisionFields, sizes: &Sizes, list: &mut TensorList) {
        patch_embed_tensors(sizes, false, list);
        Block::all_tensors(BLOCKS, sizes, list);
        Merger::tensors(MERGER, sizes, "visual.merger", list);
    }

    fn load(
        weights: &Weights,
        placement: &Placement,
        _: &VisionFields,
        sizes: &Sizes,
        loaded: &mut dyn FnMut(),
    ) -> Result<Self> {
        Ok(Self {
            patch_embed: patch_embed(weights, placement, sizes, false)?,
            blocks: Block::load_all(weights, placement, BLOCKS, sizes, loaded)?,
            merger: Merger::load(weights, placement, MERGER, sizes, "visual.merger")?,
            rope: VisionRope::new(sizes.rope_theta, sizes.head_dim()),
            sizes: sizes.clone(),
            placement: placement.clone(),
        })
    }

    fn forward(&self, images: &[ImagePatches]) -> Result<Vec<Features>> {
        let placement = &self.placement;
        let batch = ImageBatch::new(images, &self.sizes, placement, None)?;
        let angles = self.rope.angles(&batch.positions, placement.activations());
        let frames = Ranges::new(batch.frames(), self.sizes.heads, placement)?;
        let mut x = self.patch_embed.forward(&batch.pixels)?;
        for block in &self.blocks {
            x = block.forward(&x, &angles, &frames)?;
        }
        let features = batch.split(&self.merger.forward(&x)?)?;
        Ok(features.into_iter().map(Features::from).collect())
    }
}

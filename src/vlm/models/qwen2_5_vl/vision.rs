//! The vision tower: turns patches into features of the language model's width. Tokens are computed
//! window by window, and their features are restored to prompt order at the end.

use super::config::VisionFields;
use super::windows::Windows;
use crate::vlm::architecture::{Features, Grid, ImagePatches};
use crate::vlm::checkpoint::tensor_list::TensorList;
use crate::vlm::checkpoint::weights::Weights;
use crate::vlm::models::shared::blocks::{
    Block, BlockStyle, Merger, MergerStyle, MlpStyle, NormKind, patch_embed, patch_embed_tensors,
};
use crate::vlm::models::shared::family::{Sections, TextFamily, Tower};
use crate::vlm::models::shared::rope::VisionRope;
use crate::vlm::models::shared::vision::{ImageBatch, Sizes, consecutive};
use crate::vlm::nn::attention::Ranges;
use crate::vlm::nn::linear::{Linear, Placement};
use candle_core::{Result, Tensor};

const BLOCKS: BlockStyle = BlockStyle {
    norm: NormKind::Rms,
    mlp: MlpStyle::Gated,
};
const MERGER: MergerStyle = MergerStyle {
    norm: NormKind::Rms,
    norm_name: "ln_q",
    layers: ["mlp.0", "mlp.2"],
    norms_merged: false,
};

#[derive(Debug)]
pub struct VisionTower {
    patch_embed: Linear,
    blocks: Vec<Block>,
    /// Blocks whose patches attend to their entire frame.
    full_attention: Vec<usize>,
    merger: Merger,
    rope: VisionRope,
    window_tokens: usize,
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
        fields: &VisionFields,
        sizes: &Sizes,
        loaded: &mut dyn FnMut(),
    ) -> Result<Self> {
        Ok(Self {
            patch_embed: patch_embed(weights, placement, sizes, false)?,
            blocks: Block::load_all(weights, placement, BLOCKS, sizes, loaded)?,
            full_attention: fields.fullatt_block_indexes.clone(),
            merger: Merger::load(weights, placement, MERGER, sizes, "visual.merger")?,
            rope: VisionRope::new(sizes.rope_theta, sizes.head_dim()),
            window_tokens: fields.window_tokens(),
            sizes: sizes.clone(),
            placement: placement.clone(),
        })
    }

    fn forward(&self, images: &[ImagePatches]) -> Result<Vec<Features>> {
        let (placement, sizes) = (&self.placement, &self.sizes);
        let grids: Vec<Grid> = images.iter().map(|image| image.grid).collect();
        let windows = Windows::new(&grids, sizes.merge, self.window_tokens);
        let batch = ImageBatch::new(images, sizes, placement, Some(&windows.order))?;
        let patches = windows.lengths.iter().map(|n| n * sizes.merge_unit());
        let angles = self.rope.angles(&batch.positions, placement.activations());
        let ranges = |ranges| Ranges::new(ranges, sizes.heads, placement);
        let (frame_ranges, window_ranges) =
            (ranges(batch.frames())?, ranges(consecutive(patches))?);
        let mut x = self.patch_embed.forward(&batch.pixels)?;
        for (index, block) in self.blocks.iter().enumerate() {
            let ranges = match self.full_attention.contains(&index) {
                true => &frame_ranges,
                false => &window_ranges,
            };
            x = block.forward(&x, &angles, ranges)?;
        }
        let features = self.merger.forward(&x)?;
        let order = Tensor::new(windows.inverse_order(), features.device())?;
        let features = batch.split(&features.index_select(&order, 0)?)?;
        Ok(features.into_iter().map(Features::from).collect())
    }
}

//! The vision tower: turns patches into features of the language model's width. Features after the
//! last block become the language model's input; features after some earlier blocks are added in its
//! first layers (DeepStack).

use super::config::VisionFields;
use super::positions::Positions;
use crate::vlm::architecture::{Features, ImagePatches};
use crate::vlm::checkpoint::tensor_list::{Role, TensorList};
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
use candle_core::{Result, Tensor};

const BLOCKS: BlockStyle = BlockStyle {
    norm: NormKind::Layer,
    mlp: MlpStyle::Plain {
        names: ["mlp.linear_fc1", "mlp.linear_fc2"],
        activation: Activation::GeluTanh,
    },
};
const MERGER: MergerStyle = MergerStyle {
    norm: NormKind::Layer,
    norm_name: "norm",
    layers: ["linear_fc1", "linear_fc2"],
    norms_merged: false,
};
const DEEPSTACK_MERGER: MergerStyle = MergerStyle {
    norms_merged: true,
    ..MERGER
};
const POSITIONS: &str = "visual.pos_embed.weight";

#[derive(Debug)]
pub struct VisionTower {
    patch_embed: Linear,
    positions: Positions,
    blocks: Vec<Block>,
    merger: Merger,
    /// Blocks after which features for the language model's first layers are taken.
    deepstack: Vec<(usize, Merger)>,
    rope: VisionRope,
    sizes: Sizes,
    placement: Placement,
}

fn deepstack_name(index: usize) -> String {
    format!("visual.deepstack_merger_list.{index}")
}

impl Tower for VisionTower {
    type Fields = VisionFields;

    const TEXT: TextFamily = TextFamily {
        system: None,
        biased_qkv: false,
        normed_heads: true,
        sections: Sections::Interleaved,
        mrope_section: [24, 20, 20],
        nested_ties: false,
        head_dim: Some(128),
    };

    fn tensors(fields: &VisionFields, sizes: &Sizes, list: &mut TensorList) {
        patch_embed_tensors(sizes, true, list);
        let table = [fields.num_position_embeddings, sizes.width];
        list.add(Role::Table, POSITIONS, &table);
        Block::all_tensors(BLOCKS, sizes, list);
        Merger::tensors(MERGER, sizes, "visual.merger", list);
        for index in 0..fields.deepstack_visual_indexes.len() {
            Merger::tensors(DEEPSTACK_MERGER, sizes, &deepstack_name(index), list);
        }
    }

    fn load(
        weights: &Weights,
        placement: &Placement,
        fields: &VisionFields,
        sizes: &Sizes,
        loaded: &mut dyn FnMut(),
    ) -> Result<Self> {
        let blocks = fields.deepstack_visual_indexes.iter().enumerate();
        let deepstack = blocks.map(|(i, block)| {
            let name = deepstack_name(i);
            let merger = Merger::load(weights, placement, DEEPSTACK_MERGER, sizes, &name)?;
            Ok((*block, merger))
        });
        let table = [fields.num_position_embeddings, sizes.width];
        Ok(Self {
            patch_embed: patch_embed(weights, placement, sizes, true)?,
            positions: Positions::new(&weights.stored(POSITIONS, &table)?)?,
            deepstack: deepstack.collect::<Result<_>>()?,
            blocks: Block::load_all(weights, placement, BLOCKS, sizes, loaded)?,
            merger: Merger::load(weights, placement, MERGER, sizes, "visual.merger")?,
            rope: VisionRope::new(sizes.rope_theta, sizes.head_dim()),
            sizes: sizes.clone(),
            placement: placement.clone(),
        })
    }

    fn forward(&self, images: &[ImagePatches]) -> Result<Vec<Features>> {
        let (placement, sizes) = (&self.placement, &self.sizes);
        let dtype = placement.activations();
        let batch = ImageBatch::new(images, sizes, placement, None)?;
        let angles = self.rope.angles(&batch.positions, dtype);
        let frames = Ranges::new(batch.frames(), sizes.heads, placement)?;
        let positions = self.positions.of(images, sizes.merge)?;
        let positions = positions.to_dtype(dtype)?.to_device(&placement.device)?;
        let mut x = self.patch_embed.forward_onto(&positions, &batch.pixels)?;
        // Features by depth, then by image.
        let mut deepstack: Vec<Vec<Tensor>> = Vec::new();
        for (index, block) in self.blocks.iter().enumerate() {
            x = block.forward(&x, &angles, &frames)?;
            if let Some((_, merger)) = self.deepstack.iter().find(|(after, _)| *after == index) {
                deepstack.push(batch.split(&merger.forward(&x)?)?);
            }
        }
        let features = batch.split(&self.merger.forward(&x)?)?;
        let features = features.into_iter().enumerate();
        Ok(features
            .map(|(image, embeddings)| Features {
                embeddings,
                additions: deepstack.iter().map(|depth| depth[image].clone()).collect(),
            })
            .collect())
    }
}

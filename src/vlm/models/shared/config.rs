//! Parses and checks `config.json` in its older and newer layouts. A setting that affects results
//! has a default only if transformers has the same one.

use super::family::{Sections, TextFamily, Tower, TowerFields};
use super::image::ImageConfig;
use super::vision::Sizes;
use crate::error::Result;
use crate::vlm::checkpoint::config::{
    EndTokens, check_sizes, check_tokens, generation_end_tokens, invalid,
};
use crate::vlm::checkpoint::files::CheckpointFiles;
use serde::Deserialize;

/// The matrix of the output head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadKind {
    /// The embedding.
    Tied,
    /// A separate matrix.
    Separate,
    /// A separate matrix if the checkpoint has one, otherwise the embedding.
    IfStored,
}

/// The configuration of the language model.
#[derive(Debug, Clone, PartialEq)]
pub struct TextConfig {
    pub hidden_size: usize,
    pub intermediate_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub num_key_value_heads: usize,
    pub head_dim: usize,
    pub vocab_size: usize,
    pub rms_norm_eps: f64,
    pub rope_theta: f64,
    /// The part of a position (temporal, vertical, horizontal) that each of the `head_dim / 2`
    /// rotary frequencies applies to.
    pub rope_parts: Vec<usize>,
    pub max_position_embeddings: usize,
    pub head: HeadKind,
    pub qkv_bias: bool,
    pub output_bias: bool,
    pub normed_heads: bool,
}

impl TextConfig {
    /// Width of a token's queries.
    pub fn q_dim(&self) -> usize {
        self.num_attention_heads * self.head_dim
    }

    /// Width of a token's keys, and of its values.
    pub fn kv_dim(&self) -> usize {
        self.num_key_value_heads * self.head_dim
    }
}

/// The validated configuration of a checkpoint with vision tower `T`.
#[derive(Debug, Clone)]
pub struct Config<T: Tower> {
    pub text: TextConfig,
    pub vision: T::Fields,
    pub sizes: Sizes,
    pub image: ImageConfig,
    pub image_token_id: u32,
    pub vision_start_token_id: u32,
    pub vision_end_token_id: u32,
    /// Any of these ends an answer.
    pub end_tokens: Vec<u32>,
}

impl<T: Tower> Config<T> {
    pub fn load(files: &CheckpointFiles) -> Result<Self> {
        let image = ImageConfig::load(&files.preprocessor_config)?;
        let root: Root<T::Fields> = files.config.json()?;
        // Older files have the language model's fields at the root.
        let text: TextFields = match &root.text_config {
            Some(text) => text.clone(),
            None => files.config.json()?,
        };
        let ends = generation_end_tokens(files)?;
        Self::check(root, &text, image, ends).map_err(|error| error.context(files.config.shown()))
    }

    fn check(
        root: Root<T::Fields>,
        text: &TextFields,
        image: ImageConfig,
        ends: Option<EndTokens>,
    ) -> Result<Self> {
        let ends = ends
            .or(root.eos_token_id.clone())
            .or(text.eos_token_id.clone())
            .ok_or_else(|| invalid("neither it nor generation_config.json has eos_token_id"))?;
        let config = Self {
            text: text.check(&root, &T::TEXT)?,
            sizes: root.vision_config.sizes()?.checked()?,
            vision: root.vision_config,
            image,
            image_token_id: root.image_token_id,
            vision_start_token_id: root.vision_start_token_id,
            vision_end_token_id: root.vision_end_token_id,
            end_tokens: ends.list()?,
        };
        let (text, vision, image) = (&config.text, &config.sizes, &config.image);
        if vision.features != text.hidden_size {
            return Err(invalid(format!(
                "the width of vision features, {}, differs from the language model's, {}",
                vision.features, text.hidden_size
            )));
        }
        if image.patch_size != vision.patch_size
            || image.temporal_patch_size != vision.temporal_patch_size
            || image.merge_size != vision.merge
        {
            return Err(invalid(
                "patch sizes differ from those of the image processor's configuration",
            ));
        }
        check_tokens(
            config.markers().iter().chain(&config.end_tokens),
            text.vocab_size,
        )?;
        Ok(config)
    }

    /// The special tokens around and in place of an image.
    pub fn markers(&self) -> [u32; 3] {
        [
            self.vision_start_token_id,
            self.vision_end_token_id,
            self.image_token_id,
        ]
    }
}

/// The fields of `config.json`.
#[derive(Deserialize)]
struct Root<V> {
    text_config: Option<TextFields>,
    vision_config: V,
    image_token_id: u32,
    vision_start_token_id: u32,
    vision_end_token_id: u32,
    eos_token_id: Option<EndTokens>,
    tie_word_embeddings: Option<bool>,
    rope_parameters: Option<RopeFields>,
    rope_scaling: Option<RopeFields>,
}

/// Settings of rotary positions under their older and newer names.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(expecting = "an object")]
pub struct RopeFields {
    rope_type: Option<String>,
    /// The older name.
    #[serde(rename = "type")]
    kind: Option<String>,
    rope_theta: Option<f64>,
    mrope_section: Option<[usize; 3]>,
}

impl RopeFields {
    /// Base of a vision tower's frequencies. Published files omit it, since transformers hard-codes
    /// it.
    pub fn vision_theta(rope: Option<&Self>) -> Result<f64> {
        match rope.and_then(|rope| rope.rope_type.as_deref()) {
            None | Some("axial") => {}
            Some(kind) => {
                return Err(invalid(format!("vision rope_type {kind} is not supported")));
            }
        }
        Ok(rope.and_then(|rope| rope.rope_theta).unwrap_or(10_000.0))
    }
}

/// The fields of `text_config`, or of the root of older files.
#[derive(Clone, Deserialize)]
#[serde(expecting = "an object")]
struct TextFields {
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    vocab_size: usize,
    hidden_act: Option<String>,
    rms_norm_eps: f64,
    max_position_embeddings: usize,
    use_sliding_window: Option<bool>,
    attention_bias: Option<bool>,
    rope_theta: Option<f64>,
    rope_parameters: Option<RopeFields>,
    rope_scaling: Option<RopeFields>,
    tie_word_embeddings: Option<bool>,
    eos_token_id: Option<EndTokens>,
}

impl TextFields {
    fn check<V>(&self, root: &Root<V>, family: &TextFamily) -> Result<TextConfig> {
        if self.use_sliding_window == Some(true) {
            return Err(invalid("sliding window attention is not supported"));
        }
        check_activation(self.hidden_act.as_deref(), "silu")?;
        let heads = self.num_attention_heads;
        check_sizes(&[
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", heads),
            ("vocab_size", self.vocab_size),
            ("max_position_embeddings", self.max_position_embeddings),
        ])?;
        let head_dim = self.head_dim(family)?;
        let kv_heads = self.num_key_value_heads.unwrap_or(heads);
        if kv_heads == 0 || !heads.is_multiple_of(kv_heads) {
            return Err(invalid(format!(
                "{heads} heads cannot share {kv_heads} key/value heads"
            )));
        }
        let (rope_theta, rope_parts) = self.rope(root, family, head_dim / 2)?;
        let biased = self.attention_bias == Some(true);
        Ok(TextConfig {
            hidden_size: self.hidden_size,
            intermediate_size: self.intermediate_size,
            num_hidden_layers: self.num_hidden_layers,
            num_attention_heads: heads,
            num_key_value_heads: kv_heads,
            head_dim,
            vocab_size: self.vocab_size,
            rms_norm_eps: self.rms_norm_eps,
            rope_theta,
            rope_parts,
            max_position_embeddings: self.max_position_embeddings,
            head: match (root.tie_word_embeddings, self.tie_word_embeddings) {
                (Some(true), _) | (None, Some(true)) => HeadKind::Tied,
                (Some(false), Some(true)) if family.nested_ties => HeadKind::Tied,
                // Versions of transformers differ in which of the two applies.
                (Some(false), Some(true)) => HeadKind::IfStored,
                // Transformers does not tie by default.
                _ => HeadKind::Separate,
            },
            qkv_bias: family.biased_qkv || biased,
            output_bias: !family.biased_qkv && biased,
            normed_heads: family.normed_heads,
        })
    }

    fn head_dim(&self, family: &TextFamily) -> Result<usize> {
        let (hidden, heads) = (self.hidden_size, self.num_attention_heads);
        let head_dim = match family.head_dim {
            Some(default) => self.head_dim.unwrap_or(default),
            None if !hidden.is_multiple_of(heads) => {
                return Err(invalid(format!(
                    "hidden_size {hidden} cannot be split into {heads} heads"
                )));
            }
            None if self.head_dim.is_some_and(|given| given != hidden / heads) => {
                return Err(invalid("head_dim is not hidden_size / num_attention_heads"));
            }
            None => hidden / heads,
        };
        check_sizes(&[("head_dim", head_dim)])?;
        match head_dim.is_multiple_of(2) {
            true => Ok(head_dim),
            false => Err(invalid(format!(
                "head_dim is {head_dim}; rotary positions need an even number"
            ))),
        }
    }

    /// Returns the base of the rotary frequencies and the part of a position that each of `half`
    /// frequencies applies to.
    fn rope<V>(
        &self,
        root: &Root<V>,
        family: &TextFamily,
        half: usize,
    ) -> Result<(f64, Vec<usize>)> {
        let rope = [
            &self.rope_parameters,
            &root.rope_parameters,
            &self.rope_scaling,
            &root.rope_scaling,
        ];
        let rope = rope
            .into_iter()
            .find_map(Option::as_ref)
            .ok_or_else(|| invalid("rope_scaling and rope_parameters are both missing"))?;
        if let Some(kind) = rope.rope_type.as_ref().or(rope.kind.as_ref())
            && !matches!(kind.as_str(), "mrope" | "default")
        {
            return Err(invalid(format!("rope_type {kind} is not supported")));
        }
        let section = rope.mrope_section.unwrap_or(family.mrope_section);
        let theta = rope.rope_theta.or(self.rope_theta);
        let theta = theta.ok_or_else(|| invalid("rope_theta is missing"))?;
        let parts = match family.sections {
            Sections::Interleaved => interleaved(section, half),
            Sections::Consecutive if section.iter().sum::<usize>() == half => consecutive(section),
            Sections::Consecutive => {
                return Err(invalid(format!(
                    "mrope_section {section:?} does not add up to half the head size {}",
                    2 * half
                )));
            }
        };
        Ok((theta, parts))
    }
}

fn consecutive(section: [usize; 3]) -> Vec<usize> {
    let sections = section.into_iter().enumerate();
    sections
        .flat_map(|(part, n)| std::iter::repeat_n(part, n))
        .collect()
}

fn interleaved(section: [usize; 3], half: usize) -> Vec<usize> {
    let part = |i: usize| match i / 3 < section[i % 3] {
        true => i % 3,
        false => 0,
    };
    (0..half).map(part).collect()
}

pub fn check_activation(given: Option<&str>, expected: &str) -> Result<()> {
    match given {
        Some(given) if given != expected => Err(invalid(format!(
            "hidden_act {given} is not supported, only {expected}"
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interleaved_sections_alternate_until_used_up() {
        assert_eq!(consecutive([1, 2, 3]), [0, 1, 1, 2, 2, 2]);
        assert_eq!(interleaved([2, 2, 2], 6), [0, 1, 2, 0, 1, 2]);
        assert_eq!(interleaved([4, 2, 2], 8), [0, 1, 2, 0, 1, 2, 0, 0]);
        assert_eq!(interleaved([3, 4, 1], 8), [0, 1, 2, 0, 1, 0, 0, 1]);
    }
}

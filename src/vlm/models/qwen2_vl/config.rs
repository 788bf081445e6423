//! The configuration of a Qwen2-VL checkpoint: `config.json` in both layouts, and the image
//! processor's file. No number that the results depend on has a silent default.

use crate::error::Result;
use crate::vlm::checkpoint::config::{
    EndTokens, check_sizes, check_tokens, generation_end_tokens, invalid,
};
use crate::vlm::checkpoint::files::{CheckpointFile, CheckpointFiles};
use serde::Deserialize;

/// The language model.
#[derive(Debug, Clone, PartialEq)]
pub struct TextConfig {
    pub hidden_size: usize,
    pub intermediate_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub num_key_value_heads: usize,
    pub vocab_size: usize,
    pub rms_norm_eps: f64,
    pub rope_theta: f64,
    /// How many of the `head_dim / 2` rotary frequencies follow the temporal, the vertical and
    /// the horizontal position.
    pub mrope_section: [usize; 3],
    pub max_position_embeddings: usize,
    pub tie_word_embeddings: bool,
}

impl TextConfig {
    pub fn head_dim(&self) -> usize {
        self.hidden_size / self.num_attention_heads
    }

    /// Numbers of one token's keys in one layer; its values take as many again.
    pub fn kv_dim(&self) -> usize {
        self.num_key_value_heads * self.head_dim()
    }
}

/// The vision tower, as written in `vision_config`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(expecting = "an object")]
pub struct VisionConfig {
    pub depth: usize,
    pub embed_dim: usize,
    pub num_heads: usize,
    mlp_ratio: f64,
    /// Width of the features given to the language model.
    pub hidden_size: usize,
    in_channels: Option<usize>,
    /// The published name.
    in_chans: Option<usize>,
    pub patch_size: usize,
    pub spatial_merge_size: usize,
    pub temporal_patch_size: usize,
    hidden_act: Option<String>,
    rope_parameters: Option<RopeFields>,
}

impl VisionConfig {
    /// Red, green and blue.
    pub const CHANNELS: usize = 3;

    /// Width of the inner layer of a block's MLP.
    pub fn mlp_dim(&self) -> usize {
        (self.embed_dim as f64 * self.mlp_ratio) as usize
    }

    /// Numbers in one flattened patch.
    pub fn patch_dim(&self) -> usize {
        Self::CHANNELS * self.temporal_patch_size * self.patch_size * self.patch_size
    }

    /// Patches that become one token.
    pub fn merge_unit(&self) -> usize {
        self.spatial_merge_size * self.spatial_merge_size
    }

    /// The base of the rotary frequencies. The published files leave it out; it is a constant
    /// there.
    pub fn rope_theta(&self) -> f64 {
        let rope = self.rope_parameters.as_ref();
        rope.and_then(|rope| rope.rope_theta).unwrap_or(10_000.0)
    }

    fn check(&self) -> Result<()> {
        check_activation(self.hidden_act.as_deref(), "quick_gelu")?;
        check_sizes(&[
            ("depth", self.depth),
            ("embed_dim", self.embed_dim),
            ("num_heads", self.num_heads),
            ("vision mlp_ratio * embed_dim", self.mlp_dim()),
            ("hidden_size", self.hidden_size),
            ("patch_size", self.patch_size),
            ("spatial_merge_size", self.spatial_merge_size),
            ("temporal_patch_size", self.temporal_patch_size),
        ])?;
        let rope = self.rope_parameters.as_ref();
        if let Some(kind) = rope.and_then(|rope| rope.rope_type.as_deref())
            && kind != "axial"
        {
            return Err(invalid(format!(
                "vision rotary type {kind} is not supported"
            )));
        }
        let (dim, heads) = (self.embed_dim, self.num_heads);
        if !dim.is_multiple_of(heads) || !(dim / heads).is_multiple_of(4) {
            return Err(invalid(format!(
                "vision embed_dim {dim} cannot be split over {heads} heads"
            )));
        }
        match self.in_channels.or(self.in_chans) {
            Some(Self::CHANNELS) => Ok(()),
            Some(channels) => Err(invalid(format!(
                "the vision tower takes {channels} channels, not {}",
                Self::CHANNELS
            ))),
            None => Err(invalid("in_channels is missing")),
        }
    }
}

/// How a picture becomes patches.
#[derive(Debug, Clone, PartialEq)]
pub struct ImageConfig {
    pub min_pixels: u64,
    pub max_pixels: u64,
    pub patch_size: usize,
    pub temporal_patch_size: usize,
    pub merge_size: usize,
    pub rescale_factor: f32,
    pub mean: [f32; 3],
    pub std: [f32; 3],
}

/// The configuration files of a checkpoint, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    pub text: TextConfig,
    pub vision: VisionConfig,
    pub image: ImageConfig,
    pub image_token_id: u32,
    pub vision_start_token_id: u32,
    pub vision_end_token_id: u32,
    /// Any of these ends an answer.
    pub end_tokens: Vec<u32>,
}

impl Config {
    pub fn load(files: &CheckpointFiles) -> Result<Self> {
        let processor = &files.preprocessor_config;
        let image = ImageFields::read(processor)?
            .check()
            .map_err(|error| error.context(processor.shown()))?;
        let root: Root = files.config.json()?;
        // Older files hold the language model's fields at the root.
        let text: TextFields = match &root.text_config {
            Some(text) => text.clone(),
            None => files.config.json()?,
        };
        let ends = generation_end_tokens(files)?;
        Self::check(root, &text, image, ends).map_err(|error| error.context(files.config.shown()))
    }

    fn check(
        root: Root,
        text: &TextFields,
        image: ImageConfig,
        ends: Option<EndTokens>,
    ) -> Result<Self> {
        let ends = ends
            .or(root.eos_token_id.clone())
            .or(text.eos_token_id.clone())
            .ok_or_else(|| invalid("neither it nor generation_config.json has eos_token_id"))?;
        root.vision_config.check()?;
        let config = Self {
            text: text.check(&root)?,
            vision: root.vision_config,
            image,
            image_token_id: root.image_token_id,
            vision_start_token_id: root.vision_start_token_id,
            vision_end_token_id: root.vision_end_token_id,
            end_tokens: ends.list()?,
        };
        let (text, vision, image) = (&config.text, &config.vision, &config.image);
        if vision.hidden_size != text.hidden_size {
            return Err(invalid(format!(
                "vision features are {} wide, the language model {}",
                vision.hidden_size, text.hidden_size
            )));
        }
        if image.patch_size != vision.patch_size
            || image.temporal_patch_size != vision.temporal_patch_size
            || image.merge_size != vision.spatial_merge_size
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

    /// The special tokens around and in place of a picture.
    pub fn markers(&self) -> [u32; 3] {
        [
            self.vision_start_token_id,
            self.vision_end_token_id,
            self.image_token_id,
        ]
    }
}

/// `config.json` as written.
#[derive(Deserialize)]
struct Root {
    text_config: Option<TextFields>,
    vision_config: VisionConfig,
    image_token_id: u32,
    vision_start_token_id: u32,
    vision_end_token_id: u32,
    eos_token_id: Option<EndTokens>,
    tie_word_embeddings: Option<bool>,
    rope_parameters: Option<RopeFields>,
    rope_scaling: Option<RopeFields>,
}

/// The settings of rotary positions under their older and newer names.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(expecting = "an object")]
struct RopeFields {
    rope_type: Option<String>,
    /// The older name.
    #[serde(rename = "type")]
    kind: Option<String>,
    rope_theta: Option<f64>,
    mrope_section: Option<[usize; 3]>,
}

/// `text_config`, or the root of older files, as written.
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
    rope_theta: Option<f64>,
    rope_parameters: Option<RopeFields>,
    rope_scaling: Option<RopeFields>,
    tie_word_embeddings: Option<bool>,
    eos_token_id: Option<EndTokens>,
}

impl TextFields {
    fn check(&self, root: &Root) -> Result<TextConfig> {
        let rope = [
            &self.rope_parameters,
            &root.rope_parameters,
            &self.rope_scaling,
            &root.rope_scaling,
        ];
        let rope = rope
            .into_iter()
            .find_map(Option::as_ref)
            .ok_or_else(|| invalid("neither rope_scaling nor rope_parameters is there"))?;
        if let Some(kind) = rope.rope_type.as_ref().or(rope.kind.as_ref())
            && !matches!(kind.as_str(), "mrope" | "default")
        {
            return Err(invalid(format!("rotary type {kind} is not supported")));
        }
        let rope_theta = rope.rope_theta.or(self.rope_theta);
        if self.use_sliding_window == Some(true) {
            return Err(invalid("sliding window attention is not supported"));
        }
        check_activation(self.hidden_act.as_deref(), "silu")?;
        check_sizes(&[
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_hidden_layers", self.num_hidden_layers),
            ("num_attention_heads", self.num_attention_heads),
            ("vocab_size", self.vocab_size),
            ("max_position_embeddings", self.max_position_embeddings),
        ])?;
        let heads = self.num_attention_heads;
        // Older files keep tying in the nested part, newer ones at the root; the published
        // default of the architecture is a head of its own.
        let tied = [root.tie_word_embeddings, self.tie_word_embeddings].contains(&Some(true));
        let text = TextConfig {
            hidden_size: self.hidden_size,
            intermediate_size: self.intermediate_size,
            num_hidden_layers: self.num_hidden_layers,
            num_attention_heads: heads,
            num_key_value_heads: self.num_key_value_heads.unwrap_or(heads),
            vocab_size: self.vocab_size,
            rms_norm_eps: self.rms_norm_eps,
            rope_theta: rope_theta.ok_or_else(|| invalid("rope_theta is missing"))?,
            mrope_section: rope
                .mrope_section
                .ok_or_else(|| invalid("mrope_section is missing"))?,
            max_position_embeddings: self.max_position_embeddings,
            tie_word_embeddings: tied,
        };
        let head_dim = text.head_dim();
        if !text.hidden_size.is_multiple_of(heads) || !head_dim.is_multiple_of(2) {
            return Err(invalid(format!(
                "hidden_size {} cannot be split over {heads} heads",
                text.hidden_size
            )));
        }
        if self.head_dim.is_some_and(|given| given != head_dim) {
            return Err(invalid("head_dim is not hidden_size / num_attention_heads"));
        }
        if text.num_key_value_heads == 0 || !heads.is_multiple_of(text.num_key_value_heads) {
            return Err(invalid(format!(
                "{heads} heads cannot share {} key/value heads",
                text.num_key_value_heads
            )));
        }
        if text.mrope_section.iter().sum::<usize>() != head_dim / 2 {
            return Err(invalid(format!(
                "mrope_section {:?} does not add up to half the head size {head_dim}",
                text.mrope_section
            )));
        }
        Ok(text)
    }
}

fn check_activation(given: Option<&str>, expected: &str) -> Result<()> {
    match given {
        Some(given) if given != expected => Err(invalid(format!(
            "hidden_act {given} is not supported, only {expected}"
        ))),
        _ => Ok(()),
    }
}

/// The image processor's settings as written.
#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct ImageFields {
    do_resize: Option<bool>,
    do_rescale: Option<bool>,
    do_normalize: Option<bool>,
    resample: Option<u32>,
    min_pixels: Option<u64>,
    max_pixels: Option<u64>,
    size: Option<SizeFields>,
    patch_size: usize,
    temporal_patch_size: usize,
    merge_size: usize,
    rescale_factor: Option<f32>,
    image_mean: [f32; 3],
    image_std: [f32; 3],
}

/// Numbers of pixels under their older and newer names.
#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct SizeFields {
    min_pixels: Option<u64>,
    max_pixels: Option<u64>,
    shortest_edge: Option<u64>,
    longest_edge: Option<u64>,
}

impl ImageFields {
    /// From `preprocessor_config.json`, or from `processor_config.json`, which holds the same one
    /// level down.
    fn read(file: &CheckpointFile) -> Result<Self> {
        #[derive(Deserialize)]
        struct Processor {
            image_processor: Option<ImageFields>,
        }
        match file.json::<Processor>()?.image_processor {
            Some(inner) => Ok(inner),
            None => file.json(),
        }
    }

    fn check(&self) -> Result<ImageConfig> {
        for (step, on) in [
            ("do_resize", self.do_resize),
            ("do_rescale", self.do_rescale),
            ("do_normalize", self.do_normalize),
        ] {
            if on == Some(false) {
                return Err(invalid(format!("{step} = false is not supported")));
            }
        }
        const BICUBIC: u32 = 3;
        if let Some(filter) = self.resample
            && filter != BICUBIC
        {
            return Err(invalid(format!(
                "resample {filter} is not supported, only bicubic (3)"
            )));
        }
        check_sizes(&[
            ("patch_size", self.patch_size),
            ("temporal_patch_size", self.temporal_patch_size),
            ("merge_size", self.merge_size),
        ])?;
        let size = self.size.as_ref();
        let least = self
            .min_pixels
            .or_else(|| size?.shortest_edge.or(size?.min_pixels));
        let most = self
            .max_pixels
            .or_else(|| size?.longest_edge.or(size?.max_pixels));
        let config = ImageConfig {
            min_pixels: least.ok_or_else(|| invalid("min_pixels is missing"))?,
            max_pixels: most.ok_or_else(|| invalid("max_pixels is missing"))?,
            patch_size: self.patch_size,
            temporal_patch_size: self.temporal_patch_size,
            merge_size: self.merge_size,
            // The published files leave it out: 8-bit values.
            rescale_factor: self.rescale_factor.unwrap_or(1.0 / 255.0),
            mean: self.image_mean,
            std: self.image_std,
        };
        if config.min_pixels == 0 || config.max_pixels < config.min_pixels {
            return Err(invalid(format!(
                "pixels cannot be at least {} and at most {}",
                config.min_pixels, config.max_pixels
            )));
        }
        if config.std.iter().any(|value| !value.is_normal()) {
            return Err(invalid("image_std holds a value one cannot divide by"));
        }
        Ok(config)
    }
}

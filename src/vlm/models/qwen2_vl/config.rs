//! What a checkpoint says of itself: `config.json` in both shapes, the generation and the image
//! processor configuration. Nothing the numbers depend on is defaulted in silence.

use crate::error::{Context, Error, ErrorKind, Result};
use crate::vlm::checkpoint::files::CheckpointFiles;
use serde::Deserialize;
use serde_json::{Map, Value};

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

/// The vision tower.
#[derive(Debug, Clone, PartialEq)]
pub struct VisionConfig {
    pub depth: usize,
    pub embed_dim: usize,
    pub num_heads: usize,
    /// Width of the inner layer of a block's MLP.
    pub mlp_dim: usize,
    /// Width of the features given to the language model.
    pub hidden_size: usize,
    pub in_channels: usize,
    pub patch_size: usize,
    pub spatial_merge_size: usize,
    pub temporal_patch_size: usize,
    pub rope_theta: f64,
}

impl VisionConfig {
    /// Numbers in one flattened patch.
    pub fn patch_dim(&self) -> usize {
        self.in_channels * self.temporal_patch_size * self.patch_size * self.patch_size
    }

    /// Patches that become one token.
    pub fn merge_unit(&self) -> usize {
        self.spatial_merge_size * self.spatial_merge_size
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

/// Everything the JSON files of a checkpoint say that the model needs.
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
        let root: Map<String, Value> = files.config.json()?;
        let shown = files.config.shown();
        let generation: Option<Map<String, Value>> = match &files.generation_config {
            Some(file) => Some(file.json()?),
            None => None,
        };
        let image: Map<String, Value> = files.preprocessor_config.json()?;
        let image = image_config(&image)
            .map_err(|error| error.context(files.preprocessor_config.shown()))?;
        Self::parse(&root, generation.as_ref(), image).map_err(|error| error.context(shown))
    }

    fn parse(
        root: &Map<String, Value>,
        generation: Option<&Map<String, Value>>,
        image: ImageConfig,
    ) -> Result<Self> {
        let kind: String = field(root, "model_type")?;
        if kind != "qwen2_vl" {
            return Err(bad(format!("model_type is {kind}, not qwen2_vl"))
                .with_hint("only Qwen2-VL checkpoints can be run in process; serve others and use --endpoint"));
        }
        let nested = match root.get("text_config") {
            None | Some(Value::Null) => None,
            Some(Value::Object(map)) => Some(map),
            Some(_) => return Err(bad("text_config is not an object")),
        };
        let text = text_config(nested.unwrap_or(root), root)?;
        let vision: &Map<String, Value> = match root.get("vision_config") {
            Some(Value::Object(map)) => map,
            _ => return Err(bad("vision_config is missing")),
        };
        let vision = vision_config(vision)?;
        if vision.hidden_size != text.hidden_size {
            return Err(bad(format!(
                "vision features are {} wide, the language model {}",
                vision.hidden_size, text.hidden_size
            )));
        }
        if image.patch_size != vision.patch_size
            || image.temporal_patch_size != vision.temporal_patch_size
            || image.merge_size != vision.spatial_merge_size
        {
            return Err(bad(
                "patch sizes differ from those of the image processor's configuration",
            ));
        }
        let ends = generation
            .and_then(|map| map.get("eos_token_id"))
            .or_else(|| root.get("eos_token_id"))
            .or_else(|| nested.and_then(|map| map.get("eos_token_id")))
            .filter(|value| !value.is_null())
            .ok_or_else(|| bad("neither it nor generation_config.json has eos_token_id"))?;
        let end_tokens = match OneOrMany::<u32>::deserialize(ends) {
            Ok(OneOrMany::One(id)) => vec![id],
            Ok(OneOrMany::Many(ids)) if !ids.is_empty() => ids,
            _ => return Err(bad(format!("eos_token_id {ends} is not a token"))),
        };
        let config = Self {
            image_token_id: field(root, "image_token_id")?,
            vision_start_token_id: field(root, "vision_start_token_id")?,
            vision_end_token_id: field(root, "vision_end_token_id")?,
            end_tokens,
            text,
            vision,
            image,
        };
        let named = [
            config.image_token_id,
            config.vision_start_token_id,
            config.vision_end_token_id,
        ];
        for id in named.iter().chain(&config.end_tokens) {
            if *id as usize >= config.text.vocab_size {
                return Err(bad(format!(
                    "token {id} is outside the vocabulary of {}",
                    config.text.vocab_size
                )));
            }
        }
        Ok(config)
    }
}

fn text_config(map: &Map<String, Value>, root: &Map<String, Value>) -> Result<TextConfig> {
    let rope = ["rope_parameters", "rope_scaling"]
        .iter()
        .find_map(|key| map.get(*key).or_else(|| root.get(*key))?.as_object())
        .ok_or_else(|| bad("neither rope_scaling nor rope_parameters is there"))?;
    if let Some(kind) = rope.get("rope_type").or_else(|| rope.get("type"))
        && !matches!(kind.as_str(), Some("mrope" | "default"))
    {
        return Err(bad(format!("rotary type {kind} is not supported")));
    }
    let rope_theta = match optional(rope, "rope_theta")? {
        Some(theta) => theta,
        None => field(map, "rope_theta")?,
    };
    if optional::<bool>(map, "use_sliding_window")?.unwrap_or(false) {
        return Err(bad("sliding window attention is not supported"));
    }
    expect_activation(map, "silu")?;
    let heads = count(map, "num_attention_heads")?;
    // Older configurations keep tying in the nested part, newer ones at the root; the published
    // default of the architecture is a head of its own.
    let tied = |map| Ok::<bool, Error>(optional(map, "tie_word_embeddings")?.unwrap_or(false));
    let text = TextConfig {
        hidden_size: count(map, "hidden_size")?,
        intermediate_size: count(map, "intermediate_size")?,
        num_hidden_layers: count(map, "num_hidden_layers")?,
        num_attention_heads: heads,
        num_key_value_heads: optional(map, "num_key_value_heads")?.unwrap_or(heads),
        vocab_size: count(map, "vocab_size")?,
        rms_norm_eps: field(map, "rms_norm_eps")?,
        rope_theta,
        mrope_section: field(rope, "mrope_section")?,
        max_position_embeddings: count(map, "max_position_embeddings")?,
        tie_word_embeddings: tied(root)? || tied(map)?,
    };
    let head_dim = text.head_dim();
    if !text.hidden_size.is_multiple_of(heads) || !head_dim.is_multiple_of(2) {
        return Err(bad(format!(
            "hidden_size {} cannot be split over {heads} heads",
            text.hidden_size
        )));
    }
    if optional::<usize>(map, "head_dim")?.is_some_and(|given| given != head_dim) {
        return Err(bad("head_dim is not hidden_size / num_attention_heads"));
    }
    if text.num_key_value_heads == 0 || !heads.is_multiple_of(text.num_key_value_heads) {
        return Err(bad(format!(
            "{heads} heads cannot share {} key/value heads",
            text.num_key_value_heads
        )));
    }
    if text.mrope_section.iter().sum::<usize>() != head_dim / 2 {
        return Err(bad(format!(
            "mrope_section {:?} does not add up to half the head size {head_dim}",
            text.mrope_section
        )));
    }
    Ok(text)
}

fn vision_config(map: &Map<String, Value>) -> Result<VisionConfig> {
    expect_activation(map, "quick_gelu")?;
    let embed_dim = count(map, "embed_dim")?;
    let ratio: f64 = field(map, "mlp_ratio")?;
    let in_channels = match optional(map, "in_channels")? {
        Some(channels) => channels,
        // The published name.
        None => field(map, "in_chans")?,
    };
    // The published configurations leave the vision tower's base out; it is a constant there.
    let rope_theta = match map.get("rope_parameters").and_then(Value::as_object) {
        Some(rope) => {
            if let Some(kind) = rope.get("rope_type")
                && kind.as_str() != Some("axial")
            {
                return Err(bad(format!("vision rotary type {kind} is not supported")));
            }
            optional(rope, "rope_theta")?.unwrap_or(10_000.0)
        }
        None => 10_000.0,
    };
    let vision = VisionConfig {
        depth: count(map, "depth")?,
        embed_dim,
        num_heads: count(map, "num_heads")?,
        mlp_dim: (embed_dim as f64 * ratio) as usize,
        hidden_size: count(map, "hidden_size")?,
        in_channels,
        patch_size: count(map, "patch_size")?,
        spatial_merge_size: count(map, "spatial_merge_size")?,
        temporal_patch_size: count(map, "temporal_patch_size")?,
        rope_theta,
    };
    if !embed_dim.is_multiple_of(vision.num_heads)
        || !(embed_dim / vision.num_heads).is_multiple_of(4)
    {
        return Err(bad(format!(
            "vision embed_dim {embed_dim} cannot be split over {} heads",
            vision.num_heads
        )));
    }
    if vision.in_channels != 3 {
        return Err(bad(format!(
            "the vision tower takes {} channels, not 3",
            vision.in_channels
        )));
    }
    if vision.mlp_dim == 0 {
        return Err(bad("vision mlp_ratio is too small"));
    }
    Ok(vision)
}

fn image_config(map: &Map<String, Value>) -> Result<ImageConfig> {
    // `processor_config.json` holds the image processor one level down.
    let map = match map.get("image_processor") {
        Some(Value::Object(inner)) => inner,
        _ => map,
    };
    for step in ["do_resize", "do_rescale", "do_normalize"] {
        if optional::<bool>(map, step)? == Some(false) {
            return Err(bad(format!("{step} = false is not supported")));
        }
    }
    const BICUBIC: u32 = 3;
    if let Some(filter) = optional::<u32>(map, "resample")?
        && filter != BICUBIC
    {
        return Err(bad(format!(
            "resample {filter} is not supported, only bicubic (3)"
        )));
    }
    let size = map.get("size").and_then(Value::as_object);
    let pixels = |own: &str, edge: &str| -> Result<u64> {
        if let Some(pixels) = optional(map, own)? {
            return Ok(pixels);
        }
        let Some(size) = size else {
            return Err(bad(format!("neither {own} nor size is there")));
        };
        match optional(size, edge)? {
            Some(pixels) => Ok(pixels),
            None => field(size, own),
        }
    };
    let config = ImageConfig {
        min_pixels: pixels("min_pixels", "shortest_edge")?,
        max_pixels: pixels("max_pixels", "longest_edge")?,
        patch_size: count(map, "patch_size")?,
        temporal_patch_size: count(map, "temporal_patch_size")?,
        merge_size: count(map, "merge_size")?,
        // The published configurations leave it out: 8-bit values.
        rescale_factor: optional(map, "rescale_factor")?.unwrap_or(1.0 / 255.0),
        mean: field(map, "image_mean")?,
        std: field(map, "image_std")?,
    };
    if config.min_pixels == 0 || config.max_pixels < config.min_pixels {
        return Err(bad(format!(
            "pixels cannot be at least {} and at most {}",
            config.min_pixels, config.max_pixels
        )));
    }
    if config.std.iter().any(|value| !value.is_normal()) {
        return Err(bad("image_std holds a value one cannot divide by"));
    }
    Ok(config)
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

fn expect_activation(map: &Map<String, Value>, expected: &str) -> Result<()> {
    match optional::<String>(map, "hidden_act")? {
        Some(given) if given != expected => Err(bad(format!(
            "hidden_act {given} is not supported, only {expected}"
        ))),
        _ => Ok(()),
    }
}

fn optional<T: serde::de::DeserializeOwned>(
    map: &Map<String, Value>,
    key: &str,
) -> Result<Option<T>> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => T::deserialize(value)
            .map(Some)
            .context(ErrorKind::Model, format!("{key} is {value}")),
    }
}

fn field<T: serde::de::DeserializeOwned>(map: &Map<String, Value>, key: &str) -> Result<T> {
    optional(map, key)?.ok_or_else(|| bad(format!("{key} is missing")))
}

/// A size: at least one, and small enough that products of a few of them cannot overflow.
fn count(map: &Map<String, Value>, key: &str) -> Result<usize> {
    let value: usize = field(map, key)?;
    if value == 0 || value > 1 << 24 {
        return Err(bad(format!("{key} is {value}")));
    }
    Ok(value)
}

fn bad(cause: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Model, cause)
}

//! `config.json` of a retriever: the sizes of its two towers.

use crate::error::Result;
use crate::vlm::CheckpointFiles;
use crate::vlm::checkpoint::config::{check_sizes, invalid};
use crate::vlm::checkpoint::files::CheckpointFile;
use crate::vlm::checkpoint::packing::Packing;
use crate::vlm::checkpoint::refusals::Refusal;
use serde::Deserialize;

#[derive(Debug, Clone, Deserialize)]
pub struct Config {
    #[serde(default)]
    pub text_config: TextConfig,
    #[serde(default)]
    pub vision_config: VisionConfig,
}

/// What a tower does between the two matrices of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Activation {
    #[serde(rename = "gelu_pytorch_tanh", alias = "gelu_new", alias = "gelu_fast")]
    GeluTanh,
    #[serde(rename = "quick_gelu")]
    QuickGelu,
    #[serde(rename = "gelu")]
    Gelu,
}

/// Of a stack of layers. Fields that a checkpoint leaves out are those of the base model.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct TextConfig {
    pub vocab_size: usize,
    pub hidden_size: usize,
    pub intermediate_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub max_position_embeddings: usize,
    pub hidden_act: Activation,
    pub layer_norm_eps: f64,
    pub projection_size: Option<usize>,
}

impl Default for TextConfig {
    fn default() -> Self {
        Self {
            vocab_size: 32000,
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            max_position_embeddings: 64,
            hidden_act: Activation::GeluTanh,
            layer_norm_eps: 1e-6,
            projection_size: None,
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub struct VisionConfig {
    pub hidden_size: usize,
    pub intermediate_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub num_channels: usize,
    pub image_size: usize,
    pub patch_size: usize,
    pub hidden_act: Activation,
    pub layer_norm_eps: f64,
    pub vision_use_head: bool,
}

impl Default for VisionConfig {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            num_channels: 3,
            image_size: 224,
            patch_size: 16,
            hidden_act: Activation::GeluTanh,
            layer_norm_eps: 1e-6,
            vision_use_head: true,
        }
    }
}

/// The layers of one tower.
#[derive(Debug, Clone, Copy)]
pub struct EncoderConfig {
    pub hidden: usize,
    pub inner: usize,
    pub layers: usize,
    pub heads: usize,
    pub activation: Activation,
    pub eps: f64,
}

impl TextConfig {
    pub fn encoder(&self) -> EncoderConfig {
        EncoderConfig {
            hidden: self.hidden_size,
            inner: self.intermediate_size,
            layers: self.num_hidden_layers,
            heads: self.num_attention_heads,
            activation: self.hidden_act,
            eps: self.layer_norm_eps,
        }
    }

    /// Numbers of a vector.
    pub fn projection(&self) -> usize {
        self.projection_size.unwrap_or(self.hidden_size)
    }
}

impl VisionConfig {
    pub const CHANNELS: usize = 3;

    pub fn encoder(&self) -> EncoderConfig {
        EncoderConfig {
            hidden: self.hidden_size,
            inner: self.intermediate_size,
            layers: self.num_hidden_layers,
            heads: self.num_attention_heads,
            activation: self.hidden_act,
            eps: self.layer_norm_eps,
        }
    }

    /// Patches along a side.
    pub fn side(&self) -> usize {
        self.image_size / self.patch_size
    }

    pub fn patches(&self) -> usize {
        self.side() * self.side()
    }

    /// Numbers of a patch.
    pub fn patch_dim(&self) -> usize {
        Self::CHANNELS * self.patch_size * self.patch_size
    }
}

const USE: &str = "use a SigLIP, such as google/siglip-base-patch16-256-multilingual, or a \
                   SigLIP 2 of a fixed size, such as google/siglip2-base-patch16-256";

/// What `config.json` alone tells against a checkpoint.
pub fn refusals(config: &CheckpointFile) -> Vec<Refusal> {
    #[derive(Deserialize)]
    struct Root {
        model_type: String,
    }
    let unknown = match config.json::<Root>() {
        Ok(root) if root.model_type == "siglip" => None,
        Ok(root) if root.model_type == "siglip2" => Some(Refusal::new(
            "it is a SigLIP 2 whose images keep their shape (naflex), which is not supported",
            USE,
        )),
        Ok(root) => Some(Refusal::new(
            format!(
                "its model_type, {}, is that of no retriever that is supported",
                root.model_type
            ),
            USE,
        )),
        Err(error) => Some(Refusal::new(error.cause, error.hint.unwrap_or(USE.into()))),
    };
    // One that is no JSON is refused above.
    let packed = config.json().ok();
    let packed = packed.and_then(|config| match Packing::read(&config) {
        Ok(None) => None,
        Ok(Some(_)) => Some(Refusal::new("its weights are packed", USE)),
        Err(refusal) => Some(refusal),
    });
    unknown.into_iter().chain(packed).collect()
}

impl Config {
    /// Reads and checks the configuration.
    ///
    /// # Errors
    /// One that is not as expected or makes no sense; it names the file.
    pub fn open(files: &CheckpointFiles) -> Result<Self> {
        let config: Self = files.config.json()?;
        let checked = config.check();
        checked.map_err(|error| error.context(files.config.shown()))?;
        Ok(config)
    }

    fn check(&self) -> Result<()> {
        let (text, vision) = (&self.text_config, &self.vision_config);
        check_sizes(&[
            ("text_config.vocab_size", text.vocab_size),
            (
                "text_config.max_position_embeddings",
                text.max_position_embeddings,
            ),
            ("text_config.projection_size", text.projection()),
            ("vision_config.image_size", vision.image_size),
            ("vision_config.patch_size", vision.patch_size),
        ])?;
        for (name, encoder) in [
            ("text_config", text.encoder()),
            ("vision_config", vision.encoder()),
        ] {
            check_sizes(&[
                ("hidden_size", encoder.hidden),
                ("intermediate_size", encoder.inner),
                ("num_hidden_layers", encoder.layers),
                ("num_attention_heads", encoder.heads),
            ])
            .map_err(|error| error.context(name))?;
            // Heads are halves of pairs to the kernels.
            if !encoder.hidden.is_multiple_of(2 * encoder.heads) {
                return Err(invalid(format!(
                    "{name}: a hidden_size of {} is not that of {} heads of an even size",
                    encoder.hidden, encoder.heads
                )));
            }
        }
        if vision.num_channels != VisionConfig::CHANNELS {
            return Err(invalid(format!(
                "vision_config.num_channels is {}",
                vision.num_channels
            )));
        }
        if vision.image_size < vision.patch_size || vision.image_size > 1024 {
            return Err(invalid(format!(
                "vision_config.image_size is {}, with patches of {}",
                vision.image_size, vision.patch_size
            )));
        }
        if !vision.vision_use_head {
            return Err(invalid("vision_config.vision_use_head is false"));
        }
        if vision.hidden_size != text.projection() {
            return Err(invalid(format!(
                "images give vectors of {} numbers, texts of {}",
                vision.hidden_size,
                text.projection()
            )));
        }
        Ok(())
    }
}

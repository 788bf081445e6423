//! The options of the commands that run a retriever.

use super::values::{
    OutdirArgs, VocabularyArgs, background, boolish, hub_offline, parse_device, precision,
    quantize, usage,
};
use crate::commands::options::{EmbedOptions, RetrievalOptions};
use crate::embed::RetrieverOptions;
use crate::error::Result;
use crate::record::Background;
use crate::vlm::{DeviceChoice, ModelOptions, Precision, Quantize};
use clap::Args;
use std::path::PathBuf;

pub const DEFAULT_RETRIEVER: &str = "google/siglip-base-patch16-256-multilingual";

/// Which retriever to run, and how.
#[derive(Debug, Args)]
pub struct RetrieverArgs {
    /// SigLIP or CLIP model to search with: Hugging Face id or checkpoint folder
    /// [default: google/siglip-base-patch16-256-multilingual]
    #[arg(
        long,
        value_name = "ID_OR_DIR",
        env = "LABELER_RETRIEVER",
        help_heading = "Retriever"
    )]
    pub retriever: Option<String>,
    /// Folder of a LoRA adapter (PEFT) to merge into the retriever
    #[arg(
        long,
        value_name = "DIR",
        env = "LABELER_ADAPTER",
        help_heading = "Retriever"
    )]
    pub adapter: Option<PathBuf>,
    /// Hub revision of the retriever [default: main]
    #[arg(long, value_name = "REV", help_heading = "Retriever")]
    pub revision: Option<String>,
    /// auto, cpu, cuda, cuda:N or metal [default: auto]
    #[arg(long, value_name = "D", env = "LABELER_DEVICE", value_parser = parse_device, help_heading = "Retriever")]
    pub device: Option<DeviceChoice>,
    /// auto, fp32, bf16 or fp16 [default: fp32]
    #[arg(long, value_name = "P", value_parser = precision(), help_heading = "Retriever")]
    pub precision: Option<Precision>,
    /// none, q8_0 or q4k [default: none]
    #[arg(long, value_name = "Q", value_parser = quantize(), help_heading = "Retriever")]
    pub quantize: Option<Quantize>,
    /// Never use the network; HF_HUB_OFFLINE=1 does the same
    #[arg(long, env = "LABELER_OFFLINE", value_parser = boolish(), help_heading = "Retriever")]
    pub offline: bool,
    /// What shows through transparent pixels: white, black or none
    #[arg(long, value_name = "C", default_value = "white", value_parser = background(), help_heading = "Retriever")]
    pub alpha_bg: Background,
}

impl RetrieverArgs {
    pub fn options(self) -> Result<RetrieverOptions> {
        let model = self
            .retriever
            .unwrap_or_else(|| DEFAULT_RETRIEVER.to_owned());
        if model.trim().is_empty() {
            return Err(usage(
                "--retriever is empty",
                "give a Hugging Face id or a checkpoint folder",
            ));
        }
        Ok(RetrieverOptions {
            model: ModelOptions {
                model,
                revision: self.revision.unwrap_or_else(|| "main".to_owned()),
                offline: self.offline || hub_offline(),
                device: self.device.unwrap_or(DeviceChoice::Auto),
                // Users compare the vectors with those of other programs.
                precision: self.precision.unwrap_or(Precision::Fp32),
                quantize: self.quantize.unwrap_or(Quantize::None),
                batch_size: Some(1),
                kv_memory: None,
            },
            adapter: self.adapter,
        })
    }
}

/// With --json prints one object: `images` and `texts`, each a list of unit vectors in the order
/// given, and `logit_scale` and `logit_bias` as stored in the model, or null.
#[derive(Debug, Args)]
pub struct EmbedArgs {
    /// An image; may be given more than once
    #[arg(long, value_name = "PATH")]
    pub image: Vec<PathBuf>,
    /// A text; may be given more than once
    #[arg(long, value_name = "T", allow_hyphen_values = true)]
    pub text: Vec<String>,
    /// One JSON object instead of a line per vector
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub retriever: RetrieverArgs,
}

impl EmbedArgs {
    pub fn options(self) -> Result<EmbedOptions> {
        if self.image.is_empty() && self.text.is_empty() {
            return Err(usage(
                "nothing to embed",
                "give --image or --text; each can be repeated",
            ));
        }
        Ok(EmbedOptions {
            images: self.image,
            texts: self.text,
            background: self.retriever.alpha_bg,
            json: self.json,
            retriever: self.retriever.options()?,
        })
    }
}

/// The vectors of images and texts are kept in the outdir; next time only what has changed is
/// computed. Exit status: 0 all images were searched; 3 some could not be read.
#[derive(Debug, Args)]
pub struct RetrievalArgs {
    #[command(flatten)]
    pub outdir: OutdirArgs,
    /// Also search for records that are not committed
    #[arg(long)]
    pub drafts: bool,
    /// One JSON object: totals, and what each text of each record finds
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub retriever: RetrieverArgs,
    #[command(flatten)]
    pub vocabulary: VocabularyArgs,
}

impl RetrievalArgs {
    pub fn options(self) -> Result<RetrievalOptions> {
        Ok(RetrievalOptions {
            outdir: self.outdir.outdir,
            drafts: self.drafts,
            background: self.retriever.alpha_bg,
            vocabulary: self.vocabulary.vocabulary,
            json: self.json,
            retriever: self.retriever.options()?,
        })
    }
}

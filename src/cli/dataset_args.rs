//! The options of `export`.

use super::values::{OutdirArgs, background, named_values, parse_seed, whole};
use crate::export;
use crate::export::{Caption, DatasetOptions, PathStyle, SplitShare};
use crate::record::Background;
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use std::path::PathBuf;

/// Only reads the outdir; the workstation or a batch run may be using it. Exit status: 0 everything
/// was exported; 3 records were left out because of their images.
#[derive(Debug, Args)]
pub struct ExportArgs {
    #[command(flatten)]
    pub outdir: OutdirArgs,
    /// A new or empty folder, or an interrupted export to continue
    #[arg(long, value_name = "DEST")]
    pub to: PathBuf,
    /// Dataset format; --help lists them
    #[arg(long, value_name = "F", value_parser = dataset_format())]
    pub format: String,
    /// Captions of each image, in this order: label, label-without-name, label-en, tags, queries
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "label", value_parser = parse_caption)]
    pub captions: Vec<Caption>,
    /// Splits and their shares: train=0.9,val=0.05,test=0.05
    #[arg(long, value_name = "SPEC", value_delimiter = ',', default_value = "train=1", value_parser = parse_share)]
    pub split: Vec<SplitShare>,
    /// Seed of the splits
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        allow_negative_numbers = true,
        value_parser = parse_seed
    )]
    pub seed: u64,
    /// Only records that match this filter, such as -reason:color_mismatch
    #[arg(long, value_name = "FILTER", allow_hyphen_values = true)]
    pub filter: Option<String>,
    /// Write images as the model saw them: white, black or none behind transparent pixels
    #[arg(long, value_name = "C", value_parser = background())]
    pub flatten: Option<Background>,
    /// With --flatten: upscale (bicubic), 1-32
    #[arg(long, value_name = "N", default_value_t = 1, requires = "flatten", allow_negative_numbers = true, value_parser = whole::<u32>(Some(32)))]
    pub upscale: u32,
    /// Where the images are now, if not where the source found them
    #[arg(long, value_name = "DIR")]
    pub images: Option<PathBuf>,
    /// csv, tsv and jsonl: copy the images too
    #[arg(long)]
    pub copy_images: bool,
    /// csv, tsv and jsonl: absolute paths, or relative to DEST
    #[arg(long, value_name = "P", default_value = "absolute", value_parser = path_style())]
    pub paths: PathStyle,
    /// Images per shard
    #[arg(long, value_name = "N", default_value_t = 10_000, allow_negative_numbers = true, value_parser = whole::<u32>(None))]
    pub shard_size: u32,
    /// Write anew: remove the export in DEST first, once this one is known to be possible
    #[arg(long)]
    pub replace: bool,
}

impl From<ExportArgs> for DatasetOptions {
    fn from(args: ExportArgs) -> Self {
        Self {
            outdir: args.outdir.outdir,
            to: args.to,
            replace: args.replace,
            images: args.images,
            format: args.format,
            captions: args.captions,
            splits: args.split,
            seed: args.seed,
            flatten: args.flatten,
            upscale: args.upscale,
            copy_images: args.copy_images,
            paths: args.paths,
            filter: args.filter,
            shard_size: args.shard_size as usize,
        }
    }
}

/// The name of each format, with its purpose as help.
fn dataset_format() -> PossibleValuesParser {
    let formats = export::dataset_formats();
    PossibleValuesParser::new(formats.map(|(name, about)| PossibleValue::new(name).help(about)))
}

fn path_style() -> impl TypedValueParser<Value = PathStyle> {
    named_values(&[
        ("absolute", PathStyle::Absolute),
        ("relative", PathStyle::Relative),
    ])
}

fn parse_caption(text: &str) -> Result<Caption, String> {
    Caption::parse(text).ok_or_else(|| {
        let names: Vec<&str> = Caption::ALL.iter().map(|kind| kind.name()).collect();
        format!("expected one of {}", names.join(", "))
    })
}

fn parse_share(text: &str) -> Result<SplitShare, String> {
    let malformed = || "expected a name and a share, as in test=0.05".to_owned();
    let (name, share) = text.split_once('=').ok_or_else(malformed)?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(is_name) {
        return Err("the name of a split can only have letters, digits and _".to_owned());
    }
    match share.parse::<f64>() {
        Ok(share) if share.is_finite() && share > 0.0 => Ok(SplitShare {
            name: name.to_owned(),
            share,
        }),
        _ => Err("a share is a number above 0".to_owned()),
    }
}

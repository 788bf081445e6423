//! The options of `export`.

use super::values::{OutdirArgs, background, whole, words};
use crate::export;
use crate::record::Background;
use crate::settings::{Caption, DatasetOptions, PathStyle, SplitShare};
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use std::path::PathBuf;

/// The outdir is only read, also while the workstation or a batch works on it. Exit status: 0 all
/// is exported; 3 records were left out because of their images.
#[derive(Debug, Args)]
pub struct ExportArgs {
    #[command(flatten)]
    pub outdir: OutdirArgs,
    /// A new or empty folder; an export that was cut off is gone on with
    #[arg(long, value_name = "DEST")]
    pub to: PathBuf,
    /// What it is for; --help lists them
    #[arg(long, value_name = "F", value_parser = dataset_format())]
    pub format: String,
    /// Captions of an image, in this order: label, label-without-name, label-en, tags, queries
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "label", value_parser = parse_caption)]
    pub captions: Vec<Caption>,
    /// Splits and their shares: train=0.9,val=0.05,test=0.05
    #[arg(long, value_name = "SPEC", value_delimiter = ',', default_value = "train=1", value_parser = parse_share)]
    pub split: Vec<SplitShare>,
    /// Of the splits
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        allow_negative_numbers = true
    )]
    pub seed: u64,
    /// Only what this filter shows, such as -reason:color_mismatch
    #[arg(long, value_name = "FILTER", allow_hyphen_values = true)]
    pub filter: Option<String>,
    /// Images as the model saw them: white, black or none behind transparent pixels
    #[arg(long, value_name = "C", value_parser = background())]
    pub flatten: Option<Background>,
    /// With --flatten: bicubic, 1-32
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
    /// Images in one shard
    #[arg(long, value_name = "N", default_value_t = 10_000, allow_negative_numbers = true, value_parser = whole::<u32>(None))]
    pub shard_size: u32,
    /// Remove another export that DEST holds
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

/// Each name with what it is for.
fn dataset_format() -> PossibleValuesParser {
    let formats = export::dataset_formats();
    PossibleValuesParser::new(formats.map(|(name, about)| PossibleValue::new(name).help(about)))
}

fn path_style() -> impl TypedValueParser<Value = PathStyle> {
    words(&[
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
    let wrong = || "expected a name and a share, as in test=0.05".to_owned();
    let (name, share) = text.split_once('=').ok_or_else(wrong)?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(is_name) {
        return Err("the name of a split is of letters, digits and _".to_owned());
    }
    match share.parse::<f64>() {
        Ok(share) if share.is_finite() && share > 0.0 => Ok(SplitShare {
            name: name.to_owned(),
            share,
        }),
        _ => Err("a share is a number above 0".to_owned()),
    }
}

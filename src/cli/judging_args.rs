//! The options of `audit` and `compare`, the commands in which people judge records.

use super::values::{
    OutdirArgs, VocabularyArgs, parse_seed, parse_share, pictures, ui_lang, whole,
};
use crate::commands::options::{AuditOptions, BlindOptions, CompareOptions};
use crate::record::{AuditEstimate, DEFAULT_SAMPLE_SIZE};
use crate::text::Language;
use crate::tui::{LookOptions, PictureChoice};
use clap::Args;
use std::path::PathBuf;

/// The appearance of a screen; shared by the workstation and the judging commands.
#[derive(Debug, Args)]
pub struct LookArgs {
    /// Colors: auto, dark, light, high-contrast, color-blind or a file [default: auto]
    #[arg(long, value_name = "NAME|FILE", env = "LABELER_THEME")]
    pub theme: Option<String>,
    /// Icons on the screen: auto, kitty, sixel, iterm, blocks or none [default: auto]
    #[arg(long, value_name = "HOW", env = "LABELER_PICTURES", value_parser = pictures())]
    pub pictures: Option<PictureChoice>,
    /// Language of the screen: ko or en [default: that of the locale]
    #[arg(long, value_name = "L", env = "LABELER_UI_LANG", value_parser = ui_lang())]
    pub ui_lang: Option<Language>,
}

impl From<LookArgs> for LookOptions {
    fn from(args: LookArgs) -> Self {
        Self {
            theme: args.theme,
            pictures: args.pictures.unwrap_or_default(),
            language: args
                .ui_lang
                .unwrap_or_else(|| Language::from_locale(|name| std::env::var(name).ok())),
        }
    }
}

#[derive(Debug, Args)]
pub struct AuditArgs {
    #[command(flatten)]
    pub outdir: OutdirArgs,
    /// How many records to draw; a larger number later adds more
    #[arg(long, value_name = "N", default_value_t = DEFAULT_SAMPLE_SIZE as u32, allow_negative_numbers = true, value_parser = whole::<u32>(None))]
    pub sample: u32,
    /// Seed of the sample; a new number starts a new audit [default: that of the latest audit]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = parse_seed)]
    pub seed: Option<u64>,
    /// Target width of the error rate's interval: 0.05 is five points
    #[arg(long, value_name = "W", default_value_t = AuditEstimate::WIDTH, allow_negative_numbers = true, value_parser = parse_share)]
    pub width: f64,
    /// Print the current estimate as one JSON object; no terminal needed
    #[arg(long)]
    pub json: bool,
    /// Where the images are now, if not where the source found them
    #[arg(long, value_name = "DIR")]
    pub images: Option<PathBuf>,
    #[command(flatten)]
    pub look: LookArgs,
    #[command(flatten)]
    pub vocabulary: VocabularyArgs,
}

impl From<AuditArgs> for AuditOptions {
    fn from(args: AuditArgs) -> Self {
        Self {
            outdir: args.outdir.outdir,
            sample: args.sample as usize,
            seed: args.seed,
            width: args.width,
            json: args.json,
            images: args.images,
            look: args.look.into(),
            vocabulary: args.vocabulary.vocabulary,
        }
    }
}

#[derive(Debug, Args)]
pub struct CompareArgs {
    /// An outdir or a labels.jsonl
    pub a: PathBuf,
    /// The outdir or labels.jsonl to compare it with
    pub b: PathBuf,
    /// One JSON object instead of a table; with --blind, the votes so far
    #[arg(long)]
    pub json: bool,
    /// Vote for the better text of each image, without knowing whose it is
    #[arg(long)]
    pub blind: bool,
    /// With --blind: the file that keeps the votes; votes already in it count
    #[arg(
        long,
        value_name = "FILE",
        default_value = "compare-votes.jsonl",
        requires = "blind"
    )]
    pub votes: PathBuf,
    /// With --blind: seed of the order of images and texts
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        allow_negative_numbers = true,
        requires = "blind",
        value_parser = parse_seed
    )]
    pub seed: u64,
    /// With --blind: where the images are, if not where the records say
    #[arg(long, value_name = "DIR", requires = "blind")]
    pub images: Option<PathBuf>,
    #[command(flatten)]
    pub look: LookArgs,
}

impl From<CompareArgs> for CompareOptions {
    fn from(args: CompareArgs) -> Self {
        Self {
            a: args.a,
            b: args.b,
            json: args.json,
            blind: args.blind.then(|| BlindOptions {
                votes: args.votes,
                seed: args.seed,
                images: args.images,
                look: args.look.into(),
            }),
        }
    }
}

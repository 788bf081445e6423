//! The clap table. Every option is optional here, so that lower layers can fill it.

use super::dataset_args::ExportArgs;
use super::judging_args::{AuditArgs, CompareArgs, LookArgs};
use super::pages;
use super::retriever_args::{EmbedArgs, RetrievalArgs};
use super::values::{
    BatchSize, OutdirArgs, VocabularyArgs, background, boolish, equipment_name, lang, log_level,
    names, only_source, parse_batch_size, parse_bytes, parse_device, parse_few, parse_seed,
    parse_temperature, precision, quantize, source_type, whole,
};
use crate::prompt::Lang;
use crate::record::{Background, SourceType};
use crate::source::{EquipmentName, NameSource, OnlySource};
use crate::vlm::{DeviceChoice, Precision, Quantize};
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use std::path::PathBuf;

/// Label small game-item icons with Qwen2-VL on your own machine.
///
/// Without --batch it opens the workstation: review uncertain records, retry, edit and commit
/// them. Every option can also be set as LABELER_NAME in the environment or in a --config file;
/// flags win over the environment, the environment over the file.
#[derive(Debug, Parser)]
#[command(
    name = "labeler-tui",
    version,
    max_term_width = 100,
    args_conflicts_with_subcommands = true,
    after_help = pages::after_help(),
    after_long_help = pages::after_long_help()
)]
pub struct Cli {
    #[command(flatten)]
    pub label: LabelArgs,
    #[command(subcommand)]
    pub command: Option<CliCommand>,
}

#[derive(Debug, Subcommand)]
pub enum CliCommand {
    /// Ask a model one free-form question about images
    Ask(AskArgs),
    /// Measure the speed of this machine and model
    Bench(BenchArgs),
    /// Check the terminal, device, model or endpoint, source and outdir
    Doctor(DoctorArgs),
    /// Compare the records of two outdirs or labels.jsonl files
    ///
    /// Prints how far they agree. With --blind you say which text of each image is better, without
    /// knowing whose it is.
    Compare(CompareArgs),
    /// Judge a random sample of the committed records to estimate their error rate
    ///
    /// Draws from the committed records without a reason, in proportion to the records of each
    /// source and type. The screen shows only an icon and its text: 1 right, 2 wrong, 0 unsure.
    /// Judgments are kept in the journal; the next audit continues from them.
    Audit(AuditArgs),
    /// List the records that need review, in queue order, with reasons and suggested fixes
    ///
    /// Only reads the journal; the workstation may be open. A line has the uncertainty, state,
    /// image path, name, and each reason with the values it is about and its first fix.
    List(ListArgs),
    /// Apply the safe fixes to records: name, type, colors, tags, queries, repetitions
    ///
    /// The records become edited drafts; nothing is committed. Each kind of fix is one step that
    /// can be undone in the workstation.
    Fix(FixArgs),
    /// Export committed records with their images as a training set
    Export(ExportArgs),
    /// Check whether the texts of each record find its image in a search
    ///
    /// A label that does not find its image gets the reason not_found. The workstation must be
    /// closed.
    Retrieval(RetrievalArgs),
    /// Print a retriever's vectors for images and texts
    Embed(EmbedArgs),
    /// Write one HTML page with all records, their icons and statistics
    ///
    /// The page needs no network and no other file. Only reads the journal; the workstation may be
    /// open.
    Report(ReportArgs),
    /// Back up, restore, check or rebuild the journal of an outdir
    #[command(subcommand, disable_help_subcommand = true)]
    Journal(JournalCommand),
    /// Print a built-in file as a starting point for your own
    #[command(subcommand, disable_help_subcommand = true)]
    Show(ShowCommand),
    /// Print the licenses of the program and its dependencies
    Licenses,
    /// Print a completion script
    Completions {
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Print the manual page, or that of one command
    Man { command: Vec<String> },
}

#[derive(Debug, Subcommand)]
pub enum ShowCommand {
    /// A prompt file, for --prompt
    Prompt {
        /// v1, v2, v3 or demo
        #[arg(default_value = "v2")]
        name: String,
    },
    /// The vocabulary file, for --vocabulary
    Vocabulary,
    /// A key file, for --keymap
    Keymap {
        /// default or vim
        #[arg(default_value = "default")]
        name: String,
    },
    /// A theme file, for --theme
    Theme {
        /// dark, light, high-contrast or color-blind
        #[arg(default_value = "dark")]
        name: String,
    },
    /// The JSON Schema of a line of labels.jsonl
    Schema,
}

/// `journal.sqlite` and the write-ahead log that SQLite keeps beside it belong together; these
/// commands move them safely. No other program may be using the outdir.
#[derive(Debug, Subcommand)]
pub enum JournalCommand {
    /// Write the whole journal into one new file
    Backup {
        /// The new file
        file: PathBuf,
        #[command(flatten)]
        outdir: OutdirArgs,
    },
    /// Restore the journal from a backup; the current journal is kept beside it
    Restore {
        /// A file from `journal backup`, another copy of a journal, or a `journal.rescued-*` file
        file: PathBuf,
        #[command(flatten)]
        outdir: OutdirArgs,
    },
    /// Check the journal for damage without changing anything
    ///
    /// Exit status: 0 no problem found; 1 problems found.
    Check {
        #[command(flatten)]
        outdir: OutdirArgs,
    },
    /// Build a new journal from labels.jsonl and what can be read of the current journal
    ///
    /// The current journal is kept beside it.
    Rebuild {
        #[command(flatten)]
        outdir: OutdirArgs,
    },
}

#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    pub outdir: OutdirArgs,
    /// Filter as in the workstation [default: state:review]
    #[arg(long, value_name = "F", allow_hyphen_values = true)]
    pub filter: Option<String>,
    /// One JSON object per line
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub vocabulary: VocabularyArgs,
}

#[derive(Debug, Args)]
pub struct ReportArgs {
    #[command(flatten)]
    pub outdir: OutdirArgs,
    /// The page to write; replaces an earlier report, but no other file
    #[arg(long, value_name = "FILE")]
    pub html: PathBuf,
    #[command(flatten)]
    pub vocabulary: VocabularyArgs,
}

#[derive(Debug, Args)]
pub struct FixArgs {
    #[command(flatten)]
    pub outdir: OutdirArgs,
    /// Filter as in the workstation; "" is all records
    #[arg(long, value_name = "F", allow_hyphen_values = true)]
    pub filter: String,
    /// Print what would be done, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub vocabulary: VocabularyArgs,
}

/// The source and the outdir; shared by labeling and `doctor`.
#[derive(Debug, Args)]
pub struct DataArgs {
    /// SQLite source, opened read-only
    #[arg(long, value_name = "PATH", env = "LABELER_DB", help_heading = "Source")]
    pub db: Option<PathBuf>,
    /// Manifest: .jsonl, .ndjson, .json (array), .csv, .tsv, .parquet, .tar; or a folder of them
    ///
    /// Text files may be gzipped (.jsonl.gz). Parquet files and WebDataset tars may contain the
    /// images themselves.
    #[arg(
        long,
        value_name = "PATH",
        env = "LABELER_INPUT",
        help_heading = "Source"
    )]
    pub input: Option<PathBuf>,
    /// A folder of images, with its subfolders
    #[arg(
        long,
        value_name = "DIR",
        env = "LABELER_IMAGES",
        help_heading = "Source"
    )]
    pub images: Option<PathBuf>,
    /// How --images names items: auto, stem, sidecar or none [default: auto]
    ///
    /// stem takes the file name without its extension, unless that is a hash or a counter. sidecar
    /// takes the first line of the .txt file beside an image, auto that or else the stem. With none,
    /// items have no names, including those of --input.
    #[arg(long, value_name = "N", env = "LABELER_NAMES", value_parser = names(), help_heading = "Source")]
    pub names: Option<NameSource>,
    /// The column of --input that holds the image or its path
    #[arg(
        long,
        value_name = "COLUMN",
        env = "LABELER_IMAGE_COLUMN",
        help_heading = "Source"
    )]
    pub image_column: Option<String>,
    /// The column of --input that holds the item's name
    #[arg(
        long,
        value_name = "COLUMN",
        env = "LABELER_NAME_COLUMN",
        help_heading = "Source"
    )]
    pub name_column: Option<String>,
    /// Source type of rows that do not have one: equipment_shape or cash
    #[arg(long, value_name = "TYPE", env = "LABELER_SOURCE_TYPE", value_parser = source_type(), help_heading = "Source")]
    pub source_type: Option<SourceType>,
    /// The built-in sample items and demo model
    #[arg(long, env = "LABELER_DEMO", value_parser = boolish(), help_heading = "Source")]
    pub demo: bool,
    /// Rows to label: equipment_shape, cash or all [default: all]
    #[arg(long, value_name = "S", env = "LABELER_ONLY_SOURCE", value_parser = only_source(), help_heading = "Source")]
    pub only_source: Option<OnlySource>,
    /// Only this run's rows of the database
    #[arg(
        long,
        value_name = "ID",
        env = "LABELER_RUN_ID",
        help_heading = "Source"
    )]
    pub run_id: Option<String>,
    /// Name equipment by its look (shape) or by the item that wears it (item) [default: shape]
    #[arg(long, value_name = "NAME", env = "LABELER_EQUIPMENT_NAME", value_parser = equipment_name(), help_heading = "Source")]
    pub equipment_name: Option<EquipmentName>,
    /// Stop after N items
    #[arg(long, value_name = "N", env = "LABELER_MAX_SAMPLES", allow_negative_numbers = true, value_parser = whole::<u64>(None), help_heading = "Source")]
    pub max_samples: Option<u64>,

    /// Where labels go [default: `labels` beside the input]
    #[arg(
        long,
        value_name = "DIR",
        env = "LABELER_OUTDIR",
        help_heading = "Output"
    )]
    pub outdir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct LabelArgs {
    #[command(flatten)]
    pub data: DataArgs,
    /// Label unattended; no terminal needed
    #[arg(long, env = "LABELER_BATCH", value_parser = boolish(), help_heading = "Output")]
    pub batch: bool,
    /// With --batch: one JSON event per line on standard output
    #[arg(long, env = "LABELER_JSON", value_parser = boolish(), help_heading = "Output")]
    pub json: bool,
    /// Continue from what --outdir already holds
    #[arg(long, env = "LABELER_RESUME", value_parser = boolish(), help_heading = "Output")]
    pub resume: bool,
    /// With --batch --resume: label the records that match the filter again
    ///
    /// A new answer never replaces committed or edited text; the workstation offers it.
    #[arg(
        long,
        value_name = "FILTER",
        env = "LABELER_REDO",
        allow_hyphen_values = true,
        help_heading = "Output"
    )]
    pub redo: Option<String>,
    /// Write labels.parquet too
    #[arg(long, env = "LABELER_PARQUET", value_parser = boolish(), help_heading = "Output")]
    pub parquet: bool,

    #[command(flatten)]
    pub model: ModelArgs,
    /// Requests in flight with --endpoint [default: 32]
    #[arg(long, value_name = "N", env = "LABELER_CONCURRENCY", allow_negative_numbers = true, value_parser = whole::<u32>(Some(4096)), help_heading = "Model")]
    pub concurrency: Option<u32>,
    /// With --endpoint: wait for a server that is not up yet
    #[arg(long, env = "LABELER_WAIT", value_parser = boolish(), help_heading = "Model")]
    pub wait: bool,
    /// Review only: load no model
    #[arg(long, env = "LABELER_NO_MODEL", value_parser = boolish(), help_heading = "Model")]
    pub no_model: bool,

    /// Upscale icons (bicubic) before the model's own resize, 1-8 [default: 2]
    #[arg(long, value_name = "N", env = "LABELER_UPSCALE", allow_negative_numbers = true, value_parser = whole::<u32>(Some(8)), help_heading = "Labeling")]
    pub upscale: Option<u32>,
    /// What shows through transparent pixels: white, black or none [default: white]
    #[arg(long, value_name = "C", env = "LABELER_ALPHA_BG", value_parser = background(), help_heading = "Labeling")]
    pub alpha_bg: Option<Background>,
    /// Language of the labels: ko, en or both [default: ko]
    #[arg(long, value_name = "L", env = "LABELER_LANG", value_parser = lang(), help_heading = "Labeling")]
    pub lang: Option<Lang>,
    /// New tokens per record [default: 384]
    #[arg(long, value_name = "N", env = "LABELER_MAX_NEW_TOKENS", allow_negative_numbers = true, value_parser = whole::<u32>(Some(32768)), help_heading = "Labeling")]
    pub max_new_tokens: Option<u32>,
    /// Label from metadata only
    #[arg(long, env = "LABELER_NO_IMAGE", value_parser = boolish(), help_heading = "Labeling")]
    pub no_image: bool,
    /// Label from the image only
    #[arg(long, env = "LABELER_NO_METADATA", value_parser = boolish(), help_heading = "Labeling")]
    pub no_metadata: bool,
    /// A built-in prompt: v1, v2 or v3 [default: v2]
    #[arg(
        long,
        value_name = "V",
        env = "LABELER_PROMPT_VERSION",
        help_heading = "Labeling"
    )]
    pub prompt_version: Option<String>,
    /// A prompt file of your own
    #[arg(
        long,
        value_name = "FILE",
        env = "LABELER_PROMPT",
        help_heading = "Labeling"
    )]
    pub prompt: Option<PathBuf>,
    /// A vocabulary file instead of the built-in one
    #[arg(
        long,
        value_name = "FILE",
        env = "LABELER_VOCABULARY",
        help_heading = "Labeling"
    )]
    pub vocabulary: Option<PathBuf>,
    /// One more, stricter attempt for a low-quality record
    #[arg(long, env = "LABELER_QUALITY_RETRY", value_parser = boolish(), help_heading = "Labeling")]
    pub quality_retry: bool,
    /// Further samples for uncertain records, 0-8; agreement counts [default: 0]
    #[arg(long, value_name = "N", env = "LABELER_OPINIONS", allow_negative_numbers = true, value_parser = parse_few, help_heading = "Labeling")]
    pub opinions: Option<u32>,
    /// Committed records of the most similar icons to give as examples in the prompt, 0-8
    /// [default: 0]
    #[arg(long, value_name = "N", env = "LABELER_EXAMPLES", allow_negative_numbers = true, value_parser = parse_few, help_heading = "Labeling")]
    pub examples: Option<u32>,
    /// Label one icon of each recolor family with the model, and derive the records of the others
    #[arg(long, env = "LABELER_FAMILIES", value_parser = boolish(), help_heading = "Labeling")]
    pub families: bool,

    /// Key bindings: default, vim or a file
    #[arg(long, value_name = "NAME|FILE", env = "LABELER_KEYMAP")]
    pub keymap: Option<String>,
    #[command(flatten)]
    pub look: LookArgs,
    /// error, warn, info, debug or trace, to labeler.log in the outdir [default: info]
    #[arg(long, value_name = "L", env = "LABELER_LOG_LEVEL", value_parser = log_level())]
    pub log_level: Option<tracing::Level>,
}

/// Which model to run, and how; shared by labeling, `ask`, `bench` and `doctor`.
#[derive(Debug, Args)]
pub struct ModelArgs {
    /// Hugging Face id, checkpoint folder, or `demo` [default: Qwen/Qwen2-VL-2B-Instruct]
    #[arg(
        long,
        value_name = "ID_OR_DIR",
        env = "LABELER_MODEL",
        help_heading = "Model"
    )]
    pub model: Option<String>,
    /// Hub revision [default: main]
    #[arg(
        long,
        value_name = "REV",
        env = "LABELER_REVISION",
        help_heading = "Model"
    )]
    pub revision: Option<String>,
    /// Label through an OpenAI-compatible server; may be given more than once
    #[arg(
        long,
        value_name = "URL",
        env = "LABELER_ENDPOINT",
        value_delimiter = ',',
        help_heading = "Model"
    )]
    pub endpoint: Vec<String>,
    /// auto, cpu, cuda, cuda:N or metal [default: auto]
    #[arg(long, value_name = "D", env = "LABELER_DEVICE", value_parser = parse_device, help_heading = "Model")]
    pub device: Option<DeviceChoice>,
    /// auto, fp32, bf16 or fp16 [default: auto]
    #[arg(long, value_name = "P", env = "LABELER_PRECISION", value_parser = precision(), help_heading = "Model")]
    pub precision: Option<Precision>,
    /// none, q8_0 or q4k [default: q8_0 on the CPU, none on an accelerator]
    #[arg(long, value_name = "Q", env = "LABELER_QUANTIZE", value_parser = quantize(), help_heading = "Model")]
    pub quantize: Option<Quantize>,
    /// The same as --quantize q4k
    #[arg(long = "load-4bit", env = "LABELER_LOAD_4BIT", value_parser = boolish(), help_heading = "Model")]
    pub load_4bit: bool,
    /// Sequences in flight, or auto: as many as suit the processor and the memory, at most 32
    /// [default: auto]
    #[arg(long, value_name = "N", env = "LABELER_BATCH_SIZE", allow_negative_numbers = true, value_parser = parse_batch_size, help_heading = "Model")]
    pub batch_size: Option<BatchSize>,
    /// Most memory for the KV cache, for example 4GiB; too little limits --batch-size
    /// [default: 2GiB on the CPU; on an accelerator, at most half of what the weights leave free]
    #[arg(long, value_name = "SIZE", env = "LABELER_KV_MEMORY", allow_hyphen_values = true, value_parser = parse_bytes, help_heading = "Model")]
    pub kv_memory: Option<u64>,
    /// Never use the network; HF_HUB_OFFLINE=1 does the same
    #[arg(long, env = "LABELER_OFFLINE", value_parser = boolish(), help_heading = "Model")]
    pub offline: bool,
    /// TOML file with the same names
    #[arg(long, value_name = "FILE", env = "LABELER_CONFIG")]
    pub config: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct AskArgs {
    /// The question, placed after the images
    pub question: String,
    /// An image; may be given more than once
    #[arg(long, value_name = "PATH")]
    pub image: Vec<PathBuf>,
    /// System text [default: that of the model's chat template]
    #[arg(long, value_name = "TEXT")]
    pub system: Option<String>,
    /// Most new tokens [default: 384]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<u32>(Some(32768)))]
    pub max_new_tokens: Option<u32>,
    /// Sampling temperature; 0 is greedy
    #[arg(long, value_name = "T", default_value_t = 0.0, allow_negative_numbers = true, value_parser = parse_temperature)]
    pub temperature: f64,
    /// Seed for sampling with a temperature
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        allow_negative_numbers = true,
        value_parser = parse_seed
    )]
    pub seed: u64,
    /// Do not stop at an end token
    #[arg(long)]
    pub ignore_eos: bool,
    /// One JSON object with tokens, probabilities and timings
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub model: ModelArgs,
}

#[derive(Debug, Args)]
pub struct BenchArgs {
    /// How many icons to label [default: 32; with --replay all records]
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = whole::<u32>(None))]
    pub icons: Option<u32>,
    /// New tokens per icon; the end token is suppressed
    #[arg(long, value_name = "T", default_value_t = 120, allow_negative_numbers = true, value_parser = whole::<u32>(Some(32768)))]
    pub new_tokens: u32,
    /// A folder of images instead of the built-in sample icons; with --replay the folder that its
    /// image paths are relative to
    #[arg(long, value_name = "DIR")]
    pub images: Option<PathBuf>,
    /// Replay the records of a labels.jsonl under the real grammar, whatever the weights would
    /// generate
    ///
    /// Measures the speed of real records, with their lengths and their forced tokens. Prints
    /// records per minute, model rows and steps per record, and where the time goes.
    #[arg(long, value_name = "FILE", conflicts_with = "new_tokens")]
    pub replay: Option<PathBuf>,
    /// Also time an operator's retry: alone, and beside a full batch
    #[arg(long, conflicts_with_all = ["replay", "endpoint"])]
    pub retry: bool,
    /// A built-in prompt: v1, v2 or v3 [default: v2]
    #[arg(long, value_name = "V", env = "LABELER_PROMPT_VERSION")]
    pub prompt_version: Option<String>,
    /// One JSON object instead of a table
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub model: ModelArgs,
}

#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// One JSON object
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub data: DataArgs,
    #[command(flatten)]
    pub model: ModelArgs,
}

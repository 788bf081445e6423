//! Options of the commands, one struct each. `cli` fills them from flags, environment and config file.

use crate::embed::RetrieverOptions;
use crate::labeler::LabelerOptions;
use crate::record::Background;
use crate::source::SourceOptions;
use crate::tui::LookOptions;
use std::path::PathBuf;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbedOptions {
    pub retriever: RetrieverOptions,
    pub images: Vec<PathBuf>,
    pub texts: Vec<String>,
    /// Shows through transparent pixels.
    pub background: Background,
    pub json: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetrievalOptions {
    pub outdir: PathBuf,
    pub retriever: RetrieverOptions,
    /// Includes records that are not committed.
    pub drafts: bool,
    /// Shows through transparent pixels.
    pub background: Background,
    /// A vocabulary file instead of the built-in one.
    pub vocabulary: Option<PathBuf>,
    pub json: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct AskOptions {
    pub labeler: LabelerOptions,
    pub question: String,
    pub images: Vec<PathBuf>,
    /// `None` uses the chat template's default.
    pub system: Option<String>,
    pub max_new_tokens: usize,
    /// 0 is greedy.
    pub temperature: f64,
    pub seed: u64,
    pub ignore_eos: bool,
    pub json: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct BenchOptions {
    pub labeler: LabelerOptions,
    /// `None` uses all records of `replay`, or else a default number.
    pub icons: Option<usize>,
    pub new_tokens: usize,
    /// A folder of images instead of the built-in sample icons; with `replay`, its image folder.
    pub images: Option<PathBuf>,
    /// A `labels.jsonl` whose records are replayed as answers.
    pub replay: Option<PathBuf>,
    /// Also times an operator's retry.
    pub retry: bool,
    /// Version of a built-in prompt.
    pub prompt: Option<String>,
    pub json: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct DoctorOptions {
    pub labeler: LabelerOptions,
    pub source: Option<SourceOptions>,
    pub outdir: Option<PathBuf>,
    pub json: bool,
}

/// A subcommand of `journal`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JournalAction {
    Backup(PathBuf),
    Restore(PathBuf),
    Check,
    Rebuild,
}

/// A file built into the program; named if there are several of its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuiltinFile {
    Prompt(String),
    Vocabulary,
    Keymap(String),
    Theme(String),
    Schema,
    Licenses,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalOptions {
    pub action: JournalAction,
    pub outdir: PathBuf,
}

/// Selects the records that `list` and `fix` work on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectionOptions {
    pub outdir: PathBuf,
    /// Filter expression; `None` uses the command's default.
    pub filter: Option<String>,
    /// A vocabulary file instead of the built-in one.
    pub vocabulary: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListOptions {
    pub selection: SelectionOptions,
    pub json: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportOptions {
    pub outdir: PathBuf,
    /// The HTML file to write.
    pub html: PathBuf,
    /// A vocabulary file instead of the built-in one.
    pub vocabulary: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixOptions {
    pub selection: SelectionOptions,
    pub dry_run: bool,
}

/// Options of `compare`: two outdirs or `labels.jsonl` files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompareOptions {
    pub a: PathBuf,
    pub b: PathBuf,
    pub json: bool,
    /// Blind vote: a person chooses without knowing which side wrote which text.
    pub blind: Option<BlindOptions>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlindOptions {
    /// File of the votes.
    pub votes: PathBuf,
    /// Shuffles the order.
    pub seed: u64,
    /// Folder of the images, if they are not at the records' paths.
    pub images: Option<PathBuf>,
    pub look: LookOptions,
}

/// Options of `audit`.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditOptions {
    pub outdir: PathBuf,
    /// Size of the random sample.
    pub sample: usize,
    /// Seed of the sample; `None` continues the last one.
    pub seed: Option<u64>,
    /// Target width of the error rate's confidence interval.
    pub width: f64,
    /// Only prints the current estimate.
    pub json: bool,
    /// Folder of the images, if they have moved since the source was read.
    pub images: Option<PathBuf>,
    pub look: LookOptions,
    /// A vocabulary file instead of the built-in one.
    pub vocabulary: Option<PathBuf>,
}

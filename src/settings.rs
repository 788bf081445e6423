//! Option structs, one per stage. `cli` fills them from flags, environment and config file.

use crate::record::{Background, SourceType};
use crate::text::Language;
use std::path::{Path, PathBuf};

/// Larger image files are not read.
pub const MAX_FILE_BYTES: u64 = 16 << 20;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceKind {
    Database(PathBuf),
    Manifest(PathBuf),
    Folder(PathBuf),
    /// The built-in sample items.
    Demo,
}

impl SourceKind {
    /// The file or folder that the source reads.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Database(path) | Self::Manifest(path) | Self::Folder(path) => Some(path),
            Self::Demo => None,
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnlySource {
    EquipmentShape,
    Cash,
    #[default]
    All,
}

/// Which of the two names in a row of `equipment_shape_items` becomes the item's name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EquipmentName {
    /// The item whose look the icon shows.
    #[default]
    Shape,
    /// The item that wears that look.
    Item,
}

/// Where the names of a folder's images come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NameSource {
    /// From the text file beside the image, else from the file name.
    #[default]
    Auto,
    /// From the file name, unless it is a hash or a counter.
    Stem,
    /// From the text file beside the image.
    Sidecar,
    /// Images have no names, not even in manifests.
    None,
}

/// Which columns of a manifest or folder hold an item's fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mapping {
    /// Replaces the known column names.
    pub image_column: Option<String>,
    pub name_column: Option<String>,
    /// For rows without one.
    pub source_type: Option<SourceType>,
    pub names: NameSource,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceOptions {
    pub kind: SourceKind,
    pub only: OnlySource,
    pub run_id: Option<String>,
    pub equipment_name: EquipmentName,
    pub mapping: Mapping,
    pub max_samples: Option<u64>,
    /// The folder that the run writes to, which is never read.
    pub outdir: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IconOptions {
    pub upscale: u32,
    pub background: Background,
    pub with_image: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Lang {
    #[default]
    Ko,
    En,
    Both,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptOptions {
    /// A built-in version; unused if there is a `file`.
    pub version: String,
    pub file: Option<PathBuf>,
    pub lang: Lang,
    pub with_metadata: bool,
    /// A user's vocabulary instead of the built-in one.
    pub vocabulary: Option<PathBuf>,
    /// A file with additional words, which need not exist.
    pub overlay: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceChoice {
    Auto,
    Cpu,
    Cuda(usize),
    Metal,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Precision {
    #[default]
    Auto,
    Fp32,
    Bf16,
    Fp16,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Quantize {
    /// `q8_0` on the CPU, none on an accelerator.
    #[default]
    Auto,
    None,
    Q8_0,
    Q4K,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelOptions {
    /// Hugging Face id, checkpoint folder, or `demo`.
    pub model: String,
    pub revision: String,
    pub offline: bool,
    pub device: DeviceChoice,
    pub precision: Precision,
    pub quantize: Quantize,
    /// Sequences in flight; `None` chooses by the machine.
    pub batch_size: Option<usize>,
    /// Limit of the KV cache in bytes; `None` chooses by the device.
    pub kv_memory: Option<u64>,
}

/// The model that embeds images and texts for retrieval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetrieverOptions {
    pub model: ModelOptions,
    /// The folder of a LoRA adapter to merge into the model.
    pub adapter: Option<PathBuf>,
}

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

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteOptions {
    /// Base URLs that end in `/v1`; each request goes to the least busy one.
    pub endpoints: Vec<String>,
    pub model: String,
    pub concurrency: usize,
    pub api_key: Option<Secret>,
    pub offline: bool,
    /// Waits for servers that are unreachable at the start.
    pub wait: bool,
}

/// What generates the labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelerOptions {
    Local(ModelOptions),
    Remote(RemoteOptions),
    /// Review only, without a model.
    None,
}

/// How the engine runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineOptions {
    pub outdir: PathBuf,
    /// `--batch` commits every record it makes; the workstation waits for the operator.
    pub commit_automatically: bool,
    /// Continues from the outdir's state; without it a run on existing labels is refused.
    pub resume: bool,
    /// Filter for the items to label again.
    pub redo: Option<String>,
    pub quality_retry: bool,
    /// Extra samples for each uncertain answer.
    pub opinions: u32,
    /// Number of committed records included in each request as examples.
    pub examples: u32,
    /// Labels one icon of each recolor family and derives the other records from it.
    pub families: bool,
    pub parquet: bool,
    pub max_new_tokens: usize,
}

/// How the workstation shows icons.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PictureChoice {
    /// The best protocol that the terminal supports.
    #[default]
    Auto,
    Kitty,
    Sixel,
    Iterm,
    /// Half-block characters, two pixels per cell.
    Blocks,
    None,
}

/// Options of the front ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrontOptions {
    pub batch: bool,
    /// With `batch`: events as JSON lines on standard output.
    pub json: bool,
    /// Name of a built-in key map, or a file.
    pub keymap: Option<String>,
    pub look: LookOptions,
}

/// Everything a labeling run needs, one struct per stage.
#[derive(Debug, Clone, PartialEq)]
pub struct RunOptions {
    pub source: SourceOptions,
    pub icon: IconOptions,
    pub prompt: PromptOptions,
    pub labeler: LabelerOptions,
    pub engine: EngineOptions,
    pub front: FrontOptions,
    pub log_level: tracing::Level,
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

/// An API key that is redacted in debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(key: String) -> Self {
        Self(key)
    }

    /// The key itself, only for the request header.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Options of `export`.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetOptions {
    pub outdir: PathBuf,
    /// A new or empty folder, or an earlier export.
    pub to: PathBuf,
    /// Replaces an earlier export in `to`.
    pub replace: bool,
    /// Folder of the images, if they have moved since the source was read.
    pub images: Option<PathBuf>,
    /// Name of an export format.
    pub format: String,
    pub captions: Vec<Caption>,
    /// Never empty.
    pub splits: Vec<SplitShare>,
    pub seed: u64,
    /// Shows through transparent pixels; `None` leaves images unchanged.
    pub flatten: Option<Background>,
    /// 1 leaves images unchanged.
    pub upscale: u32,
    /// Copies images into a dataset that would otherwise only reference them.
    pub copy_images: bool,
    pub paths: PathStyle,
    pub filter: Option<String>,
    /// Images per shard.
    pub shard_size: usize,
}

/// A dataset split, such as `train`.
#[derive(Debug, Clone, PartialEq)]
pub struct SplitShare {
    pub name: String,
    /// Share of the images, relative to the other splits.
    pub share: f64,
}

/// A kind of caption for an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caption {
    Label,
    /// The label with the item's type in place of its name.
    LabelWithoutName,
    LabelEn,
    Tags,
    /// One caption per query.
    Queries,
}

impl Caption {
    pub const ALL: &'static [Caption] = &[
        Self::Label,
        Self::LabelWithoutName,
        Self::LabelEn,
        Self::Tags,
        Self::Queries,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Label => "label",
            Self::LabelWithoutName => "label-without-name",
            Self::LabelEn => "label-en",
            Self::Tags => "tags",
            Self::Queries => "queries",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}

/// How a dataset refers to images outside of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PathStyle {
    #[default]
    Absolute,
    /// Relative to the dataset's folder.
    Relative,
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

/// Appearance and language of a screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookOptions {
    /// Name of a built-in theme, or a file.
    pub theme: Option<String>,
    pub pictures: PictureChoice,
    pub language: Language,
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

//! Small option structs, one per stage; `cli` fills them from flags, environment and file.

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
    /// The file or folder that is read.
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

/// Which of its two names a row of `equipment_shape_items` goes by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum EquipmentName {
    /// The item whose look the icon shows.
    #[default]
    Shape,
    /// The item that wears that look.
    Item,
}

/// What the images of a folder are called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Names {
    /// By the text beside them, else by the file's name unless that is a hash or a counter.
    #[default]
    Auto,
    /// By the file's name, whatever it is.
    Stem,
    /// By the text beside them.
    Sidecar,
    /// They have no names, in manifests neither.
    None,
}

/// Where the rows of manifests and folders have what an item needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mapping {
    /// Instead of the names that are known.
    pub image_column: Option<String>,
    pub name_column: Option<String>,
    /// Of rows that do not say theirs.
    pub source_type: Option<SourceType>,
    pub names: Names,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceOptions {
    pub kind: SourceKind,
    pub only: OnlySource,
    pub run_id: Option<String>,
    pub equipment_name: EquipmentName,
    pub mapping: Mapping,
    pub max_samples: Option<u64>,
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
    /// A built-in version, unless `file` is there.
    pub version: String,
    pub file: Option<PathBuf>,
    pub lang: Lang,
    pub with_metadata: bool,
    /// A user's vocabulary instead of the built-in one.
    pub vocabulary: Option<PathBuf>,
    /// The file of further words that lie over it, if it is there.
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
    /// Sequences in flight; `None` takes as many as suit the machine.
    pub batch_size: Option<usize>,
    /// The most bytes of keys and values; `None` takes what suits the device.
    pub kv_memory: Option<u64>,
}

/// The model that search compares images with texts by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetrieverOptions {
    pub model: ModelOptions,
    /// The folder of a LoRA adapter that is merged into it.
    pub adapter: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmbedOptions {
    pub retriever: RetrieverOptions,
    pub images: Vec<PathBuf>,
    pub texts: Vec<String>,
    /// What shows through transparent pixels.
    pub background: Background,
    pub json: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetrievalOptions {
    pub outdir: PathBuf,
    pub retriever: RetrieverOptions,
    /// Records too that nobody has committed.
    pub drafts: bool,
    /// What shows through transparent pixels.
    pub background: Background,
    /// A vocabulary file instead of the built-in one.
    pub vocabulary: Option<PathBuf>,
    pub json: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteOptions {
    /// Base addresses that end in `/v1`; requests go to the least busy.
    pub endpoints: Vec<String>,
    pub model: String,
    pub concurrency: usize,
    pub api_key: Option<Secret>,
    pub offline: bool,
    /// Wait for servers that are not there at the start.
    pub wait: bool,
}

/// What gives the labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelerOptions {
    Local(ModelOptions),
    Remote(RemoteOptions),
    /// Review only.
    None,
}

/// How the engine runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineOptions {
    pub outdir: PathBuf,
    /// `--batch` commits every record it makes; the workstation waits for the operator.
    pub commit_automatically: bool,
    /// Go on from what the outdir holds; without it a run on existing labels refuses.
    pub resume: bool,
    /// The model is asked again about what this filter shows.
    pub redo: Option<String>,
    pub quality_retry: bool,
    /// Further samples for each uncertain answer.
    pub opinions: u32,
    /// Committed records that are shown to the model with each question.
    pub examples: u32,
    /// The model is asked about one icon of a recolor family; the others' records are derived.
    pub families: bool,
    pub parquet: bool,
    pub max_new_tokens: usize,
}

/// How the workstation shows icons.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PictureChoice {
    /// As the terminal says that it can.
    #[default]
    Auto,
    Kitty,
    Sixel,
    Iterm,
    /// Half blocks of text, two pixels a cell.
    Blocks,
    None,
}

/// What only the front ends need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrontOptions {
    pub batch: bool,
    /// With `batch`: events as JSON lines on standard output.
    pub json: bool,
    /// A built-in key map's name or a file.
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
    /// `None` takes the chat template's own.
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
    /// `None` takes all records of `replay`, else a usual number.
    pub icons: Option<usize>,
    pub new_tokens: usize,
    /// A folder of images instead of the built-in sample icons; with `replay` where its images are.
    pub images: Option<PathBuf>,
    /// A `labels.jsonl` whose records are the answers.
    pub replay: Option<PathBuf>,
    /// Whether to time an operator's retry too.
    pub retry: bool,
    /// A built-in prompt.
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

/// What `journal` does to the journal of an outdir.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JournalAction {
    Backup(PathBuf),
    Restore(PathBuf),
    Check,
    Rebuild,
}

/// A file that comes with the program, by its name where there are several.
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

/// Which records a command without a screen is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SelectionOptions {
    pub outdir: PathBuf,
    /// In the language of filters; `None` where none was given.
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
    /// The page that is written.
    pub html: PathBuf,
    /// A vocabulary file instead of the built-in one.
    pub vocabulary: Option<PathBuf>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixOptions {
    pub selection: SelectionOptions,
    pub dry_run: bool,
}

/// A key that no log, error or debug output can show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(key: String) -> Self {
        Self(key)
    }

    /// For the one header that carries it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// What `export` writes, from where and to where.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetOptions {
    pub outdir: PathBuf,
    /// A folder that is new or empty, or that an export has made.
    pub to: PathBuf,
    /// Removes another export that `to` holds.
    pub replace: bool,
    /// Where the images are now, if not where the source found them.
    pub images: Option<PathBuf>,
    /// The name of a format.
    pub format: String,
    pub captions: Vec<Caption>,
    /// At least one.
    pub splits: Vec<Share>,
    pub seed: u64,
    /// What shows through transparent pixels; `None` leaves images as they are.
    pub flatten: Option<Background>,
    /// 1 leaves images as they are.
    pub upscale: u32,
    /// Copies images into a dataset that would only name them.
    pub copy_images: bool,
    pub paths: PathStyle,
    pub filter: Option<String>,
    /// Images in one shard.
    pub shard_size: usize,
}

/// A split by name, and its part of all images, against those of the others.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    pub name: String,
    pub share: f64,
}

/// What is said of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caption {
    Label,
    /// The label with the kind of item in the place of its name.
    LabelWithoutName,
    LabelEn,
    Tags,
    /// One caption each.
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

/// How a dataset names images that it does not hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PathStyle {
    #[default]
    Absolute,
    /// As seen from the dataset's folder.
    Relative,
}

/// Two outdirs or files of records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompareOptions {
    pub a: PathBuf,
    pub b: PathBuf,
    pub json: bool,
    /// A person votes, and does not know which text is whose.
    pub blind: Option<BlindOptions>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlindOptions {
    /// Where the votes are kept.
    pub votes: PathBuf,
    /// Of the order.
    pub seed: u64,
    /// Where the images are, if not where the records say.
    pub images: Option<PathBuf>,
    pub look: LookOptions,
}

/// How a screen looks, and what it speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookOptions {
    /// A built-in theme's name or a file.
    pub theme: Option<String>,
    pub pictures: PictureChoice,
    pub language: Language,
}

/// An audit of the committed records of an outdir.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditOptions {
    pub outdir: PathBuf,
    /// Records that are drawn.
    pub sample: usize,
    /// Which sample; `None` goes on with the one that was judged last.
    pub seed: Option<u64>,
    /// How wide the interval of the error rate is to be.
    pub width: f64,
    /// Only prints the present estimate.
    pub json: bool,
    /// Where the images are, if not where the source found them.
    pub images: Option<PathBuf>,
    pub look: LookOptions,
    /// A vocabulary file instead of the built-in one.
    pub vocabulary: Option<PathBuf>,
}

//! Options of `export`.

use crate::record::Background;
use std::path::PathBuf;

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

impl DatasetOptions {
    /// Whether images are written in another form than their files.
    pub fn changes_images(&self) -> bool {
        self.flatten.is_some() || self.upscale > 1
    }

    /// Whether images are copied even if the format can refer to them.
    pub fn copies_images(&self) -> bool {
        self.copy_images || self.changes_images()
    }
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

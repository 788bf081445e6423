//! Options and limits of sources.

use crate::record::SourceType;
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

impl SourceOptions {
    /// The default options of a source.
    pub fn new(kind: SourceKind) -> Self {
        Self {
            kind,
            only: OnlySource::default(),
            run_id: None,
            equipment_name: EquipmentName::default(),
            mapping: Mapping::default(),
            max_samples: None,
            outdir: None,
        }
    }
}

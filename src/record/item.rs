//! A row of a source, and the number of its group.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};

/// Which table a row came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceType {
    EquipmentShape,
    Cash,
}

impl SourceType {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::EquipmentShape => "equipment_shape",
            Self::Cash => "cash",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "equipment_shape" => Some(Self::EquipmentShape),
            "cash" => Some(Self::Cash),
            _ => None,
        }
    }
}

/// Where the bytes of an image are: a file of its own, or a part of one that holds many.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ImageLocation {
    File(PathBuf),
    /// So many bytes from this one on, as a tar file holds a member.
    Slice {
        file: PathBuf,
        offset: u64,
        length: u64,
    },
    /// A value of a Parquet file: a column, or a field of one as `column.field`, and the number of
    /// the row from 0.
    Cell {
        file: PathBuf,
        column: String,
        row: u64,
    },
}

impl ImageLocation {
    /// The file, where the image has one of its own.
    pub fn own_file(&self) -> Option<&Path> {
        match self {
            Self::File(file) => Some(file),
            Self::Slice { .. } | Self::Cell { .. } => None,
        }
    }
}

impl From<PathBuf> for ImageLocation {
    fn from(file: PathBuf) -> Self {
        Self::File(file)
    }
}

impl fmt::Display for ImageLocation {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::File(file) => write!(f, "{}", file.display()),
            Self::Slice { file, offset, .. } => write!(f, "{} at byte {offset}", file.display()),
            Self::Cell { file, row, .. } => write!(f, "{} row {}", file.display(), row + 1),
        }
    }
}

/// A group's number in the journal, the same in every run on one outdir.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupId(pub i64);

/// One row to label. Items that share an image form a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// As the source writes it, relative to the source; this goes into the record.
    pub image_path: String,
    /// Where the image is read from; `None` where the source knows of none.
    pub file: Option<ImageLocation>,
    /// What the source claims; the hash that counts is computed from the bytes.
    pub claimed_sha256: Option<String>,
    pub source_type: SourceType,
    /// Empty where the source tells no name.
    pub item_name: String,
    pub item_description: Option<String>,
    /// `part/slot`, or one of them where they are equal or one is empty.
    pub item_part: Option<String>,
    pub image_url: Option<String>,
    pub ocid: Option<String>,
    pub ranking: Option<i64>,
}

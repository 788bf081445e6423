//! A row of a source, and the id of its group.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};

/// The source table of a row.
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

/// Location of an image's bytes: a separate file, or part of a file that contains many images.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ImageLocation {
    File(PathBuf),
    /// A byte range of a file, such as a tar member.
    Slice {
        file: PathBuf,
        offset: u64,
        length: u64,
    },
    /// A cell of a Parquet file. `column` may name a nested field as `column.field`; `row` counts
    /// from 0.
    Cell {
        file: PathBuf,
        column: String,
        row: u64,
    },
}

impl ImageLocation {
    /// The image's file, unless it shares a file with other images.
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

/// A group's journal id, stable across runs on one outdir.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupId(pub i64);

/// A source row to label. Items that share an image form a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// Path as written in the source, relative to the source. The record repeats it.
    pub image_path: String,
    /// Where the image is read from; `None` if the source gives no image.
    pub file: Option<ImageLocation>,
    /// SHA-256 as given by the source. The program computes its own from the bytes.
    pub claimed_sha256: Option<String>,
    pub source_type: SourceType,
    /// Empty if the source gives no name.
    pub item_name: String,
    pub item_description: Option<String>,
    /// `part/slot`, or one of the two if they are equal or the other is empty.
    pub item_part: Option<String>,
    pub image_url: Option<String>,
    pub ocid: Option<String>,
    pub ranking: Option<i64>,
}

//! A row of a source.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Which table a row came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
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

/// One row to label. Items that share an image form a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// As the source writes it, relative to the source; this goes into the record.
    pub image_path: String,
    /// Where the file is read from; `None` where the source knows of no file.
    pub file: Option<PathBuf>,
    /// What the source claims; the hash that counts is computed from the bytes.
    pub claimed_sha256: Option<String>,
    pub source_type: SourceType,
    pub item_name: String,
    pub item_description: Option<String>,
    /// `part/slot`, or one of them where they are equal or one is empty.
    pub item_part: Option<String>,
    pub image_url: Option<String>,
    pub ocid: Option<String>,
    pub ranking: Option<i64>,
}

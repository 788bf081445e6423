//! One row of a manifest, checked; the checks of texts that all sources share.

use crate::record::{Item, SourceType};
use crate::settings::OnlySource;
use crate::text::{self, Forbidden, clean_text, forbidden};
use serde::{Deserialize, Deserializer};
use std::path::{Path, PathBuf};
use unicode_normalization::UnicodeNormalization;

pub const REQUIRED: [&str; 3] = ["image_path", "item_name", "source_type"];
pub const OPTIONAL: [&str; 6] = [
    "image_sha256",
    "item_description",
    "item_part",
    "image_url",
    "ocid",
    "ranking",
];

/// A row as a manifest writes it; unknown keys are passed over.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Row {
    pub image_path: Option<String>,
    pub item_name: Option<String>,
    pub source_type: Option<String>,
    pub image_sha256: Option<String>,
    pub item_description: Option<String>,
    pub item_part: Option<String>,
    pub image_url: Option<String>,
    pub ocid: Option<String>,
    #[serde(deserialize_with = "whole_number")]
    pub ranking: Option<i64>,
}

impl Row {
    /// The item, with its file looked for under `base`; or why there is none.
    pub fn into_item(self, base: &Path) -> Result<Item, String> {
        let image_path = self
            .image_path
            .filter(|path| !path.trim().is_empty())
            .ok_or("image_path is missing")?;
        if has_control(&image_path) {
            return Err("image_path holds control characters".to_owned());
        }
        let item_name = name(self.item_name)?;
        let source_type = self
            .source_type
            .filter(|text| !text.is_empty())
            .ok_or("source_type is missing")?;
        let source_type = SourceType::parse(&source_type).ok_or_else(|| {
            let shown: String = source_type.chars().take(40).collect();
            format!("source_type is {shown:?}, not \"equipment_shape\" or \"cash\"")
        })?;
        Ok(Item {
            file: Some(file_at(base, &image_path)),
            image_path,
            claimed_sha256: one_line(self.image_sha256),
            source_type,
            item_name,
            item_description: self.item_description.as_deref().and_then(text::paragraphs),
            item_part: one_line(self.item_part),
            image_url: one_line(self.image_url),
            ocid: one_line(self.ocid),
            ranking: self.ranking,
        })
    }
}

/// Table writers turn a column of whole numbers with gaps into fractions; 12.0 is 12.
fn whole_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    let Some(number) = Option::<serde_json::Number>::deserialize(deserializer)? else {
        return Ok(None);
    };
    let whole = number.as_i64().or_else(|| {
        number
            .as_f64()
            .filter(|value| value.fract() == 0.0 && value.abs() < 9e15)
            .map(|value| value as i64)
    });
    whole
        .map(Some)
        .ok_or_else(|| serde::de::Error::custom("ranking is not a whole number"))
}

pub fn wanted(only: OnlySource, source_type: SourceType) -> bool {
    match only {
        OnlySource::All => true,
        OnlySource::EquipmentShape => source_type == SourceType::EquipmentShape,
        OnlySource::Cash => source_type == SourceType::Cash,
    }
}

/// Whether a path cannot be shown as it is. What is merely invisible names a file as well as any
/// other character.
pub fn has_control(path: &str) -> bool {
    path.chars().any(|c| {
        matches!(
            forbidden(c),
            Some(Forbidden::Control | Forbidden::Direction)
        )
    })
}

/// The file that a path of a source means. Where there is none of that very name, one whose name
/// differs in ways that other systems do not see: separators as Windows writes them, Hangul as
/// macOS writes it.
pub fn file_at(base: &Path, path: &str) -> PathBuf {
    let as_written = base.join(path);
    if as_written.exists() {
        return as_written;
    }
    let slashes = path.replace('\\', "/");
    let other_forms = [
        slashes.clone(),
        slashes.nfc().collect(),
        slashes.nfd().collect(),
    ];
    let mut other_forms = other_forms.iter().map(|form| base.join(form));
    other_forms.find(|file| file.exists()).unwrap_or(as_written)
}

/// The one form that a text has from here on, in the record, the prompt and the rules alike;
/// `None` where nothing is left.
pub fn one_line(text: Option<String>) -> Option<String> {
    Some(clean_text(&text?)).filter(|text| !text.is_empty())
}

/// An item's name, or why there is none.
pub fn name(text: Option<String>) -> Result<String, &'static str> {
    match text {
        Some(text) if !text.is_empty() => {
            one_line(Some(text)).ok_or("item_name holds only blanks and invisible characters")
        }
        _ => Err("item_name is missing"),
    }
}

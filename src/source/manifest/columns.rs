//! Column names of manifests: our own, those of other programs, and those that the user maps.

use crate::record::SourceType;
use crate::source::options::{Mapping, NameSource};

/// Content of a manifest column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    Image,
    Name,
    SourceType,
    Sha256,
    Description,
    Part,
    Url,
    Ocid,
    Ranking,
}

impl Column {
    pub const COUNT: usize = Self::Ranking as usize + 1;
}

/// Name of the image column in our own manifests.
pub const IMAGE_PATH: &str = "image_path";

/// In order of precedence. A Hugging Face imagefolder has `file_name`, and possibly an `image_path`
/// of the original images. OpenCLIP has `filepath` and `title`.
const IMAGES: [&str; 5] = ["file_name", IMAGE_PATH, "image", "filepath", "path"];
const NAMES: [&str; 5] = ["item_name", "name", "text", "title", "caption"];
const OTHERS: [(&str, Column); 7] = [
    ("source_type", Column::SourceType),
    ("image_sha256", Column::Sha256),
    ("item_description", Column::Description),
    ("item_part", Column::Part),
    ("image_url", Column::Url),
    ("ocid", Column::Ocid),
    ("ranking", Column::Ranking),
];

/// A recognized column name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownColumn {
    pub name: String,
    pub column: Column,
    /// The lowest rank wins if several columns have the same content.
    pub rank: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    known: Vec<KnownColumn>,
    /// For rows without one.
    pub source_type: Option<SourceType>,
    /// The user has named the image column.
    pub is_image_named: bool,
    /// Items have no names, whatever the columns contain.
    pub is_nameless: bool,
}

impl Columns {
    pub fn new(mapping: &Mapping) -> Self {
        let mut known = Vec::new();
        let mut add = |column, names: &[&str]| {
            let names = names.iter().enumerate();
            known.extend(names.map(|(rank, name)| KnownColumn {
                name: (*name).to_owned(),
                column,
                rank,
            }));
        };
        match &mapping.image_column {
            Some(name) => add(Column::Image, &[name]),
            None => add(Column::Image, &IMAGES),
        }
        match &mapping.name_column {
            Some(name) => add(Column::Name, &[name]),
            None => add(Column::Name, &NAMES),
        }
        for (name, column) in OTHERS {
            add(column, &[name]);
        }
        Self {
            known,
            source_type: mapping.source_type,
            is_image_named: mapping.image_column.is_some(),
            is_nameless: mapping.names == NameSource::None,
        }
    }

    /// Looks up a column by name. A column that the user has mapped has only that meaning.
    pub fn find(&self, name: &str) -> Option<&KnownColumn> {
        self.known.iter().find(|known| known.name == name)
    }

    pub fn known(&self) -> &[KnownColumn] {
        &self.known
    }

    /// Checks for the required columns. Returns the missing ones and a hint, or `None` if all are
    /// present. `has_image` means that a column contains embedded images.
    pub fn missing(&self, names: &[&str], has_image: bool) -> Option<(String, String)> {
        let found: Vec<&KnownColumn> = names.iter().filter_map(|name| self.find(name)).collect();
        let has = |column| found.iter().any(|known| known.column == column);
        let is_ours = found.iter().any(|known| known.name == IMAGE_PATH)
            && !names.contains(&IMAGES[0])
            && !has_image;
        let mut missing = Vec::new();
        if !has(Column::Image) && !has_image {
            missing.push(self.first_name(Column::Image));
        }
        if !has(Column::Name) && !self.is_nameless {
            missing.push(self.first_name(Column::Name));
        }
        if !has(Column::SourceType) && is_ours && self.source_type.is_none() {
            missing.push("source_type");
        }
        if missing.is_empty() {
            return None;
        }
        let shown: Vec<&str> = names.iter().copied().take(20).collect();
        Some((
            missing.join(", "),
            format!(
                "its columns are {}; map them with --image-column, --name-column and --source-type",
                shown.join(", ")
            ),
        ))
    }

    /// The name to call a column by: the one that the user has mapped, or that of our own manifests.
    pub fn first_name(&self, column: Column) -> &str {
        let mut all = self.known.iter().filter(|known| known.column == column);
        let ours = all.clone().find(|known| known.name == IMAGE_PATH);
        ours.or_else(|| all.next())
            .map_or("", |known| known.name.as_str())
    }
}

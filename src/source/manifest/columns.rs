//! What the columns of a manifest are called: the names of our own manifests, those that other
//! programs use, and what the user says.

use crate::record::SourceType;
use crate::settings::{Mapping, Names};

/// What a column of a manifest holds.
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

/// The name of the column that a manifest of our own has for images.
pub const IMAGE_PATH: &str = "image_path";

/// The first that is there counts. A Hugging Face imagefolder has `file_name`, and may have the
/// `image_path` of where its images came from; OpenCLIP has `filepath` and `title`.
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

/// A column that a manifest may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub name: String,
    pub column: Column,
    /// Of two for the same, the lower one counts.
    pub rank: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    known: Vec<Known>,
    /// Of rows that do not say theirs.
    pub source_type: Option<SourceType>,
    /// The user has named the column of images.
    pub is_image_named: bool,
    /// Items have no names, whatever the columns say.
    pub is_nameless: bool,
}

impl Columns {
    pub fn new(mapping: &Mapping) -> Self {
        let mut known = Vec::new();
        let mut add = |column, names: &[&str]| {
            let names = names.iter().enumerate();
            known.extend(names.map(|(rank, name)| Known {
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
            is_nameless: mapping.names == Names::None,
        }
    }

    /// The column of this name. One that the user has named for something is that alone.
    pub fn find(&self, name: &str) -> Option<&Known> {
        self.known.iter().find(|known| known.name == name)
    }

    pub fn known(&self) -> &[Known] {
        &self.known
    }

    /// What must be said of columns that are not enough: what is missing of them, and what to do;
    /// `None` where they are enough. With `has_image` there is one that holds images.
    pub fn missing(&self, names: &[&str], has_image: bool) -> Option<(String, String)> {
        let found: Vec<&Known> = names.iter().filter_map(|name| self.find(name)).collect();
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
                "its columns: {}; --image-column, --name-column and --source-type map others",
                shown.join(", ")
            ),
        ))
    }

    fn first_name(&self, column: Column) -> &str {
        let mut all = self.known.iter().filter(|known| known.column == column);
        // Of those for images, the second is our own.
        let ours = all.clone().find(|known| known.name == IMAGE_PATH);
        ours.or_else(|| all.next())
            .map_or("", |known| known.name.as_str())
    }
}

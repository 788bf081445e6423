//! Collects the cells of a manifest row and converts them to an item.

use super::columns::{Column, Columns, IMAGE_PATH};
use super::embedded::EmbeddedImage;
use crate::record::{Item, SourceType};
use crate::source::checks::{MAX_ROW, TOO_LONG, file_at, has_control, name, one_line};
use crate::source::reading::SourceRow;
use crate::text::{self, Phrase, Said, said};
use std::path::Path;

/// Unknown columns listed in the error about a missing one.
const MAX_UNKNOWN: usize = 8;
/// Longest listed column name in characters.
const MAX_NAME_CHARS: usize = 40;

/// One value of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    Nothing,
    /// A text, number or boolean.
    Text(String),
    /// Any other value; the phrase describes it, as in "is a list".
    Odd(Phrase),
}

/// A row that is being read.
#[derive(Debug)]
pub struct Row<'a> {
    columns: &'a Columns,
    /// Value of each column, with the rank of the name it was found under.
    cells: [(usize, Cell); Column::COUNT],
    /// The image column has the name that our own manifests use.
    is_ours: bool,
    unknown: Vec<String>,
}

/// A usable row, and problems with its optional values.
#[derive(Debug)]
pub struct CheckedRow {
    pub row: SourceRow,
    pub notes: Vec<Said>,
}

impl<'a> Row<'a> {
    pub fn new(columns: &'a Columns) -> Self {
        Self {
            columns,
            cells: std::array::from_fn(|_| (usize::MAX, Cell::Nothing)),
            is_ours: false,
            unknown: Vec::new(),
        }
    }

    pub fn columns(&self) -> &'a Columns {
        self.columns
    }

    /// Sets a value by column name.
    pub fn set(&mut self, column: &str, cell: Cell) {
        let Some(known) = self.columns.find(column) else {
            if self.unknown.len() < MAX_UNKNOWN {
                self.unknown
                    .push(column.chars().take(MAX_NAME_CHARS).collect());
            }
            return;
        };
        let cell = match cell {
            Cell::Text(text) if is_blank(&text) && known.column != Column::Name => Cell::Nothing,
            Cell::Text(text) if text.len() > MAX_ROW => Cell::Odd(TOO_LONG),
            cell => cell,
        };
        let (rank, old) = &mut self.cells[known.column as usize];
        let is_better = match (&cell, &old) {
            (Cell::Nothing, _) => false,
            (Cell::Odd(_), Cell::Text(_)) => false,
            (Cell::Text(_), Cell::Odd(_)) => true,
            (Cell::Text(new), Cell::Text(old)) if is_blank(new) != is_blank(old) => is_blank(old),
            _ => known.rank <= *rank,
        };
        if is_better {
            (*rank, *old) = (known.rank, cell);
            if known.column == Column::Image {
                self.is_ours = known.name == IMAGE_PATH;
            }
        }
    }

    /// Sets the value of a column unless it has one.
    pub fn set_missing(&mut self, column: Column, text: String) {
        let (_, cell) = &mut self.cells[column as usize];
        let is_missing = match cell {
            Cell::Nothing => true,
            Cell::Text(text) => is_blank(text),
            Cell::Odd(_) => false,
        };
        if is_missing {
            *cell = Cell::Text(text);
        }
    }

    fn take(&mut self, column: Column) -> Cell {
        std::mem::replace(&mut self.cells[column as usize].1, Cell::Nothing)
    }

    /// Takes an optional value. A bad one adds a note.
    fn optional(&mut self, column: Column, notes: &mut Vec<Said>) -> Option<String> {
        match self.take(column) {
            Cell::Text(text) => Some(text),
            Cell::Nothing => None,
            Cell::Odd(why) => {
                let all = self.columns.known().iter();
                let mut names = all.filter(|known| known.column == column);
                let name = names.next().map_or("", |known| known.name.as_str());
                let Phrase { english, korean } = why;
                notes.push(said!(
                    "{name} {english} and is ignored",
                    "{name}: {korean}. 빼고 읽습니다"
                ));
                None
            }
        }
    }

    /// Takes a required value. A bad one is an error.
    fn required(&mut self, column: Column) -> Result<Option<String>, Said> {
        let name = self.columns.first_name(column);
        match self.take(column) {
            Cell::Text(text) => Ok(Some(text)),
            Cell::Nothing => Ok(None),
            Cell::Odd(Phrase { english, korean }) => {
                Err(said!("{name} {english}", "{name}: {korean}"))
            }
        }
    }

    /// Converts the row to an item. Its path gets the `prefix`, and its file is resolved against `base`
    /// unless the image is embedded.
    pub fn check(
        mut self,
        base: &Path,
        prefix: &str,
        image: Option<EmbeddedImage>,
    ) -> Result<CheckedRow, Said> {
        let mut notes = Vec::new();
        let is_ours = self.is_ours && image.is_none();
        let column_path = self.required(Column::Image)?;
        let (image_path, file, sha256) = match image {
            Some(image) => (
                image.image_path(column_path),
                image.location,
                Some(image.sha256).filter(|_| image.is_within_limit),
            ),
            None => {
                let path = column_path.ok_or_else(|| self.no_image())?;
                let path = match path.starts_with('/') {
                    true => path,
                    false => format!("{prefix}{path}"),
                };
                let (file, how) = file_at(base, &path);
                notes.extend(how.map(Said::from));
                (path, file.into(), None)
            }
        };
        if has_control(&image_path) {
            return Err(said!(
                "image_path contains control characters",
                "image_path에 제어 문자가 있습니다"
            ));
        }
        let item_name = match self.columns.is_nameless {
            true => String::new(),
            false => {
                let column = self.columns.first_name(Column::Name);
                name(column, self.required(Column::Name)?)?
            }
        };
        let source_type = self.source_type(is_ours)?;
        let description = self.optional(Column::Description, &mut notes);
        let item = Item {
            file: Some(file),
            image_path,
            claimed_sha256: one_line(self.optional(Column::Sha256, &mut notes)),
            source_type,
            item_name,
            item_description: description.as_deref().and_then(text::paragraphs),
            item_part: one_line(self.optional(Column::Part, &mut notes)),
            image_url: one_line(self.optional(Column::Url, &mut notes)),
            ocid: one_line(self.optional(Column::Ocid, &mut notes)),
            ranking: self.ranking(&mut notes),
        };
        Ok(CheckedRow {
            row: SourceRow {
                item,
                other_name: None,
                sha256,
            },
            notes,
        })
    }

    fn no_image(&self) -> Said {
        let others = self.unknown.join(", ");
        let column = self.columns.first_name(Column::Image);
        match others.is_empty() {
            true => said!("{column} is missing", "{column}{이} 없습니다"),
            false => said!(
                "{column} is missing; the row has {others}; choose another with --image-column",
                "{column}{이} 없습니다. 행에는 {others}{이} 있고, --image-column으로 다른 열을 정합니다"
            ),
        }
    }

    /// The row's source type. Manifests of other programs default to `equipment_shape`, as folders do.
    fn source_type(&mut self, is_ours: bool) -> Result<SourceType, Said> {
        let default = self
            .columns
            .source_type
            .or_else(|| (!is_ours).then_some(SourceType::EquipmentShape));
        match self.required(Column::SourceType)? {
            Some(text) => SourceType::parse(&text).ok_or_else(|| {
                let shown: String = text.chars().take(40).collect();
                said!(
                    "source_type is {shown:?}, not \"equipment_shape\" or \"cash\"",
                    "source_type이 {shown:?}입니다. equipment_shape나 cash여야 합니다"
                )
            }),
            None => default.ok_or_else(|| {
                said!(
                    "source_type is missing; --source-type sets it for all rows",
                    "source_type이 없습니다. --source-type으로 모두 정합니다"
                )
            }),
        }
    }

    fn ranking(&mut self, notes: &mut Vec<Said>) -> Option<i64> {
        let text = self.optional(Column::Ranking, notes)?;
        let ranking = parse_integer(&text);
        if ranking.is_none() && !matches!(text.as_str(), "NaN" | "nan") {
            notes.push(said!(
                "ranking is not an integer and is ignored",
                "ranking이 정수가 아니어서 빼고 읽습니다"
            ));
        }
        ranking
    }
}

/// Parses an integer, also in the form `3.0` of columns with gaps.
fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

fn parse_integer(text: &str) -> Option<i64> {
    text.parse().ok().or_else(|| {
        let number: f64 = text.parse().ok()?;
        (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
    })
}

//! Compares a version with the draft field by field, and word by word where a field differs. Equal
//! fields take one line.

use crate::record::{Field, Labels};
use crate::text::{fit, for_screen, pad, width, wrap};
use crate::tui::theme::Theme;
use crate::tui::widgets::{DiffKind, differences};
use crate::wording::Words;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use std::ops::Range;

/// Cells before a field's text, for the digit that takes it and its name.
const NAME: usize = 12;

/// The laid out comparison.
pub struct ComparisonLines {
    pub lines: Vec<Line<'static>>,
    /// The first and the last line of each field.
    pub places: Vec<(Field, usize, usize)>,
    /// The fields that differ.
    pub differing: Vec<Field>,
    /// The fields whose text was cut to one line.
    cut: Vec<Field>,
}

impl ComparisonLines {
    /// Whether these lines of the screen show the whole text of a field.
    pub fn shows_all_of(&self, field: Field, seen: Range<usize>) -> bool {
        let mut places = self.places.iter();
        let place = places.find(|(other, ..)| *other == field);
        let is_seen =
            place.is_some_and(|(_, first, last)| *first >= seen.start && *last < seen.end);
        is_seen && !self.cut.contains(&field)
    }
}

/// A version, the draft to compare it with, and how to draw them.
pub struct VersionComparison<'a> {
    pub draft: Option<&'a Labels>,
    pub version: &'a Labels,
    /// The shown fields; the digit of each is its position plus one, whether or not it differs.
    pub fields: &'a [Field],
    /// The field under the cursor.
    pub marked: Option<Field>,
    pub theme: &'a Theme,
    pub words: Words,
}

/// Those of `fields` in which a version differs from the draft.
pub fn differing(draft: Option<&Labels>, version: &Labels, fields: &[Field]) -> Vec<Field> {
    let differs = |field: &&Field| match draft {
        Some(draft) => draft.values(**field) != version.values(**field),
        None => !version.values(**field).is_empty(),
    };
    fields.iter().filter(differs).copied().collect()
}

impl VersionComparison<'_> {
    pub fn lay_out(&self, cells: usize) -> ComparisonLines {
        let differing = differing(self.draft, self.version, self.fields);
        let mut out = ComparisonLines {
            lines: Vec::new(),
            places: Vec::new(),
            differing,
            cut: Vec::new(),
        };
        let cells = cells.saturating_sub(NAME).max(8);
        for (at, field) in self.fields.iter().enumerate() {
            let first = out.lines.len();
            let differs = out.differing.contains(field);
            let text = match differs {
                true => self.changed(*field, cells),
                false => {
                    let text = self.same(*field);
                    if width(&text) > cells {
                        out.cut.push(*field);
                    }
                    let text = fit(&text, cells);
                    vec![Line::from(Span::styled(text, self.theme.dim()))]
                }
            };
            for (row, line) in text.into_iter().enumerate() {
                let head = match row {
                    0 => self.head(*field, at + 1, differs),
                    _ => vec![Span::raw(" ".repeat(NAME))],
                };
                let spans = head.into_iter().chain(line.spans);
                out.lines.push(spans.collect());
            }
            out.places.push((*field, first, out.lines.len() - 1));
        }
        out
    }

    fn head(&self, field: Field, digit: usize, differs: bool) -> Vec<Span<'static>> {
        let marked = self.marked == Some(field);
        let mark = if marked { ">" } else { " " };
        let style = match (marked, differs) {
            (true, _) => self.theme.title(),
            (false, true) => self.theme.text(),
            (false, false) => self.theme.dim(),
        };
        let key = match differs {
            true => self.theme.key(),
            false => self.theme.dim(),
        };
        vec![
            Span::styled(mark, self.theme.title()),
            Span::styled(digit.to_string(), key),
            Span::styled(
                format!(" {}", pad(self.words.field(field), NAME - 3)),
                style,
            ),
        ]
    }

    fn same(&self, field: Field) -> String {
        let values = self.version.values(field);
        match values.is_empty() {
            true => "-".to_owned(),
            false => values.join(", "),
        }
    }

    fn changed(&self, field: Field, cells: usize) -> Vec<Line<'static>> {
        let old = self
            .draft
            .map(|draft| tokens(draft, field))
            .unwrap_or_default();
        let new = tokens(self.version, field);
        let separator = if field.is_list() { ", " } else { " " };
        let own_lines = field == Field::QueryVariantsKo;
        let mut lines = vec![Line::default()];
        let mut used = 0;
        for (change, text) in differences(&old, &new) {
            // Each has a sign as well as a color, for screens without colors.
            let (sign, style) = match change {
                DiffKind::Kept => ("", self.theme.text()),
                DiffKind::Removed => ("-", self.removed()),
                DiffKind::Inserted => ("+", self.inserted()),
            };
            for (row, text) in wrap(&format!("{sign}{text}"), cells)
                .into_iter()
                .enumerate()
            {
                let text_width = width(&text);
                if used > 0 && (own_lines || row > 0 || used + text_width > cells) {
                    if !own_lines && row == 0 {
                        push(&mut lines, Span::raw(separator.trim_end()));
                    }
                    lines.push(Line::default());
                    used = 0;
                } else if used > 0 {
                    push(&mut lines, Span::raw(separator));
                }
                used += text_width + separator.len();
                push(&mut lines, Span::styled(text, style));
            }
        }
        lines
    }

    fn removed(&self) -> Style {
        self.theme
            .bad()
            .remove_modifier(Modifier::BOLD)
            .add_modifier(Modifier::CROSSED_OUT)
    }

    fn inserted(&self) -> Style {
        self.theme.good().add_modifier(Modifier::UNDERLINED)
    }
}

fn push(lines: &mut [Line<'static>], span: Span<'static>) {
    if let Some(line) = lines.last_mut() {
        line.push_span(span);
    }
}

/// The words of a sentence, or the values of a list.
fn tokens(labels: &Labels, field: Field) -> Vec<String> {
    let values = labels.values(field).iter();
    let clean = |text: &str| for_screen(text).into_owned();
    match field.is_list() {
        true => values.map(|value| clean(value)).collect(),
        false => values
            .flat_map(|text| text.split_whitespace())
            .map(clean)
            .collect(),
    }
}

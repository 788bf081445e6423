//! One version against the draft, field by field: what it would bring and take away, word by word.
//! Fields that are the same take one line.

use crate::record::{Field, Labels};
use crate::text::{fit, for_screen, pad, width, wrap};
use crate::tui::theme::Theme;
use crate::tui::widgets::{Change, differences};
use crate::wording::Words;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};

/// Cells before a field's text: the digit that takes it, and its name.
const NAME: usize = 12;

/// The lines of all fields.
pub struct Comparison {
    pub lines: Vec<Line<'static>>,
    /// The first and the last line of each field.
    pub places: Vec<(Field, usize, usize)>,
    /// Fields that differ, in order: the digit of each is its place.
    pub differing: Vec<Field>,
}

/// What is compared, and how it is drawn.
pub struct Compared<'a> {
    pub draft: Option<&'a Labels>,
    pub version: &'a Labels,
    pub fields: &'a [Field],
    /// The field under the cursor.
    pub marked: Option<Field>,
    pub theme: &'a Theme,
    pub words: Words,
}

/// The fields in which a version differs from the draft, of those that are shown.
pub fn differing(draft: Option<&Labels>, version: &Labels, fields: &[Field]) -> Vec<Field> {
    let differs = |field: &&Field| match draft {
        Some(draft) => draft.values(**field) != version.values(**field),
        None => !version.values(**field).is_empty(),
    };
    fields.iter().filter(differs).copied().collect()
}

impl Compared<'_> {
    pub fn lay_out(&self, cells: usize) -> Comparison {
        let differing = differing(self.draft, self.version, self.fields);
        let mut out = Comparison {
            lines: Vec::new(),
            places: Vec::new(),
            differing,
        };
        for field in self.fields {
            let first = out.lines.len();
            let digit = out.differing.iter().position(|have| have == field);
            let text = match digit {
                Some(_) => self.changed(*field, cells.saturating_sub(NAME).max(8)),
                None => vec![self.same(*field, cells.saturating_sub(NAME).max(8))],
            };
            for (row, line) in text.into_iter().enumerate() {
                let head = match row {
                    0 => self.head(*field, digit),
                    _ => vec![Span::raw(" ".repeat(NAME))],
                };
                let spans = head.into_iter().chain(line.spans);
                out.lines.push(spans.collect());
            }
            out.places.push((*field, first, out.lines.len() - 1));
        }
        out
    }

    fn head(&self, field: Field, digit: Option<usize>) -> Vec<Span<'static>> {
        let marked = self.marked == Some(field);
        let mark = if marked { ">" } else { " " };
        let number = digit.map_or(" ".to_owned(), |digit| (digit + 1).to_string());
        let style = match (marked, digit) {
            (true, _) => self.theme.title(),
            (false, Some(_)) => self.theme.text(),
            (false, None) => self.theme.dim(),
        };
        vec![
            Span::styled(mark, self.theme.title()),
            Span::styled(number, self.theme.key()),
            Span::styled(
                format!(" {}", pad(self.words.field(field), NAME - 3)),
                style,
            ),
        ]
    }

    fn same(&self, field: Field, cells: usize) -> Line<'static> {
        let values = self.version.values(field);
        let text = match values.is_empty() {
            true => "-".to_owned(),
            false => values.join(", "),
        };
        Line::from(Span::styled(fit(&text, cells), self.theme.dim()))
    }

    fn changed(&self, field: Field, cells: usize) -> Vec<Line<'static>> {
        let old = self
            .draft
            .map(|draft| tokens(draft, field))
            .unwrap_or_default();
        let new = tokens(self.version, field);
        let between = if field.is_list() { ", " } else { " " };
        let apart = field == Field::QueryVariantsKo;
        let mut lines = vec![Line::default()];
        let mut used = 0;
        for (change, text) in differences(&old, &new) {
            // A sign as well as a color tells them apart.
            let (sign, style) = match change {
                Change::Kept => ("", self.theme.text()),
                Change::Removed => ("-", self.removed()),
                Change::Inserted => ("+", self.inserted()),
            };
            for (row, text) in wrap(&format!("{sign}{text}"), cells)
                .into_iter()
                .enumerate()
            {
                let wide = width(&text);
                if used > 0 && (apart || row > 0 || used + wide > cells) {
                    if !apart && row == 0 {
                        push(&mut lines, Span::raw(between.trim_end()));
                    }
                    lines.push(Line::default());
                    used = 0;
                } else if used > 0 {
                    push(&mut lines, Span::raw(between));
                }
                used += wide + between.len();
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

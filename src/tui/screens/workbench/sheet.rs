//! Lays out the record as lines of text and keeps the position of each value. Drawing, scrolling
//! and the mouse read it.

use super::field_cursor::FieldCursor;
use super::texts::{committed, effect_of_commit, fix_key, measured_colors, reason_subjects};
use crate::record::fixes::Fix;
use crate::record::{
    Agreement, Draft, Field, FieldConfidence, GroupDetail, GroupState, GroupSummary, Reason,
};
use crate::text::{fit, for_screen, pad, width, wrap};
use crate::tui::dialogs::TextPrompt;
use crate::tui::keymap::{Action, KeyContext};
use crate::tui::session::Session;
use crate::tui::theme::{Theme, sign};
use crate::tui::widgets::wrap_styled;
use crate::wording::Words;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use std::ops::Range;

/// Cells before a field's value.
const NAME: usize = 10;
/// Width in cells below which reasons are short and hardly indented.
const NARROW: usize = 60;

/// Input of the layout.
pub struct SheetInput<'a> {
    pub session: &'a Session,
    /// The value to draw as under the cursor.
    pub marked: Option<FieldCursor>,
    /// The prompt that edits a value in place.
    pub prompt: Option<&'a TextPrompt>,
}

#[derive(Debug, Default)]
pub struct Sheet {
    pub lines: Vec<Line<'static>>,
    /// (line, cells, value)
    pub values: Vec<(usize, Range<usize>, FieldCursor)>,
    /// The number of each fix, and its lines.
    pub fixes: Vec<(usize, Range<usize>)>,
    /// The line and column of the text cursor while a value is edited in place.
    pub cursor: Option<(usize, usize)>,
}

impl Sheet {
    /// Lays out the current record in lines of `cells`.
    pub fn new(input: &SheetInput<'_>, cells: u16) -> Self {
        let session = input.session;
        let mut builder = SheetBuilder {
            sheet: Self::default(),
            theme: session.theme,
            words: session.words,
            cells: usize::from(cells).max(12),
        };
        match session.detail() {
            Some(detail) => builder.detail(input, detail),
            None if session.current().is_some() => builder.plain("...", session.theme.dim()),
            None => {}
        }
        builder.sheet
    }

    /// The value at a line and cell.
    pub fn value_at(&self, line: usize, cell: usize) -> Option<FieldCursor> {
        let mut values = self.values.iter();
        let found = values.find(|(on, cells, _)| *on == line && cells.contains(&cell));
        found.map(|(.., value)| *value)
    }

    /// The first and the last line of a value.
    pub fn lines_of(&self, value: FieldCursor) -> Option<(usize, usize)> {
        let lines = |(line, _, other): &(usize, Range<usize>, FieldCursor)| {
            (*other == value).then_some(*line)
        };
        let first = self.values.iter().find_map(lines)?;
        let last = self.values.iter().rev().find_map(lines)?;
        Some((first, last))
    }
}

struct SheetBuilder {
    sheet: Sheet,
    theme: Theme,
    words: Words,
    cells: usize,
}

impl SheetBuilder {
    fn line(&mut self, spans: Vec<Span<'static>>) {
        self.sheet.lines.push(Line::from(spans));
    }

    fn plain(&mut self, text: &str, style: Style) {
        for line in wrap(text, self.cells) {
            self.line(vec![Span::styled(line, style)]);
        }
    }

    /// Adds a name and the wrapped text beside it.
    fn named(&mut self, name: &str, text: &str, style: Style) {
        let dim = self.theme.dim();
        for (index, line) in wrap(text, self.cells - NAME).into_iter().enumerate() {
            let name = if index == 0 { name } else { "" };
            self.line(vec![
                Span::styled(pad(name, NAME), dim),
                Span::styled(line, style),
            ]);
        }
    }

    fn detail(&mut self, input: &SheetInput<'_>, detail: &GroupDetail) {
        let theme = self.theme;
        let summary = input
            .session
            .records
            .get(detail.summary.id)
            .unwrap_or(&detail.summary);
        let words = self.words;
        let state = format!("{} {}", sign(summary.state), words.state(summary.state));
        let name = fit(
            summary.title(),
            self.cells.saturating_sub(width(&state) + 2),
        );
        let gap = self.cells.saturating_sub(width(&name) + width(&state));
        self.line(vec![
            Span::styled(name, theme.title()),
            Span::raw(" ".repeat(gap)),
            Span::styled(state, theme.state(summary.state)),
        ]);
        // The operator's text comes before the model's.
        if let Some(reason) = detail.rejection_reason() {
            self.named(words.row_rejected(), reason, theme.bad());
        }
        if let Some(note) = detail.note() {
            self.named(words.row_note(), note, theme.accent());
        }
        if detail.current.offer().is_some() {
            let keys = input
                .session
                .keymap
                .keys_of(KeyContext::Queue, Action::Versions);
            let key = keys.first().map(String::as_str).unwrap_or_default();
            self.named(words.row_new(), &words.answered_again(key), theme.accent());
        }
        if let Some((text, changes)) = effect_of_commit(detail, words) {
            let style = if changes { theme.warn() } else { theme.dim() };
            self.named(words.row_commit(), text, style);
        }
        if let Some(draft) = &detail.draft {
            for field in Field::ALL {
                self.field(input, draft, *field);
                self.reasons(input, detail, draft, Some(*field));
                self.agreement(summary, *field);
                if *field == Field::LabelKo {
                    if summary.needs_review() {
                        self.unexplained(input, summary);
                    }
                    // Reasons of the whole record come after the label, which is judged first.
                    self.reasons(input, detail, draft, None);
                }
            }
        } else {
            self.no_draft(input, detail, summary.state);
        }
        self.line(Vec::new());
        self.item_and_origin(detail);
    }

    fn no_draft(&mut self, input: &SheetInput<'_>, detail: &GroupDetail, state: GroupState) {
        let (theme, words) = (self.theme, self.words);
        match &detail.failure {
            _ if state == GroupState::Running => {
                self.plain(words.in_hand(), theme.accent());
            }
            Some(failure) => {
                let text = format!("! {}", words.failure(failure));
                self.plain(&text, theme.bad());
                self.plain(&format!("  {}", words.retry_or_reject()), theme.dim());
            }
            None if !input.session.engine.has_model() => {
                self.plain(words.no_draft_without_model(), theme.dim());
            }
            None => self.plain(words.waiting_for_model(), theme.dim()),
        }
    }

    /// Adds how many second opinions agree on a field, if some do not.
    fn agreement(&mut self, summary: &GroupSummary, field: Field) {
        let mut signals = summary.signals.iter();
        let signal = signals.find(|signal| signal.field == field);
        let agreement = signal.and_then(|signal| signal.agreement);
        if let Some(Agreement { agree, of }) = agreement.filter(|it| it.agree < it.of) {
            let text = self.words.opinions_agree(agree, of);
            self.named("", &text, self.theme.weak());
        }
    }

    /// Adds the words of the label that only the icon can confirm.
    fn unexplained(&mut self, input: &SheetInput<'_>, summary: &GroupSummary) {
        let vocabulary = input.session.vocabulary();
        let found = summary.labels.unexplained_words(&summary.name, vocabulary);
        if !found.is_empty() {
            let text = self.words.check_words(found.join(", "));
            self.named("", &text, self.theme.weak());
        }
    }

    /// Adds the reasons of a field, or of the record: the code, the finding, and what to do. A narrow
    /// pane has room for code and subjects only.
    fn reasons(
        &mut self,
        input: &SheetInput<'_>,
        detail: &GroupDetail,
        draft: &Draft,
        field: Option<Field>,
    ) {
        let (theme, words) = (self.theme, self.words);
        let indent = match field {
            None => 0,
            Some(_) if self.cells < NARROW => 2,
            Some(_) => NAME,
        };
        let vocabulary = input.session.vocabulary();
        for reason in draft
            .reasons
            .iter()
            .filter(|reason| reason.field() == field)
        {
            let todo = words.phrase(reason.texts().todo);
            let language = words.language();
            let about = reason_subjects(*reason, draft, vocabulary, words);
            let is_short = self.cells < NARROW && !about.is_empty();
            let mut found = match is_short {
                true => about.join(", "),
                false => reason.describe(&about, language),
            };
            if *reason == Reason::ColorMismatch
                && let Some(colors) = &detail.colors
            {
                found.push_str(&format!(
                    ": {}",
                    measured_colors(colors, vocabulary, language)
                ));
            }
            let parts = [
                (
                    &*format!("? {}: ", words.reason_code(*reason)),
                    theme.warn(),
                ),
                (&*for_screen(&found), theme.dim()),
                (&*format!(" -> {todo}"), theme.text()),
            ];
            let parts = &parts[..if is_short { 2 } else { 3 }];
            for mut line in wrap_styled(parts, self.cells - indent) {
                line.insert(0, Span::raw(" ".repeat(indent)));
                self.line(line);
            }
            for (number, fix) in detail.fixes.iter().enumerate() {
                if fix.reason == *reason {
                    self.fix(input, number, fix, indent + 2);
                }
            }
        }
    }

    /// Adds a fix: its key and the new text.
    fn fix(&mut self, input: &SheetInput<'_>, number: usize, fix: &Fix, indent: usize) {
        let (theme, words) = (self.theme, self.words);
        let (mut text, mut also) = (String::new(), String::new());
        if let Some(((field, values), others)) = fix.fields.split_first() {
            text = values.join(", ");
            if Some(*field) != fix.reason.field() {
                text = format!("{}: {text}", words.field(*field));
            }
            let names = others.iter().map(|(field, _)| words.field(*field));
            let names: Vec<&str> = names.collect();
            if !names.is_empty() {
                also = format!("  + {}", names.join(", "));
            }
        }
        let key = fix_key(number, &input.session.keymap);
        let text = for_screen(&text).into_owned();
        let parts = [
            (&*format!("{} ", pad(&key, 1)), theme.key()),
            (&*text, theme.good()),
            (&*also, theme.dim()),
        ];
        let first = self.sheet.lines.len();
        for mut line in wrap_styled(&parts, self.cells.saturating_sub(indent)) {
            line.insert(0, Span::raw(" ".repeat(indent)));
            self.line(line);
        }
        let lines = first..self.sheet.lines.len();
        self.sheet.fixes.push((number, lines));
    }

    fn field(&mut self, input: &SheetInput<'_>, draft: &Draft, field: Field) {
        let list = draft.labels.values(field);
        let editing = input.prompt.and_then(|prompt| {
            let (edited, from) = prompt.edited()?;
            (edited == field).then_some((prompt, from))
        });
        if !input.session.has_field(field) && editing.is_none() {
            return;
        }
        let weak = draft
            .confidence
            .iter()
            .find(|confidence| confidence.field == field);
        let mut row = FieldLines {
            builder: self,
            field,
            spans: Vec::new(),
            used: 0,
            first: true,
            own_lines: field == Field::QueryVariantsKo,
        };
        if let Some((prompt, None)) = editing {
            return row.edited_text(prompt);
        }
        if list.is_empty() && editing.is_none() {
            let cursor = FieldCursor { field, index: 0 };
            let style = row.builder.theme.dim();
            row.value(input, cursor, "-", style);
            row.end();
            return;
        }
        for (index, value) in list.iter().enumerate() {
            let cursor = FieldCursor { field, index };
            match editing {
                Some((prompt, Some(from))) if from == value && !from.is_empty() => {
                    row.edited_chip(prompt)
                }
                _ => row.text(input, cursor, value, weak),
            }
        }
        if let Some((prompt, Some(""))) = editing {
            row.edited_chip(prompt);
        }
        row.end();
    }

    fn item_and_origin(&mut self, detail: &GroupDetail) {
        let (theme, words) = (self.theme, self.words);
        let item = &detail.item;
        let mut row = item.source_type.as_str().to_owned();
        if let Some(part) = &item.item_part {
            row.push_str(&format!(", {part}"));
        }
        row.push_str(&format!(", {}", words.rows(detail.rows as usize)));
        self.named(words.row_source(), &row, theme.text());
        if let Some(text) = &item.item_description {
            self.named(words.row_about(), text, theme.text());
        }
        if !detail.other_names.is_empty() {
            let names = detail.other_names.join(" / ");
            self.named(words.row_also(), &names, theme.text());
        }
        self.named(words.row_image(), &item.image_path, theme.dim());
        if let Some(draft) = &detail.draft {
            let from = words.made_by(
                words.version_kind(detail, draft),
                &draft.model,
                &draft.prompt_version,
                &draft.generated_at,
                words.versions(detail.history().len()),
            );
            self.named(words.row_from(), &from, theme.dim());
        }
        let committed = committed(detail, words);
        self.named(words.row_committed(), &committed, theme.dim());
    }
}

/// Lays out one field's values over as many lines as they need.
struct FieldLines<'a> {
    builder: &'a mut SheetBuilder,
    field: Field,
    spans: Vec<Span<'static>>,
    used: usize,
    first: bool,
    /// Each value takes its own line.
    own_lines: bool,
}

impl FieldLines<'_> {
    fn room(&self) -> usize {
        self.builder.cells - NAME
    }

    fn end(&mut self) {
        let name = match self.first {
            true => self.builder.words.field(self.field),
            false => "",
        };
        let mut spans = vec![Span::styled(pad(name, NAME), self.builder.theme.dim())];
        spans.append(&mut self.spans);
        self.builder.line(spans);
        self.used = 0;
        self.first = false;
    }

    /// Starts a new line if `cells` more do not fit.
    fn make_room(&mut self, cells: usize) {
        if self.used > 0 && (self.own_lines || self.used + cells > self.room()) {
            self.end();
        }
    }

    fn value(&mut self, input: &SheetInput<'_>, cursor: FieldCursor, text: &str, style: Style) {
        self.parts(input, cursor, [(text, style)]);
    }

    /// Adds a value, or a line of one, in several styles.
    fn parts<'a>(
        &mut self,
        input: &SheetInput<'_>,
        cursor: FieldCursor,
        parts: impl IntoIterator<Item = (&'a str, Style)>,
    ) {
        let start = NAME + self.used;
        let line = self.builder.sheet.lines.len();
        for (text, style) in parts {
            let style = self.styled(input, cursor, style);
            self.used += width(text);
            self.spans.push(Span::styled(text.to_owned(), style));
        }
        self.builder
            .sheet
            .values
            .push((line, start..NAME + self.used, cursor));
    }

    fn styled(&self, input: &SheetInput<'_>, cursor: FieldCursor, style: Style) -> Style {
        if input.marked == Some(cursor) {
            style.patch(self.builder.theme.cursor())
        } else {
            style
        }
    }

    /// Adds a value that is not being edited: a chip, or a sentence over several lines.
    fn text(
        &mut self,
        input: &SheetInput<'_>,
        cursor: FieldCursor,
        value: &str,
        weak: Option<&FieldConfidence>,
    ) {
        let theme = self.builder.theme;
        let value = for_screen(value).into_owned();
        let weak: &[String] = weak.map_or(&[], |weak| &weak.weak_words);
        let chip = self.field.is_list() && !self.own_lines;
        let is_weak = weak
            .iter()
            .any(|word| !word.trim().is_empty() && value.contains(word.trim()));
        if chip {
            let word = format!("{}{value}", if is_weak { "~" } else { "" });
            let word = fit(&word, self.room().saturating_sub(2));
            self.make_room(width(&word) + 3);
            let style = if is_weak { theme.weak() } else { theme.chip() };
            // The brackets of a color's chip have the color.
            let rgb = (self.field == Field::Colors)
                .then(|| input.session.color_of(&value))
                .flatten();
            let end = theme.swatch(rgb, style);
            self.parts(input, cursor, [("[", end), (&*word, style), ("]", end)]);
            self.spans.push(Span::raw(" "));
            self.used += 1;
            return;
        }
        self.make_room(usize::MAX / 2);
        for line in wrap(&mark(&value, weak), self.room()) {
            if self.used > 0 {
                self.end();
            }
            // Only the word after the sign is styled.
            let words = line.split_inclusive(' ').map(|word| {
                let weak = is_weak && word.starts_with('~');
                (word, if weak { theme.weak() } else { theme.text() })
            });
            self.parts(input, cursor, words);
        }
    }

    /// Adds the text being typed in place of a chip.
    fn edited_chip(&mut self, prompt: &TextPrompt) {
        let room = self.room();
        let (text, at) = prompt.edit().window(room.saturating_sub(3));
        self.make_room((width(&text) + 3).max(12));
        let line = self.builder.sheet.lines.len();
        self.builder.sheet.cursor = Some((line, NAME + self.used + 1 + at));
        let text = format!("[{text} ]");
        self.used += width(&text) + 1;
        let style = self.builder.theme.cursor();
        self.spans.push(Span::styled(text, style));
        self.spans.push(Span::raw(" "));
    }

    /// Adds the text being typed in place of the field's value.
    fn edited_text(&mut self, prompt: &TextPrompt) {
        let (lines, (row, column)) = prompt.edit().layout(self.room() - 1);
        let style = self.builder.theme.cursor();
        let first = self.builder.sheet.lines.len();
        for line in lines {
            let line = pad(&line, self.room());
            self.spans.push(Span::styled(line, style));
            self.end();
        }
        self.builder.sheet.cursor = Some((first + row, NAME + column));
    }
}

/// Puts `~` before every word with low confidence.
fn mark(value: &str, weak: &[String]) -> String {
    let mut out = value.to_owned();
    for word in weak {
        let word = word.trim();
        if !word.is_empty()
            && let Some(at) = out.find(word)
            && !out[..at].ends_with('~')
        {
            out.insert(at, '~');
        }
    }
    out
}

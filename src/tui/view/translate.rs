//! The preview of bringing words into the vocabulary.

use super::{clear, pane, put};
use crate::record::{VocabularyPreview, WordChange};
use crate::tui::app::App;
use crate::tui::layout::centered;
use crate::tui::safe_text::{count, plural};
use crate::tui::translate::{Scope, TranslateForm};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub fn area(form: &TranslateForm, body: Rect) -> Rect {
    let words = form.preview.as_ref().map_or(0, |found| found.words.len());
    // Border, what it is about, three lines of counts, the words.
    centered(body, 76, (words as u16).saturating_add(6).clamp(8, 24))
}

pub fn draw(app: &App, form: &TranslateForm, body: Rect, buf: &mut Buffer) {
    let theme = &app.theme;
    let area = area(form, body);
    clear(area, buf);
    let inner = pane(app, area, true, "Translate into the vocabulary", true, buf);
    let line = |row: u16, text: &str, style, buf: &mut Buffer| {
        if row < inner.height {
            put(buf, inner.x, inner.y + row, inner.width, text, style);
        }
    };
    line(0, &about(form), theme.text(), buf);
    let Some(found) = &form.preview else {
        return line(1, "counting...", theme.dim(), buf);
    };
    line(1, &translated(found), theme.accent(), buf);
    line(2, &unknown(found), theme.warn(), buf);
    if found.without_draft > 0 {
        let text = format!(
            "{} without a draft stay as they are",
            count(found.without_draft as u64)
        );
        line(3, &text, theme.dim(), buf);
    }
    let rows = usize::from(inner.height.saturating_sub(4));
    let more = found.words.len().saturating_sub(form.top + rows);
    for (row, word) in found.words.iter().skip(form.top).take(rows).enumerate() {
        let at = 4 + row as u16;
        if row + 1 == rows && more > 0 {
            let text = format!("and {} more", count(more as u64 + 1));
            line(at, &text, theme.dim(), buf);
            break;
        }
        line(at, &word_change(word), theme.text(), buf);
    }
}

fn about(form: &TranslateForm) -> String {
    let records = plural(form.groups.len(), "record");
    match form.scope {
        Scope::Record => "Of this record".to_owned(),
        Scope::Selection => format!("Of {records} that you selected"),
        Scope::Shown => format!("Of all {records} that the list shows"),
    }
}

fn translated(found: &VocabularyPreview) -> String {
    let words = found
        .words
        .iter()
        .filter(|word| !word.to.is_empty())
        .count();
    match words {
        0 => "y: nothing to translate".to_owned(),
        _ => format!(
            "y: {} translated in {}",
            plural(words, "word"),
            plural(found.translated, "record")
        ),
    }
}

fn unknown(found: &VocabularyPreview) -> String {
    let unknown = found.words.iter().filter(|word| word.drops());
    match unknown.count() {
        0 => "no word would have to be dropped".to_owned(),
        words => format!(
            "d: the same, and drops {} in {}; y keeps them",
            plural(words, "unknown word"),
            plural(found.with_unknown, "record")
        ),
    }
}

fn word_change(word: &WordChange) -> String {
    let to = match (&word.to[..], &word.unknown[..]) {
        ([], _) => "unknown".to_owned(),
        (to, []) => to.join(", "),
        (to, unknown) => format!("{}, unknown: {}", to.join(", "), unknown.join(", ")),
    };
    format!(
        "{:>6}  {}: {} -> {to}",
        count(word.records as u64),
        word.field.name(),
        word.from
    )
}

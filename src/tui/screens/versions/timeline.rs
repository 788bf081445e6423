//! The versions of a record in the order of time: kind, origin and reasons of each.

use super::layout::Parts;
use crate::record::{Attempt, GroupDetail, HistoryEntry, Line, Origin, Reason, Version};
use crate::text::{width, wrap};
use crate::tui::screens::View;
use crate::tui::theme::Theme;
use crate::tui::widgets::{keep_in_view, layout, pane, put};
use crate::wording::Words;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;

/// Draws the timeline with the cursor on one of its entries.
pub fn draw(
    view: &View<'_>,
    parts: &Parts,
    detail: &GroupDetail,
    listed: &[HistoryEntry<'_>],
    cursor: usize,
    focused: bool,
    buf: &mut Buffer,
) {
    let theme = &view.session.theme;
    let words = view.session.words;
    let title = match parts.borders {
        true => words.versions_title(cursor + 1, listed.len()),
        false => words.version_of(cursor + 1, listed.len(), detail.summary.title()),
    };
    let inner = pane(theme, parts.timeline, parts.borders, &title, focused, buf);
    let entries = entries(detail, listed, theme, words);
    let EntryLayout { lines, top, cells } = EntryLayout::of(&entries, cursor, inner);
    let start = |at: usize| lines[..at].iter().sum::<usize>();
    let rows = usize::from(inner.height).max(1);
    for (at, entry) in entries.iter().enumerate() {
        let under_cursor = at == cursor;
        let is_cut = height(entry, cells) > rows;
        let wrapped = entry.iter().enumerate().flat_map(|(part, (text, style))| {
            let lines = match part {
                0 => vec![text.clone()],
                _ if is_cut => vec![whole_parts(text, cells)],
                _ => wrap(text, cells),
            };
            lines.into_iter().map(move |line| (line, *style))
        });
        for (line, (text, style)) in wrapped.take(lines[at]).enumerate() {
            let row = start(at) + line;
            if row < top || row - top >= rows {
                continue;
            }
            let y = inner.y + (row - top) as u16;
            if line == 0 {
                let mark = if under_cursor { ">" } else { " " };
                put(buf, inner.x, y, 1, mark, theme.title());
            }
            let style = match line {
                0 if under_cursor => theme.title(),
                _ => style,
            };
            let room = inner.width.saturating_sub(2);
            put(buf, inner.x + 2, y, room, &text, style);
            // The lines with the origin are out of view.
            let time = time(&listed[at]).filter(|_| lines[at] == 1 && !under_cursor);
            if let Some(time) = time
                && width(&text) + 1 + width(&time) <= cells
            {
                let cells = width(&time) as u16;
                put(buf, inner.right() - cells, y, cells, &time, theme.dim());
            }
        }
    }
}

/// The entry under a mouse click.
pub fn entry_at(
    view: (&Theme, Words),
    parts: &Parts,
    detail: &GroupDetail,
    cursor: usize,
    at: Position,
) -> Option<usize> {
    let inner = layout::inner(parts.timeline, parts.borders);
    let listed = detail.history();
    let entries = entries(detail, &listed, view.0, view.1);
    let layout = EntryLayout::of(&entries, cursor, inner);
    let row = layout.top + usize::from(at.y.checked_sub(inner.y)?);
    let mut end = 0;
    let found = layout.lines.iter().position(|lines| {
        end += lines;
        row < end
    });
    found.filter(|_| inner.contains(at))
}

fn entries(
    detail: &GroupDetail,
    listed: &[HistoryEntry<'_>],
    theme: &Theme,
    words: Words,
) -> Vec<Vec<(String, Style)>> {
    let listed = listed.iter();
    listed
        .map(|listed| entry(detail, listed, theme, words))
        .collect()
}

/// The layout of the entries.
struct EntryLayout {
    /// How many lines each entry takes.
    lines: Vec<usize>,
    /// The first line on screen.
    top: usize,
    /// Width of a line.
    cells: usize,
}

impl EntryLayout {
    fn of(entries: &[Vec<(String, Style)>], cursor: usize, inner: Rect) -> Self {
        let cells = usize::from(inner.width.saturating_sub(2)).max(4);
        let rows = usize::from(inner.height).max(1);
        // If not all entries fit in full, only the one under the cursor is shown in full.
        let full: usize = entries.iter().map(|entry| height(entry, cells)).sum();
        let short = full > usize::from(inner.height);
        let lines = entries.iter().enumerate();
        let lines = lines.map(|(at, entry)| match short && at != cursor {
            true => 1,
            false => height(entry, cells).min(rows),
        });
        let lines: Vec<usize> = lines.collect();
        let mut top = 0;
        if let Some(own) = lines.get(cursor) {
            let start = lines[..cursor].iter().sum::<usize>();
            keep_in_view(&mut top, start + own - 1, rows);
            keep_in_view(&mut top, start, rows);
        }
        Self { lines, top, cells }
    }
}

fn height(entry: &[(String, Style)], cells: usize) -> usize {
    let more = entry
        .iter()
        .skip(1)
        .map(|(text, _)| wrap(text, cells).len());
    1 + more.sum::<usize>()
}

/// As many of the parts between commas as fit into a line.
fn whole_parts(text: &str, cells: usize) -> String {
    let mut shown = text;
    while width(shown) > cells {
        match shown.rfind(", ") {
            Some(end) => shown = &shown[..end],
            None => break,
        }
    }
    shown.to_owned()
}

/// The lines of a version: its name, its origin, its reasons.
fn entry(
    detail: &GroupDetail,
    listed: &HistoryEntry<'_>,
    theme: &Theme,
    words: Words,
) -> Vec<(String, Style)> {
    match listed {
        HistoryEntry::Version(version) => vec![
            (
                heading(detail, version, words),
                heading_style(version, theme),
            ),
            (origin(detail, version, words), theme.dim()),
            reason_list(&version.text.reasons, theme, words),
        ],
        HistoryEntry::Failed(attempt) => {
            let mut all = detail.attempts.iter();
            let index = all.position(|other| other.id == attempt.id);
            let why = match &attempt.failure {
                Some(failure) => format!("! {}", words.failure(failure)),
                None => format!("! {}", words.no_answer()),
            };
            vec![
                (
                    words.attempt_failed(index.map_or(0, |index| index + 1)),
                    theme.text(),
                ),
                (attempt_settings(attempt, words), theme.dim()),
                (why, theme.bad()),
            ]
        }
    }
}

/// Day and time of an entry: `01-10 14:03`.
fn time(listed: &HistoryEntry<'_>) -> Option<String> {
    let at = match listed {
        HistoryEntry::Version(version) => &version.text.generated_at,
        HistoryEntry::Failed(attempt) => &attempt.at,
    };
    Some(at.get(5..16)?.replace('T', " "))
}

fn heading_style(version: &Version, theme: &Theme) -> Style {
    match version.undone {
        true => theme.dim(),
        false => theme.text(),
    }
}

/// A version's name, and whether it is the draft, undone or a new offer.
fn heading(detail: &GroupDetail, version: &Version, words: Words) -> String {
    let mut text = words.version_kind(detail, &version.text);
    if detail.current.review.draft == Some(version.number) {
        text = words.is_draft(text);
    }
    if version.undone {
        text = words.is_undone(text);
    }
    if detail.current.offer() == Some(version.number) {
        text = words.is_new(text);
    }
    text
}

/// The origin of a version: the settings of an answer, or the time or model of another text; and
/// when it was committed.
fn origin(detail: &GroupDetail, version: &Version, words: Words) -> String {
    let text = &version.text;
    let how = match (text.origin, detail.attempt_of(text)) {
        (_, Some(at)) => attempt_settings(&detail.attempts[at], words),
        (Origin::Import, None) => words.by_model(&text.model),
        (Origin::Edit | Origin::Derived(_) | Origin::Attempt(_), None) => text.generated_at.clone(),
    };
    let is_line = |line: Line| line.version == version.number;
    let is_line = detail.current.review.line.is_some_and(is_line);
    match &version.committed {
        Some(at) => {
            let day = at.split('T').next().unwrap_or_default();
            match is_line {
                true => words.committed_on(day, how),
                false => words.was_committed_on(day, how),
            }
        }
        None if is_line => words.committed_how(how),
        None => how,
    }
}

fn attempt_settings(attempt: &Attempt, words: Words) -> String {
    let settings = &attempt.settings;
    let mut parts = vec![format!("x{}", settings.upscale)];
    parts.push(words.background(settings.background).to_owned());
    if settings.strict {
        parts.push(words.strict().to_owned());
    }
    if !settings.with_image {
        parts.push(words.without_a_picture().to_owned());
    }
    if let Some(hint) = &settings.hint {
        parts.push(format!("\"{hint}\""));
    }
    parts.join(", ")
}

fn reason_list(reasons: &[Reason], theme: &Theme, words: Words) -> (String, Style) {
    let names = reasons.iter().map(|reason| words.reason_code(*reason));
    match reasons.len() {
        0 => (words.no_reasons().to_owned(), theme.good()),
        n => {
            let names = names.collect::<Vec<_>>().join(", ");
            (format!("? {}: {names}", words.reasons(n)), theme.warn())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_without_room_loses_whole_parts() {
        let text = "committed 2026-11-28, by qwen2-vl, strict";
        assert_eq!(whole_parts(text, 60), text);
        assert_eq!(whole_parts(text, 40), "committed 2026-11-28, by qwen2-vl");
        assert_eq!(whole_parts(text, 25), "committed 2026-11-28");
    }
}

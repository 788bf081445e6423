//! The preview of a bulk change: requested, received, drawn.

use super::Scope;
use crate::record::{
    Change, ChangePreview, EditFacts, Field, GroupId, GroupSummary, Labels, TextChange, apply,
};
use crate::text::{count, fit, pad, width, wrap_offsets};
use crate::tui::session::Session;
use crate::tui::widgets::put;
use crate::wording::Words;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// The change whose preview was requested last, and the preview once it arrives.
#[derive(Debug, Default)]
pub struct PendingPreview {
    requested: Option<(Scope, Change)>,
    /// The records of the preview. The queue may change before the operator confirms.
    groups: Vec<GroupId>,
    number: u64,
    preview: Option<ChangePreview>,
}

/// Effect of a change on one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordEffect {
    /// The new text, or the values that go and come: `-블랙 +흰색`.
    Changed(String),
    Unchanged,
    /// The change cannot be made in this record.
    Refused,
}

impl PendingPreview {
    /// Effect of the change requested last on a record of the list, in at most `cells`. `None` while
    /// there is no change, and for a record that it leaves out.
    pub fn effect_on(
        &self,
        summary: &GroupSummary,
        cells: usize,
        session: &Session,
    ) -> Option<RecordEffect> {
        let (scope, change) = self.requested.as_ref()?;
        if !scope.contains(summary, session) {
            return None;
        }
        let before = &summary.labels;
        let facts = EditFacts {
            vocabulary: session.vocabulary(),
            item_name: &summary.name,
            taken: None,
        };
        // Without a draft, there is nothing to change.
        if before.label_ko().is_empty() {
            return Some(RecordEffect::Unchanged);
        }
        let Ok(after) = apply(before, change, &facts) else {
            return Some(RecordEffect::Refused);
        };
        let fields = before.differing(&after).into_iter();
        let changes: Vec<String> = fields
            .map(|field| field_change(field, before, &after, cells))
            .collect();
        Some(match changes.is_empty() {
            true => RecordEffect::Unchanged,
            false => RecordEffect::Changed(changes.join(" ")),
        })
    }

    /// Requests the preview of a change, unless it was the last one requested.
    pub fn request(&mut self, scope: Scope, change: Option<Change>, session: &mut Session) {
        let requested = change.map(|change| (scope, change));
        if requested == self.requested {
            return;
        }
        self.preview = None;
        // A warning was about the change before.
        session.notices.dismiss_warning();
        if let Some((scope, change)) = &requested {
            self.groups = scope.groups(session);
            self.number = session.preview(&self.groups, change.clone());
        }
        self.requested = requested;
    }

    /// Takes a preview, unless a newer one was requested since.
    pub fn set(&mut self, number: u64, preview: ChangePreview) {
        if number == self.number && self.requested.is_some() {
            self.preview = Some(preview);
        }
    }

    /// Preview of the change requested last, once it arrives.
    pub fn preview(&self) -> Option<&ChangePreview> {
        self.preview.as_ref()
    }

    pub fn is_counting(&self) -> bool {
        self.requested.is_some() && self.preview.is_none()
    }

    /// Applies the change in one step, once its preview is shown. Returns whether it was applied.
    pub fn apply(&self, session: &mut Session) -> bool {
        let (Some((_, change)), Some(preview)) = (&self.requested, &self.preview) else {
            return false;
        };
        if preview.report.records == 0 {
            session.warn(summary(preview, session.words));
            return false;
        }
        let applied = session.apply(self.groups.clone(), change.clone());
        if applied {
            let changing = preview.report.records;
            session.engine.changing = (changing > 1).then_some(changing);
        }
        applied
    }
}

/// The summary of a preview in lines of at most `cells`, at most `max` of them.
fn summary_lines(preview: &ChangePreview, cells: u16, max: u16, words: Words) -> Vec<String> {
    let text = summary(preview, words);
    let cells = usize::from(cells);
    let lines = wrap_offsets(&text, cells);
    let shown = lines.len().min(usize::from(max).max(1));
    let line = |(at, (start, line)): (usize, &(usize, &str))| match at + 1 == shown {
        true => fit(&text[*start..], cells),
        false => line.trim_end().to_owned(),
    };
    lines.iter().take(shown).enumerate().map(line).collect()
}

/// A preview in words, such as `9 records change; 2 do not have it`.
pub fn summary(preview: &ChangePreview, words: Words) -> String {
    let report = &preview.report;
    let mut text = match report.records {
        0 => words.nothing_changes().to_owned(),
        1 => words.one_record_changes().to_owned(),
        n => words.records_change(words.records(n)),
    };
    // For other changes, the dialog already names the field.
    if matches!(report.change, Change::Replace(_)) && report.records > 0 {
        text.push_str(&format!(": {}", words.fields_in(report)));
    }
    if preview.in_names > 0 {
        let names = words.names(preview.in_names);
        text.push_str(&format!("; {}", words.protected(names)));
    }
    if let Some(left) = words.left_alone(report) {
        text.push_str(&format!("; {left}"));
    }
    text
}

/// One line with a text before and after the change; a long text is cut to the part around the
/// change. Showing both makes the change visible without color.
pub fn change_line(change: &TextChange, cells: u16, words: Words) -> String {
    let times = format!(
        "{:>4}x {} ",
        count(change.records as u64),
        pad(words.field(change.field), 8)
    );
    let room = usize::from(cells).saturating_sub(width(&times) + 4);
    let both = width(&change.before) + width(&change.after);
    let name = match room.saturating_sub(both) {
        free @ 8.. => format!("   {}", fit(&change.name, free - 3)),
        _ => String::new(),
    };
    let half = match both > room {
        true => room / 2,
        false => room,
    };
    let same = common_prefix(&change.before, &change.after);
    let after = match change.after.as_str() {
        "" => words.nothing_there().to_owned(),
        after => cut_around(after, same, half),
    };
    let before = match change.before.as_str() {
        "" => words.nothing_there().to_owned(),
        before => cut_around(before, same, half),
    };
    format!("{times}{before} -> {after}{name}")
}

/// What a change makes of a field: the part of a text around the change, or the values that go and
/// come.
fn field_change(field: Field, before: &Labels, after: &Labels, cells: usize) -> String {
    let (before, after) = (before.values(field), after.values(field));
    if !field.is_list()
        && let ([before], [after]) = (before, after)
    {
        return cut_around(after, common_prefix(before, after), cells);
    }
    let gone = before.iter().filter(|value| !after.contains(value));
    let come = after.iter().filter(|value| !before.contains(value));
    let gone = gone.map(|value| format!("-{value}"));
    let changes = gone.chain(come.map(|value| format!("+{value}")));
    changes.collect::<Vec<_>>().join(" ")
}

/// Length in bytes of the common prefix of two texts.
fn common_prefix(a: &str, b: &str) -> usize {
    let pairs = a.chars().zip(b.chars());
    let same = pairs.take_while(|(a, b)| a == b);
    same.map(|(c, _)| c.len_utf8()).sum()
}

/// Cuts a text to `cells` so that byte `at` stays visible.
fn cut_around(text: &str, at: usize, cells: usize) -> String {
    if width(text) <= cells {
        return text.to_owned();
    }
    let before = text[..at].chars().rev().take(cells / 5);
    let start = at - before.map(char::len_utf8).sum::<usize>();
    match start {
        0 => fit(text, cells),
        _ => fit(&format!("…{}", &text[start..]), cells),
    }
}

/// Draws the summary in at most a quarter of the area; returns the number of lines.
pub fn draw_summary(
    pending: &PendingPreview,
    session: &Session,
    area: Rect,
    buf: &mut Buffer,
) -> u16 {
    let theme = &session.theme;
    let (lines, style) = match pending.preview() {
        None if pending.is_counting() => (vec![session.words.counting().to_owned()], theme.dim()),
        None => (Vec::new(), theme.dim()),
        Some(preview) => {
            let style = match preview.report.records {
                0 => theme.warn(),
                _ => theme.accent(),
            };
            let max = area.height / 4;
            (
                summary_lines(preview, area.width, max, session.words),
                style,
            )
        }
    };
    for (line, y) in lines.iter().zip(area.top()..area.bottom()) {
        put(buf, area.x, y, area.width, line, style);
    }
    // Before the first count, its line is free.
    lines.len().max(1) as u16
}

/// Draws the summary and as many changed texts as fit, after the first `skip`.
pub fn draw(
    pending: &PendingPreview,
    skip: usize,
    session: &Session,
    area: Rect,
    buf: &mut Buffer,
) {
    let theme = &session.theme;
    let head = draw_summary(pending, session, area, buf);
    let Some(preview) = pending.preview() else {
        return;
    };
    let rows = usize::from(area.height.saturating_sub(head));
    let left = preview.changes.len().saturating_sub(skip);
    for (row, change) in preview.changes.iter().skip(skip).take(rows).enumerate() {
        let y = area.y + head + row as u16;
        if row > 0 && row + 1 == rows && left > rows {
            let words = session.words;
            let text = words.and_more(words.more_texts(left - rows + 1));
            put(buf, area.x, y, area.width, &text, theme.dim());
            break;
        }
        put(
            buf,
            area.x,
            y,
            area.width,
            &change_line(change, area.width, session.words),
            theme.text(),
        );
    }
}

//! The preview that a bulk dialog has asked for, and how it is shown.

use super::Scope;
use crate::record::{Change, ChangePreview, TextChange};
use crate::text::{count, fit, pad, width};
use crate::tui::session::Session;
use crate::tui::widgets::put;
use crate::wording::Words;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// What was counted last, and what is being counted.
#[derive(Debug, Default)]
pub struct PendingPreview {
    asked: Option<(Scope, Change)>,
    number: u64,
    found: Option<ChangePreview>,
}

impl PendingPreview {
    /// Asks for the preview of a change, unless that is what was asked for last.
    pub fn ask(&mut self, scope: Scope, change: Option<Change>, session: &mut Session) {
        let asked = change.map(|change| (scope, change));
        if asked == self.asked {
            return;
        }
        self.found = None;
        if let Some((scope, change)) = &asked {
            let groups = scope.groups(session);
            self.number = session.preview(&groups, change.clone());
        }
        self.asked = asked;
    }

    pub fn take(&mut self, number: u64, preview: ChangePreview) {
        if number == self.number && self.asked.is_some() {
            self.found = Some(preview);
        }
    }

    /// Of the change asked for last, once it is there.
    pub fn found(&self) -> Option<&ChangePreview> {
        self.found.as_ref()
    }

    pub fn is_counting(&self) -> bool {
        self.asked.is_some() && self.found.is_none()
    }

    /// Does the change in all the records, as one step, once it was shown what that does.
    pub fn carry_out(&self, session: &mut Session) -> bool {
        let (Some((scope, change)), Some(found)) = (&self.asked, &self.found) else {
            return false;
        };
        if found.report.records == 0 {
            session.warn(summary(found, session.words));
            return false;
        }
        session.apply(scope.groups(session), change.clone())
    }
}

/// `9 records change; 2 do not have it`.
pub fn summary(found: &ChangePreview, words: Words) -> String {
    let report = &found.report;
    let mut text = match report.records {
        0 => words.nothing_changes().to_owned(),
        1 => words.one_record_changes().to_owned(),
        n => words.records_change(words.records(n)),
    };
    // A change of one field has said so already.
    if matches!(report.change, Change::Replace(_)) && report.records > 0 {
        text.push_str(&format!(": {}", words.fields_in(report)));
    }
    if found.in_names > 0 {
        let names = words.names(found.in_names);
        text.push_str(&format!("; {}", words.protected(names)));
    }
    if let Some(left) = words.left_alone(report) {
        text.push_str(&format!("; {left}"));
    }
    text
}

/// A text as it is and as it would be. Both are shown, so that no color is needed to see the
/// change; of a long one the part around the change.
pub fn place_line(place: &TextChange, cells: u16, words: Words) -> String {
    let times = format!(
        "{:>4}x {} ",
        count(place.records as u64),
        pad(words.field(place.field), 8)
    );
    let room = usize::from(cells).saturating_sub(width(&times) + 4);
    let both = width(&place.before) + width(&place.after);
    let name = match room.saturating_sub(both) {
        free @ 8.. => format!("   {}", fit(&place.name, free - 3)),
        _ => String::new(),
    };
    let half = match both > room {
        true => room / 2,
        false => room,
    };
    let same = common(&place.before, &place.after);
    let after = match place.after.as_str() {
        "" => words.nothing_there().to_owned(),
        after => around(after, same, half),
    };
    let before = match place.before.as_str() {
        "" => words.nothing_there().to_owned(),
        before => around(before, same, half),
    };
    format!("{times}{before} -> {after}{name}")
}

/// Bytes that both texts begin with.
fn common(a: &str, b: &str) -> usize {
    let pairs = a.chars().zip(b.chars());
    let same = pairs.take_while(|(a, b)| a == b);
    same.map(|(c, _)| c.len_utf8()).sum()
}

/// A text cut to `cells` so that what stands at a byte is seen.
pub fn around(text: &str, at: usize, cells: usize) -> String {
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

/// The summary, and as many places as there is room for; `skip` of them are scrolled away.
pub fn draw(
    pending: &PendingPreview,
    skip: usize,
    session: &Session,
    area: Rect,
    buf: &mut Buffer,
) {
    let theme = &session.theme;
    if area.height == 0 {
        return;
    }
    let Some(found) = pending.found() else {
        let text = if pending.is_counting() {
            session.words.counting()
        } else {
            ""
        };
        put(buf, area.x, area.y, area.width, text, theme.dim());
        return;
    };
    let style = match found.report.records {
        0 => theme.warn(),
        _ => theme.accent(),
    };
    put(
        buf,
        area.x,
        area.y,
        area.width,
        &summary(found, session.words),
        style,
    );
    let rows = usize::from(area.height - 1);
    let left = found.changes.len().saturating_sub(skip);
    for (row, place) in found.changes.iter().skip(skip).take(rows).enumerate() {
        let y = area.y + 1 + row as u16;
        if row + 1 == rows && left > rows {
            let text = session.words.and_more(count((left - rows + 1) as u64));
            put(buf, area.x, y, area.width, &text, theme.dim());
            break;
        }
        put(
            buf,
            area.x,
            y,
            area.width,
            &place_line(place, area.width, session.words),
            theme.text(),
        );
    }
}

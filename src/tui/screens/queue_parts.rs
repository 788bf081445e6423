//! Parts of the queue that workbench and gallery share: the filter line, and why the queue is empty.

use crate::record::GroupState;
use crate::record::filter::NEEDS_REVIEW;
use crate::text::{count, plural, rough_duration, width};
use crate::tui::dialogs::Dialog;
use crate::tui::keymap::{Action, KeyContext};
use crate::tui::screens::View;
use crate::tui::session::Session;
use crate::tui::widgets::{fill_line, paragraph, put, wrap_styled};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

/// The filter as it stands or is being typed.
pub fn filter_line(view: &View<'_>, area: Rect, buf: &mut Buffer) {
    let theme = &view.session.theme;
    let queue = &view.session.queue;
    let x = put(buf, area.x, area.y, area.width, "/", theme.key());
    let left = area.right().saturating_sub(x);
    if let Some(Dialog::Filter(form)) = view.dialog {
        let (text, _) = form.edit().window(usize::from(left.saturating_sub(1)));
        let rest = Rect {
            x,
            width: left,
            ..area
        };
        fill_line(&text, theme.cursor(true), rest, buf);
        let typed = width(&text) as u16 + 2;
        if let Some(wrong) = view.session.queue.wrong() {
            let room = left.saturating_sub(typed);
            put(buf, x + typed, area.y, room, wrong, theme.bad());
        }
        return;
    }
    match (queue.wrong(), queue.filter()) {
        (Some(wrong), _) => put(buf, x, area.y, left, wrong, theme.bad()),
        (None, "") => put(buf, x, area.y, left, "everything", theme.dim()),
        (None, text) => put(buf, x, area.y, left, text, theme.accent()),
    };
}

/// Why the queue is empty, or what is left once all is reviewed.
pub fn empty_queue(session: &Session, area: Rect, buf: &mut Buffer) {
    if is_reviewed(session) {
        return what_is_left(session, area, buf);
    }
    let groups = session.records.groups();
    let opening_filter = session.queue.filter() == NEEDS_REVIEW;
    let text = if groups.is_empty() && session.records.source_is_read() {
        "The source holds no item."
    } else if groups.is_empty() {
        "Reading the source..."
    } else if opening_filter {
        "Nothing needs you yet: the model is at work. F4 shows it, \\ shows every item."
    } else {
        "Nothing passes the filter. \\ clears it."
    };
    paragraph(text, session.theme.dim(), area, buf);
}

/// Whether the queue of what needs review has come to its end: at most failed items are in it, and
/// there is something to say about the others.
pub fn is_reviewed(session: &Session) -> bool {
    let groups = session.records.groups();
    let open = groups.open() - groups.count(GroupState::Failed);
    let offered = || groups.ids_where(|summary| summary.offered).next().is_some();
    let coming = groups.count(GroupState::Waiting) + groups.count(GroupState::Running);
    let begun = coming < groups.len() as u64;
    session.queue.filter() == NEEDS_REVIEW && begun && open == 0 && !offered()
}

/// The card at the end of the queue: what is left, with the key for each, and this session in
/// numbers.
pub fn what_is_left(session: &Session, area: Rect, buf: &mut Buffer) {
    let theme = &session.theme;
    let groups = session.records.groups();
    let coming = groups.count(GroupState::Waiting) + groups.count(GroupState::Running);
    let first = match coming > 0 && session.engine.has_model() {
        true => format!(
            "Nothing is left to review yet; the model has {} to go.",
            plural(coming as usize, "item")
        ),
        false => "Nothing is left to review.".to_owned(),
    };
    let mut lines: Vec<Vec<(String, Style)>> = vec![vec![(first, theme.title())], Vec::new()];
    let left = [
        (
            GroupState::Draft,
            "certain",
            Action::CommitCertain,
            "commits all",
        ),
        (
            GroupState::Accepted,
            "accepted",
            Action::CommitAccepted,
            "commits all",
        ),
        (GroupState::Failed, "failed", Action::Failed, "lists them"),
    ];
    for (state, what, action, does) in left {
        let keys = session.keymap.keys_of(KeyContext::Global, action);
        if let (1.., Some(key)) = (groups.count(state), keys.first()) {
            lines.push(vec![
                (
                    format!("{} {what}: ", count(groups.count(state))),
                    theme.text(),
                ),
                (format!("{key} "), theme.key()),
                (does.to_owned(), theme.dim()),
            ]);
        }
    }
    let committed = format!(
        "{} of {} are committed.",
        count(groups.count(GroupState::Committed)),
        count(groups.len() as u64)
    );
    lines.push(Vec::new());
    lines.push(vec![(committed, theme.text())]);
    let tally = session.tally();
    let decided = tally.decided();
    if decided > 0 {
        let pace = session.pace.per_hour(decided);
        let pace = pace.map(|pace| {
            let worked = rough_duration(session.pace.worked().as_secs_f64());
            format!(" in {worked} ({pace:.0} an hour)")
        });
        let efforts = [
            (tally.as_they_were, "as they were"),
            (tally.fixed, "fixed by a digit"),
            (tally.edited, "edited"),
        ];
        let efforts = efforts.iter().filter(|(records, _)| *records > 0);
        let efforts: Vec<String> = efforts
            .map(|(records, how)| format!("{} {how}", count(*records as u64)))
            .collect();
        let text = format!(
            "You decided {}{}: {}.",
            count(decided as u64),
            pace.unwrap_or_default(),
            efforts.join(", "),
        );
        lines.push(vec![(text, theme.text())]);
    }
    let all = session
        .keymap
        .keys_of(KeyContext::Global, Action::ClearFilter);
    if let Some(key) = all.first() {
        lines.push(vec![
            (format!("{key} "), theme.key()),
            ("shows every item.".to_owned(), theme.dim()),
        ]);
    }
    let cells = usize::from(area.width);
    let wrapped = lines.iter().flat_map(|parts| {
        let parts: Vec<(&str, Style)> = parts
            .iter()
            .map(|(text, style)| (&**text, *style))
            .collect();
        match parts.is_empty() {
            true => vec![Line::default()],
            false => wrap_styled(&parts, cells)
                .into_iter()
                .map(Line::from)
                .collect(),
        }
    });
    let wrapped: Vec<Line<'_>> = wrapped.collect();
    crate::tui::widgets::lines(&wrapped, 0, area, buf);
}

//! Parts of the queue that workbench and gallery share: the filter line and the text of an empty
//! queue.

use crate::record::GroupState;
use crate::record::filter::NEEDS_REVIEW;
use crate::text::count;
use crate::tui::dialogs::Dialog;
use crate::tui::keymap::{Action, KeyContext};
use crate::tui::screens::View;
use crate::tui::session::Session;
use crate::tui::widgets::{fill_line, paragraph, put, wrap_styled};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

/// Draws the filter, or the filter being typed.
pub fn filter_line(view: &View<'_>, area: Rect, buf: &mut Buffer) {
    let theme = &view.session.theme;
    let queue = &view.session.queue;
    let words = view.session.words;
    let x = put(buf, area.x, area.y, area.width, "/", theme.key());
    let left = area.right().saturating_sub(x);
    if let Some(Dialog::Filter(form)) = view.dialog {
        let (text, _) = form.edit().window(usize::from(left.saturating_sub(1)));
        let rest = Rect {
            x,
            width: left,
            ..area
        };
        fill_line(&text, theme.cursor(), rest, buf);
        return;
    }
    let x = match queue.filter() {
        "" => put(buf, x, area.y, left, words.everything(), theme.dim()),
        text => put(buf, x, area.y, left, text, theme.accent()),
    };
    // Only a filter that was saved before its view was deleted can have an error.
    if let Some(wrong) = queue.filter_error() {
        let wrong = format!("  ! {}", words.said(wrong));
        let left = area.right().saturating_sub(x);
        put(buf, x, area.y, left, &wrong, theme.bad());
    }
}

/// Draws why the queue is empty, or what is left after the review.
pub fn empty_queue(view: &View<'_>, area: Rect, buf: &mut Buffer) {
    let session = view.session;
    if is_reviewed(session) {
        return draw_end_of_queue(session, area, buf);
    }
    let groups = session.records.groups();
    let typing = view.dialog.is_some_and(Dialog::is_filter);
    let opening_filter = session.queue.filter() == NEEDS_REVIEW && !typing;
    let words = session.words;
    let key = |action| {
        let keys = session.keymap.keys_of(KeyContext::Global, action);
        keys.into_iter().next().unwrap_or_default()
    };
    let all = key(Action::ClearFilter);
    let text = if groups.is_empty() && session.records.source_is_read() {
        words.no_items_in_source().to_owned()
    } else if groups.is_empty() {
        words.reading_source().to_owned()
    } else if opening_filter && session.engine.has_model() {
        words.model_at_work(key(Action::Progress), all)
    } else if opening_filter {
        words.nothing_to_review(all)
    } else if typing {
        words.nothing_passes_yet().to_owned()
    } else {
        words.nothing_passes(all)
    };
    paragraph(&text, session.theme.dim(), area, buf);
}

/// Whether the review is complete: the queue shows what needs review, only failed items are left in
/// it, and some items have been labeled.
pub fn is_reviewed(session: &Session) -> bool {
    let groups = session.records.groups();
    let open = groups.open() - groups.count(GroupState::Failed);
    let has_offers = || groups.ids_where(|summary| summary.offered).next().is_some();
    let coming = groups.count(GroupState::Waiting) + groups.count(GroupState::Running);
    let begun = coming < groups.len() as u64;
    session.queue.filter() == NEEDS_REVIEW && begun && open == 0 && !has_offers()
}

/// A line for each group of records that is left, with the key that handles all of them.
pub fn next_keys(session: &Session) -> Vec<Vec<(String, Style)>> {
    let theme = &session.theme;
    let words = session.words;
    let groups = session.records.groups();
    let mut lines = Vec::new();
    let certain = groups.count(GroupState::Draft);
    let accepted = groups.count(GroupState::Accepted);
    let rejected = groups.rejected_lines();
    let failed = groups.count(GroupState::Failed);
    let left = [
        (
            certain,
            words.left_certain(count(certain)),
            Action::CommitCertain,
            words.commits_all(),
        ),
        (
            accepted,
            words.left_accepted(count(accepted)),
            Action::CommitAccepted,
            words.commits_all(),
        ),
        (
            rejected,
            words.left_rejected(count(rejected)),
            Action::CommitAccepted,
            words.commits_all(),
        ),
        (
            failed,
            words.left_failed(count(failed)),
            Action::Failed,
            words.lists_them(),
        ),
    ];
    for (records, what, action, effect) in left {
        let keys = session.keymap.keys_of(KeyContext::Global, action);
        if let (1.., Some(key)) = (records, keys.first()) {
            lines.push(vec![
                (format!("{what} "), theme.text()),
                (format!("{key} "), theme.key()),
                (effect.to_owned(), theme.dim()),
            ]);
        }
    }
    lines
}

/// Draws the card at the end of the queue: what is left with the key for each, and statistics of
/// the session.
pub fn draw_end_of_queue(session: &Session, area: Rect, buf: &mut Buffer) {
    let theme = &session.theme;
    let words = session.words;
    let groups = session.records.groups();
    let coming = groups.count(GroupState::Waiting) + groups.count(GroupState::Running);
    let first = match coming > 0 && session.engine.has_model() {
        true => words.nothing_left_yet(words.items(coming as usize)),
        false => words.nothing_left().to_owned(),
    };
    let mut lines: Vec<Vec<(String, Style)>> = vec![vec![(first, theme.title())], Vec::new()];
    lines.extend(next_keys(session));
    let all = count(groups.len() as u64);
    let in_labels = words.are_in_labels(count(groups.in_labels()), all);
    lines.push(Vec::new());
    lines.push(vec![(in_labels, theme.text())]);
    let tally = session.tally();
    let decided = tally.decided();
    if decided > 0 {
        let n = |records: usize| count(records as u64);
        let efforts = [
            (tally.unchanged, words.as_they_were(n(tally.unchanged))),
            (tally.fixed, words.by_a_digit(n(tally.fixed))),
            (tally.edited, words.by_hand(n(tally.edited))),
        ];
        let efforts = efforts.into_iter().filter(|(records, _)| *records > 0);
        let efforts: Vec<String> = efforts.map(|(_, how)| how).collect();
        let efforts = efforts.join(", ");
        let text = match session.pace.per_hour(decided) {
            Some(pace) => {
                let worked = words.rough_duration(session.pace.worked().as_secs_f64());
                words.you_decided_in(n(decided), worked, format!("{pace:.0}"), efforts)
            }
            None => words.you_decided(n(decided), efforts),
        };
        lines.push(vec![(text, theme.text())]);
    }
    if groups.count(GroupState::Committed) > 0 {
        let audit = session.audit.as_ref();
        let text = audit.map_or_else(|| words.no_audit().to_owned(), |of| words.audit_line(of));
        let mut line = vec![(text, theme.dim())];
        if let Some(key) = session
            .keymap
            .keys_of(KeyContext::Global, Action::Audit)
            .first()
        {
            line.push((format!(" {key} "), theme.key()));
            line.push((words.begins_audit().to_owned(), theme.dim()));
        }
        lines.push(line);
    }
    let all = session
        .keymap
        .keys_of(KeyContext::Global, Action::ClearFilter);
    if let Some(key) = all.first() {
        lines.push(vec![
            (format!("{key} "), theme.key()),
            (words.shows_every_item().to_owned(), theme.dim()),
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

//! Parts of the queue that workbench and gallery share: the filter line, and why the queue is empty.

use crate::record::GroupState;
use crate::record::filter::NEEDS_REVIEW;
use crate::tui::dialogs::Dialog;
use crate::tui::screens::View;
use crate::tui::session::Session;
use crate::tui::widgets::{fill_line, paragraph, put};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

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
        return;
    }
    match (queue.wrong(), queue.filter()) {
        (Some(wrong), _) => put(buf, x, area.y, left, wrong, theme.bad()),
        (None, "") => put(buf, x, area.y, left, "everything", theme.dim()),
        (None, text) => put(buf, x, area.y, left, text, theme.accent()),
    };
}

/// Why the queue is empty.
pub fn empty_queue(session: &Session, area: Rect, buf: &mut Buffer) {
    let groups = session.records.groups();
    let opening_filter = session.queue.filter() == NEEDS_REVIEW;
    let text = if groups.is_empty() && session.records.source_is_read() {
        "The source holds no item."
    } else if groups.is_empty() {
        "Reading the source..."
    } else if opening_filter
        && groups.count(GroupState::Waiting) + groups.count(GroupState::Running) > 0
        && session.engine.has_model()
    {
        "Nothing needs you yet: the model is at work. F4 shows it, \\ shows every item."
    } else if opening_filter {
        "Nothing needs you now. \\ shows every item."
    } else {
        "Nothing passes the filter. \\ clears it."
    };
    paragraph(text, session.theme.dim(), area, buf);
}

//! All actions with their keys, from the one table.

use super::{clear, lines, pane, wrap_styled};
use crate::record::GroupState;
use crate::tui::action::{ACTIONS, Action, Context};
use crate::tui::app::App;
use crate::tui::layout;
use crate::tui::safe_text::pad;
use crate::tui::theme::sign;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

const KEYS: usize = 22;
/// Under this many cells a description stands under its keys.
const BESIDE: usize = 60;

/// Keys, and what they do beside or under them, over as many lines as it needs.
fn entry(keys: Span<'static>, what: &[(&str, Style)], cells: usize) -> Vec<Line<'static>> {
    let (indent, mut lines) = if cells < BESIDE {
        (2, vec![Line::from(keys)])
    } else {
        let keys = Span::styled(pad(&keys.content, KEYS + 1), keys.style);
        (KEYS + 1, vec![Line::from(keys)])
    };
    for (index, line) in wrap_styled(what, cells.saturating_sub(indent))
        .into_iter()
        .enumerate()
    {
        if index > 0 || cells < BESIDE {
            lines.push(Line::from(" ".repeat(indent)));
        }
        if let Some(last) = lines.last_mut() {
            last.spans.extend(line);
        }
    }
    lines
}

fn text(app: &App) -> Vec<Line<'static>> {
    let theme = &app.theme;
    let cells = usize::from(layout::inner(area(app), true).width);
    let mut out = Vec::new();
    let mut section = "";
    for info in ACTIONS {
        if info.section != section {
            if !section.is_empty() {
                out.push(Line::default());
            }
            section = info.section;
            out.push(Line::styled(section, theme.title()));
        }
        let keys = app.keymap.all_keys_of(info.action).join("  ");
        let places = places(app, info.action);
        let what = [(info.description, theme.text()), (&places, theme.dim())];
        out.extend(entry(Span::styled(keys, theme.key()), &what, cells));
    }
    out.push(Line::default());
    out.push(Line::styled("Signs", theme.title()));
    for state in GroupState::ALL {
        let sign = Span::styled(sign(*state), theme.state(*state));
        out.extend(entry(sign, &[(state.name(), theme.text())], cells));
    }
    let weak = [("a word that the model held weakly", theme.text())];
    out.extend(entry(Span::styled("~", theme.weak()), &weak, cells));
    out
}

/// The panes that an action has keys in, where it has none everywhere.
fn places(app: &App, action: Action) -> String {
    let contexts = app.keymap.contexts_of(action);
    if contexts.is_empty() || contexts.contains(&Context::Global) {
        return String::new();
    }
    let names: Vec<_> = contexts.iter().map(|context| context.name()).collect();
    format!("  {}", names.join(", "))
}

pub fn length(app: &App) -> usize {
    text(app).len()
}

pub fn area(app: &App) -> Rect {
    let body = layout::frame(app.area()).body;
    layout::centered(body, 100, body.height)
}

pub fn draw(app: &App, scroll: usize, buf: &mut Buffer) {
    let area = area(app);
    clear(area, buf);
    let inner = pane(app, area, true, "Keys", true, buf);
    lines(&text(app), scroll, inner, buf);
}

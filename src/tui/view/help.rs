//! All actions with their keys, from the one table.

use super::{clear, lines, pane};
use crate::record::GroupState;
use crate::tui::action::{ACTIONS, Action, Context};
use crate::tui::app::App;
use crate::tui::safe_text::pad;
use crate::tui::theme::sign;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

const KEYS: usize = 22;

fn text(app: &App) -> Vec<Line<'static>> {
    let theme = &app.theme;
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
        out.push(Line::from(vec![
            Span::styled(pad(&keys, KEYS), theme.key()),
            Span::raw(" "),
            Span::styled(info.description, theme.text()),
            Span::styled(places(app, info.action), theme.dim()),
        ]));
    }
    out.push(Line::default());
    out.push(Line::styled("Signs", theme.title()));
    for state in GroupState::ALL {
        out.push(Line::from(vec![
            Span::styled(pad(sign(*state), KEYS), theme.state(*state)),
            Span::raw(" "),
            Span::styled(state.name(), theme.text()),
        ]));
    }
    out.push(Line::from(vec![
        Span::styled(pad("~", KEYS), theme.weak()),
        Span::raw(" "),
        Span::styled("a word that the model held weakly", theme.text()),
    ]));
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

pub fn draw(app: &App, scroll: usize, area: Rect, buf: &mut Buffer) {
    clear(area, buf);
    let inner = pane(app, area, true, "Keys", true, buf);
    lines(&text(app), scroll, inner, buf);
}

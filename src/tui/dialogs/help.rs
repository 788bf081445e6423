//! The help dialog: all actions of the action table with their keys.

use super::{DialogPlace, KeyHint, Modal, Next};
use crate::record::GroupState;
use crate::text::pad;
use crate::tui::keymap::{ACTIONS, Action, Key, KeyContext, KeySequence, Lookup, collapse_digits};
use crate::tui::session::Session;
use crate::tui::theme::sign;
use crate::tui::widgets::layout::inside_border;
use crate::tui::widgets::{clear, focused_pane, lines, wrap_styled};
use crate::wording::Words;
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

const KEYS_WIDTH: usize = 22;
/// Below this width in cells, a description goes under its keys.
const MIN_SIDE_BY_SIDE: usize = 60;

#[derive(Default)]
pub struct Help {
    scroll: usize,
    sequence: KeySequence,
}

impl Help {
    /// The action that the key has in lists.
    fn action(&mut self, key: &KeyEvent, session: &Session) -> Option<Action> {
        let mut found = Lookup::None;
        for key in Key::from_event(key) {
            found = (self.sequence).push(key, KeyContext::Global, &session.keymap);
        }
        match found {
            Lookup::Action(action) => Some(action),
            Lookup::Prefix | Lookup::None => None,
        }
    }
}

impl Modal for Help {
    fn key(
        &mut self,
        key: &KeyEvent,
        escape: bool,
        place: &DialogPlace,
        session: &mut Session,
    ) -> Next {
        let page = usize::from(area(place).height.saturating_sub(4)).max(1);
        let most = text(place, session).len().saturating_sub(page);
        let action = self.action(key, session);
        let scroll = match (action, key.code) {
            _ if escape => return Next::close(),
            (Some(Action::Quit | Action::Help), _) => return Next::close(),
            (Some(Action::Down), _) => self.scroll + 1,
            (Some(Action::Up), _) => self.scroll.saturating_sub(1),
            (Some(Action::PageDown), _) | (_, KeyCode::Char(' ')) => self.scroll + page,
            (Some(Action::PageUp), _) => self.scroll.saturating_sub(page),
            (Some(Action::Top), _) => 0,
            (Some(Action::Bottom), _) => most,
            _ => self.scroll,
        };
        self.scroll = scroll.min(most);
        Next::stay()
    }

    fn areas(&self, place: &DialogPlace, _: &Session) -> Vec<Rect> {
        vec![area(place)]
    }

    fn draw(&self, place: &DialogPlace, session: &Session, buf: &mut Buffer) {
        let area = area(place);
        clear(area, buf);
        let inner = focused_pane(&session.theme, area, session.words.keys_title(), buf);
        lines(&text(place, session), self.scroll, inner, buf);
    }

    fn hints(&self, session: &Session) -> Vec<KeyHint> {
        let words = session.words;
        vec![
            ("j k", words.scroll()),
            ("PageUp PageDown", words.page()),
            ("Home End", words.ends()),
            ("Esc", words.close()),
        ]
    }
}

fn area(place: &DialogPlace) -> Rect {
    place.box_of(100, u16::MAX)
}

/// Lines of one entry: keys, with their description beside or under them.
fn entry(keys: Span<'static>, what: &[(&str, Style)], cells: usize) -> Vec<Line<'static>> {
    let (indent, mut lines) = if cells < MIN_SIDE_BY_SIDE {
        (2, vec![Line::from(keys)])
    } else {
        let keys = Span::styled(pad(&keys.content, KEYS_WIDTH + 1), keys.style);
        (KEYS_WIDTH + 1, vec![Line::from(keys)])
    };
    for (index, line) in wrap_styled(what, cells.saturating_sub(indent))
        .into_iter()
        .enumerate()
    {
        if index > 0 || cells < MIN_SIDE_BY_SIDE {
            lines.push(Line::from(" ".repeat(indent)));
        }
        if let Some(last) = lines.last_mut() {
            last.spans.extend(line);
        }
    }
    lines
}

fn text(place: &DialogPlace, session: &Session) -> Vec<Line<'static>> {
    let theme = &session.theme;
    let cells = usize::from(inside_border(area(place)).width);
    let mut out = Vec::new();
    let words = session.words;
    let mut section = "";
    for info in ACTIONS {
        if words.phrase(info.section) != section {
            if !section.is_empty() {
                out.push(Line::default());
            }
            section = words.phrase(info.section);
            out.push(Line::styled(section, theme.title()));
        }
        let description = words.phrase(info.description);
        for (contexts, keys) in session.keymap.keys_by_contexts(info.action) {
            let keys = collapse_digits(keys).join("  ");
            let places = places(&contexts, words);
            let what = [(description, theme.text()), (&*places, theme.dim())];
            out.extend(entry(Span::styled(keys, theme.key()), &what, cells));
        }
    }
    out.push(Line::default());
    out.push(Line::styled(words.signs(), theme.title()));
    for state in GroupState::ALL {
        let sign = Span::styled(sign(*state), theme.state(*state));
        out.extend(entry(sign, &[(words.state(*state), theme.text())], cells));
    }
    let weak = [(words.weak_word(), theme.text())];
    out.extend(entry(Span::styled("~", theme.weak()), &weak, cells));
    out
}

/// Names of the panes where keys work; empty if they work everywhere.
fn places(contexts: &[KeyContext], words: Words) -> String {
    if contexts.contains(&KeyContext::Global) {
        return String::new();
    }
    let names = contexts.iter();
    let names: Vec<_> = names.map(|context| words.phrase(context.title())).collect();
    format!("  {}", names.join(", "))
}

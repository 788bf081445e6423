//! Find and replace over all records, with every place shown before it is done.

use super::{Confirm, Dialog, DialogPlace, Modal, Next};
use crate::engine::{Command, Match};
use crate::record::{Change, GroupId};
use crate::text::{count, fit, pad, plural, width};
use crate::tui::session::Session;
use crate::tui::widgets::layout::inner;
use crate::tui::widgets::{TextEdit, clear, edit_line, pane, put};
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// Cells before the texts being typed.
const LABEL: u16 = 12;

#[derive(Default)]
pub struct ReplaceForm {
    find: TextEdit,
    with: TextEdit,
    /// The second text is being typed.
    second: bool,
    /// What the engine found for a text; shown only while the text is still that.
    found: Option<(String, Vec<Match>)>,
    top: usize,
}

impl ReplaceForm {
    /// Takes what the engine found.
    pub fn set_found(&mut self, text: String, matches: Vec<Match>) {
        self.found = Some((text, matches));
    }

    /// The matches of the text as it now stands.
    fn matches(&self) -> Option<&[Match]> {
        let (text, matches) = self.found.as_ref()?;
        (text == self.find.text()).then_some(matches)
    }

    fn groups(&self) -> Vec<GroupId> {
        let matches = self.matches().unwrap_or_default();
        let mut groups: Vec<GroupId> = matches.iter().map(|found| found.group).collect();
        groups.dedup();
        groups
    }

    fn edited(&mut self) -> &mut TextEdit {
        match self.second {
            true => &mut self.with,
            false => &mut self.find,
        }
    }

    /// Looks for the text to find where it is another one.
    fn look_up(&mut self, session: &mut Session) {
        self.top = 0;
        let text = self.find.text().to_owned();
        if !text.is_empty() && self.found.as_ref().is_none_or(|(old, _)| *old != text) {
            session.send(Command::Find { text });
        }
    }

    fn confirm(&self, groups: Vec<GroupId>) -> Dialog {
        let places = self.matches().map_or(0, <[Match]>::len);
        let (find, with) = (self.find.text().to_owned(), self.with.text().to_owned());
        let question = format!(
            "Replace `{find}` with `{with}` in {places} places of {} records?",
            groups.len()
        );
        let detail = "One step; undo takes all of it back.".to_owned();
        let change = Change::Replace { find, with };
        Dialog::Confirm(Confirm::new(
            question,
            detail,
            Command::Apply { groups, change },
        ))
    }

    /// A match as it is and as it would be. Both texts are shown, so that no color is needed to
    /// see the change.
    fn match_line(&self, found: &Match, session: &Session, cells: u16) -> String {
        let name = session
            .records
            .get(found.group)
            .map_or("", |summary| summary.name.as_str());
        let (find, with) = (self.find.text(), self.with.text());
        let new = found.text.replace(find, with);
        let half = usize::from(cells.saturating_sub(26)) / 2;
        format!(
            "{} {} {} -> {}",
            pad(name, 14),
            pad(found.field.name(), 7),
            pad(&around(&found.text, find, half), half),
            around(&new, with, half)
        )
    }
}

fn area(place: &DialogPlace) -> Rect {
    place.box_of(90, 30)
}

impl Modal for ReplaceForm {
    fn key(
        &mut self,
        key: &KeyEvent,
        escape: bool,
        _: &DialogPlace,
        session: &mut Session,
    ) -> Next {
        match key.code {
            _ if escape => return Next::close(),
            KeyCode::Tab | KeyCode::BackTab => self.second = !self.second,
            KeyCode::Enter if !self.second => self.second = true,
            KeyCode::Enter => {
                let groups = self.groups();
                if !groups.is_empty() {
                    return Next::open(self.confirm(groups));
                }
            }
            KeyCode::PageDown | KeyCode::Down => {
                let len = self.matches().map_or(0, <[Match]>::len);
                self.top = (self.top + 1).min(len.saturating_sub(1));
            }
            KeyCode::PageUp | KeyCode::Up => self.top = self.top.saturating_sub(1),
            _ => {
                self.edited().key(key);
                if !self.second {
                    self.look_up(session);
                }
            }
        }
        Next::stay()
    }

    fn paste(&mut self, text: &str, session: &mut Session) {
        self.edited().insert(text);
        self.look_up(session);
    }

    fn areas(&self, place: &DialogPlace, _: &Session) -> Vec<Rect> {
        vec![area(place)]
    }

    fn draw(&self, place: &DialogPlace, session: &Session, buf: &mut Buffer) {
        let theme = &session.theme;
        let area = area(place);
        clear(area, buf);
        let title = match area.width {
            60.. => "Find and replace in labels, tags and queries",
            _ => "Find and replace",
        };
        let area = pane(theme, area, true, title, true, buf);
        let edits = [("find", &self.find), ("replace by", &self.with)];
        for ((row, (name, edit)), y) in edits.into_iter().enumerate().zip(area.top()..area.bottom())
        {
            let here = self.second == (row == 1);
            let mark = if here { ">" } else { " " };
            put(buf, area.x, y, LABEL, &format!("{mark}{name}"), theme.dim());
            let value = Rect {
                x: area.x + LABEL,
                y,
                width: area.width.saturating_sub(LABEL),
                height: 1,
            };
            edit_line(edit, theme.chip(), value, buf);
        }
        let y = area.y + 2;
        if y >= area.bottom() {
            return;
        }
        let Some(matches) = self.matches() else {
            let text = match self.find.text() {
                "" => "",
                _ => "looking...",
            };
            put(buf, area.x, y, area.width, text, theme.dim());
            return;
        };
        let text = format!(
            "{} in {}",
            plural(matches.len(), "place"),
            plural(self.groups().len(), "record")
        );
        put(buf, area.x, y, area.width, &text, theme.accent());
        let rows = usize::from(area.height.saturating_sub(3));
        let more = matches.len().saturating_sub(self.top + rows);
        for (row, found) in matches.iter().skip(self.top).take(rows).enumerate() {
            let y = area.y + 3 + row as u16;
            if row + 1 == rows && more > 0 {
                let text = format!("and {} more", count(more as u64 + 1));
                put(buf, area.x, y, area.width, &text, theme.dim());
                break;
            }
            let line = self.match_line(found, session, area.width);
            put(buf, area.x, y, area.width, &line, theme.text());
        }
    }

    fn cursor(&self, place: &DialogPlace, _: &Session) -> Option<Position> {
        let area = inner(area(place), true);
        let edit = if self.second { &self.with } else { &self.find };
        let (_, at) = edit.window(usize::from(area.width.saturating_sub(LABEL + 1)));
        let y = area.y + u16::from(self.second);
        Some(Position::new(area.x + LABEL + at as u16, y))
    }

    fn hints(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("Enter", "next, replace"),
            ("Tab", "other field"),
            ("Up Down", "scroll"),
            ("Esc", "close"),
        ]
    }
}

/// A text cut to `cells` so that `word` is seen.
fn around(text: &str, word: &str, cells: usize) -> String {
    if width(text) <= cells || word.is_empty() {
        return fit(text, cells);
    }
    let at = text.find(word).unwrap_or(0);
    let back: usize = text[..at]
        .chars()
        .rev()
        .take(cells / 5)
        .map(char::len_utf8)
        .sum();
    let start = at - back;
    if start == 0 {
        return fit(text, cells);
    }
    fit(&format!("…{}", &text[start..]), cells)
}

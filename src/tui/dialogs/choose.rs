//! Chooses the attribute to change in many records: add, remove or replace one value. A whole list
//! of many records is never overwritten.

use super::{Dialog, DialogPlace, Modal, Next, PromptPurpose};
use crate::record::{Field, GroupId};
use crate::text::plural;
use crate::tui::session::Session;
use crate::tui::widgets::{clear, fill_line, pane};
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

/// What is done to the lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ListEdit {
    Add,
    Remove,
    Replace,
}

impl ListEdit {
    const ALL: [Self; 3] = [Self::Add, Self::Remove, Self::Replace];

    fn stepped(self, by: usize) -> Self {
        Self::ALL[(self as usize + by) % Self::ALL.len()]
    }
}

pub struct ChooseAttribute {
    groups: Vec<GroupId>,
    edit: ListEdit,
    at: usize,
}

fn fields() -> Vec<Field> {
    Field::shared().map(|(field, _)| field).collect()
}

fn area(place: &DialogPlace) -> Rect {
    place.box_of(50, fields().len() as u16 + 2)
}

impl ChooseAttribute {
    pub fn new(groups: Vec<GroupId>) -> Self {
        Self {
            groups,
            edit: ListEdit::Add,
            at: 1,
        }
    }

    /// Describes what choosing this field does.
    fn describe(&self, field: Field) -> String {
        let key = field.key();
        match self.edit {
            _ if !field.is_list() => format!("set {key}"),
            ListEdit::Add => format!("add a value to {key}"),
            ListEdit::Remove => format!("remove a value from {key}"),
            ListEdit::Replace => format!("replace a value of {key}"),
        }
    }

    fn purpose(&self) -> PromptPurpose {
        let field = fields()[self.at];
        let groups = self.groups.clone();
        match self.edit {
            _ if !field.is_list() => PromptPurpose::Set { field, groups },
            ListEdit::Add => PromptPurpose::Add { field, groups },
            ListEdit::Remove => PromptPurpose::Remove { field, groups },
            ListEdit::Replace => PromptPurpose::RenameWhich { field, groups },
        }
    }
}

impl Modal for ChooseAttribute {
    fn key(&mut self, key: &KeyEvent, escape: bool, _: &DialogPlace, _: &mut Session) -> Next {
        match key.code {
            _ if escape => return Next::close(),
            KeyCode::Down | KeyCode::Char('j' | 'ㅓ') => {
                self.at = (self.at + 1).min(fields().len() - 1);
            }
            KeyCode::Up | KeyCode::Char('k' | 'ㅏ') => self.at = self.at.saturating_sub(1),
            KeyCode::Right | KeyCode::Tab | KeyCode::Char('l' | 'ㅣ') => {
                self.edit = self.edit.stepped(1);
            }
            KeyCode::Left | KeyCode::BackTab | KeyCode::Char('h' | 'ㅗ') => {
                self.edit = self.edit.stepped(2);
            }
            KeyCode::Enter => return Next::open(Dialog::prompt(self.purpose(), "")),
            _ => {}
        }
        Next::stay()
    }

    fn areas(&self, place: &DialogPlace, _: &Session) -> Vec<Rect> {
        vec![area(place)]
    }

    fn draw(&self, place: &DialogPlace, session: &Session, buf: &mut Buffer) {
        let theme = &session.theme;
        let area = area(place);
        clear(area, buf);
        let title = format!("What to do to {}?", plural(self.groups.len(), "record"));
        let inner = pane(theme, area, true, &title, true, buf);
        let fields = fields().into_iter().enumerate();
        for (row, field) in fields.take(usize::from(inner.height)) {
            let here = row == self.at;
            let mark = if here { ">" } else { " " };
            let style = if here {
                theme.cursor(true)
            } else {
                theme.text()
            };
            let y = inner.y + row as u16;
            let text = format!("{mark} {}", self.describe(field));
            fill_line(&text, style, Rect { y, ..inner }, buf);
        }
    }

    fn hints(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("Enter", "choose"),
            ("Left Right", "add, remove or replace"),
            ("Esc", "close"),
        ]
    }
}

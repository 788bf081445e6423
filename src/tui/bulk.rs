//! One value in or out of a list of many records; a whole list of many is never overwritten.

use super::app::App;
use super::dialog::{Dialog, Input, Purpose};
use crate::record::{Field, GroupId};
use crossterm::event::{KeyCode, KeyEvent};

/// What is done to the lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListEdit {
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

/// Which attribute, and what is done to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Choose {
    pub groups: Vec<GroupId>,
    pub edit: ListEdit,
    pub at: usize,
}

impl Choose {
    pub fn fields() -> Vec<Field> {
        Field::shared().map(|(field, _)| field).collect()
    }

    pub fn new(groups: Vec<GroupId>) -> Self {
        Self {
            groups,
            edit: ListEdit::Add,
            at: 1,
        }
    }

    /// What choosing this field does, in words.
    pub fn deed(&self, field: Field) -> String {
        let key = field.key();
        match self.edit {
            _ if !field.is_list() => format!("set {key}"),
            ListEdit::Add => format!("add a value to {key}"),
            ListEdit::Remove => format!("remove a value from {key}"),
            ListEdit::Replace => format!("replace a value of {key}"),
        }
    }
}

impl App {
    pub(super) fn choose_key(&mut self, key: &KeyEvent, mut choose: Choose, escape: bool) {
        let fields = Choose::fields();
        let last = fields.len() - 1;
        match key.code {
            _ if escape => return,
            KeyCode::Down | KeyCode::Char('j' | 'ㅓ') => choose.at = (choose.at + 1).min(last),
            KeyCode::Up | KeyCode::Char('k' | 'ㅏ') => choose.at = choose.at.saturating_sub(1),
            KeyCode::Right | KeyCode::Tab | KeyCode::Char('l' | 'ㅣ') => {
                choose.edit = choose.edit.stepped(1);
            }
            KeyCode::Left | KeyCode::BackTab | KeyCode::Char('h' | 'ㅗ') => {
                choose.edit = choose.edit.stepped(2);
            }
            KeyCode::Enter => {
                let Choose { groups, edit, at } = choose;
                let field = fields[at];
                let purpose = match edit {
                    _ if !field.is_list() => Purpose::Set { field, groups },
                    ListEdit::Add => Purpose::Add { field, groups },
                    ListEdit::Remove => Purpose::Remove { field, groups },
                    ListEdit::Replace => Purpose::RenameWhich { field, groups },
                };
                return self.open(Dialog::Input(Input::new(purpose, "")));
            }
            _ => {}
        }
        self.dialog = Some(Dialog::Choose(choose));
    }
}

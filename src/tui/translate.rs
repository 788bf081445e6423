//! Bringing words into the vocabulary: over what, and what it would do before it is done.

use super::app::{App, Screen};
use super::dialog::Dialog;
use crate::engine::Command;
use crate::record::{Change, GroupId, VocabularyPreview};
use crossterm::event::{KeyCode, KeyEvent};

/// Which records it is done to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The record in hand.
    Record,
    Selection,
    /// Everything that the filter shows.
    Shown,
}

#[derive(Debug, Clone, PartialEq)]
pub struct TranslateForm {
    pub scope: Scope,
    pub groups: Vec<GroupId>,
    /// What the engine counted; `None` until it has.
    pub preview: Option<VocabularyPreview>,
    /// First word that is shown.
    pub top: usize,
}

impl App {
    /// Opens the preview: over the selection in the gallery, else over the record in hand.
    pub(super) fn open_translate(&mut self) {
        let scope = match self.screen {
            Screen::Gallery if !self.selected.is_empty() => Scope::Selection,
            _ => Scope::Record,
        };
        self.preview_translate(scope);
    }

    fn preview_translate(&mut self, scope: Scope) {
        let groups: Vec<GroupId> = match scope {
            Scope::Record => self.current.into_iter().collect(),
            Scope::Selection => self.selected.iter().copied().collect(),
            Scope::Shown => (0..self.queue.rows.len())
                .filter_map(|row| Some(self.row(row)?.id))
                .collect(),
        };
        if groups.is_empty() {
            return self.refuse_prompt("There is no item in this list.");
        }
        self.open(Dialog::Translate(TranslateForm {
            scope,
            groups: groups.clone(),
            preview: None,
            top: 0,
        }));
        self.send(Command::PreviewVocabulary { groups });
    }

    pub(super) fn translate_previewed(&mut self, groups: &[GroupId], preview: VocabularyPreview) {
        if let Some(Dialog::Translate(form)) = &mut self.dialog
            && form.groups == groups
        {
            form.preview = Some(preview);
        }
    }

    pub(super) fn translate_key(&mut self, key: &KeyEvent, mut form: TranslateForm, escape: bool) {
        let words = form.preview.as_ref().map_or(0, |found| found.words.len());
        match key.code {
            _ if escape => return,
            KeyCode::Char('n' | 'N' | 'q' | 'ㅜ') => return,
            // ㅛ stands on the key of y, ㅇ on that of d.
            KeyCode::Char('y' | 'Y' | 'ㅛ') => return self.translate(form, false),
            KeyCode::Char('d' | 'D' | 'ㅇ') => return self.translate(form, true),
            KeyCode::Tab | KeyCode::BackTab => {
                let next = match form.scope {
                    Scope::Record if !self.selected.is_empty() => Scope::Selection,
                    Scope::Record | Scope::Selection => Scope::Shown,
                    Scope::Shown => Scope::Record,
                };
                return self.preview_translate(next);
            }
            KeyCode::Down | KeyCode::Char('j' | 'ㅓ') => form.top += 1,
            KeyCode::PageDown => form.top += 10,
            KeyCode::Up | KeyCode::Char('k' | 'ㅏ') => form.top = form.top.saturating_sub(1),
            KeyCode::PageUp => form.top = form.top.saturating_sub(10),
            _ => {}
        }
        form.top = form.top.min(words.saturating_sub(1));
        self.dialog = Some(Dialog::Translate(form));
    }

    /// Does what the preview shows, as one step.
    fn translate(&mut self, form: TranslateForm, drop_unknown: bool) {
        let Some(found) = &form.preview else {
            // Nobody says yes to what is not shown yet.
            self.dialog = Some(Dialog::Translate(form));
            return;
        };
        if found.translated == 0 && (!drop_unknown || found.with_unknown == 0) {
            let what = match drop_unknown {
                true => "nothing to translate or drop",
                false => "nothing to translate",
            };
            return self.say(what.to_owned());
        }
        self.apply(form.groups, Change::Canonicalize { drop_unknown });
    }
}

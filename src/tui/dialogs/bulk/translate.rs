//! Translates words into the vocabulary, in a choice of records, after a preview.

use super::Scope;
use crate::engine::Command;
use crate::record::{Change, GroupId, VocabularyPreview, WordChange};
use crate::text::{count, plural};
use crate::tui::dialogs::{Dialog, DialogPlace, Modal, Next};
use crate::tui::session::Session;
use crate::tui::widgets::{clear, pane, put};
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub struct TranslateForm {
    scope: Scope,
    groups: Vec<GroupId>,
    /// What the engine counted; `None` until it has.
    preview: Option<VocabularyPreview>,
    /// The first word that is shown.
    top: usize,
}

impl TranslateForm {
    /// The dialog over these records; requests the preview from the engine.
    pub fn open(scope: Scope, session: &mut Session) -> Dialog {
        let groups = scope.groups(session);
        if groups.is_empty() {
            return Dialog::refusal("There is no item in this list.");
        }
        session.send(Command::PreviewVocabulary {
            groups: groups.clone(),
        });
        Dialog::Translate(Self {
            scope,
            groups,
            preview: None,
            top: 0,
        })
    }

    /// Takes what the engine counted for these groups.
    pub fn set_preview(&mut self, groups: &[GroupId], preview: VocabularyPreview) {
        if self.groups == groups {
            self.preview = Some(preview);
        }
    }

    fn area(&self, place: &DialogPlace) -> Rect {
        let words = self.preview.as_ref().map_or(0, |found| found.words.len());
        // Border, what it is about, three lines of counts, the words.
        place.box_of(76, (words as u16).saturating_add(6).clamp(8, 24))
    }

    /// Does what the preview shows, as one step.
    fn translate(&self, drop_unknown: bool, session: &mut Session) -> Next {
        let Some(found) = &self.preview else {
            // No answer counts before the preview is shown.
            return Next::stay();
        };
        if found.translated == 0 && (!drop_unknown || found.with_unknown == 0) {
            session.notify(match drop_unknown {
                true => "nothing to translate or drop",
                false => "nothing to translate",
            });
            return Next::close();
        }
        session.apply(self.groups.clone(), Change::Canonicalize { drop_unknown });
        Next::close()
    }

    fn about(&self) -> String {
        format!("Of {}", self.scope.describe(self.groups.len()))
    }
}

impl Modal for TranslateForm {
    fn key(
        &mut self,
        key: &KeyEvent,
        escape: bool,
        _: &DialogPlace,
        session: &mut Session,
    ) -> Next {
        let words = self.preview.as_ref().map_or(0, |found| found.words.len());
        match key.code {
            _ if escape => return Next::close(),
            KeyCode::Char('n' | 'N' | 'q' | 'ㅜ') => return Next::close(),
            // ㅛ stands on the key of y, ㅇ on that of d.
            KeyCode::Char('y' | 'Y' | 'ㅛ') => return self.translate(false, session),
            KeyCode::Char('d' | 'D' | 'ㅇ') => return self.translate(true, session),
            KeyCode::Tab | KeyCode::BackTab => {
                let next = self.scope.next(session);
                return Next::open(Self::open(next, session));
            }
            KeyCode::Down | KeyCode::Char('j' | 'ㅓ') => self.top += 1,
            KeyCode::PageDown => self.top += 10,
            KeyCode::Up | KeyCode::Char('k' | 'ㅏ') => self.top = self.top.saturating_sub(1),
            KeyCode::PageUp => self.top = self.top.saturating_sub(10),
            _ => {}
        }
        self.top = self.top.min(words.saturating_sub(1));
        Next::stay()
    }

    fn areas(&self, place: &DialogPlace, _: &Session) -> Vec<Rect> {
        vec![self.area(place)]
    }

    fn draw(&self, place: &DialogPlace, session: &Session, buf: &mut Buffer) {
        let theme = &session.theme;
        let area = self.area(place);
        clear(area, buf);
        let inner = pane(
            theme,
            area,
            true,
            "Translate into the vocabulary",
            true,
            buf,
        );
        let line = |row: u16, text: &str, style, buf: &mut Buffer| {
            if row < inner.height {
                put(buf, inner.x, inner.y + row, inner.width, text, style);
            }
        };
        line(0, &self.about(), theme.text(), buf);
        let Some(found) = &self.preview else {
            return line(1, "counting...", theme.dim(), buf);
        };
        line(1, &translated(found), theme.accent(), buf);
        line(2, &unknown(found), theme.warn(), buf);
        if found.without_draft > 0 {
            let text = format!(
                "{} without a draft stay as they are",
                count(found.without_draft as u64)
            );
            line(3, &text, theme.dim(), buf);
        }
        let rows = usize::from(inner.height.saturating_sub(4));
        let more = found.words.len().saturating_sub(self.top + rows);
        for (row, word) in found.words.iter().skip(self.top).take(rows).enumerate() {
            let at = 4 + row as u16;
            if row + 1 == rows && more > 0 {
                let text = format!("and {} more", count(more as u64 + 1));
                line(at, &text, theme.dim(), buf);
                break;
            }
            line(at, &word_change(word), theme.text(), buf);
        }
    }

    fn hints(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("y", "translate"),
            ("d", "translate and drop unknown"),
            ("Tab", "other records"),
            ("Esc", "close"),
        ]
    }
}

fn translated(found: &VocabularyPreview) -> String {
    let words = found
        .words
        .iter()
        .filter(|word| !word.to.is_empty())
        .count();
    match words {
        0 => "y: nothing to translate".to_owned(),
        _ => format!(
            "y: {} translated in {}",
            plural(words, "word"),
            plural(found.translated, "record")
        ),
    }
}

fn unknown(found: &VocabularyPreview) -> String {
    let unknown = found.words.iter().filter(|word| word.drops());
    match unknown.count() {
        0 => "no word would have to be dropped".to_owned(),
        words => format!(
            "d: the same, and drops {} in {}; y keeps them",
            plural(words, "unknown word"),
            plural(found.with_unknown, "record")
        ),
    }
}

fn word_change(word: &WordChange) -> String {
    let to = match (&word.to[..], &word.unknown[..]) {
        ([], _) => "unknown".to_owned(),
        (to, []) => to.join(", "),
        (to, unknown) => format!("{}, unknown: {}", to.join(", "), unknown.join(", ")),
    };
    format!(
        "{:>6}  {}: {} -> {to}",
        count(word.records as u64),
        word.field.name(),
        word.from
    )
}

//! Translates words of many records into the vocabulary, after a preview.

use super::Scope;
use crate::engine::Command;
use crate::record::{Change, GroupId, VocabularyPreview, WordChange};
use crate::text::count;
use crate::tui::dialogs::{Dialog, DialogPlace, KeyHint, Modal, Next};
use crate::tui::session::Session;
use crate::tui::widgets::{clear, focused_pane, put};
use crate::wording::Words;
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

pub struct TranslateForm {
    scope: Scope,
    groups: Vec<GroupId>,
    /// The preview from the engine; `None` until it arrives.
    preview: Option<VocabularyPreview>,
    /// Index of the first word on screen.
    top: usize,
}

impl TranslateForm {
    /// Opens the dialog for these records and requests the preview from the engine.
    pub fn open(scope: Scope, session: &mut Session) -> Dialog {
        let groups = scope.groups(session);
        if groups.is_empty() {
            return Dialog::refusal(session.words.no_item());
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

    /// Takes the preview, if it is for these groups.
    pub fn set_preview(&mut self, groups: &[GroupId], preview: VocabularyPreview) {
        if self.groups == groups {
            self.preview = Some(preview);
        }
    }

    fn area(&self, place: &DialogPlace) -> Rect {
        let words = self.preview.as_ref().map_or(0, |found| found.words.len());
        // Border, heading, three lines of counts, the words.
        place.box_of(76, (words as u16).saturating_add(6).clamp(8, 24))
    }

    /// Applies the translation in one step.
    fn translate(&self, drop_unknown: bool, session: &mut Session) -> Next {
        let Some(found) = &self.preview else {
            // The operator has not seen the preview yet.
            return Next::stay();
        };
        if found.translated == 0 && (!drop_unknown || found.with_unknown == 0) {
            session.notify(match drop_unknown {
                true => session.words.nothing_to_translate_or_drop(),
                false => session.words.nothing_to_translate(),
            });
            return Next::close();
        }
        session.apply(self.groups.clone(), Change::Canonicalize { drop_unknown });
        Next::close()
    }

    fn about(&self, words: Words) -> String {
        words.of_scope(self.scope.describe(self.groups.len(), words))
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
            // ㅛ is on the Y key and ㅇ on the D key of a Korean keyboard.
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
        let words = session.words;
        let inner = focused_pane(theme, area, words.translate_title(), buf);
        let line = |row: u16, text: &str, style, buf: &mut Buffer| {
            if row < inner.height {
                put(buf, inner.x, inner.y + row, inner.width, text, style);
            }
        };
        line(0, &self.about(words), theme.text(), buf);
        let Some(found) = &self.preview else {
            return line(1, words.counting(), theme.dim(), buf);
        };
        line(1, &translated(found, words), theme.accent(), buf);
        line(2, &unknown(found, words), theme.warn(), buf);
        if found.without_draft > 0 {
            let text = words.without_draft_stay(count(found.without_draft as u64));
            line(3, &text, theme.dim(), buf);
        }
        let rows = usize::from(inner.height.saturating_sub(4));
        let more = found.words.len().saturating_sub(self.top + rows);
        for (row, word) in found.words.iter().skip(self.top).take(rows).enumerate() {
            let at = 4 + row as u16;
            if row + 1 == rows && more > 0 {
                let text = words.and_more(words.more_words(more + 1));
                line(at, &text, theme.dim(), buf);
                break;
            }
            line(at, &word_change(word, words), theme.text(), buf);
        }
    }

    fn hints(&self, session: &Session) -> Vec<KeyHint> {
        let words = session.words;
        vec![
            ("y", words.translate_do()),
            ("d", words.translate_and_drop_unknown()),
            ("Tab", words.other_records()),
            ("Esc", words.close()),
        ]
    }
}

fn translated(found: &VocabularyPreview, words: Words) -> String {
    let all = found.words.iter();
    match all.filter(|word| !word.to.is_empty()).count() {
        0 => words.y_nothing_to_translate().to_owned(),
        n => words.y_translates(words.vocabulary_words(n), words.records(found.translated)),
    }
}

fn unknown(found: &VocabularyPreview, words: Words) -> String {
    let unknown = found.words.iter().filter(|word| word.drops());
    match unknown.count() {
        0 => words.nothing_to_drop().to_owned(),
        n => words.d_drops(words.unknown_words(n), words.records(found.with_unknown)),
    }
}

fn word_change(word: &WordChange, words: Words) -> String {
    let to = match (&word.to[..], &word.unknown[..]) {
        ([], _) => words.unknown().to_owned(),
        (to, []) => to.join(", "),
        (to, unknown) => words.and_unknown(to.join(", "), unknown.join(", ")),
    };
    format!(
        "{:>6}  {}: {} -> {to}",
        count(word.records as u64),
        words.field(word.field),
        word.from
    )
}

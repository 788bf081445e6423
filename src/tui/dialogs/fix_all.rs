//! Applies one kind of fix to many records, after a preview of the result.

use super::bulk::Scope;
use super::{Dialog, DialogPlace, KeyHint, Modal, Next};
use crate::engine::Command;
use crate::record::fixes::FixPreview;
use crate::record::{Change, Field, FixKind, GroupId, Reason};
use crate::text::{count, wrap};
use crate::tui::session::Session;
use crate::tui::widgets::layout::inside_border;
use crate::tui::widgets::{clear, focused_pane, put};
use crate::wording::Words;
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Largest size of the box, in cells and lines.
const WIDTH: u16 = 76;
const HEIGHT: u16 = 24;

pub struct FixAllForm {
    reason: Reason,
    kind: FixKind,
    scope: Scope,
    groups: Vec<GroupId>,
    /// The preview from the engine; `None` until it arrives.
    preview: Option<FixPreview>,
    /// The first line on screen.
    top: usize,
}

impl FixAllForm {
    /// Opens the dialog for the records with this reason and requests the preview from the engine.
    pub fn open(reason: Reason, kind: FixKind, scope: Scope, session: &mut Session) -> Dialog {
        let groups = groups(reason, scope, session);
        if groups.is_empty() {
            let reason = session.words.reason_code(reason);
            return Dialog::refusal(session.words.no_open_record_has(reason));
        }
        session.send(Command::PreviewFix {
            groups: groups.clone(),
            reason,
            kind,
        });
        Dialog::FixAll(Self {
            reason,
            kind,
            scope,
            groups,
            preview: None,
            top: 0,
        })
    }

    /// Takes the preview, if it is for these groups and this fix.
    pub fn set_preview(&mut self, groups: &[GroupId], kind: FixKind, preview: FixPreview) {
        if self.groups == groups && self.kind == kind {
            self.preview = Some(preview);
        }
    }

    fn area(&self, place: &DialogPlace, session: &Session) -> Rect {
        let cells = place.room(WIDTH, HEIGHT).width.min(WIDTH).saturating_sub(2);
        // The border and an empty line.
        let rows = self.lines(session, cells).len() as u16 + 3;
        place.box_of(WIDTH, rows.clamp(7, HEIGHT))
    }

    /// Scrolls the preview.
    fn scroll(&mut self, by: isize, place: &DialogPlace, session: &Session) {
        let inner = inside_border(self.area(place, session));
        let lines = self.lines(session, inner.width).len();
        let last = lines.saturating_sub(inner.height.into());
        self.top = self.top.saturating_add_signed(by).min(last);
    }

    /// The heading and the preview: how many records have each reason before and after, examples.
    fn lines(&self, session: &Session, cells: u16) -> Vec<(String, Style)> {
        let (theme, words) = (&session.theme, session.words);
        let head = self.head(words, usize::from(cells)).into_iter();
        let mut lines: Vec<(String, Style)> = head
            .map(|(text, does)| (text, if does { theme.accent() } else { theme.text() }))
            .collect();
        let Some(found) = &self.preview else {
            lines.push((words.counting().to_owned(), theme.dim()));
            return lines;
        };
        // The reason to fix comes first.
        let mut reasons: Vec<_> = changed(found).collect();
        reasons.sort_by_key(|(reason, ..)| *reason != self.reason);
        for (reason, before, after) in reasons {
            let style = match after > before {
                true => theme.warn(),
                false => theme.text(),
            };
            let text = format!(
                "{:>6} -> {:<6} {}",
                count(*before as u64),
                count(*after as u64),
                words.reason_code(*reason)
            );
            lines.push((text, style));
        }
        lines.push((String::new(), theme.text()));
        for example in &found.examples {
            // A label is recognized without its field name.
            let of = match example.field {
                Field::LabelKo => String::new(),
                field => format!("{}: ", words.field(field)),
            };
            lines.push((format!("- {of}{}", example.before), theme.dim()));
            lines.push((format!("+ {of}{}", example.after), theme.text()));
        }
        lines
    }

    /// The heading lines: the records and, once the preview is there, the effect of the fix. The
    /// flag marks lines about the effect.
    fn head(&self, words: Words, cells: usize) -> Vec<(String, bool)> {
        let about = wrap(&self.about(words), cells).into_iter();
        let mut head: Vec<(String, bool)> = about.map(|line| (line, false)).collect();
        if let Some(found) = &self.preview {
            let fix = words.phrase(self.kind.title());
            let records = words.records(found.records);
            let does = match found.left {
                0 => words.y_fixes(fix, records),
                left => words.y_fixes_leaving(fix, records, count(left as u64)),
            };
            let does = wrap(&does, cells).into_iter();
            head.extend(does.map(|line| (line, true)));
        }
        head
    }

    fn apply(&self, session: &mut Session) -> Next {
        let Some(found) = &self.preview else {
            // The operator has not seen the preview yet.
            return Next::stay();
        };
        if found.records == 0 {
            session.notify(session.words.nothing_to_fix());
            return Next::close();
        }
        let change = Change::Fix {
            reason: self.reason,
            kind: self.kind,
        };
        session.apply(self.groups.clone(), change);
        Next::close()
    }

    fn about(&self, words: Words) -> String {
        let records = words.records(self.groups.len());
        let reason = words.reason_code(self.reason);
        match self.scope {
            Scope::Selection => words.with_reason_selected(records, reason),
            Scope::Shown => words.with_reason_shown(records, reason),
            Scope::Family => words.with_reason_family(records, reason),
            Scope::Record | Scope::All => words.with_reason_all(records, reason),
        }
    }
}

/// The records of the scope that have the reason and that no person has decided.
fn groups(reason: Reason, scope: Scope, session: &Session) -> Vec<GroupId> {
    let is_open = |id: &GroupId| {
        session
            .records
            .get(*id)
            .is_some_and(|summary| !summary.state.is_decided() && summary.reasons.contains(&reason))
    };
    let groups = scope.groups(session).into_iter();
    groups.filter(is_open).collect()
}

/// The reasons whose number of records would change.
fn changed(preview: &FixPreview) -> impl Iterator<Item = &(Reason, usize, usize)> {
    let reasons = preview.reasons.iter();
    reasons.filter(|(_, before, after)| before != after)
}

impl Modal for FixAllForm {
    fn key(
        &mut self,
        key: &KeyEvent,
        escape: bool,
        place: &DialogPlace,
        session: &mut Session,
    ) -> Next {
        let by = match key.code {
            KeyCode::Down | KeyCode::Char('j' | 'ㅓ') => 1,
            KeyCode::Up | KeyCode::Char('k' | 'ㅏ') => -1,
            KeyCode::PageDown => 5,
            KeyCode::PageUp => -5,
            _ => 0,
        };
        self.scroll(by, place, session);
        match key.code {
            _ if escape => Next::close(),
            KeyCode::Char('n' | 'N' | 'q' | 'ㅜ') => Next::close(),
            // ㅛ is on the Y key of a Korean keyboard.
            KeyCode::Char('y' | 'Y' | 'ㅛ') => self.apply(session),
            KeyCode::Tab | KeyCode::BackTab => {
                let next = match self.scope.next(session) {
                    // The digit key alone fixes a single record.
                    Scope::Record => Scope::Record.next(session),
                    next => next,
                };
                Next::open(Self::open(self.reason, self.kind, next, session))
            }
            _ => Next::stay(),
        }
    }

    fn areas(&self, place: &DialogPlace, session: &Session) -> Vec<Rect> {
        vec![self.area(place, session)]
    }

    fn draw(&self, place: &DialogPlace, session: &Session, buf: &mut Buffer) {
        let theme = &session.theme;
        let area = self.area(place, session);
        clear(area, buf);
        let words = session.words;
        let inner = focused_pane(theme, area, words.fix_all_title(), buf);
        let lines = self.lines(session, inner.width).into_iter().skip(self.top);
        for ((text, style), y) in lines.zip(inner.top()..inner.bottom()) {
            put(buf, inner.x, y, inner.width, &text, style);
        }
    }

    fn hints(&self, session: &Session) -> Vec<KeyHint> {
        let words = session.words;
        vec![
            ("y", words.fix_them()),
            ("Tab", words.other_records()),
            ("Esc", words.close()),
        ]
    }
}

//! Boxes with a text and the keys that answer it: confirmations and refusals.

use super::{Dialog, DialogPlace, KeyHint, Modal, Next};
use crate::engine::{Command, Cure};
use crate::record::{Change, GroupId, GroupState, Reason};
use crate::text::{count, width, wrap};
use crate::tui::keymap::Key;
use crate::tui::message::Effect;
use crate::tui::records::Groups;
use crate::tui::session::Session;
use crate::tui::theme::Theme;
use crate::tui::widgets::layout::{centered, inside_border};
use crate::tui::widgets::{clear, focused_pane, put};
use crate::wording::Words;
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

/// A question that only `y` confirms.
pub struct Confirm {
    question: String,
    detail: String,
    on_yes: OnYes,
}

enum OnYes {
    Send(Command),
    Quit,
}

impl Confirm {
    pub fn new(question: String, detail: String, command: Command) -> Self {
        Self {
            question,
            detail,
            on_yes: OnYes::Send(command),
        }
    }

    /// A question about one change of these records. It says how many of them the filter hides.
    pub fn apply(
        question: String,
        detail: String,
        groups: Vec<GroupId>,
        change: Change,
        session: &Session,
    ) -> Self {
        let words = session.words;
        let hidden = groups.len() - session.passing(&groups).len();
        let details = [
            (hidden > 0).then(|| words.filter_hides(hidden)),
            (!detail.is_empty()).then_some(detail),
            Some(words.one_step().to_owned()),
        ];
        let details: Vec<String> = details.into_iter().flatten().collect();
        let command = Command::Apply { groups, change };
        Self::new(question, details.join(" "), command)
    }

    /// The quit confirmation; `None` where nothing would be lost or left uncommitted.
    pub fn quit(session: &Session) -> Option<Self> {
        let engine = &session.engine;
        if engine.ended {
            return None;
        }
        let words = session.words;
        let (question, detail) = match &engine.blocked {
            Some(blocked) => {
                let detail = match blocked.cure {
                    Cure::Wait if engine.unanswered > 0 => words.last_is_lost(),
                    Cure::Wait => words.decisions_are_saved(),
                    Cure::Rewrite => words.written_beside(),
                    Cure::None => words.run_written_beside(),
                };
                (
                    words.leave_unsaved().to_owned(),
                    format!("{}. {detail}", words.cause(&blocked.error)),
                )
            }
            None => {
                let open = uncommitted(session.records.groups());
                let all = open.iter().sum::<u64>();
                if all == 0 {
                    return None;
                }
                let named = [
                    words.n_edited(count(open[0])),
                    words.n_accepted(count(open[1])),
                    words.n_of_the_model(count(open[2])),
                    words.n_rejected(count(open[3])),
                ];
                let kinds = named.into_iter().zip(open);
                let kinds: Vec<String> = kinds
                    .filter_map(|(name, n)| (n > 0).then_some(name))
                    .collect();
                (
                    words.leave_with(words.drafts(all as usize)),
                    words.nothing_is_lost(kinds.join(", ")),
                )
            }
        };
        Some(Self {
            question,
            detail,
            on_yes: OnYes::Quit,
        })
    }

    pub fn asks_to_quit(&self) -> bool {
        matches!(self.on_yes, OnYes::Quit)
    }

    fn answers(words: Words) -> Vec<KeyHint> {
        vec![("y", words.yes()), ("n", words.no())]
    }

    fn layout(&self, place: &DialogPlace, words: Words) -> QuestionBox {
        let (question, detail) = (&self.question, &self.detail);
        QuestionBox::new(words.sure(), question, detail, Self::answers(words), place)
    }
}

/// Numbers of uncommitted drafts: edited, accepted, unchanged from the model, and rejected although
/// `labels.jsonl` has their line.
fn uncommitted(groups: &Groups) -> [u64; 4] {
    let fresh = groups.ids_where(|summary| {
        summary.state == GroupState::Draft
            || summary.state == GroupState::Uncertain
                && !summary.has_record
                && !summary.reasons.contains(&Reason::UnreadLine)
    });
    [
        groups.count(GroupState::Edited),
        groups.count(GroupState::Accepted),
        fresh.count() as u64,
        groups.rejected_lines(),
    ]
}

impl Modal for Confirm {
    fn key(&mut self, key: &KeyEvent, _: bool, _: &DialogPlace, session: &mut Session) -> Next {
        match key.code {
            // ㅛ is on the Y key of a Korean keyboard.
            KeyCode::Char('y' | 'Y' | 'ㅛ') => match &self.on_yes {
                OnYes::Send(_) if session.refuse_unsaved() => Next::close(),
                OnYes::Send(command) => {
                    match command.clone() {
                        Command::Apply { groups, change } => {
                            session.apply(groups, change);
                        }
                        command => session.send(command),
                    }
                    session.selection.clear();
                    Next::close()
                }
                OnYes::Quit => {
                    session.request(Effect::Quit);
                    Next::close()
                }
            },
            KeyCode::Char('n' | 'N' | 'q' | 'ㅜ') | KeyCode::Esc => Next::close(),
            _ => Next::stay(),
        }
    }

    fn click(&mut self, at: Position, place: &DialogPlace, session: &Session) -> Option<KeyCode> {
        self.layout(place, session.words).answer_at(at)
    }

    fn areas(&self, place: &DialogPlace, session: &Session) -> Vec<Rect> {
        vec![self.layout(place, session.words).area]
    }

    fn draw(&self, place: &DialogPlace, session: &Session, buf: &mut Buffer) {
        self.layout(place, session.words).draw(&session.theme, buf);
    }

    fn hints(&self, session: &Session) -> Vec<KeyHint> {
        Self::answers(session.words)
    }
}

/// Explains why a prompt did not open. It also swallows what the operator goes on to type, which
/// would otherwise act as keys.
pub struct PromptRefusal {
    why: String,
}

impl PromptRefusal {
    pub fn new(why: String) -> Self {
        Self { why }
    }

    /// Explains why the current record has nothing to edit.
    pub fn nothing_to_edit(session: &Session) -> Dialog {
        let words = session.words;
        let summary = session.current().and_then(|id| session.records.get(id));
        Dialog::refusal(match summary.map(|summary| summary.state) {
            None => words.no_item(),
            Some(GroupState::Waiting) if !session.engine.has_model() => {
                words.nothing_to_edit_without_model()
            }
            Some(GroupState::Waiting) => words.nothing_to_edit_waiting(),
            Some(GroupState::Running) => words.nothing_to_edit_running(),
            Some(GroupState::Failed) => words.nothing_to_edit_failed(),
            Some(_) => words.nothing_to_edit_reading(),
        })
    }

    fn answers(words: Words) -> Vec<KeyHint> {
        vec![("Enter", words.proceed())]
    }

    fn layout(&self, place: &DialogPlace, words: Words) -> QuestionBox {
        QuestionBox::new(words.not_now(), &self.why, "", Self::answers(words), place)
    }
}

impl Modal for PromptRefusal {
    fn key(&mut self, key: &KeyEvent, escape: bool, _: &DialogPlace, _: &mut Session) -> Next {
        if escape || key.code == KeyCode::Enter {
            Next::close()
        } else {
            Next::stay()
        }
    }

    fn click(&mut self, at: Position, place: &DialogPlace, session: &Session) -> Option<KeyCode> {
        self.layout(place, session.words).answer_at(at)
    }

    fn areas(&self, place: &DialogPlace, session: &Session) -> Vec<Rect> {
        vec![self.layout(place, session.words).area]
    }

    fn draw(&self, place: &DialogPlace, session: &Session, buf: &mut Buffer) {
        self.layout(place, session.words).draw(&session.theme, buf);
    }

    fn hints(&self, session: &Session) -> Vec<KeyHint> {
        Self::answers(session.words)
    }
}

/// Layout of a box with wrapped text and answers.
struct QuestionBox {
    title: &'static str,
    lines: Vec<String>,
    /// Number of lines of the question itself.
    question_lines: usize,
    answers: Vec<KeyHint>,
    area: Rect,
}

impl QuestionBox {
    fn new(
        title: &'static str,
        question: &str,
        detail: &str,
        answers: Vec<KeyHint>,
        place: &DialogPlace,
    ) -> Self {
        let room = place.room(60, 8);
        let width = 60.min(room.width);
        let cells = usize::from(width.saturating_sub(4));
        let mut lines = wrap(question, cells);
        let question_lines = lines.len();
        if !detail.is_empty() {
            lines.extend(wrap(detail, cells));
        }
        // The border, an empty line and the answers.
        let area = centered(room, width, lines.len() as u16 + 4);
        Self {
            title,
            lines,
            question_lines,
            answers,
            area,
        }
    }

    /// Rectangles of the answers, in the last line of the box.
    fn answer_places(&self) -> impl Iterator<Item = Rect> {
        const BETWEEN: u16 = 4;
        let inner = inside_border(self.area);
        let mut x = inner.x + 1;
        self.answers.iter().map(move |(key, word)| {
            let cells = (width(key) + 1 + width(word)) as u16;
            let place = Rect::new(x, inner.bottom().saturating_sub(1), cells, 1);
            x += cells + BETWEEN;
            place.intersection(inner)
        })
    }

    /// The key of the answer at a screen position.
    fn answer_at(&self, at: Position) -> Option<KeyCode> {
        let mut answers = self.answers.iter().zip(self.answer_places());
        let ((key, _), _) = answers.find(|(_, place)| place.contains(at))?;
        Key::parse(key).ok().map(|key| key.code)
    }

    fn draw(&self, theme: &Theme, buf: &mut Buffer) {
        clear(self.area, buf);
        let inner = focused_pane(theme, self.area, self.title, buf);
        let last = inner.bottom().saturating_sub(1);
        let x = inner.x + 1;
        for (row, (y, line)) in (inner.y..last).zip(&self.lines).enumerate() {
            let style = if row < self.question_lines {
                theme.warn()
            } else {
                theme.text()
            };
            put(buf, x, y, inner.width.saturating_sub(2), line, style);
        }
        for ((key, word), place) in self.answers.iter().zip(self.answer_places()) {
            let x = put(buf, place.x, place.y, place.width, key, theme.key()) + 1;
            let cells = place.right().saturating_sub(x);
            put(buf, x, place.y, cells, word, theme.text());
        }
    }
}

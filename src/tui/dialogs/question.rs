//! Boxes with something to read and the keys that answer it: confirmations and refusals.

use super::{Dialog, DialogPlace, Modal, Next};
use crate::engine::{Command, Cure};
use crate::record::GroupState;
use crate::text::{count, plural, wrap};
use crate::tui::message::Effect;
use crate::tui::records::Groups;
use crate::tui::session::Session;
use crate::tui::theme::Theme;
use crate::tui::widgets::layout::centered;
use crate::tui::widgets::{clear, pane, put, put_line};
use crossterm::event::{KeyCode, KeyEvent};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

/// A question that only `y` answers with yes.
pub struct Confirm {
    question: String,
    detail: String,
    then: Then,
}

enum Then {
    Send(Command),
    Quit,
}

impl Confirm {
    pub fn new(question: String, detail: String, command: Command) -> Self {
        Self {
            question,
            detail,
            then: Then::Send(command),
        }
    }

    /// The question before leaving; `None` where nothing would be lost or left open.
    pub fn leave(session: &Session) -> Option<Self> {
        let engine = &session.engine;
        if engine.ended {
            return None;
        }
        let (question, detail) = match &engine.blocked {
            Some(blocked) => {
                let detail = match blocked.cure {
                    Cure::Wait => "What was decided last is not saved, and is lost when you leave.",
                    Cure::Rewrite => {
                        "All of it is then written to a file of another name beside it."
                    }
                    Cure::None => "What this run did is written to a file beside it.",
                };
                (
                    "Leave while nothing can be saved?".to_owned(),
                    format!("{}. {detail}", blocked.error.cause),
                )
            }
            None => {
                let open = uncommitted(session.records.groups());
                if open.is_empty() {
                    return None;
                }
                let kinds: Vec<String> = open
                    .iter()
                    .map(|(n, kind)| format!("{} {kind}", count(*n)))
                    .collect();
                let all = open.iter().map(|(n, _)| n).sum::<u64>();
                let drafts = plural(all as usize, "draft");
                (
                    format!("Leave with {drafts} not committed?"),
                    format!(
                        "{}. Nothing is lost: drafts stay in the journal and are here next time.",
                        kinds.join(", ")
                    ),
                )
            }
        };
        Some(Self {
            question,
            detail,
            then: Then::Quit,
        })
    }

    pub fn asks_to_leave(&self) -> bool {
        matches!(self.then, Then::Quit)
    }

    fn layout(&self, place: &DialogPlace) -> Question {
        let answers = &[("y", "yes"), ("n", "no")];
        Question::new("Sure?", &self.question, &self.detail, answers, place)
    }
}

/// How many drafts are not committed, by what an operator did with them.
fn uncommitted(groups: &Groups) -> Vec<(u64, &'static str)> {
    let fresh = groups.ids_where(|summary| {
        summary.state == GroupState::Draft
            || summary.state == GroupState::Uncertain && !summary.has_record
    });
    let mut all = vec![
        (groups.count(GroupState::Edited), "edited"),
        (groups.count(GroupState::Accepted), "accepted"),
        (fresh.count() as u64, "of the model's"),
    ];
    all.retain(|(n, _)| *n > 0);
    all
}

impl Modal for Confirm {
    fn key(&mut self, key: &KeyEvent, _: bool, _: &DialogPlace, session: &mut Session) -> Next {
        match key.code {
            // ㅛ stands on the key of y.
            KeyCode::Char('y' | 'Y' | 'ㅛ') => match &self.then {
                Then::Send(_) if session.refuses_step() => Next::close(),
                Then::Send(command) => {
                    match command.clone() {
                        Command::Apply { groups, change } => {
                            session.apply(groups, change);
                        }
                        command => session.send(command),
                    }
                    session.selection.clear();
                    Next::close()
                }
                Then::Quit => {
                    session.request(Effect::Quit);
                    Next::close()
                }
            },
            KeyCode::Char('n' | 'N' | 'q' | 'ㅜ') | KeyCode::Esc => Next::close(),
            _ => Next::stay(),
        }
    }

    fn areas(&self, place: &DialogPlace, _: &Session) -> Vec<Rect> {
        vec![self.layout(place).area]
    }

    fn draw(&self, place: &DialogPlace, session: &Session, buf: &mut Buffer) {
        self.layout(place).draw(&session.theme, buf);
    }

    fn hints(&self) -> &'static [(&'static str, &'static str)] {
        &[("y", "yes"), ("n", "no")]
    }
}

/// Explains why a prompt did not open. It also takes what the operator goes on to type, which would
/// otherwise act as keys.
pub struct PromptRefusal {
    why: String,
}

impl PromptRefusal {
    pub fn new(why: String) -> Self {
        Self { why }
    }

    /// Why the current record has nothing to edit.
    pub fn nothing_to_edit(session: &Session) -> Dialog {
        let summary = session.current().and_then(|id| session.records.get(id));
        Dialog::refusal(match summary.map(|summary| summary.state) {
            None => "There is no item in this list.",
            Some(GroupState::Waiting) => {
                "There is nothing to edit yet: this item waits for the model."
            }
            Some(GroupState::Running) => {
                "There is nothing to edit yet: the model has this item in hand."
            }
            Some(GroupState::Failed) => {
                "There is nothing to edit: this item has failed. Retry it, or reject it."
            }
            Some(_) => "There is nothing to edit yet: this item is still being read.",
        })
    }

    fn layout(&self, place: &DialogPlace) -> Question {
        let answers = &[("Enter", "go on")];
        Question::new("Not now", &self.why, "", answers, place)
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

    fn areas(&self, place: &DialogPlace, _: &Session) -> Vec<Rect> {
        vec![self.layout(place).area]
    }

    fn draw(&self, place: &DialogPlace, session: &Session, buf: &mut Buffer) {
        self.layout(place).draw(&session.theme, buf);
    }

    fn hints(&self) -> &'static [(&'static str, &'static str)] {
        &[("Enter", "go on")]
    }
}

/// A box with wrapped text and answers, in its place.
struct Question {
    title: &'static str,
    lines: Vec<String>,
    /// How many of the lines are the question itself.
    asked: usize,
    answers: &'static [(&'static str, &'static str)],
    area: Rect,
}

impl Question {
    fn new(
        title: &'static str,
        question: &str,
        detail: &str,
        answers: &'static [(&'static str, &'static str)],
        place: &DialogPlace,
    ) -> Self {
        let room = place.room(60, 8);
        let width = 60.min(room.width);
        let cells = usize::from(width.saturating_sub(4));
        let mut lines = wrap(question, cells);
        let asked = lines.len();
        if !detail.is_empty() {
            lines.extend(wrap(detail, cells));
        }
        // The border, an empty line and the answers.
        let area = centered(room, width, lines.len() as u16 + 4);
        Self {
            title,
            lines,
            asked,
            answers,
            area,
        }
    }

    fn draw(&self, theme: &Theme, buf: &mut Buffer) {
        clear(self.area, buf);
        let inner = pane(theme, self.area, true, self.title, true, buf);
        let last = inner.bottom().saturating_sub(1);
        let x = inner.x + 1;
        for (row, (y, line)) in (inner.y..last).zip(&self.lines).enumerate() {
            let style = if row < self.asked {
                theme.warn()
            } else {
                theme.text()
            };
            put(buf, x, y, inner.width.saturating_sub(2), line, style);
        }
        let answers = self.answers.iter().flat_map(|(key, word)| {
            [
                Span::styled(*key, theme.key()),
                Span::raw(format!(" {word}    ")),
            ]
        });
        let cells = inner.width.saturating_sub(1);
        put_line(buf, x, last, cells, &answers.collect());
    }
}

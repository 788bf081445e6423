//! What each action does: the operator's decisions, turned into commands.

use super::action::{Action, Context};
use super::app::{App, Model, Screen, Spot};
use super::bulk::Choose;
use super::dialog::{Confirm, Dialog, FilterForm, Input, Purpose, ReplaceForm, RetryForm, Then};
use super::effect::Effect;
use super::filter::{NEEDS_REVIEW, Sort};
use super::layout::{self, Pane};
use super::safe_text::plural;
use super::text_edit::TextEdit;
use crate::engine::{Command, Retry};
use crate::record::{Change, Field, GroupId, GroupState, Listed};
use std::sync::Arc;

impl App {
    /// The records that an action is about: what is selected in the gallery, else the one in hand.
    pub(super) fn targets(&self) -> Vec<GroupId> {
        if self.screen == Screen::Gallery && !self.selected.is_empty() {
            return self.selected.iter().copied().collect();
        }
        self.current.into_iter().collect()
    }

    /// Opens a prompt about the targets. Where there are none, what is typed must go somewhere.
    fn about_targets(&mut self, prompt: impl FnOnce(Vec<GroupId>) -> Dialog) {
        match self.targets() {
            groups if groups.is_empty() => self.refuse_prompt("There is no item in this list."),
            groups => self.open(prompt(groups)),
        }
    }

    pub fn perform(&mut self, action: Action) {
        if self.refuses(action) {
            return;
        }
        match action {
            Action::Up => self.step(0, -1),
            Action::Down => self.step(0, 1),
            Action::Left => self.step(-1, 0),
            Action::Right => self.step(1, 0),
            Action::PageUp => self.page(-1),
            Action::PageDown => self.page(1),
            Action::Top => self.jump(false),
            Action::Bottom => self.jump(true),
            Action::AcceptNext => self.decide(Change::Accept, "accept"),
            Action::CommitNext => self.decide(Change::Commit, "commit"),
            Action::Reopen => {
                self.apply(self.targets(), Change::Reopen);
            }
            Action::NextToReview => self.go_to_next(),
            Action::CommitAccepted => self.commit_all(GroupState::Accepted, "accepted"),
            Action::CommitCertain => self.commit_all(GroupState::Draft, "certain"),
            Action::Reject => self
                .about_targets(|groups| Dialog::Input(Input::new(Purpose::Reject { groups }, ""))),
            Action::Undo => self.send(Command::Undo),
            Action::Redo => self.send(Command::Redo),
            Action::EditLabel => {
                self.spot = Spot {
                    field: Field::LabelKo,
                    index: 0,
                };
                self.edit_spot();
            }
            Action::EditField => self.edit_spot(),
            Action::AddTag => self.add_to(Field::TagsKo),
            Action::AddValue => {
                let field = self.spot.field;
                if field.is_list() {
                    self.add_to(field);
                } else {
                    self.edit_spot();
                }
            }
            Action::RemoveValue => self.remove_spot(),
            Action::MoveEarlier => self.move_spot(-1),
            Action::MoveLater => self.move_spot(1),
            Action::RemoveTag => self.about_targets(|groups| {
                let field = Field::TagsKo;
                Dialog::Input(Input::new(Purpose::Remove { field, groups }, ""))
            }),
            Action::SetAttribute => {
                self.about_targets(|groups| Dialog::Choose(Choose::new(groups)));
            }
            Action::Note => {
                let note = self.detail().and_then(|detail| detail.note());
                let note = note.unwrap_or_default().to_owned();
                self.about_targets(|_| Dialog::Input(Input::new(Purpose::Note, &note)));
            }
            Action::Replace => self.open(Dialog::Replace(ReplaceForm::default())),
            Action::Translate => self.open_translate(),
            Action::Retry => {
                let groups = self.targets();
                self.retry(
                    groups,
                    Retry {
                        strict: true,
                        ..Retry::default()
                    },
                );
            }
            Action::RetryWith => match self.no_model() {
                Some(why) => self.refuse_prompt(&capital(&why)),
                None => self.about_targets(|groups| {
                    Dialog::Retry(RetryForm {
                        groups,
                        strict: true,
                        upscale: 0,
                        background: None,
                        with_image: None,
                        hint: TextEdit::default(),
                        row: 4,
                    })
                }),
            },
            Action::Attempts => self.open_attempts(),
            Action::TakeField => self.take(false),
            Action::TakeAttempt => self.take(true),
            Action::Pause => match self.no_model() {
                Some(why) => self.warn(why),
                None => {
                    self.paused = !self.paused;
                    self.send(if self.paused {
                        Command::Pause
                    } else {
                        Command::Resume
                    });
                    let text = if self.paused {
                        "the model pauses after what it has in hand"
                    } else {
                        "the model goes on"
                    };
                    self.say(text.to_owned());
                }
            },
            Action::Background => {
                self.ground = self.ground.next();
                self.model_view = false;
                self.say(format!("picture {}", self.ground.name()));
            }
            Action::ModelView => self.model_view = !self.model_view,
            Action::Zoom => {
                let zoom = !self.zoom || self.screen != Screen::Work;
                // No key must change a value that is not seen.
                self.show_work(Pane::Queue);
                self.zoom = zoom;
            }
            Action::Filter => {
                let before = self.queue.filter.clone();
                // The opening filter is in the way of a search; any other is kept, and what is
                // typed begins a word of its own.
                let text = match before.as_str() {
                    "" | NEEDS_REVIEW => TextEdit::default(),
                    before => TextEdit::new(&format!("{before} ")),
                };
                if self.screen != Screen::Gallery {
                    self.show_work(Pane::Queue);
                }
                self.open(Dialog::Filter(FilterForm {
                    edit: text,
                    before,
                    chosen: None,
                }));
                self.dialog_changed();
            }
            Action::ClearFilter => self.set_filter(String::new(), true),
            Action::NeedsReview => self.set_filter(NEEDS_REVIEW.to_owned(), true),
            Action::Sort => {
                let sort: Sort = self.queue.sort.next();
                self.set_sort(sort);
                self.say(format!("sorted by {}", sort.name()));
            }
            Action::NextPane | Action::PreviousPane => {
                self.focus = match self.focus {
                    Pane::Queue => Pane::Record,
                    Pane::Record => Pane::Queue,
                };
                self.show_work(self.focus);
            }
            Action::Workbench => self.show_work(self.focus),
            Action::Gallery => self.screen = Screen::Gallery,
            Action::Progress => self.screen = Screen::Progress,
            Action::Statistics => self.screen = Screen::Statistics,
            Action::NarrowQueue => {
                self.queue_percent = self.queue_percent.saturating_sub(4).max(15)
            }
            Action::WidenQueue => self.queue_percent = (self.queue_percent + 4).min(75),
            Action::Select => self.select(false),
            Action::SelectRange => self.select(true),
            Action::SelectAll => {
                self.selected = (0..self.queue.rows.len())
                    .filter_map(|row| Some(self.row(row)?.id))
                    .collect();
                self.hidden = 0;
            }
            Action::Unselect => self.unselect(),
            Action::Open => self.open_under_cursor(),
            Action::Help => self.open(Dialog::Help { scroll: 0 }),
            Action::Palette => self.open(Dialog::Palette {
                edit: TextEdit::default(),
                at: 0,
            }),
            Action::Redraw => self.effects.push(Effect::Redraw),
            Action::TryAgain => self.try_again(),
            Action::Suspend => self.effects.push(Effect::Suspend),
            Action::Quit => self.quit(),
        }
    }

    /// One step over these groups; `false`, with the reason said, where it cannot be done.
    pub(super) fn apply(&mut self, groups: Vec<GroupId>, change: Change) -> bool {
        if self.refuses_step() {
            return false;
        }
        if let [group] = groups[..]
            && let Some(detail) = self.details.get_mut(&group)
        {
            // Shown at once; the engine's own word follows.
            let vocabulary = &self.settings.vocabulary;
            match Arc::make_mut(detail).apply(&change, vocabulary) {
                Ok(true) => {
                    self.groups.predict(&detail.summary);
                    self.queue.stale = true;
                }
                Ok(false) => {}
                Err(error) => {
                    let hint = error.hint.map(|hint| format!("; {hint}"));
                    self.warn(format!("{}{}", error.cause, hint.unwrap_or_default()));
                    return false;
                }
            }
        }
        if !groups.is_empty() {
            self.send(Command::Apply { groups, change });
        }
        true
    }

    pub(super) fn confirm(&mut self, question: String, detail: String, commands: Vec<Command>) {
        self.open(Dialog::Confirm(Confirm {
            question,
            detail,
            then: Then::Send(commands),
        }));
    }

    /// Accept or commit, then on to the next uncertain one.
    fn decide(&mut self, change: Change, verb: &str) {
        let groups = self.targets();
        let ready = |id: &&GroupId| {
            self.groups.get(**id).is_some_and(|summary| {
                !matches!(
                    summary.state,
                    GroupState::Waiting | GroupState::Running | GroupState::Failed
                )
            })
        };
        let ready = groups.iter().filter(ready).count();
        if ready == 0 {
            if !groups.is_empty() {
                self.say(format!("nothing to {verb}: there is no draft yet"));
                self.go_to_next();
            }
            return;
        }
        if groups.len() > 1 {
            let verb = capital(verb);
            let (question, others) = match groups.len() - ready {
                0 => (format!("{verb} these {ready} records?"), String::new()),
                others => (
                    format!("{verb} {ready} of these {} records?", groups.len()),
                    format!("{others} without a draft stay as they are. "),
                ),
            };
            return self.confirm(
                question,
                format!("{others}One step; undo takes all of it back."),
                vec![Command::Apply { groups, change }],
            );
        }
        self.go_to_next();
        self.apply(groups, change);
    }

    pub(super) fn go_to_next(&mut self) {
        match self.next_to_review() {
            Some(row) => self.put_cursor(row),
            None if self.queue.cursor + 1 < self.queue.rows.len() => {
                self.put_cursor(self.queue.cursor + 1);
            }
            None => self.say("nothing is left to review in this list".to_owned()),
        }
    }

    pub(super) fn put_cursor(&mut self, row: usize) {
        self.queue.cursor = row.min(self.queue.rows.len().saturating_sub(1));
        self.follow_cursor();
    }

    fn commit_all(&mut self, state: GroupState, word: &str) {
        let groups: Vec<GroupId> = self
            .groups
            .ids_where(|summary| {
                summary.state == state && (state != GroupState::Draft || summary.reasons.is_empty())
            })
            .collect();
        if groups.is_empty() {
            return self.say(format!("no {word} draft to commit"));
        }
        let question = format!(
            "Commit {}?",
            plural(groups.len(), &format!("{word} record"))
        );
        let detail = format!("They go into labels.jsonl in {}.", self.settings.outdir);
        let change = Change::Commit;
        self.confirm(question, detail, vec![Command::Apply { groups, change }]);
    }

    /// Why the model cannot be asked.
    fn no_model(&self) -> Option<String> {
        match &self.model {
            Model::Off => Some("there is no model: started with --no-model".to_owned()),
            Model::Failed(error) => Some(format!("there is no model: {}", error.cause)),
            Model::Loading | Model::Ready(_) => None,
        }
    }

    pub(super) fn retry(&mut self, groups: Vec<GroupId>, how: Retry) {
        if groups.is_empty() || self.refuses_step() {
            return;
        }
        if let Some(why) = self.no_model() {
            return self.warn(why);
        }
        if groups.len() > 1 && self.dialog.is_none() {
            let question = format!(
                "Ask the model again about {}?",
                plural(groups.len(), "record")
            );
            let detail = "New answers are offered where a draft is committed, imported, edited or \
                          decided."
                .to_owned();
            return self.confirm(question, detail, vec![Command::Retry { groups, how }]);
        }
        let count = plural(groups.len(), "record");
        self.send(Command::Retry { groups, how });
        self.say(format!("asking again about {count}, ahead of the queue"));
        if self.screen == Screen::Work {
            self.go_to_next();
        }
    }

    fn step(&mut self, x: isize, y: isize) {
        match self.screen {
            Screen::Work if self.focus == Pane::Record => self.move_in_record(x, y),
            Screen::Work => {
                if y != 0 {
                    self.put_cursor(self.queue.cursor.saturating_add_signed(y));
                } else {
                    self.show_work(if x > 0 { Pane::Record } else { Pane::Queue });
                }
            }
            Screen::Gallery => {
                let columns = self.gallery().columns as isize;
                let to = self.queue.cursor.saturating_add_signed(y * columns + x);
                if to < self.queue.rows.len() {
                    self.put_cursor(to);
                }
            }
            Screen::Attempts => {
                let versions = self.detail().map_or(0, |detail| detail.listed().len());
                self.version = self
                    .version
                    .saturating_add_signed(x)
                    .min(versions.saturating_sub(1));
                let down = |at: usize| at.saturating_add_signed(y).min(Field::ALL.len() - 1);
                self.version_field = down(self.version_field);
                if !self.has_field(Field::ALL[self.version_field]) {
                    self.version_field = down(self.version_field);
                }
            }
            Screen::Statistics => {
                let blocks = super::view::statistics::blocks(self);
                let block = self
                    .bar
                    .0
                    .saturating_add_signed(x)
                    .min(blocks.len().saturating_sub(1));
                let bars = blocks.get(block).map_or(0, |block| block.bars.len());
                self.bar = (
                    block,
                    self.bar
                        .1
                        .saturating_add_signed(y)
                        .min(bars.saturating_sub(1)),
                );
            }
            Screen::Progress => {}
        }
    }

    pub fn gallery(&self) -> layout::Gallery {
        layout::gallery(layout::frame(self.area()).body, self.pixels)
    }

    fn page(&mut self, direction: isize) {
        let rows = match self.screen {
            Screen::Gallery => {
                let gallery = self.gallery();
                gallery.columns * gallery.lines
            }
            Screen::Work if self.focus == Pane::Record => {
                self.scroll_by(direction * 5);
                return;
            }
            Screen::Work => self.queue_rows(),
            _ => return self.step(0, direction * 5),
        };
        self.put_cursor(
            self.queue
                .cursor
                .saturating_add_signed(direction * rows as isize),
        );
    }

    fn jump(&mut self, bottom: bool) {
        if self.screen == Screen::Work && self.focus == Pane::Record {
            self.spot = Spot {
                field: if bottom {
                    Field::QueryVariantsKo
                } else {
                    Field::LabelKo
                },
                index: 0,
            };
            self.scroll = 0;
            return;
        }
        self.put_cursor(if bottom { usize::MAX } else { 0 });
    }

    pub(super) fn unselect(&mut self) {
        self.selected.clear();
        self.hidden = 0;
    }

    fn select(&mut self, range: bool) {
        let Some(id) = self.current else { return };
        let here = self.queue.cursor;
        match self.anchor.filter(|_| range) {
            Some(anchor) => {
                for row in anchor.min(here)..=anchor.max(here) {
                    if let Some(summary) = self.row(row) {
                        let id = summary.id;
                        self.selected.insert(id);
                    }
                }
            }
            None => {
                if !self.selected.remove(&id) {
                    self.selected.insert(id);
                }
            }
        }
        self.anchor = Some(here);
    }

    pub(super) fn show_work(&mut self, focus: Pane) {
        self.screen = Screen::Work;
        self.zoom = false;
        self.focus = focus;
    }

    fn open_under_cursor(&mut self) {
        if self.screen == Screen::Statistics {
            let blocks = super::view::statistics::blocks(self);
            if let Some(bar) = blocks
                .get(self.bar.0)
                .and_then(|block| block.bars.get(self.bar.1))
            {
                let filter = bar.filter.clone();
                self.set_filter(filter, true);
            }
        }
        self.show_work(Pane::Queue);
    }

    pub(super) fn tell_offer(&mut self, name: &str) {
        let keys = self.keymap.keys_of(Context::Queue, Action::Attempts);
        let keys = keys.first().map(|key| format!(": {key} to compare"));
        self.say(format!("new answer for {name}{}", keys.unwrap_or_default()));
    }

    fn open_attempts(&mut self) {
        let Some(detail) = self.detail() else { return };
        let draft = detail.current.review.draft;
        let offer = detail.current.offer();
        let listed = detail.listed();
        let Some(newest) = listed.len().checked_sub(1) else {
            return self.say("there is no version of this item yet".to_owned());
        };
        let number = |listed: &Listed| match listed {
            Listed::Version(version) => Some(version.number),
            Listed::Failed(_) => None,
        };
        // Beside the draft, the offer or else the newest that differs from it is worth a look
        // first.
        self.version = (0..=newest)
            .rev()
            .find(|at| match offer {
                Some(_) => number(&listed[*at]) == offer,
                None => number(&listed[*at]).is_none_or(|number| Some(number) != draft),
            })
            .unwrap_or(newest);
        self.version_field = 0;
        self.screen = Screen::Attempts;
    }

    fn take(&mut self, whole: bool) {
        let (Some(id), Some(detail)) = (self.current, self.detail()) else {
            return;
        };
        let version = match detail.listed().get(self.version) {
            Some(Listed::Version(version)) => version.number,
            Some(Listed::Failed(_)) => {
                return self.say("this attempt has no labels to take".to_owned());
            }
            None => return,
        };
        let field = Field::ALL[self.version_field];
        let change = if whole {
            Change::TakeVersion { version }
        } else {
            Change::TakeField { version, field }
        };
        self.apply(vec![id], change);
        if whole {
            self.screen = Screen::Work;
        }
    }
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars
        .next()
        .map(|first| first.to_uppercase().chain(chars).collect())
        .unwrap_or_default()
}

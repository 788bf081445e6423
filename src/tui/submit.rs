//! What becomes of a text that was typed to its end.

use super::app::{App, Spot};
use super::dialog::{Dialog, Input, Purpose};
use super::safe_text::plural;
use crate::engine::Command;
use crate::record::{Change, Field, GroupId, GroupState};

impl App {
    /// A typed text is complete.
    pub(super) fn submit(&mut self, input: Input) {
        let text = input.edit.text().trim().to_owned();
        match input.purpose {
            Purpose::Set { field, groups } => {
                let values = if field.is_list() {
                    text.split(',')
                        .map(str::trim)
                        .filter(|value| !value.is_empty())
                        .map(Into::into)
                        .collect()
                } else {
                    (!text.is_empty()).then_some(text).into_iter().collect()
                };
                self.apply(groups, Change::Set { field, values });
            }
            Purpose::Add { field, groups } => {
                if text.is_empty() {
                    return;
                }
                for value in text.split(',').map(str::trim).filter(|v| !v.is_empty()) {
                    let value = value.to_owned();
                    self.apply(groups.clone(), Change::Add { field, value });
                }
                self.spot = Spot {
                    field,
                    index: usize::MAX,
                };
                if groups.len() == 1 {
                    let purpose = Purpose::Add { field, groups };
                    self.open(Dialog::Input(Input::new(purpose, "")));
                }
            }
            Purpose::Rename { field, from } => {
                let groups = self.current.into_iter().collect();
                if text.is_empty() {
                    self.apply(groups, Change::Remove { field, value: from });
                } else if text != from {
                    self.apply(
                        groups,
                        Change::Rename {
                            field,
                            from,
                            to: text,
                        },
                    );
                }
            }
            Purpose::RemoveTag { groups } => {
                if !text.is_empty() {
                    let field = Field::TagsKo;
                    self.apply(groups, Change::Remove { field, value: text });
                }
            }
            Purpose::Note => {
                let note = (!text.is_empty()).then_some(text);
                self.apply(self.current.into_iter().collect(), Change::SetNote { note });
            }
            Purpose::Reject { groups } if text.is_empty() => {
                self.say("a rejection needs a reason; Esc leaves it".to_owned());
                self.open(Dialog::Input(Input::new(Purpose::Reject { groups }, "")));
            }
            Purpose::Reject { groups } => self.reject(groups, text),
        }
    }

    fn reject(&mut self, groups: Vec<GroupId>, reason: String) {
        let change = Change::Reject { reason };
        if groups.len() > 1 {
            let question = format!("Reject these {}?", plural(groups.len(), "record"));
            let detail = "One step; undo takes all of it back.".to_owned();
            return self.confirm(question, detail, vec![Command::Apply { groups, change }]);
        }
        self.go_to_next();
        if let [group] = groups[..] {
            self.groups.expect_state(group, GroupState::Rejected);
            self.queue.stale = true;
        }
        self.apply(groups, change);
    }
}

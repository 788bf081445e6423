//! What becomes of a text that was typed to its end.

use super::app::{App, Spot};
use super::dialog::{Dialog, Input, Purpose};
use super::safe_text::plural;
use crate::engine::Command;
use crate::record::{Change, Field, GroupId};

impl App {
    /// A typed text is complete. What cannot be done stays open, with the reason said.
    pub(super) fn submit(&mut self, input: Input) {
        if self.refuses_step() {
            return self.open(Dialog::Input(input));
        }
        let text = input.edit.text().trim().to_owned();
        let current: Vec<GroupId> = self.current.into_iter().collect();
        let done = match input.purpose.clone() {
            Purpose::Set { field, groups } => {
                let values = (!text.is_empty()).then_some(text).into_iter().collect();
                self.apply(groups, Change::Set { field, values })
            }
            Purpose::Add { .. } if text.is_empty() => true,
            Purpose::Add { field, groups } => self.add(field, groups, &text),
            Purpose::Rename {
                field,
                from,
                groups,
            } if text.is_empty() => {
                // Over many records nothing goes that was not named.
                groups.len() > 1 || self.apply(groups, Change::Remove { field, value: from })
            }
            Purpose::Rename { from, .. } if text == from => true,
            Purpose::Rename {
                field,
                from,
                groups,
            } => {
                let to = text;
                self.apply(groups, Change::Rename { field, from, to })
            }
            Purpose::RenameWhich { .. } | Purpose::Remove { .. } if text.is_empty() => true,
            Purpose::RenameWhich { field, groups } if !self.may_hold(&groups, field, &text) => {
                self.warn(format!("this record has no {text} in {}", field.key()));
                false
            }
            Purpose::RenameWhich { field, groups } => {
                let from = text;
                self.open(Dialog::Input(Input::new(
                    Purpose::Rename {
                        field,
                        from,
                        groups,
                    },
                    "",
                )));
                true
            }
            Purpose::Remove { field, groups } => {
                self.apply(groups, Change::Remove { field, value: text })
            }
            Purpose::Note => {
                let note = (!text.is_empty()).then_some(text);
                self.apply(current, Change::SetNote { note })
            }
            Purpose::Reject { .. } if text.is_empty() => {
                self.warn("a rejection needs a reason; Esc leaves it".to_owned());
                false
            }
            Purpose::Reject { groups } => {
                self.reject(groups, text);
                true
            }
        };
        if !done {
            self.open(Dialog::Input(input));
        }
    }

    /// Whether the value can be in the field of these records; known only of the one in hand.
    fn may_hold(&self, groups: &[GroupId], field: Field, value: &str) -> bool {
        if self.current.is_none_or(|current| groups != [current]) {
            return true;
        }
        let values = self.labels().map(|labels| labels.values(field));
        values.is_some_and(|values| values.iter().any(|have| have == value))
    }

    /// Adds all values in one step; for one record the prompt stays open for the next.
    fn add(&mut self, field: Field, groups: Vec<GroupId>, text: &str) -> bool {
        let value = list(text).join(", ");
        if !self.apply(groups.clone(), Change::Add { field, value }) {
            return false;
        }
        self.spot = Spot {
            field,
            index: usize::MAX,
        };
        if groups.len() == 1 {
            let purpose = Purpose::Add { field, groups };
            self.open(Dialog::Input(Input::new(purpose, "")));
        }
        true
    }

    fn reject(&mut self, groups: Vec<GroupId>, reason: String) {
        self.remember_rejection(&reason);
        let change = Change::Reject { reason };
        if groups.len() > 1 {
            let question = format!("Reject these {}?", plural(groups.len(), "record"));
            let detail = "One step; undo takes all of it back.".to_owned();
            return self.confirm(question, detail, vec![Command::Apply { groups, change }]);
        }
        self.go_to_next();
        self.apply(groups, change);
    }
}

/// The values between commas.
fn list(text: &str) -> Vec<String> {
    text.split(',')
        .map(str::trim)
        .filter(|value| !value.is_empty())
        .map(Into::into)
        .collect()
}

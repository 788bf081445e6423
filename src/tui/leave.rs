//! Leaving: what is not committed is told before.

use super::app::App;
use super::dialog::{Confirm, Dialog, Then};
use super::effect::Effect;
use super::safe_text::{count, plural};
use crate::engine::Cure;
use crate::record::GroupState;

impl App {
    pub(super) fn quit(&mut self) {
        if let Some(blocked) = self.blocked.as_ref().filter(|_| !self.ended) {
            let detail = match blocked.cure {
                Cure::Wait => "What was decided last is not saved, and is lost when you leave.",
                Cure::Rewrite => "All of it is then written to a file of another name beside it.",
                Cure::None => "What this run did is written to a file beside it.",
            };
            let (question, detail) = (
                "Leave while nothing can be saved?".to_owned(),
                format!("{}. {detail}", blocked.error.cause),
            );
            return self.open(Dialog::Confirm(Confirm {
                question,
                detail,
                then: Then::Quit,
            }));
        }
        if self.ended {
            self.effects.push(Effect::Quit);
            return;
        }
        let open = self.uncommitted();
        if open.is_empty() {
            self.effects.push(Effect::Quit);
            return;
        }
        let kinds: Vec<String> = open
            .iter()
            .map(|(n, kind)| format!("{} {kind}", count(*n)))
            .collect();
        let all = open.iter().map(|(n, _)| n).sum::<u64>();
        self.open(Dialog::Confirm(Confirm {
            question: format!(
                "Leave with {} not committed?",
                plural(all as usize, "draft")
            ),
            detail: format!(
                "{}. Nothing is lost: drafts stay in the journal and are here next time.",
                kinds.join(", ")
            ),
            then: Then::Quit,
        }));
    }

    /// A step that was under way when leaving was asked about may change the question, or what it
    /// asks about is gone.
    pub(super) fn ask_again_to_leave(&mut self) {
        if let Some(Dialog::Confirm(confirm)) = &self.dialog
            && confirm.then == Then::Quit
        {
            self.dialog = None;
            self.quit();
        }
    }

    /// How many drafts are not committed, by what an operator did with them.
    pub fn uncommitted(&self) -> Vec<(u64, &'static str)> {
        let fresh = self.groups.ids_where(|summary| {
            summary.state == GroupState::Draft
                || summary.state == GroupState::Uncertain && !summary.has_record
        });
        let mut all = vec![
            (self.groups.count(GroupState::Edited), "edited"),
            (self.groups.count(GroupState::Accepted), "accepted"),
            (fresh.count() as u64, "of the model's"),
        ];
        all.retain(|(n, _)| *n > 0);
        all
    }
}

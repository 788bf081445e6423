//! Why nothing can be decided just now: nothing can be saved, or the engine has ended.

use super::action::{Action, Context};
use super::app::App;
use super::dialog::Dialog;
use super::effect::Effect;
use super::keymap::{Key, Lookup};
use crate::engine::{Blocked, Command, Cure};
use crate::wording;
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

impl App {
    /// Why nothing that is decided now would be saved, and what to do.
    pub fn trouble(&self) -> Option<String> {
        if self.ended {
            let why = match &self.broken {
                Some(error) => format!("the engine has stopped: {}", error.cause),
                None => "the engine has stopped".to_owned(),
            };
            return Some(format!(
                "{why}; nothing is saved any more, leave and start again"
            ));
        }
        let blocked = self.blocked.as_ref()?;
        let key = match self
            .keymap
            .keys_of(Context::Global, Action::TryAgain)
            .first()
        {
            Some(key) => key.clone(),
            None => format!("the action {}", Action::TryAgain.info().name),
        };
        // The cause names a path, and the end of the line may be cut off.
        let cure = match blocked.cure {
            Cure::Wait => format!("{key} tries again"),
            Cure::Rewrite => format!("{key} rewrites the journal"),
            Cure::None => "leave and start again".to_owned(),
        };
        let error = wording::blocked(blocked);
        Some(format!("not saved, {cure}: {}", error.cause))
    }

    /// Whether an action is refused because what it decides would not be saved; says why.
    pub(super) fn refuses(&mut self, action: Action) -> bool {
        if !action.decides() {
            return false;
        }
        let Some(why) = self.trouble() else {
            return false;
        };
        if action.prompts() {
            // What is typed next must go somewhere.
            self.refuse_prompt(&why);
        } else {
            self.warn(why);
        }
        true
    }

    /// As [`Self::refuses`], for what a prompt or a question has led to.
    pub(super) fn refuses_step(&mut self) -> bool {
        let why = self.trouble();
        let refused = why.is_some();
        if let Some(why) = why {
            self.warn(why);
        }
        refused
    }

    /// Once the engine takes nothing more it must not look as if it did.
    pub(super) fn send(&mut self, command: Command) {
        let decides = matches!(
            command,
            Command::Apply { .. } | Command::Undo | Command::Redo | Command::Retry { .. }
        );
        let lost = self.ended && !matches!(command, Command::Open(_));
        if (decides || lost) && self.refuses_step() {
            return;
        }
        if !self.ended {
            self.effects.push(Effect::Send(command));
        }
    }

    pub(super) fn blocked(&mut self, blocked: Blocked) {
        let error = wording::blocked(&blocked);
        self.log_error(format!("not saved: {}", error.cause));
        self.blocked = Some(blocked);
        self.refuses_step();
        // A question about what can no longer be done; leaving asks another one now.
        self.ask_again_to_leave();
    }

    pub(super) fn unblocked(&mut self) {
        self.blocked = None;
        self.say("saved: the journal can be written again".to_owned());
        self.ask_again_to_leave();
    }

    /// The screen names the key that tries again, also while a dialog is open: there it works
    /// too, unless it is a letter that may be typed. What is being typed stays.
    pub(super) fn tries_again(&mut self, event: &KeyEvent) -> bool {
        let chord = KeyModifiers::CONTROL | KeyModifiers::ALT;
        let typed = matches!(event.code, KeyCode::Char(_)) && !event.modifiers.intersects(chord);
        if self.blocked.is_none() || typed {
            return false;
        }
        let found = self.keymap.lookup(Context::Global, &Key::from_event(event));
        let tries = found == Lookup::Action(Action::TryAgain);
        if tries {
            if matches!(self.dialog, Some(Dialog::Refusal(_))) {
                self.dialog = None;
            }
            self.try_again();
        }
        tries
    }

    pub(super) fn try_again(&mut self) {
        match (self.ended, &self.blocked) {
            (true, _) => drop(self.refuses_step()),
            (false, None) => self.say("there is nothing to try again: all is saved".to_owned()),
            (false, Some(_)) => {
                self.send(Command::TryAgain);
                self.say("trying again".to_owned());
            }
        }
    }
}

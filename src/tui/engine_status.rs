//! The engine's last reports: the model, the run, whether anything can be saved.

use super::keymap::{Action, KeyContext, Keymap};
use crate::engine::{Blocked, Cure, ModelInfo, Progress, Stage};
use crate::error::Error;
use crate::record::{GroupId, PastStep};
use crate::wording::Words;
use std::collections::VecDeque;

#[derive(Debug, Clone, PartialEq)]
pub enum ModelState {
    Off,
    Loading,
    Ready(ModelInfo),
    Failed(Error),
}

#[derive(Debug)]
pub struct EngineStatus {
    pub model: ModelState,
    pub progress: Progress,
    /// The records that were labeled last, the newest first.
    labeled: VecDeque<GroupId>,
    /// How many icons were labeled when the operator was called the last time.
    rung: u64,
    pub paused: bool,
    /// The steps that undo and redo would take.
    pub undo: Option<PastStep>,
    pub redo: Option<PastStep>,
    /// Why nothing can be saved for now.
    pub blocked: Option<Blocked>,
    pub ended: bool,
    /// Why the engine could not go on.
    pub broken: Option<Error>,
}

impl EngineStatus {
    pub fn new(has_model: bool) -> Self {
        Self {
            model: if has_model {
                ModelState::Loading
            } else {
                ModelState::Off
            },
            progress: Progress::default(),
            labeled: VecDeque::new(),
            rung: 0,
            paused: false,
            undo: None,
            redo: None,
            blocked: None,
            ended: false,
            broken: None,
        }
    }

    /// A record was labeled.
    pub fn add_labeled(&mut self, id: GroupId) {
        const MOST: usize = 100;
        self.labeled.retain(|have| *have != id);
        self.labeled.push_front(id);
        self.labeled.truncate(MOST);
    }

    pub fn recently_labeled(&self) -> impl Iterator<Item = GroupId> + '_ {
        self.labeled.iter().copied()
    }

    /// The queue of the model is empty: whether that is worth a bell. A few icons more are not.
    pub fn rings(&mut self) -> bool {
        const LONG: u64 = 10;
        let done = self.progress.done;
        let long = done >= self.rung + LONG;
        if long {
            self.rung = done;
        }
        long
    }

    /// Whether a model works or is about to.
    pub fn has_model(&self) -> bool {
        matches!(self.model, ModelState::Ready(_) | ModelState::Loading)
    }

    /// Whether there is anything to see of the model's work: it is at work or about to be, or has
    /// labeled something.
    pub fn has_activity(&self) -> bool {
        let is_idle = self.progress.stage == Stage::Idle && self.labeled.is_empty();
        self.has_model() && !is_idle
    }

    /// Why no answer can be requested of the model.
    pub fn no_model(&self, words: Words) -> Option<String> {
        match &self.model {
            ModelState::Off => Some(words.no_model_off().to_owned()),
            ModelState::Failed(error) => Some(words.no_model_because(words.cause(error))),
            ModelState::Loading | ModelState::Ready(_) => None,
        }
    }

    /// Why nothing that is decided now would be saved, and what to do about it.
    pub fn trouble(&self, keymap: &Keymap, words: Words) -> Option<String> {
        if self.ended {
            let why = match &self.broken {
                Some(error) => words.engine_has_stopped_because(words.cause(error)),
                None => words.engine_has_stopped().to_owned(),
            };
            return Some(words.nothing_is_saved(why));
        }
        let blocked = self.blocked.as_ref()?;
        let keys = keymap.keys_of(KeyContext::Global, Action::TryAgain);
        let key = match keys.into_iter().next() {
            Some(key) => key,
            None => words.the_action(Action::TryAgain.info().name),
        };
        // The cause names a path, and the end of the line may be cut off.
        let cure = match blocked.cure {
            Cure::Wait => words.key_tries_again(key),
            Cure::Rewrite => words.key_rewrites(key),
            Cure::None => words.leave_and_start().to_owned(),
        };
        Some(words.trouble(cure, words.blocked(blocked).cause))
    }

    /// Whether the header shows trouble.
    pub fn is_bad(&self) -> bool {
        matches!(self.model, ModelState::Failed(_))
            || self.broken.is_some()
            || self.blocked.is_some()
    }

    /// What the model does, in a word.
    pub fn stage(&self, words: Words) -> &'static str {
        match &self.model {
            _ if self.broken.is_some() => words.stage_stopped(),
            _ if self.blocked.is_some() => words.stage_not_saved(),
            ModelState::Off => words.stage_no_model(),
            ModelState::Failed(_) => words.stage_model_failed(),
            _ if self.paused => words.stage_paused(),
            _ => words.stage(self.progress.stage),
        }
    }

    /// What the model does, in a few words.
    pub fn activity(&self, words: Words) -> String {
        if let Some(error) = &self.broken {
            return words.stage_stopped_because(words.cause(error));
        }
        let mut text = self.stage(words).to_owned();
        if self.blocked.is_some() || !self.has_model() {
            return text;
        }
        let progress = &self.progress;
        if let Some(done) = progress.stage_done {
            text.push_str(&format!(" {:.0}%", done.clamp(0.0, 1.0) * 100.0));
        }
        if self.paused || progress.stage == Stage::Idle {
            return text;
        }
        if progress.icons_per_minute_now > 0.0 {
            let rate = format!("{:.0}", progress.icons_per_minute_now);
            text.push_str(&format!(" {}", words.per_minute(rate)));
        }
        if let Some(eta) = progress.eta_seconds {
            text.push_str(&format!(" {}", words.time_left(words.rough_duration(eta))));
        }
        text
    }
}

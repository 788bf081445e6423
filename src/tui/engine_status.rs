//! The engine's last reports: the model, the run, whether anything can be saved.

use super::keymap::{Action, KeyContext, Keymap};
use crate::engine::{Blocked, Cure, ModelInfo, Progress, Stage};
use crate::error::Error;
use crate::record::GroupId;
use crate::text::rough_duration;
use crate::wording;
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
    finished: VecDeque<GroupId>,
    /// How many icons were labeled when the operator was called the last time.
    rung: u64,
    pub paused: bool,
    /// The names of the steps that undo and redo would take.
    pub undo: Option<String>,
    pub redo: Option<String>,
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
            finished: VecDeque::new(),
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
    pub fn finish(&mut self, id: GroupId) {
        const MOST: usize = 100;
        self.finished.retain(|have| *have != id);
        self.finished.push_front(id);
        self.finished.truncate(MOST);
    }

    pub fn finished(&self) -> impl Iterator<Item = GroupId> + '_ {
        self.finished.iter().copied()
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

    /// Why no answer can be requested of the model.
    pub fn no_model(&self) -> Option<String> {
        match &self.model {
            ModelState::Off => Some("there is no model: started with --no-model".to_owned()),
            ModelState::Failed(error) => Some(format!("there is no model: {}", error.cause)),
            ModelState::Loading | ModelState::Ready(_) => None,
        }
    }

    /// Why nothing that is decided now would be saved, and what to do about it.
    pub fn trouble(&self, keymap: &Keymap) -> Option<String> {
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
        let keys = keymap.keys_of(KeyContext::Global, Action::TryAgain);
        let key = match keys.into_iter().next() {
            Some(key) => key,
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

    /// Whether the header shows trouble.
    pub fn is_bad(&self) -> bool {
        matches!(self.model, ModelState::Failed(_))
            || self.broken.is_some()
            || self.blocked.is_some()
    }

    /// What the model does, in a word.
    pub fn stage(&self) -> &'static str {
        match &self.model {
            _ if self.broken.is_some() => "stopped",
            _ if self.blocked.is_some() => "not saved",
            ModelState::Off => "no model",
            ModelState::Failed(_) => "model failed",
            _ if self.paused => "paused",
            _ => stage_name(self.progress.stage),
        }
    }

    /// What the model does, in a few words.
    pub fn activity(&self) -> String {
        if let Some(error) = &self.broken {
            return format!("stopped: {}", error.cause);
        }
        let mut words = self.stage().to_owned();
        if self.blocked.is_some() || !self.has_model() {
            return words;
        }
        let progress = &self.progress;
        if let Some(done) = progress.stage_done {
            words.push_str(&format!(" {:.0}%", done.clamp(0.0, 1.0) * 100.0));
        }
        if self.paused || progress.stage == Stage::Idle {
            return words;
        }
        if progress.icons_per_minute_now > 0.0 {
            words.push_str(&format!(" {:.0}/min", progress.icons_per_minute_now));
        }
        if let Some(eta) = progress.eta_seconds {
            words.push_str(&format!(" {} left", rough_duration(eta)));
        }
        words
    }
}

fn stage_name(stage: Stage) -> &'static str {
    match stage {
        Stage::Starting => "starting",
        Stage::Download => "downloading",
        Stage::Load => "loading",
        Stage::Quantize => "quantizing",
        Stage::Decode => "writing",
        Stage::Waiting => "no server answers",
        Stage::Idle => "idle",
        Stage::Paused => "paused",
        Stage::Failed => "failed",
    }
}

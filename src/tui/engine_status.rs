//! The engine's last reports: state of the model, progress of the run, whether saving works.

use super::keymap::{Action, KeyContext, Keymap};
use crate::engine::{Blocked, Command, Cure, ModelInfo, Progress, Stage};
use crate::error::Error;
use crate::record::{GroupId, PastStep};
use crate::text::percent;
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
    /// Records labeled most recently, newest first.
    labeled: VecDeque<GroupId>,
    /// Number of icons that were labeled when the bell rang last.
    rang_at: u64,
    pub paused: bool,
    /// The steps that undo would revert and redo would repeat.
    pub undo: Option<PastStep>,
    pub redo: Option<PastStep>,
    /// How many records the engine is changing in one step, if they are many.
    pub changing: Option<usize>,
    /// Steps that were sent and that the engine has neither saved nor refused yet.
    pub unanswered: usize,
    /// Set while nothing can be saved.
    pub blocked: Option<Blocked>,
    pub ended: bool,
    /// The error that stopped the engine.
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
            rang_at: 0,
            paused: false,
            undo: None,
            redo: None,
            changing: None,
            unanswered: 0,
            blocked: None,
            ended: false,
            broken: None,
        }
    }

    /// Notes a step that was sent; returns whether it changes many records.
    pub fn sent(&mut self, command: &Command) -> bool {
        let records = |step: &Option<PastStep>| step.as_ref().map_or(0, |step| step.records);
        let records = match command {
            Command::Apply { groups, .. } => groups.len(),
            Command::Undo => records(&self.undo),
            Command::Redo => records(&self.redo),
            _ => return false,
        };
        self.unanswered += 1;
        if records > 1 {
            self.changing = Some(records);
        }
        records > 1
    }

    /// Notes that the engine saved or refused a step.
    pub fn step_answered(&mut self) {
        self.unanswered = self.unanswered.saturating_sub(1);
        self.changing = None;
    }

    pub fn add_labeled(&mut self, id: GroupId) {
        const MAX: usize = 100;
        self.labeled.retain(|have| *have != id);
        self.labeled.push_front(id);
        self.labeled.truncate(MAX);
    }

    pub fn recently_labeled(&self) -> impl Iterator<Item = GroupId> + '_ {
        self.labeled.iter().copied()
    }

    /// Whether to ring the bell now that the model's queue is empty: only after enough new icons.
    pub fn should_ring(&mut self) -> bool {
        const MIN_ICONS: u64 = 10;
        let done = self.progress.done;
        let enough = done >= self.rang_at + MIN_ICONS;
        if enough {
            self.rang_at = done;
        }
        enough
    }

    /// Whether a model is ready or still loading.
    pub fn has_model(&self) -> bool {
        matches!(self.model, ModelState::Ready(_) | ModelState::Loading)
    }

    /// Whether the model has nothing in hand, so that it has no speed now.
    pub fn is_at_rest(&self) -> bool {
        let is_paused = self.paused && self.progress.in_flight.is_empty();
        is_paused || self.progress.stage == Stage::Idle
    }

    /// Whether the progress screen has something to show about the model: it is working or has
    /// labeled something.
    pub fn has_activity(&self) -> bool {
        let is_idle = self.progress.stage == Stage::Idle && self.labeled.is_empty();
        self.has_model() && !is_idle
    }

    /// Reason why the model accepts no request; `None` if it does.
    pub fn no_model(&self, words: Words) -> Option<String> {
        match &self.model {
            ModelState::Off => Some(words.no_model_off().to_owned()),
            ModelState::Failed(error) => Some(words.no_model_because(words.cause(error))),
            ModelState::Loading | ModelState::Ready(_) => None,
        }
    }

    /// Reason why decisions would not be saved now, with what to do about it; `None` if they would
    /// be.
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
        // What to do comes first: the cause names a path, and a long line is cut off.
        let cure = match blocked.cure {
            Cure::Wait => words.key_tries_again(key),
            Cure::Rewrite => words.key_rewrites(key),
            Cure::None => words.leave_and_start().to_owned(),
        };
        Some(words.trouble(cure, words.blocked(blocked).cause))
    }

    pub fn needs_attention(&self) -> bool {
        matches!(self.model, ModelState::Failed(_))
            || self.broken.is_some()
            || self.blocked.is_some()
    }

    /// Stage of the model, in a word or two.
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

    /// Stage of the model with its speed and the time left.
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
            text.push_str(&format!(" {}%", percent(done.clamp(0.0, 1.0).into(), 0)));
        }
        if self.paused || self.is_at_rest() {
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

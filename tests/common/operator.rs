//! Simulates an operator at the workstation: sends keys to the application state, with a real engine
//! and journal and a fake model.

use crate::common::sources::Sources;
use crate::engine::{ICON, engine};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use labeler_tui::engine::{Command, Event, Handle, Step};
use labeler_tui::labeler::fake::{Fake, FakeActions};
use labeler_tui::record::{GroupDetail, GroupId, GroupState};
use labeler_tui::text::{Language, Said};
use labeler_tui::tui::app::App;
use labeler_tui::tui::keymap::{Key, Keymap};
use labeler_tui::tui::message::{Effect, Message};
use labeler_tui::tui::picture::LoadedPicture;
use labeler_tui::tui::theme::{Depth, Ground, Theme, ThemeColors};
use labeler_tui::tui::{PictureChoice, Settings};
use ratatui::layout::Size;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Time without events after which the engine counts as stuck.
const TIMEOUT: Duration = Duration::from_secs(60);

pub struct Operator {
    engine: Handle,
    pub app: App,
    /// Commands sent to the engine, oldest first.
    pub commands: Vec<Command>,
    /// Results of the steps.
    pub steps: Vec<Step>,
    /// A command was sent whose effects have not arrived.
    sent: bool,
    /// No request is waiting for the model.
    idle: bool,
    /// Number of drawn frames.
    frames: u64,
    answers: BTreeMap<GroupId, Box<GroupDetail>>,
    /// State that the workstation predicted for a record.
    predicted: Option<(GroupId, PredictedState)>,
    /// Must be dropped last, after the engine has ended.
    _unchanged: Sources,
}

/// State of a record: group state, `has_record` and `offered`.
type PredictedState = (GroupState, bool, bool);

impl Operator {
    pub fn start(folder: &Path, actions: FakeActions) -> Self {
        let engine = engine(folder);
        let settings = Settings {
            icon: ICON,
            model: true,
            outdir: "out".into(),
            vocabulary: Arc::clone(engine.vocabulary()),
            pictures: PictureChoice::Auto,
            english: false,
            language: Language::English,
        };
        let theme = Theme {
            depth: Depth::True,
            ground: Ground::Dark,
            palette: ThemeColors::load(None).unwrap(),
        };
        let keymap = Keymap::load(None, None).unwrap();
        let fake = Fake::new(actions);
        let mut operator = Self {
            engine: engine
                .start(Some(Box::new(|_| Ok(Box::new(fake)))))
                .unwrap(),
            app: App::new(Size::new(120, 40), theme, keymap, settings),
            commands: Vec::new(),
            steps: Vec::new(),
            sent: true,
            idle: false,
            frames: 0,
            answers: BTreeMap::new(),
            predicted: None,
            _unchanged: Sources::watch(folder),
        };
        operator.settle();
        operator
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send(command) => {
                    self.idle &= !matches!(command, Command::Retry { .. });
                    self.sent = true;
                    if let Command::Apply { groups, .. } = &command
                        && let [group] = groups[..]
                        && self.app.session().records.detail(group).is_some()
                    {
                        self.predicted = Some((group, self.state(group)));
                    }
                    self.commands.push(command.clone());
                    self.engine.send(command);
                }
                Effect::Work(task) => {
                    let more = self.app.update(Message::TaskDone(task.run()));
                    self.carry_out(more);
                }
                // Pictures are not drawn here, so every request fails.
                Effect::Pictures(requests) => {
                    for request in requests {
                        let picture = LoadedPicture {
                            key: request.key,
                            picture: Err(Said {
                                english: "not here".to_owned(),
                                korean: "여기 없음".to_owned(),
                            }),
                        };
                        let more = self.app.update(Message::Picture(picture));
                        self.carry_out(more);
                    }
                }
                Effect::Redraw | Effect::Suspend | Effect::Ring(_) => {}
                Effect::Quit => panic!("the workstation quit"),
            }
        }
    }

    fn state(&self, group: GroupId) -> PredictedState {
        let summary = self.app.session().records.get(group).unwrap();
        (summary.state, summary.has_record, summary.offered)
    }

    fn next_event(&mut self) -> Event {
        let event = self.engine.events().recv_timeout(TIMEOUT).unwrap();
        match &event {
            Event::Idle => self.idle = true,
            Event::Detail(detail) => {
                self.answers.insert(detail.summary.id, detail.clone());
            }
            Event::Stepped {
                step: Some(step), ..
            } => self.steps.push(step.clone()),
            Event::Broken(broken) => panic!("{broken:?}"),
            _ => {}
        }
        if !is_last(&event) {
            let effects = self.app.update(Message::Engine(event.clone()));
            self.carry_out(effects);
        }
        event
    }

    /// Waits until the engine and the model have finished all their work.
    fn settle(&mut self) {
        loop {
            let effects = self.app.prepare_frame();
            self.carry_out(effects);
            if !std::mem::take(&mut self.sent) && self.idle {
                let again = self.app.drawn();
                self.frames = self.app.session().seen.frames();
                if !again {
                    return;
                }
            }
            self.engine
                .send(Command::PreviewVocabulary { groups: Vec::new() });
            while !is_last(&self.next_event()) {}
            while !self.idle {
                self.next_event();
                self.sent = true;
            }
        }
    }

    fn press(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        let key = KeyEvent::new(code, modifiers);
        let effects = self.app.update(Message::Key(key, self.frames));
        self.carry_out(effects);
        self.settle();
        if let Some((group, predicted)) = self.predicted.take() {
            assert_eq!(
                self.state(group),
                predicted,
                "the workstation's prediction is wrong"
            );
        }
    }

    /// Presses keys in the notation of key files. A word that starts with a quote is typed as text, with
    /// `_` for a space.
    pub fn press_keys(&mut self, keys: &str) {
        for word in keys.split_whitespace() {
            if let Some(text) = word.strip_prefix('"') {
                if self.app.dialog().is_none() {
                    // The dialog was refused, so the letters would be commands.
                    return;
                }
                for c in text.replace('_', " ").chars() {
                    self.press(KeyCode::Char(c), KeyModifiers::NONE);
                }
            } else {
                let key = Key::parse(word).unwrap();
                self.press(key.code, key.modifiers);
            }
        }
    }

    /// Presses the keys of a step and returns to the queue. Keys that start with `~` act on this item.
    pub fn run_step(&mut self, step: &str, item: usize) {
        let keys = match step.strip_prefix('~') {
            Some(keys) => format!("\\ g g {} {keys}", "j ".repeat(item)),
            None => step.to_owned(),
        };
        self.press_keys(&keys);
        // A refused dialog stays open.
        while self.app.dialog().is_some() {
            self.press_keys("esc");
        }
        // Clears the selection and focuses the queue.
        self.press_keys("F3 esc enter");
    }

    /// Requests the details of groups, in order of their ids.
    pub fn details(&mut self, ids: &[GroupId]) -> Vec<GroupDetail> {
        self.answers.clear();
        for id in ids {
            self.engine.send(Command::Open(*id));
        }
        while self.answers.len() < ids.len() {
            self.next_event();
        }
        let answers = std::mem::take(&mut self.answers);
        answers.into_values().map(|detail| *detail).collect()
    }

    pub fn quit(self) {
        self.engine.send(Command::Stop);
        let events = self.engine.events();
        while !matches!(events.recv_timeout(TIMEOUT).unwrap(), Event::Stopped(_)) {}
    }
}

/// Whether this is the answer to an empty preview, which follows the effects of all earlier commands.
fn is_last(event: &Event) -> bool {
    matches!(event, Event::VocabularyPreview { groups, .. } if groups.is_empty())
}

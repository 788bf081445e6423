//! An operator at the workstation: keys through its own state, with a real engine and a real
//! journal behind it and a fake model.

use crate::common::sources::Sources;
use crate::engine::{ICON, engine};
use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use labeler_tui::engine::{Command, Event, Handle, Step};
use labeler_tui::labeler::fake::{Fake, Plays};
use labeler_tui::record::{GroupDetail, GroupId, GroupState};
use labeler_tui::settings::PictureChoice;
use labeler_tui::text::{Language, Said};
use labeler_tui::tui::Settings;
use labeler_tui::tui::app::App;
use labeler_tui::tui::keymap::{Key, Keymap};
use labeler_tui::tui::message::{Effect, Message};
use labeler_tui::tui::picture::LoadedPicture;
use labeler_tui::tui::theme::{Depth, Ground, Palette, Theme};
use ratatui::layout::Size;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// An engine that says nothing for so long is stuck.
const PATIENCE: Duration = Duration::from_secs(60);
pub struct Operator {
    engine: Handle,
    pub app: App,
    /// What was asked of the engine, oldest first.
    pub commands: Vec<Command>,
    /// What came of the steps among it.
    pub steps: Vec<Step>,
    /// Something was asked of the engine that it has not been waited for.
    sent: bool,
    /// Nothing waits for the model.
    idle: bool,
    /// How many frames have been drawn.
    frames: u64,
    answers: BTreeMap<GroupId, Box<GroupDetail>>,
    /// How a record looked at once after a step, before the engine said so.
    predicted: Option<(GroupId, Look)>,
    /// Last, when the engine has ended.
    _unchanged: Sources,
}

/// What the review state machine says of a record.
type Look = (GroupState, bool, bool);

impl Operator {
    pub fn sits_down(folder: &Path, plays: Plays) -> Self {
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
            palette: Palette::load(None).unwrap(),
        };
        let keymap = Keymap::load(None, None).unwrap();
        let fake = Fake::new(plays);
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
        operator.rests();
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
                        self.predicted = Some((group, self.look(group)));
                    }
                    self.commands.push(command.clone());
                    self.engine.send(command);
                }
                Effect::Work(task) => {
                    let more = self.app.update(Message::TaskDone(task.run()));
                    self.carry_out(more);
                }
                // Nothing is drawn here, and it is told as pictures that cannot be shown.
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
                Effect::Redraw | Effect::Suspend | Effect::Ring => {}
                Effect::Quit => panic!("the workstation was left"),
            }
        }
    }

    fn look(&self, group: GroupId) -> Look {
        let summary = self.app.session().records.get(group).unwrap();
        (summary.state, summary.has_record, summary.offered)
    }

    fn hears(&mut self) -> Event {
        let event = self.engine.events().recv_timeout(PATIENCE).unwrap();
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

    /// Until the engine and the model have done all that was asked of them.
    fn rests(&mut self) {
        loop {
            let effects = self.app.prepare_frame();
            self.carry_out(effects);
            if !std::mem::take(&mut self.sent) && self.idle {
                self.frames = self.app.drawn();
                return;
            }
            self.engine
                .send(Command::PreviewVocabulary { groups: Vec::new() });
            while !is_last(&self.hears()) {}
            while !self.idle {
                self.hears();
                self.sent = true;
            }
        }
    }

    fn press(&mut self, code: KeyCode, modifiers: KeyModifiers) {
        let key = KeyEvent::new(code, modifiers);
        let effects = self.app.update(Message::Key(key, self.frames));
        self.carry_out(effects);
        self.rests();
        if let Some((group, predicted)) = self.predicted.take() {
            assert_eq!(
                self.look(group),
                predicted,
                "the workstation shows other than is"
            );
        }
    }

    /// Keys as key files write them; texts behind a quote, `_` for a space.
    pub fn types(&mut self, keys: &str) {
        for word in keys.split_whitespace() {
            if let Some(text) = word.strip_prefix('"') {
                if self.app.dialog().is_none() {
                    // Refused: there is nothing to type into, and the letters would be keys.
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

    /// Keys of a deed, where they begin with `~` about this one of the items, and back to the queue.
    pub fn does(&mut self, deed: &str, item: usize) {
        let keys = match deed.strip_prefix('~') {
            Some(keys) => format!("\\ g g {} {keys}", "j ".repeat(item)),
            None => deed.to_owned(),
        };
        self.types(&keys);
        // What was refused stays open.
        while self.app.dialog().is_some() {
            self.types("esc");
        }
        // Nothing stays selected, and the queue has the keys.
        self.types("F3 esc enter");
    }

    /// Everything about these groups, in their order.
    pub fn details(&mut self, ids: &[GroupId]) -> Vec<GroupDetail> {
        self.answers.clear();
        for id in ids {
            self.engine.send(Command::Open(*id));
        }
        while self.answers.len() < ids.len() {
            self.hears();
        }
        let answers = std::mem::take(&mut self.answers);
        answers.into_values().map(|detail| *detail).collect()
    }

    pub fn leaves(self) {
        self.engine.send(Command::Stop);
        let events = self.engine.events();
        while !matches!(events.recv_timeout(PATIENCE).unwrap(), Event::Stopped(_)) {}
    }
}

/// The answer to a question about nothing: everything before it has been done.
fn is_last(event: &Event) -> bool {
    matches!(event, Event::VocabularyPreview { groups, .. } if groups.is_empty())
}

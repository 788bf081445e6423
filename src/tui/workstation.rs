//! The workstation as the terminal runs it: its screens, or an audit that covers them.

use super::app::App;
use super::bars;
use super::judging::{Ballot, Choice, Deck, JudgingScreen, Outcome};
use super::message::{Effect, Message};
use super::prepared::KeysAndColors;
use super::session::Settings;
use super::terminal::{self, Application, Exit, theme_of};
use crate::engine::{Command, Event, Handle};
use crate::error::Result;
use crate::record::{GroupId, SampledRecord};
use crate::wording::Words;
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect, Size};
use ratatui::widgets::Widget as _;
use std::path::Path;

/// Runs the workstation until the operator quits and the engine has saved everything.
pub fn run(
    handle: Handle,
    prepared: KeysAndColors,
    settings: Settings,
    log: &Path,
) -> Result<Exit> {
    let words = Words::new(settings.language);
    let KeysAndColors { keymap, palette } = prepared;
    let theme = theme_of(palette);
    let pictures = settings.pictures;
    let workstation = |size| Workstation::new(App::new(size, theme, keymap, settings));
    terminal::run(handle, workstation, pictures, words, log)
}

pub struct Workstation {
    app: App,
    audit: Option<OpenAudit>,
}

/// An audit that covers the screens.
struct OpenAudit {
    screen: JudgingScreen<EngineBallot>,
    /// The estimate was requested from the engine.
    estimate_requested: bool,
}

impl Workstation {
    pub fn new(app: App) -> Self {
        Self { app, audit: None }
    }

    fn begin_audit(&mut self, seed: u64, sample: Vec<SampledRecord>) -> Vec<Effect> {
        let session = self.app.session();
        let about = session.settings.outdir.clone();
        let deck = Deck::audit(&sample, about, |item| item.file.clone());
        let drawn = sample.iter().map(|drawn| (drawn.group, drawn.version));
        let ballot = EngineBallot {
            seed,
            drawn: drawn.collect(),
            commands: Vec::new(),
        };
        let (words, theme) = (session.words, session.theme);
        let pictures = session.settings.pictures;
        let screen = JudgingScreen::new(session.size, theme, words, pictures, deck, ballot);
        let mut screen = screen.with_frames(self.app.session().seen.frames());
        let mut effects = screen.update(Message::Pixels(session.pictures.draws_pixels()));
        let estimate_requested = screen.is_at_end();
        if estimate_requested {
            effects.push(Effect::Send(Command::Audit));
        }
        self.audit = Some(OpenAudit {
            screen,
            estimate_requested,
        });
        effects.push(Effect::Redraw);
        effects
    }

    /// Routes a message to the audit, the screens or both.
    fn route(&mut self, message: Message) -> Vec<Effect> {
        let Some(audit) = &mut self.audit else {
            return self.app.update(message);
        };
        match message {
            Message::Key(..) | Message::Mouse(..) => {
                let mut effects = audit.screen.update(message);
                let leaves = effects.contains(&Effect::Quit);
                effects.retain(|effect| *effect != Effect::Quit);
                let commands = std::mem::take(&mut audit.screen.ballot().commands);
                effects.extend(commands.into_iter().map(Effect::Send));
                let is_over = audit.screen.is_at_end();
                if leaves || (is_over && !audit.estimate_requested) {
                    effects.push(Effect::Send(Command::Audit));
                }
                audit.estimate_requested = is_over;
                if leaves {
                    self.audit = None;
                    // The audit overwrote the screens: load their pictures and draw them again.
                    effects.extend(self.app.update(Message::Resize(self.app.size())));
                    effects.push(Effect::Redraw);
                }
                effects
            }
            Message::Picture(_) => audit.screen.update(message),
            Message::Resize(size) => {
                let mut effects = audit.screen.update(Message::Resize(size));
                effects.extend(self.app.update(Message::Resize(size)));
                effects
            }
            Message::Pixels(pixels) => {
                let mut effects = audit.screen.update(Message::Pixels(pixels));
                effects.extend(self.app.update(Message::Pixels(pixels)));
                effects
            }
            Message::Ground(ground) => {
                let mut effects = audit.screen.update(Message::Ground(ground));
                effects.extend(self.app.update(Message::Ground(ground)));
                effects
            }
            Message::Engine(Event::Audited(estimate)) => {
                if audit.screen.is_at_end() {
                    audit
                        .screen
                        .set_outcome(estimate.clone().map(Outcome::Audit));
                }
                self.app.update(Message::Engine(Event::Audited(estimate)))
            }
            Message::Paste(_) => Vec::new(),
            Message::Engine(_)
            | Message::Progress(_)
            | Message::TaskDone(_)
            | Message::Resumed
            | Message::Terminate => self.app.update(message),
        }
    }
}

impl Application for Workstation {
    fn size(&self) -> Size {
        self.app.size()
    }

    fn update(&mut self, message: Message) -> Vec<Effect> {
        match message {
            Message::Engine(Event::AuditDrawn { seed, sample })
                if !sample.is_empty() && self.audit.is_none() =>
            {
                self.begin_audit(seed, sample)
            }
            message => self.route(message),
        }
    }

    fn prepare_frame(&mut self) -> Vec<Effect> {
        match &mut self.audit {
            Some(audit) => audit.screen.prepare_frame(),
            None => self.app.prepare_frame(),
        }
    }

    fn draw(&self, area: Rect, buf: &mut Buffer) {
        match &self.audit {
            Some(audit) => audit.screen.draw(area, buf),
            None => self.app.render(area, buf),
        }
    }

    fn frames(&self) -> u64 {
        self.app.session().seen.frames()
    }

    fn drawn(&mut self) -> bool {
        match &mut self.audit {
            Some(audit) => {
                self.app.covered();
                audit.screen.drawn()
            }
            None => self.app.drawn(),
        }
    }

    fn title(&self) -> String {
        match &self.audit {
            Some(audit) => audit.screen.title(),
            None => bars::window_title(self.app.session()),
        }
    }

    fn cursor(&self) -> Option<Position> {
        match &self.audit {
            Some(audit) => audit.screen.cursor(),
            None => self.app.cursor(),
        }
    }

    fn has_ended(&self) -> bool {
        self.app.has_ended()
    }
}

/// Sends judgments to the engine, which saves them.
struct EngineBallot {
    seed: u64,
    /// Group and judged version of each card.
    drawn: Vec<(GroupId, i64)>,
    commands: Vec<Command>,
}

impl Ballot for EngineBallot {
    fn cast(&mut self, card: usize, choice: Option<Choice>) -> Result<()> {
        let (group, version) = self.drawn[card];
        self.commands.push(Command::Judge {
            seed: self.seed,
            group,
            version,
            verdict: choice.map(Choice::verdict),
        });
        Ok(())
    }

    /// Always `None`: the estimate arrives later as [`Event::Audited`].
    fn outcome(&self) -> Result<Option<Outcome>> {
        Ok(None)
    }
}

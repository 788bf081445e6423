//! The event loop around the application: messages in, effects and frames out.

mod application;
mod channels;
mod exit;
mod guard;
mod input;
mod keyboard;
mod probe;

pub use application::Application;
pub use exit::Exit;
pub use input::{Decoder, Input};
pub use probe::Replies;

use super::message::{Effect, Message};
use super::theme::{Theme, ThemeColors};
use crate::engine::{Command, Event, Handle, connect};
use crate::error::{Context as _, Error, ErrorKind, Result};
use crate::tui::options::PictureChoice;
use crate::wording::Words;
use channels::{Channels, LoopEvent};
use guard::{TerminalGuard, resume, suspend, terminal_size};
use keyboard::Continued;
use ratatui::layout::Size;
use std::io::{self, IsTerminal as _, stdin, stdout};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Shortest time between two frames that show only engine events.
const MIN_FRAME_INTERVAL: Duration = Duration::from_millis(50);
/// Longest time to handle queued messages before a frame is drawn.
const MAX_DRAIN: Duration = Duration::from_millis(8);

/// Fails if there is no terminal for `what`. The hint `instead` names what works without one.
pub fn check(what: &str, instead: &str) -> Result<()> {
    if stdout().is_terminal() && stdin().is_terminal() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Usage, format!("{what} needs a terminal")).with_hint(instead))
}

/// Runs an application with an engine until the operator leaves and the engine has saved
/// everything.
pub fn run<A: Application>(
    handle: Handle,
    app: impl FnOnce(Size) -> A,
    pictures: PictureChoice,
    words: Words,
    log: &Path,
) -> Result<Exit> {
    let end = run_loop(&handle, app, pictures, words, Some(log))?;
    if let Some(error) = end.broken {
        return Err(error);
    }
    // The terminal is already restored, so the operator sees when saving takes long.
    handle.send(Command::Stop);
    let events = handle.events();
    let mut stopped = end.stopped;
    while !stopped {
        match events.recv() {
            Ok(Event::Stopped(_)) => stopped = true,
            Ok(Event::Broken(broken)) => return Err(words.broken(&broken)),
            // There is no one left to resolve it.
            Ok(Event::Blocked(_)) => handle.send(Command::Stop),
            Ok(_) => {}
            Err(_) => return Err(engine_gone(Some(log))),
        }
    }
    Ok(end.exit)
}

/// Runs an application without an engine until the operator leaves.
pub fn run_alone<A: Application>(
    app: impl FnOnce(Size) -> A,
    pictures: PictureChoice,
    words: Words,
    log: Option<&Path>,
) -> Result<Exit> {
    // The other end stays open but sends nothing.
    let (handle, _end) = connect();
    Ok(run_loop(&handle, app, pictures, words, log)?.exit)
}

/// The theme of a palette for this terminal.
pub fn theme_of(palette: ThemeColors) -> Theme {
    Theme::detect(palette, |name| std::env::var(name).ok())
}

/// The state of the loop when it ends.
struct LoopEnd {
    exit: Exit,
    /// The engine has already saved everything.
    stopped: bool,
    /// Why the engine could not continue.
    broken: Option<Error>,
}

impl LoopEnd {
    /// The terminal is gone, so no one can read an error; everything is saved.
    fn terminal_gone(mut self, error: &io::Error) -> Self {
        tracing::warn!(%error, "the terminal is gone");
        self.exit = Exit::Interrupted;
        self
    }
}

/// Why the loop ends.
enum LoopExit {
    Quit,
    TerminalGone(io::Error),
    Failed(Error),
}

fn run_loop<A: Application>(
    handle: &Handle,
    app: impl FnOnce(Size) -> A,
    pictures: PictureChoice,
    words: Words,
    log: Option<&Path>,
) -> Result<LoopEnd> {
    let mut terminal = TerminalGuard::take(log.map(Path::to_owned))
        .context(ErrorKind::Terminal, "the terminal")?;
    let mut app = app(terminal.size());
    let effects = app.update(Message::Progress(Box::new(handle.progress())));
    let end = LoopEnd {
        exit: Exit::ByOperator,
        stopped: false,
        broken: None,
    };
    if let Err(error) = terminal.draw(&app, || ()).and_then(|()| probe::request()) {
        return Ok(end.terminal_gone(&error));
    }
    app.drawn();
    let (channels, continued) = Channels::connect(handle, pictures, app.frames())?;
    let mut event_loop = EventLoop {
        handle,
        words,
        log,
        channels,
        continued,
        effects,
        end,
        drawn_at: Instant::now(),
        stale: true,
        urgent: true,
        app,
        terminal,
    };
    let ending = loop {
        if let Err(ending) = event_loop.turn() {
            break ending;
        }
    };
    match ending {
        LoopExit::Quit => Ok(event_loop.end),
        LoopExit::TerminalGone(error) => Ok(event_loop.end.terminal_gone(&error)),
        LoopExit::Failed(error) => Err(error),
    }
}

struct EventLoop<'a, A> {
    handle: &'a Handle,
    words: Words,
    log: Option<&'a Path>,
    channels: Channels,
    continued: Continued,
    /// What the application has requested.
    effects: Vec<Effect>,
    end: LoopEnd,
    drawn_at: Instant,
    /// The screen may differ from the last frame.
    stale: bool,
    /// The operator waits for the next frame.
    urgent: bool,
    app: A,
    terminal: TerminalGuard,
}

impl<A: Application> EventLoop<'_, A> {
    fn turn(&mut self) -> Result<(), LoopExit> {
        self.effects.extend(self.app.prepare_frame());
        for effect in std::mem::take(&mut self.effects) {
            self.apply_effect(effect)?;
        }
        self.draw_if_due()?;
        let mut next = match self.stale && self.urgent {
            true => self.channels.try_next(),
            false => self.channels.wait(self.stale.then_some(MIN_FRAME_INTERVAL)),
        };
        let start = Instant::now();
        while let Some(event) = next {
            self.handle(event)?;
            if start.elapsed() > MAX_DRAIN {
                break;
            }
            next = self.channels.try_next();
        }
        Ok(())
    }

    fn apply_effect(&mut self, effect: Effect) -> Result<(), LoopExit> {
        match effect {
            Effect::Send(command) => self.handle.send(command),
            // A thread that has ended reports its failure itself.
            Effect::Work(task) => drop(self.channels.tasks.send(task)),
            Effect::Pictures(requests) => drop(self.channels.requests.send(requests)),
            Effect::Ring(text) => self.terminal.ring(&text).map_err(LoopExit::TerminalGone)?,
            Effect::Redraw => self.redraw(),
            Effect::Suspend => {
                suspend(&self.continued).map_err(LoopExit::TerminalGone)?;
                self.redraw();
            }
            Effect::Quit => return Err(LoopExit::Quit),
        }
        Ok(())
    }

    fn redraw(&mut self) {
        (self.terminal.needs_clear, self.urgent) = (true, true);
    }

    fn draw_if_due(&mut self) -> Result<(), LoopExit> {
        let is_due = self.drawn_at.elapsed() >= MIN_FRAME_INTERVAL;
        if !self.stale || !(self.urgent || is_due) {
            return Ok(());
        }
        // The number is stored before the frame is visible.
        let number = self.app.frames() + 1;
        let ready = || self.channels.frames.store(number, Ordering::SeqCst);
        let drawn = self.terminal.draw(&self.app, ready);
        drawn.map_err(LoopExit::TerminalGone)?;
        let again = self.app.drawn();
        self.drawn_at = Instant::now();
        (self.stale, self.urgent) = (again, again);
        Ok(())
    }

    fn handle(&mut self, event: LoopEvent) -> Result<(), LoopExit> {
        self.stale |= !matches!(event, LoopEvent::Check);
        match event {
            LoopEvent::Message(message) => self.message(*message)?,
            LoopEvent::Progress => self.update_progress(),
            LoopEvent::Check => {
                if let Some(size) = new_size(&self.app) {
                    (self.stale, self.urgent) = (true, true);
                    self.update(Message::Resize(size));
                }
            }
            LoopEvent::Terminal(capabilities) => {
                self.urgent = true;
                let draws_pixels = capabilities.graphics.draws_pixels();
                let loading = self.channels.load_pictures_for(capabilities.graphics);
                loading.map_err(LoopExit::Failed)?;
                if let Some(ground) = capabilities.ground {
                    self.update(Message::Ground(ground));
                }
                self.update(Message::Pixels(draws_pixels));
            }
            LoopEvent::EngineGone if self.app.has_ended() => {}
            LoopEvent::EngineGone => return Err(LoopExit::Failed(engine_gone(self.log))),
            LoopEvent::Failed(error) => return Err(LoopExit::Failed(error)),
        }
        Ok(())
    }

    /// Passes a message to the application, after what it means for the loop itself.
    fn message(&mut self, message: Message) -> Result<(), LoopExit> {
        self.urgent |= !matches!(message, Message::Engine(_));
        let is_typed = matches!(
            message,
            Message::Key(..) | Message::Mouse(..) | Message::Paste(_)
        );
        // On a busy machine the resize signal may arrive after input at the new size.
        if is_typed && let Some(size) = new_size(&self.app) {
            self.terminal.needs_clear = true;
            self.update(Message::Resize(size));
        }
        match &message {
            Message::Engine(Event::Stopped(_)) => self.end.stopped = true,
            Message::Engine(Event::Broken(broken)) => {
                self.end.broken = Some(self.words.broken(broken));
            }
            // The last update may be older than the end of the work.
            Message::Engine(Event::Idle) => self.update_progress(),
            Message::Terminate => self.end.exit = Exit::Interrupted,
            // The terminal may have cut or wrapped the old frame.
            Message::Resize(_) => self.terminal.needs_clear = true,
            Message::Resumed if self.continued.take() => {
                resume().map_err(LoopExit::TerminalGone)?;
            }
            _ => {}
        }
        self.update(message);
        Ok(())
    }

    fn update_progress(&mut self) {
        self.update(Message::Progress(Box::new(self.handle.progress())));
    }

    fn update(&mut self, message: Message) {
        self.effects.extend(self.app.update(message));
    }
}

/// The terminal's size, if the application does not know it yet.
fn new_size(app: &impl Application) -> Option<Size> {
    let size = terminal_size().ok()?;
    (size != app.size()).then_some(size)
}

/// The error for an engine that closed its channel without reporting its end.
fn engine_gone(log: Option<&Path>) -> Error {
    let error = Error::new(
        ErrorKind::Internal,
        "the engine stopped unexpectedly; what was saved is in the journal",
    );
    match log {
        Some(log) => error.with_hint(format!("see {} for the cause; start again", log.display())),
        None => error,
    }
}

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
use crate::settings::PictureChoice;
use crate::wording::Words;
use channels::{Channels, LoopEvent};
use guard::{TerminalGuard, resume, suspend, terminal_size};
use ratatui::layout::Size;
use std::io::{IsTerminal as _, stdin, stdout};
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
    fn terminal_gone(mut self, error: &std::io::Error) -> Self {
        tracing::warn!(%error, "the terminal is gone");
        self.exit = Exit::Interrupted;
        self
    }
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
    let mut effects = app.update(Message::Progress(Box::new(handle.progress())));
    let mut end = LoopEnd {
        exit: Exit::ByOperator,
        stopped: false,
        broken: None,
    };
    if let Err(error) = terminal.draw(&app, || ()).and_then(|()| probe::request()) {
        return Ok(end.terminal_gone(&error));
    }
    app.drawn();
    let (mut channels, continued) = Channels::connect(handle, pictures, app.frames())?;
    let mut drawn = Instant::now();
    // The screen may differ from the last frame, and the operator waits for the next one.
    let (mut stale, mut urgent) = (true, true);
    loop {
        effects.extend(app.prepare_frame());
        for effect in std::mem::take(&mut effects) {
            match effect {
                Effect::Send(command) => handle.send(command),
                // A thread that has ended reports its failure itself.
                Effect::Work(task) => drop(channels.tasks.send(task)),
                Effect::Pictures(requests) => drop(channels.requests.send(requests)),
                Effect::Ring(text) => {
                    if let Err(error) = terminal.ring(&text) {
                        return Ok(end.terminal_gone(&error));
                    }
                }
                Effect::Redraw => (terminal.needs_clear, urgent) = (true, true),
                Effect::Suspend => {
                    if let Err(error) = suspend(&continued) {
                        return Ok(end.terminal_gone(&error));
                    }
                    (terminal.needs_clear, urgent) = (true, true);
                }
                Effect::Quit => return Ok(end),
            }
        }
        let is_due = drawn.elapsed() >= MIN_FRAME_INTERVAL;
        if stale && (urgent || is_due) {
            // The number is stored before the frame is visible.
            let number = app.frames() + 1;
            let ready = || channels.frames.store(number, Ordering::SeqCst);
            if let Err(error) = terminal.draw(&app, ready) {
                return Ok(end.terminal_gone(&error));
            }
            app.drawn();
            drawn = Instant::now();
            (stale, urgent) = (false, false);
        }
        let mut next = channels.wait(stale.then_some(MIN_FRAME_INTERVAL));
        let start = Instant::now();
        while let Some(event) = next {
            stale |= !matches!(event, LoopEvent::Check);
            match event {
                LoopEvent::Message(message) => {
                    urgent |= !matches!(*message, Message::Engine(_));
                    let is_typed = matches!(
                        *message,
                        Message::Key(..) | Message::Mouse(..) | Message::Paste(_)
                    );
                    // On a busy machine the resize signal may arrive after input at the new size.
                    if is_typed && let Some(size) = new_size(&app) {
                        terminal.needs_clear = true;
                        effects.extend(app.update(Message::Resize(size)));
                    }
                    match &*message {
                        Message::Engine(Event::Stopped(_)) => end.stopped = true,
                        Message::Engine(Event::Broken(broken)) => {
                            end.broken = Some(words.broken(broken));
                        }
                        // The last update may be older than the end of the work.
                        Message::Engine(Event::Idle) => {
                            let progress = Box::new(handle.progress());
                            effects.extend(app.update(Message::Progress(progress)));
                        }
                        Message::Terminate => end.exit = Exit::Interrupted,
                        // The terminal may have cut or wrapped the old frame.
                        Message::Resize(_) => terminal.needs_clear = true,
                        Message::Resumed if continued.take() => {
                            if let Err(error) = resume() {
                                return Ok(end.terminal_gone(&error));
                            }
                        }
                        _ => {}
                    }
                    effects.extend(app.update(*message));
                }
                LoopEvent::Progress => {
                    effects.extend(app.update(Message::Progress(Box::new(handle.progress()))));
                }
                LoopEvent::Check => {
                    if let Some(size) = new_size(&app) {
                        (stale, urgent) = (true, true);
                        effects.extend(app.update(Message::Resize(size)));
                    }
                }
                LoopEvent::Terminal(capabilities) => {
                    urgent = true;
                    let fine = capabilities.graphics.draws_pixels();
                    channels.load_pictures_for(capabilities.graphics)?;
                    if let Some(ground) = capabilities.ground {
                        effects.extend(app.update(Message::Ground(ground)));
                    }
                    effects.extend(app.update(Message::Pixels(fine)));
                }
                LoopEvent::EngineGone if app.has_ended() => {}
                LoopEvent::EngineGone => return Err(engine_gone(log)),
                LoopEvent::Failed(error) => return Err(error),
            }
            if start.elapsed() > MAX_DRAIN {
                break;
            }
            next = channels.try_next();
        }
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

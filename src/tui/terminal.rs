//! Taking the terminal and giving it back, whatever happens; the loop around the application.

use super::app::{App, Message, Settings};
use super::ask;
use super::effect::Effect;
use super::keymap::Keymap;
use super::picture::{self, Wish};
use super::theme::{Ground, Theme};
use super::view;
use super::worker::{self, Job};
use crate::engine::{Command, Event, Handle, Summary};
use crate::error::{Context as _, Error, ErrorKind, Result};
use crossbeam_channel::{Receiver, Sender, bounded, never, select, tick, unbounded};
use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
    Event as Input,
};
use crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute};
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Size;
use ratatui_image::picker::Picker;
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM};
use std::io::{IsTerminal as _, Stdout, Write as _, stdout};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Between frames that no key asked for.
const CALM: Duration = Duration::from_millis(50);
/// How often the progress is looked at.
const GLANCE: Duration = Duration::from_millis(250);
/// Longest work on waiting messages before a frame.
const DRAIN: Duration = Duration::from_millis(8);

/// Refuses to start where there is no screen.
pub fn check() -> Result<()> {
    if stdout().is_terminal() && std::io::stdin().is_terminal() {
        return Ok(());
    }
    Err(
        Error::new(ErrorKind::Usage, "the workstation needs a terminal")
            .with_hint("use --batch to label unattended"),
    )
}

fn enter() -> std::io::Result<()> {
    enable_raw_mode()?;
    execute!(
        stdout(),
        EnterAlternateScreen,
        EnableMouseCapture,
        EnableBracketedPaste,
        cursor::Hide
    )
}

fn leave() -> std::io::Result<()> {
    let screen = execute!(
        stdout(),
        DisableBracketedPaste,
        DisableMouseCapture,
        LeaveAlternateScreen,
        cursor::Show
    );
    disable_raw_mode().and(screen)
}

/// Gives the terminal back when it goes out of scope.
struct Screen(Terminal<CrosstermBackend<Stdout>>);

impl Screen {
    fn take(log: PathBuf) -> std::io::Result<Self> {
        restore_on_panic(log);
        enter()?;
        match Terminal::new(CrosstermBackend::new(stdout())) {
            Ok(terminal) => Ok(Self(terminal)),
            Err(error) => {
                leave()?;
                Err(error)
            }
        }
    }

    fn draw(&mut self, app: &App) -> std::io::Result<()> {
        self.0
            .draw(|frame| {
                frame.render_widget(app, frame.area());
                if let Some(at) = view::cursor(app) {
                    frame.set_cursor_position(at);
                }
            })
            .map(drop)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // There is nobody left to tell.
        let _ = leave();
    }
}

/// A panic of this thread ends the program: the terminal comes back first. Those of other threads
/// are caught where they happen and must not write over the screen.
fn restore_on_panic(log: PathBuf) {
    let ui = std::thread::current().id();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tracing::error!("{panic}");
        if std::thread::current().id() == ui {
            let _ = leave();
            before(panic);
            let _ = writeln!(
                std::io::stderr(),
                "This is a fault of labeler-tui. Everything finished is in the journal; the log is {}.",
                log.display()
            );
        }
    }));
}

/// Runs the workstation until the operator leaves; then the engine has saved everything.
pub fn run(
    handle: Handle,
    keymap: Keymap,
    settings: Settings,
    log: &Path,
) -> Result<Option<Summary>> {
    let result = work(&handle, keymap, settings, log);
    let events = handle.events();
    handle.send(Command::Stop);
    let (summary, told) = result?;
    if let Some(error) = told {
        return Err(error);
    }
    if summary.is_some() {
        return Ok(summary);
    }
    // The screen is back, so a save that takes long is seen to take long.
    for event in events {
        match event {
            Event::Stopped(summary) => return Ok(Some(summary)),
            Event::Broken(error) => return Err(error),
            _ => {}
        }
    }
    Ok(None)
}

type End = (Option<Summary>, Option<Error>);

fn work(handle: &Handle, keymap: Keymap, settings: Settings, log: &Path) -> Result<End> {
    let lost = || (ErrorKind::Terminal, "the terminal");
    let mut screen = Screen::take(log.to_owned()).context(lost().0, lost().1)?;
    let size = screen.0.size().context(lost().0, lost().1)?;
    let theme = Theme::detect(|name| std::env::var(name).ok());
    let mut app = App::new(size, theme, keymap, settings);
    app.progress = handle.progress();
    screen.draw(&app).context(lost().0, lost().1)?;

    // Before anything else reads the keyboard, where the answer comes in.
    ask::ask().context(lost().0, lost().1)?;
    let mut wires = Wires::connect(handle)?;
    let mut effects = Vec::new();
    let mut end = (None, None);
    let mut drawn = Instant::now();
    let mut urgent = true;
    loop {
        effects.extend(app.settle());
        for effect in std::mem::take(&mut effects) {
            match effect {
                Effect::Send(command) => handle.send(command),
                // A lost worker has panicked; the panic is in the log.
                Effect::Work(job) => drop(wires.jobs.send(job)),
                Effect::Pictures(wishes) => drop(wires.wishes.send(wishes)),
                Effect::Redraw => {
                    screen.0.clear().context(lost().0, lost().1)?;
                    urgent = true;
                }
                Effect::Suspend => {
                    suspend().context(lost().0, lost().1)?;
                    screen.0.clear().context(lost().0, lost().1)?;
                    urgent = true;
                }
                Effect::Quit => return Ok(end),
            }
        }
        let calm = drawn.elapsed() >= CALM;
        if urgent || calm {
            if let Err(error) = screen.draw(&app) {
                // The line is cut: nobody is there to read an error, and everything is saved.
                tracing::warn!(%error, "the terminal is gone");
                return Ok(end);
            }
            drawn = Instant::now();
            urgent = false;
        }
        let first = wires.wait(if calm { None } else { Some(CALM) });
        let start = Instant::now();
        let mut next = first;
        while let Some(news) = next {
            match news {
                News::Message(message) => {
                    urgent |= !matches!(*message, Message::Engine(_));
                    match &*message {
                        Message::Engine(Event::Stopped(summary)) => end.0 = Some(summary.clone()),
                        Message::Engine(Event::Broken(error)) => end.1 = Some(error.clone()),
                        Message::Resumed => enter().context(lost().0, lost().1)?,
                        _ => {}
                    }
                    effects.extend(app.update(*message));
                }
                News::Glance => app.progress = handle.progress(),
                News::Terminal(picker, ground) => {
                    urgent = true;
                    let fine = picture::is_fine(&picker);
                    wires.show_with(*picker)?;
                    if let Some(ground) = ground {
                        effects.extend(app.update(Message::Ground(ground)));
                    }
                    effects.extend(app.update(Message::Pixels(fine)));
                }
                News::Closed => return Ok(end),
            }
            if start.elapsed() > DRAIN {
                break;
            }
            next = wires.try_next();
        }
    }
}

/// Stops this process as Ctrl-Z does; returns when it goes on.
fn suspend() -> std::io::Result<()> {
    leave()?;
    nix::sys::signal::raise(nix::sys::signal::Signal::SIGTSTP)?;
    enter()
}

enum News {
    Message(Box<Message>),
    Glance,
    /// The terminal has said what it can show, or nothing for too long.
    Terminal(Box<Picker>, Option<Ground>),
    /// The keyboard is gone.
    Closed,
}

/// Everything that the loop listens to and speaks into.
struct Wires {
    input: Receiver<Message>,
    events: Receiver<Event>,
    done: Receiver<worker::Done>,
    pictures: Receiver<picture::Answer>,
    glance: Receiver<Instant>,
    jobs: Sender<Job>,
    wishes: Sender<Vec<Wish>>,
    picker: Receiver<(Picker, Option<Ground>)>,
    /// For the thread that waits for the picker.
    drawing: Option<(Receiver<Vec<Wish>>, Sender<picture::Answer>)>,
}

impl Wires {
    fn connect(handle: &Handle) -> Result<Self> {
        let (input_tx, input) = unbounded();
        let (jobs, job_rx) = unbounded();
        let (done_tx, done) = unbounded();
        let (wishes, wish_rx) = unbounded();
        let (answer_tx, pictures) = bounded(64);
        let (picker_tx, picker) = bounded(1);
        let threads = || (ErrorKind::Internal, "starting a thread");
        listen_signals(input_tx.clone()).context(threads().0, threads().1)?;
        read_keys(input_tx, picker_tx).context(threads().0, threads().1)?;
        worker::spawn(job_rx, done_tx).context(threads().0, threads().1)?;
        Ok(Self {
            input,
            events: handle.events(),
            done,
            pictures,
            glance: tick(GLANCE),
            jobs,
            wishes,
            picker,
            drawing: Some((wish_rx, answer_tx)),
        })
    }

    /// Pictures can be drawn from now on.
    fn show_with(&mut self, picker: Picker) -> Result<()> {
        tracing::info!(protocol = ?picker.protocol_type(), "image protocol");
        self.picker = never();
        if let Some((wishes, answers)) = self.drawing.take() {
            picture::spawn(picker, wishes, answers)
                .context(ErrorKind::Internal, "starting a thread")?;
        }
        Ok(())
    }

    /// Keys come before everything else.
    fn try_next(&self) -> Option<News> {
        let message = |message| Some(News::Message(Box::new(message)));
        if let Ok(key) = self.input.try_recv() {
            return message(key);
        }
        if let Ok((picker, ground)) = self.picker.try_recv() {
            return Some(News::Terminal(Box::new(picker), ground));
        }
        if let Ok(done) = self.done.try_recv() {
            return message(Message::Done(done));
        }
        if let Ok(answer) = self.pictures.try_recv() {
            return message(Message::Picture(answer));
        }
        if let Ok(event) = self.events.try_recv() {
            return message(Message::Engine(event));
        }
        self.glance.try_recv().ok().map(|_| News::Glance)
    }

    fn wait(&mut self, at_most: Option<Duration>) -> Option<News> {
        if let Some(news) = self.try_next() {
            return Some(news);
        }
        let timeout = at_most.map_or_else(never, crossbeam_channel::after);
        let message = |message| Some(News::Message(Box::new(message)));
        select! {
            recv(self.input) -> key => match key {
                Ok(key) => message(key),
                Err(_) => Some(News::Closed),
            },
            recv(self.events) -> event => match event {
                Ok(event) => message(Message::Engine(event)),
                Err(_) => {
                    // An engine that has ended says nothing more.
                    self.events = never();
                    None
                }
            },
            recv(self.picker) -> answer => {
                let (picker, ground) = answer.unwrap_or_else(|_| (Picker::halfblocks(), None));
                Some(News::Terminal(Box::new(picker), ground))
            }
            recv(self.done) -> done => done.ok().and_then(|done| message(Message::Done(done))),
            recv(self.pictures) -> answer => {
                answer.ok().and_then(|answer| message(Message::Picture(answer)))
            }
            recv(self.glance) -> _ => Some(News::Glance),
            recv(timeout) -> _ => None,
        }
    }
}

fn read_keys(
    send: Sender<Message>,
    picker: Sender<(Picker, Option<Ground>)>,
) -> std::io::Result<()> {
    std::thread::Builder::new()
        .name("tui-keys".into())
        .spawn(move || {
            if let Ok(answer) = ask::listen() {
                let keys = answer.typed.into_iter().map(Message::Key);
                if picker.send((answer.picker, answer.ground)).is_err()
                    || keys.into_iter().any(|key| send.send(key).is_err())
                {
                    return;
                }
            }
            drop(picker);
            // An error means that the terminal is gone; the channel then closes.
            while let Ok(input) = crossterm::event::read() {
                let message = match input {
                    Input::Key(key) => Message::Key(key),
                    Input::Mouse(mouse) => Message::Mouse(mouse),
                    Input::Paste(text) => Message::Paste(text),
                    Input::Resize(width, height) => Message::Resize(Size::new(width, height)),
                    Input::FocusGained | Input::FocusLost => continue,
                };
                if send.send(message).is_err() {
                    return;
                }
            }
            let _ = send.send(Message::Terminate);
        })
        .map(drop)
}

fn listen_signals(send: Sender<Message>) -> std::io::Result<()> {
    let mut signals = signal_hook::iterator::Signals::new([SIGTERM, SIGHUP, SIGINT, SIGCONT])?;
    std::thread::Builder::new()
        .name("tui-signals".into())
        .spawn(move || {
            for signal in signals.forever() {
                let message = match signal {
                    SIGCONT => Message::Resumed,
                    _ => Message::Terminate,
                };
                if send.send(message).is_err() {
                    return;
                }
            }
        })
        .map(drop)
}

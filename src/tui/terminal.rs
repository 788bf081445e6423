//! Taking the terminal and giving it back, whatever happens; the loop around the application.

use super::app::{App, Message, Settings};
use super::ask;
use super::effect::Effect;
use super::keymap::Keymap;
use super::picture::{self, Wish};
use super::theme::{Ground, Theme};
use super::view;
use super::worker::{self, Job};
use crate::engine::{Command, Event, Handle};
use crate::error::{Context as _, Error, ErrorKind, Result};
use crossbeam_channel::{Receiver, Sender, bounded, never, select, tick, unbounded};
use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
    Event as Input,
};
use crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute, terminal};
use ratatui::backend::{Backend as _, ClearType, CrosstermBackend};
use ratatui::layout::{Position, Rect, Size};
use ratatui::{Terminal, TerminalOptions, Viewport};
use ratatui_image::picker::Picker;
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM};
use std::io::{IsTerminal as _, Stdout, Write as _, stdout};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Between frames that no key asked for.
const CALM: Duration = Duration::from_millis(50);
/// How often the progress and the terminal's size are looked at.
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
struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    /// What the terminal shows is not what was last drawn: the next frame writes every cell.
    foreign: bool,
}

impl Screen {
    fn take(log: PathBuf) -> std::io::Result<Self> {
        restore_on_panic(log);
        let viewport = Viewport::Fixed(Rect::from((Position::ORIGIN, size()?)));
        let backend = CrosstermBackend::new(stdout());
        let screen = Self {
            terminal: Terminal::with_options(backend, TerminalOptions { viewport })?,
            foreign: true,
        };
        enter()?;
        Ok(screen)
    }

    fn size(&mut self) -> Size {
        self.terminal.get_frame().area().as_size()
    }

    /// As large as the application believes the terminal to be: were it the terminal's own size of
    /// this moment, a resize on the way would draw the panes of one size into a frame of another.
    fn draw(&mut self, app: &App) -> std::io::Result<()> {
        if std::mem::take(&mut self.foreign) || self.size() != app.size {
            // Not `Terminal::clear`: it asks the terminal where its cursor is, and the thread that
            // reads keys would get the answer.
            self.terminal.resize(app.area())?;
            self.terminal.backend_mut().clear_region(ClearType::All)?;
        }
        self.terminal
            .draw(|frame| {
                frame.render_widget(app, frame.area());
                if let Some(at) = view::cursor(app) {
                    frame.set_cursor_position(at);
                }
            })
            .map(drop)
    }
}

fn size() -> std::io::Result<Size> {
    terminal::size().map(Size::from)
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

/// How the workstation was left; decides the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    ByOperator,
    /// By a signal, or because the terminal was gone.
    Interrupted,
}

impl Exit {
    pub fn exit_status(self) -> u8 {
        match self {
            Self::ByOperator => 0,
            Self::Interrupted => 130,
        }
    }
}

/// Runs the workstation until the operator leaves; then the engine has saved everything.
pub fn run(handle: Handle, keymap: Keymap, settings: Settings, log: &Path) -> Result<Exit> {
    let end = work(&handle, keymap, settings, log)?;
    if let Some(error) = end.broken {
        return Err(error);
    }
    // The screen is back, so a save that takes long is seen to take long.
    handle.send(Command::Stop);
    let events = handle.events();
    let mut stopped = end.stopped;
    while !stopped {
        match events.recv() {
            Ok(Event::Stopped(_)) => stopped = true,
            Ok(Event::Broken(error)) => return Err(error),
            Ok(_) => {}
            Err(_) => return Err(gone("the engine", log)),
        }
    }
    Ok(end.exit)
}

/// What the loop knows when it ends.
struct End {
    exit: Exit,
    /// The engine has saved everything already.
    stopped: bool,
    /// The engine could not go on.
    broken: Option<Error>,
}

fn work(handle: &Handle, keymap: Keymap, settings: Settings, log: &Path) -> Result<End> {
    let lost = || (ErrorKind::Terminal, "the terminal");
    let mut screen = Screen::take(log.to_owned()).context(lost().0, lost().1)?;
    let theme = Theme::detect(|name| std::env::var(name).ok());
    let mut app = App::new(screen.size(), theme, keymap, settings);
    app.progress = handle.progress();
    screen.draw(&app).context(lost().0, lost().1)?;

    // Before anything else reads the keyboard, where the answer comes in.
    ask::ask().context(lost().0, lost().1)?;
    let mut wires = Wires::connect(handle)?;
    let mut effects = Vec::new();
    let mut end = End {
        exit: Exit::ByOperator,
        stopped: false,
        broken: None,
    };
    let mut drawn = Instant::now();
    let mut urgent = true;
    loop {
        effects.extend(app.settle());
        for effect in std::mem::take(&mut effects) {
            match effect {
                Effect::Send(command) => handle.send(command),
                // That a thread is lost is told by the end of its answers.
                Effect::Work(job) => drop(wires.jobs.send(job)),
                Effect::Pictures(wishes) => drop(wires.wishes.send(wishes)),
                Effect::Redraw => (screen.foreign, urgent) = (true, true),
                Effect::Suspend => {
                    suspend().context(lost().0, lost().1)?;
                    (screen.foreign, urgent) = (true, true);
                }
                Effect::Quit => return Ok(end),
            }
        }
        let calm = drawn.elapsed() >= CALM;
        if urgent || calm {
            if let Err(error) = screen.draw(&app) {
                // The line is cut: nobody is there to read an error, and everything is saved.
                tracing::warn!(%error, "the terminal is gone");
                end.exit = Exit::Interrupted;
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
                        Message::Engine(Event::Stopped(_)) => end.stopped = true,
                        Message::Engine(Event::Broken(error)) => end.broken = Some(error.clone()),
                        Message::Terminate => end.exit = Exit::Interrupted,
                        // Whatever the size was in between, the old picture has been cut or wrapped.
                        Message::Resize(_) => screen.foreign = true,
                        Message::Resumed => resume().context(lost().0, lost().1)?,
                        _ => {}
                    }
                    effects.extend(app.update(*message));
                }
                News::Glance => {
                    app.progress = handle.progress();
                    // A change that was not told: crossterm hears of none while it is in the
                    // middle of an escape sequence. A terminal that is gone is found by drawing.
                    if let Ok(size) = size()
                        && size != app.size
                    {
                        urgent = true;
                        effects.extend(app.update(Message::Resize(size)));
                    }
                }
                News::Terminal(picker, ground) => {
                    urgent = true;
                    let fine = picture::is_fine(&picker);
                    wires.show_with(*picker)?;
                    if let Some(ground) = ground {
                        effects.extend(app.update(Message::Ground(ground)));
                    }
                    effects.extend(app.update(Message::Pixels(fine)));
                }
                News::EngineGone if app.ended => {}
                News::EngineGone => return Err(gone("the engine", log)),
                News::ThreadGone(name) => return Err(gone(name, log)),
            }
            if start.elapsed() > DRAIN {
                break;
            }
            next = wires.try_next();
        }
    }
}

/// A thread has panicked and took its part of the program with it.
fn gone(what: &str, log: &Path) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!("{what} broke off; what was saved is in the journal"),
    )
    .with_hint(format!("{} says why; start again", log.display()))
}

/// Stops this process as Ctrl-Z does; returns when it goes on.
fn suspend() -> std::io::Result<()> {
    leave()?;
    nix::sys::signal::raise(nix::sys::signal::Signal::SIGTSTP)?;
    enter()
}

/// Takes the terminal again after a stop, from wherever it came: whoever had it meanwhile has left
/// it in another mode than the one that crossterm believes in.
fn resume() -> std::io::Result<()> {
    disable_raw_mode()?;
    enter()
}

enum News {
    Message(Box<Message>),
    Glance,
    /// The terminal has said what it can show, or nothing for too long.
    Terminal(Box<Picker>, Option<Ground>),
    /// The engine says nothing more.
    EngineGone,
    /// A thread of the workstation has ended.
    ThreadGone(&'static str),
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
                Err(_) => Some(News::ThreadGone("the keyboard")),
            },
            recv(self.events) -> event => match event {
                Ok(event) => message(Message::Engine(event)),
                Err(_) => {
                    self.events = never();
                    Some(News::EngineGone)
                }
            },
            recv(self.picker) -> answer => {
                let (picker, ground) = answer.unwrap_or_else(|_| (Picker::halfblocks(), None));
                Some(News::Terminal(Box::new(picker), ground))
            }
            recv(self.done) -> done => match done {
                Ok(done) => message(Message::Done(done)),
                Err(_) => Some(News::ThreadGone("the queue")),
            },
            recv(self.pictures) -> answer => match answer {
                Ok(answer) => message(Message::Picture(answer)),
                Err(_) => Some(News::ThreadGone("the pictures")),
            },
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
            // An error means that the terminal is gone.
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
                // The screen is given back and the engine saves. Whoever asks again wants to be
                // gone at once; the journal is whole at any moment.
                if send.send(message).is_err() && signal != SIGCONT {
                    std::process::exit(i32::from(Exit::Interrupted.exit_status()));
                }
            }
        })
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use portable_pty::{CommandBuilder, PtySize, native_pty_system};
    use std::io::Read as _;

    #[test]
    #[ignore = "needs a terminal and ends in a panic; the next test gives it one"]
    fn takes_the_screen_and_panics() {
        let _screen = Screen::take("out/labeler.log".into()).unwrap();
        panic!("something that cannot be");
    }

    #[test]
    fn a_panic_gives_the_screen_back_and_says_where_the_log_is() {
        let pty = native_pty_system().openpty(PtySize::default()).unwrap();
        let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
        let name = "tui::terminal::tests::takes_the_screen_and_panics";
        command.args(["--exact", name, "--ignored", "--nocapture"]);
        let mut child = pty.slave.spawn_command(command).unwrap();
        drop(pty.slave);
        let mut output = String::new();
        let mut reader = pty.master.try_clone_reader().unwrap();
        reader.read_to_string(&mut output).unwrap();
        assert!(!child.wait().unwrap().success());
        let (on_screen, after) = output.split_once("\x1b[?1049l").unwrap();
        assert!(on_screen.contains("\x1b[?1049h"), "{output:?}");
        assert!(after.contains("something that cannot be"), "{output:?}");
        assert!(after.contains("the log is out/labeler.log"), "{output:?}");
    }
}

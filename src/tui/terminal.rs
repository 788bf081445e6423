//! Taking the terminal and giving it back, whatever happens; the loop around the application.

use super::app::{App, Message, Settings};
use super::ask::{self, Answer};
use super::effect::Effect;
use super::keyboard::{self, Continued};
use super::keymap::Keymap;
use super::picture::{self, Wish};
use super::theme::Theme;
use super::view;
use super::worker::{self, Job};
use crate::engine::{Command, Event, Handle};
use crate::error::{Context as _, Error, ErrorKind, Result};
use crate::wording;
use crossbeam_channel::{Receiver, Sender, bounded, never, select, tick, unbounded};
use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute, terminal};
use ratatui::backend::{Backend as _, ClearType, CrosstermBackend};
use ratatui::layout::{Position, Rect, Size};
use ratatui::{Terminal, TerminalOptions, Viewport};
use ratatui_image::picker::Picker;
use std::io::{IsTerminal as _, Stdout, Write as _, stdin, stdout};
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Between frames that no key asked for.
const CALM: Duration = Duration::from_millis(50);
/// How often the progress and the terminal's size are looked at.
const GLANCE: Duration = Duration::from_millis(250);
/// Longest work on waiting messages before a frame.
const DRAIN: Duration = Duration::from_millis(8);
/// How long a stop may take to be known as one after it is over.
const STOPPED: Duration = Duration::from_millis(200);

/// Refuses to start where there is no screen.
pub fn check() -> Result<()> {
    if stdout().is_terminal() && stdin().is_terminal() {
        return Ok(());
    }
    Err(
        Error::new(ErrorKind::Usage, "the workstation needs a terminal")
            .with_hint("use --batch to label unattended"),
    )
}

fn enter() -> std::io::Result<()> {
    enable_raw_mode()?;
    show_screen()
}

fn show_screen() -> std::io::Result<()> {
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
    /// Never dropped: on a terminal that is gone its drop prints, and that panics.
    terminal: ManuallyDrop<Terminal<CrosstermBackend<Stdout>>>,
    /// What the terminal shows is not what was last drawn: the next frame writes every cell.
    foreign: bool,
}

impl Screen {
    fn take(log: PathBuf) -> std::io::Result<Self> {
        restore_on_panic(log);
        let viewport = Viewport::Fixed(Rect::from((Position::ORIGIN, size()?)));
        let backend = CrosstermBackend::new(stdout());
        let screen = Self {
            terminal: ManuallyDrop::new(Terminal::with_options(
                backend,
                TerminalOptions { viewport },
            )?),
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
                "This is a bug in labeler-tui. Everything finished is in the journal; the log is {}.",
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
            Ok(Event::Broken(broken)) => return Err(wording::broken(&broken)),
            // Nobody is there to cure it any more.
            Ok(Event::Blocked(_)) => handle.send(Command::Stop),
            Ok(_) => {}
            Err(_) => return Err(gone(log)),
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

impl End {
    /// The line is cut: nobody is there to read an error, and everything is saved.
    fn by_cut(mut self, error: &std::io::Error) -> Self {
        tracing::warn!(%error, "the terminal is gone");
        self.exit = Exit::Interrupted;
        self
    }
}

fn work(handle: &Handle, keymap: Keymap, settings: Settings, log: &Path) -> Result<End> {
    let lost = || (ErrorKind::Terminal, "the terminal");
    let mut screen = Screen::take(log.to_owned()).context(lost().0, lost().1)?;
    let theme = Theme::detect(|name| std::env::var(name).ok());
    let mut app = App::new(screen.size(), theme, keymap, settings);
    app.progress = handle.progress();
    let mut end = End {
        exit: Exit::ByOperator,
        stopped: false,
        broken: None,
    };
    if let Err(error) = screen.draw(&app).and_then(|()| ask::ask()) {
        return Ok(end.by_cut(&error));
    }
    let (mut wires, continued) = Wires::connect(handle)?;
    let mut effects = Vec::new();
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
                    if let Err(error) = suspend(&continued) {
                        return Ok(end.by_cut(&error));
                    }
                    (screen.foreign, urgent) = (true, true);
                }
                Effect::Quit => return Ok(end),
            }
        }
        let calm = drawn.elapsed() >= CALM;
        if urgent || calm {
            if let Err(error) = screen.draw(&app) {
                return Ok(end.by_cut(&error));
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
                        Message::Engine(Event::Broken(broken)) => {
                            end.broken = Some(wording::broken(broken));
                        }
                        Message::Terminate => end.exit = Exit::Interrupted,
                        // Whatever the size was in between, the old picture has been cut or wrapped.
                        Message::Resize(_) => screen.foreign = true,
                        Message::Resumed if continued.take() => {
                            if let Err(error) = resume() {
                                return Ok(end.by_cut(&error));
                            }
                        }
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
                News::Terminal(answer) => {
                    urgent = true;
                    let fine = picture::is_fine(&answer.picker);
                    wires.show_with(answer.picker)?;
                    if let Some(ground) = answer.ground {
                        effects.extend(app.update(Message::Ground(ground)));
                    }
                    effects.extend(app.update(Message::Pixels(fine)));
                }
                News::EngineGone if app.ended => {}
                News::EngineGone => return Err(gone(log)),
                News::Failed(error) => return Err(error),
            }
            if start.elapsed() > DRAIN {
                break;
            }
            next = wires.try_next();
        }
    }
}

/// The engine has ended without a word.
fn gone(log: &Path) -> Error {
    Error::new(
        ErrorKind::Internal,
        "the engine ended without a word; what was saved is in the journal",
    )
    .with_hint(format!("{} says why; start again", log.display()))
}

/// Stops this process as Ctrl-Z does; returns when it goes on, with the terminal taken again. The
/// message that it goes on is then an old one.
fn suspend(continued: &Continued) -> std::io::Result<()> {
    leave()?;
    continued.take();
    nix::sys::signal::raise(nix::sys::signal::Signal::SIGTSTP)?;
    // Without a shell that could let it go on, the process was not stopped at all.
    let end = Instant::now() + STOPPED;
    while !continued.take() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(1));
    }
    enter()
}

/// Takes the terminal again after a stop that came from outside: whoever had it meanwhile has left
/// it in another mode than the one that crossterm believes in.
fn resume() -> std::io::Result<()> {
    let mut mode = nix::sys::termios::tcgetattr(stdin())?;
    nix::sys::termios::cfmakeraw(&mut mode);
    nix::sys::termios::tcsetattr(stdin(), nix::sys::termios::SetArg::TCSANOW, &mode)?;
    show_screen()
}

enum News {
    Message(Box<Message>),
    Glance,
    /// What the terminal says that it can show; again where it says more.
    Terminal(Box<Answer>),
    /// The engine says nothing more.
    EngineGone,
    /// A thread of the workstation has panicked.
    Failed(Error),
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
    answers: Receiver<Answer>,
    failed: Receiver<Error>,
    /// For the threads that begin later.
    fail: Sender<Error>,
}

impl Wires {
    fn connect(handle: &Handle) -> Result<(Self, Continued)> {
        let (input_tx, input) = unbounded();
        let (jobs, job_rx) = unbounded();
        let (done_tx, done) = unbounded();
        let (answer_tx, answers) = unbounded();
        let (fail, failed) = unbounded();
        // Until the terminal has said what it can show, nobody draws.
        let (wishes, _) = unbounded();
        let continued = keyboard::signals(input_tx.clone(), fail.clone())?;
        keyboard::read(input_tx, answer_tx, fail.clone())?;
        worker::spawn(job_rx, done_tx, fail.clone())?;
        let wires = Self {
            input,
            events: handle.events(),
            done,
            pictures: never(),
            glance: tick(GLANCE),
            jobs,
            wishes,
            answers,
            failed,
            fail,
        };
        Ok((wires, continued))
    }

    /// Pictures are drawn so from now on; what was wished before is wished again.
    fn show_with(&mut self, picker: Picker) -> Result<()> {
        tracing::info!(protocol = ?picker.protocol_type(), "image protocol");
        let (wishes, wish_rx) = unbounded();
        let (shown_tx, shown) = bounded(64);
        picture::spawn(picker, wish_rx, shown_tx, self.fail.clone())?;
        (self.wishes, self.pictures) = (wishes, shown);
        Ok(())
    }

    /// Keys come before everything else.
    fn try_next(&self) -> Option<News> {
        let message = |message| Some(News::Message(Box::new(message)));
        if let Ok(key) = self.input.try_recv() {
            return message(key);
        }
        if let Ok(error) = self.failed.try_recv() {
            return Some(News::Failed(error));
        }
        if let Ok(answer) = self.answers.try_recv() {
            return Some(News::Terminal(Box::new(answer)));
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
        // A thread that has panicked says nothing more, and `failed` says why.
        select! {
            recv(self.input) -> key => match key {
                Ok(key) => message(key),
                Err(_) => self.silent(|wires| wires.input = never()),
            },
            recv(self.events) -> event => match event {
                Ok(event) => message(Message::Engine(event)),
                Err(_) => {
                    self.events = never();
                    Some(News::EngineGone)
                }
            },
            recv(self.answers) -> answer => match answer {
                Ok(answer) => Some(News::Terminal(Box::new(answer))),
                Err(_) => self.silent(|wires| wires.answers = never()),
            },
            recv(self.done) -> done => match done {
                Ok(done) => message(Message::Done(done)),
                Err(_) => self.silent(|wires| wires.done = never()),
            },
            recv(self.pictures) -> answer => match answer {
                Ok(answer) => message(Message::Picture(answer)),
                Err(_) => self.silent(|wires| wires.pictures = never()),
            },
            recv(self.failed) -> error => error.ok().map(News::Failed),
            recv(self.glance) -> _ => Some(News::Glance),
            recv(timeout) -> _ => None,
        }
    }

    fn silent(&mut self, end: impl FnOnce(&mut Self)) -> Option<News> {
        end(self);
        None
    }
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

//! Sets up the terminal and restores it, whatever happens.

use super::application::Application;
use super::keyboard::Continued;
use crate::platform;
use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use crossterm::style::Print;
use crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
};
use crossterm::{cursor, execute, terminal};
use ratatui::backend::{Backend as _, ClearType, CrosstermBackend};
use ratatui::layout::{Position, Rect, Size};
use ratatui::{Terminal, TerminalOptions, Viewport};
use std::io::{Stdout, Write as _, stdout};
use std::mem::ManuallyDrop;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long to wait for the signal that the process continues.
const CONTINUE_TIMEOUT: Duration = Duration::from_millis(200);

/// Saves the title of the window; [`POP_TITLE`] restores it.
const PUSH_TITLE: Print<&str> = Print("\x1b[22;0t");
const POP_TITLE: Print<&str> = Print("\x1b[23;0t");

fn enter() -> std::io::Result<()> {
    enable_raw_mode()?;
    execute!(stdout(), PUSH_TITLE)?;
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
        cursor::Show,
        POP_TITLE
    );
    disable_raw_mode().and(screen)
}

/// The terminal in raw mode on its alternate screen; restored on drop.
pub struct TerminalGuard {
    /// Never dropped: if the terminal is gone, its drop prints, and that panics.
    terminal: ManuallyDrop<Terminal<CrosstermBackend<Stdout>>>,
    /// The current title of the window.
    title: String,
    /// The terminal may not show the last frame, so the next one writes every cell.
    pub needs_clear: bool,
}

impl TerminalGuard {
    /// `log` is the path of the log, if there is one, to name after a panic.
    pub fn take(log: Option<PathBuf>) -> std::io::Result<Self> {
        restore_on_panic(log);
        let viewport = Viewport::Fixed(Rect::from((Position::ORIGIN, terminal_size()?)));
        let backend = CrosstermBackend::new(stdout());
        let guard = Self {
            terminal: ManuallyDrop::new(Terminal::with_options(
                backend,
                TerminalOptions { viewport },
            )?),
            title: String::new(),
            needs_clear: true,
        };
        enter()?;
        Ok(guard)
    }

    pub fn size(&mut self) -> Size {
        self.terminal.get_frame().area().as_size()
    }

    /// Draws in the size that the application knows. The terminal may have a new size by now, but
    /// the layout must match the frame. `ready` is called when the frame is about to be written.
    pub fn draw(&mut self, app: &impl Application, ready: impl FnOnce()) -> std::io::Result<()> {
        let needs_clear = std::mem::take(&mut self.needs_clear);
        if needs_clear || self.size() != app.size() {
            // `Terminal::clear` would query the cursor position, and the thread that reads keys
            // would get the reply.
            self.terminal.resize(Rect::from(app.size()))?;
            self.terminal.backend_mut().clear_region(ClearType::All)?;
        }
        let title = app.title();
        if needs_clear || title != self.title {
            execute!(stdout(), terminal::SetTitle(&title))?;
            self.title = title;
        }
        self.terminal
            .draw(|frame| {
                app.draw(frame.area(), frame.buffer_mut());
                if let Some(at) = app.cursor() {
                    frame.set_cursor_position(at);
                }
                ready();
            })
            .map(drop)
    }
}

impl TerminalGuard {
    /// Rings the bell, and shows a notification if the terminal can.
    pub fn ring(&mut self, text: &str) -> std::io::Result<()> {
        let mut out = stdout().lock();
        write!(out, "\x07\x1b]9;{text}\x1b\\")?;
        out.flush()
    }
}

pub fn terminal_size() -> std::io::Result<Size> {
    terminal::size().map(Size::from)
}

impl Drop for TerminalGuard {
    fn drop(&mut self) {
        // There is no one to report an error to.
        let _ = leave();
    }
}

/// Restores the terminal before a panic of this thread ends the program. Panics of other threads
/// are caught and must not write over the screen.
fn restore_on_panic(log: Option<PathBuf>) {
    let ui_thread = std::thread::current().id();
    let previous = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tracing::error!("{panic}");
        if std::thread::current().id() == ui_thread {
            let _ = leave();
            previous(panic);
            let log = log
                .as_ref()
                .map_or_else(String::new, |log| format!("; the log is {}", log.display()));
            let _ = writeln!(
                std::io::stderr(),
                "This is a bug in labeler-tui. Everything finished is saved{log}."
            );
        }
    }));
}

/// Stops this process as Ctrl-Z does. Returns when it continues, with the terminal set up again, so
/// `continued` must not report this stop.
pub fn suspend(continued: &Continued) -> std::io::Result<()> {
    leave()?;
    continued.take();
    platform::suspend()?;
    // Without a shell that could continue it, the process is not stopped at all.
    let end = Instant::now() + CONTINUE_TIMEOUT;
    while !continued.take() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(1));
    }
    enter()
}

/// Sets up the terminal again after another program stopped this process. The terminal may be in
/// another mode than crossterm assumes.
pub fn resume() -> std::io::Result<()> {
    platform::make_raw()?;
    show_screen()
}

#[cfg(test)]
mod tests {
    use super::*;
    use portable_pty::{CommandBuilder, PtySize, native_pty_system};
    use std::io::Read as _;

    #[test]
    #[ignore = "needs a terminal and panics; the next test runs it in one"]
    fn takes_the_screen_and_panics() {
        let _screen = TerminalGuard::take(Some("out/labeler.log".into())).unwrap();
        panic!("something impossible");
    }

    #[test]
    fn a_panic_restores_the_screen_and_names_the_log() {
        let pty = native_pty_system().openpty(PtySize::default()).unwrap();
        let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
        let name = "tui::terminal::guard::tests::takes_the_screen_and_panics";
        command.args(["--exact", name, "--ignored", "--nocapture"]);
        let mut child = pty.slave.spawn_command(command).unwrap();
        drop(pty.slave);
        let mut output = String::new();
        let mut reader = pty.master.try_clone_reader().unwrap();
        reader.read_to_string(&mut output).unwrap();
        assert!(!child.wait().unwrap().success());
        let (on_screen, after) = output.split_once("\x1b[?1049l").unwrap();
        assert!(on_screen.contains("\x1b[?1049h"), "{output:?}");
        assert!(after.contains("something impossible"), "{output:?}");
        assert!(after.contains("the log is out/labeler.log"), "{output:?}");
    }
}

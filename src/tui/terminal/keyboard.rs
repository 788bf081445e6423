//! The threads that read the terminal and receive signals.

use super::exit::Exit;
use super::input::{Decoder, Input};
use super::probe::{Capabilities, Replies};
use crate::error::{Context as _, Error, ErrorKind, Result};
use crate::platform::{ProcessSignal, Signals, TerminalInput, Waited};
use crate::threads;
use crate::tui::message::Message;
use crate::tui::options::PictureChoice;
use crossbeam_channel::Sender;
use crossterm::terminal;
use ratatui::layout::Size;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long pictures wait for the terminal's replies. Later replies are still used.
const REPLY_WAIT: Duration = Duration::from_millis(700);
/// No replies are expected after this time.
const REPLY_DEADLINE: Duration = Duration::from_secs(30);

/// Starts the thread that reads keys, mouse events and pastes until the terminal is gone. Each key
/// carries the number of `frames` that had been drawn when it was read. The thread sends the
/// terminal's `capabilities` once after a while, and again when all replies have arrived.
pub fn read(
    out: Sender<Message>,
    capabilities: Sender<Capabilities>,
    pictures: PictureChoice,
    frames: Arc<AtomicU64>,
    failed: Sender<Error>,
) -> Result<()> {
    let work = move || {
        if let Err(error) = listen(&out, &capabilities, pictures, &frames) {
            tracing::warn!(%error, "the terminal is gone");
        }
        // Fails if the workstation has already ended.
        let _ = out.send(Message::Terminate);
    };
    threads::spawn("tui-keys", work, report_to(failed)).map(drop)
}

/// The panic handler of the workstation's threads: sends the error to the loop, which ends the
/// program with it.
pub fn report_to(failed: Sender<Error>) -> impl FnOnce(Error) + Send + 'static {
    move |error| {
        // Fails if the workstation has already ended.
        let _ = failed.send(error);
    }
}

fn listen(
    out: &Sender<Message>,
    capabilities: &Sender<Capabilities>,
    pictures: PictureChoice,
    frames: &AtomicU64,
) -> io::Result<()> {
    let mut terminal = TerminalInput::open()?;
    let mut bytes = [0; 4096];
    let queried = Instant::now();
    let mut decoder = Decoder::default();
    let mut replies = Replies::default();
    let mut reported = false;
    let mut since = Instant::now();
    loop {
        decoder.expects_replies = !replies.are_complete() && queried.elapsed() < REPLY_DEADLINE;
        let until_reported = (!reported).then(|| REPLY_WAIT.saturating_sub(queried.elapsed()));
        let until_expired = decoder
            .timeout()
            .map(|timeout| timeout.saturating_sub(since.elapsed()));
        let wait = until_expired.into_iter().chain(until_reported).min();
        // Rounded up, because a wait of zero would spin until the time has come.
        let wait = wait.map(|wait| wait + Duration::from_millis(1));
        let inputs = match terminal.read(&mut bytes, wait)? {
            Waited::Closed => return Ok(()),
            Waited::Interrupted => Vec::new(),
            Waited::Read(read) => {
                since = Instant::now();
                decoder.push(&bytes[..read])
            }
            Waited::TimedOut => {
                let expired = decoder
                    .timeout()
                    .is_some_and(|timeout| since.elapsed() >= timeout);
                match expired {
                    true => {
                        since = Instant::now();
                        decoder.expire()
                    }
                    false => Vec::new(),
                }
            }
        };
        let mut complete = false;
        let drawn = frames.load(Ordering::SeqCst);
        for input in inputs {
            let message = match input {
                Input::Key(key) => Message::Key(key, drawn),
                Input::Mouse(mouse) => Message::Mouse(mouse, drawn),
                Input::Paste(text) => Message::Paste(text),
                Input::Report(report) => {
                    let before = replies.are_complete();
                    replies.take(&report);
                    complete |= replies.are_complete() && !before;
                    continue;
                }
            };
            if out.send(message).is_err() {
                return Ok(());
            }
        }
        if complete || (!reported && queried.elapsed() >= REPLY_WAIT) {
            reported = true;
            if capabilities.send(replies.capabilities(pictures)).is_err() {
                return Ok(());
            }
        }
    }
}

/// Whether this process was stopped and continued since the last call.
#[derive(Clone)]
pub struct Continued(Arc<AtomicBool>);

impl Continued {
    pub fn take(&self) -> bool {
        self.0.swap(false, Ordering::SeqCst)
    }
}

/// Starts the thread that turns signals into messages.
pub fn signals(out: Sender<Message>, failed: Sender<Error>) -> Result<Continued> {
    let continued = Arc::new(AtomicBool::new(false));
    let mut signals =
        Signals::listen(&continued).context(ErrorKind::Internal, "listening for signals")?;
    let forward = move |signal| {
        let message = match signal {
            ProcessSignal::Continued => Message::Resumed,
            ProcessSignal::Resized => match terminal::size() {
                Ok((width, height)) => Message::Resize(Size::new(width, height)),
                // The reading thread notices that the terminal is gone.
                Err(_) => return,
            },
            ProcessSignal::Terminate | ProcessSignal::HangUp => Message::Terminate,
        };
        // The first signal restores the screen and lets the engine save. A second one exits
        // immediately, which the journal always survives. A hang-up does not count as the second,
        // because it may arrive after the reading thread has noticed it.
        if out.send(message).is_err() && signal == ProcessSignal::Terminate {
            std::process::exit(i32::from(Exit::Interrupted.exit_status()));
        }
    };
    let work = move || signals.wait(forward);
    threads::spawn("tui-signals", work, report_to(failed))?;
    Ok(Continued(continued))
}

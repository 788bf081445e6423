//! Logging to `labeler.log` under the outdir. The file is appended to; nothing reaches the screen.

use crate::error::{Context, ErrorKind, Result};
use crate::outdir;
use crate::text;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Mutex;

pub const FILE: &str = outdir::LOG;

/// Longest logged event in characters; a name from a source may have a million.
const MAX_EVENT_CHARS: usize = 16_384;

/// Sends trace events to the log in `outdir`, and creates the folder if it is missing.
pub fn start(outdir: &Path, level: tracing::Level) -> Result<()> {
    let path = outdir.join(FILE);
    outdir::create(outdir)?;
    let file = outdir::open_own(&path, OpenOptions::new().append(true))?;
    // Dependencies log warnings and errors only.
    let filter = tracing_subscriber::filter::EnvFilter::new(format!("warn,labeler_tui={level}"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_target(false)
        .with_writer(Mutex::new(Escaped(file)))
        .try_init()
        .context(ErrorKind::Internal, "starting the log")
}

/// Logs every panic. Only a panic of the calling thread is printed too: those of other threads are
/// caught and reported as failures.
pub fn log_panics() {
    let own = std::thread::current().id();
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        tracing::error!("{panic}");
        if std::thread::current().id() == own {
            before(panic);
        }
    }));
}

/// Writes each event as one line: names and model answers may contain line breaks and escape
/// sequences.
struct Escaped<W>(W);

impl<W: Write> Write for Escaped<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (body, end) = match bytes.strip_suffix(b"\n") {
            Some(body) => (body, "\n"),
            None => (bytes, ""),
        };
        let body = String::from_utf8_lossy(body);
        let mut line = text::for_log(&text::shortened(&body, MAX_EVENT_CHARS));
        line.push_str(end);
        self.0.write_all(line.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_stays_one_line_and_harmless() {
        let mut out = Escaped(Vec::new());
        let line = "name=\u{1b}[2J둥근\nnext \u{202e}x\u{61c}\n";
        assert_eq!(out.write(line.as_bytes()).unwrap(), line.len());
        assert_eq!(
            String::from_utf8(out.0).unwrap(),
            "name=\\u{1b}[2J둥근\\u{a}next \\u{202e}x\\u{61c}\n"
        );
        let mut out = Escaped(Vec::new());
        let long = "x".repeat(1_000_000);
        assert_eq!(out.write(long.as_bytes()).unwrap(), long.len());
        assert!(out.0.len() < 20_000);
    }
}

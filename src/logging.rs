//! The log: `labeler.log` under the outdir, appended, never the screen.

use crate::error::{Context, ErrorKind, Result};
use crate::outdir;
use crate::text;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Mutex;

pub const FILE: &str = outdir::LOG;

/// Characters of an event; a name out of a source may have a million.
const LONGEST: usize = 16_384;

/// Sends what is traced from now on to the log of `outdir`, which is made where it is not there.
pub fn start(outdir: &Path, level: tracing::Level) -> Result<()> {
    let path = outdir.join(FILE);
    outdir::create(outdir)?;
    let file = outdir::open_own(&path, OpenOptions::new().append(true))?;
    // Other people's modules are only heard when something is wrong.
    let filter = tracing_subscriber::filter::EnvFilter::new(format!("warn,labeler_tui={level}"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_target(false)
        .with_writer(Mutex::new(Escaped(file)))
        .try_init()
        .context(ErrorKind::Internal, "starting the log")
}

/// Panics of other threads than this one are caught where they happen and told as failures; they
/// go to the log only. One of this thread is printed as ever.
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

/// One event a line: names and model answers may hold line ends and escape sequences.
struct Escaped<W>(W);

impl<W: Write> Write for Escaped<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (body, end) = match bytes.strip_suffix(b"\n") {
            Some(body) => (body, "\n"),
            None => (bytes, ""),
        };
        let body = String::from_utf8_lossy(body);
        let mut line = text::for_log(&text::shortened(&body, LONGEST));
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

//! The headless front end: events become a progress bar, plain lines or JSON.

mod summary;

use crate::engine::{Command, Cure, Event, Handle, Progress, Stage, Summary};
use crate::error::{Context, Error, ErrorKind, Result};
use crate::platform;
use crate::text::{duration, for_json, for_line, percent, plural, shortened};
use crate::wording::Words;
use crossbeam_channel::RecvTimeoutError;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::cmp::Ordering::{Equal, Greater, Less};
use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use summary::Failures;

/// How often the bar is updated and signals are checked.
const TICK: Duration = Duration::from_millis(100);
/// Time between two lines of progress where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// Longest message in characters; a name from a source may have a million.
const MAX_CHARS: usize = 2000;
/// Longest name in a message in characters.
const MAX_NAME_CHARS: usize = 200;
/// Failures of each code that are reported when they happen; the rest are counted.
const REPORTED_FAILURES: u64 = 10;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchOptions {
    pub json: bool,
    /// `--max-samples 0`.
    pub takes_none: bool,
}

/// Prints the event of a run that could not continue.
pub fn report_broken(error: &Error, out: &mut dyn Write) -> std::io::Result<()> {
    let event = json!({ "event": "broken", "cause": error.cause, "hint": error.hint });
    writeln!(out, "{}", for_json(&event.to_string()))
}

/// How a run ended; decides the exit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunStatus {
    /// Every item has a record.
    Complete,
    /// Finished; some items failed or rows were refused.
    SomeFailed,
    Interrupted,
}

impl RunStatus {
    pub fn exit_status(self) -> u8 {
        match self {
            Self::Complete => 0,
            Self::SomeFailed => 3,
            Self::Interrupted => 130,
        }
    }
}

/// The first signal stops the run and saves; the second ends the process immediately.
#[derive(Debug, Clone)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    pub fn on_signals() -> Result<Self> {
        let requested = Arc::new(AtomicBool::new(false));
        platform::on_interrupt(&requested, 130)
            .context(ErrorKind::Internal, "listening for signals")?;
        Ok(Self(requested))
    }

    fn is_requested(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Reports the engine's events until it stops.
pub fn run(handle: Handle, options: &BatchOptions, interrupt: &Interrupt) -> Result<RunStatus> {
    let events = handle.events();
    let mut run = BatchRun {
        handle,
        reporter: Reporter::new(options.json),
        stopping: false,
        model_error: None,
        rewriting_journal: false,
    };
    let ended = loop {
        if interrupt.is_requested() && !run.stopping {
            let note = "stopping: saving finished items; interrupt again to exit immediately";
            run.reporter.note(note);
            run.stop();
        }
        match events.recv_timeout(TICK) {
            Ok(event) => {
                run.reporter.event(&event);
                if let Some(ended) = run.handle(event) {
                    break ended;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                let cause = "the engine stopped without a summary";
                let error = Error::new(ErrorKind::Internal, cause);
                break Err(error.with_hint("see labeler.log in the outdir"));
            }
        }
        run.reporter.progress(&run.handle.progress());
    };
    run.reporter.finish();
    run.conclude(&*ended?, options, interrupt)
}

/// A run that is being reported.
struct BatchRun {
    handle: Handle,
    reporter: Reporter,
    /// The engine was told to stop.
    stopping: bool,
    model_error: Option<Error>,
    rewriting_journal: bool,
}

impl BatchRun {
    fn stop(&mut self) {
        self.stopping = true;
        self.handle.send(Command::Stop);
    }

    /// Handles an event. Returns the result of the run if it was the last one.
    fn handle(&mut self, event: Event) -> Option<Result<Box<Summary>>> {
        match event {
            Event::Idle if !self.stopping => self.stop(),
            Event::ModelFailed(error) => {
                self.model_error = Some(error);
                self.stop();
            }
            Event::Blocked(blocked) => {
                self.rewriting_journal = !self.rewriting_journal && blocked.cure == Cure::Rewrite;
                match self.rewriting_journal {
                    true => self.handle.send(Command::TryAgain),
                    false => self.stop(),
                }
            }
            Event::Unblocked => self.rewriting_journal = false,
            Event::Stopped(summary) => return Some(Ok(summary)),
            Event::Broken(broken) => return Some(Err(Words::ENGLISH.broken(&broken))),
            _ => {}
        }
        None
    }

    /// Prints the summary and returns how the run ended.
    fn conclude(
        mut self,
        summary: &Summary,
        options: &BatchOptions,
        interrupt: &Interrupt,
    ) -> Result<RunStatus> {
        let stopped = match &self.model_error {
            Some(_) => Some("stopped"),
            None => summary.interrupted.then_some("interrupted"),
        };
        let has_results = summary.new_records > 0 || !summary.failures.is_empty();
        if self.model_error.is_none() || has_results {
            self.reporter.summary(summary, stopped);
        }
        if let Some(error) = self.model_error {
            return Err(error);
        }
        if summary.groups == 0 && !summary.interrupted && !options.takes_none {
            return Err(no_usable_row(summary.refused));
        }
        if let Some(error) = self.reporter.write_error {
            return Err(error);
        }
        Ok(run_status(summary, interrupt.is_requested()))
    }
}

/// The item's name, or its image path where it has no name.
fn display_name<'a>(name: &'a str, image_path: &'a str) -> Cow<'a, str> {
    let name = match name.is_empty() {
        true => image_path,
        false => name,
    };
    shortened(name, MAX_NAME_CHARS)
}

fn no_usable_row(refused: u64) -> Error {
    if refused == 0 {
        return Error::new(ErrorKind::Source, "the source has no items")
            .with_hint("check how it was written, and --only-source and --run-id");
    }
    let rows = plural(refused as usize, "row");
    let cause = format!("no row of the source can be used: {rows} refused");
    Error::new(ErrorKind::Source, cause).with_hint(
        "the warnings say why; --image-column, --name-column and --source-type map other columns",
    )
}

fn run_status(summary: &Summary, interrupt_requested: bool) -> RunStatus {
    if interrupt_requested && summary.interrupted {
        RunStatus::Interrupted
    } else if summary.failures.is_empty()
        && summary.unanswered == 0
        && summary.open.is_empty()
        && summary.damaged == 0
        && summary.refused == 0
    {
        RunStatus::Complete
    } else {
        RunStatus::SomeFailed
    }
}

/// Prints what happens in a run: JSON and the summary to standard output, the rest to standard
/// error.
struct Reporter {
    json: bool,
    bar: Option<ProgressBar>,
    last_progress: String,
    last_progress_at: Instant,
    /// Failures by code.
    failures: BTreeMap<&'static str, u64>,
    /// For the summary.
    examples: Failures,
    /// The first output that could not be written. Labeling continues, as the records matter more.
    write_error: Option<Error>,
}

impl Reporter {
    fn new(json: bool) -> Self {
        let bar = (!json && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{bar:12} {pos}/{len} {wide_msg}");
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self {
            json,
            bar,
            last_progress: String::new(),
            last_progress_at: Instant::now(),
            failures: BTreeMap::new(),
            examples: Failures::default(),
            write_error: None,
        }
    }

    fn event(&mut self, event: &Event) {
        if self.json {
            if let Some(value) = event_json(event) {
                self.print_stdout(&for_json(&value.to_string()));
            }
            return;
        }
        match event {
            Event::ModelReady(info) => {
                let parts = [&info.name, &info.device, &info.detail];
                let parts: Vec<&str> = parts
                    .into_iter()
                    .filter(|part| !part.is_empty())
                    .map(String::as_str)
                    .collect();
                self.note(&format!("model: {}", parts.join(", ")));
                if let Some(memory) = Words::ENGLISH.memory(info) {
                    self.note(&format!("memory: {memory}"));
                }
            }
            Event::SourceRead { rows, groups, .. } => {
                let rows = plural(*rows as usize, "row");
                let images = plural(*groups as usize, "image");
                self.note(&format!("source: {rows}, {images}"))
            }
            Event::Warning(warning) => {
                self.note(&format!("warning: {}", Words::ENGLISH.warning(warning)))
            }
            // Without a cure it ends the run and is returned as its error.
            Event::Blocked(blocked) if blocked.cure == Cure::Rewrite => {
                let error = Words::ENGLISH.blocked(blocked);
                self.note(&format!("warning: {}", error.cause))
            }
            Event::Failed {
                name,
                image_path,
                code,
                detail,
                ..
            } => {
                let name = display_name(name, image_path);
                self.examples.push(*code, &format!("{name}: {detail}"));
                let code = code.code();
                let failures = self.failures.entry(code).or_default();
                *failures += 1;
                match (*failures).cmp(&(REPORTED_FAILURES + 1)) {
                    Less => self.note(&format!("failed: {name}: {code} ({detail})")),
                    Equal => self.note(&format!(
                        "failed: more items with {code}, which are listed in labeler.log"
                    )),
                    Greater => {}
                }
            }
            _ => {}
        }
    }

    fn note(&mut self, text: &str) {
        let text = for_line(&shortened(text, MAX_CHARS));
        match &self.bar {
            Some(bar) => bar.println(text),
            None => self.print_stderr(&text),
        }
    }

    fn progress(&mut self, progress: &Progress) {
        let finished = progress.already + progress.done;
        if let Some(bar) = &self.bar {
            bar.set_length(progress.total);
            bar.set_position(finished);
            bar.set_message(status(progress));
            return;
        }
        if self.last_progress_at.elapsed() < LINE_INTERVAL {
            return;
        }
        self.last_progress_at = Instant::now();
        if self.json {
            return self.print_stdout(&for_json(&progress_json(progress).to_string()));
        }
        let line = format!("{finished}/{} {}", progress.total, status(progress));
        if line != self.last_progress {
            self.print_stderr(&line);
            self.last_progress = line;
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// `stopped` says how a run ended that did not finish.
    fn summary(&mut self, summary: &Summary, stopped: Option<&str>) {
        if let Some(stopped) = stopped {
            self.print_stderr(&format!(
                "{stopped}: everything finished is saved; continue with --resume"
            ));
        }
        if self.json {
            return;
        }
        for line in summary::lines(summary, &self.examples) {
            self.print_stdout(&line);
        }
    }

    fn print_stdout(&mut self, line: &str) {
        self.keep_error(writeln!(std::io::stdout(), "{line}"), "standard output");
    }

    fn print_stderr(&mut self, line: &str) {
        self.keep_error(writeln!(std::io::stderr(), "{line}"), "standard error");
    }

    /// Keeps the first error. A closed pipe or a terminal that hung up does not count.
    fn keep_error(&mut self, written: std::io::Result<()>, to: &str) {
        match written {
            Err(error) if self.write_error.is_none() && !is_reader_gone(&error) => {
                let cause = format!("writing to {to}: {error}");
                let error = Error::new(ErrorKind::Internal, cause);
                self.write_error =
                    Some(error.with_hint("the run continued; its records are saved"));
            }
            _ => {}
        }
    }
}

/// A word for each stage before the model can label; a download alone may take many minutes.
fn preparing(stage: Stage) -> Option<&'static str> {
    match stage {
        Stage::Download => Some("downloading"),
        Stage::Starting | Stage::Load => Some("loading"),
        Stage::Quantize => Some("quantizing"),
        _ => None,
    }
}

fn status(progress: &Progress) -> String {
    match (preparing(progress.stage), progress.stage_done) {
        (Some(stage), Some(done)) => format!("{stage} the model, {} %", percent(done.into(), 0)),
        (Some(stage), None) => format!("{stage} the model"),
        (None, _) if progress.stage == Stage::Waiting => "no server answers, waiting".to_owned(),
        (None, _) if progress.reading && progress.icons_per_minute == 0.0 => {
            "reading the source".to_owned()
        }
        (None, _) => rates(progress),
    }
}

/// The most important comes first, because a narrow terminal cuts the end off.
fn rates(progress: &Progress) -> String {
    let mut parts = Vec::new();
    if let Some(seconds) = progress.eta_seconds {
        parts.push(format!("{} left", duration(seconds)));
    }
    let decimals = usize::from(progress.icons_per_minute < 10.0);
    parts.extend([
        format!("{:.decimals$} icons/min", progress.icons_per_minute),
        format!("{} uncertain", progress.uncertain),
        format!("{} failed", progress.failed),
        format!("{:.0} tokens/s", progress.tokens_per_second),
    ]);
    parts.join(", ")
}

fn event_json(event: &Event) -> Option<Value> {
    Some(match event {
        Event::ModelReady(info) => json!({
            "event": "model_ready", "model": info.name, "device": info.device,
            "detail": info.detail, "slots": info.slots,
            "memory": info.memory.map(|memory| json!({
                "weights": memory.weights, "keys_and_values": memory.caches, "free": memory.free,
            })),
        }),
        Event::ModelFailed(error) => json!({
            "event": "model_failed", "cause": error.cause, "hint": error.hint,
        }),
        Event::SourceRead {
            rows,
            groups,
            pictures,
        } => json!({
            "event": "source_read", "rows": rows, "groups": groups, "moved": pictures.moved,
            "withheld": pictures.withheld, "withheld_edits": pictures.withheld_edits,
        }),
        Event::Labeled {
            image_path,
            name,
            reasons,
            derived_from,
            ..
        } => {
            let mut labeled = json!({
                "event": "labeled", "image_path": image_path, "item_name": name,
                "reasons": reasons,
            });
            if let Some(from) = derived_from {
                labeled["derived_from"] = json!(from);
            }
            labeled
        }
        Event::Failed {
            image_path,
            name,
            code,
            detail,
            ..
        } => json!({
            "event": "failed", "image_path": image_path, "item_name": name, "code": code,
            "detail": shortened(&detail.to_string(), MAX_CHARS),
        }),
        Event::Warning(warning) => json!({
            "event": "warning", "text": shortened(&Words::ENGLISH.warning(warning), MAX_CHARS),
        }),
        Event::Blocked(blocked) => {
            let error = Words::ENGLISH.blocked(blocked);
            json!({ "event": "blocked", "cause": error.cause, "hint": error.hint })
        }
        Event::Unblocked => json!({ "event": "unblocked" }),
        Event::Stopped(summary) => summary::json(summary),
        // Reported at the end of the run, like any error that ends it.
        Event::Broken(_)
        | Event::Groups(_)
        | Event::Learned(_)
        | Event::Detail(_)
        | Event::Stepped { .. }
        | Event::VocabularyPreview { .. }
        | Event::Vocabulary(_)
        | Event::FixPreview { .. }
        | Event::Found { .. }
        | Event::Remembered { .. }
        | Event::Audited(_)
        | Event::AuditDrawn { .. }
        | Event::Idle => return None,
    })
}

fn progress_json(progress: &Progress) -> Value {
    let stage = match progress.stage {
        Stage::Waiting => "waiting",
        stage => preparing(stage).unwrap_or("labeling"),
    };
    let mut value = json!({
        "event": "progress", "stage": stage,
        "stage_done": progress.stage_done, "total": progress.total, "reading": progress.reading,
        "already": progress.already, "done": progress.done, "uncertain": progress.uncertain,
        "failed": progress.failed, "following": progress.following, "icons_per_minute": progress.icons_per_minute,
        "tokens_per_second": progress.tokens_per_second, "eta_seconds": progress.eta_seconds,
    });
    summary::add_remote(&mut value, progress.remote);
    value
}

fn is_reader_gone(error: &std::io::Error) -> bool {
    platform::is_device_error(error) || error.kind() == std::io::ErrorKind::BrokenPipe
}

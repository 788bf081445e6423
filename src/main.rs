//! Composition root: parses the settings, runs the chosen command, and maps its result to an exit
//! status.

#![allow(clippy::disallowed_methods, reason = "it prints")]

use labeler_tui::batch::{self, BatchOptions, Interrupt};
use labeler_tui::cli::{self, Invocation, Rejected, RunOptions};
use labeler_tui::commands::{
    self, ask, audit, bench, compare, doctor, export, fix, journal, list, retriever, show,
};
use labeler_tui::engine::{Engine, EngineConfig};
use labeler_tui::error::{Context, Error, ErrorKind, Result};
use labeler_tui::labeler::LabelerOptions;
use labeler_tui::prompt::Lang;
use labeler_tui::text::{for_line, for_lines, for_stream, shortened};
use labeler_tui::{labeler, logging, platform, tui};
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

/// Longest printed error in characters; its cause may quote a value of any length.
const MAX_ERROR_CHARS: usize = 4000;

fn main() -> ExitCode {
    let args: Vec<_> = std::env::args_os().collect();
    for warning in cli::unknown_variables(std::env::vars_os().map(|(name, _)| name)) {
        // Fails when the terminal has hung up, and then nobody would read the text.
        let _ = writeln!(std::io::stderr(), "warning: {}", for_line(&warning));
    }
    let failed = |error: Error| report(&cli::with_variables(error, &args));
    let invocation = match cli::parse(args.clone()) {
        Ok(invocation) => invocation,
        Err(Rejected::Clap(message)) => {
            // The message may quote a file name that someone else chose.
            let text = message.render().to_string();
            let shown = for_stream(&text);
            if shown == text || !message.use_stderr() {
                message.exit();
            }
            let _ = std::io::stderr().write_all(shown.as_bytes());
            return ExitCode::from(u8::try_from(message.exit_code()).unwrap_or(u8::MAX));
        }
        Err(Rejected::Error(error)) => return failed(error),
    };
    run(invocation).unwrap_or_else(failed)
}

fn run(invocation: Invocation) -> Result<ExitCode> {
    platform::survive_file_size_limit().context(ErrorKind::Internal, "handling signals")?;
    let mut stdout = std::io::stdout();
    let mut stderr = std::io::stderr();
    match invocation {
        Invocation::Label(options) => {
            let as_json = options.front.batch && options.front.json;
            return label(*options).inspect_err(|error| {
                if as_json {
                    // Fails when the reader is gone; standard error says the same.
                    let _ = batch::report_broken(error, &mut stdout);
                }
            });
        }
        Invocation::Ask(options) => ask::run(&options, &mut stdout)?,
        Invocation::Bench(options) => bench::run(&options, &mut stdout)?,
        Invocation::Doctor(options) => {
            let works = doctor::run(&options, &mut stdout)?;
            return Ok(ExitCode::from(u8::from(!works)));
        }
        Invocation::Compare(options) => {
            let exit = compare::run(&options, &mut stdout)?;
            return Ok(ExitCode::from(exit.exit_status()));
        }
        Invocation::Audit(options) => {
            let exit = audit::run(&options, &mut stdout)?;
            return Ok(ExitCode::from(exit.exit_status()));
        }
        Invocation::List(options) => list::run(&options, &mut stdout, &mut stderr)?,
        Invocation::Fix(options) => fix::run(&options, &mut stdout)?,
        Invocation::Export(options) => {
            let complete = export::run(&options, &mut stdout)?;
            return Ok(ExitCode::from(if complete { 0 } else { 3 }));
        }
        Invocation::Retrieval(options) => {
            let complete = retriever::retrieval::run(&options, &mut stdout)?;
            return Ok(ExitCode::from(if complete { 0 } else { 3 }));
        }
        Invocation::Embed(options) => retriever::embed::run(&options, &mut stdout)?,
        Invocation::Report(options) => commands::report::run(&options, &mut stdout)?,
        Invocation::Journal(options) => {
            let sound = journal::run(&options, &mut stdout)?;
            return Ok(ExitCode::from(u8::from(!sound)));
        }
        Invocation::Show(file) => show::run(&file, &mut stdout)?,
        Invocation::Completions(shell) => cli::write_completions(shell, &mut stdout)?,
        Invocation::Man(command) => cli::write_man(&command, &mut stdout)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn label(options: RunOptions) -> Result<ExitCode> {
    let (front, outdir) = (options.front, options.engine.outdir.clone());
    // Reports a bad keymap, a bad theme or a missing terminal before anything is opened.
    let prepared = match front.batch {
        true => None,
        false => Some(tui::prepare(
            front.keymap.as_deref(),
            front.look.theme.as_deref(),
        )?),
    };
    let has_model = options.labeler != LabelerOptions::None;
    let batch = BatchOptions {
        json: front.json,
        takes_none: options.source.max_samples == Some(0),
    };
    let engine = Engine::new(EngineConfig {
        options: options.engine,
        source: options.source,
        icon: options.icon,
        prompt: options.prompt.clone(),
    })?;
    let settings = tui::Settings {
        icon: options.icon,
        model: has_model,
        outdir: outdir.display().to_string(),
        vocabulary: Arc::clone(engine.vocabulary()),
        pictures: front.look.pictures,
        english: options.prompt.lang != Lang::Ko,
        language: front.look.language,
    };
    let labeler = match front.batch {
        // Fails before anything is written.
        true => labeler::checked_factory(options.labeler)?,
        false => labeler::factory(options.labeler),
    };
    logging::start(&outdir, options.log_level)?;
    let Some(prepared) = prepared else {
        logging::log_panics();
        let interrupt = Interrupt::on_signals()?;
        let handle = engine.start(labeler)?;
        let outcome = batch::run(handle, &batch, &interrupt)?;
        return Ok(ExitCode::from(outcome.exit_status()));
    };
    let handle = engine.start(labeler.map(labeler::lower_priority))?;
    let exit = tui::run(handle, prepared, settings, &outdir.join(logging::FILE))?;
    Ok(ExitCode::from(exit.exit_status()))
}

/// Prints an error; no other code does. The cause may span several lines and quote text from a
/// source or a server.
fn report(error: &Error) -> ExitCode {
    let cause = shortened(error.cause.trim_end(), MAX_ERROR_CHARS);
    let mut text = format!("error: {}\n", for_lines(&cause));
    if let Some(hint) = &error.hint {
        text.push_str(&format!(
            "hint: {}\n",
            for_lines(&shortened(hint, MAX_ERROR_CHARS))
        ));
    }
    // Fails when the terminal has hung up, and then nobody would read the text.
    let _ = std::io::stderr().write_all(text.as_bytes());
    ExitCode::from(error.exit_status())
}

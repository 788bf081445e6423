//! Composition root: reads the settings, picks what to run, and turns its end into an exit status.

use labeler_tui::batch::{self, BatchOptions, Interrupt};
use labeler_tui::cli::{self, Invocation, Rejected};
use labeler_tui::engine::{self, Parts, Plan};
use labeler_tui::error::{Error, ErrorKind, Result};
use labeler_tui::settings::RunOptions;
use labeler_tui::{labeler, logging};
use std::process::ExitCode;

fn main() -> ExitCode {
    let invocation = match cli::parse(std::env::args_os().collect()) {
        Ok(invocation) => invocation,
        Err(Rejected::Clap(message)) => message.exit(),
        Err(Rejected::Error(error)) => return report(&error),
    };
    run(invocation).unwrap_or_else(|error| report(&error))
}

fn run(invocation: Invocation) -> Result<ExitCode> {
    match invocation {
        Invocation::Label(options) => return label(*options),
        Invocation::Completions(shell) => cli::write_completions(shell, &mut std::io::stdout())?,
        Invocation::Man => cli::write_man(&mut std::io::stdout())?,
        Invocation::Ask(_) | Invocation::Bench(_) | Invocation::Doctor(_) => {
            return Err(Error::new(
                ErrorKind::Internal,
                "this build cannot do that yet",
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn label(options: RunOptions) -> Result<ExitCode> {
    let batch = BatchOptions {
        json: options.front.json,
        outdir: options.engine.outdir.clone(),
        parquet: options.engine.parquet,
    };
    let interrupt = Interrupt::on_signals()?;
    let outdir = batch.outdir.clone();
    let plan = Plan::new(Parts {
        options: options.engine,
        source: options.source,
        icon: options.icon,
        prompt: options.prompt,
    })?;
    logging::start(&outdir, options.log_level)?;
    let handle = engine::start(plan, labeler::factory(options.labeler))?;
    if options.front.batch {
        let outcome = batch::run(handle, &batch, &interrupt)?;
        return Ok(ExitCode::from(outcome.exit_status()));
    }
    Err(Error::new(
        ErrorKind::Terminal,
        "the workstation is not built yet",
    ))
}

/// The one place where errors are printed.
fn report(error: &Error) -> ExitCode {
    eprintln!("error: {}", error.cause);
    if let Some(hint) = &error.hint {
        eprintln!("hint: {hint}");
    }
    ExitCode::from(error.exit_status())
}

//! Composition root: reads the settings, picks what to run, and turns its end into an exit status.

use labeler_tui::cli::{self, Invocation, Rejected};
use labeler_tui::error::{Error, ErrorKind, Result};
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
    let mut stdout = std::io::stdout().lock();
    match invocation {
        Invocation::Completions(shell) => cli::write_completions(shell, &mut stdout)?,
        Invocation::Man => cli::write_man(&mut stdout)?,
        Invocation::Label(_)
        | Invocation::Ask(_)
        | Invocation::Bench(_)
        | Invocation::Doctor(_) => {
            return Err(Error::new(
                ErrorKind::Internal,
                "this build cannot do that yet",
            ));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The one place where errors are printed.
fn report(error: &Error) -> ExitCode {
    eprintln!("error: {}", error.cause);
    if let Some(hint) = &error.hint {
        eprintln!("hint: {hint}");
    }
    ExitCode::from(error.exit_status())
}

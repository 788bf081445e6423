//! The command line: one clap table, filled from flags, environment and `--config` file, and
//! turned into the option structs of the other modules.

mod args;
mod convert;
mod dataset_args;
mod environment;
mod invocation;
mod judging_args;
mod layers;
mod man;
mod pages;
mod retriever_args;
mod values;

pub use args::{Cli, CliCommand};
pub use environment::{unknown_variables, with_variables};
pub use invocation::{FrontOptions, Invocation, Rejected, RunOptions};
pub use man::write_man;

use crate::commands::write_out;
use crate::error::{Error, ErrorKind, Result};
use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory, FromArgMatches};
use clap_complete::Shell;
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::Path;

/// Reads `args` (the program's name first), `LABELER_*` and the `--config` file.
pub fn parse(args: Vec<OsString>) -> Result<Invocation, Rejected> {
    let in_environment = |option: &str| {
        // Positional arguments come only from the command line.
        let on_command_line = !option.starts_with("--")
            || args
                .iter()
                .any(|arg| arg.to_string_lossy().starts_with(option));
        let id = option.trim_start_matches('-').replace('-', "_");
        (!on_command_line).then(|| values::set_by(&id))
    };
    let matches =
        command(&args)
            .try_get_matches_from(&args)
            .map_err(|error| match foreign_argument(&error) {
                Some(rejected) => rejected,
                None => with_origin(error, in_environment),
            })?;
    let origins = layers::Origins::of(&matches);
    let file = layers::config_file(&matches);
    let in_file = |_: &str| Some(format!("it is set in {}", file?.display()));
    let (args, origins) = layers::with_file(args, &matches, origins)?;
    // Errors in the flags were reported above, so an error here is in the file.
    let matches = command(&args)
        .try_get_matches_from(args)
        .map_err(|error| with_origin(error, in_file))?;
    let cli = Cli::from_arg_matches(&matches)?;
    Ok(convert::invocation(cli, &origins)?)
}

/// The clap table for `args`. An empty variable counts as unset, because `docker compose` passes
/// unset variables as empty ones. The variables of labeling do not count for other commands, which
/// have their own where they share one.
fn command(args: &[OsString]) -> clap::Command {
    let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
    fn without(command: clap::Command, is_empty: &impl Fn(&OsStr) -> bool) -> clap::Command {
        command
            .mut_args(|arg| match arg.get_env().is_some_and(is_empty) {
                true => arg.env(None::<&'static str>),
                false => arg,
            })
            .mut_subcommands(|command| without(command, is_empty))
    }
    let command = without(Cli::command(), &is_empty);
    let first = args.get(1).and_then(|first| first.to_str());
    match first.is_some_and(|name| command.find_subcommand(name).is_some()) {
        true => command.mut_args(|arg| arg.env(None::<&'static str>)),
        false => command,
    }
}

/// Commands, options and values of the Python script and other programs, each with what to use
/// instead.
const FOREIGN_ARGUMENTS: [(&str, &str); 6] = [
    (
        "run",
        "labeling needs no command: labeler-tui --batch --db db.sqlite --outdir labels",
    ),
    (
        "label",
        "labeling needs no command: labeler-tui --batch --db db.sqlite --outdir labels",
    ),
    (
        "--no-quality-retry",
        "omit it: nothing is retried without --quality-retry",
    ),
    ("--load-8bit", "use --quantize q8_0"),
    ("--precision int8", "use --quantize q8_0"),
    ("--precision int4", "use --quantize q4k"),
];

/// Explains an argument that only other programs have, or a source without its option.
fn foreign_argument(error: &clap::Error) -> Option<Rejected> {
    use clap::error::ErrorKind::{InvalidSubcommand, InvalidValue, UnknownArgument};
    let word = |kind| match error.get(kind) {
        Some(ContextValue::String(word)) => Some(word.as_str()),
        _ => None,
    };
    let (what, word) = match error.kind() {
        InvalidSubcommand => ("command ", word(ContextKind::InvalidSubcommand)?.to_owned()),
        UnknownArgument => ("option ", word(ContextKind::InvalidArg)?.to_owned()),
        InvalidValue => {
            let option = word(ContextKind::InvalidArg)?.split(' ').next()?;
            let value = word(ContextKind::InvalidValue)?;
            ("", format!("{option} {value}"))
        }
        _ => return None,
    };
    let known = FOREIGN_ARGUMENTS.iter().find(|(other, _)| *other == word);
    let hint = match known {
        Some((_, hint)) => hint,
        None if error.kind() == InvalidSubcommand && Path::new(&word).exists() => {
            "give a source with --db, --input or --images"
        }
        None => return None,
    };
    let cause = format!("there is no {what}{word}");
    Some(Error::new(ErrorKind::Usage, cause).with_hint(hint).into())
}

/// Adds the origin of a bad value to its error, unless it is on the command line.
fn with_origin(error: clap::Error, place: impl Fn(&str) -> Option<String>) -> Rejected {
    let option = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(option)) => option.split(' ').next(),
        _ => None,
    };
    match option.and_then(place) {
        Some(place) => {
            let text = error.render().to_string();
            let lines = text.lines().map_while(|line| match line.trim() {
                "" => None,
                line => Some(line.trim_start_matches("error: ")),
            });
            let cause = lines.collect::<Vec<_>>().join(" ");
            Error::new(ErrorKind::Usage, cause).with_hint(place).into()
        }
        None => error.into(),
    }
}

/// Writes the completion script of `shell`.
pub fn write_completions(shell: Shell, out: &mut dyn Write) -> Result<()> {
    // clap_complete panics where a write fails, so it writes to memory.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "labeler-tui", &mut script);
    write_out(out, &script)
}

#[cfg(test)]
mod tests;

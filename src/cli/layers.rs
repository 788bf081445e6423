//! Layers the `--config` file under the environment and the flags. Its entries become arguments, so
//! clap checks them like any other.

use super::args::Cli;
use super::values::variable;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::text::with_short_quotes;
use clap::parser::ValueSource;
use clap::{ArgAction, ArgMatches, CommandFactory};
use std::any::TypeId;
use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Options that replace each other: one from a higher layer overrides those of lower layers.
const ALTERNATIVES: &[&[&str]] = &[
    &["db", "input", "images", "demo"],
    &["prompt", "prompt_version"],
    &["quantize", "load_4bit"],
    &["no_image", "no_metadata"],
];

/// The layer that a value comes from; the higher one wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OptionOrigin {
    File,
    Environment,
    Flag,
}

/// The layer that each set option comes from.
#[derive(Debug, Default)]
pub struct Origins(HashMap<String, OptionOrigin>);

impl Origins {
    pub fn of(matches: &ArgMatches) -> Self {
        let matches = matches.subcommand().map_or(matches, |(_, inner)| inner);
        let mut found = HashMap::new();
        for id in matches.ids() {
            let origin = match matches.value_source(id.as_str()) {
                Some(ValueSource::CommandLine) => OptionOrigin::Flag,
                Some(ValueSource::EnvVariable) if !is_false(matches, id.as_str()) => {
                    OptionOrigin::Environment
                }
                _ => continue,
            };
            found.insert(id.as_str().to_owned(), origin);
        }
        Self(found)
    }

    /// Whether `id` was set and no alternative to it was set in a higher layer.
    pub fn applies(&self, id: &str) -> bool {
        let Some(origin) = self.0.get(id) else {
            return false;
        };
        alternatives(id).all(|other| self.0.get(other).is_none_or(|o| o <= origin))
    }

    /// The name of an option where it was set, for errors.
    pub fn name(&self, id: &str) -> String {
        let option = id.replace('_', "-");
        match self.0.get(id) {
            Some(OptionOrigin::Environment) => variable(id),
            Some(OptionOrigin::File) => format!("`{option}` of the --config file"),
            Some(OptionOrigin::Flag) | None => format!("--{option}"),
        }
    }
}

fn alternatives(id: &str) -> impl Iterator<Item = &'static str> {
    ALTERNATIVES
        .iter()
        .find(|group| group.contains(&id))
        .into_iter()
        .flat_map(|group| group.iter().copied())
}

/// `LABELER_DEMO=0` must not count as a choice of source.
fn is_false(matches: &ArgMatches, id: &str) -> bool {
    matches
        .try_get_one::<bool>(id)
        .is_ok_and(|value| value == Some(&false))
}

pub fn config_file(matches: &ArgMatches) -> Option<&PathBuf> {
    let inner = matches.subcommand().map_or(matches, |(_, inner)| inner);
    inner.try_get_one("config").ok().flatten()
}

/// Adds the file's entries to `args`, except options that a higher layer has set.
pub fn with_file(
    mut args: Vec<OsString>,
    matches: &ArgMatches,
    mut origins: Origins,
) -> Result<(Vec<OsString>, Origins)> {
    let (command, inner, at) = match matches.subcommand() {
        Some((name, inner)) => (Some(name), inner, 2),
        None => (None, matches, 1),
    };
    let Some(path) = config_file(matches) else {
        return Ok((args, origins));
    };
    let from_env: Vec<String> = inner
        .ids()
        .filter(|id| inner.value_source(id.as_str()) == Some(ValueSource::EnvVariable))
        .map(|id| id.as_str().to_owned())
        .collect();
    let table = Cli::command();
    let chosen = match command.and_then(|name| table.find_subcommand(name)) {
        Some(sub) => sub,
        None => &table,
    };
    let mut added = Vec::new();
    for (key, value) in read(path)? {
        let find = |command: &clap::Command| {
            command
                .get_arguments()
                .find(|a| a.get_long() == Some(key.as_str()) && key != "config")
                .cloned()
        };
        let Some(arg) = find(chosen) else {
            // One file may serve all commands.
            if find(&table).is_some() {
                continue;
            }
            return Err(config_error(path, format!("there is no option `{key}`")));
        };
        let id = arg.get_id().as_str();
        let is_overridden = origins.0.contains_key(id)
            || from_env.iter().any(|e| e == id)
            || alternatives(id).any(|o| origins.0.get(o).is_some_and(|o| *o > OptionOrigin::File));
        if is_overridden {
            continue;
        }
        for text in values(path, &key, &arg, value)? {
            added.push(match text {
                Some(text) => OsString::from(format!("--{key}={text}")),
                None => OsString::from(format!("--{key}")),
            });
            origins.0.insert(id.to_owned(), OptionOrigin::File);
        }
    }
    let at = at.min(args.len());
    args.splice(at..at, added);
    Ok((args, origins))
}

fn config_error(path: &Path, cause: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Usage, format!("{}: {cause}", path.display()))
        .with_hint("entries have the names of the options, as in `batch-size = 8`")
}

fn read(path: &Path) -> Result<toml::Table> {
    let text = crate::text::read_text(path)
        .context(
            ErrorKind::Usage,
            format!("reading the configuration {}", path.display()),
        )
        .map_err(|error| error.with_hint("check the path after --config, or LABELER_CONFIG"))?;
    text.parse::<toml::Table>()
        .map_err(|e| config_error(path, with_short_quotes(&e)))
}

/// The values of one entry; `None` is a flag without a value.
fn values(
    path: &Path,
    key: &str,
    arg: &clap::Arg,
    value: toml::Value,
) -> Result<Vec<Option<String>>> {
    let flag = matches!(arg.get_action(), ArgAction::SetTrue);
    let is_path = arg.get_value_parser().type_id() == TypeId::of::<PathBuf>();
    let one = |value: toml::Value| match value {
        toml::Value::String(text) if !flag => Ok(Some(text)),
        toml::Value::Integer(n) if !flag && !is_path => Ok(Some(n.to_string())),
        other if flag => Err(config_error(
            path,
            format!("`{key}` is true or false, not a {}", other.type_str()),
        )),
        other => Err(config_error(
            path,
            format!("`{key}` cannot be a {}", other.type_str()),
        )),
    };
    match value {
        toml::Value::Boolean(on) if flag => Ok(on.then_some(None).into_iter().collect()),
        toml::Value::Array(list) if matches!(arg.get_action(), ArgAction::Append) => {
            list.into_iter().map(one).collect()
        }
        other => Ok(vec![one(other)?]),
    }
}

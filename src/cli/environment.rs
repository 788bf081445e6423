//! Explains the `LABELER_*` variables: names the one that a bad value came from, and unknown ones.

use super::args::Cli;
use super::command;
use super::values::{PREFIX, set_by};
use crate::error::Error;
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory};
use std::collections::BTreeSet;
use std::ffi::OsString;

/// Variables without an option.
const OTHERS: [&str; 1] = ["LABELER_API_KEY"];
/// How similar the names of two variables are if one is a misspelling of the other.
const SIMILAR: f64 = 0.7;

/// The options whose values are checked by what reads them, rather than by clap.
const CHECKED_LATER: [&str; 13] = [
    "endpoint",
    "device",
    "model",
    "db",
    "input",
    "images",
    "outdir",
    "prompt",
    "prompt_version",
    "vocabulary",
    "theme",
    "keymap",
    "redo",
];

/// Adds the variable to the hint of an error about a value that is set in the environment.
pub fn with_variables(error: Error, args: &[OsString]) -> Error {
    let Ok(matches) = command(args).try_get_matches_from(args) else {
        return error;
    };
    let matches = matches.subcommand().map_or(&matches, |(_, inner)| inner);
    let named = CHECKED_LATER.into_iter().find(|id| {
        let is_set = matches!(
            matches.try_contains_id(id),
            Ok(true) if matches.value_source(id) == Some(ValueSource::EnvVariable)
        );
        is_set && values(matches, id).any(|value| mentions(&error.cause, &value))
    });
    let Some(id) = named else {
        return error;
    };
    let place = set_by(id);
    let hint = match &error.hint {
        Some(hint) => format!("{place}; {hint}"),
        None => place,
    };
    error.with_hint(hint)
}

/// The texts by which an error may refer to an option's value.
fn values<'a>(matches: &'a ArgMatches, id: &str) -> impl Iterator<Item = String> + use<'a> {
    let raw = matches.try_get_raw(id).ok().flatten();
    let values = raw.into_iter().flatten();
    let is_device = id == "device";
    values.map(move |value| {
        let value = value.to_string_lossy().into_owned();
        let lower = value.to_lowercase();
        match lower.split(':').next() {
            Some("cuda") if is_device => "CUDA".to_owned(),
            Some("metal" | "mps") if is_device => "Metal".to_owned(),
            _ => value,
        }
    })
}

/// Whether a text contains a value as a whole word or path.
fn mentions(text: &str, value: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_');
    let mut places = text.match_indices(value);
    !value.is_empty()
        && places.any(|(at, _)| {
            let before = text[..at].chars().next_back();
            let after = text[at + value.len()..].chars().next();
            let is_inside = |c: char| is_part(c) || matches!(c, '/' | '.');
            !before.is_some_and(is_inside) && !after.is_some_and(is_part)
        })
}

/// A warning for each variable of the environment that looks like ours but is unknown.
pub fn unknown_variables(set: impl Iterator<Item = OsString>) -> Vec<String> {
    let names = set.filter_map(|name| name.into_string().ok());
    let ours: BTreeSet<String> = names.filter(|name| name.starts_with(PREFIX)).collect();
    if ours.is_empty() {
        return Vec::new();
    }
    let known = known_variables();
    let warning = |name: &String| {
        let similarity = |other: &String| {
            let (name, other) = (&name[PREFIX.len()..], &other[PREFIX.len()..]);
            strsim::normalized_damerau_levenshtein(name, other)
        };
        let nearest = known
            .iter()
            .map(|other| (similarity(other), other))
            .max_by(|(a, _), (b, _)| a.total_cmp(b));
        match nearest {
            Some((similarity, other)) if similarity >= SIMILAR => {
                format!("there is no variable {name}; do you mean {other}?")
            }
            _ => format!("there is no variable {name}"),
        }
    };
    ours.difference(&known).map(warning).collect()
}

fn known_variables() -> BTreeSet<String> {
    fn collect(command: &clap::Command, known: &mut BTreeSet<String>) {
        let names = command.get_arguments().filter_map(|arg| arg.get_env());
        known.extend(names.map(|name| name.to_string_lossy().into_owned()));
        for command in command.get_subcommands() {
            collect(command, known);
        }
    }
    let mut known: BTreeSet<String> = OTHERS.map(str::to_owned).into();
    collect(&Cli::command(), &mut known);
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_variable_is_named_with_the_one_that_is_meant() {
        let set = [
            "LABELER_MODELS",
            "LABELER_ODD",
            "LABELER_MODEL",
            "LABELER_API_KEY",
            "HOME",
        ];
        assert_eq!(
            unknown_variables(set.into_iter().map(OsString::from)),
            [
                "there is no variable LABELER_MODELS; do you mean LABELER_MODEL?",
                "there is no variable LABELER_ODD",
            ]
        );
    }

    #[test]
    fn a_value_is_found_as_a_whole_word() {
        assert!(mentions(
            "cannot read nowhere.sqlite: no such file",
            "nowhere.sqlite"
        ));
        assert!(mentions("there is no journal in out", "out"));
        assert!(mentions("opening out/labeler.lock", "out"));
        assert!(!mentions("opening other/out/labeler.lock", "out"));
        assert!(!mentions("without a model", "out"));
        assert!(!mentions("anything", ""));
    }
}

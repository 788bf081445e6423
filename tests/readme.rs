//! The documentation matches the program.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unreachable,
    clippy::unwrap_used
)]

use clap::CommandFactory as _;
use labeler_tui::cli::Cli;
use labeler_tui::record::{FailureCode, Reason};
use labeler_tui::tui::keymap::readme_table;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = std::fs::read_dir(root.join("docs")).unwrap();
    ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]
        .iter()
        .map(|name| root.join(name))
        .chain(docs.map(|entry| entry.unwrap().path()))
        .collect()
}

#[test]
fn the_key_table_matches_the_actions() {
    let keys = page("docs/keys.md");
    let (_, after) = keys.split_once("<!-- keys -->\n").unwrap();
    let (written, _) = after.split_once("<!-- /keys -->").unwrap();
    let expected = readme_table().unwrap();
    assert!(
        written == expected,
        "put this between the `keys` markers of docs/keys.md:\n{expected}"
    );
}

#[test]
fn every_code_is_documented() {
    let text = page("docs/files-and-record.md");
    let reasons = Reason::ALL.iter().map(|reason| reason.code());
    let failures = FailureCode::ALL.iter().map(|failure| failure.code());
    for code in reasons.chain(failures) {
        assert!(
            text.contains(&format!("\n| `{code}` |")),
            "docs/files-and-record.md has no row for {code}"
        );
    }
}

#[test]
fn the_documented_environment_variables_are_those_of_the_options() {
    let command = Cli::command();
    let options: BTreeSet<String> = std::iter::once(&command)
        .chain(command.get_subcommands())
        .flat_map(clap::Command::get_arguments)
        .filter_map(|option| Some(option.get_env()?.to_str()?.to_owned()))
        .chain(["LABELER_API_KEY".to_owned()])
        .collect();
    let text = page("docs/environment.md");
    let listed: BTreeSet<String> = text
        .split('`')
        .filter(|word| word.starts_with("LABELER_") && *word != "LABELER_")
        .map(str::to_owned)
        .collect();
    assert_eq!(listed, options);
}

/// Relative Markdown links: the path and the heading, if any.
fn links(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    text.split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target)
        .filter(|target| !target.contains("://"))
        .map(|target| match target.split_once('#') {
            Some((path, heading)) => (path, Some(heading)),
            None => (target, None),
        })
}

/// The anchors that GitHub generates for a page's headings.
fn anchors(text: &str) -> BTreeSet<String> {
    text.lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            line.trim_start_matches('#')
                .trim()
                .to_lowercase()
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
                .map(|c| if c == ' ' { '-' } else { c })
                .collect()
        })
        .collect()
}

#[test]
fn no_link_is_broken() {
    let mut broken = Vec::new();
    for page in pages() {
        let text = std::fs::read_to_string(&page).unwrap();
        for (path, heading) in links(&text) {
            let target = match path {
                "" => page.clone(),
                path => page.parent().unwrap().join(path),
            };
            let valid = match heading {
                None => target.exists(),
                Some(heading) => std::fs::read_to_string(&target)
                    .is_ok_and(|text| anchors(&text).contains(heading)),
            };
            if !valid {
                broken.push(format!(
                    "{}: {path}#{}",
                    page.display(),
                    heading.unwrap_or_default()
                ));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

//! Prompt files: parsing, the built-in ones, and filling in placeholders.

use super::options::Lang;
use crate::error::{Context, Error, ErrorKind, Result};
use crate::record::{AnswerForm, Vocabulary};
use crate::text::{is_forbidden, with_short_quotes};
use serde::Deserialize;
use std::path::Path;

const BUILTIN: &[&str] = &[
    include_str!("../../assets/prompts/v1.toml"),
    include_str!("../../assets/prompts/v2.toml"),
    include_str!("../../assets/prompts/v3.toml"),
    include_str!("../../assets/prompts/demo.toml"),
];

/// A prompt file. Texts are trimmed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prompt {
    /// Stored in every record.
    pub version: String,
    /// The form of answer that the texts request.
    #[serde(default)]
    pub answer: AnswerForm,
    /// The same for every item, so that the model processes it once. May contain `{language}`,
    /// `{label_en}` and the word lists of the vocabulary by their names: `{colors}`, `{themes}`.
    pub system: String,
    /// Differs from item to item. May contain `{name}`, `{description}`, `{part}`, `{source}`,
    /// `{measured_colors}`, `{hint}` and `{examples}`. A line whose placeholder has no value is
    /// dropped. Without a placeholder a hint is appended as a line, and examples are prepended.
    pub user: String,
    /// Appended to the user text of a quality retry.
    #[serde(default)]
    pub strict: String,
    /// Value of `{language}` by `--lang`: instructions for `label_en`.
    #[serde(default)]
    pub language: ByLang,
    /// Value of `{label_en}` by `--lang`: an example as JSON.
    #[serde(default)]
    pub label_en: ByLang,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ByLang {
    ko: String,
    en: String,
    both: String,
}

impl ByLang {
    pub(super) fn get(&self, lang: Lang) -> &str {
        match lang {
            Lang::Ko => self.ko.trim(),
            Lang::En => self.en.trim(),
            Lang::Both => self.both.trim(),
        }
    }
}

const USER_KEYS: &[&str] = &[
    "name",
    "description",
    "part",
    "source",
    "measured_colors",
    "hint",
    "examples",
];

/// Returns each built-in prompt file with its version.
pub fn builtin_prompts() -> Result<Vec<(String, &'static str)>> {
    let read = |text: &&'static str| Ok((Prompt::parse(text)?.version, *text));
    let read = BUILTIN.iter().map(read).collect::<Result<Vec<_>>>();
    read.map_err(|error| error.context("a built-in prompt"))
}

impl Prompt {
    pub fn builtin(version: &str) -> Result<Self> {
        let mut versions = Vec::new();
        for (known, text) in builtin_prompts()? {
            if known == version {
                return Self::parse(text);
            }
            versions.push(known);
        }
        Err(
            usage_error(format!("there is no prompt \"{version}\"")).with_hint(format!(
                "the built-in prompts are {}; use --prompt FILE for your own",
                versions.join(", ")
            )),
        )
    }

    pub fn from_file(path: &Path) -> Result<Self> {
        let text = crate::text::read_text(path)
            .context(
                ErrorKind::Usage,
                format!("reading the prompt {}", path.display()),
            )
            .map_err(|error| error.with_hint("check the path, or use --prompt-version"))?;
        Self::parse(&text).map_err(|error| error.context(format!("prompt {}", path.display())))
    }

    pub fn parse(text: &str) -> Result<Self> {
        // The model must get the same text whichever system the file was saved on.
        let text = text.replace("\r\n", "\n");
        let mut prompt: Self = toml::from_str(&text).map_err(|error| {
            usage_error(with_short_quotes(&error)).with_hint(
                "a prompt requires version, system and user; answer, strict and the tables [language] \
                 and [label_en] with ko, en, both are optional",
            )
        })?;
        for text in [&mut prompt.system, &mut prompt.user, &mut prompt.strict] {
            *text = text.trim().to_string();
        }
        prompt.version = prompt.version.trim().to_string();
        if prompt.version.is_empty() || prompt.version.chars().any(is_forbidden) {
            return Err(
                usage_error("version is empty or contains control characters")
                    .with_hint("it is stored in every record; for example version = \"mine-1\""),
            );
        }
        if prompt.system.is_empty() && prompt.user.is_empty() {
            return Err(usage_error("system and user are both empty"));
        }
        let lists = Vocabulary::lists().map(|(_, name)| name);
        let system_keys: Vec<&str> = ["language", "label_en"].into_iter().chain(lists).collect();
        for (key, text, known) in [
            ("system", &prompt.system, system_keys.as_slice()),
            ("user", &prompt.user, USER_KEYS),
        ] {
            if let Some(unknown) = pieces(text).find_map(|piece| match piece {
                TemplatePiece::Placeholder(name) if !known.contains(&name) => Some(name),
                _ => None,
            }) {
                return Err(usage_error(format!(
                    "{key} contains the unknown placeholder {{{unknown}}}"
                ))
                .with_hint(format!(
                    "the known placeholders are {{{}}}",
                    known.join("}, {")
                )));
            }
        }
        Ok(prompt)
    }
}

enum TemplatePiece<'a> {
    Text(&'a str),
    Placeholder(&'a str),
}

/// Splits a template at its placeholders: `{` and `}` around lower-case letters and `_`. Other
/// braces, as in JSON examples, are text.
fn pieces(template: &str) -> impl Iterator<Item = TemplatePiece<'_>> {
    let mut rest = template;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut from = 0;
        while let Some(found) = rest[from..].find('{') {
            let open = from + found;
            let name = rest[open + 1..].split('}').next().unwrap_or_default();
            let close = open + 1 + name.len();
            let is_name = !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
                && close < rest.len();
            if is_name && open == 0 {
                rest = &rest[close + 1..];
                return Some(TemplatePiece::Placeholder(name));
            }
            if is_name {
                let text = &rest[..open];
                rest = &rest[open..];
                return Some(TemplatePiece::Text(text));
            }
            from = open + 1;
        }
        Some(TemplatePiece::Text(std::mem::take(&mut rest)))
    })
}

/// Fills in placeholders. Placeholders inside of values are not filled in.
pub(super) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    pieces(template)
        .map(|piece| match piece {
            TemplatePiece::Text(text) => text,
            TemplatePiece::Placeholder(placeholder) => values
                .iter()
                .find(|(name, _)| *name == placeholder)
                .map_or("", |(_, value)| value),
        })
        .collect()
}

/// Fills in placeholders line by line and drops lines with a placeholder without a value.
pub(super) fn fill_lines(template: &str, values: &[(&str, Option<String>)]) -> String {
    let present: Vec<(&str, &str)> = values
        .iter()
        .filter_map(|(name, value)| Some((*name, value.as_deref()?)))
        .collect();
    let lines: Vec<String> = template
        .lines()
        .filter(|line| {
            pieces(line).all(|piece| match piece {
                TemplatePiece::Text(_) => true,
                TemplatePiece::Placeholder(placeholder) => {
                    present.iter().any(|(name, _)| *name == placeholder)
                }
            })
        })
        .map(|line| fill(line, &present))
        .collect();
    lines.join("\n").trim().to_string()
}

fn usage_error(cause: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Usage, cause)
}

//! Helpers for editing the values of a field: parsing, comparing, replacing, length checks.

use crate::error::{Error, ErrorKind, Result};
use crate::record::normalize::{keyword, split_list};
use crate::record::{Field, Kind, Labels, Vocabulary};
use crate::text::said;
use crate::text::{Said, clean_text};
use std::collections::{HashMap, HashSet};

/// The field's values after setting them all. Values that the field already had are kept
/// unchanged, in whatever order.
pub fn set_values(
    labels: &Labels,
    field: Field,
    values: &[String],
    vocabulary: &Vocabulary,
) -> Result<Vec<String>> {
    if !field.is_list() && values.len() > 1 {
        let (name, korean) = field_names(field);
        return Err(usage_error(said!(
            "{name} takes one text",
            "{korean}에는 글을 하나만 쓸 수 있습니다"
        )));
    }
    let before = labels.values(field);
    let mut left: HashMap<&str, usize> = HashMap::new();
    for value in before {
        *left.entry(value).or_default() += 1;
    }
    let mut present = HashSet::new();
    let kept: Vec<bool> = values
        .iter()
        .map(|value| match left.get_mut(value.as_str()) {
            Some(times @ 1..) => {
                *times -= 1;
                present.insert(folded(value));
                true
            }
            _ => false,
        })
        .collect();
    let mut after = Vec::new();
    for (value, kept) in values.iter().zip(kept) {
        if kept {
            after.push(value.clone());
            continue;
        }
        for entry in parse_values(field, value, vocabulary)? {
            if present.insert(folded(&entry)) {
                after.push(entry);
            }
        }
    }
    check_length(field, after.len(), before.len())?;
    Ok(after)
}

/// Replaces each named value in place with the values that `replacement` returns for its index.
/// Adds no duplicates.
pub fn replace_matching(
    field: Field,
    values: Vec<String>,
    named: &[bool],
    mut replacement: impl FnMut(usize) -> Vec<String>,
) -> Result<Vec<String>> {
    let length = values.len();
    let others = values.iter().zip(named).filter(|(_, named)| !**named);
    let mut present: HashSet<String> = others.map(|(value, _)| folded(value)).collect();
    let mut after = Vec::new();
    for (at, value) in values.into_iter().enumerate() {
        if !named[at] {
            after.push(value);
            continue;
        }
        for entry in replacement(at) {
            if present.insert(folded(&entry)) {
                after.push(entry);
            }
        }
    }
    check_length(field, after.len(), length)?;
    Ok(after)
}

pub fn without(values: Vec<String>, named: &[bool]) -> Vec<String> {
    let kept = values.into_iter().zip(named).filter(|(_, named)| !**named);
    kept.map(|(value, _)| value).collect()
}

/// Which of the values `text` names: equal ones, or if there are none, synonyms.
pub fn values_named(
    values: &[String],
    field: Field,
    text: &str,
    vocabulary: &Vocabulary,
) -> Vec<bool> {
    let exact = values.iter().any(|value| value == text);
    values
        .iter()
        .map(|value| value == text || (!exact && means(field, value, text, vocabulary)))
        .collect()
}

/// The values of a list.
pub fn list_values(labels: &Labels, field: Field) -> Result<&[String]> {
    match field.is_list() {
        true => Ok(labels.values(field)),
        false => {
            let (name, korean) = field_names(field);
            Err(usage_error(said!(
                "{name} is not a list",
                "{korean}{은} 목록이 아닙니다"
            )))
        }
    }
}

/// The values of a field that is not a sentence.
pub fn removable_values(labels: &Labels, field: Field) -> Result<&[String]> {
    match field.spec().kind {
        Kind::Sentence(_) => {
            let (name, korean) = field_names(field);
            Err(usage_error(said!(
                "{name} is a sentence",
                "{korean}{은} 문장입니다"
            )))
        }
        Kind::Keywords | Kind::Phrases | Kind::Words(_) => Ok(labels.values(field)),
    }
}

/// The values in a typed text, separated by commas.
pub fn parse_added(field: Field, text: &str, vocabulary: &Vocabulary) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for part in text.split(',') {
        all.extend(parse_values(field, part, vocabulary)?);
    }
    match all.is_empty() {
        true => {
            let (name, korean) = field_names(field);
            Err(usage_error(said!(
                "an empty text cannot go into {name}",
                "{korean}에 빈 글을 넣을 수 없습니다"
            )))
        }
        false => Ok(all),
    }
}

/// Normalizes a typed text for the field. The result is empty for a blank text, and has several
/// values if the text is a list.
pub fn parse_values(field: Field, text: &str, vocabulary: &Vocabulary) -> Result<Vec<String>> {
    let parts: Vec<String> = match field.spec().kind {
        Kind::Keywords => split_list(text).map(keyword).collect(),
        Kind::Words(_) if field.is_list() => split_list(text).map(clean_text).collect(),
        Kind::Sentence(_) | Kind::Phrases | Kind::Words(_) => vec![clean_text(text)],
    };
    let max = field.max_chars();
    let parts = parts.into_iter().filter(|part| !part.is_empty());
    parts
        .map(|part| match part.chars().count() {
            length if length > max => {
                let (name, korean) = field_names(field);
                Err(usage_error(said!(
                    "a text in {name} has at most {max} characters, this one has {length}",
                    "{korean}의 글은 {max}자까지인데 {length}자입니다"
                )))
            }
            _ => canonical_word(field, part, vocabulary),
        })
        .collect()
}

/// The canonical form of a clean text.
///
/// # Errors
/// If the field's list is closed and the vocabulary does not know the text.
pub fn canonical_word(field: Field, text: String, vocabulary: &Vocabulary) -> Result<String> {
    let known = match field.is_closed() {
        true => vocabulary.find(field, &text),
        // An outdir may define synonyms of tags.
        false => vocabulary.find_exact(field, &text),
    };
    if let Some(known) = known {
        return Ok(known.word.clone());
    }
    if !field.is_closed() {
        return Ok(text);
    }
    let prefix: String = text.chars().take(2).collect::<String>().to_lowercase();
    let mut near: Vec<&str> = vocabulary
        .words(field)
        .filter(|word| word.contains(&prefix))
        .collect();
    if near.is_empty() {
        near = vocabulary.words(field).collect();
    }
    near.truncate(24);
    let ((name, korean), near) = (field_names(field), near.join(", "));
    Err(usage_error(said!(
        "\"{text}\" is not in the {name} vocabulary",
        "\"{text}\"{은} {korean} 어휘집에 없습니다"
    ))
    .with_said_hint(said!("for example {near}", "예: {near}")))
}

/// Rejects a list that is too long, unless it already had `before` values and has not grown.
pub fn check_length(field: Field, length: usize, before: usize) -> Result<()> {
    let max = field.spec().max;
    if field.is_list() && length > max.max(before) {
        let (name, korean) = field_names(field);
        return Err(usage_error(said!(
            "{name} can hold at most {max}",
            "{korean}에는 {max}개까지 넣을 수 있습니다"
        )));
    }
    Ok(())
}

pub fn same(a: &str, b: &str) -> bool {
    folded(a) == folded(b)
}

/// Normalizes a text for comparison.
pub fn folded(text: &str) -> String {
    clean_text(text).to_lowercase()
}

/// Whether `text` is the value or a synonym of it.
pub fn means(field: Field, value: &str, text: &str, vocabulary: &Vocabulary) -> bool {
    same(value, text)
        || vocabulary
            .find_exact(field, text)
            .is_some_and(|entry| entry.word == value)
}

pub fn no_version(version: i64) -> Error {
    usage_error(said!(
        "this item has no version {version} to take",
        "이 아이템에는 가져올 버전 {version}{이} 없습니다"
    ))
}

pub fn usage_error(cause: Said) -> Error {
    Error::said(ErrorKind::Usage, cause)
}

/// The English and the Korean name of a field.
pub fn field_names(field: Field) -> (&'static str, &'static str) {
    let name = field.spec().name;
    (name.english, name.korean)
}

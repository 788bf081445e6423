//! The values of a field under an edit: as they are typed, compared, exchanged, and how many fit.

use crate::error::{Error, ErrorKind, Result};
use crate::record::normalize::{keyword, split_list};
use crate::record::{Field, Kind, Labels, Vocabulary};
use crate::text::said;
use crate::text::{Said, clean_text};
use std::collections::{HashMap, HashSet};

/// The field's values after all of them were rewritten. Those that it had before stay as they
/// are, wherever they now stand.
pub fn replaced(
    labels: &Labels,
    field: Field,
    values: &[String],
    vocabulary: &Vocabulary,
) -> Result<Vec<String>> {
    if !field.is_list() && values.len() > 1 {
        let (key, name) = names(field);
        return Err(refused(said!(
            "{key} takes one text",
            "{name}에는 글을 하나만 쓸 수 있습니다"
        )));
    }
    let before = labels.values(field);
    let mut left: HashMap<&str, usize> = HashMap::new();
    for value in before {
        *left.entry(value).or_default() += 1;
    }
    let mut held = HashSet::new();
    let stays: Vec<bool> = values
        .iter()
        .map(|value| match left.get_mut(value.as_str()) {
            Some(times @ 1..) => {
                *times -= 1;
                held.insert(folded(value));
                true
            }
            _ => false,
        })
        .collect();
    let mut after = Vec::new();
    for (value, stays) in values.iter().zip(stays) {
        if stays {
            after.push(value.clone());
            continue;
        }
        for entry in entries(field, value, vocabulary)? {
            if held.insert(folded(&entry)) {
                after.push(entry);
            }
        }
    }
    fits(field, after.len(), before.len())?;
    Ok(after)
}

/// The values with each named one exchanged for what is made of it, at its place; what the list
/// holds already is not put in twice.
pub fn exchanged(
    field: Field,
    values: Vec<String>,
    named: &[bool],
    mut made: impl FnMut(usize) -> Vec<String>,
) -> Result<Vec<String>> {
    let length = values.len();
    let others = values.iter().zip(named).filter(|(_, named)| !**named);
    let mut held: HashSet<String> = others.map(|(value, _)| folded(value)).collect();
    let mut after = Vec::new();
    for (at, value) in values.into_iter().enumerate() {
        if !named[at] {
            after.push(value);
            continue;
        }
        for entry in made(at) {
            if held.insert(folded(&entry)) {
                after.push(entry);
            }
        }
    }
    fits(field, after.len(), length)?;
    Ok(after)
}

pub fn without(values: Vec<String>, named: &[bool]) -> Vec<String> {
    let kept = values.into_iter().zip(named).filter(|(_, named)| !**named);
    kept.map(|(value, _)| value).collect()
}

/// Which of the values `text` names: those that are it, else those that mean the same.
pub fn named(values: &[String], field: Field, text: &str, vocabulary: &Vocabulary) -> Vec<bool> {
    let exact = values.iter().any(|value| value == text);
    values
        .iter()
        .map(|value| value == text || (!exact && means(field, value, text, vocabulary)))
        .collect()
}

/// The values of a list.
pub fn list(labels: &Labels, field: Field) -> Result<&[String]> {
    match field.is_list() {
        true => Ok(labels.values(field)),
        false => {
            let (key, name) = names(field);
            Err(refused(said!(
                "{key} is not a list",
                "{name}{은} 목록이 아닙니다"
            )))
        }
    }
}

/// The values of a field that can lose one of them.
pub fn words(labels: &Labels, field: Field) -> Result<&[String]> {
    match field.spec().kind {
        Kind::Sentence(_) => {
            let (key, name) = names(field);
            Err(refused(said!(
                "{key} is a sentence",
                "{name}{은} 문장입니다"
            )))
        }
        Kind::Keywords | Kind::Phrases | Kind::Words(_) => Ok(labels.values(field)),
    }
}

/// What a typed text adds to a list: one value, or several with commas between.
pub fn added(field: Field, text: &str, vocabulary: &Vocabulary) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for part in text.split(',') {
        all.extend(entries(field, part, vocabulary)?);
    }
    match all.is_empty() {
        true => {
            let (key, name) = names(field);
            Err(refused(said!(
                "an empty text cannot go into {key}",
                "{name}에 빈 글을 넣을 수 없습니다"
            )))
        }
        false => Ok(all),
    }
}

/// A typed text as the field holds it; nothing where it is blank, several values where it is a
/// list in one.
pub fn entries(field: Field, text: &str, vocabulary: &Vocabulary) -> Result<Vec<String>> {
    let parts: Vec<String> = match field.spec().kind {
        Kind::Keywords => split_list(text).map(keyword).collect(),
        Kind::Words(_) if field.is_list() => split_list(text).map(clean_text).collect(),
        Kind::Sentence(_) | Kind::Phrases | Kind::Words(_) => vec![clean_text(text)],
    };
    let most = field.most_chars();
    let parts = parts.into_iter().filter(|part| !part.is_empty());
    parts
        .map(|part| match part.chars().count() {
            length if length > most => {
                let (key, name) = names(field);
                Err(refused(said!(
                    "a text in {key} has at most {most} characters, this one has {length}",
                    "{name}의 글은 {most}자까지인데 {length}자입니다"
                )))
            }
            _ => word(field, part, vocabulary),
        })
        .collect()
}

/// What the field holds for a clean text; closed lists take words of the vocabulary only.
pub fn word(field: Field, text: String, vocabulary: &Vocabulary) -> Result<String> {
    let known = match field.is_closed() {
        true => vocabulary.find(field, &text),
        // Of tags an outdir may have words of its own.
        false => vocabulary.find_exact(field, &text),
    };
    if let Some(known) = known {
        return Ok(known.word.clone());
    }
    let Some(list) = field.words().filter(|list| list.closed) else {
        return Ok(text);
    };
    let begun: String = text.chars().take(2).collect::<String>().to_lowercase();
    let mut near: Vec<&str> = vocabulary
        .words(field)
        .filter(|word| word.contains(&begun))
        .collect();
    if near.is_empty() {
        near = vocabulary.words(field).collect();
    }
    near.truncate(24);
    let (list, name, near) = (list.name, names(field).1, near.join(", "));
    Err(refused(said!(
        "\"{text}\" is not in the vocabulary of {list}",
        "\"{text}\"{은} {name} 어휘집에 없습니다"
    ))
    .with_said_hint(said!("for example {near}", "예: {near}")))
}

/// Refuses a list that is too long, unless it was `before` and has not grown.
pub fn fits(field: Field, length: usize, before: usize) -> Result<()> {
    let most = field.spec().most;
    if field.is_list() && length > most.max(before) {
        let (key, name) = names(field);
        return Err(refused(said!(
            "{key} holds at most {most}",
            "{name}에는 {most}개까지 넣을 수 있습니다"
        )));
    }
    Ok(())
}

pub fn same(a: &str, b: &str) -> bool {
    folded(a) == folded(b)
}

/// What two texts that count as one have in common.
pub fn folded(text: &str) -> String {
    clean_text(text).to_lowercase()
}

/// Whether `text` is a way to say a value that the field holds.
pub fn means(field: Field, value: &str, text: &str, vocabulary: &Vocabulary) -> bool {
    same(value, text)
        || vocabulary
            .find_exact(field, text)
            .is_some_and(|entry| entry.word == value)
}

pub fn no_version(version: i64) -> Error {
    refused(said!(
        "this item has no version {version} to take",
        "이 아이템에는 가져올 버전 {version}{이} 없습니다"
    ))
}

pub fn refused(cause: Said) -> Error {
    Error::said(ErrorKind::Usage, cause)
}

/// What a field is called in the record, and in Korean.
pub fn names(field: Field) -> (&'static str, &'static str) {
    (field.key(), field.spec().name.korean)
}

//! The values of a field under an edit: as they are typed, compared, exchanged, and how many fit.

use crate::error::{Error, ErrorKind, Result};
use crate::record::normalize::{keyword, split_list};
use crate::record::{Field, Kind, Labels, Vocabulary};
use crate::text::clean_text;

/// The field's values after all of them were rewritten. Those that it had before stay as they
/// are, wherever they now stand.
pub fn replaced(
    labels: &Labels,
    field: Field,
    values: &[String],
    vocabulary: &Vocabulary,
) -> Result<Vec<String>> {
    if !field.is_list() && values.len() > 1 {
        return Err(refused(format!("{} takes one text", field.key())));
    }
    let before = labels.values(field);
    let mut left = before.to_vec();
    let mut kept = Vec::new();
    let stays: Vec<bool> = values
        .iter()
        .map(|value| match left.iter().position(|had| had == value) {
            Some(at) => {
                kept.push(left.swap_remove(at));
                true
            }
            None => false,
        })
        .collect();
    let mut after = Vec::new();
    for (value, stays) in values.iter().zip(stays) {
        if stays {
            after.push(value.clone());
            continue;
        }
        for entry in entries(field, value, vocabulary)? {
            if !holds(&kept, &entry) && !holds(&after, &entry) {
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
    let mut others = without(values.clone(), named);
    let mut after = Vec::new();
    for (at, value) in values.into_iter().enumerate() {
        if !named[at] {
            after.push(value);
            continue;
        }
        for entry in made(at) {
            if !holds(&others, &entry) {
                others.push(entry.clone());
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
        false => Err(refused(format!("{} is not a list", field.key()))),
    }
}

/// The values of a field that can lose one of them.
pub fn words(labels: &Labels, field: Field) -> Result<&[String]> {
    match field.spec().kind {
        Kind::Sentence(_) => Err(refused(format!("{} is a sentence", field.key()))),
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
        true => Err(refused(format!(
            "an empty text cannot go into {}",
            field.key()
        ))),
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
            length if length > most => Err(refused(format!(
                "a text in {} has at most {most} characters, this one has {length}",
                field.key()
            ))),
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
    Err(refused(format!(
        "\"{text}\" is not in the vocabulary of {}",
        list.name
    ))
    .with_hint(format!("for example {}", near.join(", "))))
}

/// Refuses a list that is too long, unless it was `before` and has not grown.
pub fn fits(field: Field, length: usize, before: usize) -> Result<()> {
    let most = field.spec().most;
    if field.is_list() && length > most.max(before) {
        return Err(refused(format!("{} holds at most {most}", field.key())));
    }
    Ok(())
}

pub fn holds(values: &[String], text: &str) -> bool {
    values.iter().any(|value| same(value, text))
}

pub fn same(a: &str, b: &str) -> bool {
    clean_text(a).to_lowercase() == clean_text(b).to_lowercase()
}

/// Whether `text` is a way to say a value that the field holds.
pub fn means(field: Field, value: &str, text: &str, vocabulary: &Vocabulary) -> bool {
    same(value, text)
        || vocabulary
            .find_exact(field, text)
            .is_some_and(|entry| entry.word == value)
}

pub fn no_version(version: i64) -> Error {
    refused(format!("this item has no version {version} to take"))
}

pub fn refused(cause: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Usage, cause)
}

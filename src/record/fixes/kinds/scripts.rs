//! Translates foreign words into Korean, or removes them.

use crate::record::normalize::unique;
use crate::record::rules::foreign_in;
use crate::record::{Field, Labels, RecordContext, Vocabulary};
use crate::text::{Language, clean_text};

/// Translates foreign words that the vocabulary knows into Korean.
pub fn translate(labels: &Labels, context: &RecordContext) -> Option<Labels> {
    let mut fixed = labels.clone();
    for &field in Field::ALL {
        let values = labels.values(field).iter().map(|value| {
            match is_foreign(field, value, context.item_name) {
                true => translated(field, value, context),
                false => Some(value.clone()),
            }
        });
        let values: Option<Vec<String>> = values.collect();
        fixed.set(field, unique(values?.into_iter()));
    }
    Some(fixed)
}

/// Removes foreign words: the entire value from a list, only the word from a sentence. `None` if
/// nothing of the label, the tags or the queries would remain.
pub fn drop(labels: &Labels, context: &RecordContext) -> Option<Labels> {
    let mut fixed = labels.clone();
    for &field in Field::ALL {
        let foreign = |text: &str| is_foreign(field, text, context.item_name);
        let values = labels.values(field).iter();
        let values: Vec<String> = match field.is_list() {
            true => values.filter(|value| !foreign(value)).cloned().collect(),
            false => values
                .map(|value| match foreign(value) {
                    true => {
                        let words = value.split(' ').filter(|word| !foreign(word));
                        words.collect::<Vec<_>>().join(" ")
                    }
                    false => value.clone(),
                })
                .collect(),
        };
        let is_needed = field.language() == Some(Language::Korean);
        if is_needed && values != labels.values(field) && values.iter().all(String::is_empty) {
            return None;
        }
        fixed.set(field, values);
    }
    Some(fixed)
}

/// The entire value or each of its foreign words in Korean. `None` if a word is unknown.
fn translated(field: Field, value: &str, context: &RecordContext) -> Option<String> {
    let vocabulary = context.vocabulary;
    if let Some(whole) = korean(field, value, vocabulary) {
        return Some(whole);
    }
    let value = clean_text(value);
    let words = value
        .split(' ')
        .map(|word| match is_foreign(field, word, context.item_name) {
            true => korean(field, word, vocabulary),
            false => Some(word.to_owned()),
        });
    Some(words.collect::<Option<Vec<_>>>()?.join(" "))
}

/// The form of a known word in this field: canonical in a word list, Korean in free text.
fn korean(field: Field, word: &str, vocabulary: &Vocabulary) -> Option<String> {
    if field.words().is_some() {
        let known = vocabulary.find_exact(field, word)?;
        return Some(known.word.clone());
    }
    let mut lists = Vocabulary::lists();
    lists.find_map(|(list, _)| vocabulary.korean(list, word).map(str::to_owned))
}

fn is_foreign(field: Field, text: &str, name: &str) -> bool {
    !foreign_in(field, text, name).is_empty()
}

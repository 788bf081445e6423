//! Translates words into the vocabulary, with a preview.

use crate::record::normalize::{split_list, words};
use crate::record::{Field, Labels, Vocabulary};
use crate::text::clean_text;
use std::collections::{BTreeMap, BTreeSet};

/// The field's values with each known word in canonical form. Values without a known word stay
/// unless the list is closed and `drop_unknown` is set.
pub(super) fn canonical_values(
    labels: &Labels,
    field: Field,
    drop_unknown: bool,
    vocabulary: &Vocabulary,
) -> Vec<String> {
    let values = labels.values(field).to_vec();
    if field.words().is_none() {
        return values;
    }
    let meanings: Vec<Meaning> = values
        .iter()
        .map(|value| meaning(value, field, vocabulary))
        .collect();
    // Translations must not duplicate values that are already canonical.
    let mut present: BTreeSet<String> = values
        .iter()
        .zip(&meanings)
        .filter(|(_, meaning)| matches!(meaning, Meaning::Same))
        .map(|(value, _)| value.to_lowercase())
        .collect();
    let mut after = Vec::new();
    for (value, meaning) in values.into_iter().zip(meanings) {
        match meaning {
            Meaning::Same => after.push(value),
            Meaning::Unknown if drop_unknown => {}
            Meaning::Unknown => after.push(value),
            Meaning::Words { known, unknown } => {
                let drop = drop_unknown && field.is_closed();
                let kept = unknown.into_iter().filter(|_| !drop);
                for word in known.into_iter().chain(kept) {
                    if present.insert(word.to_lowercase()) {
                        after.push(word);
                    }
                }
            }
        }
    }
    after
}

/// A value in terms of the vocabulary.
enum Meaning {
    /// The value is valid as it is.
    Same,
    /// The list is closed and the vocabulary knows no part of the value.
    Unknown,
    /// The known parts in canonical form, and the unknown ones.
    Words {
        known: Vec<String>,
        unknown: Vec<String>,
    },
}

fn meaning(value: &str, field: Field, vocabulary: &Vocabulary) -> Meaning {
    let parts: Vec<&str> = match field.is_closed() {
        true => words(value).collect(),
        false => split_list(value).collect(),
    };
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for part in parts {
        let word = match field.is_closed() {
            true => vocabulary.find(field, part),
            false => vocabulary.find_exact(field, part),
        };
        match word {
            Some(word) => known.push(word.word.clone()),
            None => unknown.push(clean_text(part)),
        }
    }
    unknown.retain(|part| !part.is_empty());
    if known.is_empty() {
        return match field.is_closed() {
            true => Meaning::Unknown,
            false => Meaning::Same,
        };
    }
    if unknown.is_empty() && matches!(&known[..], [word] if word == value) {
        return Meaning::Same;
    }
    Meaning::Words { known, unknown }
}

/// A value that the translation into the vocabulary would change or drop.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct WordChange {
    pub field: Field,
    pub from: String,
    /// Canonical words; empty if the vocabulary does not know the value.
    pub to: Vec<String>,
    /// Parts of the value that the vocabulary does not know.
    pub unknown: Vec<String>,
    /// Number of records with the value.
    pub records: usize,
}

impl WordChange {
    /// Whether part of the value can only be dropped. Open lists accept any word.
    pub fn drops(&self) -> bool {
        self.field.is_closed() && !self.unknown.is_empty()
    }
}

/// Preview of translating the words of some records into the vocabulary.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VocabularyPreview {
    /// Records with a draft.
    pub records: usize,
    pub without_draft: usize,
    /// Records with a value to translate.
    pub translated: usize,
    /// Records with a word that can only be dropped.
    pub with_unknown: usize,
    /// Most frequent first.
    pub words: Vec<WordChange>,
}

impl VocabularyPreview {
    /// Computes the preview from drafts; `None` stands for a record without a draft.
    ///
    /// # Errors
    /// The first error that `drafts` yields.
    pub fn count<E>(
        drafts: impl IntoIterator<Item = Result<Option<Labels>, E>>,
        vocabulary: &Vocabulary,
    ) -> Result<Self, E> {
        let mut preview = Self::default();
        let mut found: BTreeMap<(Field, String), (Meaning, usize)> = BTreeMap::new();
        for labels in drafts {
            let Some(labels) = labels? else {
                preview.without_draft += 1;
                continue;
            };
            preview.records += 1;
            let (mut translated, mut with_unknown) = (false, false);
            for &field in Field::ALL.iter().filter(|field| field.words().is_some()) {
                let values: BTreeSet<&String> = labels.values(field).iter().collect();
                for value in values {
                    let meaning = meaning(value, field, vocabulary);
                    match &meaning {
                        Meaning::Same => continue,
                        Meaning::Unknown => with_unknown = true,
                        Meaning::Words { unknown, .. } => {
                            translated = true;
                            with_unknown |= field.is_closed() && !unknown.is_empty();
                        }
                    }
                    found
                        .entry((field, value.clone()))
                        .or_insert((meaning, 0))
                        .1 += 1;
                }
            }
            preview.translated += usize::from(translated);
            preview.with_unknown += usize::from(with_unknown);
        }
        preview.words = found
            .into_iter()
            .map(|((field, from), (meaning, records))| {
                let (to, unknown) = match meaning {
                    Meaning::Words { known, unknown } => (known, unknown),
                    Meaning::Same | Meaning::Unknown => (Vec::new(), vec![from.clone()]),
                };
                WordChange {
                    field,
                    from,
                    to,
                    unknown,
                    records,
                }
            })
            .collect();
        preview
            .words
            .sort_by_key(|word| std::cmp::Reverse(word.records));
        Ok(preview)
    }
}

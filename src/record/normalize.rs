//! Normalizes labels into the form that records have.

use super::{Field, Kind, Labels, Reason, ReasonSource, Vocabulary};
use crate::text::clean_text;
use std::collections::HashSet;

impl Labels {
    /// The labels in record form: clean texts, canonical words, no duplicates, lists within their
    /// limits. Idempotent.
    pub fn normalized(&self, vocabulary: &Vocabulary) -> Labels {
        let mut labels = Labels::default();
        for &field in Field::ALL {
            let mut values = normalized(field, self.values(field), vocabulary);
            values.truncate(field.spec().max);
            labels.set(field, values);
        }
        labels.model_reasons = Reason::ALL
            .iter()
            .copied()
            .filter(|reason| {
                reason.source() == ReasonSource::Model && self.model_reasons.contains(reason)
            })
            .collect();
        labels
    }
}

fn normalized(field: Field, values: &[String], vocabulary: &Vocabulary) -> Vec<String> {
    let values = values.iter();
    match field.spec().kind {
        Kind::Sentence(_) => values
            .map(|text| shortened(clean_text(text), field.max_chars()))
            .filter(|text| !text.is_empty())
            .collect(),
        Kind::Keywords => {
            let tags = values.flat_map(|tag| split_list(tag)).map(keyword);
            distinct(
                field,
                tags.map(|tag| match vocabulary.find_exact(field, &tag) {
                    Some(entry) => entry.word.clone(),
                    None => tag,
                }),
            )
        }
        Kind::Phrases => distinct(field, values.map(|text| clean_text(text))),
        Kind::Words(list) if list.closed => {
            let parts = values.flat_map(|text| words(text));
            let known = parts.filter_map(|text| vocabulary.canonical(field, text));
            distinct(field, known.map(str::to_string))
        }
        Kind::Words(_) => {
            let parts = values.flat_map(|text| split_list(text));
            distinct(
                field,
                parts.map(|text| match vocabulary.find_exact(field, text) {
                    Some(entry) => entry.word.clone(),
                    None => clean_text(text),
                }),
            )
        }
    }
}

/// A clean keyword without a leading `#`.
pub(super) fn keyword(text: &str) -> String {
    clean_text(text).trim_start_matches(['#', ' ']).to_string()
}

fn shortened(text: String, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => text[..end].trim_end().to_string(),
        None => text,
    }
}

/// Splits several values in one string, as models without a grammar often write them. The Greek
/// question mark (U+037E) looks like a semicolon, and NFC makes it one.
pub(super) fn split_list(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', '，', '、', ';', '；', '\u{37e}', '\n', '\t'])
}

/// Like [`split_list`], but also splits at slashes, which no word of a closed list contains:
/// `한벌옷/상의`.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    split_list(text).flat_map(|part| part.split('/'))
}

fn distinct(field: Field, texts: impl Iterator<Item = String>) -> Vec<String> {
    unique(texts.filter(|text| !text.is_empty() && text.chars().count() <= field.max_chars()))
}

/// The texts without later occurrences of the same text in any letter case, in order.
pub(super) fn unique(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = HashSet::new();
    texts
        .filter(|text| seen.insert(text.to_lowercase()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_normalization::UnicodeNormalization;

    fn messy() -> Labels {
        let name: String = "빨간 모자".nfd().collect();
        let mut labels = Labels::default()
            .with(
                Field::LabelKo,
                [format!(
                    "  {name}\u{202e}는\n리본이\u{7} 달린 모자 \u{200b}"
                )],
            )
            .with(Field::LabelEn, [" \n"])
            .with(
                Field::TagsKo,
                [
                    "#모자",
                    "모자",
                    "리본, # 빨강\u{37e}모자",
                    "",
                    &"가".repeat(101),
                ],
            )
            .with(
                Field::Colors,
                ["금색", "황금", "gold, 흰색/red", "수상한 색"],
            )
            .with(Field::Theme, ["판타지", "고양이 왕국"])
            .with(Field::Material, ["Leather"])
            .with(Field::Vibe, ["귀여운", "CUTE"])
            .with(Field::ItemTypeGuess, ["모자/모자"])
            .with(Field::QueryVariantsKo, (0..12).map(|n| format!("검색 {n}")));
        labels.model_reasons = vec![Reason::FewTags, Reason::TooSmall, Reason::TooSmall];
        labels
    }

    #[test]
    fn a_messy_answer_becomes_a_valid_record() {
        let labels = messy().normalized(&Vocabulary::builtin().unwrap());
        assert_eq!(labels.label_ko(), "빨간 모자는 리본이 달린 모자");
        assert_eq!(labels.text(Field::LabelEn), None);
        assert_eq!(labels.values(Field::TagsKo), ["모자", "리본", "빨강"]);
        assert_eq!(labels.values(Field::Colors), ["gold", "white", "red"]);
        assert_eq!(labels.values(Field::Theme), ["fantasy", "고양이 왕국"]);
        assert_eq!(labels.values(Field::Material), ["leather"]);
        assert_eq!(labels.values(Field::Vibe), ["cute"]);
        assert_eq!(labels.text(Field::ItemTypeGuess), Some("hat"));
        assert_eq!(labels.values(Field::QueryVariantsKo).len(), 8);
        assert_eq!(labels.model_reasons, [Reason::TooSmall]);
    }

    #[test]
    fn normalizing_twice_changes_nothing() {
        let vocabulary = Vocabulary::builtin().unwrap();
        let once = messy().normalized(&vocabulary);
        assert_eq!(once.normalized(&vocabulary), once);
    }
}

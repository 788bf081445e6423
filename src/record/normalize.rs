//! Brings what a model or an operator wrote into the form that a record has.

use super::{Category, Labels, Reason, Vocabulary};
use crate::text::clean_text;
use std::collections::HashSet;

pub const MAX_TAGS: usize = 15;
pub const MAX_QUERIES: usize = 8;
pub const MAX_ATTRIBUTES: usize = 10;
/// Longest sentence kept, in characters; only a server without a grammar can come near.
pub(super) const MAX_SENTENCE: usize = 1000;
/// Longest tag, query or attribute kept, in characters; longer ones are dropped.
pub(super) const MAX_ENTRY: usize = 100;

impl Labels {
    /// The same labels as a record holds them: clean texts, canonical words, no repeats, lists of
    /// lawful length. Doing it twice changes nothing.
    pub fn normalized(&self, vocabulary: &Vocabulary) -> Labels {
        let given = &self.attributes;
        let mut attributes = super::Attributes {
            colors: closed(&given.colors, Category::Color, vocabulary),
            theme: preferred(&given.theme, Category::Theme, vocabulary),
            material: closed(&given.material, Category::Material, vocabulary),
            vibe: preferred(&given.vibe, Category::Vibe, vocabulary),
            item_type_guess: given
                .item_type_guess
                .iter()
                .flat_map(|text| words(text))
                .find_map(|text| vocabulary.canonical(Category::ItemType, text))
                .map(str::to_string),
        };
        for list in [
            &mut attributes.colors,
            &mut attributes.theme,
            &mut attributes.material,
            &mut attributes.vibe,
        ] {
            list.truncate(MAX_ATTRIBUTES);
        }
        let tags = self.tags_ko.iter().flat_map(|tag| split_list(tag));
        let mut tags_ko = distinct(tags.map(|tag| clean_text(tag.trim().trim_start_matches('#'))));
        tags_ko.truncate(MAX_TAGS);
        let mut query_variants_ko =
            distinct(self.query_variants_ko.iter().map(|query| clean_text(query)));
        query_variants_ko.truncate(MAX_QUERIES);
        Labels {
            label_ko: sentence(&self.label_ko),
            label_en: self
                .label_en
                .as_deref()
                .map(sentence)
                .filter(|text| !text.is_empty()),
            tags_ko,
            attributes,
            query_variants_ko,
            model_reasons: Reason::ALL
                .iter()
                .copied()
                .filter(|reason| reason.said_by_model() && self.model_reasons.contains(reason))
                .collect(),
        }
    }
}

fn sentence(text: &str) -> String {
    let clean = clean_text(text);
    match clean.char_indices().nth(MAX_SENTENCE) {
        Some((end, _)) => clean[..end].trim_end().to_string(),
        None => clean,
    }
}

/// A list that was put into one entry, as models without a grammar like to do.
pub(super) fn split_list(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', '，', '、', ';', '；', '\n', '\t'])
}

/// The same for words of a closed list, which hold no slash: `한벌옷/상의`.
pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    split_list(text).flat_map(|part| part.split('/'))
}

fn closed(list: &[String], category: Category, vocabulary: &Vocabulary) -> Vec<String> {
    distinct(
        list.iter()
            .flat_map(|text| words(text))
            .filter_map(|text| vocabulary.canonical(category, text))
            .map(str::to_string),
    )
}

fn preferred(list: &[String], category: Category, vocabulary: &Vocabulary) -> Vec<String> {
    distinct(list.iter().flat_map(|text| split_list(text)).map(|text| {
        match vocabulary.find_exact(category, text) {
            Some(entry) => entry.word.clone(),
            None => clean_text(text),
        }
    }))
}

fn distinct(texts: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = HashSet::new();
    texts
        .filter(|text| !text.is_empty() && text.chars().count() <= MAX_ENTRY)
        .filter(|text| seen.insert(text.to_lowercase()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Attributes;
    use crate::record::testing::list;
    use unicode_normalization::UnicodeNormalization;

    fn messy() -> Labels {
        let name: String = "빨간 모자".nfd().collect();
        Labels {
            label_ko: format!("  {name}\u{202e}는\n리본이\u{7} 달린 모자 \u{200b}"),
            label_en: Some(" \n".into()),
            tags_ko: list(&["#모자", "모자", "리본, 빨강", "", &"가".repeat(101)]),
            attributes: Attributes {
                colors: list(&["금색", "황금", "gold, 흰색/red", "수상한 색"]),
                theme: list(&["판타지", "고양이 왕국"]),
                material: list(&["Leather"]),
                vibe: list(&["귀여운", "CUTE"]),
                item_type_guess: Some("모자/모자".into()),
            },
            query_variants_ko: (0..12).map(|n| format!("검색 {n}")).collect(),
            model_reasons: vec![Reason::FewTags, Reason::TooSmall, Reason::TooSmall],
        }
    }

    #[test]
    fn a_messy_answer_becomes_a_lawful_record() {
        let labels = messy().normalized(&Vocabulary::builtin().unwrap());
        assert_eq!(labels.label_ko, "빨간 모자는 리본이 달린 모자");
        assert_eq!(labels.label_en, None);
        assert_eq!(labels.tags_ko, list(&["모자", "리본", "빨강"]));
        assert_eq!(labels.attributes.colors, list(&["gold", "white", "red"]));
        assert_eq!(labels.attributes.theme, list(&["fantasy", "고양이 왕국"]));
        assert_eq!(labels.attributes.material, list(&["leather"]));
        assert_eq!(labels.attributes.vibe, list(&["cute"]));
        assert_eq!(labels.attributes.item_type_guess.as_deref(), Some("hat"));
        assert_eq!(labels.query_variants_ko.len(), MAX_QUERIES);
        assert_eq!(labels.model_reasons, [Reason::TooSmall]);
    }

    #[test]
    fn normalizing_twice_changes_nothing() {
        let vocabulary = Vocabulary::builtin().unwrap();
        let once = messy().normalized(&vocabulary);
        assert_eq!(once.normalized(&vocabulary), once);
    }
}

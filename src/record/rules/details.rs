//! Finds the words of a label that describe its icon.

use super::color_claims::color_of;
use super::excerpt::{beginning_of_label, beginning_of_name};
use crate::record::{Field, Labels, Vocabulary, Word};
use crate::text::particles::{is_particle, may_be_adnominal, stem};
use crate::text::{clean_text, without, words};

/// Words that apply to any item.
const GENERIC_WORDS: [&str; 14] = [
    "아이템",
    "장비",
    "무기",
    "착용",
    "착용용",
    "모양",
    "느낌",
    "것",
    "있는",
    "있다",
    "달린",
    "된",
    "한",
    "입니다",
];

/// Materials that a small icon cannot show. Of 28 judged labels of a 7B model that say lace, 27 are
/// wrong.
const TOO_FINE: [&str; 1] = ["lace"];

impl Labels {
    /// The nouns of the label that neither the item's name nor the vocabulary explains: a button or a
    /// pattern that the model saw in the icon, or invented. So are materials too fine for an icon.
    /// Each once, without its particle.
    pub fn unexplained_words(&self, item_name: &str, vocabulary: &Vocabulary) -> Vec<String> {
        let name = clean_text(beginning_of_name(item_name)).to_lowercase();
        let label = clean_text(beginning_of_label(self.label_ko())).to_lowercase();
        let in_name = |word: &str| {
            name.split(' ').any(|part| {
                part.contains(word) || (part.chars().nth(1).is_some() && word.contains(part))
            })
        };
        let is_explained = |word: &str| {
            // `별과` has a shorter noun than `stem` returns.
            let letter = word.char_indices().nth(1);
            let letter = letter.filter(|(at, _)| is_particle(&word[*at..]));
            let letter = letter.map(|(at, _)| &word[..at]);
            let mut forms = [word, stem(word)].into_iter().chain(letter);
            let is_known = |form: &str| {
                let material = vocabulary.find_exact(Field::Material, form);
                let is_fine = |word: &Word| TOO_FINE.contains(&word.word.as_str());
                vocabulary.knows(form) && !material.is_some_and(is_fine)
            };
            is_particle(word)
                || may_be_adnominal(word)
                || color_of(word, vocabulary).is_some()
                || forms.any(|form| in_name(form) || is_known(form))
        };
        let mut unexplained = Vec::new();
        let label = without(&label, &name);
        for word in words_beyond(&label, &name, vocabulary) {
            let stem = stem(word).to_owned();
            if !is_explained(word) && !unexplained.contains(&stem) {
                unexplained.push(stem);
            }
        }
        unexplained
    }
}

/// Whether a label has no words beyond the item's name, its type and generic words.
pub fn describes_nothing_visible(label: &str, name: &str, vocabulary: &Vocabulary) -> bool {
    let name = clean_text(name);
    let label = without(&clean_text(label), &name);
    words_beyond(&label, &name, vocabulary).next().is_none()
}

/// The words of a text other than those of the item's name, item types and generic words.
fn words_beyond<'a>(
    text: &'a str,
    name: &'a str,
    vocabulary: &'a Vocabulary,
) -> impl Iterator<Item = &'a str> {
    let is_kind = move |word: &str| {
        // `털모자` is a type, `토끼귀모자` describes its look.
        let mut ends = word.char_indices().take(2).map(|(at, _)| &word[at..]);
        let find = |end| vocabulary.find_exact(Field::ItemTypeGuess, end);
        ends.any(|end| find(end).is_some())
    };
    let says_little = move |word: &str| {
        name.split(' ').any(|part| part == word) || GENERIC_WORDS.contains(&word) || is_kind(word)
    };
    words(text).filter(move |word| !says_little(word) && !says_little(stem(word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unexplained(label: &str, name: &str) -> Vec<String> {
        let labels = Labels::default().with(Field::LabelKo, [label]);
        labels.unexplained_words(name, &Vocabulary::builtin().unwrap())
    }

    #[test]
    fn a_detail_is_neither_in_the_name_nor_in_the_vocabulary() {
        assert_eq!(
            unexplained(
                "꽃 모자: 검은색과 금빛의 무늬와 빛나는 줄무늬가 있는 무늬 모자",
                "눈꽃 모자"
            ),
            ["무늬", "줄무늬"]
        );
        assert_eq!(
            unexplained("눈꽃 모자의 둥근 하얀 단추", "눈꽃 모자"),
            ["단추"]
        );
        assert_eq!(unexplained("레이스 모자", "눈꽃 모자"), ["레이스"]);
        assert_eq!(
            unexplained("천으로 된 붉은 가죽 장화입니다", ""),
            Vec::<String>::new()
        );
    }

    #[test]
    fn the_name_explains_its_parts_and_compounds() {
        for label in [
            "별 모양의 반지",
            "별빛반지 느낌의 반지",
            "은하 별빛의 은반지",
        ] {
            assert_eq!(
                unexplained(label, "은하 별빛"),
                Vec::<String>::new(),
                "{label}"
            );
        }
        assert_eq!(unexplained("SAVAGE 티셔츠", "Savage"), Vec::<String>::new());
    }
}

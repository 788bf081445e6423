//! The Korean forms of color words, used to replace one with another.

use crate::record::rules::color_of;
use crate::record::{Vocabulary, Word};

/// The form of a color word in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `검은 모자`
    Adjective,
    /// `검은색 모자`, `금빛의`
    Shade,
    /// `검정과 빨강`
    Noun,
    /// `블랙 모자`
    Loan,
    /// `black hat`
    Latin,
}

/// The forms of a color. An empty form means the preferred one of the vocabulary, which ends in
/// `색`.
struct Forms {
    word: &'static str,
    adjective: &'static str,
    noun: &'static str,
    loan: &'static str,
}

const fn forms(
    word: &'static str,
    adjective: &'static str,
    noun: &'static str,
    loan: &'static str,
) -> Forms {
    Forms {
        word,
        adjective,
        noun,
        loan,
    }
}

const FORMS: [Forms; 22] = [
    forms("red", "빨간", "빨강", "레드"),
    forms("wine", "", "", ""),
    forms("orange", "", "주황", "오렌지"),
    forms("yellow", "노란", "노랑", "옐로"),
    forms("gold", "", "", "골드"),
    forms("beige", "", "", "베이지"),
    forms("brown", "", "", "브라운"),
    forms("khaki", "", "", "카키"),
    forms("lime", "", "연두", "라임"),
    forms("green", "", "초록", "그린"),
    forms("mint", "", "", "민트"),
    forms("teal", "", "청록", ""),
    forms("sky blue", "", "", "스카이블루"),
    forms("blue", "파란", "파랑", "블루"),
    forms("navy", "", "", "네이비"),
    forms("purple", "", "보라", "퍼플"),
    forms("lavender", "", "연보라", "라벤더"),
    forms("pink", "", "분홍", "핑크"),
    forms("white", "하얀", "하양", "화이트"),
    forms("silver", "", "", "실버"),
    forms("gray", "", "", "그레이"),
    forms("black", "검은", "검정", "블랙"),
];
/// Loanwords in addition to those of the table.
const LOANS: [&str; 12] = [
    "옐로우",
    "골든",
    "버건디",
    "마룬",
    "코랄",
    "아이보리",
    "올리브",
    "시안",
    "틸",
    "바이올렛",
    "마젠타",
    "그레이",
];

/// A color word in a text.
#[derive(Debug, Clone, Copy)]
pub struct ColorUse<'v, 't> {
    pub word: &'v Word,
    pub shape: Shape,
    /// `과` of `검은색과`
    pub particle: &'t str,
}

impl<'v, 't> ColorUse<'v, 't> {
    /// Reads a word of a text as a color. Colors that the item's name contains do not count.
    pub fn of(token: &'t str, item_name: &str, vocabulary: &'v Vocabulary) -> Option<Self> {
        let (word, stem, particle) = color_of(token, vocabulary)?;
        let own = stem.strip_suffix('색').unwrap_or(stem).to_lowercase();
        if item_name.to_lowercase().contains(&own) {
            return None;
        }
        let noun = &token[stem.len()..token.len() - particle.len()];
        Some(Self {
            word,
            shape: shape(stem, noun),
            particle,
        })
    }
}

fn shape(stem: &str, noun: &str) -> Shape {
    if stem.is_ascii() {
        Shape::Latin
    } else if !noun.is_empty() || stem.ends_with(['색', '빛']) {
        Shape::Shade
    } else if LOANS.contains(&stem) || FORMS.iter().any(|forms| forms.loan == stem) {
        Shape::Loan
    } else if stem.ends_with(is_adnominal) {
        Shape::Adjective
    } else {
        Shape::Noun
    }
}

/// Whether the syllable has the ending of an adjective before a noun: `검붉은`, `새까만`.
fn is_adnominal(syllable: char) -> bool {
    const FINALS: u32 = 28;
    const NIEUN: u32 = 4;
    ('가'..='힣').contains(&syllable) && (u32::from(syllable) - u32::from('가')) % FINALS == NIEUN
}

/// The Korean word for the color in this form.
pub fn in_shape(word: &Word, shape: Shape) -> &str {
    let forms = FORMS.iter().find(|forms| forms.word == word.word);
    let own = forms.map_or("", |forms| match shape {
        Shape::Adjective => forms.adjective,
        Shape::Noun => forms.noun,
        Shape::Loan => forms.loan,
        Shape::Shade => "",
        Shape::Latin => forms.word,
    });
    match own {
        "" if shape == Shape::Latin => &word.word,
        "" => word.ko.first().unwrap_or(&word.word),
        own => own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Field;

    #[test]
    fn the_forms_are_words_of_the_vocabulary() {
        let vocabulary = Vocabulary::builtin().unwrap();
        for Forms {
            word,
            adjective,
            noun,
            loan,
        } in &FORMS
        {
            for form in [adjective, noun, loan] {
                let found = vocabulary.find_exact(Field::Colors, form);
                assert!(
                    form.is_empty() || found.is_some_and(|found| found.word == *word),
                    "{word}: {form}"
                );
            }
        }
        for word in vocabulary.entries(Field::Colors) {
            let shade = in_shape(word, Shape::Shade);
            assert!(
                shade.ends_with('색') || word.word == "transparent" || word.word == "multicolor",
                "{shade}"
            );
        }
    }

    #[test]
    fn words_with_an_adnominal_ending_are_adjectives() {
        let vocabulary = Vocabulary::builtin().unwrap();
        let colors = vocabulary.entries(Field::Colors).iter();
        let words = colors.flat_map(|word| &word.ko);
        let adjectives: Vec<&str> = words
            .filter(|word| shape(word, "") == Shape::Adjective)
            .map(String::as_str)
            .collect();
        assert_eq!(
            adjectives.join(" "),
            "빨간 붉은 새빨간 불그스름한 검붉은 노란 샛노란 노르스름한 파란 푸른 새파란 짙푸른 \
             푸르스름한 검푸른 흰 하얀 새하얀 검은 까만 새까만 시커먼 다채로운 알록달록한 투명한 반투명한"
        );
    }

    #[test]
    fn a_color_word_is_read_with_its_shape_and_particle() {
        let vocabulary = Vocabulary::builtin().unwrap();
        let color = |token| {
            let color = ColorUse::of(token, "골드 반지", &vocabulary)?;
            Some((
                color.word.word.clone(),
                color.shape,
                color.particle.to_owned(),
            ))
        };
        let known =
            |word: &str, shape, particle: &str| Some((word.to_owned(), shape, particle.to_owned()));
        assert_eq!(color("검은"), known("black", Shape::Adjective, ""));
        assert_eq!(color("블랙과"), known("black", Shape::Loan, "과"));
        assert_eq!(color("블랙색의"), known("black", Shape::Shade, "의"));
        assert_eq!(color("빨강"), known("red", Shape::Noun, ""));
        assert_eq!(color("골드"), None);
        assert_eq!(color("모자"), None);
    }
}

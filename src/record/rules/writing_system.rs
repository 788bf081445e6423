//! Detects foreign words by their writing systems, and estimates token counts.

use crate::text::{clean_text, words};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WritingSystem {
    Hangul,
    Latin,
    Other,
}

/// The writing system of a letter; `None` for characters common to all of them: digits, blanks,
/// punctuation, symbols.
fn writing_system(c: char) -> Option<WritingSystem> {
    match c {
        '\u{1100}'..='\u{11ff}'
        | '\u{3131}'..='\u{318e}'
        | '\u{a960}'..='\u{a97c}'
        | '\u{ac00}'..='\u{d7fb}' => Some(WritingSystem::Hangul),
        'A'..='Z' | 'a'..='z' | '\u{ff21}'..='\u{ff3a}' | '\u{ff41}'..='\u{ff5a}' => {
            Some(WritingSystem::Latin)
        }
        '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' if c.is_alphabetic() => {
            Some(WritingSystem::Latin)
        }
        _ if c.is_alphabetic() => Some(WritingSystem::Other),
        _ => None,
    }
}

/// Removes the item's name and each of its foreign words from a text. The model is not to blame
/// for them.
fn without_name(text: &str, name: &str) -> String {
    let name = clean_text(name);
    let text = without(&clean_text(text), &name);
    let foreign = |c| writing_system(c).is_some_and(|system| system != WritingSystem::Hangul);
    words(&name)
        .filter(|word| word.chars().any(foreign))
        .fold(text, |text, word| without(&text, word))
}

/// Removes a part from a text, ignoring the case of ASCII letters.
fn without(text: &str, part: &str) -> String {
    // ASCII folding preserves byte offsets.
    let (folded, part) = (text.to_ascii_lowercase(), part.to_ascii_lowercase());
    if part.is_empty() {
        return text.to_owned();
    }
    let mut left = String::with_capacity(text.len());
    let mut from = 0;
    for (at, _) in folded.match_indices(&part) {
        left.push_str(&text[from..at]);
        left.push(' ');
        from = at + part.len();
    }
    left.push_str(&text[from..]);
    left
}

/// Up to this many capitals may be an abbreviation that is common in Korean.
const MAX_CAPITALS: usize = 4;

/// The writing systems of the letters of a word.
#[derive(Default)]
struct Letters {
    hangul: bool,
    latin: usize,
    lower: bool,
    other: bool,
}

impl Letters {
    fn of(word: &str) -> Self {
        let mut letters = Self::default();
        for c in word.chars() {
            match writing_system(c) {
                Some(WritingSystem::Hangul) => letters.hangul = true,
                Some(WritingSystem::Latin) => {
                    letters.latin += 1;
                    letters.lower |= c.is_lowercase();
                }
                Some(WritingSystem::Other) => letters.other = true,
                None => {}
            }
        }
        letters
    }

    /// Whether the word counts as English. A few capitals, alone or joined to Hangul, are ordinary
    /// Korean (`LED`, `3D`, `T셔츠`, `VIP석`), and so is a single letter.
    fn is_english(&self) -> bool {
        let is_short = self.latin <= MAX_CAPITALS && !self.lower;
        let is_letter = self.latin == 1 && !self.hangul;
        self.latin > 0 && !is_short && !is_letter
    }
}

/// The foreign words of a Korean text: English ones, and those with a letter of another writing
/// system, such as Han characters from the model's Chinese training data.
pub(super) fn foreign_in_korean(text: &str, name: &str) -> Vec<String> {
    let is_foreign = |letters: Letters| letters.other || letters.is_english();
    found(text, name, is_foreign)
}

/// All words of a Korean sentence without any Hangul, where even abbreviations are foreign.
/// Empty if the sentence contains Hangul or the item's name.
pub(super) fn all_foreign(text: &str, name: &str) -> Vec<String> {
    let has_letters = |letters: Letters| letters.latin > 0 || letters.other;
    let is_korean = !found(text, name, |letters| letters.hangul).is_empty();
    match is_korean || text.contains(&clean_text(name)) && !name.is_empty() {
        true => Vec::new(),
        false => found(text, name, has_letters),
    }
}

/// The words of an English text with a non-Latin letter.
pub(super) fn foreign_in_english(text: &str, name: &str) -> Vec<String> {
    found(text, name, |letters| letters.hangul || letters.other)
}

/// The words of an attribute, which may be in either language, that mix both languages or have a
/// letter of another writing system.
pub(super) fn foreign_in_words(text: &str, name: &str) -> Vec<String> {
    found(text, name, |letters| {
        letters.other || letters.hangul && letters.is_english()
    })
}

fn found(text: &str, name: &str, is_foreign: impl Fn(Letters) -> bool) -> Vec<String> {
    let text = without_name(text, name);
    let foreign = words(&text).filter(|word| is_foreign(Letters::of(word)));
    foreign.map(str::to_owned).collect()
}

/// Estimates the number of tokens of a text in a multilingual text encoder such as CLIP or SigLIP:
/// one per Hangul or Han character, one per four letters of a Latin word, one per digit or
/// punctuation mark, and two for start and end. The estimate is on the high side, since the
/// user's encoder is unknown.
pub fn estimate_tokens(text: &str) -> usize {
    let mut tokens = 2;
    let mut latin = 0usize;
    for c in text.chars() {
        if writing_system(c) == Some(WritingSystem::Latin) {
            latin += 1;
            continue;
        }
        tokens += latin.div_ceil(4);
        latin = 0;
        if !c.is_whitespace() {
            tokens += 1;
        }
    }
    tokens + latin.div_ceil(4)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: [&str; 0] = [];

    #[test]
    fn words_that_are_not_korean_are_found() {
        for (text, word) in [
            ("빨간red 모자", "빨간red"),
            ("귀여운 可爱的 모자", "可爱的"),
            ("かわいい 모자", "かわいい"),
            ("шляпа", "шляпа"),
            ("หมวก 모자", "หมวก"),
            ("모자hat", "모자hat"),
            ("HAPPY모자", "HAPPY모자"),
            ("빨간 ribbon이 달린 모자", "ribbon이"),
            ("Halloween 모자", "Halloween"),
            ("BLACK 모자", "BLACK"),
        ] {
            assert_eq!(foreign_in_korean(text, ""), [word]);
        }
    }

    #[test]
    fn ordinary_korean_words_are_not_foreign() {
        for text in [
            "빨간 모자, 리본 2개",
            "LED 조명이 달린 모자",
            "T셔츠와 V넥",
            "VIP훈장과 ESP리미터",
            "3D 안경을 쓴 NPC",
            "x 무늬",
            "3단 케이크!",
            "😀 웃는 모자",
        ] {
            assert_eq!(foreign_in_korean(text, ""), NOTHING, "{text}");
        }
    }

    #[test]
    fn words_of_the_name_are_not_foreign() {
        assert_eq!(foreign_in_korean("파란 VIP의 모자", "VIP 모자"), NOTHING);
        assert_eq!(foreign_in_korean("붉은 龍의검을 든", "龍의검"), NOTHING);
        assert_eq!(
            foreign_in_korean("붉은 龍의검과 red빛", "龍의검"),
            ["red빛"]
        );
        assert_eq!(
            foreign_in_korean("halloween 밤의 모자", "Halloween 모자"),
            NOTHING
        );
        let name = "빨간 모자";
        assert_eq!(
            foreign_in_english("A red hat called 빨간 모자", name),
            NOTHING
        );
        assert_eq!(foreign_in_english("A red 모자", name), ["모자"]);
    }

    #[test]
    fn a_sentence_without_hangul_is_foreign() {
        assert_eq!(all_foreign("UFO VIP", ""), ["UFO", "VIP"]);
        assert_eq!(all_foreign("UFO 모자", ""), NOTHING);
        assert_eq!(all_foreign("MSI", "MSI"), NOTHING);
    }

    #[test]
    fn attributes_may_be_in_either_language_but_not_mix_them() {
        for (text, foreign) in [
            ("sky blue", &[][..]),
            ("하늘색", &[]),
            ("黑色", &["黑色"]),
            ("красный", &["красный"]),
            ("red색", &["red색"]),
        ] {
            assert_eq!(foreign_in_words(text, "모자"), foreign);
        }
    }

    #[test]
    fn the_estimate_counts_syllables_and_letters() {
        assert_eq!(estimate_tokens(""), 2);
        assert_eq!(estimate_tokens("빨간 모자"), 6);
        assert_eq!(estimate_tokens("a red hat"), 5);
        assert_eq!(estimate_tokens("sparkling 2"), 6);
    }
}

//! Which writing systems a text is in, and whether a word mixes them.

use crate::text::clean_text;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Script {
    Hangul,
    Latin,
    Other,
}

/// `None` for what all scripts share: digits, blanks, punctuation, symbols.
fn script(c: char) -> Option<Script> {
    match c {
        '\u{1100}'..='\u{11ff}'
        | '\u{3131}'..='\u{318e}'
        | '\u{a960}'..='\u{a97c}'
        | '\u{ac00}'..='\u{d7fb}' => Some(Script::Hangul),
        'A'..='Z' | 'a'..='z' | '\u{ff21}'..='\u{ff3a}' | '\u{ff41}'..='\u{ff5a}' => {
            Some(Script::Latin)
        }
        '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' if c.is_alphabetic() => Some(Script::Latin),
        _ if c.is_alphabetic() => Some(Script::Other),
        _ => None,
    }
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
}

/// Takes the item's name, and each of its words that is not plain Korean, out of the text: what
/// the name holds is no fault of the model.
fn without_name(text: &str, name: &str) -> String {
    let name = clean_text(name);
    let mut text = clean_text(text);
    if name.is_empty() {
        return text;
    }
    text = text.replace(&name, " ");
    for word in words(&name) {
        if word
            .chars()
            .any(|c| script(c).is_some_and(|script| script != Script::Hangul))
        {
            text = text.replace(word, " ");
        }
    }
    text
}

/// So many capitals may be an abbreviation that a Korean word begins or ends with.
const MOST_CAPITALS: usize = 4;

/// Whether a Korean text holds a word that mixes Hangul with Latin, or a letter of another script
/// (Han is one: it leaks in from a model's Chinese). A few capitals joined to Hangul are ordinary
/// Korean (`T셔츠`, `V넥`, `VIP석`).
pub(super) fn mixes_korean(text: &str, name: &str) -> bool {
    words(&without_name(text, name)).any(|word| {
        let mut hangul = false;
        let mut latin = 0;
        let mut lower = false;
        for c in word.chars() {
            match script(c) {
                Some(Script::Hangul) => hangul = true,
                Some(Script::Latin) => {
                    latin += 1;
                    lower |= c.is_lowercase();
                }
                Some(Script::Other) => return true,
                None => {}
            }
        }
        hangul && (lower || latin > MOST_CAPITALS)
    })
}

/// Whether an English text holds a letter that is not Latin.
pub(super) fn mixes_english(text: &str, name: &str) -> bool {
    without_name(text, name)
        .chars()
        .any(|c| script(c).is_some_and(|script| script != Script::Latin))
}

/// About how many tokens a multilingual text encoder of the CLIP and SigLIP kind makes of a text:
/// one a Hangul or Han syllable, one per four letters of a Latin word, one a digit or sign, and
/// two for start and end. An estimate on the high side; the encoder of the user is not known here.
pub fn estimate_tokens(text: &str) -> usize {
    let mut tokens = 2;
    let mut latin = 0usize;
    for c in text.chars() {
        if script(c) == Some(Script::Latin) {
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

    #[test]
    fn words_that_mix_are_found() {
        for text in [
            "빨간red 모자",
            "귀여운 可爱的 모자",
            "かわいい 모자",
            "шляпа",
            "모자hat",
            "색ful 모자",
            "HAPPY모자",
        ] {
            assert!(mixes_korean(text, ""), "{text}");
        }
    }

    #[test]
    fn ordinary_korean_is_not() {
        for text in [
            "빨간 모자, 리본 2개",
            "LED 조명이 달린 모자",
            "T셔츠와 V넥",
            "VIP훈장과 ESP리미터",
            "3단 케이크!",
            "😀 웃는 모자",
        ] {
            assert!(!mixes_korean(text, ""), "{text}");
        }
    }

    #[test]
    fn words_of_the_name_are_excused() {
        assert!(!mixes_korean("파란 VIP의 모자", "VIP 모자"));
        assert!(!mixes_korean("붉은 龍의검을 든", "龍의검"));
        assert!(mixes_korean("붉은 龍의검과 red빛", "龍의검"));
        assert!(!mixes_english("A red hat called 빨간 모자", "빨간 모자"));
        assert!(mixes_english("A red 모자", "빨간 모자"));
    }

    #[test]
    fn the_estimate_counts_syllables_and_letters() {
        assert_eq!(estimate_tokens(""), 2);
        assert_eq!(estimate_tokens("빨간 모자"), 6);
        assert_eq!(estimate_tokens("a red hat"), 5);
        assert_eq!(estimate_tokens("sparkling 2"), 6);
    }
}

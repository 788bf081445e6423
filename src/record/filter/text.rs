//! How a filter finds a text: as it is, by initial consonants (ㅁㅈ finds 모자), or whole.

use crate::record::{Field, Vocabulary};
use unicode_normalization::UnicodeNormalization;

/// A text that a value contains or, where `whole`, equals.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TextTest {
    chars: Vec<char>,
    whole: bool,
}

impl TextTest {
    /// `=` in front asks for the whole text.
    pub(super) fn new(value: &str) -> Self {
        let whole = value.strip_prefix('=');
        Self {
            chars: whole.unwrap_or(value).chars().collect(),
            whole: whole.is_some(),
        }
    }

    /// Any name of a word of the vocabulary means that word; other texts match a part of a value.
    pub(super) fn word(value: &str, field: Field, vocabulary: &Vocabulary) -> Self {
        match vocabulary.find_exact(field, value) {
            Some(word) => Self::new(&format!("={}", word.word)),
            None => Self::new(value),
        }
    }

    pub(super) fn passes(&self, text: &str) -> bool {
        let text: Vec<char> = text.nfc().flat_map(char::to_lowercase).collect();
        if self.whole {
            text == self.chars
        } else {
            find(&text, &self.chars).is_some()
        }
    }
}

pub(super) const LEADS: &str = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ";

fn lead(c: char) -> Option<char> {
    let code = c as u32;
    (0xac00..=0xd7a3)
        .contains(&code)
        .then(|| LEADS.chars().nth(((code - 0xac00) / 588) as usize))?
}

/// Where a word stands in a text; its lone consonants stand for syllables that begin so.
pub fn find(text: &[char], word: &[char]) -> Option<usize> {
    if word.is_empty() {
        return Some(0);
    }
    text.windows(word.len()).position(|window| {
        window
            .iter()
            .zip(word)
            .all(|(&have, &want)| have == want || lead(have) == Some(want))
    })
}

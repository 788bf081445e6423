//! Text matching in filters: by substring, by initial consonants (ㅁㅈ finds 모자), or exactly.

use crate::record::{Field, Vocabulary};
use unicode_normalization::UnicodeNormalization;

/// Matches values that contain the text or, if `whole`, equal it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TextTest {
    chars: Vec<char>,
    whole: bool,
}

impl TextTest {
    /// A leading `=` requires equality.
    pub(super) fn new(value: &str) -> Self {
        let whole = value.strip_prefix('=');
        Self {
            chars: whole.unwrap_or(value).chars().collect(),
            whole: whole.is_some(),
        }
    }

    /// Matches a vocabulary word by any synonym; other texts match as substrings.
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

/// Index of a word in a text. A lone consonant in the word matches any syllable that starts with
/// it.
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

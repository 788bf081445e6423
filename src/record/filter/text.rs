//! Text matching in filters: by substring, by initial consonants (ㅁㅈ finds 모자), exactly, or as a
//! word of the vocabulary.

use crate::record::vocabulary::key;
use crate::record::{Field, Vocabulary};
use std::collections::HashSet;
use unicode_normalization::UnicodeNormalization;

/// Matches the values of a record.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum TextTest {
    /// Values that contain the text.
    Part(Vec<char>),
    /// Values that equal the text.
    Whole(Vec<char>),
    /// Values with one of these keys of a vocabulary word.
    Word(HashSet<String>),
}

impl TextTest {
    /// A leading `=` requires equality.
    pub(super) fn new(value: &str) -> Self {
        match value.strip_prefix('=') {
            Some(whole) => Self::Whole(whole.chars().collect()),
            None => Self::Part(value.chars().collect()),
        }
    }

    /// A vocabulary word matches all its spellings; other texts match as substrings.
    pub(super) fn word(value: &str, field: Field, vocabulary: &Vocabulary) -> Self {
        match vocabulary.find_exact(field, value) {
            Some(word) => Self::Word(vocabulary.keys_of(field, word)),
            None => Self::new(value),
        }
    }

    pub(super) fn passes(&self, text: &str) -> bool {
        let letters = || text.nfc().flat_map(char::to_lowercase);
        match self {
            Self::Part(part) => find(&letters().collect::<Vec<char>>(), part).is_some(),
            Self::Whole(whole) => letters().eq(whole.iter().copied()),
            Self::Word(keys) => keys.contains(&key(text)),
        }
    }
}

pub(super) const LEADS: &str = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ";

fn is_consonant(c: char) -> bool {
    ('ㄱ'..='ㅎ').contains(&c)
}

/// The consonant that a syllable starts with.
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
    let matches =
        |have: char, want: char| have == want || (is_consonant(want) && lead(have) == Some(want));
    text.windows(word.len()).position(|window| {
        let mut pairs = window.iter().zip(word);
        pairs.all(|(&have, &want)| matches(have, want))
    })
}

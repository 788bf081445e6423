//! Words that probably mean the same: of one vocabulary word, written with other spaces, or with
//! one letter of difference.

use super::{Vocabulary, key};
use crate::record::Field;
use std::collections::HashMap;

/// With fewer letters, words that differ in one are different words.
const LEAST_LETTERS: usize = 4;
/// With more, the one letter is not looked for: no record may hold such a word.
const MOST_LETTERS: usize = 100;

/// For each word the place of the first one before it that it is probably a synonym of, else its
/// own; given the most frequent words first, that is the likeliest one to keep.
pub fn similar(field: Field, words: &[&str], vocabulary: &Vocabulary) -> Vec<usize> {
    let mut first: HashMap<String, usize> = HashMap::new();
    let mut heads = Vec::with_capacity(words.len());
    for (at, word) in words.iter().enumerate() {
        let signs = signs(field, word, vocabulary);
        let known = signs.iter().filter_map(|sign| first.get(sign)).min();
        let head = known.map_or(at, |at: &usize| *at);
        // A word that is like a member is like the head only if it is so itself.
        if head == at {
            for sign in signs {
                first.entry(sign).or_insert(at);
            }
        }
        heads.push(head);
    }
    heads
}

/// What two similar words have in common at least one of.
fn signs(field: Field, word: &str, vocabulary: &Vocabulary) -> Vec<String> {
    let plain = key(word).replace(' ', "");
    let mut signs = Vec::new();
    let lists: Vec<Field> = match field.words() {
        Some(_) => vec![field],
        None => Vocabulary::lists().map(|(field, _)| field).collect(),
    };
    for field in lists {
        let entry = vocabulary.find_exact(field, word);
        signs.extend(entry.map(|entry| format!("{}={}", field.key(), entry.word)));
    }
    let letters: Vec<char> = plain.chars().take(MOST_LETTERS + 1).collect();
    if (LEAST_LETTERS..=MOST_LETTERS).contains(&letters.len()) {
        signs.extend((0..letters.len()).map(|left_out| {
            let rest = letters.iter().enumerate();
            let rest = rest.map(|(at, c)| if at == left_out { '?' } else { *c });
            rest.collect()
        }));
    }
    signs.push(plain);
    signs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn likely_synonyms_are_put_to_the_most_frequent_one() {
        let vocabulary = Vocabulary::builtin().unwrap();
        let words = [
            "검은색",
            "블랙",
            "모자",
            "밤 하늘",
            "밤하늘",
            "크리스마스",
            "크리스머스",
            "모지",
        ];
        assert_eq!(
            similar(Field::TagsKo, &words, &vocabulary),
            [0, 0, 2, 3, 3, 5, 5, 7]
        );
        let words = ["fantasy", "판타지", "ninja"];
        assert_eq!(similar(Field::Theme, &words, &vocabulary), [0, 0, 2]);
    }
}

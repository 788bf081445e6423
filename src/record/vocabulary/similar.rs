//! Finds probable synonyms: words of one vocabulary entry, or that differ in spacing or in one
//! letter.

use super::{Vocabulary, key};
use crate::record::Field;
use std::collections::HashMap;

/// Shorter words that differ in one letter are different words.
const MIN_LETTERS: usize = 4;
/// Longer words are not compared by letter; records may not contain them.
const MAX_LETTERS: usize = 100;

/// For each word, the index of the first earlier word that is probably a synonym, or its own
/// index. If the words are sorted by frequency, that is the one to keep.
pub fn similar(field: Field, words: &[&str], vocabulary: &Vocabulary) -> Vec<usize> {
    let mut first: HashMap<String, usize> = HashMap::new();
    let mut heads = Vec::with_capacity(words.len());
    for (at, word) in words.iter().enumerate() {
        let keys = similarity_keys(field, word, vocabulary);
        let known = keys.iter().filter_map(|key| first.get(key)).min();
        let head = known.map_or(at, |at: &usize| *at);
        // Similarity is not transitive: words are compared with the head, not with its synonyms.
        if head == at {
            for key in keys {
                first.entry(key).or_insert(at);
            }
        }
        heads.push(head);
    }
    heads
}

/// Keys of a word. Two words are similar if they share at least one.
fn similarity_keys(field: Field, word: &str, vocabulary: &Vocabulary) -> Vec<String> {
    let plain = key(word).replace(' ', "");
    let mut keys = Vec::new();
    let lists: Vec<Field> = match field.words() {
        Some(_) => vec![field],
        None => Vocabulary::lists().map(|(field, _)| field).collect(),
    };
    for field in lists {
        let entry = vocabulary.find_exact(field, word);
        keys.extend(entry.map(|entry| format!("{}={}", field.key(), entry.word)));
    }
    let letters: Vec<char> = plain.chars().take(MAX_LETTERS + 1).collect();
    if (MIN_LETTERS..=MAX_LETTERS).contains(&letters.len()) {
        keys.extend((0..letters.len()).map(|left_out| {
            let rest = letters.iter().enumerate();
            let rest = rest.map(|(at, c)| if at == left_out { '?' } else { *c });
            rest.collect()
        }));
    }
    keys.push(plain);
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probable_synonyms_map_to_the_most_frequent_word() {
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

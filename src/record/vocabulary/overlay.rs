//! Vocabulary overlays: synonyms and words of one outdir that take precedence over the vocabulary.

use super::{Entry, List, Vocabulary, Word, key, usage_error};
use crate::error::Result;
use crate::record::Field;
use crate::text::with_short_quotes;
use std::collections::BTreeMap;

/// The table of tags, which only an overlay has. Tags are free text but may have synonyms.
const TAGS: &str = "tags";

impl Vocabulary {
    /// Applies the entries of an overlay file. An entry for an existing word, in any of its
    /// spellings, adds its synonyms and removes them from other words. Any other entry is a new
    /// word; so is an entry with colors of its own, or with the existing word as a synonym.
    ///
    /// # Errors
    /// If the file is not a vocabulary file or has an unknown table.
    pub fn overlaid(mut self, text: &str) -> Result<Self> {
        let mut file: BTreeMap<String, Vec<Entry>> =
            toml::from_str(text).map_err(|error| usage_error(with_short_quotes(&error)))?;
        for (field, name) in overlaid_lists() {
            let Some(entries) = file.remove(name) else {
                continue;
            };
            let mut problems = Vec::new();
            let list = self.lists.remove(&field).unwrap_or_default();
            let mut words = list.words.clone();
            for entry in entries {
                let mut new = Word::read(entry, name, field, &mut problems);
                if let Some(known) = list.get(&key(&new.word))
                    && is_about(&new, known)
                {
                    new.word.clone_from(&known.word);
                }
                merge_word(&mut words, new);
            }
            if !problems.is_empty() {
                return Err(usage_error(problems.join("; ")));
            }
            self.lists.insert(field, List::new(field, words));
        }
        match file.keys().next() {
            None => Ok(self),
            Some(name) => {
                let names: Vec<String> = overlaid_lists()
                    .map(|(_, name)| format!("[[{name}]]"))
                    .collect();
                Err(usage_error(format!("there is no list \"{name}\""))
                    .with_hint(format!("the tables are {}", names.join(", "))))
            }
        }
    }

    /// The overlay entry that makes `synonym` a synonym of `word`; `None` if the field has no word
    /// list.
    pub fn overlay_entry(field: Field, word: &str, synonym: &str) -> Option<String> {
        let (_, name) = overlaid_lists().find(|(have, _)| *have == field)?;
        let text = |text: &str| toml::Value::String(text.to_owned());
        let language = match synonym.chars().any(|c| ('가'..='힣').contains(&c)) {
            true => "ko",
            false => "en",
        };
        Some(format!(
            "\n[[{name}]]\nword = {}\n{language} = [{}]\n",
            text(word),
            text(synonym)
        ))
    }
}

/// The lists that an overlay may have, as field and name.
fn overlaid_lists() -> impl Iterator<Item = (Field, &'static str)> {
    Vocabulary::lists().chain([(Field::TagsKo, TAGS)])
}

/// Whether an entry whose word is a spelling of `known` extends that word.
fn is_about(new: &Word, known: &Word) -> bool {
    let replaces = || new.spellings().any(|text| key(text) == key(&known.word));
    new.anchors.is_empty() && new.pixels.is_none() && !replaces()
}

/// Adds a word, or adds its synonyms and colors to the existing word. Other words lose those
/// synonyms; a word that becomes a synonym brings its own synonyms and colors along.
fn merge_word(words: &mut Vec<Word>, mut new: Word) {
    let claimed: Vec<String> = new.spellings().map(|text| key(text)).collect();
    let is_claimed = |text: &String| claimed.contains(&key(text));
    let canonical = key(&new.word);
    let (absorbed, rest): (Vec<Word>, Vec<Word>) = std::mem::take(words)
        .into_iter()
        .partition(|word| key(&word.word) != canonical && is_claimed(&word.word));
    *words = rest;
    let is_gone = |name: &String| absorbed.iter().any(|word| word.word == *name);
    for word in words.iter_mut() {
        word.shades.retain(|shade| !is_gone(shade));
        if key(&word.word) != canonical {
            word.ko.retain(|text| !is_claimed(text));
            word.en.retain(|text| !is_claimed(text));
        }
    }
    for word in absorbed {
        add_to(&mut new, word);
    }
    match words.iter_mut().find(|word| key(&word.word) == canonical) {
        Some(word) => add_to(word, new),
        None => words.push(new),
    }
}

/// Adds the spellings and colors of another word.
fn add_to(word: &mut Word, other: Word) {
    let known: Vec<String> = word.spellings().map(|text| key(text)).collect();
    let is_new = |text: &String| !known.contains(&key(text));
    word.ko.extend(other.ko.into_iter().filter(is_new));
    word.en.extend(other.en.into_iter().filter(is_new));
    if word.anchors.is_empty() {
        word.pixels = word.pixels.or(other.pixels);
    }
    word.anchors.extend(other.anchors);
    for shade in other.shades {
        if shade != word.word && !word.shades.contains(&shade) {
            word.shades.push(shade);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overlaid(text: &str) -> Vocabulary {
        Vocabulary::builtin().unwrap().overlaid(text).unwrap()
    }

    #[test]
    fn a_synonym_is_found_and_removed_from_other_words() {
        let color = |vocabulary: &Vocabulary, text: &str| {
            let word = vocabulary.find_exact(Field::Colors, text);
            word.map(|word| word.word.clone())
        };
        assert_eq!(color(&Vocabulary::builtin().unwrap(), "먹물색"), None);
        let entry = Vocabulary::overlay_entry(Field::Colors, "black", "먹물색").unwrap();
        let vocabulary = overlaid(&entry);
        assert_eq!(color(&vocabulary, "먹물색").as_deref(), Some("black"));
        assert_eq!(color(&vocabulary, "검은색").as_deref(), Some("black"));
        // A synonym that belonged to another word.
        let entry = Vocabulary::overlay_entry(Field::Colors, "yellow", "황금색").unwrap();
        assert_eq!(
            color(&overlaid(&entry), "황금색").as_deref(),
            Some("yellow")
        );
        let entry = Vocabulary::overlay_entry(Field::Colors, "yellow", "gold").unwrap();
        let vocabulary = overlaid(&entry);
        assert_eq!(color(&vocabulary, "gold").as_deref(), Some("yellow"));
        assert!(vocabulary.words(Field::Colors).all(|word| word != "gold"));
        // A word that becomes a synonym brings its own along.
        assert_eq!(color(&vocabulary, "금색").as_deref(), Some("yellow"));
        let yellow = vocabulary.find_exact(Field::Colors, "yellow").unwrap();
        assert!(!yellow.shades.contains(&"gold".to_owned()));
    }

    #[test]
    fn an_entry_finds_its_word_in_any_spelling_of_the_word() {
        let vocabulary = overlaid("[[colors]]\nword = \"Sky-Blue\"\nko = [\"아침색\"]");
        let found = vocabulary.find_exact(Field::Colors, "아침색").unwrap();
        assert_eq!(found.word, "sky blue");
        assert!(!found.anchors.is_empty());
        assert!(vocabulary.find_exact(Field::Colors, "하늘색").is_some());
    }

    #[test]
    fn an_entry_for_a_synonym_extends_its_word() {
        let builtin = Vocabulary::builtin().unwrap();
        for (field, entry, spelling) in [
            (
                Field::ItemTypeGuess,
                "[[item_types]]\nword = \"Hats\"",
                "hat",
            ),
            (Field::Colors, "[[colors]]\nword = \"cobalt\"", "cobalt"),
            (Field::Colors, "[[colors]]\nword = \"검은색\"", "black"),
        ] {
            let word = builtin.find_exact(field, spelling).unwrap();
            let vocabulary = overlaid(&format!("{entry}\nko = [\"새말\"]"));
            let found = vocabulary.find_exact(field, "새말").unwrap();
            assert_eq!(found.word, word.word);
            assert_eq!(found.anchors, word.anchors);
            assert_eq!(found.ko.len(), word.ko.len() + 1);
            assert_eq!(
                vocabulary.entries(field).len(),
                builtin.entries(field).len()
            );
        }
    }

    #[test]
    fn a_synonym_with_its_own_colors_becomes_a_word() {
        let vocabulary = overlaid("[[colors]]\nword = \"cobalt\"\nrgb = [\"#0047ab\"]");
        let found = vocabulary.find_exact(Field::Colors, "cobalt").unwrap();
        assert_eq!((found.word.as_str(), found.anchors.len()), ("cobalt", 1));
    }

    #[test]
    fn tags_have_synonyms_of_their_own() {
        let entry = Vocabulary::overlay_entry(Field::TagsKo, "검은색", "\"블랙\"").unwrap();
        let error = Vocabulary::builtin().unwrap().overlaid(&entry).unwrap_err();
        assert!(error.cause.contains("quotes"), "{}", error.cause);
        let entry = Vocabulary::overlay_entry(Field::TagsKo, "검은색", "블랙").unwrap();
        let twice = format!("# mine\n{entry}{entry}");
        let vocabulary = overlaid(&twice);
        let found = vocabulary.find_exact(Field::TagsKo, "블랙").unwrap();
        assert_eq!((found.word.as_str(), found.ko.len()), ("검은색", 1));
    }

    #[test]
    fn an_unknown_table_is_named() {
        let vocabulary = Vocabulary::builtin().unwrap();
        let error = vocabulary.overlaid("[[wings]]\nword = \"x\"").unwrap_err();
        assert!(error.cause.contains("wings"), "{}", error.cause);
        assert!(error.hint.unwrap().contains("[[tags]]"));
    }
}

//! Words of one outdir that lie over a vocabulary: further synonyms, which win over it.

use super::{Entry, List, Vocabulary, Word, fault, key};
use crate::error::Result;
use crate::record::Field;
use std::collections::BTreeMap;

/// The table of tags, which only an overlay has: tags are free text, but some mean the same.
const TAGS: &str = "tags";

impl Vocabulary {
    /// This vocabulary with the entries of a file over it. An entry of a word that is there adds
    /// its synonyms, which are taken from other words; an entry of another word is a new word.
    ///
    /// # Errors
    /// If the file is no vocabulary file, or has a table that there is not.
    pub fn overlaid(mut self, text: &str) -> Result<Self> {
        let mut file: BTreeMap<String, Vec<Entry>> =
            toml::from_str(text).map_err(|error| fault(error.to_string().trim_end()))?;
        for (field, name) in overlaid_lists() {
            let Some(entries) = file.remove(name) else {
                continue;
            };
            let mut faults = Vec::new();
            let mut words = std::mem::take(&mut self.lists.entry(field).or_default().words);
            for entry in entries {
                put(&mut words, Word::read(entry, name, field, &mut faults));
            }
            if !faults.is_empty() {
                return Err(fault(faults.join("; ")));
            }
            self.lists.insert(field, List::of(field, words));
        }
        match file.keys().next() {
            None => Ok(self),
            Some(name) => {
                let names: Vec<String> = overlaid_lists()
                    .map(|(_, name)| format!("[[{name}]]"))
                    .collect();
                Err(fault(format!("there is no list \"{name}\""))
                    .with_hint(format!("the tables are {}", names.join(", "))))
            }
        }
    }

    /// The entry of an overlay that makes `synonym` another name of `word`; `None` where the field
    /// has no words.
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

/// The lists that an overlay may have, by their names.
fn overlaid_lists() -> impl Iterator<Item = (Field, &'static str)> {
    Vocabulary::lists().chain([(Field::TagsKo, TAGS)])
}

/// Adds a word, or its synonyms to the same word. No other word keeps any of them.
fn put(words: &mut Vec<Word>, new: Word) {
    let claimed: Vec<String> = new.spellings().map(|text| key(text)).collect();
    let is_claimed = |text: &String| claimed.contains(&key(text));
    let gone: Vec<String> = words
        .iter()
        .filter(|word| word.word != new.word && is_claimed(&word.word))
        .map(|word| word.word.clone())
        .collect();
    words.retain(|word| !gone.contains(&word.word));
    for word in words.iter_mut().filter(|word| word.word != new.word) {
        word.ko.retain(|text| !is_claimed(text));
        word.en.retain(|text| !is_claimed(text));
        word.shades.retain(|shade| !gone.contains(shade));
    }
    let Some(word) = words.iter_mut().find(|word| word.word == new.word) else {
        return words.push(new);
    };
    let held: Vec<String> = word.spellings().map(|text| key(text)).collect();
    let is_new = |text: &String| !held.contains(&key(text));
    word.ko.extend(new.ko.into_iter().filter(is_new));
    word.en.extend(new.en.into_iter().filter(is_new));
    word.anchors.extend(new.anchors);
    word.shades.extend(new.shades);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overlaid(text: &str) -> Vocabulary {
        Vocabulary::builtin().unwrap().overlaid(text).unwrap()
    }

    #[test]
    fn a_marked_synonym_is_found_and_no_other_word_keeps_it() {
        let color = |vocabulary: &Vocabulary, text: &str| {
            let word = vocabulary.find_exact(Field::Colors, text);
            word.map(|word| word.word.clone())
        };
        assert_eq!(color(&Vocabulary::builtin().unwrap(), "먹물색"), None);
        let entry = Vocabulary::overlay_entry(Field::Colors, "black", "먹물색").unwrap();
        let vocabulary = overlaid(&entry);
        assert_eq!(color(&vocabulary, "먹물색").as_deref(), Some("black"));
        assert_eq!(color(&vocabulary, "검은색").as_deref(), Some("black"));
        // What another word had.
        let entry = Vocabulary::overlay_entry(Field::Colors, "yellow", "황금색").unwrap();
        assert_eq!(
            color(&overlaid(&entry), "황금색").as_deref(),
            Some("yellow")
        );
        let entry = Vocabulary::overlay_entry(Field::Colors, "yellow", "gold").unwrap();
        let vocabulary = overlaid(&entry);
        assert_eq!(color(&vocabulary, "gold").as_deref(), Some("yellow"));
        assert!(vocabulary.words(Field::Colors).all(|word| word != "gold"));
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
    fn a_table_that_there_is_not_is_named() {
        let vocabulary = Vocabulary::builtin().unwrap();
        let error = vocabulary.overlaid("[[wings]]\nword = \"x\"").unwrap_err();
        assert!(error.cause.contains("wings"), "{}", error.cause);
        assert!(error.hint.unwrap().contains("[[tags]]"));
    }
}

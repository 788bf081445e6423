//! Stores the synonyms that an operator adds in the outdir's `vocabulary.toml`.

use crate::error::{Error, ErrorKind, Result};
use crate::outdir::{VOCABULARY, read_vocabulary, write_vocabulary};
use crate::record::{Change, Vocabulary};
use std::path::PathBuf;
use std::sync::Arc;

/// First lines of a new file.
const HEADER: &str = "\
# Vocabulary of this outdir, on top of the base vocabulary: synonyms added in the workstation, and
# your own. See docs/prompt-vocabulary-keymap.md.
";

#[derive(Debug)]
pub struct OutdirWords {
    outdir: PathBuf,
    base: Vocabulary,
}

impl OutdirWords {
    /// `base` is the vocabulary without the outdir's file.
    pub fn new(outdir: PathBuf, base: Vocabulary) -> Self {
        Self { outdir, base }
    }

    /// Appends the synonym of a change to the file and returns the new vocabulary; `None` if the change
    /// does not add a synonym.
    pub fn add(&self, change: &Change) -> Result<Option<Arc<Vocabulary>>> {
        if let Change::Synonym { to, .. } = change
            && to.contains(',')
        {
            let cause = format!("{to} is more than one word");
            return Err(Error::new(ErrorKind::Usage, cause));
        }
        let mut text = read_vocabulary(&self.outdir)?;
        let Some(entry) = self.entry(change, &text)? else {
            return Ok(None);
        };
        if text.is_empty() {
            text = HEADER.to_owned();
        }
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&entry);
        self.write(&text).map(Some)
    }

    /// Removes the synonym again and keeps everything else that the file contains. Fails if its entry
    /// was changed.
    pub fn remove(&self, change: &Change) -> Result<Option<Arc<Vocabulary>>> {
        let mut text = read_vocabulary(&self.outdir)?;
        let Some(entry) = self.entry(change, &text)? else {
            return Ok(None);
        };
        let Some(at) = text.rfind(&entry) else {
            let cause = format!("the entry of the synonym in {VOCABULARY} was changed");
            return Err(Error::new(ErrorKind::Usage, cause).with_hint("remove it by hand"));
        };
        text.replace_range(at..at + entry.len(), "");
        self.write(&text).map(Some)
    }

    fn write(&self, text: &str) -> Result<Arc<Vocabulary>> {
        let words = self.read(text)?;
        write_vocabulary(&self.outdir, text)?;
        Ok(Arc::new(words))
    }

    /// The vocabulary with this text of the outdir's file.
    fn read(&self, text: &str) -> Result<Vocabulary> {
        let words = self.base.clone().overlaid(text);
        words.map_err(|error| error.context(self.outdir.join(VOCABULARY).display()))
    }

    /// Formats the entry for the synonym of a change to a file with this text. A synonym of a synonym
    /// belongs to its word.
    fn entry(&self, change: &Change, text: &str) -> Result<Option<String>> {
        let Change::Synonym { field, from, to } = change else {
            return Ok(None);
        };
        let vocabulary = self.read(text)?;
        let word = vocabulary.find_exact(*field, to);
        let word = word.map_or(to, |word| &word.word);
        match Vocabulary::overlay_entry(*field, word, from) {
            Some(entry) => Ok(Some(entry)),
            None => {
                let cause = format!("{} has no synonyms", field.key());
                Err(Error::new(ErrorKind::Usage, cause))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt;
    use crate::record::Field;

    fn words(outdir: &std::path::Path) -> OutdirWords {
        OutdirWords::new(outdir.to_owned(), Vocabulary::builtin().unwrap())
    }

    fn synonym(from: &str, to: &str) -> Change {
        Change::Synonym {
            field: Field::TagsKo,
            from: from.to_owned(),
            to: to.to_owned(),
        }
    }

    #[test]
    fn a_synonym_is_appended_to_the_file_and_removed_again() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(VOCABULARY);
        let words = words(dir.path());
        let mine = "# mine\n[[colors]] # dark\nword = \"black\"\nko = [\"먹색\"]";
        std::fs::write(&file, mine).unwrap();
        let black = synonym("블랙", "검은색");
        let vocabulary = words.add(&black).unwrap().unwrap();
        let of = |vocabulary: &Vocabulary, field, text| {
            let word = vocabulary.find_exact(field, text);
            word.map(|word| word.word.clone())
        };
        let found = of(&vocabulary, Field::TagsKo, "블랙");
        assert_eq!(found.as_deref(), Some("검은색"));
        let found = of(&vocabulary, Field::Colors, "먹색");
        assert_eq!(found.as_deref(), Some("black"));
        words.add(&synonym("까망", "검은색")).unwrap();
        let vocabulary = words.remove(&black).unwrap().unwrap();
        assert_eq!(of(&vocabulary, Field::TagsKo, "블랙"), None);
        assert!(of(&vocabulary, Field::TagsKo, "까망").is_some());
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.starts_with(mine), "{text}");
        // The next start loads the same vocabulary.
        let again = prompt::vocabulary(None, Some(&file)).unwrap();
        assert_eq!(again, *vocabulary);
        let gone = words.remove(&black).unwrap_err();
        assert!(gone.hint.is_some(), "{}", gone.cause);
        let left = std::fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(left, 1, "no other file remains");
    }

    #[test]
    fn a_synonym_of_a_synonym_belongs_to_its_word() {
        let dir = tempfile::tempdir().unwrap();
        let words = words(dir.path());
        let ink = |to: &str| Change::Synonym {
            field: Field::Colors,
            from: "먹색".to_owned(),
            to: to.to_owned(),
        };
        let base = Vocabulary::builtin().unwrap();
        for to in ["검은색", "Black"] {
            let vocabulary = words.add(&ink(to)).unwrap().unwrap();
            let found = vocabulary.find_exact(Field::Colors, "먹색").unwrap();
            assert_eq!(
                (found.word.as_str(), found.rgb().is_some()),
                ("black", true)
            );
            assert_eq!(*words.remove(&ink(to)).unwrap().unwrap(), base);
        }
        let error = words.add(&ink("black,gray")).unwrap_err();
        assert!(error.cause.contains("more than one word"));
    }

    #[test]
    fn an_invalid_file_is_left_unchanged() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(VOCABULARY);
        std::fs::write(&file, "[[colors]\n").unwrap();
        let error = words(dir.path())
            .add(&synonym("블랙", "검은색"))
            .unwrap_err();
        assert!(error.cause.contains(VOCABULARY), "{}", error.cause);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "[[colors]\n");
    }
}

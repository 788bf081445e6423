//! Keeps the synonyms that an operator marks in the outdir's `vocabulary.toml`.

use crate::error::{Error, ErrorKind, Result};
use crate::outdir::{WORDS, read_words, write_words};
use crate::prompt;
use crate::record::{Change, Vocabulary};
use crate::settings::PromptOptions;
use std::path::PathBuf;
use std::sync::Arc;

/// Stands at the beginning of a file that is not there yet.
const HEAD: &str = "\
# Words of this outdir, over the vocabulary: synonyms that were marked in the workstation, and any
# that you add. See docs/prompt-vocabulary-keymap.md.
";

#[derive(Debug)]
pub struct OutdirWords {
    outdir: PathBuf,
    options: PromptOptions,
}

impl OutdirWords {
    pub fn new(outdir: PathBuf, options: PromptOptions) -> Self {
        Self { outdir, options }
    }

    /// Adds the synonym of a change to the file, behind all that it holds; the vocabulary that
    /// holds from then on. `None` for a change that marks none.
    pub fn add(&self, change: &Change) -> Result<Option<Arc<Vocabulary>>> {
        let Some(entry) = entry(change)? else {
            return Ok(None);
        };
        let mut text = read_words(&self.outdir)?;
        if text.is_empty() {
            text = HEAD.to_owned();
        }
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&entry);
        self.write(&text).map(Some)
    }

    /// Takes it out again, where it stands as it was added: what the operator has written since
    /// stays.
    pub fn remove(&self, change: &Change) -> Result<Option<Arc<Vocabulary>>> {
        let Some(entry) = entry(change)? else {
            return Ok(None);
        };
        let mut text = read_words(&self.outdir)?;
        let Some(at) = text.rfind(&entry) else {
            let cause = format!("the synonym no longer stands in {WORDS} as it was written");
            return Err(Error::new(ErrorKind::Usage, cause).with_hint("take it out by hand"));
        };
        text.replace_range(at..at + entry.len(), "");
        self.write(&text).map(Some)
    }

    fn write(&self, text: &str) -> Result<Arc<Vocabulary>> {
        let base = prompt::vocabulary(self.options.vocabulary.as_deref(), None)?;
        let words = base
            .overlaid(text)
            .map_err(|error| error.context(self.outdir.join(WORDS).display()))?;
        write_words(&self.outdir, text)?;
        Ok(Arc::new(words))
    }
}

/// The entry of a change that marks a synonym.
fn entry(change: &Change) -> Result<Option<String>> {
    let Change::Synonym { field, from, to } = change else {
        return Ok(None);
    };
    match Vocabulary::overlay_entry(*field, to, from) {
        Some(entry) => Ok(Some(entry)),
        None => {
            let cause = format!("{} has no synonyms", field.key());
            Err(Error::new(ErrorKind::Usage, cause))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Field;
    use crate::settings::Lang;

    fn words(outdir: &std::path::Path) -> OutdirWords {
        let options = PromptOptions {
            version: "v2".to_owned(),
            file: None,
            lang: Lang::Ko,
            with_metadata: true,
            vocabulary: None,
            overlay: Some(outdir.join(WORDS)),
        };
        OutdirWords::new(outdir.to_owned(), options)
    }

    fn synonym(from: &str, to: &str) -> Change {
        Change::Synonym {
            field: Field::TagsKo,
            from: from.to_owned(),
            to: to.to_owned(),
        }
    }

    #[test]
    fn a_synonym_goes_to_the_end_of_the_file_and_out_of_it_again() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(WORDS);
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
        // The same words are there at the next start.
        let again = prompt::vocabulary(None, Some(&file)).unwrap();
        assert_eq!(again, *vocabulary);
        let gone = words.remove(&black).unwrap_err();
        assert!(gone.hint.is_some(), "{}", gone.cause);
        let left = std::fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(left, 1, "nothing is left beside the file");
    }

    #[test]
    fn a_file_that_cannot_be_read_is_left_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join(WORDS);
        std::fs::write(&file, "[[colors]\n").unwrap();
        let error = words(dir.path())
            .add(&synonym("블랙", "검은색"))
            .unwrap_err();
        assert!(error.cause.contains(WORDS), "{}", error.cause);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "[[colors]\n");
    }
}

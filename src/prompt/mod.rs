//! Builds chat messages from prompt files, and the grammar of the answer.

mod answer_schema;
mod examples;
mod file;
mod options;

pub use answer_schema::{MAX_NAME, schema};
pub use file::{Prompt, builtin_prompts};
pub use options::{Lang, PromptOptions};

use crate::error::{ErrorKind, Result, unreadable};
use crate::record::{
    AnswerForm, ApprovedRecord, AttemptSettings, Chat, ColorHistogram, Item, Vocabulary,
};
use crate::text::{clean_text, hex};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::sync::Arc;

/// Longest description in the prompt, in characters. The icon is more informative than a long text.
const MAX_DESCRIPTION: usize = 160;

/// SHA-256 of the texts of a chat turn.
pub fn chat_digest(chat: &Chat) -> String {
    digest(&[chat.system.as_deref().unwrap_or_default(), &chat.user])
}

/// Builds the prompt for each item: a system text that is constant for a run, a short user text, and
/// the grammar of the answer.
#[derive(Debug, Clone)]
pub struct Prompter {
    prompt: Prompt,
    system: String,
    digest: String,
    vocabulary: Arc<Vocabulary>,
    lang: Lang,
}

impl Prompter {
    pub fn new(prompt: Prompt, vocabulary: Arc<Vocabulary>, lang: Lang) -> Self {
        let lists: Vec<(&str, String)> = Vocabulary::lists()
            .map(|(field, name)| (name, vocabulary.words(field).collect::<Vec<_>>().join(", ")))
            .collect();
        let mut values = vec![
            ("language", prompt.language.get(lang)),
            ("label_en", prompt.label_en.get(lang)),
        ];
        values.extend(lists.iter().map(|(name, words)| (*name, words.as_str())));
        let system = file::fill(&prompt.system, &values);
        Self {
            digest: digest(&[&system, &prompt.user, &prompt.strict]),
            prompt,
            system,
            vocabulary,
            lang,
        }
    }

    /// Loads the prompt (built in or from a file) and the vocabulary.
    pub fn load(options: &PromptOptions) -> Result<Self> {
        let prompt = match &options.file {
            Some(path) => Prompt::from_file(path)?,
            None => Prompt::builtin(&options.version)?,
        };
        let vocabulary = vocabulary(options.vocabulary.as_deref(), options.overlay.as_deref())?;
        Ok(Self::new(prompt, Arc::new(vocabulary), options.lang))
    }

    pub fn version(&self) -> &str {
        &self.prompt.version
    }

    pub fn lang(&self) -> Lang {
        self.lang
    }

    pub fn vocabulary(&self) -> &Arc<Vocabulary> {
        &self.vocabulary
    }

    /// The form of answers.
    pub fn form(&self) -> AnswerForm {
        self.prompt.answer
    }

    /// Digest of the prompt's texts, since two prompts with the same version may differ.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Builds the prompt for an item. `colors` are used only if the model sees the icon; `examples`
    /// precede the item's data.
    pub fn chat(
        &self,
        item: &Item,
        settings: &AttemptSettings,
        colors: Option<&ColorHistogram>,
        examples: &[Arc<ApprovedRecord>],
    ) -> Chat {
        let shown = |text: &str| {
            let clean = clean_text(text);
            (settings.with_metadata && !clean.is_empty()).then_some(clean)
        };
        let name = shown(&item.item_name);
        let description = item
            .item_description
            .as_deref()
            .and_then(shown)
            .map(|text| shorten(&text, MAX_DESCRIPTION));
        let part = item.item_part.as_deref().and_then(shown);
        let source = settings
            .with_metadata
            .then(|| item.source_type.as_str().to_string());
        let measured = colors
            .filter(|_| settings.with_image)
            .map(|colors| self.measured_words(colors))
            .filter(|words| !words.is_empty());
        let hint = settings
            .hint
            .as_deref()
            .map(clean_text)
            .filter(|hint| !hint.is_empty());
        let examples = examples::text(examples, settings.with_metadata, self.prompt.answer);
        let mut user = file::fill_lines(
            &self.prompt.user,
            &[
                ("name", name),
                ("description", description),
                ("part", part),
                ("source", source),
                ("measured_colors", measured),
                ("hint", hint.clone()),
                ("examples", examples.clone()),
            ],
        );
        if let Some(examples) = examples.filter(|_| !self.prompt.user.contains("{examples}")) {
            user = format!("{examples}\n\n{user}").trim().to_string();
        }
        if let Some(hint) = hint.filter(|_| !self.prompt.user.contains("{hint}")) {
            user = format!("{user}\nhint: {hint}").trim().to_string();
        }
        if settings.strict && !self.prompt.strict.is_empty() {
            if !user.is_empty() {
                user.push('\n');
            }
            user.push_str(&self.prompt.strict);
        }
        Chat {
            system: Some(self.system.clone()),
            user,
            images: usize::from(settings.with_image),
        }
    }

    fn measured_words(&self, colors: &ColorHistogram) -> String {
        let measured = colors.measured(&self.vocabulary).into_iter();
        let words: Vec<&str> = measured.map(|(word, _)| word.word.as_str()).collect();
        words.join(", ")
    }

    /// JSON Schema of the answer for an item, see [`schema`].
    pub fn schema(
        &self,
        item: &Item,
        settings: &AttemptSettings,
        colors: Option<&ColorHistogram>,
    ) -> Arc<serde_json::Value> {
        Arc::new(self.answer_schema(item, settings, colors))
    }

    /// JSON Schema of a second opinion, which omits some fields.
    pub fn opinion_schema(
        &self,
        item: &Item,
        settings: &AttemptSettings,
        colors: Option<&ColorHistogram>,
    ) -> Arc<serde_json::Value> {
        Arc::new(answer_schema::opinion_schema(
            self.answer_schema(item, settings, colors),
        ))
    }

    fn answer_schema(
        &self,
        item: &Item,
        settings: &AttemptSettings,
        colors: Option<&ColorHistogram>,
    ) -> serde_json::Value {
        let name = settings.with_metadata.then(|| clean_text(&item.item_name));
        schema(
            self.prompt.answer,
            &self.vocabulary,
            self.lang,
            name.as_deref(),
            colors.filter(|_| settings.with_image),
            settings.strict,
        )
    }
}

/// Loads the vocabulary from a file, or else the built-in one, and adds the words of the overlay if
/// that file exists.
pub fn vocabulary(file: Option<&Path>, overlay: Option<&Path>) -> Result<Vocabulary> {
    let within = |path: &Path| format!("vocabulary {}", path.display());
    let reading = |path: &Path| {
        let action = format!("reading the vocabulary {}", path.display());
        unreadable(ErrorKind::Usage, action)
    };
    let base = match file {
        Some(path) => {
            let text = crate::text::read_text(path).map_err(reading(path))?;
            Vocabulary::parse(&text).map_err(|error| error.context(within(path)))?
        }
        None => Vocabulary::builtin()?,
    };
    let Some(path) = overlay else {
        return Ok(base);
    };
    match crate::text::read_text_if_exists(path) {
        Ok(Some(text)) => base
            .overlaid(&text)
            .map_err(|error| error.context(within(path))),
        Ok(None) => Ok(base),
        Err(error) => Err(reading(path)(error)),
    }
}

fn digest(texts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        hash.update(text);
        // A separator that cannot occur in UTF-8.
        hash.update([0xff]);
    }
    hex(&hash.finalize())
}

fn shorten(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text.to_string(),
    }
}

#[cfg(test)]
mod tests;

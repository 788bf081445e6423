//! Texts to tokens, as the tokenizers of transformers give them to SigLIP: cut, and padded to one
//! length.

use super::spiece::{SPACE, Sentencepiece};
use crate::error::{Context, Error, ErrorKind, Result};
use crate::vlm::CheckpointFiles;
use crate::vlm::checkpoint::files::TokenizerFiles;
use serde::Deserialize;
use serde_json::Value;
use tokenizers::{PaddingDirection, Tokenizer, TruncationParams};

/// The tokenizer of a retriever.
pub struct TextTokens {
    kind: Kind,
    tidying: Tidying,
    length: usize,
    pad: u32,
    pad_left: bool,
}

enum Kind {
    /// `tokenizer.json`, which adds the special tokens itself.
    Whole(Box<Tokenizer>),
    Pieces {
        model: Box<Sentencepiece>,
        end: u32,
    },
}

/// What a class of transformers does to a text before its model sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tidying {
    None,
    Lowercase,
    /// Without punctuation, single spaces; in lower case or not.
    Canonical {
        lowercase: bool,
    },
}

#[derive(Deserialize, Default)]
struct Config {
    tokenizer_class: Option<String>,
    do_lower_case: Option<bool>,
    model_max_length: Option<f64>,
    padding_side: Option<String>,
    pad_token: Option<Value>,
    eos_token: Option<Value>,
}

impl TextTokens {
    /// Loads the tokenizer of a checkpoint whose text tower reads `length` tokens.
    ///
    /// # Errors
    /// Files that cannot be read, and special tokens that are missing.
    pub fn load(files: &CheckpointFiles, length: usize, vocab_size: usize) -> Result<Self> {
        let config: Config = match &files.tokenizer_config {
            Some(file) => file.json()?,
            None => Config::default(),
        };
        // Of a class that says nothing, the number is beyond all bounds.
        let length = match config.model_max_length {
            Some(most) if most >= 1.0 && most < length as f64 => most as usize,
            _ => length,
        };
        let class = config.tokenizer_class.as_deref().unwrap_or_default();
        let class = class.trim_end_matches("Fast");
        let tidying = match class {
            "SiglipTokenizer" => Tidying::Canonical {
                lowercase: config.do_lower_case.unwrap_or(true),
            },
            "Siglip2Tokenizer" => Tidying::Lowercase,
            _ => Tidying::None,
        };
        let special = |named: &Option<Value>, otherwise: &str| match named {
            Some(Value::String(token)) => token.clone(),
            Some(Value::Object(token)) => match token.get("content") {
                Some(Value::String(token)) => token.clone(),
                _ => otherwise.to_owned(),
            },
            _ => otherwise.to_owned(),
        };
        let (kind, padding, pad) = match &files.tokenizer {
            TokenizerFiles::Whole(file) => {
                let bytes = file.read()?;
                let unexpected = || format!("{} is not as expected", file.shown());
                let mut whole =
                    Tokenizer::from_bytes(&bytes).context(ErrorKind::Model, unexpected())?;
                let padding = whole.get_padding().cloned();
                // Text is data: a special token that is spelled out in it stays text.
                whole.set_encode_special_tokens(true);
                whole.with_padding(None);
                let most = TruncationParams {
                    max_length: length,
                    ..TruncationParams::default()
                };
                whole
                    .with_truncation(Some(most))
                    .context(ErrorKind::Model, unexpected())?;
                let pad = match &padding {
                    Some(padding) if config.pad_token.is_none() => padding.pad_token.clone(),
                    _ => special(&config.pad_token, "<pad>"),
                };
                let id = whole.token_to_id(&pad);
                (Kind::Whole(Box::new(whole)), padding, id.ok_or(pad))
            }
            TokenizerFiles::Sentencepiece(file) => {
                let model = Sentencepiece::read(&file.read()?)
                    .map_err(|error| error.context(file.shown()))?;
                let end = special(&config.eos_token, "</s>");
                let id = |token: &str| model.pieces.token_to_id(token);
                let end = id(&end).ok_or_else(|| no_token(&end))?;
                let pad = special(&config.pad_token, "</s>");
                let id = id(&pad);
                let model = Box::new(model);
                (Kind::Pieces { model, end }, None, id.ok_or(pad))
            }
            TokenizerFiles::Parts { vocab, .. } => {
                return Err(Error::new(
                    ErrorKind::Model,
                    format!("beside {} there is no tokenizer.json", vocab.shown()),
                )
                .with_hint(
                    "save the tokenizer with transformers: AutoTokenizer, save_pretrained",
                ));
            }
        };
        let pad_left = match (config.padding_side.as_deref(), padding) {
            (Some(side), _) => side == "left",
            (None, Some(padding)) => matches!(padding.direction, PaddingDirection::Left),
            (None, None) => matches!(class, "Siglip2Tokenizer" | "GemmaTokenizer"),
        };
        let tokens = Self {
            kind,
            tidying,
            length,
            pad: pad.map_err(|pad| no_token(&pad))?,
            pad_left,
        };
        let largest = tokens.vocabulary();
        if largest > vocab_size {
            return Err(Error::new(
                ErrorKind::Model,
                format!("the tokenizer has {largest} tokens, config.json {vocab_size}"),
            )
            .with_hint("the files are of different checkpoints; fetch them again"));
        }
        Ok(tokens)
    }

    fn vocabulary(&self) -> usize {
        match &self.kind {
            Kind::Whole(whole) => whole.get_vocab_size(true),
            Kind::Pieces { model, .. } => model.pieces.get_vocab_size(true),
        }
    }

    /// How many tokens a text always has.
    pub fn length(&self) -> usize {
        self.length
    }

    /// The tokens of a text, [`Self::length`] of them.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let doing = "cannot tokenize";
        let mut ids = match &self.kind {
            Kind::Whole(whole) => {
                let encoding = whole.encode_fast(self.tidying.apply(text), true);
                encoding
                    .context(ErrorKind::Model, doing)?
                    .get_ids()
                    .to_vec()
            }
            Kind::Pieces { model, end } => {
                // Every text begins with the space that its first word has.
                let text = format!("{SPACE}{}", text.replace(SPACE, " "));
                let text = model.prepare(&self.tidying.apply(&text));
                let encoding = model.pieces.encode_fast(text.as_str(), false);
                let encoding = encoding.context(ErrorKind::Model, doing)?;
                let mut ids = encoding.get_ids().to_vec();
                ids.truncate(self.length - 1);
                ids.push(*end);
                ids
            }
        };
        let missing = self.length.saturating_sub(ids.len());
        let at = if self.pad_left { 0 } else { ids.len() };
        ids.splice(at..at, std::iter::repeat_n(self.pad, missing));
        Ok(ids)
    }
}

impl Tidying {
    fn apply(self, text: &str) -> String {
        match self {
            Self::None => text.to_owned(),
            Self::Lowercase => text.to_lowercase(),
            Self::Canonical { lowercase } => {
                let text = match lowercase {
                    true => text.to_lowercase(),
                    false => text.to_owned(),
                };
                let kept = text.replace(|c: char| c.is_ascii_punctuation(), "");
                let words = kept.split(is_space).filter(|word| !word.is_empty());
                words.collect::<Vec<_>>().join(" ")
            }
        }
    }
}

/// Python's white space, which has four control characters more.
fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

fn no_token(token: &str) -> Error {
    Error::new(
        ErrorKind::Model,
        format!("the tokenizer has no special token {token}"),
    )
}

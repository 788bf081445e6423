//! Tokenization of texts, as by the tokenizers of transformers.

mod config;
mod spiece;
mod wordpiece;

pub use config::TokenizerConfig;

use crate::error::{Context, Error, ErrorKind, Result};
use crate::vlm::CheckpointFiles;
use crate::vlm::checkpoint::files::TokenizerFiles;
use crate::vlm::checkpoint::tokenizer::{SpecialTokens, encode};
use serde_json::Value;
use spiece::{SPACE, Sentencepiece};
use tokenizers::{PaddingDirection, PaddingParams, Tokenizer, TruncationParams};

/// The tokenizer of a retriever.
pub struct TextTokens {
    kind: TokenizerKind,
    normalization: Normalization,
    /// Maximum number of tokens of a text.
    length: usize,
    /// Padding of every text to that length, if the tower needs it.
    fill: Option<Fill>,
}

enum TokenizerKind {
    /// A tokenizer that adds special tokens and truncates by itself.
    Whole(Box<Tokenizer>),
    Pieces {
        model: Box<Sentencepiece>,
        end: u32,
    },
}

#[derive(Clone, Copy)]
struct Fill {
    token: u32,
    is_left: bool,
}

/// An architecture's requirements for its tokenizer.
pub struct TokenSpec {
    /// Maximum number of tokens of the tower.
    pub length: usize,
    pub vocab_size: usize,
    pub normalization: Normalization,
    pub padding: TextPadding,
    pub config: TokenizerConfig,
}

/// Whether texts are padded.
pub enum TextPadding {
    /// To a fixed length; the tower attends to the padding.
    Fixed {
        /// Default side, if the files do not specify one.
        is_left: bool,
    },
    None,
}

/// How a tokenizer class of transformers normalizes text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Normalization {
    None,
    Lowercase,
    /// Removes punctuation and repeated spaces, and optionally lowercases.
    Canonical {
        lowercase: bool,
    },
}

impl TextTokens {
    /// Loads the tokenizer of a checkpoint.
    ///
    /// # Errors
    /// If a file cannot be read or a special token is missing.
    pub fn load(files: &CheckpointFiles, spec: &TokenSpec) -> Result<Self> {
        let config = &spec.config;
        // A tokenizer without a limit has a huge number here.
        let length = match config.model_max_length {
            Some(most) if most >= 1.0 && most < spec.length as f64 => most as usize,
            _ => spec.length,
        };
        let special = |named: &Option<Value>, default: &str| match named {
            Some(Value::String(token)) => token.clone(),
            Some(Value::Object(token)) => match token.get("content") {
                Some(Value::String(token)) => token.clone(),
                _ => default.to_owned(),
            },
            _ => default.to_owned(),
        };
        let whole = |tokenizer: Tokenizer, shown: String| -> Result<_> {
            let mut whole = tokenizer;
            let padding = whole.get_padding().cloned();
            // Text is data: a special token spelled out in it stays text.
            whole.set_encode_special_tokens(true);
            whole.with_padding(None);
            let most = TruncationParams {
                max_length: length,
                ..TruncationParams::default()
            };
            whole
                .with_truncation(Some(most))
                .context(ErrorKind::Model, format!("{shown} is not as expected"))?;
            Ok((TokenizerKind::Whole(Box::new(whole)), padding))
        };
        let (kind, padding) = match &files.tokenizer {
            TokenizerFiles::Whole(file) => whole(file.tokenizer()?, file.shown())?,
            TokenizerFiles::WordPieces(file) => {
                let tokenizer = wordpiece::read(&file.read()?, config)
                    .map_err(|error| error.context(file.shown()))?;
                whole(tokenizer, file.shown())?
            }
            TokenizerFiles::Sentencepiece(file) => {
                let model = Sentencepiece::read(&file.read()?)
                    .map_err(|error| error.context(file.shown()))?;
                let end = special(&config.eos_token, "</s>");
                let end = model
                    .pieces
                    .token_to_id(&end)
                    .ok_or_else(|| no_token(&end))?;
                let model = Box::new(model);
                (TokenizerKind::Pieces { model, end }, None)
            }
            TokenizerFiles::Parts { vocab, .. } => {
                return Err(Error::new(
                    ErrorKind::Model,
                    format!("{} has no tokenizer.json beside it", vocab.shown()),
                )
                .with_hint("save the tokenizer with transformers: AutoTokenizer.save_pretrained"));
            }
        };
        let mut tokens = Self {
            kind,
            normalization: spec.normalization,
            length,
            fill: None,
        };
        if let TextPadding::Fixed { is_left } = spec.padding {
            let pad = match (&padding, &tokens.kind) {
                (Some(padding), _) if config.pad_token.is_none() => padding.pad_token.clone(),
                (_, TokenizerKind::Whole(_)) => special(&config.pad_token, "<pad>"),
                (_, TokenizerKind::Pieces { .. }) => special(&config.pad_token, "</s>"),
            };
            let token = tokens.tokenizer().token_to_id(&pad);
            tokens.fill = Some(Fill {
                token: token.ok_or_else(|| no_token(&pad))?,
                is_left: is_left_filled(config, padding.as_ref(), is_left),
            });
        }
        let (largest, vocab_size) = (tokens.tokenizer().get_vocab_size(true), spec.vocab_size);
        if largest > vocab_size {
            return Err(Error::new(
                ErrorKind::Model,
                format!("the tokenizer has {largest} tokens, config.json {vocab_size}"),
            )
            .with_hint("the files belong to different checkpoints; download them again"));
        }
        Ok(tokens)
    }

    fn tokenizer(&self) -> &Tokenizer {
        match &self.kind {
            TokenizerKind::Whole(whole) => whole,
            TokenizerKind::Pieces { model, .. } => &model.pieces,
        }
    }

    /// Tokenizes a text to at least one token.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let mut ids = match &self.kind {
            TokenizerKind::Whole(whole) => {
                encode(whole, &self.normalization.apply(text), SpecialTokens::Added)?
            }
            TokenizerKind::Pieces { model, end } => {
                // The first word starts with a space, as every word does.
                let text = format!("{SPACE}{}", text.replace(SPACE, " "));
                let text = model.prepare(&self.normalization.apply(&text))?;
                let mut ids = encode(&model.pieces, &text, SpecialTokens::None)?;
                ids.truncate(self.length - 1);
                ids.push(*end);
                ids
            }
        };
        if let Some(Fill { token, is_left }) = self.fill {
            let missing = self.length.saturating_sub(ids.len());
            let at = if is_left { 0 } else { ids.len() };
            ids.splice(at..at, std::iter::repeat_n(token, missing));
        }
        match ids.is_empty() {
            false => Ok(ids),
            true => Err(Error::new(
                ErrorKind::Model,
                "the tokenizer adds no special tokens, so an empty text has no tokens",
            )),
        }
    }
}

fn is_left_filled(
    config: &TokenizerConfig,
    padding: Option<&PaddingParams>,
    default: bool,
) -> bool {
    match (config.padding_side.as_deref(), padding) {
        (Some(side), _) => side == "left",
        (None, Some(padding)) => matches!(padding.direction, PaddingDirection::Left),
        (None, None) => default,
    }
}

impl Normalization {
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

/// Python's definition of whitespace, which includes four more control characters.
fn is_space(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{1c}'..='\u{1f}')
}

fn no_token(token: &str) -> Error {
    Error::new(
        ErrorKind::Model,
        format!("the tokenizer has no special token {token}"),
    )
}

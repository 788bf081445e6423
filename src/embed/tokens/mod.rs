//! Texts to tokens, as the tokenizers of transformers give them to text towers.

mod config;
mod spiece;
mod wordpiece;

pub use config::TokenizerConfig;

use crate::error::{Context, Error, ErrorKind, Result};
use crate::vlm::CheckpointFiles;
use crate::vlm::checkpoint::files::TokenizerFiles;
use serde_json::Value;
use spiece::{SPACE, Sentencepiece};
use tokenizers::{PaddingDirection, PaddingParams, Tokenizer, TruncationParams};

/// The tokenizer of a retriever.
pub struct TextTokens {
    kind: Kind,
    tidying: Tidying,
    /// The most tokens of a text.
    length: usize,
    /// What every text is filled up with to that length, where it is.
    fill: Option<Fill>,
}

enum Kind {
    /// One that adds the special tokens itself, and cuts.
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

/// How an architecture reads texts.
pub struct TokenSpec {
    /// The most tokens that its tower reads.
    pub length: usize,
    pub vocab_size: usize,
    pub tidying: Tidying,
    pub padding: Padding,
    pub config: TokenizerConfig,
}

/// Whether the tower sees padding.
pub enum Padding {
    /// All texts have one length.
    Seen {
        /// Whether it comes first, where the files do not say.
        is_left: bool,
    },
    /// A text is read as long as it is.
    Unseen,
}

/// What a class of transformers does to a text before its model sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tidying {
    None,
    Lowercase,
    /// Without punctuation, single spaces; in lower case or not.
    Canonical {
        lowercase: bool,
    },
}

impl TextTokens {
    /// Loads the tokenizer of a checkpoint.
    ///
    /// # Errors
    /// Files that cannot be read, and special tokens that are missing.
    pub fn load(files: &CheckpointFiles, spec: &TokenSpec) -> Result<Self> {
        let config = &spec.config;
        // Of a class that says nothing, the number is beyond all bounds.
        let length = match config.model_max_length {
            Some(most) if most >= 1.0 && most < spec.length as f64 => most as usize,
            _ => spec.length,
        };
        let special = |named: &Option<Value>, otherwise: &str| match named {
            Some(Value::String(token)) => token.clone(),
            Some(Value::Object(token)) => match token.get("content") {
                Some(Value::String(token)) => token.clone(),
                _ => otherwise.to_owned(),
            },
            _ => otherwise.to_owned(),
        };
        let whole = |tokenizer: Tokenizer, shown: String| -> Result<_> {
            let mut whole = tokenizer;
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
                .context(ErrorKind::Model, format!("{shown} is not as expected"))?;
            Ok((Kind::Whole(Box::new(whole)), padding))
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
                (Kind::Pieces { model, end }, None)
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
        let mut tokens = Self {
            kind,
            tidying: spec.tidying,
            length,
            fill: None,
        };
        if let Padding::Seen { is_left } = spec.padding {
            let pad = match (&padding, &tokens.kind) {
                (Some(padding), _) if config.pad_token.is_none() => padding.pad_token.clone(),
                (_, Kind::Whole(_)) => special(&config.pad_token, "<pad>"),
                (_, Kind::Pieces { .. }) => special(&config.pad_token, "</s>"),
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
            .with_hint("the files are of different checkpoints; fetch them again"));
        }
        Ok(tokens)
    }

    fn tokenizer(&self) -> &Tokenizer {
        match &self.kind {
            Kind::Whole(whole) => whole,
            Kind::Pieces { model, .. } => &model.pieces,
        }
    }

    /// The tokens of a text, at least one.
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
        if let Some(Fill { token, is_left }) = self.fill {
            let missing = self.length.saturating_sub(ids.len());
            let at = if is_left { 0 } else { ids.len() };
            ids.splice(at..at, std::iter::repeat_n(token, missing));
        }
        match ids.is_empty() {
            false => Ok(ids),
            true => Err(Error::new(
                ErrorKind::Model,
                "the tokenizer adds no special token, so that an empty text has none",
            )),
        }
    }
}

fn is_left_filled(
    config: &TokenizerConfig,
    padding: Option<&PaddingParams>,
    otherwise: bool,
) -> bool {
    match (config.padding_side.as_deref(), padding) {
        (Some(side), _) => side == "left",
        (None, Some(padding)) => matches!(padding.direction, PaddingDirection::Left),
        (None, None) => otherwise,
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

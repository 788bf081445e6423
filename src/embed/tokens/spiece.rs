//! `spiece.model`: a SentencePiece unigram model.

use crate::error::{Context, Error, ErrorKind, Result};
use crate::vlm::checkpoint::tokenizer::or_damaged;
use std::borrow::Cow;
use tokenizers::Tokenizer;
use tokenizers::models::unigram::Unigram;
use tokenizers::normalizers::precompiled::Precompiled;

/// Replaces a space inside pieces.
pub const SPACE: char = '\u{2581}';

/// A unigram tokenizer with its text normalization.
pub struct Sentencepiece {
    pub pieces: Tokenizer,
    charsmap: Option<Precompiled>,
    /// Removes extra whitespace.
    one_space: bool,
}

impl Sentencepiece {
    /// Parses the file's bytes.
    ///
    /// # Errors
    /// If the bytes are not a SentencePiece model, or the model is not a unigram model.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let mut vocabulary = Vec::new();
        let mut unknown = 0;
        let mut kind = UNIGRAM;
        let mut charsmap = None;
        let mut one_space = true;
        for (field, value) in Fields(bytes) {
            match (field, value?) {
                (1, Value::Bytes(piece)) => vocabulary.push(read_piece(piece)?),
                (2, Value::Bytes(trainer)) => {
                    for (field, value) in Fields(trainer) {
                        match (field, value?) {
                            (3, Value::Number(found)) => kind = found,
                            (40, Value::Number(id)) => unknown = id as usize,
                            _ => {}
                        }
                    }
                }
                (3, Value::Bytes(normalizer)) => {
                    for (field, value) in Fields(normalizer) {
                        match (field, value?) {
                            (2, Value::Bytes(map)) if !map.is_empty() => {
                                let map = Precompiled::from(map);
                                charsmap = Some(map.context(ErrorKind::Model, "invalid charsmap")?);
                            }
                            (4, Value::Number(remove)) => one_space = remove != 0,
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        if kind != UNIGRAM || unknown >= vocabulary.len() {
            return Err(Error::new(
                ErrorKind::Model,
                "it is not a unigram model, the only supported kind of SentencePiece",
            )
            .with_hint("save the tokenizer with transformers, which writes tokenizer.json"));
        }
        let model = Unigram::from(vocabulary, Some(unknown), false)
            .context(ErrorKind::Model, "invalid pieces")?;
        Ok(Self {
            pieces: Tokenizer::new(model),
            charsmap,
            one_space,
        })
    }

    /// Normalizes text for the unigram model. A leading [`SPACE`] is kept.
    ///
    /// # Errors
    /// If the charsmap is damaged.
    pub fn prepare(&self, text: &str) -> Result<String> {
        let mapped = match &self.charsmap {
            Some(map) => Cow::Owned(or_damaged(|| map.normalize_string(text))?),
            None => Cow::Borrowed(text),
        };
        let mut prepared = String::with_capacity(mapped.len() * 2);
        let mut pending = 0;
        for c in mapped.chars() {
            match c {
                ' ' if self.one_space => pending = 1,
                ' ' => pending += 1,
                _ => {
                    prepared.extend(std::iter::repeat_n(SPACE, pending));
                    pending = 0;
                    prepared.push(c);
                }
            }
        }
        if !self.one_space {
            prepared.extend(std::iter::repeat_n(SPACE, pending));
        }
        Ok(prepared)
    }
}

/// `model_type` of the trainer.
const UNIGRAM: u64 = 1;

/// Parses a piece and its log-probability.
fn read_piece(bytes: &[u8]) -> Result<(String, f64)> {
    let mut piece = String::new();
    let mut score = 0.0;
    for (field, value) in Fields(bytes) {
        match (field, value?) {
            (1, Value::Bytes(text)) => {
                piece =
                    String::from_utf8(text.to_vec()).context(ErrorKind::Model, "invalid piece")?;
            }
            (2, Value::Four(bytes)) => score = f64::from(f32::from_le_bytes(bytes)),
            _ => {}
        }
    }
    Ok((piece, score))
}

/// Iterates over the fields of a protobuf message, as numbers and values.
struct Fields<'a>(&'a [u8]);

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
    Four([u8; 4]),
    /// Not used here.
    Eight,
}

impl<'a> Fields<'a> {
    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn field(&mut self) -> Option<(u64, Value<'a>)> {
        let tag = self.number()?;
        let value = match tag & 7 {
            0 => Value::Number(self.number()?),
            1 => {
                self.take(8)?;
                Value::Eight
            }
            2 => {
                let count = usize::try_from(self.number()?).ok()?;
                Value::Bytes(self.take(count)?)
            }
            5 => Value::Four(self.take(4)?.try_into().ok()?),
            _ => return None,
        };
        Some((tag >> 3, value))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = (u64, Result<Value<'a>>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        Some(match self.field() {
            Some((field, value)) => (field, Ok(value)),
            None => {
                self.0 = &[];
                let error = Error::new(ErrorKind::Model, "it is not a SentencePiece model");
                (0, Err(error))
            }
        })
    }
}

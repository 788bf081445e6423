//! A constraint that generates a given answer under the real grammar.

use crate::error::{Error, ErrorKind, Result};
use crate::vlm::{Constraint, Mask, Tokenizer, tokens_of};

/// Wraps the grammar and makes every choice so that the given text comes out.
pub struct KnownAnswer {
    grammar: Box<dyn Constraint>,
    tokenizer: Tokenizer,
    text: String,
    /// How many bytes of the text have been generated.
    at: usize,
    /// The tokens of the text, each with the byte offset where it begins.
    tokens: Vec<(usize, u32)>,
    allowed: Vec<u32>,
}

impl KnownAnswer {
    pub fn new(grammar: Box<dyn Constraint>, tokenizer: Tokenizer, text: &str) -> Result<Self> {
        let mut at = 0;
        let tokens = tokenizer.encode(text)?.into_iter().map(|token| {
            let begin = at;
            at += tokenizer.bytes(token).len();
            (begin, token)
        });
        Ok(Self {
            tokens: tokens.collect(),
            grammar,
            text: text.to_owned(),
            at: 0,
            allowed: Vec::new(),
            tokenizer,
        })
    }

    fn rest(&self) -> &[u8] {
        &self.text.as_bytes()[self.at..]
    }

    fn is_allowed(&self, token: u32) -> bool {
        let word = self.allowed.get(token as usize / 32).copied();
        word.unwrap_or(0) >> (token % 32) & 1 == 1
    }

    /// The tokenizer's token at this offset. Forced tokens may have ended inside one; then it is
    /// the first token of the rest.
    fn tokenizer_choice(&self) -> Result<Option<u32>> {
        let begins = self
            .tokens
            .binary_search_by_key(&self.at, |(begin, _)| *begin);
        let token = match begins {
            Ok(index) => Some(self.tokens[index].1),
            Err(_) => match self.text.get(self.at..) {
                Some(rest) => self.tokenizer.encode(rest)?.first().copied(),
                None => None,
            },
        };
        Ok(token.filter(|token| self.is_allowed(*token)))
    }

    /// The longest allowed token that the rest of the text begins with.
    fn longest(&self) -> Option<u32> {
        let rest = self.rest();
        let bytes = |token: &u32| self.tokenizer.bytes(*token);
        tokens_of(&self.allowed)
            .filter(|token| match rest {
                // Only an end token can follow.
                [] => bytes(token).is_empty(),
                rest => !bytes(token).is_empty() && rest.starts_with(bytes(token)),
            })
            .max_by_key(|token| bytes(token).len())
    }
}

impl Constraint for KnownAnswer {
    fn forced(&mut self) -> Result<Vec<u32>> {
        self.grammar.forced()
    }

    fn allowed(&mut self) -> Result<&Mask> {
        let mask = self.grammar.allowed()?;
        self.allowed.clear();
        self.allowed.extend_from_slice(mask);
        Ok(&self.allowed)
    }

    fn advance(&mut self, token: u32) -> Result<()> {
        let bytes = self.tokenizer.bytes(token);
        if !self.rest().starts_with(bytes) {
            return Err(not_allowed(&self.text, self.at));
        }
        self.at += bytes.len();
        self.grammar.advance(token)
    }

    fn finished(&self) -> bool {
        self.grammar.finished()
    }

    fn known(&mut self) -> Result<Option<u32>> {
        match self.tokenizer_choice()?.or_else(|| self.longest()) {
            Some(token) => Ok(Some(token)),
            None => Err(not_allowed(&self.text, self.at)),
        }
    }
}

fn not_allowed(text: &str, at: usize) -> Error {
    let rest = String::from_utf8_lossy(&text.as_bytes()[at..]);
    let rest: String = rest.chars().take(20).collect();
    Error::new(
        ErrorKind::Internal,
        format!("the grammar does not allow the answer to continue with {rest:?}"),
    )
}

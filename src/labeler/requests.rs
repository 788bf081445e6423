//! Builds requests for the generator: tokenizes chats, converts pictures to patches, and compiles the
//! answer's schema to a grammar.

use super::LabelRequest;
use super::constraint::{Grammar, GrammarCompiler};
use crate::error::{Error, ErrorKind, Result};
use crate::vlm::{Constraint, GenerateRequest, Model, Tokenizer};
use std::collections::VecDeque;
use std::sync::Arc;

/// Converts label requests to generator requests.
pub struct RequestBuilder {
    tokenizer: Tokenizer,
    compiler: GrammarCompiler,
    /// Prefix that the last prompt shares with nearly all others.
    prefix: Arc<[u32]>,
}

impl RequestBuilder {
    pub fn new(tokenizer: Tokenizer) -> Result<Self> {
        Ok(Self {
            compiler: GrammarCompiler::new(&tokenizer.grammar_env()?)?,
            tokenizer,
            prefix: Arc::from([]),
        })
    }

    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    pub fn request(&mut self, model: &Model, request: &LabelRequest) -> Result<GenerateRequest> {
        let images = request
            .picture
            .iter()
            .map(|picture| model.preprocess(picture))
            .collect::<Result<Vec<_>>>()?;
        let mut chat = model.chat_tokens(&self.tokenizer, &request.chat, &images)?;
        let tokens = chat.ids.split_off(chat.shared_prefix_len);
        if *self.prefix != *chat.ids {
            self.prefix = Arc::from(chat.ids);
        }
        let grammar = self.compiler.compile(&request.schema)?;
        Ok(GenerateRequest {
            ticket: request.ticket,
            prefix: Arc::clone(&self.prefix),
            tokens,
            images,
            max_new_tokens: request.max_new_tokens,
            sampling: request.sampling,
            ignore_eos: false,
            keep_prompt: request.keep_prompt,
            urgent: request.urgent,
            constraint: Some(Box::new(AnswerConstraint {
                grammar,
                forced: VecDeque::new(),
                mask: Vec::new(),
            })),
        })
    }
}

/// Grammar of one answer, as a constraint for the generator.
struct AnswerConstraint {
    grammar: Grammar,
    /// Forced tokens consumed by the grammar but not yet by the generator.
    forced: VecDeque<u32>,
    mask: Vec<u32>,
}

impl Constraint for AnswerConstraint {
    fn forced(&mut self) -> Result<Vec<u32>> {
        if self.forced.is_empty() {
            self.forced.extend(self.grammar.forced());
        }
        Ok(self.forced.iter().copied().collect())
    }

    fn allowed(&mut self) -> Result<&[u32]> {
        let mask = self.grammar.mask()?;
        self.mask.clear();
        self.mask.extend_from_slice(mask.as_slice());
        Ok(&self.mask)
    }

    fn advance(&mut self, token: u32) -> Result<()> {
        match self.forced.pop_front() {
            Some(forced) if forced == token => Ok(()),
            Some(_) => Err(Error::new(
                ErrorKind::Internal,
                "the answer deviates from the grammar's forced tokens",
            )),
            None => self.grammar.advance(token),
        }
    }

    fn finished(&self) -> bool {
        self.forced.is_empty() && self.grammar.is_finished()
    }
}

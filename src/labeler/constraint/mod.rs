//! Constrains generation to a JSON Schema: computes the allowed and the forced next tokens. Works
//! with any tokenizer given as a `TokEnv`.

use crate::error::{Context, ErrorKind, Result};
use llguidance::api::{GrammarInit, TopLevelGrammar};
use llguidance::toktrie::{ApproximateTokEnv, InferenceCapabilities, SimpleVob, TokEnv};
use llguidance::{JsonCompileOptions, Matcher, ParserFactory};
use serde_json::Value;
use std::sync::Arc;

/// Compiles schemas for one tokenizer. Creating it takes a while; compiling takes about a millisecond.
pub struct GrammarCompiler {
    factory: ParserFactory,
    /// Whether whitespace is allowed between the parts of an answer.
    whitespace: bool,
    /// The last compiled schema. Without metadata it is the same for every item.
    last: Option<(Arc<Value>, Matcher)>,
}

impl GrammarCompiler {
    /// Creates a compiler for generating compact JSON.
    pub fn new(tokens: &TokEnv) -> Result<Self> {
        Self::with_whitespace(tokens, false)
    }

    /// Creates a compiler for checking answers of other engines: tokens are bytes, and whitespace is
    /// allowed wherever JSON allows it.
    pub fn for_checking() -> Result<Self> {
        Self::with_whitespace(&ApproximateTokEnv::single_byte_env(), true)
    }

    fn with_whitespace(tokens: &TokEnv, whitespace: bool) -> Result<Self> {
        let capabilities = InferenceCapabilities {
            ff_tokens: tokens.tokenize_is_canonical(),
            ..InferenceCapabilities::default()
        };
        // No slices: measured on the real vocabulary, they save nothing for Hangul text.
        let mut factory = ParserFactory::new(tokens, capabilities, &[])
            .context(ErrorKind::Model, "preparing the tokenizer for grammars")?;
        factory.quiet();
        Ok(Self {
            factory,
            whitespace,
            last: None,
        })
    }

    pub fn compile(&mut self, schema: &Arc<Value>) -> Result<Grammar> {
        if let Some((last, fresh)) = &self.last
            && (Arc::ptr_eq(last, schema) || last == schema)
        {
            return Ok(Grammar {
                matcher: fresh.deep_clone(),
            });
        }
        let mut schema_with_options = schema.as_ref().clone();
        JsonCompileOptions {
            whitespace_flexible: self.whitespace,
            json_allowed_escapes: Some("\"\\".into()),
            ..JsonCompileOptions::default()
        }
        .apply_to(&mut schema_with_options);
        let grammar = TopLevelGrammar::from_json_schema(schema_with_options);
        let init = GrammarInit::Serialized(grammar);
        let parser = self
            .factory
            .create_parser_from_init_default(init)
            .context(ErrorKind::Model, "compiling the grammar of the answer")?;
        let matcher = Matcher::new(Ok(parser));
        self.last = Some((schema.clone(), matcher.deep_clone()));
        Ok(Grammar { matcher })
    }
}

/// Grammar state of one answer.
pub struct Grammar {
    matcher: Matcher,
}

impl Grammar {
    /// Computes the allowed next tokens: only the end token once the answer is complete.
    pub fn mask(&mut self) -> Result<SimpleVob> {
        self.matcher
            .compute_mask_or_eos()
            .context(ErrorKind::Model, "computing the grammar's next tokens")
    }

    /// Consumes a token that the mask allows.
    pub fn advance(&mut self, token: u32) -> Result<()> {
        self.matcher
            .consume_token(token)
            .context(ErrorKind::Model, "a token outside the grammar")
    }

    /// Consumes and returns the forced next tokens. Always empty if the tokenizer's tokenization is
    /// not declared canonical.
    pub fn forced(&mut self) -> Vec<u32> {
        if self.is_finished() {
            return Vec::new();
        }
        self.matcher.consume_ff_tokens()
    }

    /// Whether the answer is complete and nothing may follow.
    pub fn is_finished(&self) -> bool {
        self.matcher.is_stopped()
    }
}

#[cfg(test)]
mod tests;

//! Holds an answer to a JSON Schema while it is generated: which tokens may come next, and which
//! must. Works over any tokenizer that is told as a `TokEnv`.

use crate::error::{Context, ErrorKind, Result};
use llguidance::api::{GrammarInit, TopLevelGrammar};
use llguidance::toktrie::{InferenceCapabilities, SimpleVob, TokEnv};
use llguidance::{JsonCompileOptions, Matcher, ParserFactory};
use serde_json::Value;
use std::sync::Arc;

/// Holds what all grammars over one tokenizer share. Making one takes a moment, a grammar about a
/// millisecond.
pub struct GrammarCompiler {
    factory: ParserFactory,
    /// The schema compiled last: without metadata every item has the same.
    last: Option<(Arc<Value>, Matcher)>,
}

impl GrammarCompiler {
    pub fn new(tokens: &TokEnv) -> Result<Self> {
        let capabilities = InferenceCapabilities {
            ff_tokens: tokens.tokenize_is_canonical(),
            ..InferenceCapabilities::default()
        };
        // Texts of an answer are Korean words; the masks of such stretches are computed once.
        let slices = [
            "[가-힣0-9]{1,8}".to_string(),
            "[가-힣0-9 ]{1,16}".to_string(),
        ];
        let mut factory = ParserFactory::new(tokens, capabilities, &slices)
            .context(ErrorKind::Model, "preparing the tokenizer for grammars")?;
        factory.quiet();
        Ok(Self {
            factory,
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
        let mut compact = schema.as_ref().clone();
        JsonCompileOptions {
            whitespace_flexible: false,
            json_allowed_escapes: Some("\"\\".into()),
            ..JsonCompileOptions::default()
        }
        .apply_to(&mut compact);
        let init = GrammarInit::Serialized(TopLevelGrammar::from_json_schema(compact));
        let parser = self
            .factory
            .create_parser_from_init_default(init)
            .context(ErrorKind::Model, "compiling the grammar of the answer")?;
        let matcher = Matcher::new(Ok(parser));
        self.last = Some((schema.clone(), matcher.deep_clone()));
        Ok(Grammar { matcher })
    }
}

/// One answer on its way through the grammar.
pub struct Grammar {
    matcher: Matcher,
}

impl Grammar {
    /// The tokens that may come next; only the end token once the answer is whole.
    pub fn mask(&mut self) -> Result<SimpleVob> {
        self.matcher
            .compute_mask_or_eos()
            .context(ErrorKind::Model, "computing the grammar's next tokens")
    }

    /// Takes a token that the mask allows.
    pub fn advance(&mut self, token: u32) -> Result<()> {
        self.matcher
            .consume_token(token)
            .context(ErrorKind::Model, "a token outside the grammar")
    }

    /// Takes, and returns, the tokens that alone can come next. None where the tokenizer does not
    /// say that its splitting of a text is the canonical one.
    pub fn forced(&mut self) -> Vec<u32> {
        if self.is_finished() {
            return Vec::new();
        }
        self.matcher.consume_ff_tokens()
    }

    /// Whether the answer is whole and nothing can follow.
    pub fn is_finished(&self) -> bool {
        self.matcher.is_stopped()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::schema;
    use crate::record::Vocabulary;
    use crate::settings::Lang;
    use llguidance::toktrie::{ApproximateTokEnv, TokRxInfo, TokTrie, TokenizerEnv};
    use rand::{Rng, SeedableRng, rngs::StdRng};

    const END: u32 = 256;

    /// All bytes, an end token, and some longer tokens, among them ones that span fields.
    fn tokenizer() -> TokEnv {
        let mut words: Vec<Vec<u8>> = (0..=255u8).map(|byte| vec![byte]).collect();
        words.push(b"\xff<|end|>".to_vec());
        for text in [
            "{\"", "\":\"", "\",\"", "\":[\"", "\"],\"", "모자", "빨간", " 리본", "label", "_ko",
            "red",
        ] {
            words.push(text.as_bytes().to_vec());
        }
        let info = TokRxInfo {
            vocab_size: words.len() as u32,
            tok_eos: END,
            tok_bos: None,
            tok_pad: None,
            tok_unk: None,
            tok_end_of_turn: None,
        };
        Arc::new(Canonical(Arc::new(ApproximateTokEnv::new(TokTrie::from(
            &info, &words,
        )))))
    }

    /// The same with its greedy splitting declared canonical, so that tokens are forced.
    struct Canonical(TokEnv);

    impl TokenizerEnv for Canonical {
        fn tok_trie(&self) -> &TokTrie {
            self.0.tok_trie()
        }

        fn tokenize_bytes(&self, bytes: &[u8]) -> Vec<u32> {
            self.0.tokenize_bytes(bytes)
        }
    }

    fn bytes(env: &TokEnv, token: u32) -> Vec<u8> {
        env.tok_trie().token(token).to_vec()
    }

    /// An answer by a model that prefers nothing.
    fn random_answer(env: &TokEnv, grammar: &mut Grammar, random: &mut StdRng) -> String {
        let mut answer = Vec::new();
        while !grammar.is_finished() {
            for token in grammar.forced() {
                answer.extend(bytes(env, token));
            }
            let allowed = grammar.mask().unwrap().to_list();
            assert!(!allowed.is_empty());
            let token = allowed[random.random_range(0..allowed.len())];
            if token == END {
                break;
            }
            grammar.advance(token).unwrap();
            answer.extend(bytes(env, token));
            assert!(answer.len() < 20_000);
        }
        String::from_utf8(answer).unwrap()
    }

    #[test]
    fn any_answer_obeys_the_schema_in_compact_form() {
        let vocabulary = Vocabulary::builtin().unwrap();
        let env = tokenizer();
        let mut compiler = GrammarCompiler::new(&env).unwrap();
        let mut random = StdRng::seed_from_u64(7);
        let names = [
            None,
            Some("별빛 모자"),
            Some("A.I. \"(+1)\" \\ {모자}"),
            Some("😀 龍"),
        ];
        for name in names {
            for lang in [Lang::Ko, Lang::Both] {
                let schema = Arc::new(schema(&vocabulary, lang, name, true));
                let validator = jsonschema::validator_for(&schema).unwrap();
                for _ in 0..3 {
                    let mut grammar = compiler.compile(&schema).unwrap();
                    let text = random_answer(&env, &mut grammar, &mut random);
                    let value: Value = serde_json::from_str(&text).unwrap();
                    assert!(validator.is_valid(&value), "{text}");
                    assert_eq!(value.to_string(), text);
                    let label = value["label_ko"].as_str().unwrap();
                    assert!(label.contains(name.unwrap_or_default()), "{label}");
                }
            }
        }
    }

    #[test]
    fn keys_are_forced_and_a_finished_answer_only_ends() {
        let vocabulary = Vocabulary::builtin().unwrap();
        let env: TokEnv = ApproximateTokEnv::single_byte_env();
        let mut compiler = GrammarCompiler::new(&env).unwrap();
        let schema = Arc::new(schema(&vocabulary, Lang::Ko, None, true));
        let mut grammar = compiler.compile(&schema).unwrap();
        let opening: Vec<u8> = grammar
            .forced()
            .iter()
            .flat_map(|t| bytes(&env, *t))
            .collect();
        assert_eq!(String::from_utf8(opening).unwrap(), "{\"label_ko\":\"");
        assert!(!grammar.is_finished());
        assert!(grammar.advance(u32::from(b'\n')).is_err());
    }

    #[test]
    fn a_schema_that_is_none_is_an_error() {
        let mut compiler = GrammarCompiler::new(&tokenizer()).unwrap();
        let schema = Arc::new(serde_json::json!({"type": "nonsense"}));
        assert!(compiler.compile(&schema).is_err());
    }
}

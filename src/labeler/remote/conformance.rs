//! Checks a server's answer against the schema of its request.

use crate::error::Result;
use crate::labeler::TokenInfo;
use crate::labeler::constraint::GrammarCompiler;
use serde_json::Value;
use std::sync::Arc;

pub struct Conformance(GrammarCompiler);

/// Result of checking an answer against its schema.
#[derive(Debug, PartialEq, Eq)]
pub struct Reading {
    /// For each byte up to the first violation, whether the schema allowed no other one. Shorter
    /// than the answer if it violates the schema.
    forced: Vec<bool>,
    len: usize,
}

impl Conformance {
    pub fn new() -> Result<Self> {
        GrammarCompiler::for_checking().map(Self)
    }

    pub fn read(&mut self, schema: &Arc<Value>, text: &str) -> Result<Reading> {
        let mut grammar = self.0.compile(schema)?;
        let mut bytes = text.bytes().peekable();
        let mut forced = Vec::with_capacity(text.len());
        'answer: while bytes.peek().is_some() {
            for token in grammar.forced() {
                match bytes.next() {
                    Some(byte) if u32::from(byte) == token => forced.push(true),
                    _ => break 'answer,
                }
            }
            let Some(byte) = bytes.next() else { break };
            if grammar.advance(byte.into()).is_err() {
                break;
            }
            forced.push(false);
        }
        Ok(Reading {
            forced,
            len: text.len(),
        })
    }
}

impl Reading {
    /// Whether the answer follows the schema; a truncated one may.
    pub fn conforms(&self) -> bool {
        self.forced.len() == self.len
    }

    /// Marks tokens whose bytes were all forced and returns their number. The tokens must spell the
    /// answer.
    pub fn mark_forced(&self, tokens: &mut [TokenInfo]) -> usize {
        let (mut at, mut marked) = (0, 0);
        for token in tokens {
            let end = at + token.bytes.len();
            token.forced = self
                .forced
                .get(at..end)
                .is_some_and(|bytes| bytes.iter().all(|forced| *forced));
            marked += usize::from(token.forced);
            at = end;
        }
        marked
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn schema() -> Arc<Value> {
        Arc::new(json!({
            "type": "object",
            "properties": {
                "colors": {"type": "array", "maxItems": 2,
                           "items": {"type": "string", "enum": ["navy", "purple", "pink"]}},
                "label": {"type": "string", "pattern": "^[가-힣]{1,3} 모자$"},
            },
            "required": ["colors", "label"],
            "additionalProperties": false,
        }))
    }

    fn forced_parts(text: &str) -> (String, bool) {
        let reading = Conformance::new().unwrap().read(&schema(), text).unwrap();
        let shown = text.bytes().zip(&reading.forced);
        let shown = shown.map(|(byte, forced)| if *forced { byte } else { b'.' });
        let shown = String::from_utf8_lossy(&shown.collect::<Vec<_>>()).into_owned();
        (shown, reading.conforms())
    }

    #[test]
    fn bytes_without_an_alternative_are_forced() {
        let (shown, conforms) = forced_parts(r#"{"colors":["navy"],"label":"붉은 모자"}"#);
        assert!(conforms, "{shown}");
        assert!(shown.contains("avy\""), "{shown}");
        assert!(shown.contains("모자\""), "{shown}");
        assert!(!shown.contains("붉"), "{shown}");
        // Two colors start with this letter.
        assert!(forced_parts(r#"{"colors":["purple"#).0.ends_with("..rple"));
    }

    #[test]
    fn whitespace_is_allowed_between_the_parts() {
        let text = "{ \"colors\": [\"pink\", \"navy\"],\n  \"label\": \"붉은 모자\" }";
        let (shown, conforms) = forced_parts(text);
        assert!(conforms, "{shown}");
        assert!(shown.contains("avy\""), "{shown}");
    }

    #[test]
    fn an_answer_that_violates_the_schema_is_detected() {
        for text in [
            "```json\n{}",
            "a hat",
            r#"{"colors":["red"]"#,
            r#"{"colors":[],"label":"붉은 모자","more":1}"#,
        ] {
            assert!(!forced_parts(text).1, "{text}");
        }
        assert!(
            forced_parts(r#"{"colors":["na"#).1,
            "truncated, but valid so far"
        );
    }

    #[test]
    fn a_token_is_forced_if_all_of_its_bytes_are() {
        let text = r#"{"colors":["navy"]"#;
        let reading = Conformance::new().unwrap().read(&schema(), text).unwrap();
        let token = |bytes: &str| TokenInfo {
            bytes: bytes.into(),
            logprob: Some(-1.0),
            forced: false,
        };
        let mut tokens = [
            token(r#"{"colors":[""#),
            token("na"),
            token("vy"),
            token("\"]"),
        ];
        assert_eq!(reading.mark_forced(&mut tokens), 1);
        assert_eq!(
            tokens.map(|token| token.forced),
            [false, false, true, false]
        );
    }
}

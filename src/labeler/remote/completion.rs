//! Parses answers of the OpenAI chat API leniently, since servers differ: missing or invalid fields
//! are ignored.

use super::align::align;
use crate::labeler::{Answer, TokenInfo};
use crate::record::{ServerError, Timings, TokenCounts};
use crate::text::{clean_text, shortened, without_non_finite};
use serde_json::Value;
use std::time::Duration;

/// Maximum number of opening braces tried to find the JSON object at the end of a text.
const MAX_OBJECTS: usize = 64;
/// Longest shown title of a web page in characters.
const MAX_TITLE_CHARS: usize = 100;
/// Tags around a model's reasoning. The opening one may be part of the chat template.
const THINKING: (&str, &str) = ("<think>", "</think>");

/// Parses a completion.
pub fn read_answer(body: &[u8], elapsed: Duration) -> Result<Answer, ServerError> {
    let completion = object(body)?;
    let choice = choice(&completion)?;
    let cut = choice["finish_reason"] == "length";
    let (whole, start) = answer_text(&choice["message"], cut);
    let tokens = align(tokens(&choice["logprobs"]["content"]), whole.as_bytes());
    let usage = &completion["usage"];
    Ok(Answer {
        truncated: cut,
        counts: TokenCounts {
            prompt: count(&usage["prompt_tokens"]),
            shared: count(&usage["prompt_tokens_details"]["cached_tokens"]),
            generated: count(&usage["completion_tokens"]),
            forced: 0,
        },
        timings: Timings {
            decode_ms: elapsed.as_secs_f64() * 1000.0,
            ..Timings::default()
        },
        text: whole[start..].to_owned(),
        tokens: tokens_from(tokens, start),
    })
}

/// Parses the JSON of a response, allowing non-finite numbers.
pub fn object(body: &[u8]) -> Result<Value, ServerError> {
    if body.starts_with(&[0x1f, 0x8b]) {
        return Err(ServerError::Compressed);
    }
    if body.starts_with(b"data:") {
        return Err(ServerError::Streamed);
    }
    let text = str::from_utf8(body).map_err(|_| ServerError::NotUtf8)?;
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with('<') {
        let title = title(text);
        return Err(ServerError::WebPage { title });
    }
    serde_json::from_str(text).or_else(|error| {
        without_non_finite(text)
            .and_then(|text| serde_json::from_str(&text).ok())
            .ok_or_else(|| ServerError::NotJson {
                why: error.to_string(),
            })
    })
}

/// Returns the title of a web page, or its beginning.
fn title(page: &str) -> String {
    let tagged = page.split_once("<title>").map(|(_, rest)| rest);
    let title = tagged.map_or(page, |rest| rest.split('<').next().unwrap_or_default());
    clean_text(&shortened(title.trim_start(), MAX_TITLE_CHARS))
}

/// Returns the first choice of a completion.
pub fn choice(completion: &Value) -> Result<&Value, ServerError> {
    let choice = &completion["choices"][0];
    if choice["message"].is_object() {
        return Ok(choice);
    }
    Err(match completion.get("error") {
        Some(error) if !error.is_null() => {
            let message = super::wire::server_message(&completion.to_string());
            ServerError::ErrorAnswer { message }
        }
        _ => ServerError::NotACompletion,
    })
}

/// Everything that the model generated, including its reasoning.
pub fn full_text(message: &Value) -> String {
    let keys = ["content", "refusal", "reasoning_content", "reasoning"];
    let mut texts = keys.into_iter().map(|key| text(&message[key]));
    texts
        .find(|text| !text.trim().is_empty())
        .unwrap_or_default()
}

/// The text that contains the answer, and the offset where the answer starts.
fn answer_text(message: &Value, cut: bool) -> (String, usize) {
    let content = text(&message["content"]);
    if !content.trim().is_empty() {
        let start = after_thoughts(&content);
        return (content, start);
    }
    // A refusal is an answer, though not a record.
    if let Some(refusal) = message["refusal"].as_str() {
        return (refusal.to_owned(), 0);
    }
    // Some servers mistake a grammar-constrained answer for reasoning. Only an object at the end
    // counts, since one in the middle is a draft.
    let keys = ["reasoning_content", "reasoning"];
    let thoughts = keys.into_iter().map(|key| text(&message[key]));
    for thoughts in thoughts.filter(|_| !cut) {
        if let Some(start) = last_object(&thoughts) {
            return (thoughts, start);
        }
    }
    (content, 0)
}

/// A text, or the concatenated texts of its parts.
fn text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts
            .iter()
            .filter_map(|part| part["text"].as_str())
            .collect(),
        _ => String::new(),
    }
}

fn after_thoughts(text: &str) -> usize {
    let trimmed = text.trim_start();
    // The text of a record may contain such tags.
    if trimmed.starts_with('{') {
        return 0;
    }
    let (open, close) = THINKING;
    match text.rfind(close) {
        Some(at) => at + close.len(),
        None if trimmed.starts_with(open) => text.len(),
        None => 0,
    }
}

/// Offset of the JSON object at the end of a text.
fn last_object(text: &str) -> Option<usize> {
    let end = text.trim_end().trim_end_matches('`').trim_end().len();
    let mut at = after_thoughts(text);
    for _ in 0..MAX_OBJECTS {
        at += text.get(at..end)?.find('{')?;
        let mut values = serde_json::Deserializer::from_str(&text[at..end]).into_iter::<Value>();
        match values.next() {
            Some(Ok(_)) if at + values.byte_offset() == end => return Some(at),
            Some(Ok(_)) => at += values.byte_offset(),
            _ => at += 1,
        }
    }
    None
}

fn tokens(content: &Value) -> Vec<TokenInfo> {
    let tokens = content.as_array().into_iter().flatten();
    tokens
        .map(|token| TokenInfo {
            bytes: bytes(&token["bytes"])
                .unwrap_or_else(|| token["token"].as_str().unwrap_or_default().into()),
            logprob: logprob(&token["logprob"]),
            forced: false,
        })
        .collect()
}

fn bytes(list: &Value) -> Option<Vec<u8>> {
    let byte = |value: &Value| u8::try_from(value.as_u64()?).ok();
    list.as_array()?.iter().map(byte).collect()
}

/// Parses the natural log of a probability; `None` if it is missing or invalid.
pub fn logprob(value: &Value) -> Option<f32> {
    let logprob = value.as_f64()? as f32;
    // Rounding may raise a certain token's probability slightly above one.
    (logprob.is_finite() && logprob < 0.01).then_some(logprob.min(0.0))
}

pub fn count(value: &Value) -> usize {
    let count = value.as_f64().filter(|count| *count >= 0.0);
    count.unwrap_or_default() as usize
}

/// The tokens from byte offset `start` on.
fn tokens_from(tokens: Vec<TokenInfo>, start: usize) -> Vec<TokenInfo> {
    let mut at = 0;
    let mut remaining = Vec::with_capacity(tokens.len());
    for mut token in tokens {
        let before = start.saturating_sub(at).min(token.bytes.len());
        at += token.bytes.len();
        token.bytes.drain(..before);
        if !token.bytes.is_empty() {
            remaining.push(token);
        }
    }
    remaining
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const RECORD: &str = r#"{"label_ko":"붉은 모자"}"#;

    fn read(message: Value) -> Answer {
        let body = json!({"choices": [{"message": message}]}).to_string();
        read_answer(body.as_bytes(), Duration::ZERO).unwrap()
    }

    #[test]
    fn the_answer_is_found_in_any_field() {
        let parts = json!([{"type": "text", "text": &RECORD[..9]}, {"type": "image"}, {"text": &RECORD[9..]}]);
        let draft = r#"Maybe {"label_ko": "초안"}? No."#;
        let fenced = format!("{draft}\n```json\n{RECORD}\n```\n");
        for (message, expected) in [
            (json!({"content": RECORD}), RECORD),
            (json!({"content": parts}), RECORD),
            (
                json!({"content": null, "reasoning_content": format!("Hm. {draft} {RECORD}")}),
                RECORD,
            ),
            (json!({"content": " ", "reasoning": RECORD}), RECORD),
            (
                json!({"content": format!("<think>{draft}</think>{RECORD}")}),
                RECORD,
            ),
            (
                json!({"content": format!("{draft}</think>{RECORD}")}),
                RECORD,
            ),
            (json!({"content": format!("<think>{draft}")}), ""),
            (json!({"content": null, "reasoning_content": draft}), ""),
            (
                json!({"content": null, "refusal": "no", "reasoning_content": RECORD}),
                "no",
            ),
            (
                json!({"content": r#"{"label_ko": "</think> 모자"}"#}),
                r#"{"label_ko": "</think> 모자"}"#,
            ),
            (json!({}), ""),
        ] {
            assert_eq!(read(message.clone()).text, expected, "{message}");
        }
        let fenced = read(json!({"content": null, "reasoning_content": fenced})).text;
        assert_eq!(fenced.trim().trim_end_matches('`').trim(), RECORD);
    }

    #[test]
    fn truncated_reasoning_contains_no_answer() {
        let body = json!({"choices": [{
            "message": {"content": null, "reasoning_content": RECORD}, "finish_reason": "length",
        }]});
        let answer = read_answer(body.to_string().as_bytes(), Duration::ZERO).unwrap();
        assert_eq!((answer.text.as_str(), answer.truncated), ("", true));
    }

    #[test]
    fn invalid_numbers_are_ignored() {
        let body = "\u{feff}{\"choices\": [{\"message\": {\"content\": \"abcdef\"}, \
            \"logprobs\": {\"content\": [\
            {\"token\": \"a\", \"logprob\": -0.5}, {\"token\": \"b\", \"logprob\": null}, \
            {\"token\": \"c\", \"logprob\": -Infinity}, {\"token\": \"d\", \"logprob\": \"-1\"}, \
            {\"token\": \"e\", \"logprob\": 1e-7}, {\"token\": \"f\", \"logprob\": -1e999}]}}], \
            \"usage\": {\"prompt_tokens\": 12.0, \"completion_tokens\": -1}}";
        let answer = read_answer(body.as_bytes(), Duration::ZERO).unwrap();
        let logprobs: Vec<_> = answer.tokens.iter().map(|token| token.logprob).collect();
        assert_eq!(logprobs, [Some(-0.5), None, None, None, Some(0.0), None]);
        assert_eq!((answer.counts.prompt, answer.counts.generated), (12, 0));
    }

    #[test]
    fn probabilities_exclude_the_reasoning() {
        let body = json!({"choices": [{
            "message": {"content": "<think>hm</think>{}"},
            "logprobs": {"content": [
                {"token": "<think>", "logprob": -1}, {"token": "hm</", "logprob": -2},
                {"token": "think>{", "logprob": -3}, {"token": "}", "logprob": -4},
            ]},
        }]});
        let answer = read_answer(body.to_string().as_bytes(), Duration::ZERO).unwrap();
        let tokens = answer.tokens.iter().map(|t| (t.bytes.clone(), t.logprob));
        let tokens: Vec<_> = tokens.collect();
        assert_eq!(
            tokens,
            [(b"{".to_vec(), Some(-3.0)), (b"}".to_vec(), Some(-4.0))]
        );
    }

    #[test]
    fn errors_describe_what_is_not_a_completion() {
        for (body, words) in [
            (&b"\x1f\x8b\x08"[..], "compressed"),
            (b"data: {\"choices\": []}\n\n", "streams"),
            (
                b"{\"choices\": [{\"message\": {\"content\": \"\xc7\xd8\"}}]}",
                "not UTF-8",
            ),
            (b"<html>", "not JSON"),
            (b"{\"choices\": []}", "not a chat completion"),
            (b"[1]", "not a chat completion"),
            (b"null", "not a chat completion"),
            (
                b"{\"error\": {\"message\": \"no GPU\"}}",
                "an error: no GPU",
            ),
        ] {
            let error = read_answer(body, Duration::ZERO).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}

//! The OpenAI chat API as bytes: request bodies, answers, and what a refusal is about.

use super::super::{Answer, LabelRequest, TokenInfo};
use crate::icon::Picture;
use crate::record::{Timings, TokenCounts};
use base64::Engine as _;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// How the record's schema travels; a server that refuses one gets the next, once and for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// `response_format` of type `json_schema`, strict.
    JsonSchema,
    /// vLLM's own `guided_json`.
    GuidedJson,
    /// No grammar: the prompt asks for JSON and the parser is lenient.
    Plain,
}

impl Format {
    pub fn name(self) -> &'static str {
        match self {
            Self::JsonSchema => "json_schema",
            Self::GuidedJson => "guided_json",
            Self::Plain => "plain text",
        }
    }

    pub fn next(self) -> Option<Self> {
        match self {
            Self::JsonSchema => Some(Self::GuidedJson),
            Self::GuidedJson => Some(Self::Plain),
            Self::Plain => None,
        }
    }
}

/// What a server and we have agreed on so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agreement {
    pub format: Format,
    pub logprobs: bool,
}

impl Default for Agreement {
    fn default() -> Self {
        Self {
            format: Format::JsonSchema,
            logprobs: true,
        }
    }
}

/// Said after the prompt where no grammar holds the server to it, and once more after a bad answer.
const PLAIN: &str = "Answer with the JSON object alone: no markdown, no words before or after it.";
const STRICT: &str = "Your last answer was not the JSON object that was asked for. \
     Write every key, close every bracket, and write nothing else.";

/// The body of `POST /chat/completions`. Pictures come first, then the text, as the local model
/// sees them.
pub fn request_body(
    model: &str,
    request: &LabelRequest,
    png: Option<&str>,
    agreement: Agreement,
    strict: bool,
) -> Value {
    let mut content = Vec::new();
    if let Some(png) = png {
        content.push(json!({"type": "image_url", "image_url": {"url": png}}));
    }
    let mut text = request.chat.user.clone();
    if agreement.format == Format::Plain {
        text.push('\n');
        text.push_str(PLAIN);
    }
    if strict {
        text.push('\n');
        text.push_str(STRICT);
    }
    content.push(json!({"type": "text", "text": text}));
    let mut body = json!({
        "model": model,
        "messages": [
            {"role": "system", "content": request.chat.system},
            {"role": "user", "content": content},
        ],
        "temperature": 0,
        "max_tokens": request.max_new_tokens,
    });
    match agreement.format {
        Format::JsonSchema => {
            body["response_format"] = json!({
                "type": "json_schema",
                "json_schema": {"name": "record", "strict": true, "schema": *request.schema},
            });
        }
        Format::GuidedJson => body["guided_json"] = (*request.schema).clone(),
        Format::Plain => {}
    }
    if agreement.logprobs {
        body["logprobs"] = json!(true);
        // llama.cpp gives no probability at all for 0.
        body["top_logprobs"] = json!(1);
    }
    body
}

/// The picture as a PNG data URL.
pub fn data_url(picture: &Picture) -> Result<String, image::ImageError> {
    use image::ImageEncoder as _;
    let mut png = Vec::new();
    image::codecs::png::PngEncoder::new(&mut png).write_image(
        &picture.rgb,
        picture.width,
        picture.height,
        image::ExtendedColorType::Rgb8,
    )?;
    Ok(format!(
        "data:image/png;base64,{}",
        base64::engine::general_purpose::STANDARD.encode(png)
    ))
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
    #[serde(default)]
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice {
    message: Message,
    #[serde(default)]
    finish_reason: Option<String>,
    #[serde(default)]
    logprobs: Option<Logprobs>,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    refusal: Option<String>,
}

#[derive(Deserialize)]
struct Logprobs {
    #[serde(default)]
    content: Option<Vec<LogprobToken>>,
}

#[derive(Deserialize)]
struct LogprobToken {
    token: String,
    #[serde(default)]
    bytes: Option<Vec<u8>>,
    logprob: f32,
}

#[derive(Deserialize, Default)]
struct Usage {
    #[serde(default)]
    prompt_tokens: usize,
    #[serde(default)]
    completion_tokens: usize,
    #[serde(default)]
    prompt_tokens_details: Option<PromptDetails>,
}

#[derive(Deserialize, Default)]
struct PromptDetails {
    #[serde(default)]
    cached_tokens: Option<usize>,
}

/// Reads a completion; the error is a sentence for people.
pub fn read_answer(body: &[u8], elapsed: Duration) -> Result<Answer, String> {
    let completion: Completion = serde_json::from_slice(body)
        .map_err(|error| format!("the server's answer is not a chat completion: {error}"))?;
    let choice = completion
        .choices
        .into_iter()
        .next()
        .ok_or("the server's answer holds no choice")?;
    let text = match (choice.message.content, choice.message.refusal) {
        (Some(text), _) => text,
        (None, Some(refusal)) => return Err(format!("the model refused: {refusal}")),
        (None, None) => return Err("the server's answer holds no text".into()),
    };
    let tokens: Vec<TokenInfo> = choice
        .logprobs
        .and_then(|logprobs| logprobs.content)
        .unwrap_or_default()
        .into_iter()
        .map(|token| TokenInfo {
            bytes: token.bytes.unwrap_or_else(|| token.token.into_bytes()),
            logprob: token.logprob.is_finite().then_some(token.logprob),
            forced: false,
        })
        .collect();
    // Some servers list the end token too; it is no part of the text.
    let tokens = prefix_of(tokens, text.as_bytes());
    let usage = completion.usage.unwrap_or_default();
    Ok(Answer {
        truncated: choice.finish_reason.as_deref() == Some("length"),
        counts: TokenCounts {
            prompt: usage.prompt_tokens,
            shared: usage
                .prompt_tokens_details
                .and_then(|details| details.cached_tokens)
                .unwrap_or(0),
            generated: usage.completion_tokens,
            forced: 0,
        },
        timings: Timings {
            decode_ms: elapsed.as_secs_f64() * 1000.0,
            ..Timings::default()
        },
        text,
        tokens,
    })
}

/// The tokens that spell the text; none where they do not (a server may strip or rewrite it, and
/// probabilities that cannot be placed are worse than none).
fn prefix_of(mut tokens: Vec<TokenInfo>, text: &[u8]) -> Vec<TokenInfo> {
    let mut at = 0;
    for index in 0..tokens.len() {
        if at == text.len() {
            tokens.truncate(index);
            break;
        }
        if !text[at..].starts_with(&tokens[index].bytes) {
            return Vec::new();
        }
        at += tokens[index].bytes.len();
    }
    if at == text.len() { tokens } else { Vec::new() }
}

/// What a 4xx answer is about, as far as we can change it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    Format,
    Logprobs,
    Other,
}

/// Reads a refusal's own words. Only what was asked for can have been refused.
pub fn refusal(status: u16, body: &str, asked: Agreement) -> Refusal {
    if !matches!(status, 400 | 404 | 415 | 422 | 501) {
        return Refusal::Other;
    }
    let body = body.to_lowercase();
    if asked.logprobs && body.contains("logprob") {
        return Refusal::Logprobs;
    }
    let about_format = [
        "response_format",
        "json_schema",
        "guided",
        "schema",
        "grammar",
        "structured",
        "regex",
        "pattern",
    ];
    if asked.format != Format::Plain && about_format.iter().any(|word| body.contains(word)) {
        return Refusal::Format;
    }
    Refusal::Other
}

/// The server's own words out of an error body, short and on one line.
pub fn server_words(body: &str) -> String {
    let value: Option<Value> = serde_json::from_str(body).ok();
    let message = value.as_ref().and_then(|value| {
        value
            .pointer("/error/message")
            .or_else(|| value.get("message"))
            .or_else(|| value.get("detail"))
            .or_else(|| value.get("error"))
            .map(|words| match words {
                Value::String(words) => words.clone(),
                other => other.to_string(),
            })
    });
    let text = message.unwrap_or_else(|| body.to_owned());
    let mut words: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(400)
        .collect();
    words.truncate(words.trim_end().len());
    words
}

/// `Retry-After` in seconds or as an HTTP date; at most ten minutes.
pub fn retry_after(value: &str) -> Option<Duration> {
    let limit = Duration::from_secs(600);
    if let Ok(seconds) = value.trim().parse::<f64>() {
        return (seconds.is_finite() && seconds >= 0.0)
            .then(|| Duration::from_secs_f64(seconds.min(limit.as_secs_f64())));
    }
    let at = jiff::fmt::rfc2822::parse(value.trim()).ok()?.timestamp();
    let wait = at.duration_since(jiff::Timestamp::now());
    Some(Duration::try_from(wait).unwrap_or_default().min(limit))
}

//! Builds request bodies of the OpenAI chat API and parses error responses. Answers are parsed in
//! [`completion`](super::completion).

use super::super::{LabelRequest, RequestedPause};
use crate::icon::Picture;
use crate::text::clean_text;
use crate::vlm::Sampling;
use base64::Engine as _;
use serde_json::{Value, json};
use std::time::Duration;

/// How the record's schema is sent. The next way is used for a server that rejects one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SchemaFormat {
    /// `response_format` of type `json_schema`, strict.
    JsonSchema,
    /// vLLM's own `guided_json`.
    GuidedJson,
    /// No grammar: the prompt requests JSON and the parser is lenient.
    Plain,
}

impl SchemaFormat {
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

/// Features that requests to a server use, reduced by its refusals so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerAgreement {
    pub format: SchemaFormat,
    pub logprobs: bool,
}

impl Default for ServerAgreement {
    fn default() -> Self {
        Self {
            format: SchemaFormat::JsonSchema,
            logprobs: true,
        }
    }
}

impl ServerAgreement {
    /// Reduces the agreement after a refusal; `None` if nothing would change.
    pub fn without(mut self, refused: RefusedFeature) -> Option<Self> {
        match refused {
            RefusedFeature::Format | RefusedFeature::Ignored => self.format = self.format.next()?,
            RefusedFeature::Logprobs if self.logprobs => self.logprobs = false,
            RefusedFeature::Logprobs | RefusedFeature::Other => return None,
        }
        Some(self)
    }
}

/// Appended to the prompt if no grammar constrains the server.
const PLAIN_INSTRUCTION: &str =
    "Answer with the JSON alone: no markdown, no words before or after it.";

/// Builds the messages of a chat turn.
pub fn messages(system: Option<&str>, content: Vec<Value>) -> Vec<Value> {
    let system = system.map(|text| json!({"role": "system", "content": text}));
    let user = json!({"role": "user", "content": content});
    system.into_iter().chain([user]).collect()
}

/// Builds the body of `POST /chat/completions`. Pictures precede the text, as for the local model.
pub fn request_body(
    model: &str,
    request: &LabelRequest,
    png: Option<&str>,
    agreement: ServerAgreement,
) -> Value {
    let mut content = Vec::new();
    if let Some(png) = png {
        content.push(json!({"type": "image_url", "image_url": {"url": png}}));
    }
    let mut text = request.chat.user.clone();
    if agreement.format == SchemaFormat::Plain {
        text.push('\n');
        text.push_str(PLAIN_INSTRUCTION);
    }
    content.push(json!({"type": "text", "text": text}));
    let mut body = json!({
        "model": model,
        "messages": messages(request.chat.system.as_deref(), content),
        "temperature": 0,
        "max_tokens": request.max_new_tokens,
    });
    let Sampling { temperature, seed } = request.sampling;
    if temperature > 0.0 {
        body["temperature"] = json!(temperature);
        // Some servers store it as a signed 32-bit integer.
        body["seed"] = json!(seed >> 33);
    }
    match agreement.format {
        SchemaFormat::JsonSchema => {
            body["response_format"] = json!({
                "type": "json_schema",
                "json_schema": {"name": "record", "strict": true, "schema": *request.schema},
            });
        }
        SchemaFormat::GuidedJson => body["guided_json"] = (*request.schema).clone(),
        SchemaFormat::Plain => {}
    }
    if agreement.logprobs {
        body["logprobs"] = json!(true);
        // With 0 llama.cpp reports no probabilities at all.
        body["top_logprobs"] = json!(1);
    }
    body
}

/// Encodes a picture as a PNG data URL.
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

/// Part of a request that a server does not support.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusedFeature {
    Format,
    /// The schema was accepted, but the answer does not follow it.
    Ignored,
    Logprobs,
    Other,
}

/// Determines from an error response which feature of the request is not supported.
pub fn refusal(status: u16, body: &str, sent: ServerAgreement) -> RefusedFeature {
    if !matches!(status, 400 | 404 | 415 | 422 | 501) {
        return RefusedFeature::Other;
    }
    let body = body.to_lowercase();
    if sent.logprobs && body.contains("logprob") {
        return RefusedFeature::Logprobs;
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
    if sent.format != SchemaFormat::Plain && about_format.iter().any(|word| body.contains(word)) {
        return RefusedFeature::Format;
    }
    RefusedFeature::Other
}

/// Whether a refusal is about the key, its credit, the URL or the model, not about an item.
pub fn is_about_server(status: u16) -> bool {
    matches!(status, 300..=399 | 401..=405 | 407 | 429)
}

/// Whether a 429 is about credit: waiting does not help.
pub fn is_out_of_credit(body: &[u8]) -> bool {
    let value: Option<Value> = serde_json::from_slice(body).ok();
    let code = |key| value.as_ref()?.pointer(key)?.as_str();
    let codes = ["/error/code", "/error/type"].map(code);
    codes.contains(&Some("insufficient_quota"))
}

/// Extracts the message of an error body, shortened to one line.
pub fn server_message(body: &str) -> String {
    let value: Option<Value> = serde_json::from_str(body).ok();
    let message = value.as_ref().and_then(|value| {
        value
            .pointer("/error/message")
            .or_else(|| value.get("message"))
            .or_else(|| value.get("detail"))
            .or_else(|| value.get("error"))
            .map(|message| match message {
                Value::String(message) => message.clone(),
                other => other.to_string(),
            })
    });
    let text = message.unwrap_or_else(|| body.to_owned());
    clean_text(&text.chars().take(400).collect::<String>())
}

/// Parses `Retry-After`, in seconds or as an HTTP date, limited to ten minutes.
pub fn retry_after(value: &str) -> Option<RequestedPause> {
    let limit = Duration::from_secs(600);
    let limited = |wait: Duration| RequestedPause {
        wait: wait.min(limit),
        is_shortened: wait > limit,
    };
    if let Ok(seconds) = value.trim().parse::<f64>() {
        return (seconds.is_finite() && seconds >= 0.0)
            .then(|| limited(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)));
    }
    let at = jiff::fmt::rfc2822::parse(value.trim()).ok()?.timestamp();
    let wait = at.duration_since(jiff::Timestamp::now());
    Some(limited(Duration::try_from(wait).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Chat, GroupId};
    use crate::vlm::Sampling;
    use std::sync::Arc;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let pause = |milliseconds, is_shortened| {
            let wait = Duration::from_millis(milliseconds);
            Some(RequestedPause { wait, is_shortened })
        };
        assert_eq!(retry_after("7"), pause(7000, false));
        assert_eq!(retry_after(" 0.5 "), pause(500, false));
        assert_eq!(retry_after("600"), pause(600_000, false));
        let past = "Wed, 21 Oct 2015 07:28:00 GMT";
        assert_eq!(retry_after(past), pause(0, false));
        for long in ["86400", "1e308", "Tue, 31 Dec 2126 23:59:59 GMT"] {
            assert_eq!(retry_after(long), pause(600_000, true), "{long}");
        }
        for bad in ["", "-1", "soon", "NaN", "inf"] {
            assert_eq!(retry_after(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_opinion_is_requested_with_temperature_and_seed() {
        let request = |sampling| LabelRequest {
            ticket: 1,
            group: GroupId(1),
            chat: Chat {
                system: None,
                user: "모자".to_owned(),
                images: 0,
            },
            picture: None,
            schema: Arc::new(Value::Null),
            max_new_tokens: 10,
            sampling,
            keep_prompt: false,
            urgent: false,
        };
        let body =
            |sampling| request_body("m", &request(sampling), None, ServerAgreement::default());
        let first = body(Sampling::GREEDY);
        assert_eq!(first["temperature"], json!(0));
        assert_eq!(first.get("seed"), None);
        let opinion = body(Sampling {
            temperature: 0.7,
            seed: u64::MAX,
        });
        assert_eq!(opinion["temperature"], json!(0.7));
        assert!(opinion["seed"].as_i64().is_some_and(|seed| seed > 0));
    }

    #[test]
    fn only_a_requested_feature_can_be_refused() {
        let full = ServerAgreement::default();
        let schema = r#"{"error": "Unsupported JSON schema: pattern"}"#;
        assert_eq!(refusal(400, schema, full), RefusedFeature::Format);
        assert_eq!(refusal(401, schema, full), RefusedFeature::Other);
        let logprobs = r#"{"detail": "logprobs is not supported"}"#;
        assert_eq!(refusal(422, logprobs, full), RefusedFeature::Logprobs);
        let reduced = ServerAgreement {
            format: SchemaFormat::Plain,
            logprobs: false,
        };
        assert_eq!(refusal(400, schema, reduced), RefusedFeature::Other);
        assert_eq!(refusal(400, logprobs, reduced), RefusedFeature::Other);
        // An error of vLLM.
        let long = r#"{"error":{"message":"max_tokens=2000 cannot be greater than
            max_model_len=1024. Please request fewer output tokens."}}"#;
        assert_eq!(refusal(400, long, full), RefusedFeature::Other);
    }

    #[test]
    fn the_servers_message_is_found_and_put_on_one_line() {
        for (body, words) in [
            (r#"{"error": {"message": "no\nGPU"}}"#, "no GPU"),
            (r#"{"detail": [{"loc": "model"}]}"#, r#"[{"loc":"model"}]"#),
            (r#"{"message": "busy"}"#, "busy"),
            ("<html>bad gateway\r\n", "<html>bad gateway"),
            ("", ""),
        ] {
            assert_eq!(server_message(body), words);
        }
        assert_eq!(server_message(&"x".repeat(1000)).len(), 400);
    }
}

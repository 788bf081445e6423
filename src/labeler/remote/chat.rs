//! One free-form chat turn through a server; no grammar, no second try.

use super::{Outcome, Patience, error_words, http_client, read_body, wire};
use crate::error::{Context as _, Error, ErrorKind, Result};
use crate::icon::Picture;
use crate::settings::RemoteOptions;
use serde_json::{Value, json};

/// What to ask.
#[derive(Debug)]
pub struct ChatTurn<'a> {
    pub system: &'a str,
    /// They come first, then the text.
    pub pictures: &'a [Picture],
    pub user: &'a str,
    pub max_new_tokens: usize,
    pub temperature: f64,
    pub seed: u64,
    pub ignore_eos: bool,
}

/// What the server said.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatAnswer {
    pub text: String,
    pub finish_reason: Option<String>,
    /// Natural log, one a token, where the server gives them.
    pub logprobs: Option<Vec<f64>>,
}

/// Asks the first server of `options`.
pub fn chat(options: &RemoteOptions, turn: &ChatTurn) -> Result<ChatAnswer> {
    let Some(url) = options.endpoints.first().filter(|_| !options.offline) else {
        return Err(
            Error::new(ErrorKind::Usage, "--endpoint cannot be used with --offline")
                .with_hint("leave one of them out"),
        );
    };
    let body = body(&options.model, turn)?;
    let client = http_client(options.api_key.as_ref(), &Patience::default())?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context(ErrorKind::Internal, "cannot start the network's runtime")?;
    let failed = |words: String| {
        let words = match &options.api_key {
            Some(key) if !key.expose().is_empty() => words.replace(key.expose(), "[key]"),
            _ => words,
        };
        Error::new(ErrorKind::Network, format!("{url}: {words}"))
            .with_hint("run `labeler-tui doctor --endpoint URL` to see what the server can do")
    };
    let (status, bytes) = runtime
        .block_on(async {
            let address = format!("{}/chat/completions", url.trim_end_matches('/'));
            let sent = client.post(address).json(&body).send().await;
            let response = sent.map_err(|error| error_words(&error))?;
            let status = response.status();
            match read_body(response).await {
                Ok(bytes) => Ok((status, bytes)),
                Err(Outcome::Broken { words, .. }) => Err(words),
                Err(_) => Err("the answer broke off".to_owned()),
            }
        })
        .map_err(failed)?;
    let text = String::from_utf8_lossy(&bytes);
    if !status.is_success() {
        return Err(failed(format!("{status}: {}", wire::server_words(&text))));
    }
    answer(&bytes).ok_or_else(|| failed("the answer is not a chat completion".to_owned()))
}

fn body(model: &str, turn: &ChatTurn) -> Result<Value> {
    let mut content = Vec::new();
    for picture in turn.pictures {
        let url = wire::data_url(picture).context(ErrorKind::Image, "cannot encode a picture")?;
        content.push(json!({"type": "image_url", "image_url": {"url": url}}));
    }
    content.push(json!({"type": "text", "text": turn.user}));
    let mut body = json!({
        "model": model,
        "messages": [
            {"role": "system", "content": turn.system},
            {"role": "user", "content": content},
        ],
        "max_tokens": turn.max_new_tokens,
        "temperature": turn.temperature,
        "seed": turn.seed,
        "logprobs": true,
        "top_logprobs": 1,
    });
    // Not part of the API, and refused by some servers, so only where it is asked for.
    if turn.ignore_eos {
        body["ignore_eos"] = json!(true);
    }
    Ok(body)
}

fn answer(bytes: &[u8]) -> Option<ChatAnswer> {
    let completion: Value = serde_json::from_slice(bytes).ok()?;
    let choice = completion.pointer("/choices/0")?;
    let logprobs = choice
        .pointer("/logprobs/content")
        .and_then(Value::as_array);
    Some(ChatAnswer {
        text: choice.pointer("/message/content")?.as_str()?.to_owned(),
        finish_reason: choice["finish_reason"].as_str().map(str::to_owned),
        logprobs: logprobs.and_then(|tokens| {
            let one = |token: &Value| token["logprob"].as_f64();
            tokens.iter().map(one).collect()
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_come_before_the_text() {
        let picture = Picture {
            width: 1,
            height: 1,
            rgb: vec![1, 2, 3],
        };
        let turn = ChatTurn {
            system: "s",
            pictures: &[picture.clone(), picture],
            user: "which?",
            max_new_tokens: 3,
            temperature: 0.0,
            seed: 1,
            ignore_eos: false,
        };
        let body = body("m", &turn).unwrap();
        let content = body.pointer("/messages/1/content").unwrap();
        assert_eq!(content[0]["type"], "image_url");
        assert_eq!(content[1]["type"], "image_url");
        assert_eq!(content[2]["text"], "which?");
        assert_eq!(body.get("ignore_eos"), None);
    }

    #[test]
    fn an_answer_may_come_without_probabilities() {
        let plain = br#"{"choices": [{"message": {"content": "hat"}, "finish_reason": "stop"}]}"#;
        let said = answer(plain).unwrap();
        assert_eq!((said.text.as_str(), said.logprobs), ("hat", None));
        let full = br#"{"choices": [{"message": {"content": "hat"}, "finish_reason": "length",
            "logprobs": {"content": [{"token": "hat", "logprob": -0.5}]}}]}"#;
        let said = answer(full).unwrap();
        assert_eq!(said.logprobs, Some(vec![-0.5]));
        assert_eq!(said.finish_reason.as_deref(), Some("length"));
        for broken in [&b"{}"[..], b"", br#"{"choices": []}"#] {
            assert_eq!(answer(broken), None);
        }
    }
}

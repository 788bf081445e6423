//! Sends free-form chat turns to a server, without grammar or retries.

use super::http::{Http, RetryPolicy, describe_error, read_body};
use super::{completion, wire};
use crate::error::{Error, ErrorKind, Result};
use crate::icon::Picture;
use crate::labeler::ServerNotice;
use crate::labeler::options::RemoteOptions;
use crate::record::ServerError;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use serde_json::{Value, json};

/// A chat turn.
#[derive(Debug, Clone)]
pub struct ChatTurn<'a> {
    /// `None` uses the default of the server's chat template.
    pub system: Option<&'a str>,
    /// Placed before the text.
    pub pictures: &'a [Picture],
    pub user: &'a str,
    pub max_new_tokens: usize,
    pub temperature: f64,
    pub seed: u64,
    pub ignore_eos: bool,
}

/// The server's answer.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatAnswer {
    pub text: String,
    pub finish_reason: Option<String>,
    /// Natural log of each token's probability, if the server reports them.
    pub logprobs: Option<Vec<f64>>,
    /// 0 if the server does not report it.
    pub prompt_tokens: usize,
    /// Prompt tokens that the server took from its cache.
    pub cached_tokens: usize,
    pub new_tokens: usize,
}

/// A client of one or more chat servers.
pub struct ChatClient {
    http: Http,
    model: String,
}

impl ChatClient {
    /// # Errors
    /// With `--offline`, and for invalid URLs and keys.
    pub fn new(options: &RemoteOptions) -> Result<Self> {
        Ok(Self {
            http: Http::new(options, &RetryPolicy::default())?,
            model: options.model.clone(),
        })
    }

    /// Notices about servers that are reached through a proxy.
    pub fn notices(&self) -> Vec<ServerNotice> {
        self.http.notices()
    }

    /// Sends a turn to the first server.
    pub fn ask(&self, turn: &ChatTurn) -> Result<ChatAnswer> {
        let url = self.http.urls.first().map_or("", String::as_str);
        self.http.runtime.block_on(self.send(url, turn))
    }

    /// Sends turns to the servers in rotation, `concurrency` at a time. Answers are reported in the
    /// order of completion. The first failure stops it.
    pub fn ask_all<'a>(
        &self,
        turns: impl IntoIterator<Item = ChatTurn<'a>>,
        concurrency: usize,
        mut answered: impl FnMut(ChatAnswer),
    ) -> Result<()> {
        let mut turns = self.http.urls.iter().cycle().zip(turns);
        self.http.runtime.block_on(async {
            let mut in_flight = FuturesUnordered::new();
            loop {
                let room = concurrency.max(1) - in_flight.len();
                let next = turns.by_ref().take(room);
                in_flight
                    .extend(next.map(|(url, turn)| async move { self.send(url, &turn).await }));
                match in_flight.next().await {
                    Some(answer) => answered(answer?),
                    None => return Ok(()),
                }
            }
        })
    }

    async fn send(&self, url: &str, turn: &ChatTurn<'_>) -> Result<ChatAnswer> {
        let failed = |error: ServerError| {
            let words = self.http.without_key(&format!("{url}: {error}"));
            Error::new(ErrorKind::Network, words)
                .with_hint("run `labeler-tui doctor --endpoint URL` to see what the server can do")
        };
        let body = body(&self.model, turn)?;
        let request = self
            .http
            .client(url)
            .post(format!("{url}/chat/completions"));
        let response = request.json(&body).send().await;
        let response = response.map_err(|error| failed(describe_error(&error)))?;
        let status = response.status();
        let limits = self.http.answer_limits(turn.max_new_tokens);
        let bytes = read_body(response, limits, |_| {}).await.map_err(failed)?;
        if !status.is_success() {
            return Err(failed(ServerError::Answered {
                status: status.as_u16(),
                message: wire::server_message(&String::from_utf8_lossy(&bytes)),
            }));
        }
        let mut answer = answer(&bytes).map_err(failed)?;
        answer.text = self.http.without_key(&answer.text);
        Ok(answer)
    }
}

fn body(model: &str, turn: &ChatTurn) -> Result<Value> {
    let mut content = Vec::new();
    for picture in turn.pictures {
        let url = wire::data_url(picture)?;
        content.push(json!({"type": "image_url", "image_url": {"url": url}}));
    }
    content.push(json!({"type": "text", "text": turn.user}));
    let mut body = json!({
        "model": model,
        "messages": wire::messages(turn.system, content),
        "max_tokens": turn.max_new_tokens,
        "temperature": turn.temperature,
        "seed": turn.seed,
        "logprobs": true,
        "top_logprobs": 1,
    });
    // Not part of the API and rejected by some servers, so sent only if requested.
    if turn.ignore_eos {
        body["ignore_eos"] = json!(true);
    }
    Ok(body)
}

fn answer(bytes: &[u8]) -> Result<ChatAnswer, ServerError> {
    let completion = completion::object(bytes)?;
    let choice = completion::choice(&completion)?;
    let tokens = choice["logprobs"]["content"].as_array();
    let logprob = |token: &Value| token["logprob"].as_f64();
    let usage = &completion["usage"];
    Ok(ChatAnswer {
        text: completion::full_text(&choice["message"]),
        finish_reason: choice["finish_reason"].as_str().map(str::to_owned),
        logprobs: tokens.and_then(|tokens| tokens.iter().map(logprob).collect()),
        prompt_tokens: completion::count(&usage["prompt_tokens"]),
        cached_tokens: completion::count(&usage["prompt_tokens_details"]["cached_tokens"]),
        new_tokens: completion::count(&usage["completion_tokens"]),
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
            system: Some("s"),
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
    fn an_answer_may_lack_probabilities() {
        let plain = br#"{"choices": [{"message": {"content": "hat"}, "finish_reason": "stop"}]}"#;
        let parsed = answer(plain).unwrap();
        assert_eq!((parsed.text.as_str(), parsed.logprobs), ("hat", None));
        let full = br#"{"choices": [{"message": {"content": "hat"}, "finish_reason": "length",
            "logprobs": {"content": [{"token": "hat", "logprob": -0.5}]}}]}"#;
        let parsed = answer(full).unwrap();
        assert_eq!(parsed.logprobs, Some(vec![-0.5]));
        assert_eq!(parsed.finish_reason.as_deref(), Some("length"));
        for broken in [&b"{}"[..], b"", br#"{"choices": []}"#] {
            assert!(answer(broken).is_err());
        }
    }
}

//! Free-form chat turns through a server; no grammar, no second try.

use super::http::{Http, Patience, error_words, longest_answer, read_body};
use super::{completion, wire};
use crate::error::{Context as _, Error, ErrorKind, Result};
use crate::icon::Picture;
use crate::labeler::ServerNotice;
use crate::settings::RemoteOptions;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use serde_json::{Value, json};

/// One question.
#[derive(Debug, Clone)]
pub struct ChatTurn<'a> {
    /// `None` leaves it to the server's chat template.
    pub system: Option<&'a str>,
    /// They come first, then the text.
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
    /// Natural log, one a token, if the server gives them.
    pub logprobs: Option<Vec<f64>>,
    /// Zero if the server does not count.
    pub prompt_tokens: usize,
    /// Of the prompt, those that the server still knew from an earlier one.
    pub cached_tokens: usize,
    pub new_tokens: usize,
}

/// Servers to chat with.
pub struct Chats {
    http: Http,
    model: String,
}

impl Chats {
    /// # Errors
    /// With `--offline`, and for addresses and keys that cannot be used.
    pub fn new(options: &RemoteOptions) -> Result<Self> {
        Ok(Self {
            http: Http::new(options, &Patience::default())?,
            model: options.model.clone(),
        })
    }

    /// The servers that are reached through a proxy.
    pub fn notices(&self) -> Vec<ServerNotice> {
        self.http.notices()
    }

    /// Asks the first server.
    pub fn ask(&self, turn: &ChatTurn) -> Result<ChatAnswer> {
        let url = self.http.urls.first().map_or("", String::as_str);
        self.http.runtime.block_on(self.send(url, turn))
    }

    /// Asks all servers in turn, `concurrency` questions at a time; answers come in the order in
    /// which they are finished. The first failure ends it.
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
        let failed = |words: String| {
            let words = self.http.without_key(&format!("{url}: {words}"));
            Error::new(ErrorKind::Network, words)
                .with_hint("run `labeler-tui doctor --endpoint URL` to see what the server can do")
        };
        let body = body(&self.model, turn)?;
        let request = self
            .http
            .client(url)
            .post(format!("{url}/chat/completions"));
        let response = request.json(&body).send().await;
        let response = response.map_err(|error| failed(error_words(&error)))?;
        let status = response.status();
        let limit = longest_answer(turn.max_new_tokens);
        let bytes = read_body(response, limit).await.map_err(failed)?;
        if !status.is_success() {
            let words = wire::server_words(&String::from_utf8_lossy(&bytes));
            return Err(failed(format!("{status}: {words}")));
        }
        let mut answer = answer(&bytes).map_err(failed)?;
        answer.text = self.http.without_key(&answer.text);
        Ok(answer)
    }
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
        "messages": wire::messages(turn.system, content),
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

fn answer(bytes: &[u8]) -> Result<ChatAnswer, String> {
    let completion = completion::object(bytes)?;
    let choice = completion::choice(&completion)?;
    let tokens = choice["logprobs"]["content"].as_array();
    let logprob = |token: &Value| token["logprob"].as_f64();
    let usage = &completion["usage"];
    Ok(ChatAnswer {
        text: completion::written(&choice["message"]),
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
            assert!(answer(broken).is_err());
        }
    }
}

//! Checks a server for `doctor`: reachability, model, images, schema, probabilities.

use super::completion::read_answer;
use super::conformance::Conformance;
use super::http::{Http, RetryPolicy, describe_error, read_body};
use super::wire::{self, SchemaFormat, ServerAgreement};
use crate::error::Result;
use crate::icon::Picture;
use crate::labeler::options::RemoteOptions;
use crate::labeler::{Answer, LabelRequest};
use crate::prompt::{Lang, schema};
use crate::record::{AnswerForm, Chat, GroupId, ServerError, Vocabulary};
use crate::text::plural;
use crate::vlm::Sampling;
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Enough tokens to tell whether an answer follows the schema.
const NEW_TOKENS: usize = 24;
const READ_TIMEOUT: Duration = Duration::from_secs(120);

/// What a trial request asks for.
#[derive(Clone, Copy)]
struct TrialRequest {
    format: SchemaFormat,
    picture: bool,
    logprobs: bool,
}

impl TrialRequest {
    fn of(format: SchemaFormat) -> Self {
        Self {
            format,
            picture: false,
            logprobs: false,
        }
    }
}

/// Findings about a server: `Ok` with a detail, or the reason for a failure.
#[derive(Debug, Clone, serde::Serialize)]
pub struct EndpointReport {
    pub url: String,
    /// Proxy set in the environment for this server.
    pub proxy: Option<String>,
    pub reachable: Result<String, String>,
    pub model_listed: Result<String, String>,
    pub takes_images: Result<String, String>,
    pub takes_schema: Result<String, String>,
    pub gives_probabilities: Result<String, String>,
}

impl EndpointReport {
    fn findings(&mut self) -> [&mut Result<String, String>; 5] {
        [
            &mut self.reachable,
            &mut self.model_listed,
            &mut self.takes_images,
            &mut self.takes_schema,
            &mut self.gives_probabilities,
        ]
    }
}

/// Checks each server in the options, even after one has failed.
///
/// # Errors
/// With `--offline`, and for invalid URLs and keys.
pub fn check(options: &RemoteOptions) -> Result<Vec<EndpointReport>> {
    let retry = RetryPolicy {
        read_timeout: READ_TIMEOUT,
        ..RetryPolicy::default()
    };
    let http = Http::new(options, &retry)?;
    // The schema of a real record reveals before a run what a server does not support.
    let schema = Arc::new(schema(
        AnswerForm::Record,
        &Vocabulary::builtin()?,
        Lang::Ko,
        Some("별빛 모자"),
        None,
        false,
    ));
    let mut conformance = Conformance::new()?;
    let mut reports = Vec::new();
    for url in &http.urls {
        let server = Server {
            http: &http,
            url: url.clone(),
            model: &options.model,
            schema: &schema,
        };
        let mut report = http.runtime.block_on(server.check(&mut conformance));
        for finding in report.findings() {
            let (Ok(words) | Err(words)) = finding;
            *words = http.without_key(words);
        }
        reports.push(report);
    }
    Ok(reports)
}

struct Server<'a> {
    http: &'a Http,
    url: String,
    model: &'a str,
    schema: &'a Arc<Value>,
}

impl Server<'_> {
    async fn check(&self, conformance: &mut Conformance) -> EndpointReport {
        let not_checked = || Err("not checked: the server is not reachable".to_owned());
        let start = Instant::now();
        let listed = self
            .http
            .client(&self.url)
            .get(format!("{}/models", self.url))
            .send();
        let (reachable, model_listed) = match listed.await {
            Ok(response) => {
                let milliseconds = start.elapsed().as_millis();
                match self.unusable(&response).await {
                    Some(words) => (Err(words), not_checked()),
                    None => (
                        Ok(format!("{milliseconds} ms")),
                        self.model_listed(response).await,
                    ),
                }
            }
            Err(error) => {
                let error = self.http.describe(&self.url, describe_error(&error));
                (Err(error.to_string()), not_checked())
            }
        };
        let mut report = EndpointReport {
            url: self.url.clone(),
            proxy: self.http.proxy(&self.url).map(str::to_owned),
            reachable,
            model_listed,
            takes_images: not_checked(),
            takes_schema: not_checked(),
            gives_probabilities: not_checked(),
        };
        if report.reachable.is_ok() {
            report.takes_images = self.takes_images().await;
            let format = self.takes_schema(conformance).await;
            // Sends the schema as a run does, since a small model without one may generate broken
            // characters.
            let format_in_use = *format.as_ref().unwrap_or(&SchemaFormat::Plain);
            report.takes_schema = format.map(|format| format.name().to_owned());
            report.gives_probabilities = self.gives_probabilities(format_in_use).await;
        }
        report
    }

    /// Explains why a server that responds cannot be used; `None` if it can.
    async fn unusable(&self, listed: &reqwest::Response) -> Option<String> {
        let status = listed.status();
        if status.is_server_error() {
            let error = ServerError::Other(format!("status {}", status.as_u16()));
            return Some(self.http.describe(&self.url, error).to_string());
        }
        if status != reqwest::StatusCode::NOT_FOUND {
            return None;
        }
        let other = self.http.api_below(&self.url).await?;
        Some(format!("no API at this URL; use {other}"))
    }

    async fn model_listed(&self, response: reqwest::Response) -> Result<String, String> {
        let status = response.status();
        let body = read_body(response, self.http.answer_limits(NEW_TOKENS), |_| {}).await;
        let body = body.map_err(|error| error.to_string())?;
        let list: Option<Value> = serde_json::from_slice(&body).ok();
        let Some(list) = list.filter(|_| status.is_success()) else {
            let error = ServerError::Status {
                status: status.as_u16(),
                message: wire::server_message(&String::from_utf8_lossy(&body)),
            };
            return Err(format!("no list of models: {error}"));
        };
        let models = list["data"].as_array().into_iter().flatten();
        let names: Vec<&str> = models.filter_map(|entry| entry["id"].as_str()).collect();
        match names.contains(&self.model) {
            true => Ok(self.model.to_owned()),
            false => Err(format!("it lists {}, not {}", names.join(", "), self.model)),
        }
    }

    /// Checks whether a picture makes the prompt longer.
    async fn takes_images(&self) -> Result<String, String> {
        let ask = async |picture| {
            let trial = TrialRequest {
                picture,
                ..TrialRequest::of(SchemaFormat::Plain)
            };
            let answer = self.ask(trial).await;
            answer.map_err(|error| error.to_string())
        };
        let (with, without) = (ask(true).await?, ask(false).await?);
        match with.counts.prompt.saturating_sub(without.counts.prompt) {
            0 if with.counts.prompt > 0 => Err("it ignores the picture".to_owned()),
            0 => Ok("probably: it does not report token counts".to_owned()),
            tokens => Ok(format!("yes, {} for 56x56 pixels", plural(tokens, "token"))),
        }
    }

    /// Checks the ways to send the schema. The prompt does not request JSON, so only a server that
    /// enforces the schema answers in JSON.
    async fn takes_schema(&self, conformance: &mut Conformance) -> Result<SchemaFormat, String> {
        let mut refusals = Vec::new();
        for format in [SchemaFormat::JsonSchema, SchemaFormat::GuidedJson] {
            match self.ask(TrialRequest::of(format)).await {
                Ok(answer) => {
                    let reading = conformance.read(self.schema, &answer.text);
                    if reading.is_ok_and(|reading| reading.conforms()) {
                        return Ok(format);
                    }
                    let text = answer.text.chars().take(40).collect::<String>();
                    refusals.push(format!(
                        "{} is accepted but not followed: {text:?}",
                        format.name()
                    ));
                }
                Err(error) => refusals.push(format!("{}: {error}", format.name())),
            }
        }
        Err(refusals.join("; "))
    }

    async fn gives_probabilities(&self, format: SchemaFormat) -> Result<String, String> {
        let trial = TrialRequest {
            logprobs: true,
            ..TrialRequest::of(format)
        };
        match self.ask(trial).await {
            Ok(answer) if answer.tokens.is_empty() => Err("none in the answer".to_owned()),
            Ok(_) => Ok("yes".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    async fn ask(&self, trial: TrialRequest) -> Result<Answer, ServerError> {
        let TrialRequest {
            format,
            picture,
            logprobs,
        } = trial;
        let png = match picture {
            true => Some(red_square()?),
            false => None,
        };
        let request = LabelRequest {
            ticket: 0,
            group: GroupId(0),
            chat: Chat {
                system: Some("You answer in one English word.".to_owned()),
                user: "What color has a ripe tomato?".to_owned(),
                images: usize::from(picture),
            },
            picture: None,
            schema: Arc::clone(self.schema),
            max_new_tokens: NEW_TOKENS,
            sampling: Sampling::GREEDY,
            keep_prompt: false,
            urgent: false,
        };
        let agreement = ServerAgreement { format, logprobs };
        let body = wire::request_body(self.model, &request, png.as_deref(), agreement);
        let start = Instant::now();
        let request = self
            .http
            .client(&self.url)
            .post(format!("{}/chat/completions", self.url));
        let response = request.json(&body).send().await;
        let response = response.map_err(|error| describe_error(&error))?;
        let status = response.status();
        let bytes = read_body(response, self.http.answer_limits(NEW_TOKENS), |_| {}).await?;
        if !status.is_success() {
            let error = ServerError::Status {
                status: status.as_u16(),
                message: wire::server_message(&String::from_utf8_lossy(&bytes)),
            };
            return Err(self.http.describe(&self.url, error));
        }
        read_answer(&bytes, start.elapsed())
    }
}

fn red_square() -> Result<String, ServerError> {
    let picture = Picture {
        width: 56,
        height: 56,
        rgb: [217, 43, 43].repeat(56 * 56),
    };
    wire::data_url(&picture).map_err(|error| ServerError::Other(error.to_string()))
}

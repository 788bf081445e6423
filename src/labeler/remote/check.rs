//! What `doctor` finds out about a server: reachable, model, images, schema, probabilities.

use super::wire::{self, Agreement, Format};
use super::{Patience, error_words, http_client, read_body};
use crate::error::{Context as _, ErrorKind, Result};
use crate::icon::Picture;
use crate::labeler::LabelRequest;
use crate::prompt::Chat;
use crate::record::GroupId;
use crate::settings::RemoteOptions;
use serde_json::json;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One finding each: `Ok` with a word on it, or why not.
#[derive(Debug, Clone, serde::Serialize)]
pub struct EndpointReport {
    pub url: String,
    pub reachable: Result<String, String>,
    pub model_listed: Result<String, String>,
    pub takes_images: Result<String, String>,
    pub takes_schema: Result<String, String>,
    pub gives_probabilities: Result<String, String>,
}

/// Asks each server of the options; nothing here stops at a server that fails.
pub fn check(options: &RemoteOptions) -> Result<Vec<EndpointReport>> {
    let patience = Patience {
        silence: Duration::from_secs(60),
        ..Patience::default()
    };
    let client = http_client(options.api_key.as_ref(), &patience)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context(ErrorKind::Internal, "cannot start the network's runtime")?;
    let mut reports = Vec::new();
    for url in &options.endpoints {
        let url = url.trim_end_matches('/');
        reports.push(runtime.block_on(check_one(&client, url, &options.model)));
    }
    if let Some(key) = options
        .api_key
        .as_ref()
        .filter(|key| !key.expose().is_empty())
    {
        for report in &mut reports {
            for finding in [
                &mut report.reachable,
                &mut report.model_listed,
                &mut report.takes_images,
                &mut report.takes_schema,
                &mut report.gives_probabilities,
            ] {
                let (Ok(words) | Err(words)) = finding;
                *words = words.replace(key.expose(), "[key]");
            }
        }
    }
    Ok(reports)
}

async fn check_one(client: &reqwest::Client, url: &str, model: &str) -> EndpointReport {
    let begun = Instant::now();
    let mut report = EndpointReport {
        url: url.to_owned(),
        reachable: Err("not asked".into()),
        model_listed: Err("not asked: the server is not reachable".into()),
        takes_images: Err("not asked: the server is not reachable".into()),
        takes_schema: Err("not asked: the server is not reachable".into()),
        gives_probabilities: Err("not asked: the server is not reachable".into()),
    };
    let listed = match client.get(format!("{url}/models")).send().await {
        Ok(response) => response,
        Err(error) => {
            report.reachable = Err(error_words(&error));
            return report;
        }
    };
    let status = listed.status();
    report.reachable = Ok(format!("{} ms", begun.elapsed().as_millis()));
    report.model_listed = match listed.json::<serde_json::Value>().await {
        Ok(list) if status.is_success() => {
            let names: Vec<&str> = list["data"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|entry| entry["id"].as_str())
                .collect();
            if names.contains(&model) {
                Ok(model.to_owned())
            } else {
                Err(format!("it lists {}, not {model}", names.join(", ")))
            }
        }
        _ => Err(format!("no list of models (status {})", status.as_u16())),
    };
    let plain = Agreement {
        format: Format::Plain,
        logprobs: false,
    };
    let with_schema = Agreement {
        format: Format::JsonSchema,
        logprobs: false,
    };
    let with_logprobs = Agreement {
        format: Format::Plain,
        logprobs: true,
    };
    report.takes_images = ask(client, url, model, plain).await.map(|_| "yes".into());
    report.takes_schema =
        ask(client, url, model, with_schema)
            .await
            .and_then(|answer| match answer.text.trim() {
                "{\"answer\":\"red\"}" | "{\"answer\":\"blue\"}" => Ok("json_schema".into()),
                // Servers differ in white space; the keys and words may not.
                text => match serde_json::from_str::<serde_json::Value>(text) {
                    Ok(value) if value["answer"] == "red" || value["answer"] == "blue" => {
                        Ok("json_schema".into())
                    }
                    _ => Err(format!("it took the schema and broke it: {text:.60}")),
                },
            });
    report.gives_probabilities = ask(client, url, model, with_logprobs)
        .await
        .and_then(|answer| {
            if answer.tokens.is_empty() {
                Err("none in the answer".into())
            } else {
                Ok("yes".into())
            }
        });
    report
}

async fn ask(
    client: &reqwest::Client,
    url: &str,
    model: &str,
    agreement: Agreement,
) -> Result<crate::labeler::Answer, String> {
    let picture = Picture {
        width: 56,
        height: 56,
        rgb: [217, 43, 43].repeat(56 * 56),
    };
    let png = wire::data_url(&picture).map_err(|error| error.to_string())?;
    let request = LabelRequest {
        ticket: 0,
        group: GroupId(0),
        chat: Chat {
            system: "You answer in JSON.".into(),
            user: "Is the picture red or blue? Answer as {\"answer\":\"red\"}.".into(),
            images: 1,
        },
        picture: None,
        schema: Arc::new(json!({
            "type": "object",
            "properties": {"answer": {"type": "string", "enum": ["red", "blue"]}},
            "required": ["answer"],
            "additionalProperties": false,
        })),
        max_new_tokens: 24,
    };
    let body = wire::request_body(model, &request, Some(&png), agreement, false);
    let begun = Instant::now();
    let response = client
        .post(format!("{url}/chat/completions"))
        .header(reqwest::header::CONTENT_TYPE, "application/json")
        .body(body.to_string())
        .send()
        .await
        .map_err(|error| error_words(&error))?;
    let status = response.status();
    let bytes = match read_body(response).await {
        Ok(bytes) => bytes,
        Err(_) => return Err("the answer broke off".into()),
    };
    if !status.is_success() {
        return Err(format!(
            "status {}: {}",
            status.as_u16(),
            wire::server_words(&String::from_utf8_lossy(&bytes))
        ));
    }
    wire::read_answer(&bytes, begun.elapsed())
}

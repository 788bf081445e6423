//! Tests of the features that a server supports: ways to send the schema, and probabilities.

use crate::run::{label, label_with, options, quick};
use crate::server::{Reply, Server, completion, good, name, record};
use labeler_tui::labeler::LabelEvent;
use serde_json::{Value, json};

fn refused(words: &str) -> Reply {
    Reply::Json(400, json!({"error": {"message": words}}))
}

#[test]
fn features_that_a_server_rejects_are_dropped_once() {
    let server = Server::start(|request| {
        let body = &request.body;
        if body.get("response_format").is_some() {
            return refused("response_format is not supported");
        }
        if body.get("guided_json").is_some() {
            return Reply::Json(422, json!({"detail": "extra field guided_json"}));
        }
        let words = format!("Sure!\n```json\n{}\n```", record("모자"));
        Reply::Json(200, completion(&words))
    });
    let mut one_by_one = options(&[&server.url]);
    one_by_one.concurrency = 1;
    let run = label_with(one_by_one, quick(), 20);
    assert_eq!(run.texts.len(), 20, "{:?}", run.failures);
    assert_eq!(run.info.detail, "plain text");
    assert_eq!(run.notices.len(), 2, "{:?}", run.notices);
    assert_eq!(server.bodies().len(), 22, "dropped once per run");
    let shown: Vec<&str> = run
        .events
        .iter()
        .filter_map(|event| match event {
            LabelEvent::Changed(info) => Some(info.detail.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(shown.last(), Some(&"plain text"));
}

#[test]
fn concurrent_rejections_drop_a_feature_once() {
    let server = Server::start(|request| match request.body.get("response_format") {
        Some(_) => refused("response_format: unknown"),
        None => good(request),
    });
    let run = label(&server, 40);
    assert_eq!(run.texts.len(), 40, "{:?}", run.failures);
    assert_eq!(run.info.detail, "guided_json");
    assert_eq!(run.notices.len(), 1, "{:?}", run.notices);
}

#[test]
fn a_schema_that_is_accepted_but_not_followed_counts_as_rejected() {
    let server = Server::start(|request| match request.body.get("response_format") {
        Some(_) => Reply::Json(200, completion("I see a hat.")),
        None => good(request),
    });
    let run = label(&server, 10);
    let answered = run.texts.values().filter(|text| text.starts_with('{'));
    assert_eq!(answered.count(), 10, "{:?}", run.texts);
    assert_eq!(run.info.detail, "guided_json");
}

#[test]
fn the_rejected_schema_of_one_item_does_not_affect_others() {
    let server = Server::start(|request| {
        let odd = name(&request.body) == "모자 5";
        match odd && request.body.get("response_format").is_some() {
            true => refused("Grammar error: cannot compile this regex"),
            false => good(request),
        }
    });
    let mut one_by_one = options(&[&server.url]);
    one_by_one.concurrency = 1;
    let run = label_with(one_by_one, quick(), 9);
    assert_eq!(run.texts.len(), 9, "{:?}", run.failures);
    assert_eq!(run.info.detail, "json_schema");
    assert!(run.notices.is_empty(), "{:?}", run.notices);
    let last = server.bodies().pop().unwrap();
    assert!(last.get("response_format").is_some());
}

#[test]
fn an_invalid_answer_is_not_retried_by_the_labeler() {
    let server = Server::start(|request| match name(&request.body).as_str() {
        "모자 2" => Reply::Json(200, completion("I see a hat.")),
        "모자 3" => {
            let message = json!({"content": null, "refusal": "I'd rather not"});
            Reply::Json(200, json!({"choices": [{"message": message}]}))
        }
        _ => good(request),
    });
    let mut one_by_one = options(&[&server.url]);
    one_by_one.concurrency = 1;
    let run = label_with(one_by_one, quick(), 4);
    assert_eq!(run.texts[&2], "I see a hat.");
    assert_eq!(run.texts[&3], "I'd rather not");
    assert_eq!(
        run.counts.requests, 4,
        "the engine retries with the strict prompt"
    );
}

#[test]
fn missing_probabilities_are_reported_once() {
    let without = || {
        let mut answer = completion(&record("모자"));
        answer["choices"][0]["logprobs"] = Value::Null;
        Reply::Json(200, answer)
    };
    let refuses = Server::start(move |request| match request.body.get("logprobs") {
        Some(_) => Reply::Json(400, json!({"error": "logprobs are not available"})),
        None => without(),
    });
    let ignores = Server::start(move |_| without());
    for server in [refuses, ignores] {
        let run = label(&server, 12);
        assert_eq!(run.texts.len(), 12);
        assert_eq!(run.notices.len(), 1, "{:?}", run.notices);
        assert!(run.notices[0].contains("probabilities"));
        assert_eq!(run.info.detail, "json_schema, no probabilities");
    }
}

#[test]
fn tokens_without_an_alternative_in_the_schema_are_forced() {
    let server = Server::start(good);
    let run = label(&server, 1);
    let answer = run.answer(1);
    let forced = answer.tokens.iter().filter(|token| token.forced);
    let forced: Vec<u8> = forced.flat_map(|token| token.bytes.clone()).collect();
    let forced = String::from_utf8(forced).unwrap();
    // The server's tokens are single characters, and whitespace is not forced.
    assert!(
        forced.contains("label_ko\"") && forced.contains("tags_ko\""),
        "{forced}"
    );
    assert!(
        !forced.contains("붉은") && !forced.contains("모자"),
        "{forced}"
    );
    assert_eq!(answer.counts.forced, forced.chars().count());
}

//! `doctor --endpoint`: each question about a server has its own answer.

use crate::KEY;
use crate::common::{Desk, ended};
use crate::server::{Reply, Server, completion, good};
use serde_json::{Value, json};
use std::collections::HashMap;

fn findings(server: &Server, model: &str, status: i32) -> HashMap<String, (String, String)> {
    let desk = Desk::new();
    let args = [
        "doctor",
        "--json",
        "--model",
        model,
        "--endpoint",
        &server.url,
    ];
    let told = ended(desk.plain(&args).env("LABELER_API_KEY", KEY)).expect(status);
    assert!(!told.out.contains(KEY) && !told.err.contains(KEY));
    let report: Value = serde_json::from_str(&told.out).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .map(|f| (text(&f["area"]), (text(&f["verdict"]), text(&f["found"]))))
        .collect()
}

/// Says how many tokens the prompt had, with a picture or without.
fn counted(request: &crate::server::Request, text: &str) -> Reply {
    let mut answer = completion(text);
    let picture = request.body.to_string().contains("image_url");
    answer["usage"]["prompt_tokens"] = json!(if picture { 44 } else { 40 });
    Reply::Json(200, answer)
}

#[test]
fn a_server_that_can_do_everything() {
    let server = Server::start(|request| match request.path.ends_with("/models") {
        true => good(request),
        false if request.body.get("response_format").is_some() => {
            counted(request, "{\"label_ko\": \"붉은 별빛 모자")
        }
        false => counted(request, "red"),
    });
    let found = findings(&server, "qwen", 0);
    for (area, words) in [
        ("reachable", "ms"),
        ("model listed", "qwen"),
        ("images", "4 tokens"),
        ("schema", "json_schema"),
        ("probabilities", "yes"),
    ] {
        let (verdict, told) = &found[area];
        assert_eq!(verdict, "works", "{area}: {told}");
        assert!(told.contains(words), "{area}: {told}");
    }
}

#[test]
fn a_server_that_can_do_little() {
    let server = Server::start(|request| {
        if request.path.ends_with("/models") {
            return good(request);
        }
        if request.body.get("response_format").is_some() {
            let words = format!("no response_format for {KEY}");
            return Reply::Json(400, json!({"error": {"message": words}}));
        }
        let mut answer = completion("red");
        answer["choices"][0]["logprobs"] = Value::Null;
        Reply::Json(200, answer)
    });
    let found = findings(&server, "llava", 1);
    for (area, verdict, words) in [
        ("model listed", "limited", "it lists qwen, not llava"),
        ("images", "broken", "it drops the picture"),
        ("schema", "limited", "no response_format for [key]"),
        (
            "schema",
            "limited",
            "guided_json is taken but not kept to: \"red\"",
        ),
        ("probabilities", "limited", "none in the answer"),
    ] {
        let (found, told) = &found[area];
        assert_eq!(found, verdict, "{area}: {told}");
        assert!(told.contains(words), "{area}: {told}");
    }
}

#[test]
fn a_server_that_is_not_there() {
    let server = Server::start(good);
    let desk = Desk::new();
    let args = [
        "doctor",
        "--endpoint",
        "http://127.0.0.1:1/v1",
        "--endpoint",
        &server.url,
    ];
    let told = ended(&mut desk.plain(&args)).expect(1);
    assert!(
        told.out.contains("not asked: the server is not reachable"),
        "{}",
        told.out
    );
    assert!(told.out.contains(&server.url), "the others are still asked");
    let offline = ended(desk.plain(&args).env("HF_HUB_OFFLINE", "1")).expect(1);
    assert!(offline.out.contains("--offline"), "{}", offline.out);
}

#[test]
fn an_address_without_an_api_is_answered_with_the_one_that_has_it() {
    let server = Server::start(|request| match request.path.starts_with("/v1/") {
        true => good(request),
        false => Reply::Json(404, json!({"detail": "Not Found"})),
    });
    let desk = Desk::new();
    let base = server.url.trim_end_matches("/v1");
    let asked = ["doctor", "--model", "qwen", "--endpoint", base];
    let told = ended(&mut desk.plain(&asked)).expect(1).out;
    let words = format!("there is no API at this address; {} has one", server.url);
    assert!(told.contains(&words), "{told}");
    assert!(told.contains("not asked"), "{told}");
}

#[test]
fn a_gateway_that_answers_for_nobody_is_not_reachable() {
    let server = Server::start(|_| Reply::Json(503, json!({"error": "no backend"})));
    let found = findings(&server, "qwen", 1);
    let (verdict, told) = &found["reachable"];
    assert_eq!((verdict.as_str(), told.as_str()), ("broken", "status 503"));
}

//! Tests of `doctor --endpoint`: each check of a server has its own result.

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
    let output = ended(desk.plain(&args).env("LABELER_API_KEY", KEY)).expect(status);
    assert!(!output.out.contains(KEY) && !output.err.contains(KEY));
    let report: Value = serde_json::from_str(&output.out).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .map(|f| (text(&f["area"]), (text(&f["verdict"]), text(&f["found"]))))
        .collect()
}

/// A completion whose token count depends on whether there is a picture.
fn counted(request: &crate::server::Request, text: &str) -> Reply {
    let mut answer = completion(text);
    let picture = request.body.to_string().contains("image_url");
    answer["usage"]["prompt_tokens"] = json!(if picture { 44 } else { 40 });
    Reply::Json(200, answer)
}

#[test]
fn a_server_that_supports_everything() {
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
        let (verdict, detail) = &found[area];
        assert_eq!(verdict, "works", "{area}: {detail}");
        assert!(detail.contains(words), "{area}: {detail}");
    }
}

#[test]
fn a_server_that_supports_little() {
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
        ("images", "broken", "it ignores the picture"),
        ("schema", "limited", "no response_format for [key]"),
        (
            "schema",
            "limited",
            "guided_json is accepted but not followed: \"red\"",
        ),
        ("probabilities", "limited", "none in the answer"),
    ] {
        let (found, detail) = &found[area];
        assert_eq!(found, verdict, "{area}: {detail}");
        assert!(detail.contains(words), "{area}: {detail}");
    }
}

#[test]
fn an_unreachable_server() {
    let server = Server::start(good);
    let desk = Desk::new();
    let args = [
        "doctor",
        "--endpoint",
        "http://127.0.0.1:1/v1",
        "--endpoint",
        &server.url,
    ];
    let output = ended(&mut desk.plain(&args)).expect(1);
    assert!(
        output
            .out
            .contains("not checked: the server is not reachable"),
        "{}",
        output.out
    );
    assert!(
        output.out.contains(&server.url),
        "the others are still checked"
    );
    let offline = ended(desk.plain(&args).env("HF_HUB_OFFLINE", "1")).expect(1);
    assert!(offline.out.contains("--offline"), "{}", offline.out);
}

#[test]
fn the_error_for_a_url_without_an_api_suggests_the_right_one() {
    let server = Server::start(|request| match request.path.starts_with("/v1/") {
        true => good(request),
        false => Reply::Json(404, json!({"detail": "Not Found"})),
    });
    let desk = Desk::new();
    let base = server.url.trim_end_matches("/v1");
    let doctor = ["doctor", "--model", "qwen", "--endpoint", base];
    let output = ended(&mut desk.plain(&doctor)).expect(1).out;
    let message = format!("no API at this URL; use {}", server.url);
    assert!(output.contains(&message), "{output}");
    assert!(output.contains("not checked"), "{output}");
}

#[test]
fn a_gateway_without_a_backend_is_not_reachable() {
    let server = Server::start(|_| Reply::Json(503, json!({"error": "no backend"})));
    let found = findings(&server, "qwen", 1);
    let (verdict, detail) = &found["reachable"];
    assert_eq!(
        (verdict.as_str(), detail.as_str()),
        ("broken", "status 503")
    );
}

//! Tests of server errors and their effect on items.

use crate::KEY;
use crate::run::{hasty, label, label_with, options, quick, watched};
use crate::server::{Reply, Server, chats, completion, good, name, record};
use labeler_tui::labeler::LabelEvent;
use serde_json::json;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[test]
fn a_request_has_picture_prompt_and_schema_and_its_answer_probabilities() {
    let server = Server::start(good);
    let run = label(&server, 1);
    assert_eq!(run.texts[&1], record("모자 1"));
    let answer = run.answer(1);
    assert!(
        answer
            .tokens
            .iter()
            .all(|token| token.logprob == Some(-0.25))
    );
    let spelled: Vec<u8> = answer.tokens.iter().flat_map(|t| t.bytes.clone()).collect();
    assert_eq!(spelled, answer.text.as_bytes());
    assert_eq!((answer.counts.prompt, answer.counts.shared), (400, 320));

    let seen = server.seen.lock().unwrap();
    assert_eq!(seen[0].path, "/v1/models", "the check at the start");
    assert_eq!(seen[1].path, "/v1/chat/completions");
    assert_eq!(seen[1].headers["authorization"], format!("Bearer {KEY}"));
    let body = &seen[1].body;
    assert_eq!(body["model"], "qwen");
    assert_eq!(body["temperature"], 0);
    assert_eq!(body["max_tokens"], 300);
    assert_eq!(body["logprobs"], true);
    assert_eq!(body["response_format"]["type"], "json_schema");
    assert_eq!(body["response_format"]["json_schema"]["strict"], true);
    assert_eq!(body["messages"][0]["content"], "Label the icon.");
    let parts = body["messages"][1]["content"].as_array().unwrap();
    assert_eq!(parts[1]["text"], "모자 1");
    let url = parts[0]["image_url"]["url"].as_str().unwrap();
    let png = base64::Engine::decode(
        &base64::engine::general_purpose::STANDARD,
        url.strip_prefix("data:image/png;base64,").unwrap(),
    )
    .unwrap();
    let pixels = image::load_from_memory(&png).unwrap().to_rgb8();
    assert_eq!(pixels.as_raw(), &[255, 0, 0, 0, 0, 255]);
    assert_eq!(run.counts.requests, 1);
    assert_eq!(run.counts.retries, 0);
    assert_eq!(run.counts.prompt_tokens, 400);
    assert!(run.counts.bytes_sent > 200 && run.counts.bytes_received > 200);
}

#[test]
fn requests_are_retried_after_transient_errors() {
    type Error = fn() -> Reply;
    let errors: [(&str, Error); 11] = [
        ("408", || {
            Reply::Json(408, json!({"error": {"message": "slow"}}))
        }),
        ("409", || Reply::Json(409, json!({"error": "conflict"}))),
        ("429", || Reply::Json(429, json!({"detail": "busy"}))),
        ("500", || Reply::Json(500, json!({}))),
        ("502", || Reply::Raw(502, "<html>bad gateway".into())),
        ("503", || Reply::Json(503, json!({"message": "overloaded"}))),
        ("504", || Reply::Raw(504, String::new())),
        ("a truncated body", || Reply::Cut),
        ("a silent body", || Reply::Silent),
        ("no JSON", || Reply::Raw(200, "<html>not JSON".into())),
        ("other JSON", || {
            Reply::Json(200, json!({"choices": "none"}))
        }),
    ];
    for (error, reply) in errors {
        let calls = AtomicUsize::new(0);
        let server = Server::start(chats(move |request| {
            match calls.fetch_add(1, Ordering::SeqCst) {
                0 => reply(),
                _ => good(request),
            }
        }));
        let run = match error {
            "a silent body" => label_with(options(&[&server.url]), hasty(), 1),
            _ => label(&server, 1),
        };
        assert_eq!(run.texts.len(), 1, "{error}: {:?}", run.failures);
        // With its short timeouts the second request may time out too.
        assert!(run.counts.retries >= 1, "{error}");
        assert!(
            error == "a silent body" || run.counts.requests == 2,
            "{error}"
        );
    }
}

#[test]
fn a_slow_body_is_accepted_as_long_as_it_makes_progress() {
    let server = Server::start(chats(|request| {
        Reply::Slow(completion(&record(&name(&request.body))))
    }));
    let start = Instant::now();
    let run = label_with(options(&[&server.url]), hasty(), 1);
    assert!(start.elapsed() > hasty().read_timeout, "it was not slow");
    assert_eq!(run.texts.len(), 1);
}

#[test]
fn retry_after_is_respected() {
    for status in [429, 503] {
        let calls = AtomicUsize::new(0);
        let server = Server::start(chats(move |request| {
            match calls.fetch_add(1, Ordering::SeqCst) {
                0 => Reply::With(status, vec![("retry-after", "1".into())], json!({})),
                _ => good(request),
            }
        }));
        let start = Instant::now();
        let run = label(&server, 1);
        assert_eq!(run.texts.len(), 1);
        assert!(start.elapsed() >= Duration::from_secs(1));
        assert!(run.notices.is_empty(), "a busy server is not unavailable");
    }
}

#[test]
fn a_permanent_error_fails_the_item_with_the_servers_message() {
    let server = Server::start(chats(|_| {
        let words = format!("CUDA says no to {KEY}\u{1b}[31m");
        Reply::Json(500, json!({"error": {"message": words}}))
    }));
    let run = label(&server, 2);
    assert_eq!(run.failures.len(), 2);
    let words = &run.failures[&1];
    assert!(
        words.contains("500") && words.contains("CUDA says no to [key]"),
        "{words}"
    );
    assert!(!words.contains('\u{1b}'));
}

#[test]
fn a_refusal_fails_the_item_without_a_retry() {
    for status in [400, 401, 403, 404, 413, 422] {
        let server = Server::start(move |request| match name(&request.body).as_str() {
            "모자 2" => Reply::Json(status, json!({"error": {"message": "no such thing"}})),
            _ => good(request),
        });
        let run = label(&server, 3);
        assert_eq!(run.texts.len(), 2);
        let words = &run.failures[&2];
        assert!(words.contains("no such thing"), "{words}");
        assert!(words.contains(&status.to_string()), "{words}");
        assert_eq!(run.counts.requests, 3);
    }
}

#[test]
fn a_server_that_refuses_everything_ends_the_run_early() {
    for (status, max) in [(401, 8), (403, 8), (404, 8), (405, 8), (400, 16), (422, 16)] {
        let server = Server::start(chats(move |_| {
            Reply::Json(status, json!({"error": {"message": "no such thing"}}))
        }));
        let run = label(&server, 500);
        let error = run.ended.unwrap_err();
        let words = format!("{} answered {status}: no such thing", server.url);
        assert_eq!(error.cause, words);
        assert!(error.hint.unwrap().contains("doctor"));
        assert!(run.texts.is_empty());
        // Refused items have failed; the others wait for another run.
        assert!(run.failures.len() < 8, "{status}: {:?}", run.failures);
        let requests = run.counts.requests;
        assert!(requests <= max, "{status}: {requests}");
    }
}

#[test]
fn the_run_continues_without_a_server_that_refuses_everything() {
    let good_one = Server::start(good);
    let bad = Server::start(chats(|_| Reply::Json(404, json!({"detail": "Not Found"}))));
    let run = label_with(options(&[&bad.url, &good_one.url]), quick(), 60);
    assert_eq!(run.texts.len(), 60, "{:?}", run.failures);
    assert_eq!(run.notices.len(), 1, "{:?}", run.notices);
    let notice = &run.notices[0];
    assert!(
        notice.contains("refuses every item (answered 404"),
        "{notice}"
    );
    assert!(
        notice.contains("continuing with one other server"),
        "{notice}"
    );
    assert!(bad.bodies().len() <= 8);
}

#[test]
fn a_record_that_contains_the_key_is_rejected() {
    let escaped: String = KEY
        .chars()
        .map(|c| format!("\\u{:04x}", c as u32))
        .collect();
    let server = Server::start(chats(move |request| {
        let name = name(&request.body);
        let text = match name.as_str() {
            "모자 1" => record(&format!("모자 {KEY}")),
            "모자 2" => record("모자 HERE").replace("HERE", &escaped),
            _ => record(&name),
        };
        Reply::Json(200, completion(&text))
    }));
    let run = label(&server, 3);
    assert_eq!(run.texts.len(), 1);
    for item in [1, 2] {
        assert!(
            run.failures[&item].contains("repeats the key"),
            "{:?}",
            run.failures
        );
    }
}

#[test]
fn the_backoff_is_the_minimum_delay_and_a_long_one_is_reported() {
    let calls = AtomicUsize::new(0);
    let server = Server::start(chats(move |_| {
        let after = match calls.fetch_add(1, Ordering::SeqCst) {
            0 => "0",
            1 => "Wed, 21 Oct 2015 07:28:00 GMT",
            _ => "600",
        };
        Reply::With(429, vec![("retry-after", after.into())], json!({}))
    }));
    let mut retry = quick();
    retry.backoff = Duration::from_millis(200);
    retry.max_backoff = Duration::from_millis(200);
    let start = Instant::now();
    let mut notices = Vec::new();
    let run = watched(options(&[&server.url]), retry, 1, |event| {
        if let LabelEvent::Notice(notice) = event {
            notices.push(format!("{notice:?}"));
        }
        !notices.is_empty()
    });
    assert!(start.elapsed() >= Duration::from_millis(200), "no backoff");
    assert_eq!(run.counts.requests, 3);
    assert!(
        run.notices[0].ends_with("is busy and asks to wait for 10 min 0 s"),
        "{:?}",
        run.notices
    );
}

#[test]
fn redirects_to_another_host_are_not_followed() {
    let thief = Server::start(good);
    let target = thief.url.clone().replace("127.0.0.1", "localhost");
    let server = Server::start(move |_| {
        let to = format!("{target}/chat/completions");
        Reply::With(307, vec![("location", to)], json!({}))
    });
    let run = label(&server, 1);
    let error = run.ended.unwrap_err();
    assert!(error.cause.contains("redirects"), "{error}");
    assert!(thief.seen.lock().unwrap().is_empty());
}

#[test]
fn a_redirect_on_the_same_host_keeps_the_key() {
    let server = Server::start(|request| match request.path.as_str() {
        "/v1/chat/completions" => {
            let to = "/api/chat/completions".to_owned();
            Reply::With(307, vec![("location", to)], json!({}))
        }
        _ => good(request),
    });
    assert_eq!(label(&server, 1).texts.len(), 1);
    let seen = server.seen.lock().unwrap();
    let last = seen.last().unwrap();
    assert_eq!(last.path, "/api/chat/completions");
    assert_eq!(last.headers["authorization"], format!("Bearer {KEY}"));
}

#[test]
fn a_canceled_run_returns_immediately() {
    let server = Server::start(|request| match name(&request.body).as_str() {
        "모자 1" => good(request),
        _ => Reply::Silent,
    });
    let run = watched(options(&[&server.url]), quick(), 5, |event| {
        matches!(event, LabelEvent::Done { .. })
    });
    assert_eq!((run.texts.len(), run.failures.len()), (1, 0));
}

// Labels 1000 items; set `ITEMS` for another number.
#[test]
fn many_concurrent_requests_with_errors_lose_nothing() {
    let items = std::env::var("ITEMS").ok();
    let items: u64 = items.map_or(1000, |items| items.parse().unwrap());
    let calls = AtomicUsize::new(0);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let reply = chats(
        move |request| match calls.fetch_add(1, Ordering::SeqCst) % 100 {
            13 => Reply::Json(500, json!({"error": "oops"})),
            31 => Reply::Json(429, json!({"error": "later"})),
            47 => Reply::Cut,
            59 => Reply::Raw(200, "{\"choices\": [".into()),
            83 => Reply::Json(503, json!({"error": "overloaded"})),
            _ => good(request),
        },
    );
    let server = Server::on(listener, false, reply);
    let mut many = options(&[&server.url]);
    many.concurrency = 64;
    let mut retry = quick();
    retry.tries = 12;
    let run = label_with(many, retry, items);
    assert_eq!(run.texts.len() as u64, items, "{:?}", run.failures);
    for (ticket, text) in &run.texts {
        assert_eq!(*text, record(&format!("모자 {ticket}")));
    }
    assert!(run.max_in_flight <= 64);
    assert!(run.counts.retries >= items / 20, "{:?}", run.counts);
}

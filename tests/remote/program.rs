//! Tests of the real program with `--endpoint`.

use crate::KEY;
use crate::common::{Desk, ended};
use crate::server::{Reply, Server, chats, completion, good, name, record, unused_address};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};

const BATCH: [&str; 5] = ["--batch", "--images", "source", "--outdir", "out"];

/// Arguments of `--batch` through a server.
pub fn through<'a>(server: &'a Server, more: &[&'a str]) -> Vec<&'a str> {
    let mut args = BATCH.to_vec();
    args.extend(["--model", "qwen", "--endpoint", &server.url]);
    args.extend(more);
    args
}

#[test]
fn a_batch_writes_the_same_records_as_with_a_local_model() {
    let names = ["가죽 모자", "천 모자", "별빛 모자"];
    let desk = Desk::with_icons(&names);
    desk.batch(&[]).expect(0);
    let local = desk.records();

    let server = Server::start(good);
    std::fs::remove_dir_all(desk.path().join("out")).unwrap();
    let output = ended(&mut desk.plain(&through(&server, &["--json"]))).expect(0);
    let mut remote = desk.records();
    for (record, local) in remote.iter_mut().zip(&local) {
        assert_eq!(record["model"], "qwen");
        for key in ["model", "generated_at"] {
            record[key] = local[key].clone();
        }
    }
    assert_eq!(remote, local);
    let summary = output.events().pop().unwrap();
    let counts = &summary["remote"];
    assert_eq!(
        (&counts["requests"], &counts["retries"]),
        (&json!(3), &json!(0))
    );
    assert_eq!(counts["prompt_tokens"], 3 * 400);
    for key in ["bytes_sent", "bytes_received", "new_tokens"] {
        assert!(counts[key].as_u64().unwrap() > 100, "{key}");
    }
    let events = output.events();
    let ready = events.iter().find(|event| event["event"] == "model_ready");
    let ready = ready.unwrap();
    assert_eq!(ready["device"], server.url.as_str());
    assert_eq!(ready["detail"], "json_schema");
}

#[test]
fn an_invalid_answer_gets_one_strict_retry() {
    let desk = Desk::with_icons(&["가죽 모자", "돌 모자", "천 모자"]);
    let server = Server::start(chats(|request| {
        let strict = request.body.to_string().contains("was not good enough");
        match name(&request.body).as_str() {
            "돌 모자" => Reply::Json(200, completion("Always a hat.")),
            "천 모자" if !strict => Reply::Json(200, completion("I see a hat.")),
            _ => good(request),
        }
    }));
    let one_by_one = through(&server, &["--concurrency", "1"]);
    ended(&mut desk.plain(&one_by_one)).expect(3);
    assert_eq!(desk.names(), ["가죽 모자", "천 모자"]);
    assert_eq!(desk.errors()[0]["code"], "invalid_json");
    assert_eq!(server.bodies().len(), 5);
}

#[test]
fn a_run_waits_for_its_server_with_wait() {
    let free = unused_address();
    let desk = Desk::with_icons(&["가죽 모자", "천 모자"]);
    let url = format!("http://{free}/v1");
    let mut args = BATCH.to_vec();
    args.extend(["--endpoint", &url, "--json", "--wait"]);
    let _unchanged = desk.sources();
    let mut running = desk.plain(&args).stdout(Stdio::piped()).spawn().unwrap();
    let mut server = None;
    let mut warnings = Vec::new();
    for line in BufReader::new(running.stdout.take().unwrap()).lines() {
        let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
        if event["event"] == "warning" {
            warnings.push(event["text"].as_str().unwrap().to_owned());
            server.get_or_insert_with(|| Server::on(TcpListener::bind(free).unwrap(), true, good));
        }
    }
    assert!(running.wait().unwrap().success());
    assert!(
        warnings[0].contains("the run is paused until it is back"),
        "{warnings:?}"
    );
    assert!(warnings[1].contains("is back"), "{warnings:?}");
    assert_eq!(desk.records().len(), 2);
}

#[test]
fn an_unreachable_server_at_the_start_ends_the_run() {
    let desk = Desk::with_icons(&["가죽 모자", "천 모자"]);
    let url = format!("http://{}/v1", unused_address());
    let mut args = BATCH.to_vec();
    args.extend(["--endpoint", &url]);
    let output = ended(&mut desk.plain(&args)).expect(1);
    assert!(
        output.err.contains(&format!("no server answers: {url}: ")),
        "{}",
        output.err
    );
    assert!(output.err.contains("hint: start it"), "{}", output.err);
    assert!(!desk.path().join("out").exists(), "nothing is made");
    let server = Server::start(good);
    ended(&mut desk.plain(&through(&server, &["--resume"]))).expect(0);
    assert_eq!(desk.records().len(), 2);
    let alone = ["--images", "source", "--batch", "--outdir", "out", "--wait"];
    assert!(
        ended(&mut desk.plain(&alone))
            .expect(2)
            .err
            .contains("--endpoint")
    );
}

#[test]
fn a_wrong_key_ends_the_run_and_fails_no_item() {
    let desk = Desk::with_icons(&["가죽 모자", "천 모자"]);
    let server = Server::start(chats(|_| {
        Reply::Json(401, json!({"error": "who are you?"}))
    }));
    let output = ended(&mut desk.plain(&through(&server, &[]))).expect(1);
    assert!(
        output.err.contains("answered 401: who are you?"),
        "{}",
        output.err
    );
    assert!(output.err.contains("LABELER_API_KEY"), "{}", output.err);
    assert!(desk.errors().is_empty());
    let server = Server::start(good);
    ended(&mut desk.plain(&through(&server, &["--resume"]))).expect(0);
    assert_eq!(desk.records().len(), 2);
}

#[test]
fn a_key_without_credit_stops_the_run_and_the_rest_waits_for_the_next_one() {
    let desk = Desk::new();
    for item in 0..40 {
        desk.icon(&format!("모자 {item}"));
    }
    let calls = AtomicUsize::new(0);
    let server = Server::start(chats(move |request| {
        match calls.fetch_add(1, Ordering::SeqCst) < 6 {
            true => good(request),
            false => Reply::Json(402, json!({"error": "out of credit"})),
        }
    }));
    let output = ended(&mut desk.plain(&through(&server, &["--concurrency", "4"]))).expect(1);
    assert_eq!(desk.records().len(), 6);
    let failed = desk.errors().len();
    assert!(failed < 5 + 4, "{failed}");
    assert_eq!(output.err.matches("\nfailed: ").count(), failed);
    for words in [
        "stopped: everything finished is saved; continue with --resume",
        "answered 402: out of credit",
        "hint: the server answered before: check its state, the key and its credit",
    ] {
        assert!(output.err.contains(words), "{}", output.err);
    }
    assert!(
        output
            .out
            .contains(&format!("not labeled: {}", 34 - failed)),
        "{}",
        output.out
    );
    let server = Server::start(good);
    ended(&mut desk.plain(&through(&server, &["--resume"]))).expect(0);
    assert_eq!(desk.records().len(), 40);
    assert!(desk.errors().is_empty());
}

#[test]
fn errors_and_a_kill_lose_nothing_and_label_nothing_twice() {
    let names: Vec<String> = (0..120).map(|n| format!("모자 {n}")).collect();
    let desk = Desk::new();
    for name in &names {
        desk.icon(name);
    }
    let calls = AtomicUsize::new(0);
    let server = Server::start(chats(move |request| {
        match calls.fetch_add(1, Ordering::SeqCst) % 20 {
            7 => Reply::Json(429, json!({"error": "later"})),
            13 => Reply::Cut,
            _ => good(request),
        }
    }));
    let args = through(&server, &["--concurrency", "16", "--json"]);
    let _unchanged = desk.sources();
    let mut running = desk.plain(&args).stdout(Stdio::piped()).spawn().unwrap();
    let mut labeled = 0;
    for line in BufReader::new(running.stdout.take().unwrap()).lines() {
        labeled += usize::from(line.unwrap().contains("\"labeled\""));
        if labeled == 30 {
            running.kill().unwrap();
        }
    }
    running.wait().unwrap();
    let resumed = through(&server, &["--concurrency", "16", "--json", "--resume"]);
    let output = ended(&mut desk.plain(&resumed)).expect(0);
    let mut labeled = desk.names();
    labeled.sort();
    let mut names = names;
    names.sort();
    assert_eq!(labeled, names);
    let summary = output.events().pop().unwrap();
    assert!(summary["requests"].as_u64().unwrap() <= 90, "{summary}");
}

/// Path and content of every file under a folder.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push((path.display().to_string(), std::fs::read(&path).unwrap())),
        }
    }
    found
}

#[test]
fn the_key_never_appears_in_files_or_output() {
    let desk = Desk::with_icons(&["가죽 모자", "돌 모자", "천 모자"]);
    let calls = AtomicUsize::new(0);
    let server = Server::start(chats(move |request| {
        assert_eq!(request.headers["authorization"], format!("Bearer {KEY}"));
        let error = json!({"error": {"message": format!("who is {KEY}?")}});
        match (
            calls.fetch_add(1, Ordering::SeqCst),
            name(&request.body).as_str(),
        ) {
            (0, _) => Reply::Json(500, error),
            (_, "돌 모자") => Reply::Json(401, error),
            (_, "천 모자") => {
                Reply::With(302, vec![("location", format!("http://x/{KEY}"))], error)
            }
            _ => good(request),
        }
    }));
    let noisy = through(
        &server,
        &["--json", "--log-level", "trace", "--concurrency", "1"],
    );
    let mut outputs = vec![ended(desk.plain(&noisy).env("LABELER_API_KEY", KEY)).expect(3)];
    // Both remaining items are refused.
    let plain = through(&server, &["--resume"]);
    outputs.push(ended(desk.plain(&plain).env("LABELER_API_KEY", KEY)).expect(1));
    let ask = ask(&server, "name: 돌 모자");
    outputs.push(ended(desk.plain(&ask).env("LABELER_API_KEY", KEY)).expect(1));
    let secret = format!("http://me:{KEY}@127.0.0.1/v1");
    let mut args = BATCH.to_vec();
    args.extend(["--endpoint", &secret]);
    outputs.push(ended(&mut desk.plain(&args)).expect(2));

    assert_eq!(desk.records().len(), 1);
    let details = format!("{:?}", desk.errors());
    assert!(details.contains("who is [key]?"), "{details}");
    for output in &outputs {
        assert!(!output.out.contains(KEY) && !output.err.contains(KEY));
    }
    let files = files(desk.path());
    for (path, bytes) in &files {
        let found = bytes.windows(KEY.len()).any(|part| part == KEY.as_bytes());
        assert!(!found, "the key is in {path}");
    }
    assert!(
        files
            .iter()
            .any(|(path, _)| path.ends_with("journal.sqlite"))
    );
    assert!(
        files
            .iter()
            .any(|(path, bytes)| path.ends_with("labeler.log") && !bytes.is_empty())
    );
}

fn ask<'a>(server: &'a Server, question: &'a str) -> [&'a str; 6] {
    let url = &server.url;
    ["ask", "--model", "qwen", "--endpoint", url, question]
}

#[test]
fn ask_prints_the_servers_answer() {
    let desk = Desk::new();
    let server = Server::start(|_| Reply::Json(200, completion("빨간 모자\u{1b}[31m")));
    let ask = ask(&server, "what is it?");
    let output = ended(&mut desk.plain(&ask)).expect(0);
    assert_eq!(output.out, "빨간 모자[31m\n");
    let body = &server.bodies()[0];
    // The system text is left to the server's chat template.
    assert_eq!(body["messages"].as_array().unwrap().len(), 1);
    assert_eq!(body["messages"][0]["role"], "user");
    let mut with_json = ask.to_vec();
    with_json.insert(1, "--json");
    let output = ended(&mut desk.plain(&with_json)).expect(0);
    let output: Value = serde_json::from_str(&output.out).unwrap();
    assert_eq!(output["finish_reason"], "stop");
    assert_eq!(output["logprobs"][0], -0.25);
}

#[test]
fn bench_measures_a_server() {
    let desk = Desk::new();
    let server = Server::start(|request| {
        let mut answer = completion(&record(&name(&request.body)));
        answer["usage"]["completion_tokens"] = request.body["max_tokens"].clone();
        Reply::Json(200, answer)
    });
    let bench = [
        "bench",
        "--model",
        "qwen",
        "--endpoint",
        &server.url,
        "--icons",
        "5",
    ];
    let mut args = bench.to_vec();
    args.extend(["--new-tokens", "7", "--json"]);
    let output = ended(&mut desk.plain(&args)).expect(0);
    let report: Value = serde_json::from_str(&output.out).unwrap();
    assert_eq!(report["icons"], 5);
    assert_eq!(report["all_new_tokens"], 35);
    assert_eq!(report["shared_prompt_tokens"], 5 * 320);
    assert!(report["icons_per_minute"].as_f64().unwrap() > 0.0);
    assert_eq!(report["load_seconds"], Value::Null);
    let bodies = server.bodies();
    assert_eq!(bodies.len(), 5);
    for body in bodies {
        assert_eq!(body["ignore_eos"], true);
        assert!(body.get("response_format").is_none());
    }
}

/// URL of a proxy with a password.
fn proxy(server: &Server) -> String {
    let address = server.url.trim_start_matches("http://");
    format!("http://me:hunter2@{}", address.trim_end_matches("/v1"))
}

#[test]
fn a_server_on_this_machine_is_never_reached_through_a_proxy() {
    let desk = Desk::with_icons(&["가죽 모자"]);
    let server = Server::start(good);
    let proxied = Server::start(|_| Reply::Raw(502, "a proxy".to_owned()));
    let mut command = desk.plain(&through(&server, &[]));
    for name in ["http_proxy", "HTTPS_PROXY", "all_proxy"] {
        command.env(name, proxy(&proxied));
    }
    command.env("LABELER_API_KEY", KEY);
    let output = ended(&mut command).expect(0);
    assert_eq!(desk.records().len(), 1);
    assert!(proxied.seen.lock().unwrap().is_empty());
    assert!(!output.err.contains("proxy"), "{}", output.err);
}

#[test]
fn a_proxy_is_used_for_other_machines_and_shown_without_its_password() {
    let desk = Desk::with_icons(&["가죽 모자"]);
    let proxied = Server::start(good);
    let url = "http://labeler.invalid:8000/v1";
    let mut args = BATCH.to_vec();
    args.extend(["--model", "qwen", "--endpoint", url]);
    let output = ended(desk.plain(&args).env("http_proxy", proxy(&proxied))).expect(0);
    let named = proxy(&proxied).replace("me:hunter2@", "");
    let notice = format!("{url} is reached through the proxy {named}");
    assert_eq!(output.err.matches(&notice).count(), 1, "{}", output.err);
    assert!(!output.err.contains("hunter2"), "{}", output.err);
    assert_eq!(desk.records().len(), 1);

    let doctor = ["doctor", "--model", "qwen", "--endpoint", url];
    let output = ended(desk.plain(&doctor).env("http_proxy", proxy(&proxied)));
    assert!(output.out.contains(&named), "{}", output.out);
    assert!(!output.out.contains("hunter2"), "{}", output.out);
}

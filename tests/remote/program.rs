//! The real program with `--endpoint`.

use crate::KEY;
use crate::common::{Desk, ended};
use crate::server::{Reply, Server, chats, completion, good, name, nobody, record};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};

const BATCH: [&str; 5] = ["--batch", "--images", "source", "--outdir", "out"];

/// `--batch` through a server.
pub fn through<'a>(server: &'a Server, more: &[&'a str]) -> Vec<&'a str> {
    let mut args = BATCH.to_vec();
    args.extend(["--model", "qwen", "--endpoint", &server.url]);
    args.extend(more);
    args
}

#[test]
fn a_batch_writes_what_a_model_in_process_would() {
    let names = ["가죽 모자", "천 모자", "별빛 모자"];
    let desk = Desk::with_icons(&names);
    desk.batch(&[]).expect(0);
    let local = desk.records();

    let server = Server::start(good);
    std::fs::remove_dir_all(desk.path().join("out")).unwrap();
    let told = ended(&mut desk.plain(&through(&server, &["--json"]))).expect(0);
    let mut remote = desk.records();
    for (record, local) in remote.iter_mut().zip(&local) {
        assert_eq!(record["model"], "qwen");
        for key in ["model", "generated_at"] {
            record[key] = local[key].clone();
        }
    }
    assert_eq!(remote, local);
    let summary = told.events().pop().unwrap();
    let counts = &summary["remote"];
    assert_eq!(
        (&counts["requests"], &counts["retries"]),
        (&json!(3), &json!(0))
    );
    assert_eq!(counts["prompt_tokens"], 3 * 400);
    for key in ["bytes_sent", "bytes_received", "new_tokens"] {
        assert!(counts[key].as_u64().unwrap() > 100, "{key}");
    }
    let events = told.events();
    let ready = events.iter().find(|event| event["event"] == "model_ready");
    let ready = ready.unwrap();
    assert_eq!(ready["device"], server.url.as_str());
    assert_eq!(ready["detail"], "json_schema");
}

#[test]
fn an_answer_that_is_no_record_gets_one_strict_try() {
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
fn a_run_waits_for_its_server() {
    let free = nobody();
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
fn a_server_that_is_not_there_at_the_start_ends_the_run() {
    let desk = Desk::with_icons(&["가죽 모자", "천 모자"]);
    let url = format!("http://{}/v1", nobody());
    let mut args = BATCH.to_vec();
    args.extend(["--endpoint", &url]);
    let told = ended(&mut desk.plain(&args)).expect(1);
    assert!(
        told.err.contains(&format!("no server answers: {url}: ")),
        "{}",
        told.err
    );
    assert!(told.err.contains("hint: start it"), "{}", told.err);
    // Nothing has become of the items.
    assert!(desk.records().is_empty() && desk.errors().is_empty());
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
fn a_wrong_address_or_key_ends_the_run_and_fails_no_item() {
    let desk = Desk::with_icons(&["가죽 모자", "천 모자"]);
    let server = Server::start(chats(|_| {
        Reply::Json(401, json!({"error": "who are you?"}))
    }));
    let told = ended(&mut desk.plain(&through(&server, &[]))).expect(1);
    assert!(
        told.err.contains("answered 401: who are you?"),
        "{}",
        told.err
    );
    assert!(told.err.contains("LABELER_API_KEY"), "{}", told.err);
    assert!(desk.errors().is_empty());
    let server = Server::start(good);
    ended(&mut desk.plain(&through(&server, &["--resume"]))).expect(0);
    assert_eq!(desk.records().len(), 2);
}

#[test]
fn faults_and_an_interruption_lose_nothing_and_label_nothing_twice() {
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
    let told = ended(&mut desk.plain(&resumed)).expect(0);
    let mut labeled = desk.names();
    labeled.sort();
    let mut names = names;
    names.sort();
    assert_eq!(labeled, names);
    let summary = told.events().pop().unwrap();
    assert!(summary["asked"].as_u64().unwrap() <= 90, "{summary}");
}

/// Every file under a folder, and what it holds.
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
fn the_key_is_in_no_file_and_no_output() {
    let desk = Desk::with_icons(&["가죽 모자", "돌 모자", "천 모자"]);
    let calls = AtomicUsize::new(0);
    let server = Server::start(chats(move |request| {
        assert_eq!(request.headers["authorization"], format!("Bearer {KEY}"));
        let told = json!({"error": {"message": format!("who is {KEY}?")}});
        match (
            calls.fetch_add(1, Ordering::SeqCst),
            name(&request.body).as_str(),
        ) {
            (0, _) => Reply::Json(500, told),
            (_, "돌 모자") => Reply::Json(401, told),
            (_, "천 모자") => {
                Reply::With(302, vec![("location", format!("http://x/{KEY}"))], told)
            }
            _ => good(request),
        }
    }));
    let noisy = through(
        &server,
        &["--json", "--log-level", "trace", "--concurrency", "1"],
    );
    let mut outputs = vec![ended(desk.plain(&noisy).env("LABELER_API_KEY", KEY)).expect(3)];
    // Both that are left are refused.
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
fn a_question_is_asked_and_answered() {
    let desk = Desk::new();
    let server = Server::start(|_| Reply::Json(200, completion("빨간 모자\u{1b}[31m")));
    let ask = ask(&server, "what is it?");
    let said = ended(&mut desk.plain(&ask)).expect(0);
    assert_eq!(said.out, "빨간 모자[31m\n");
    let body = &server.bodies()[0];
    // The server's chat template says what stands before it.
    assert_eq!(body["messages"].as_array().unwrap().len(), 1);
    assert_eq!(body["messages"][0]["role"], "user");
    let mut with_json = ask.to_vec();
    with_json.insert(1, "--json");
    let said = ended(&mut desk.plain(&with_json)).expect(0);
    let said: Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(said["finish_reason"], "stop");
    assert_eq!(said["logprobs"][0], -0.25);
}

#[test]
fn the_workload_is_timed_through_a_server() {
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
    let told = ended(&mut desk.plain(&args)).expect(0);
    let report: Value = serde_json::from_str(&told.out).unwrap();
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

/// The address of the server that plays a proxy, with a password as companies have.
fn proxy(server: &Server) -> String {
    let address = server.url.trim_start_matches("http://");
    format!("http://me:hunter2@{}", address.trim_end_matches("/v1"))
}

#[test]
fn a_server_on_this_machine_is_asked_directly_whatever_the_proxy() {
    let desk = Desk::with_icons(&["가죽 모자"]);
    let server = Server::start(good);
    let proxied = Server::start(|_| Reply::Raw(502, "a proxy".to_owned()));
    let mut command = desk.plain(&through(&server, &[]));
    for name in ["http_proxy", "HTTPS_PROXY", "all_proxy"] {
        command.env(name, proxy(&proxied));
    }
    command.env("LABELER_API_KEY", KEY);
    let told = ended(&mut command).expect(0);
    assert_eq!(desk.records().len(), 1);
    assert!(proxied.seen.lock().unwrap().is_empty());
    assert!(!told.err.contains("proxy"), "{}", told.err);
}

#[test]
fn a_proxy_for_another_machine_is_used_and_said_without_its_password() {
    let desk = Desk::with_icons(&["가죽 모자"]);
    let proxied = Server::start(good);
    let url = "http://labeler.invalid:8000/v1";
    let mut args = BATCH.to_vec();
    args.extend(["--model", "qwen", "--endpoint", url]);
    let told = ended(desk.plain(&args).env("http_proxy", proxy(&proxied))).expect(0);
    let named = proxy(&proxied).replace("me:hunter2@", "");
    let said = format!("{url} is reached through the proxy {named}");
    assert_eq!(told.err.matches(&said).count(), 1, "{}", told.err);
    assert!(!told.err.contains("hunter2"), "{}", told.err);
    assert_eq!(desk.records().len(), 1);

    let asked = ["doctor", "--model", "qwen", "--endpoint", url];
    let told = ended(desk.plain(&asked).env("http_proxy", proxy(&proxied)));
    assert!(told.out.contains(&named), "{}", told.out);
    assert!(!told.out.contains("hunter2"), "{}", told.out);
}

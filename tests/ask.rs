//! The commands `ask` and `bench`, against reference answers.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unreachable,
    clippy::unwrap_used
)]

use assert_cmd::Command;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// The program in a clean environment with its own home directory.
fn program(home: &Path) -> Command {
    let mut command = Command::cargo_bin("labeler-tui").unwrap();
    command
        .env_clear()
        .env("HOME", home)
        .env("XDG_CACHE_HOME", home);
    command
}

fn ask(home: &Path, model: &str, arguments: &[&str]) -> Command {
    let mut command = program(home);
    command
        .args(["ask", "--offline", "--model"])
        .arg(fixtures().join(model))
        .args(arguments);
    command
}

fn json(command: &mut Command) -> Value {
    let output = command.assert().success().get_output().stdout.clone();
    serde_json::from_slice(&output).unwrap()
}

#[test]
fn ask_matches_the_reference() {
    let home = tempfile::tempdir().unwrap();
    for model in ["flat", "nested", "parts"] {
        let cases = std::fs::read(fixtures().join(model).join("reference/cases.json")).unwrap();
        let cases: Value = serde_json::from_slice(&cases).unwrap();
        for case in cases["cases"].as_array().unwrap() {
            let mut command = ask(
                home.path(),
                model,
                &[
                    "--json",
                    "--quantize",
                    "none",
                    "--max-new-tokens",
                    "48",
                    "--ignore-eos",
                ],
            );
            command
                .arg("--system")
                .arg(case["system"].as_str().unwrap());
            for image in case["images"].as_array().unwrap() {
                let image = fixtures().join("images").join(image.as_str().unwrap());
                command.arg("--image").arg(image);
            }
            let answer = json(command.arg(case["user"].as_str().unwrap()));
            let name = format!("{model} {}", case["name"]);
            assert_eq!(answer["prompt_token_ids"], case["token_ids"], "{name}");
            assert_eq!(answer["token_ids"], case["greedy"], "{name}");
            assert_eq!(answer["finish_reason"], "length");
            let pairs = answer["logprobs"].as_array().unwrap().iter();
            for (ours, theirs) in pairs.zip(case["logprobs"].as_array().unwrap()) {
                let (ours, theirs) = (ours.as_f64().unwrap(), theirs.as_f64().unwrap());
                assert!((ours - theirs).abs() < 1e-3, "{name}: {ours} {theirs}");
            }
        }
    }
}

#[test]
fn plain_output_is_the_text_of_the_json_output() {
    let home = tempfile::tempdir().unwrap();
    let question = "무엇? <|im_end|>";
    let arguments = ["--max-new-tokens", "12", question];
    let object = json(ask(home.path(), "nested", &["--json"]).args(arguments));
    let printed = ask(home.path(), "nested", &[])
        .args(arguments)
        .assert()
        .success();
    let printed = String::from_utf8(printed.get_output().stdout.clone()).unwrap();
    let text: String = object["text"]
        .as_str()
        .unwrap()
        .chars()
        .filter(|c| !c.is_control() || matches!(c, '\n' | '\t'))
        .collect();
    assert_eq!(printed, format!("{text}\n"));
}

#[test]
fn a_seed_reproduces_a_random_answer() {
    let home = tempfile::tempdir().unwrap();
    let answer = |seed: &str| {
        let arguments = ["--json", "--temperature", "1.5", "--seed", seed, "hat"];
        json(&mut ask(home.path(), "flat", &arguments))["token_ids"].clone()
    };
    assert_eq!(answer("7"), answer("7"));
    assert_ne!(answer("7"), answer("8"));
}

#[test]
fn errors_have_the_exit_status_of_their_kind() {
    let home = tempfile::tempdir().unwrap();
    ask(home.path(), "no such model", &["hat"]).assert().code(2);
    let missing = ask(home.path(), "flat", &["--image", "no.png", "hat"])
        .assert()
        .code(1);
    let error = String::from_utf8(missing.get_output().stderr.clone()).unwrap();
    assert!(error.contains("no.png"), "{error}");
    // Not in the cache, and --offline forbids the network.
    let offline = program(home.path())
        .args(["ask", "--offline", "--model", "someone/some-model", "hat"])
        .assert()
        .code(1);
    let error = String::from_utf8(offline.get_output().stderr.clone()).unwrap();
    assert!(error.contains("--offline"), "{error}");
}

/// Starts a server that answers one request with `body`. The thread returns the request's body.
fn serve_once(
    status: &'static str,
    body: &'static str,
) -> (String, std::thread::JoinHandle<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let served = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let line = line.trim().to_ascii_lowercase();
            if let Some(bytes) = line.strip_prefix("content-length:") {
                length = bytes.trim().parse().unwrap();
            }
            if line.is_empty() {
                break;
            }
        }
        let mut request = vec![0; length];
        reader.read_exact(&mut request).unwrap();
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let mut stream = reader.into_inner();
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body.as_bytes()).unwrap();
        serde_json::from_slice(&request).unwrap()
    });
    (url, served)
}

#[test]
fn ask_uses_the_endpoint_if_one_is_given() {
    let home = tempfile::tempdir().unwrap();
    let (url, served) = serve_once(
        "200 OK",
        r#"{"choices": [{"message": {"content": "a \u202e\u061ch\u00ad\u200bat\u001b[2J\u009b"}, "finish_reason": "stop"}]}"#,
    );
    let image = fixtures().join("images/icon.png");
    let printed = program(home.path())
        .args(["ask", "--endpoint", &url, "--model", "m", "--image"])
        .arg(image)
        .arg("What is it?")
        .assert()
        .success();
    assert_eq!(printed.get_output().stdout, b"a hat[2J\n");
    let request = served.join().unwrap();
    assert_eq!(request["model"], "m");
    // Without --system, the server's chat template decides about a system turn.
    let turns = request["messages"].as_array().unwrap();
    assert_eq!(turns.len(), 1);
    let content = &turns[0]["content"];
    assert_eq!(content[0]["type"], "image_url");
    assert_eq!(content[1]["text"], "What is it?");

    let (url, _) = serve_once(
        "404 Not Found",
        r#"{"error": {"message": "no such model"}}"#,
    );
    let refused = program(home.path())
        .args(["ask", "--endpoint", &url, "--model", "m", "hat"])
        .assert()
        .code(1);
    let error = String::from_utf8(refused.get_output().stderr.clone()).unwrap();
    assert!(error.contains("no such model"), "{error}");
}

#[test]
fn bench_measures_the_workload() {
    let home = tempfile::tempdir().unwrap();
    let bench = |arguments: &[&str]| {
        let mut command = program(home.path());
        command.args(["bench", "--offline", "--icons", "3", "--batch-size", "2"]);
        command
            .args(["--new-tokens", "5", "--model", "demo"])
            .args(arguments);
        command
    };
    let report = json(&mut bench(&["--json"]));
    let speed = |name: &str| report[name].as_f64().unwrap();
    assert!(speed("icons_per_minute") > 0.0);
    assert!(speed("icons_per_minute_after_shared_prompt") > speed("icons_per_minute"));
    assert!(speed("shared_prompt_seconds") < speed("seconds"));
    assert!(report["load_seconds"].as_f64().unwrap() > 0.0);
    assert!(report["weight_bytes_per_step"].as_u64().unwrap() > 1_000_000);
    assert!(report["seconds_per_step_by_batch"]["2"].as_f64().unwrap() > 0.0);
    assert!(report["shared_prompt_tokens"].as_u64().unwrap() > 0);
    let table = bench(&[]).assert().success().get_output().stdout.clone();
    assert!(
        String::from_utf8(table)
            .unwrap()
            .contains("icons per minute")
    );
}

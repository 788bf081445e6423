//! Downloads of models, through the program, from a small hub server inside the test process.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unreachable,
    clippy::unwrap_used
)]

use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
/// Files from this size on are served as LFS files, as the hub does.
const LARGE: usize = 1 << 20;

/// Serves the files of one model, `owner/tiny`.
struct Hub {
    address: String,
    requests: Arc<Mutex<Vec<String>>>,
    /// How many more bytes it sends before it closes every connection.
    budget: Arc<Mutex<usize>>,
}

impl Hub {
    fn new(files: BTreeMap<String, Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let budget = Arc::new(Mutex::new(usize::MAX));
        let (files, log, left) = (Arc::new(files), requests.clone(), budget.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (files, requests, budget) = (files.clone(), log.clone(), left.clone());
                std::thread::spawn(move || serve(stream, &files, &requests, &budget));
            }
        });
        Self {
            address,
            requests,
            budget,
        }
    }

    /// Runs `labeler-tui ask` with this hub.
    fn ask(&self, home: &Path, model: &str, arguments: &[&str]) -> Finished {
        let mut command = Command::new(env!("CARGO_BIN_EXE_labeler-tui"));
        command
            .env_clear()
            .env("HOME", home)
            .env("HF_ENDPOINT", &self.address)
            .args(["ask", "--model", model, "--max-new-tokens", "4"])
            .args(arguments)
            .arg("hello");
        Finished(command.output().unwrap())
    }

    fn hang_up_after(&self, bytes: usize) {
        *self.budget.lock().unwrap() = bytes;
    }

    /// The requests since the last call: method, path, range.
    fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }
}

struct Finished(Output);

impl Finished {
    /// Asserts the exit status and returns standard output and standard error.
    #[track_caller]
    fn with_status(self, status: i32) -> (String, String) {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (out, err) = (text(self.0.stdout), text(self.0.stderr));
        assert_eq!(self.0.status.code(), Some(status), "\n{out}\n{err}");
        (out, err)
    }
}

fn serve(
    mut stream: TcpStream,
    files: &BTreeMap<String, Vec<u8>>,
    requests: &Mutex<Vec<String>>,
    budget: &Mutex<usize>,
) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        match line.trim() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let header = |name: &str| {
        lines.iter().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then(|| value.to_owned())
        })
    };
    let mut body = vec![0; header("content-length").map_or(0, |n| n.parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    let mut words = lines[0].split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let range = header("range");
    requests.lock().unwrap().push(format!(
        "{method} {path} {}",
        range.as_deref().unwrap_or_default()
    ));

    let (status, extra, content) = answer(path, &body, files);
    let mut part = &content[..];
    let mut status = status;
    if let Some((start, end)) = range
        .as_deref()
        .and_then(|range| range.strip_prefix("bytes=")?.split_once('-'))
    {
        status = "206 Partial Content";
        part = &content[start.parse().unwrap()..=end.parse().unwrap()];
    }
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{extra}\r\n",
        part.len()
    );
    if stream.write_all(head.as_bytes()).is_err() || method == "HEAD" {
        return;
    }
    for piece in part.chunks(64 * 1024) {
        let mut left = budget.lock().unwrap();
        if *left < piece.len() {
            return;
        }
        *left -= piece.len();
        drop(left);
        if stream.write_all(piece).is_err() {
            return;
        }
    }
}

/// Returns status, extra headers and content.
fn answer(
    path: &str,
    body: &[u8],
    files: &BTreeMap<String, Vec<u8>>,
) -> (&'static str, String, Vec<u8>) {
    let missing = |code: &str| {
        let headers = format!("x-error-code: {code}\r\nx-repo-commit: {COMMIT}\r\n");
        ("404 Not Found", headers, Vec::new())
    };
    let digest = |bytes: &[u8]| -> String {
        let digest = Sha256::digest(bytes);
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    if let Some(rest) = path.strip_prefix("/api/models/owner/tiny/") {
        let (api, revision) = rest.split_once('/').unwrap();
        if ![COMMIT, "main"].contains(&revision) {
            return missing("RevisionNotFound");
        }
        let found = match api {
            "revision" => {
                let names = files.keys().map(|name| json!({"rfilename": name}));
                let names: Vec<_> = names.collect();
                json!({"id": "owner/tiny", "sha": COMMIT, "siblings": names})
            }
            "paths-info" => {
                let request: serde_json::Value = serde_json::from_slice(body).unwrap();
                let paths = request["paths"].as_array().unwrap().iter();
                let found = paths.filter_map(|path| {
                    let path = path.as_str().unwrap();
                    let bytes = files.get(path)?;
                    let mut entry = json!({
                        "type": "file", "path": path, "size": bytes.len(),
                        "oid": &digest(path.as_bytes())[..40],
                    });
                    if bytes.len() >= LARGE {
                        entry["lfs"] = json!({"oid": digest(bytes), "size": bytes.len()});
                    }
                    Some(entry)
                });
                found.collect()
            }
            _ => return missing("EntryNotFound"),
        };
        return ("200 OK", String::new(), found.to_string().into_bytes());
    }
    let file = path
        .strip_prefix("/owner/tiny/resolve/")
        .and_then(|rest| rest.split_once('/'))
        .filter(|(revision, _)| [COMMIT, "main"].contains(revision));
    match file.and_then(|(_, file)| files.get(file)) {
        Some(bytes) => {
            let headers = format!("etag: \"{}\"\r\nx-repo-commit: {COMMIT}\r\n", digest(bytes));
            ("200 OK", headers, bytes.clone())
        }
        None if file.is_some() => missing("EntryNotFound"),
        None => missing("RepoNotFound"),
    }
}

/// The files of a small checkpoint with a single weight file.
fn tiny() -> BTreeMap<String, Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/flat");
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    entries
        .filter(|entry| entry.path().is_file())
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .collect()
}

#[test]
fn a_model_is_downloaded_once_and_then_found_offline() {
    let home = tempfile::tempdir().unwrap();
    let hub = Hub::new(tiny());
    let (first, _) = hub.ask(home.path(), "owner/tiny", &[]).with_status(0);
    assert!(!hub.take_requests().is_empty());
    let (second, _) = hub.ask(home.path(), "owner/tiny", &[]).with_status(0);
    let (offline, _) = hub
        .ask(home.path(), "owner/tiny", &["--offline"])
        .with_status(0);
    assert_eq!([&second, &offline], [&first; 2]);
    assert_eq!(hub.take_requests(), [""; 0]);
}

#[test]
fn a_missing_model_revision_or_file_is_named() {
    let home = tempfile::tempdir().unwrap();
    let hub = Hub::new(tiny());
    let (_, model) = hub.ask(home.path(), "owner/other", &[]).with_status(1);
    assert!(model.contains("owner/other"), "{model}");
    assert!(model.contains("check the id"), "{model}");
    let (_, revision) = hub
        .ask(home.path(), "owner/tiny", &["--revision", "v9"])
        .with_status(1);
    assert!(revision.contains("v9"), "{revision}");
    assert!(revision.contains("--revision"), "{revision}");
    let (_, offline) = hub
        .ask(home.path(), "owner/tiny", &["--offline"])
        .with_status(1);
    assert!(offline.contains("--offline"), "{offline}");
    let mut files = tiny();
    files.remove("model.safetensors");
    let hub = Hub::new(files);
    let (_, lacking) = hub.ask(home.path(), "owner/tiny", &[]).with_status(1);
    assert!(lacking.contains("lacks model.safetensors"), "{lacking}");
}

fn edited(files: &mut BTreeMap<String, Vec<u8>>, edit: impl Fn(&mut serde_json::Value)) {
    let config = files.get_mut("config.json").unwrap();
    let mut value = serde_json::from_slice(config).unwrap();
    edit(&mut value);
    *config = value.to_string().into_bytes();
}

/// The files that were downloaded since the last call, in order.
fn downloaded(hub: &Hub) -> Vec<String> {
    let requests = hub.take_requests().into_iter();
    requests
        .filter(|request| request.starts_with("GET"))
        .filter_map(|request| {
            let file = request.split("/resolve/").nth(1)?.split_once('/')?.1;
            Some(file.trim().to_owned())
        })
        .collect()
}

#[test]
fn weights_are_downloaded_last() {
    let home = tempfile::tempdir().unwrap();
    let hub = Hub::new(tiny());
    hub.ask(home.path(), "owner/tiny", &[]).with_status(0);
    let files = downloaded(&hub);
    assert_eq!(files.first().unwrap(), "config.json");
    assert_eq!(files.last().unwrap(), "model.safetensors");
}

#[test]
fn an_unsupported_configuration_stops_the_download() {
    type Edit = fn(&mut serde_json::Value);
    let edits: [(Edit, &str); 2] = [
        (
            |config| config["model_type"] = "qwen3_vl_moe".into(),
            "qwen3_vl_moe",
        ),
        (
            |config| config["quantization_config"] = json!({"quant_method": "fp8"}),
            "fp8",
        ),
    ];
    for (edit, expected) in edits {
        let home = tempfile::tempdir().unwrap();
        let mut files = tiny();
        edited(&mut files, edit);
        let hub = Hub::new(files);
        let (_, error) = hub.ask(home.path(), "owner/tiny", &[]).with_status(1);
        assert!(
            error.contains(expected) && error.contains("--endpoint"),
            "{error}"
        );
        assert_eq!(downloaded(&hub), ["config.json"]);
        // Now it is cached, and the error is the same without the network.
        let (_, again) = hub
            .ask(home.path(), "owner/tiny", &["--offline"])
            .with_status(1);
        assert_eq!(again, error);
        assert_eq!(hub.take_requests(), [""; 0]);
    }
}

#[test]
fn all_problems_are_reported_at_once() {
    let home = tempfile::tempdir().unwrap();
    let mut files = tiny();
    edited(&mut files, |config| {
        config["model_type"] = "mllama".into();
        config["quantization_config"] = json!({"quant_method": "fp8"});
    });
    let weights = files.remove("model.safetensors").unwrap();
    files.insert("pytorch_model.bin".to_owned(), weights);
    files.remove("preprocessor_config.json");
    let hub = Hub::new(files);
    let (_, error) = hub.ask(home.path(), "owner/tiny", &[]).with_status(1);
    let causes = ["mllama", "fp8", "pytorch_model.bin", "lacks preprocessor"];
    let positions = causes.map(|cause| error.find(cause).unwrap_or_else(|| panic!("{error}")));
    assert!(positions.is_sorted(), "{error}");
    assert_eq!(downloaded(&hub), ["config.json"]);
    // The configuration is cached now.
    let (_, again) = hub.ask(home.path(), "owner/tiny", &[]).with_status(1);
    assert_eq!(again, error);
    assert_eq!(downloaded(&hub), [""; 0]);
}

#[test]
fn missing_files_are_reported_before_weights_are_downloaded() {
    let index = json!({"weight_map": {"a": "model.safetensors", "b": "second.safetensors"}});
    for missing in [
        "tokenizer.json",
        "preprocessor_config.json",
        "second.safetensors",
    ] {
        let home = tempfile::tempdir().unwrap();
        let mut files = tiny();
        match files.remove(missing) {
            Some(_) => {}
            None => {
                let name = "model.safetensors.index.json".to_owned();
                files.insert(name, index.to_string().into_bytes());
            }
        }
        let hub = Hub::new(files);
        let (_, error) = hub.ask(home.path(), "owner/tiny", &[]).with_status(1);
        assert!(
            error.contains("lacks") && error.contains(missing),
            "{error}"
        );
        let files = downloaded(&hub);
        assert!(
            !files.contains(&"model.safetensors".to_owned()),
            "{files:?}"
        );
    }
}

#[test]
fn an_lfs_pointer_in_place_of_a_small_file_stops_the_download() {
    let home = tempfile::tempdir().unwrap();
    let mut files = tiny();
    let pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n";
    files.insert("tokenizer.json".to_owned(), pointer.to_vec());
    let hub = Hub::new(files);
    let (_, error) = hub.ask(home.path(), "owner/tiny", &[]).with_status(1);
    assert!(
        error.contains("tokenizer.json is a Git LFS pointer"),
        "{error}"
    );
    assert!(!downloaded(&hub).contains(&"model.safetensors".to_owned()));
}

#[test]
fn a_model_that_is_too_large_is_refused_before_its_weights_are_downloaded() {
    let home = tempfile::tempdir().unwrap();
    let mut files = tiny();
    edited(&mut files, |config| {
        config["vocab_size"] = (1 << 24).into();
        config["num_hidden_layers"] = 100_000.into();
        config["intermediate_size"] = (1 << 24).into();
    });
    let hub = Hub::new(files);
    let (_, error) = hub.ask(home.path(), "owner/tiny", &[]).with_status(1);
    assert!(error.contains("does not fit"), "{error}");
    assert!(
        !downloaded(&hub)
            .iter()
            .any(|file| file.contains("safetensors"))
    );
}

#[test]
fn other_kinds_of_repositories_are_recognized() {
    for (file, expected) in [("adapter_config.json", "LoRA"), ("model.gguf", "GGUF")] {
        let home = tempfile::tempdir().unwrap();
        let hub = Hub::new(BTreeMap::from([(file.to_owned(), b"{}".to_vec())]));
        let (_, error) = hub.ask(home.path(), "owner/tiny", &[]).with_status(1);
        assert!(error.contains(expected), "{error}");
        assert_eq!(downloaded(&hub), [""; 0]);
    }
    let home = tempfile::tempdir().unwrap();
    let mut files = tiny();
    let weights = files.remove("model.safetensors").unwrap();
    files.insert("pytorch_model.bin".to_owned(), weights);
    let hub = Hub::new(files);
    let (_, error) = hub.ask(home.path(), "owner/tiny", &[]).with_status(1);
    assert!(error.contains("save_pretrained"), "{error}");
    assert!(!downloaded(&hub).contains(&"pytorch_model.bin".to_owned()));
}

#[test]
fn an_unwritable_cache_is_not_reported_as_a_network_problem() {
    let home = tempfile::tempdir().unwrap();
    let hub = Hub::new(tiny());
    std::fs::write(home.path().join(".cache"), "a file").unwrap();
    let (_, error) = hub.ask(home.path(), "owner/tiny", &[]).with_status(1);
    assert!(error.contains("HF_HOME"), "{error}");
    assert!(!error.contains("check the network"), "{error}");
}

#[test]
fn an_interrupted_download_resumes() {
    const MIB: usize = 1 << 20;
    let home = tempfile::tempdir().unwrap();
    // A tensor that the model does not expect, which is reported after the download.
    let numbers = 70 * MIB;
    let mut weights = format!(
        r#"{{"padding":{{"dtype":"U8","shape":[{numbers}],"data_offsets":[0,{numbers}]}}}}"#
    )
    .into_bytes();
    while !weights.len().is_multiple_of(8) {
        weights.push(b' ');
    }
    let mut file = (weights.len() as u64).to_le_bytes().to_vec();
    file.extend(&weights);
    file.extend((0..numbers).map(|i| (i % 251) as u8));
    let mut files = tiny();
    files.insert("model.safetensors".to_owned(), file.clone());
    let hub = Hub::new(files);

    hub.hang_up_after(50 * MIB);
    let (_, cut) = hub.ask(home.path(), "owner/tiny", &[]).with_status(1);
    assert!(cut.contains("already downloaded is kept"), "{cut}");
    hub.take_requests();

    hub.hang_up_after(usize::MAX);
    let (_, complete) = hub.ask(home.path(), "owner/tiny", &[]).with_status(1);
    assert!(complete.contains("padding"), "{complete}");
    let requests: Vec<String> = hub
        .take_requests()
        .into_iter()
        .filter(|request| request.starts_with("GET") && request.contains("model.safetensors "))
        .collect();
    let path = format!("GET /owner/tiny/resolve/{COMMIT}/model.safetensors");
    assert_eq!(
        requests,
        [
            format!("{path} bytes={}-{}", 32 * MIB, 64 * MIB - 1),
            format!("{path} bytes={}-{}", 64 * MIB, file.len() - 1),
        ]
    );
    let snapshot = home
        .path()
        .join(".cache/huggingface/hub/models--owner--tiny/snapshots")
        .join(COMMIT)
        .join("model.safetensors");
    assert!(std::fs::read(snapshot).unwrap() == file);
}

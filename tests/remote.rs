//! Labelling through servers that behave, misbehave and vanish: a small HTTP server in this
//! process plays them all.

use labeler_tui::icon::Picture;
use labeler_tui::labeler::remote::{Patience, RemoteLabeler, check};
use labeler_tui::labeler::{Jobs, LabelEvent, LabelRequest, Labeler, Pull};
use labeler_tui::prompt::Chat;
use labeler_tui::record::GroupId;
use labeler_tui::settings::{RemoteOptions, Secret};
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const KEY: &str = "sk-very-secret-7731";

struct Request {
    path: String,
    headers: HashMap<String, String>,
    body: Value,
}

enum Reply {
    Json(u16, Value),
    With(u16, Vec<(&'static str, String)>, Value),
    Raw(u16, String),
    /// Promises more than it sends, then closes.
    Cut,
    /// Sends half, then stays silent until the client gives up.
    Silent,
}

/// A server on loopback that answers with `reply`, a thread a connection, until it is dropped.
struct Server {
    url: String,
    seen: Arc<Mutex<Vec<Request>>>,
    listener: TcpListener,
}

impl Server {
    fn start(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self::on(listener, true, reply)
    }

    fn on(
        listener: TcpListener,
        keep: bool,
        reply: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (reply, accepted) = (Arc::new(reply), listener.try_clone().unwrap());
        let log = seen.clone();
        std::thread::spawn(move || {
            for stream in accepted.incoming().flatten() {
                let (reply, log) = (reply.clone(), log.clone());
                std::thread::spawn(move || {
                    let _ = serve(stream, &*reply, keep.then_some(&log));
                });
            }
        });
        Self {
            url,
            seen,
            listener,
        }
    }

    fn bodies(&self) -> Vec<Value> {
        let seen = self.seen.lock().unwrap();
        seen.iter()
            .filter(|request| request.path.ends_with("/chat/completions"))
            .map(|request| request.body.clone())
            .collect()
    }
}

fn serve(
    stream: TcpStream,
    reply: &dyn Fn(&Request) -> Reply,
    log: Option<&Arc<Mutex<Vec<Request>>>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut headers = HashMap::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            headers.insert(name.to_lowercase(), value.to_owned());
        }
        let length = headers
            .get("content-length")
            .map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        reader.read_exact(&mut body)?;
        let request = Request {
            path,
            headers,
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
        };
        let answer = reply(&request);
        if let Some(log) = log {
            log.lock().unwrap().push(request);
        }
        let (status, extra, text) = match answer {
            Reply::Json(status, value) => (status, vec![], value.to_string()),
            Reply::With(status, extra, value) => (status, extra, value.to_string()),
            Reply::Raw(status, text) => (status, vec![], text),
            Reply::Cut => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n{\"choi")?;
                return stream.shutdown(std::net::Shutdown::Both);
            }
            Reply::Silent => {
                stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n{\"choi")?;
                let mut rest = Vec::new();
                reader.read_to_end(&mut rest)?;
                return Ok(());
            }
        };
        write!(
            stream,
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
            text.len()
        )?;
        for (name, value) in extra {
            write!(stream, "{name}: {value}\r\n")?;
        }
        write!(stream, "\r\n{text}")?;
    }
}

fn record(name: &str) -> String {
    json!({
        "label_ko": format!("빨간색 금속 장식의 {name}"), "label_en": null,
        "tags_ko": ["빨간색", "금속", "모자", "장식", "반짝임"],
        "attributes": {"colors": ["red"], "theme": [], "material": ["metal"], "vibe": [],
                       "item_type_guess": "hat"},
        "query_variants_ko": ["빨간 모자", "금속 모자", "반짝이는 모자"],
        "quality_flags": {"is_uncertain": false, "reasons": []},
    })
    .to_string()
}

fn completion(text: &str) -> Value {
    let tokens: Vec<Value> = text
        .chars()
        .map(|c| json!({"token": c.to_string(), "bytes": c.to_string().as_bytes(), "logprob": -0.25}))
        .collect();
    json!({
        "choices": [{"message": {"content": text}, "finish_reason": "stop",
                     "logprobs": {"content": tokens}}],
        "usage": {"prompt_tokens": 400, "completion_tokens": tokens.len(),
                  "prompt_tokens_details": {"cached_tokens": 320}},
    })
}

/// What the items of a request say, so that each gets its own answer.
fn user_text(body: &Value) -> String {
    let content = body["messages"][1]["content"].as_array().unwrap();
    content.last().unwrap()["text"]
        .as_str()
        .unwrap()
        .lines()
        .next()
        .unwrap()
        .to_owned()
}

fn good(request: &Request) -> Reply {
    if request.path.ends_with("/models") {
        return Reply::Json(200, json!({"data": []}));
    }
    Reply::Json(200, completion(&record(&user_text(&request.body))))
}

struct Script {
    waiting: VecDeque<LabelRequest>,
    events: Vec<LabelEvent>,
    stop_after: Option<usize>,
    most_in_hand: usize,
    in_hand: usize,
}

impl Jobs for Script {
    fn pull(&mut self, _wait: bool) -> Pull {
        match self.waiting.pop_front() {
            Some(request) => {
                self.in_hand += 1;
                self.most_in_hand = self.most_in_hand.max(self.in_hand);
                Pull::Request(Box::new(request))
            }
            None => Pull::Closed,
        }
    }

    fn cancelled(&self) -> bool {
        self.stop_after
            .is_some_and(|events| self.events.len() >= events)
    }

    fn push(&mut self, event: LabelEvent) {
        if !matches!(event, LabelEvent::Notice(_)) {
            self.in_hand -= 1;
        }
        self.events.push(event);
    }
}

fn request(ticket: u64) -> LabelRequest {
    LabelRequest {
        ticket,
        group: GroupId(ticket as i64),
        chat: Chat {
            system: "Label the icon.".into(),
            user: format!("item {ticket}"),
            images: 1,
        },
        picture: Some(Arc::new(Picture {
            width: 2,
            height: 1,
            rgb: vec![255, 0, 0, 0, 0, 255],
        })),
        schema: Arc::new(json!({"type": "object"})),
        max_new_tokens: 300,
    }
}

fn options(urls: &[&str]) -> RemoteOptions {
    RemoteOptions {
        endpoints: urls.iter().map(|url| url.to_string()).collect(),
        model: "qwen".into(),
        concurrency: 8,
        api_key: Some(Secret::new(KEY.into())),
        offline: false,
    }
}

fn quick() -> Patience {
    Patience {
        connect: Duration::from_secs(2),
        silence: Duration::from_millis(150),
        backoff: Duration::from_millis(2),
        longest_backoff: Duration::from_millis(10),
        tries: 4,
        queueing: 6,
    }
}

struct Run {
    texts: HashMap<u64, String>,
    failures: HashMap<u64, String>,
    notices: Vec<String>,
    events: Vec<LabelEvent>,
    counts: labeler_tui::engine::RemoteCounts,
    agreed: String,
    most_in_hand: usize,
}

fn label_with(options: RemoteOptions, patience: Patience, items: u64) -> Run {
    let mut labeler = RemoteLabeler::new(options, patience).unwrap();
    let mut script = Script {
        waiting: (1..=items).map(request).collect(),
        events: vec![],
        stop_after: None,
        most_in_hand: 0,
        in_hand: 0,
    };
    labeler.run(&mut script).unwrap();
    let (mut texts, mut failures, mut notices) = (HashMap::new(), HashMap::new(), vec![]);
    for event in &script.events {
        match event {
            LabelEvent::Done { ticket, answer } => {
                assert!(texts.insert(*ticket, answer.text.clone()).is_none());
            }
            LabelEvent::Failed { ticket, error } => {
                assert!(failures.insert(*ticket, error.cause.clone()).is_none());
            }
            LabelEvent::Notice(notice) => notices.push(notice.clone()),
            LabelEvent::Partial { .. } => {}
        }
    }
    assert!(
        !format!("{:?}", script.events).contains(KEY),
        "the key got out"
    );
    Run {
        texts,
        failures,
        notices,
        events: script.events,
        counts: labeler.remote_counts().unwrap(),
        agreed: labeler.info().detail,
        most_in_hand: script.most_in_hand,
    }
}

fn label(server: &Server, items: u64) -> Run {
    label_with(options(&[&server.url]), quick(), items)
}

#[test]
fn an_item_is_sent_as_picture_prompt_and_schema_and_comes_back_with_probabilities() {
    let server = Server::start(good);
    let run = label(&server, 1);
    assert_eq!(run.texts[&1], record("item 1"));
    let LabelEvent::Done { answer, .. } = &run.events[0] else {
        panic!("{:?}", run.events)
    };
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
    assert_eq!(seen[0].path, "/v1/chat/completions");
    assert_eq!(seen[0].headers["authorization"], format!("Bearer {KEY}"));
    let body = &seen[0].body;
    assert_eq!(body["model"], "qwen");
    assert_eq!(body["temperature"], 0);
    assert_eq!(body["max_tokens"], 300);
    assert_eq!(body["logprobs"], true);
    assert_eq!(body["response_format"]["type"], "json_schema");
    assert_eq!(body["response_format"]["json_schema"]["strict"], true);
    assert_eq!(body["messages"][0]["content"], "Label the icon.");
    let parts = body["messages"][1]["content"].as_array().unwrap();
    assert_eq!(parts[1]["text"], "item 1");
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
fn passing_faults_are_repeated_until_they_pass() {
    for fault in [408, 409, 429, 500, 502, 503, 504, 0, 1, 2] {
        let calls = AtomicUsize::new(0);
        let server = Server::start(move |request| {
            if request.path.ends_with("/models") {
                return Reply::Json(200, json!({"data": []}));
            }
            match (calls.fetch_add(1, Ordering::SeqCst), fault) {
                (0, 0) => Reply::Cut,
                (0, 1) => Reply::Silent,
                (0, 2) => Reply::Raw(200, "<html>not JSON".into()),
                (0, status) => Reply::Json(status, json!({"error": {"message": "busy"}})),
                _ => good(request),
            }
        });
        let run = label(&server, 1);
        assert_eq!(run.texts.len(), 1, "fault {fault}: {:?}", run.failures);
        assert_eq!(run.counts.requests, 2, "fault {fault}");
        assert_eq!(run.counts.retries, 1, "fault {fault}");
    }
}

#[test]
fn a_server_that_says_when_to_come_back_is_obeyed() {
    let calls = AtomicUsize::new(0);
    let server = Server::start(move |request| match calls.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::With(429, vec![("retry-after", "1".into())], json!({})),
        _ => good(request),
    });
    let begun = Instant::now();
    let run = label(&server, 1);
    assert_eq!(run.texts.len(), 1);
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[test]
fn a_fault_that_stays_fails_the_item_with_the_servers_words() {
    let server = Server::start(|request| {
        if request.path.ends_with("/models") {
            return Reply::Json(200, json!({"data": []}));
        }
        Reply::Json(
            500,
            json!({"error": {"message": format!("CUDA says no to {KEY}\u{1b}[31m")}}),
        )
    });
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
fn a_refusal_is_that_items_failure_and_is_not_repeated() {
    for status in [400, 401, 403, 404, 413] {
        let server = Server::start(move |request| match user_text(&request.body).as_str() {
            "item 2" => Reply::Json(status, json!({"error": {"message": "no such thing"}})),
            _ => good(request),
        });
        let run = label(&server, 3);
        assert_eq!(run.texts.len(), 2);
        assert!(
            run.failures[&2].contains("no such thing"),
            "{:?}",
            run.failures
        );
        assert_eq!(run.counts.requests, 3);
    }
}

#[test]
fn a_server_without_schemas_is_asked_for_less_once() {
    let server = Server::start(|request| {
        let body = &request.body;
        if body.get("response_format").is_some() {
            return Reply::Json(
                400,
                json!({"error": {"message": "response_format is not supported"}}),
            );
        }
        if body.get("guided_json").is_some() {
            return Reply::Json(422, json!({"detail": "extra field guided_json"}));
        }
        let words = format!("Sure!\n```json\n{}\n```", record("item"));
        Reply::Json(200, completion(&words))
    });
    let mut one_by_one = options(&[&server.url]);
    one_by_one.concurrency = 1;
    let run = label_with(one_by_one, quick(), 20);
    assert_eq!(run.texts.len(), 20, "{:?}", run.failures);
    assert_eq!(run.agreed, "plain text");
    assert_eq!(run.notices.len(), 2, "{:?}", run.notices);
    assert_eq!(server.bodies().len(), 22, "agreed once for the run");
}

#[test]
fn an_answer_that_is_no_record_gets_one_strict_repetition() {
    let server = Server::start(|request| {
        let all = request.body.to_string();
        match user_text(&request.body).as_str() {
            "item 1" if !all.contains("Your last answer") => {
                Reply::Json(200, completion("I see a hat."))
            }
            "item 2" => Reply::Json(200, completion("I always see a hat.")),
            _ => good(request),
        }
    });
    let run = label(&server, 2);
    assert_eq!(run.texts[&1], record("item 1"));
    // The engine's parser has the last word on this one.
    assert_eq!(run.texts[&2], "I always see a hat.");
    assert_eq!(run.counts.requests, 4);
}

#[test]
fn a_server_without_probabilities_is_told_of_once() {
    let refuses = Server::start(|request| {
        if request.body.get("logprobs").is_some() {
            return Reply::Json(400, json!({"error": "logprobs are not available"}));
        }
        let mut answer = completion(&record("item"));
        answer["choices"][0]["logprobs"] = Value::Null;
        Reply::Json(200, answer)
    });
    let ignores = Server::start(|_| {
        let mut answer = completion(&record("item"));
        answer["choices"][0]["logprobs"] = Value::Null;
        Reply::Json(200, answer)
    });
    for server in [refuses, ignores] {
        let run = label(&server, 12);
        assert_eq!(run.texts.len(), 12);
        assert_eq!(run.notices.len(), 1, "{:?}", run.notices);
        assert!(run.notices[0].contains("probabilities"));
    }
}

#[test]
fn a_server_that_vanishes_pauses_the_run_and_nothing_is_lost() {
    // Bound but not listening to anyone: connections are refused until the server comes up.
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let (told, gone) = std::sync::mpsc::channel();
    let back = std::thread::spawn(move || {
        gone.recv().unwrap();
        Server::on(TcpListener::bind(free).unwrap(), true, good)
    });

    struct Telling(Script, std::sync::mpsc::Sender<()>);
    impl Jobs for Telling {
        fn pull(&mut self, wait: bool) -> Pull {
            self.0.pull(wait)
        }
        fn cancelled(&self) -> bool {
            false
        }
        fn push(&mut self, event: LabelEvent) {
            if matches!(&event, LabelEvent::Notice(text) if text.contains("paused")) {
                self.1.send(()).unwrap();
            }
            self.0.push(event);
        }
    }
    let mut labeler =
        RemoteLabeler::new(options(&[&format!("http://{free}/v1")]), quick()).unwrap();
    let script = Script {
        waiting: (1..=30).map(request).collect(),
        events: vec![],
        stop_after: None,
        most_in_hand: 0,
        in_hand: 0,
    };
    let mut jobs = Telling(script, told);
    labeler.run(&mut jobs).unwrap();
    let done = |event: &&LabelEvent| matches!(event, LabelEvent::Done { .. });
    assert_eq!(jobs.0.events.iter().filter(done).count(), 30);
    let notices: Vec<_> = jobs
        .0
        .events
        .iter()
        .filter_map(|event| match event {
            LabelEvent::Notice(text) => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(notices.len(), 2, "{notices:?}");
    assert!(notices[1].contains("is back"), "{notices:?}");
    drop(back.join().unwrap());
}

#[test]
fn of_several_servers_the_dead_one_is_left_out() {
    let dead = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let (one, two) = (Server::start(good), Server::start(good));
    let dead = format!("http://{dead}/v1");
    let run = label_with(options(&[&dead, &one.url, &two.url]), quick(), 60);
    assert_eq!(run.texts.len(), 60, "{:?}", run.failures);
    assert!(
        run.notices[0].contains("going on with 2 other"),
        "{:?}",
        run.notices
    );
    let shares = (one.bodies().len(), two.bodies().len());
    assert_eq!(shares.0 + shares.1, 60);
    assert!(shares.0 > 10 && shares.1 > 10, "{shares:?}");
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
    assert!(run.failures[&1].contains("redirects"), "{:?}", run.failures);
    assert!(thief.seen.lock().unwrap().is_empty());
}

#[test]
fn a_cancelled_run_returns_at_once() {
    let server = Server::start(|request| match user_text(&request.body).as_str() {
        "item 1" => good(request),
        _ => Reply::Silent,
    });
    let mut patient = quick();
    patient.silence = Duration::from_secs(600);
    let mut labeler = RemoteLabeler::new(options(&[&server.url]), patient).unwrap();
    let mut script = Script {
        waiting: (1..=5).map(request).collect(),
        events: vec![],
        stop_after: Some(1),
        most_in_hand: 0,
        in_hand: 0,
    };
    labeler.run(&mut script).unwrap();
    assert_eq!(script.events.len(), 1);
}

#[test]
fn ten_thousand_items_at_concurrency_64_with_faults_lose_nothing() {
    let calls = AtomicUsize::new(0);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = Server::on(listener, false, move |request| {
        if request.path.ends_with("/models") {
            return Reply::Json(200, json!({"data": []}));
        }
        match calls.fetch_add(1, Ordering::SeqCst) % 100 {
            13 => Reply::Json(500, json!({"error": "oops"})),
            31 => Reply::Json(429, json!({"error": "later"})),
            47 => Reply::Cut,
            59 => Reply::Raw(200, "{\"choices\": [".into()),
            83 => Reply::Json(503, json!({"error": "overloaded"})),
            _ => Reply::Json(200, completion(&record(&user_text(&request.body)))),
        }
    });
    let mut many = options(&[&server.url]);
    many.concurrency = 64;
    let mut patience = quick();
    patience.silence = Duration::from_secs(60);
    patience.tries = 12;
    let run = label_with(many, patience, 10_000);
    assert_eq!(run.texts.len(), 10_000, "{:?}", run.failures);
    for (ticket, text) in &run.texts {
        assert_eq!(*text, record(&format!("item {ticket}")));
    }
    assert!(run.most_in_hand <= 64);
    assert!(run.counts.retries >= 500, "{:?}", run.counts);
    drop(server.listener);
}

#[test]
fn offline_and_bad_addresses_are_usage_errors() {
    let mut offline = options(&["http://127.0.0.1:1/v1"]);
    offline.offline = true;
    let error = RemoteLabeler::new(offline, quick()).err().unwrap();
    assert_eq!(error.exit_status(), 2);
    let error = RemoteLabeler::new(options(&["ftp://host/v1"]), quick())
        .err()
        .unwrap();
    assert!(error.cause.contains("ftp://host/v1"));
}

#[test]
fn doctors_questions_are_answered_one_by_one() {
    let server = Server::start(|request| {
        if request.path.ends_with("/models") {
            return Reply::Json(200, json!({"data": [{"id": "qwen"}]}));
        }
        if request.body.get("response_format").is_some() {
            return Reply::Json(
                400,
                json!({"error": {"message": "no response_format here"}}),
            );
        }
        Reply::Json(200, completion("{\"answer\":\"red\"}"))
    });
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let nobody = format!("http://{nobody}/v1");
    let reports = check(&options(&[&server.url, &nobody])).unwrap();
    assert!(reports[0].reachable.is_ok());
    assert!(reports[0].model_listed.is_ok());
    assert!(reports[0].takes_images.is_ok());
    assert!(
        reports[0]
            .takes_schema
            .as_ref()
            .unwrap_err()
            .contains("no response_format here")
    );
    assert!(reports[0].gives_probabilities.is_ok());
    assert!(reports[1].reachable.is_err());
}

//! A small HTTP server in this process that plays the servers that behave, misbehave and vanish.

use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub struct Request {
    pub path: String,
    pub headers: HashMap<String, String>,
    pub body: Value,
}

pub enum Reply {
    Json(u16, Value),
    With(u16, Vec<(&'static str, String)>, Value),
    Raw(u16, String),
    /// Promises more than it sends, then closes.
    Cut,
    /// Sends half, then stays silent until the client gives up.
    Silent,
    /// Sends it in parts, each of them sooner than the client's patience ends.
    Slow(Value),
}

/// A server on loopback, a thread a connection, for as long as the test program runs.
pub struct Server {
    pub url: String,
    pub seen: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers with `reply`.
    pub fn start(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self::on(listener, true, reply)
    }

    /// At an address of one's own; with `keep` what is asked can be looked at afterwards.
    pub fn on(
        listener: TcpListener,
        keep: bool,
        reply: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (reply, log) = (Arc::new(reply), seen.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (reply, log) = (reply.clone(), log.clone());
                std::thread::spawn(move || {
                    let _ = serve(stream, &*reply, keep.then_some(&log));
                });
            }
        });
        Self { url, seen }
    }

    pub fn bodies(&self) -> Vec<Value> {
        let seen = self.seen.lock().unwrap();
        seen.iter()
            .filter(|request| request.path.ends_with("/chat/completions"))
            .map(|request| request.body.clone())
            .collect()
    }
}

/// Nobody listens there.
pub fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
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
            Reply::Slow(value) => {
                let text = value.to_string();
                write!(
                    stream,
                    "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n",
                    text.len()
                )?;
                for part in text.as_bytes().chunks(1024) {
                    stream.write_all(part)?;
                    // Nobody unparks it: slowness is what this reply is about.
                    std::thread::park_timeout(Duration::from_millis(20));
                }
                continue;
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

/// An answer for an item, in compact form.
pub fn record(name: &str) -> String {
    crate::common::good(name).to_string()
}

pub fn completion(text: &str) -> Value {
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

/// The item's name, so that each gets its own answer.
pub fn name(body: &Value) -> String {
    let content = body["messages"][1]["content"].as_array().unwrap();
    let text = content.last().unwrap()["text"].as_str().unwrap();
    let line = text.lines().next().unwrap();
    line.trim_start_matches("name: ").to_owned()
}

/// Lists its model and labels every item.
pub fn good(request: &Request) -> Reply {
    if request.path.ends_with("/models") {
        return Reply::Json(200, json!({"data": [{"id": "qwen"}]}));
    }
    Reply::Json(200, completion(&record(&name(&request.body))))
}

/// Lists its model; what is asked of it comes to `chat`.
pub fn chats(
    chat: impl Fn(&Request) -> Reply + Send + Sync + 'static,
) -> impl Fn(&Request) -> Reply + Send + Sync + 'static {
    move |request| match request.path.ends_with("/models") {
        true => good(request),
        false => chat(request),
    }
}

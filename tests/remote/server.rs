//! A small HTTP server in this process that acts as well-behaved and misbehaving servers.

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
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
    /// Sends less than declared, then closes.
    Cut,
    /// Sends a part, then nothing until the client gives up.
    Silent,
    /// Sends it in parts, each within the client's read timeout.
    Slow(Value),
    /// Writes raw bytes, then closes.
    Wire(fn(&mut dyn Write) -> std::io::Result<()>),
}

/// A server on loopback with a thread per connection, which runs as long as the test program.
pub struct Server {
    pub url: String,
    pub seen: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Starts a server that answers with `reply`.
    pub fn start(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self::on(listener, true, reply)
    }

    /// Starts an https server with this TLS configuration.
    pub fn secure(
        tls: ServerConfig,
        reply: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self::listen(listener, true, Some(tls), reply)
    }

    /// Starts a server on a listener; with `keep` it stores the requests.
    pub fn on(
        listener: TcpListener,
        keep: bool,
        reply: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        Self::listen(listener, keep, None, reply)
    }

    fn listen(
        listener: TcpListener,
        keep: bool,
        tls: Option<ServerConfig>,
        reply: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let url = format!("{scheme}://{}/v1", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (reply, log, tls) = (Arc::new(reply), seen.clone(), tls.map(Arc::new));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (reply, log, tls) = (reply.clone(), log.clone(), tls.clone());
                std::thread::spawn(move || {
                    let log = keep.then_some(&log);
                    let _ = match tls.map(|tls| ServerConnection::new(tls).unwrap()) {
                        Some(tls) => serve(StreamOwned::new(tls, stream), &*reply, log),
                        None => serve(stream, &*reply, log),
                    };
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

/// An address without a listener.
pub fn unused_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

fn serve(
    stream: impl Read + Write,
    reply: &dyn Fn(&Request) -> Reply,
    log: Option<&Arc<Mutex<Vec<Request>>>>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut headers = HashMap::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            headers.insert(name.to_lowercase(), value.to_owned());
        }
        let length = headers
            .get("content-length")
            .map_or(0, |length| length.parse().unwrap());
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
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
            Reply::Wire(write) => return write(stream.get_mut()),
            Reply::Cut => return stream.get_mut().write_all(HALF),
            Reply::Silent => {
                stream.get_mut().write_all(HALF)?;
                let mut rest = Vec::new();
                stream.read_to_end(&mut rest)?;
                return Ok(());
            }
            Reply::Slow(value) => {
                let text = value.to_string();
                let length = text.len();
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
                stream.get_mut().write_all(head.as_bytes())?;
                for part in text.as_bytes().chunks(1024) {
                    stream.get_mut().write_all(part)?;
                    // Never unparked: this reply is meant to be slow.
                    std::thread::park_timeout(Duration::from_millis(20));
                }
                continue;
            }
        };
        let mut answer = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n",
            text.len()
        );
        for (name, value) in extra {
            answer.push_str(&format!("{name}: {value}\r\n"));
        }
        answer.push_str(&format!("\r\n{text}"));
        stream.get_mut().write_all(answer.as_bytes())?;
    }
}

/// The start of a response that declares more.
const HALF: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 999\r\n\r\n{\"choi";

/// A good answer for an item, as compact JSON.
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

/// The name of the item in a request; empty if there is none.
pub fn name(body: &Value) -> String {
    // A system turn may precede the user's.
    let turns = body["messages"].as_array();
    let content = turns.and_then(|turns| turns.last()?["content"].as_array());
    let text = content.and_then(|parts| parts.last()?["text"].as_str());
    let line = text
        .and_then(|text| text.lines().next())
        .unwrap_or_default();
    line.trim_start_matches("name: ").to_owned()
}

/// A server that lists its model and labels every item.
pub fn good(request: &Request) -> Reply {
    if request.path.ends_with("/models") {
        return Reply::Json(200, json!({"data": [{"id": "qwen"}]}));
    }
    Reply::Json(200, completion(&record(&name(&request.body))))
}

/// A server that lists its model and answers chat requests with `chat`.
pub fn chats(
    chat: impl Fn(&Request) -> Reply + Send + Sync + 'static,
) -> impl Fn(&Request) -> Reply + Send + Sync + 'static {
    move |request| match request.path.ends_with("/models") {
        true => good(request),
        false => chat(request),
    }
}

//! A table of server behaviors with the expected result, and limits of time and memory.

use crate::memory::peak;
use crate::run::{label_with, options, quick, without_patience};
use crate::server::{Reply, Request, Server, chats, completion, good, name, record};
use labeler_tui::labeler::remote::RetryPolicy;
use serde_json::{Value, json};
use std::io::Write;
use std::time::{Duration, Instant};

/// Expected result.
enum Expected {
    /// Every item gets the record of a well-behaved server.
    Labeled,
    /// Every item gets this text.
    Text(&'static str),
    /// Every item gets some text.
    SomeText,
    /// Every item fails with an error that contains this.
    Fails(&'static str),
    /// The run ends with an error that contains this.
    Ends(&'static str),
}

use Expected::{Ends, Fails, Labeled, SomeText, Text};

struct Row {
    name: &'static str,
    reply: fn(&Request) -> Reply,
    expected: Expected,
    items: u64,
    /// Time limit, generous enough for a busy machine.
    seconds: f64,
    /// Memory limit, in addition to that of an ordinary answer.
    mebibytes: f64,
    retry: fn() -> RetryPolicy,
}

fn row(name: &'static str, expected: Expected, reply: fn(&Request) -> Reply) -> Row {
    Row {
        name,
        reply,
        expected,
        items: 1,
        seconds: 10.0,
        mebibytes: 1.0,
        retry: quick,
    }
}

impl Row {
    fn retry(self, retry: fn() -> RetryPolicy) -> Self {
        Self { retry, ..self }
    }

    fn items(self, items: u64) -> Self {
        Self { items, ..self }
    }

    fn mebibytes(self, mebibytes: f64) -> Self {
        Self { mebibytes, ..self }
    }
}

/// A completion with the item's record, modified by `change`.
fn changed(request: &Request, change: impl FnOnce(&mut Value, String)) -> Reply {
    let text = record(&name(&request.body));
    let mut answer = completion(&text);
    change(&mut answer, text);
    Reply::Json(200, answer)
}

/// A completion with this message, without probabilities.
fn message(message: Value) -> Reply {
    Reply::Json(200, json!({ "choices": [{ "message": message }] }))
}

fn with_logprob(request: &Request, number: &str) -> Reply {
    let text = completion(&record(&name(&request.body))).to_string();
    Reply::Raw(200, text.replacen("-0.25", number, 3))
}

fn head(out: &mut dyn Write, more: &str) -> std::io::Result<()> {
    write!(
        out,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{more}\r\n"
    )
}

/// Sends a body byte by byte until the client stops reading.
fn drip(out: &mut dyn Write) -> std::io::Result<()> {
    head(out, "content-length: 99999\r\n")?;
    loop {
        out.write_all(b" ")?;
        out.flush()?;
        std::thread::park_timeout(Duration::from_millis(20));
    }
}

/// Sends a body of unknown length until the client stops reading.
fn endless(out: &mut dyn Write, status: &str, part: &[u8]) -> std::io::Result<()> {
    write!(
        out,
        "HTTP/1.1 {status}\r\ntransfer-encoding: chunked\r\n\r\n"
    )?;
    loop {
        write!(out, "{:x}\r\n", part.len())?;
        out.write_all(part)?;
        out.write_all(b"\r\n")?;
    }
}

fn refused(status: u16) -> Reply {
    Reply::Json(status, json!({"error": {"message": "not for you"}}))
}

fn bodies() -> Vec<Row> {
    vec![
        row("an ordinary answer", Labeled, good),
        row("content in parts", Labeled, |request| {
            changed(request, |answer, text| {
                let parts = json!([{"type": "text", "text": &text[..20]}, {"type": "text", "text": &text[20..]}]);
                answer["choices"][0]["message"]["content"] = parts;
            })
        }),
        row(
            "content null, the answer at the end of the reasoning",
            Labeled,
            |request| {
                changed(request, |answer, text| {
                    let thoughts = format!("Perhaps {}? No. {text}", record("초안"));
                    answer["choices"][0]["message"] =
                        json!({"content": null, "reasoning_content": thoughts});
                })
            },
        ),
        row(
            "content null, a draft within the reasoning",
            Text(""),
            |request| {
                changed(request, |answer, _| {
                    let thoughts = format!("Perhaps {}? No.", record("초안"));
                    answer["choices"][0]["message"] =
                        json!({"content": null, "reasoning_content": thoughts});
                })
            },
        ),
        row(
            "a draft in a thinking block before the answer",
            Labeled,
            |request| {
                changed(request, |answer, text| {
                    let text = format!("<think>{}</think>\n\n{text}", record("초안"));
                    *answer = completion(&text);
                })
            },
        ),
        row("a thinking block that never ends", Text(""), |_| {
            message(json!({"content": format!("<think>{}", record("초안"))}))
        }),
        row("a refusal in words", Text("I'd rather not"), |_| {
            message(json!({"content": null, "refusal": "I'd rather not"}))
        }),
        row("a byte order mark", Labeled, |request| {
            let text = completion(&record(&name(&request.body))).to_string();
            Reply::Raw(200, format!("\u{feff}{text}"))
        }),
        row(
            "an error with status 200",
            Fails("an error: no GPU"),
            |_| Reply::Json(200, json!({"error": {"message": "no GPU"}})),
        ),
        row(
            "a proxy's HTML page",
            Fails("a web page, not JSON: <html>welcome"),
            |_| Reply::Raw(200, "<html>welcome".to_owned()),
        ),
        row(
            "a login page for every item",
            Ends("a web page, not JSON: Log in"),
            |_| Reply::Raw(200, "<html><head><title>Log in</title></head>".to_owned()),
        )
        .items(40),
        row(
            "a stream for every item",
            Ends("streams its answer"),
            |_| Reply::Raw(200, "data: {\"choices\": []}\n\ndata: [DONE]\n".to_owned()),
        )
        .items(40),
        row("an empty body", Fails("not JSON"), |_| {
            Reply::Raw(200, String::new())
        }),
        row("no content", Fails("not JSON"), |_| {
            Reply::Wire(|out| write!(out, "HTTP/1.1 204 No Content\r\n\r\n"))
        }),
        row("a stream", Fails("streams"), |_| {
            Reply::Raw(200, "data: {\"choices\": []}\n\ndata: [DONE]\n".to_owned())
        }),
        row("no choice", Fails("not a chat completion"), |_| {
            Reply::Json(200, json!({"choices": []}))
        }),
        row("endless brackets", Fails("not JSON"), |_| {
            Reply::Raw(200, "[".repeat(900_000))
        })
        .mebibytes(8.0),
    ]
}

fn numbers() -> Vec<Row> {
    vec![
        row("a null probability", Labeled, |r| with_logprob(r, "null")),
        row("a probability of -Infinity", Labeled, |r| {
            with_logprob(r, "-Infinity")
        }),
        row("a probability of NaN", Labeled, |r| with_logprob(r, "NaN")),
        row("a probability out of range", Labeled, |r| {
            with_logprob(r, "-1e999")
        }),
        row("a probability as a string", Labeled, |r| {
            with_logprob(r, "\"-1\"")
        }),
        row("a probability over one", Labeled, |r| {
            with_logprob(r, "0.5")
        }),
        row("invalid token counts", Labeled, |request| {
            changed(request, |answer, _| {
                answer["usage"] = json!({"prompt_tokens": -4, "completion_tokens": "many"});
            })
        }),
        row("usage as a list", Labeled, |request| {
            changed(request, |answer, _| answer["usage"] = json!([1, 2]))
        }),
        row("an invalid status", Fails(""), |_| {
            Reply::Wire(|out| write!(out, "HTTP/1.1 20 OK\r\n\r\n"))
        }),
    ]
}

fn encodings() -> Vec<Row> {
    vec![
        row("unrequested gzip", Fails("compressed"), |_| {
            Reply::Wire(|out| {
                head(out, "content-encoding: gzip\r\ncontent-length: 4\r\n")?;
                out.write_all(b"\x1f\x8b\x08\x00")
            })
        }),
        row("gzip for every item", Ends("compressed"), |_| {
            Reply::Wire(|out| {
                head(out, "content-encoding: gzip\r\ncontent-length: 4\r\n")?;
                out.write_all(b"\x1f\x8b\x08\x00")
            })
        })
        .items(40),
        row("CP949", Fails("not UTF-8"), |_| {
            Reply::Wire(|out| {
                head(out, "content-length: 14\r\n")?;
                out.write_all(b"{\"a\": \"\xc7\xd8\xb7\xd0 \"}")
            })
        }),
        row("UTF-16", Fails("not UTF-8"), |_| {
            Reply::Wire(|out| {
                head(out, "content-length: 6\r\n")?;
                out.write_all(b"\xff\xfe{\0}\0")
            })
        }),
        row("no HTTP", Fails(""), |_| {
            Reply::Wire(|out| write!(out, "SSH-2.0-OpenSSH_9.6\r\n"))
        }),
    ]
}

fn redirects() -> Vec<Row> {
    vec![
        row(
            "a redirect on the same host",
            Labeled,
            |request| match request.path.as_str() {
                "/v1/chat/completions" => {
                    let to = "/api/chat/completions".to_owned();
                    Reply::With(308, vec![("location", to)], json!({}))
                }
                _ => good(request),
            },
        ),
        row(
            "a redirect to another host",
            Ends("redirects to http://other.invalid/"),
            |_| {
                let to = "http://other.invalid/".to_owned();
                Reply::With(307, vec![("location", to)], json!({}))
            },
        ),
        row(
            "a redirect loop",
            Ends("redirects to /v1/chat/completions again and again"),
            |_| {
                let to = "/v1/chat/completions".to_owned();
                Reply::With(307, vec![("location", to)], json!({}))
            },
        ),
        row(
            "a redirect to nowhere",
            Ends("redirects without a location"),
            |_| refused(302),
        ),
        row(
            "a redirect to a location that is not ASCII",
            Ends("redirects to http://other.invalid/\u{e9}"),
            |_| {
                let to = "http://other.invalid/\u{e9}\u{202e}".to_owned();
                Reply::With(307, vec![("location", to)], json!({}))
            },
        ),
    ]
}

fn statuses() -> Vec<Row> {
    vec![
        row("a missing key", Ends("answered 401: not for you"), |_| {
            refused(401)
        }),
        row("a wrong key", Ends("answered 403: not for you"), |_| {
            refused(403)
        }),
        row("no API", Ends("answered 404: not for you"), |_| {
            refused(404)
        }),
        row(
            "an API that only lists models",
            Ends("answered 405: not for you"),
            |_| refused(405),
        ),
        row(
            "one item refused",
            Fails("answered 400: not for you"),
            |_| refused(400),
        ),
        row(
            "every item refused",
            Ends("answered 422: not for you"),
            |_| refused(422),
        )
        .items(20),
        row("always too busy", Fails("answered 429 7 times"), |_| {
            refused(429)
        }),
        row(
            "too busy, with retry-after 0",
            Fails("answered 429 7 times"),
            |_| Reply::With(429, vec![("retry-after", "0".to_owned())], json!({})),
        ),
        row(
            "always broken",
            Fails("status 500: not for you, 4 times"),
            |_| refused(500),
        ),
        row("no credit", Ends("answered 402: not for you"), |_| {
            refused(402)
        }),
        row("no quota", Ends("answered 429: no more"), |_| {
            let error = json!({"message": "no more", "code": "insufficient_quota"});
            Reply::Json(429, json!({ "error": error }))
        }),
        row(
            "broken for every item",
            Ends("no usable answer from"),
            |_| refused(500),
        )
        .items(200)
        .retry(without_patience),
        row("a gateway without a server", Fails("status 502"), |_| {
            refused(502)
        }),
        row("not implemented", Fails("answered 501"), |_| refused(501)),
    ]
}

fn slow_and_cut() -> Vec<Row> {
    vec![
        row("no response at all", Fails("no answer in time"), |_| {
            Reply::Wire(|_| {
                std::thread::park_timeout(Duration::from_secs(5));
                Ok(())
            })
        })
        .retry(impatient),
        row(
            "silence within the answer",
            Fails("no answer in time"),
            |_| Reply::Silent,
        )
        .retry(impatient),
        row("endless single bytes", Fails("no answer in time"), |_| {
            Reply::Wire(drip)
        })
        .retry(impatient),
        row(
            "an answer of single bytes",
            Fails("bytes of the answer came in"),
            |_| Reply::Wire(drip),
        )
        .retry(slow_body),
        row("a body shorter than declared", Fails(""), |_| Reply::Cut),
        row(
            "bodies shorter than declared for every item",
            Ends("no usable answer from"),
            |_| Reply::Cut,
        )
        .items(40),
        row("a truncated chunk", Fails(""), |_| {
            Reply::Wire(|out| {
                head(out, "transfer-encoding: chunked\r\n")?;
                write!(out, "ff\r\n{{\"choi")
            })
        }),
        row("hangs up", Fails(""), |_| Reply::Wire(|_| Ok(()))),
    ]
}

/// Slightly below the size limit of an answer.
const LONG: usize = 1_000_000;

fn enormous() -> Vec<Row> {
    vec![
        row(
            "a declared length of ten gigabytes",
            Fails("over 1 MiB"),
            |_| {
                Reply::Wire(|out| {
                    head(out, "content-length: 10000000000\r\n")?;
                    loop {
                        out.write_all(&[b' '; 1 << 16])?;
                    }
                })
            },
        ),
        row("an endless body", Fails("over 1 MiB"), |_| {
            Reply::Wire(|out| endless(out, "200 OK", &[b' '; 1 << 16]))
        })
        .mebibytes(4.0),
        row("an endless body for every item", Ends("over 1 MiB"), |_| {
            Reply::Wire(|out| endless(out, "200 OK", &[b' '; 1 << 16]))
        })
        .items(40)
        .mebibytes(32.0),
        row("an endless error", Fails("over 1 MiB"), |_| {
            Reply::Wire(|out| endless(out, "500 Oops", &[b'x'; 1 << 16]))
        })
        .mebibytes(4.0),
        row("an endless header", Fails(""), |_| {
            Reply::Wire(|out| {
                write!(out, "HTTP/1.1 200 OK\r\nx: ")?;
                loop {
                    out.write_all(&[b'x'; 1 << 12])?;
                }
            })
        })
        .mebibytes(4.0),
        row("a long text that is not a record", SomeText, |_| {
            message(json!({"content": "a".repeat(LONG)}))
        })
        .mebibytes(16.0),
        row("many braces", SomeText, |_| {
            message(json!({"content": "{\"a\":".repeat(LONG / 8)}))
        })
        .mebibytes(16.0),
        row("many spaces", SomeText, |_| {
            message(json!({"content": format!("{{{}", " ".repeat(LONG))}))
        })
        .mebibytes(16.0),
        row("tokens that nearly match the text", SomeText, |_| {
            let text = "a".repeat(LONG / 3);
            let nearly = format!("{}b", "a".repeat(LONG / 6));
            let tokens = json!([
                {"token": "", "logprob": -1}, {"token": nearly, "logprob": -1},
                {"token": "a", "logprob": -1},
            ]);
            let choice = json!({"message": {"content": text}, "logprobs": {"content": tokens}});
            Reply::Json(200, json!({ "choices": [choice] }))
        })
        .mebibytes(16.0),
    ]
}

/// Short timeouts.
fn impatient() -> RetryPolicy {
    RetryPolicy {
        read_timeout: Duration::from_millis(300),
        request_timeout: Duration::from_millis(900),
        tries: 2,
        ..quick()
    }
}

/// Little time for the body of an answer.
fn slow_body() -> RetryPolicy {
    RetryPolicy {
        body_time: Duration::from_millis(100),
        per_token: Duration::from_millis(1),
        tries: 2,
        ..quick()
    }
}

#[test]
fn every_server_behavior_has_the_expected_result_within_its_limits() {
    // Memory of an ordinary answer, mostly for the grammar.
    let (_, ordinary) = peak(|| {
        let server = Server::start(good);
        label_with(options(&[&server.url]), quick(), 1)
    });
    let tables = [
        bodies(),
        numbers(),
        encodings(),
        redirects(),
        statuses(),
        slow_and_cut(),
        enormous(),
    ];
    let mut wrong = Vec::new();
    for row in tables.into_iter().flatten() {
        let server = Server::start(chats(row.reply));
        let start = Instant::now();
        let retry = (row.retry)();
        let work = || label_with(options(&[&server.url]), retry, row.items);
        let (run, bytes) = peak(work);
        let seconds = start.elapsed().as_secs_f64();
        let mebibytes = bytes.saturating_sub(ordinary) as f64 / f64::from(1 << 20);
        println!("{:55} {seconds:6.2} s {mebibytes:7.2} MiB", row.name);

        let ended = run.ended.as_ref().map_err(|error| error.cause.as_str());
        let failed = |words: &str| run.failures.values().all(|failure| failure.contains(words));
        let all = row.items as usize;
        let is_as_expected = match row.expected {
            Labeled => (1..=row.items).all(|item| {
                let text = run.texts.get(&item);
                text.is_some_and(|text| text.trim() == record(&format!("모자 {item}")))
            }),
            Text(text) => run.texts.values().all(|found| found == text) && run.texts.len() == all,
            SomeText => run.texts.len() == all,
            Fails(words) => failed(words) && run.failures.len() == all && ended.is_ok(),
            Ends(words) => ended.is_err_and(|cause| cause.contains(words)) && run.texts.is_empty(),
        };
        if !is_as_expected {
            let (texts, failures) = (run.texts.len(), &run.failures);
            wrong.push(format!(
                "{}: {texts} texts, {failures:?}, {ended:?}",
                row.name
            ));
        }
        if seconds > row.seconds {
            wrong.push(format!("{}: {seconds} s", row.name));
        }
        if mebibytes > row.mebibytes {
            wrong.push(format!("{}: {mebibytes} MiB", row.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

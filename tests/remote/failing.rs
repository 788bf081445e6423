//! Tests of servers that stop to answer, and of what a run says about them.

use crate::run::{Run, label_with, options, quick, watched, without_patience};
use crate::server::{Reply, Request, Server, chats, good, name};
use labeler_tui::labeler::LabelEvent;
use labeler_tui::labeler::remote::RetryPolicy;
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A server that answers the first `answered` requests well, and then with `reply`.
fn good_until(answered: usize, reply: fn() -> Reply) -> Server {
    let calls = AtomicUsize::new(0);
    Server::start(chats(move |request| {
        match calls.fetch_add(1, Ordering::SeqCst) < answered {
            true => good(request),
            false => reply(),
        }
    }))
}

/// As many tries of an item as in a real run.
fn persistent() -> RetryPolicy {
    RetryPolicy {
        tries: RetryPolicy::default().tries,
        ..quick()
    }
}

fn page() -> Reply {
    Reply::Raw(200, "<html><title>Log in</title>".to_owned())
}

fn refused(status: u16) -> Reply {
    Reply::Json(status, json!({"error": {"message": "no more"}}))
}

fn notices(run: &Run, words: &str) -> usize {
    let with_words = |notice: &&String| notice.contains(words);
    run.notices.iter().filter(with_words).count()
}

#[test]
fn a_server_that_answers_no_item_usably_ends_the_run_after_five_items() {
    type Unusable = fn() -> Reply;
    let replies: [(&str, Unusable); 4] = [
        ("a web page", page),
        ("streams", || Reply::Raw(200, "data: {}\n".to_owned())),
        ("not a chat completion", || Reply::Raw(200, "{}".to_owned())),
        ("no usable answer", || Reply::Cut),
    ];
    for (words, reply) in replies {
        for concurrency in [1, 4, 32] {
            let server = Server::start(chats(move |_| reply()));
            let mut options = options(&[&server.url]);
            options.concurrency = concurrency;
            let run = label_with(options, persistent(), 64);
            let error = run.ended.as_ref().unwrap_err();
            assert!(error.cause.contains(words), "{error}");
            let hint = error.hint.as_ref().unwrap();
            assert!(hint.contains("doctor"), "{hint}");
            assert!(run.failures.is_empty(), "{words}: {:?}", run.failures);
            // Later items are not even sent.
            let requests = server.bodies().len();
            assert!(requests <= 32 + 5, "{words}, {concurrency}: {requests}");
            assert_eq!(notices(&run, "is back, continuing"), 0, "{:?}", run.notices);
            assert!(notices(&run, "the run is paused") <= 1);
        }
    }
}

#[test]
fn a_server_whose_answers_become_unusable_pauses_the_run_once_and_then_ends_it() {
    for reply in [page, || Reply::Cut, || refused(500)] {
        let server = good_until(20, reply);
        let run = label_with(options(&[&server.url]), without_patience(), 500);
        let error = run.ended.as_ref().unwrap_err();
        assert!(
            error.cause.starts_with("no usable answer from http://"),
            "{error}"
        );
        let hint = error.hint.as_ref().unwrap();
        assert!(hint.contains("answered before"), "{hint}");
        assert_eq!(run.texts.len(), 20);
        assert_eq!(notices(&run, "the run is paused"), 1, "{:?}", run.notices);
        assert_eq!(notices(&run, "is back, continuing"), 0, "{:?}", run.notices);
        // The others wait for another run, apart from some that were tried as often as one may be.
        assert!(run.failures.len() <= 100, "{}", run.failures.len());
    }
}

#[test]
fn an_unusable_server_is_back_only_after_a_usable_answer() {
    let calls = AtomicUsize::new(0);
    let server = Server::start(chats(move |request| {
        match calls.fetch_add(1, Ordering::SeqCst) {
            5..20 => page(),
            _ => good(request),
        }
    }));
    let patient = RetryPolicy {
        tries: 20,
        ..quick()
    };
    let run = label_with(options(&[&server.url]), patient, 40);
    assert_eq!(run.texts.len(), 40, "{:?}", run.failures);
    let expected = ["the run is paused until it is back", "is back, continuing"];
    assert_eq!(run.notices.len(), 2, "{:?}", run.notices);
    for (notice, words) in run.notices.iter().zip(expected) {
        assert!(notice.contains(words), "{notice}");
    }
}

#[test]
fn an_item_without_a_usable_answer_among_good_ones_only_costs_itself() {
    for concurrency in [1, 8] {
        let server = Server::start(chats(|request: &Request| {
            match name(&request.body).as_str() {
                "모자 1" | "모자 9" => page(),
                _ => good(request),
            }
        }));
        let mut options = options(&[&server.url]);
        options.concurrency = concurrency;
        let run = label_with(options, quick(), 30);
        assert!(run.ended.is_ok(), "{:?}", run.ended);
        assert_eq!((run.texts.len(), run.failures.len()), (28, 2));
    }
}

#[test]
fn a_server_that_is_interrupted_again_and_again_is_reported_ten_times() {
    let calls = AtomicUsize::new(0);
    let server = Server::start(chats(move |request| {
        match calls.fetch_add(1, Ordering::SeqCst) % 8 {
            4.. => page(),
            _ => good(request),
        }
    }));
    let mut options = options(&[&server.url]);
    options.concurrency = 1;
    let patient = RetryPolicy {
        tries: 100,
        ..quick()
    };
    let run = label_with(options, patient, 200);
    assert_eq!(run.texts.len(), 200, "{:?}", run.failures);
    assert_eq!(notices(&run, "the run is paused"), 10);
    assert_eq!(notices(&run, "is back, continuing"), 10);
    assert!(
        run.notices
            .last()
            .unwrap()
            .ends_with("are only in labeler.log")
    );
}

#[test]
fn refusals_of_every_item_end_a_run_that_had_answers() {
    for (status, refusals) in [(401, 5), (402, 5), (403, 5), (404, 5), (400, 32), (422, 32)] {
        let server = Server::start(chats({
            let calls = AtomicUsize::new(0);
            move |request| match calls.fetch_add(1, Ordering::SeqCst) < 6 {
                true => good(request),
                false => refused(status),
            }
        }));
        let mut options = options(&[&server.url]);
        options.concurrency = 1;
        let run = label_with(options, quick(), 500);
        let error = run.ended.as_ref().unwrap_err();
        assert!(
            error
                .cause
                .ends_with(&format!("answered {status}: no more")),
            "{error}"
        );
        assert!(error.hint.as_ref().unwrap().contains("credit"));
        assert_eq!(run.texts.len(), 6);
        // The item of the last refusal waits for the next run.
        assert_eq!(run.failures.len(), refusals - 1, "{status}");
        assert!(run.notices.is_empty(), "{:?}", run.notices);
    }
}

#[test]
fn a_few_refusals_in_a_row_fail_their_items_only() {
    let server = Server::start(chats(|request: &Request| {
        match name(&request.body).as_str() {
            "모자 3" | "모자 4" | "모자 5" | "모자 6" => refused(403),
            _ => good(request),
        }
    }));
    let mut options = options(&[&server.url]);
    options.concurrency = 1;
    let run = label_with(options, quick(), 12);
    assert!(run.ended.is_ok(), "{:?}", run.ended);
    assert_eq!((run.texts.len(), run.failures.len()), (8, 4));
}

#[test]
fn a_server_that_stays_busy_is_reported_once_and_again_when_it_answers() {
    for retry_after in [None, Some("0")] {
        let calls = AtomicUsize::new(0);
        let server = Server::start(chats(move |request| {
            let after = retry_after.map(|after: &str| ("retry-after", after.to_owned()));
            match calls.fetch_add(1, Ordering::SeqCst) < 40 {
                true => Reply::With(429, after.into_iter().collect(), json!({})),
                false => good(request),
            }
        }));
        // Some item may get most of the refusals.
        let persistent = RetryPolicy {
            max_rate_limited: 100,
            ..quick()
        };
        let run = label_with(options(&[&server.url]), persistent, 20);
        assert_eq!(run.texts.len(), 20, "{:?}", run.failures);
        let words = ["is too busy for every request (429, ", "answers again"];
        assert_eq!(run.notices.len(), 2, "{:?}", run.notices);
        for (notice, words) in run.notices.iter().zip(words) {
            assert!(notice.contains(words), "{notice}");
        }
    }
}

#[test]
fn a_pause_longer_than_ten_minutes_is_said_to_be_shortened() {
    for long in ["3600", "1e308", "Mon, 21 Oct 2126 07:28:00 GMT"] {
        let server = Server::start(chats(|_| {
            Reply::With(429, vec![("retry-after", long.to_owned())], json!({}))
        }));
        let run = watched(options(&[&server.url]), quick(), 1, |event| {
            matches!(event, LabelEvent::Notice(_))
        });
        let notice = &run.notices[0];
        assert!(
            notice.ends_with("asks to wait longer than 10 min 0 s, trying again in 10 min 0 s"),
            "{long}: {notice}"
        );
    }
}

#[test]
fn a_slow_answer_is_reported_once() {
    let server = Server::start(chats(|_| {
        Reply::Wire(|out| {
            write!(out, "HTTP/1.1 200 OK\r\ncontent-length: 99999\r\n\r\n")?;
            loop {
                out.write_all(b" ")?;
                out.flush()?;
                std::thread::park_timeout(Duration::from_millis(10));
            }
        })
    }));
    let hurried = RetryPolicy {
        body_time: Duration::from_millis(50),
        per_token: Duration::from_millis(1),
        ..quick()
    };
    let run = label_with(options(&[&server.url]), hurried, 2);
    assert_eq!(run.failures.len(), 2);
    assert_eq!(notices(&run, "sends its answers very slowly"), 1);
}

//! Tests of several servers, and of unavailable ones.

use crate::run::{label_with, options, quick, watched};
use crate::server::{Reply, Server, chats, good, unused_address};
use labeler_tui::labeler::LabelEvent;
use labeler_tui::labeler::remote::RemoteLabeler;
use serde_json::json;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn an_unavailable_server_pauses_the_run_and_nothing_is_lost() {
    let free = unused_address();
    let (sender, receiver) = std::sync::mpsc::channel();
    let server = std::thread::spawn(move || {
        receiver.recv().unwrap();
        Server::on(TcpListener::bind(free).unwrap(), true, good)
    });
    let url = format!("http://{free}/v1");
    let mut waiting = options(&[&url]);
    waiting.wait = true;
    let run = watched(waiting, quick(), 30, |event| {
        if *event == LabelEvent::Waiting(true) {
            sender.send(()).unwrap();
        }
        false
    });
    assert_eq!(run.texts.len(), 30, "{:?}", run.failures);
    assert_eq!(run.notices.len(), 2, "{:?}", run.notices);
    assert!(
        run.notices[0].contains("the run is paused"),
        "{:?}",
        run.notices
    );
    assert!(run.notices[1].contains("is back"), "{:?}", run.notices);
    let waits = |waits| {
        run.events
            .iter()
            .filter(move |e| **e == LabelEvent::Waiting(waits))
    };
    assert_eq!((waits(true).count(), waits(false).count()), (1, 1));
    drop(server.join().unwrap());
}

#[test]
fn a_failing_server_gets_no_requests_until_it_recovers() {
    let requests = AtomicUsize::new(0);
    let server = Server::start(chats(move |request| {
        match requests.fetch_add(1, Ordering::SeqCst) < 12 {
            true => Reply::Json(503, json!({"error": "loading the model"})),
            false => good(request),
        }
    }));
    let mut retry = quick();
    retry.tries = 20;
    let run = label_with(options(&[&server.url]), retry, 10);
    assert_eq!(run.texts.len(), 10, "{:?}", run.failures);
    assert!(
        run.notices[0].contains("loading the model"),
        "{:?}",
        run.notices
    );
    assert!(
        run.notices.last().unwrap().contains("is back"),
        "{:?}",
        run.notices
    );
}

#[test]
fn the_run_continues_without_an_unreachable_server() {
    let (one, two) = (Server::start(good), Server::start(good));
    let dead = format!("http://{}/v1", unused_address());
    let run = label_with(options(&[&dead, &one.url, &two.url]), quick(), 60);
    assert_eq!(run.texts.len(), 60, "{:?}", run.failures);
    let notice = &run.notices[0];
    assert!(
        notice.contains("continuing with 2 other servers"),
        "{notice}"
    );
    let shares = (one.bodies().len(), two.bodies().len());
    assert_eq!(shares.0 + shares.1, 60);
    assert!(shares.0 > 10 && shares.1 > 10, "{shares:?}");
}

#[test]
fn servers_may_support_different_features() {
    let strict = Server::start(good);
    let plain = Server::start(|request| match request.body.get("response_format") {
        Some(_) => Reply::Json(400, json!({"error": "no response_format"})),
        None => good(request),
    });
    let run = label_with(options(&[&strict.url, &plain.url]), quick(), 40);
    assert_eq!(run.texts.len(), 40, "{:?}", run.failures);
    assert_eq!(run.info.detail, "json_schema, guided_json");
    let bodies = strict.bodies();
    assert!(
        bodies
            .iter()
            .all(|body| body.get("response_format").is_some())
    );
}

#[test]
fn the_run_ends_at_the_start_if_no_server_is_reachable() {
    let urls = [unused_address(), unused_address()].map(|free| format!("http://{free}/v1"));
    let options = options(&[&urls[0], &urls[1]]);
    let error = RemoteLabeler::new(options, quick()).err().unwrap();
    assert_eq!(error.exit_status(), 1);
    assert!(error.cause.starts_with("no server answers: "), "{error}");
    assert!(urls.iter().all(|url| error.cause.contains(url)), "{error}");
    assert!(error.hint.unwrap().contains("--wait"));
}

#[test]
fn the_error_for_a_url_without_its_path_suggests_the_right_one() {
    let server = Server::start(|request| match request.path.starts_with("/v1/") {
        true => good(request),
        false => Reply::Json(404, json!({"detail": "Not Found"})),
    });
    let base = server.url.trim_end_matches("/v1");
    let error = RemoteLabeler::new(options(&[base]), quick()).err().unwrap();
    assert_eq!(
        error.cause,
        format!("no API at {base}, but at {}", server.url)
    );
    assert_eq!(
        error.hint.unwrap(),
        format!("use --endpoint {}", server.url)
    );
}

#[test]
fn offline_and_invalid_urls_are_usage_errors() {
    let mut offline = options(&["http://127.0.0.1:1/v1"]);
    offline.offline = true;
    for options in [offline, options(&["ftp://host/v1"])] {
        let error = RemoteLabeler::new(options, quick()).err().unwrap();
        assert_eq!(error.exit_status(), 2);
    }
}

use super::*;

/// One of each kind. The texts of other programs are in capital letters.
fn all() -> Vec<FailureDetail> {
    let text = |text: &str| text.to_owned();
    let unreadable = |why| FailureDetail::Unreadable {
        file: text("A.PNG"),
        why,
    };
    let refused = |why| FailureDetail::ServerRefused {
        url: text("URL"),
        why,
    };
    let problems = [
        ReadProblem::NotRegular,
        ReadProblem::TooLarge { limit: 9 },
        ReadProblem::NotPermitted {
            why: text("DENIED"),
        },
        ReadProblem::Shrank,
        ReadProblem::FewerRows,
        ReadProblem::NoColumn { column: text("C") },
        ReadProblem::NoImageInRow,
        ReadProblem::Damaged,
        ReadProblem::Other(text("EIO")),
    ];
    let message = text("NO");
    let server_errors = [
        ServerError::Timeout,
        ServerError::UntrustedCertificate,
        ServerError::InvalidCertificate { why: text("OLD") },
        ServerError::Status {
            status: 500,
            message: message.clone(),
        },
        ServerError::Answered {
            status: 401,
            message: message.clone(),
        },
        ServerError::Redirects { to: text("URL") },
        ServerError::RedirectsInCircle { to: text("URL") },
        ServerError::RedirectsNowhere,
        ServerError::TooSlow {
            bytes: 9,
            seconds: 60,
        },
        ServerError::TooLong { mebibytes: 1 },
        ServerError::Compressed,
        ServerError::Streamed,
        ServerError::NotUtf8,
        ServerError::WebPage {
            title: text("LOG IN"),
        },
        ServerError::NotJson { why: text("EOF") },
        ServerError::ErrorAnswer { message },
        ServerError::NotACompletion,
        ServerError::Through {
            proxy: text("URL"),
            error: Box::new(ServerError::Timeout),
        },
        ServerError::Other(text("ECONNREFUSED")),
    ];
    let servers = vec![
        (text("URL"), ServerError::Timeout),
        (text("URL"), ServerError::NotUtf8),
    ];
    let others = [
        FailureDetail::NeverFetched,
        FailureDetail::FetchFailed { why: text("404") },
        FailureDetail::NoIconFile,
        FailureDetail::NoFileNamed,
        FailureDetail::ControlCharactersInPath,
        FailureDetail::NoSuchFile {
            file: text("A.PNG"),
        },
        FailureDetail::EmptyFile,
        FailureDetail::TooManyBytes { bytes: 9, limit: 8 },
        FailureDetail::NotAnImage,
        FailureDetail::BrokenImage {
            format: text("PNG"),
            why: text("CRC"),
        },
        FailureDetail::NoPixels {
            width: 0,
            height: 1,
        },
        FailureDetail::TooManyPixels {
            width: 9,
            height: 9,
            max_side: 8,
            max_pixels: 64,
        },
        FailureDetail::DecoderPanicked,
        FailureDetail::NoJsonInAnswer { answer: text("NO") },
        FailureDetail::NoLabelInAnswer { answer: text("{}") },
        FailureDetail::ModelPanicked { why: text("NAN") },
        FailureDetail::ModelUnfinished,
        FailureDetail::ModelFailed { why: text("NAN") },
        FailureDetail::AllServersRefused { servers },
        FailureDetail::ServerFailed {
            url: text("URL"),
            why: ServerError::Timeout,
            times: 8,
        },
        FailureDetail::ServerBusy {
            url: text("URL"),
            status: 429,
            times: 9,
        },
        FailureDetail::ServerRepeatsKey { url: text("URL") },
    ];
    let problems = problems.into_iter().map(unreadable);
    let server_errors = server_errors.into_iter().map(refused);
    others
        .into_iter()
        .chain(problems)
        .chain(server_errors)
        .collect()
}

#[test]
fn every_kind_is_worded_in_korean() {
    /// Names of formats, files and variables are not translated.
    const NAMES: [&str; 9] = [
        "local_path",
        "label_ko",
        "x",
        "Linux",
        "SSL_CERT_FILE",
        "PEM",
        "MiB",
        "WebP",
        "UTF",
    ];
    for detail in all() {
        let Said { english, korean } = detail.said();
        let words = korean.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let is_english = |word: &&str| {
            word.chars().any(|c| c.is_ascii_lowercase())
                && !NAMES.contains(word)
                && !word.chars().all(|c| c == 'x' || c.is_ascii_digit())
        };
        let found: Vec<&str> = words.filter(is_english).collect();
        assert!(found.is_empty(), "{found:?} in {korean}");
        assert!(
            korean.chars().any(|c| ('가'..='힣').contains(&c)) || korean.ends_with("ECONNREFUSED")
        );
        assert!(english.is_ascii(), "{english}");
    }
}

#[test]
fn a_stored_detail_is_a_code_with_its_values() {
    for detail in all() {
        let stored = serde_json::to_value(&detail).unwrap();
        assert!(stored["kind"].is_string(), "{stored}");
        assert_eq!(
            serde_json::from_value::<FailureDetail>(stored).unwrap(),
            detail
        );
    }
    let missing = FailureDetail::NoSuchFile {
        file: "a.png".to_owned(),
    };
    let stored = serde_json::to_string(&missing).unwrap();
    assert_eq!(stored, r#"{"kind":"no_such_file","file":"a.png"}"#);
    assert_eq!(missing.to_string(), "there is no file a.png");
}

#[test]
fn a_detail_of_an_earlier_version_stays_as_it_was() {
    let stored = r#"{"code": "model_error", "detail": "no answer in time"}"#;
    let failure: Failure = serde_json::from_str(stored).unwrap();
    let Said { english, korean } = failure.detail.said();
    assert_eq!(
        (english.as_str(), korean.as_str()),
        ("no answer in time", "no answer in time")
    );
}

#[test]
fn a_server_that_says_nothing_leaves_no_empty_detail() {
    let message = String::new;
    for (error, english) in [
        (
            ServerError::Status {
                status: 502,
                message: message(),
            },
            "status 502",
        ),
        (
            ServerError::Answered {
                status: 401,
                message: message(),
            },
            "answered 401",
        ),
        (
            ServerError::WebPage { title: message() },
            "the server's answer is a web page, not JSON",
        ),
        (
            ServerError::ErrorAnswer { message: message() },
            "the server's answer is an error",
        ),
    ] {
        let said = error.said();
        assert_eq!(said.english, english);
        assert!(!said.korean.contains(':'), "{}", said.korean);
    }
    let refused = FailureDetail::ServerFailed {
        url: "http://a/v1".to_owned(),
        why: ServerError::Status {
            status: 502,
            message: message(),
        },
        times: 1,
    };
    assert_eq!(refused.to_string(), "http://a/v1: status 502, once");
}

#[test]
fn what_a_server_says_is_redacted_through_a_proxy_too() {
    let error = ServerError::Through {
        proxy: "http://proxy".to_owned(),
        error: Box::new(ServerError::Answered {
            status: 401,
            message: "SECRET is wrong".to_owned(),
        }),
    };
    let redacted = error.redacted(&|text| text.replace("SECRET", "[key]"));
    assert_eq!(
        redacted.to_string(),
        "answered 401: [key] is wrong (through the proxy http://proxy)"
    );
    // The key in journals.
    let stored = serde_json::to_value(&redacted).unwrap();
    assert_eq!(stored["fault"]["status"], 401);
}

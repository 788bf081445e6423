//! What is wrong with a server's reply.

use crate::text::{Said, plural, said};
use serde::{Deserialize, Serialize};
use std::fmt;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ServerError {
    Timeout,
    UntrustedCertificate,
    InvalidCertificate {
        why: String,
    },
    /// A failure that may pass.
    Status {
        status: u16,
        message: String,
    },
    /// A refusal.
    Answered {
        status: u16,
        message: String,
    },
    Redirects {
        to: String,
    },
    /// To the same host, again and again.
    RedirectsInCircle {
        to: String,
    },
    RedirectsNowhere,
    /// The answer was not complete after this time.
    TooSlow {
        bytes: usize,
        seconds: u64,
    },
    TooLong {
        mebibytes: usize,
    },
    Compressed,
    Streamed,
    NotUtf8,
    WebPage {
        /// Its title, or its beginning.
        title: String,
    },
    NotJson {
        why: String,
    },
    ErrorAnswer {
        message: String,
    },
    NotACompletion,
    /// The reply may come from a proxy.
    Through {
        proxy: String,
        #[serde(rename = "fault")]
        error: Box<Self>,
    },
    /// In the system's words, such as "Connection refused (os error 111)".
    #[serde(untagged)]
    Other(String),
}

impl ServerError {
    pub fn said(&self) -> Said {
        match self {
            Self::Timeout => said!("no answer in time", "시간 안에 응답하지 않았습니다"),
            Self::UntrustedCertificate => said!(
                "its certificate is not signed by a trusted authority; add the authority to the \
                 system's, or on Linux set SSL_CERT_FILE to its PEM file",
                "믿을 수 있는 기관이 서명한 인증서가 아닙니다. 그 기관을 시스템에 더하거나, \
                 Linux에서는 SSL_CERT_FILE에 PEM 파일을 지정하세요"
            ),
            Self::InvalidCertificate { why } => said!(
                "its certificate is invalid: {why}",
                "인증서가 올바르지 않습니다: {why}"
            ),
            Self::Status { status, message } => {
                with_detail(said!("status {status}", "상태 {status}"), message)
            }
            Self::Answered { status, message } => with_detail(
                said!("answered {status}", "요청을 거부했습니다(상태 {status})"),
                message,
            ),
            Self::Redirects { to } => said!(
                "redirects to {to}, and redirects to other hosts are not followed",
                "{to}{으로} 보내지만, 다른 호스트로는 따라가지 않습니다"
            ),
            Self::RedirectsInCircle { to } => said!(
                "redirects to {to} again and again",
                "{to}{으로} 되풀이해 보냅니다"
            ),
            Self::RedirectsNowhere => said!(
                "redirects without a location",
                "다른 주소로 보내지만 주소가 없습니다"
            ),
            Self::TooSlow { bytes, seconds } => {
                let received = plural(*bytes, "byte");
                said!(
                    "only {received} of the answer came in {seconds} seconds",
                    "{seconds}초 동안 답이 {bytes}바이트만 왔습니다"
                )
            }
            Self::TooLong { mebibytes } => said!(
                "the answer is over {mebibytes} MiB",
                "답이 {mebibytes} MiB보다 깁니다"
            ),
            Self::Compressed => said!(
                "the server's answer is compressed, although compression was not requested",
                "청하지 않았는데 답을 압축해 보냅니다"
            ),
            Self::Streamed => said!(
                "the server streams its answer, although streaming was not requested",
                "청하지 않았는데 답을 나누어 보냅니다"
            ),
            Self::NotUtf8 => said!("the server's answer is not UTF-8", "답이 UTF-8이 아닙니다"),
            Self::WebPage { title } => with_detail(
                said!(
                    "the server's answer is a web page, not JSON",
                    "답이 JSON이 아니라 웹 페이지입니다"
                ),
                title,
            ),
            Self::NotJson { why } => said!(
                "the server's answer is not JSON: {why}",
                "답이 JSON이 아닙니다: {why}"
            ),
            Self::ErrorAnswer { message } => with_detail(
                said!("the server's answer is an error", "답이 오류입니다"),
                message,
            ),
            Self::NotACompletion => said!(
                "the server's answer is not a chat completion",
                "답이 대화 형식이 아닙니다"
            ),
            Self::Through { proxy, error } => {
                let Said { english, korean } = error.said();
                said!(
                    "{english} (through the proxy {proxy})",
                    "{korean} (프록시 {proxy} 경유)"
                )
            }
            Self::Other(why) => said!("{why}", "{why}"),
        }
    }

    /// Whether waiting may help, as for a server that is loading its model.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Status { .. } | Self::ErrorAnswer { .. } => true,
            Self::Through { error, .. } => error.may_pass(),
            _ => false,
        }
    }

    /// Whether the server refused the request, rather than failing to answer it.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Answered { .. }
            | Self::Redirects { .. }
            | Self::RedirectsInCircle { .. }
            | Self::RedirectsNowhere => true,
            Self::Through { error, .. } => error.is_refusal(),
            _ => false,
        }
    }

    /// Passes every text that comes from the server through `redact`.
    pub fn redacted(mut self, redact: &dyn Fn(&str) -> String) -> Self {
        match &mut self {
            Self::InvalidCertificate { why: text }
            | Self::Status { message: text, .. }
            | Self::Answered { message: text, .. }
            | Self::Redirects { to: text }
            | Self::RedirectsInCircle { to: text }
            | Self::WebPage { title: text }
            | Self::NotJson { why: text }
            | Self::ErrorAnswer { message: text }
            | Self::Other(text) => *text = redact(text),
            Self::Through { error, .. } => **error = error.as_ref().clone().redacted(redact),
            Self::Timeout
            | Self::UntrustedCertificate
            | Self::RedirectsNowhere
            | Self::TooSlow { .. }
            | Self::TooLong { .. }
            | Self::Compressed
            | Self::Streamed
            | Self::NotUtf8
            | Self::NotACompletion => {}
        }
        self
    }
}

/// Appends what the server wrote, if it wrote anything.
fn with_detail(said: Said, detail: &str) -> Said {
    let Said { english, korean } = said;
    match detail.is_empty() {
        true => Said { english, korean },
        false => said!("{english}: {detail}", "{korean}: {detail}"),
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.said().fmt(f)
    }
}

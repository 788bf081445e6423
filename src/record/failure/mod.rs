//! Why an item has no record: a code for scripts and a detail that is worded for its reader.

mod server;
#[cfg(test)]
mod tests;

pub use server::ServerError;

use super::FailureCode;
use crate::error::{Error, ErrorKind};
use crate::text::{Said, said};
use serde::{Deserialize, Serialize};
use std::{fmt, io};

/// Why an attempt produced no labels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub code: FailureCode,
    pub detail: FailureDetail,
}

/// What happened and to what. `Display` shows the English sentence, which exports contain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FailureDetail {
    NeverFetched,
    FetchFailed {
        why: String,
    },
    NoIconFile,
    NoFileNamed,
    ControlCharactersInPath,
    NoSuchFile {
        file: String,
    },
    Unreadable {
        file: String,
        why: ReadProblem,
    },
    EmptyFile,
    TooManyBytes {
        bytes: u64,
        limit: u64,
    },
    NotAnImage,
    BrokenImage {
        format: String,
        /// In the decoder's words.
        why: String,
    },
    NoPixels {
        width: u32,
        height: u32,
    },
    TooManyPixels {
        width: u32,
        height: u32,
        max_side: u32,
        max_pixels: u64,
    },
    DecoderPanicked,
    /// `answer` is the beginning of what the model wrote.
    NoJsonInAnswer {
        answer: String,
    },
    NoLabelInAnswer {
        answer: String,
    },
    ModelPanicked {
        why: String,
    },
    ModelUnfinished,
    /// In the words of the code that computes.
    ModelFailed {
        why: String,
    },
    ServerRefused {
        url: String,
        why: ServerError,
    },
    AllServersRefused {
        servers: Vec<(String, ServerError)>,
    },
    ServerFailed {
        url: String,
        why: ServerError,
        times: u32,
    },
    ServerBusy {
        url: String,
        status: u16,
        times: u32,
    },
    ServerRepeatsKey {
        url: String,
    },
    /// A sentence that a journal has from the time when details were text.
    #[serde(untagged)]
    Text(String),
}

/// Why the bytes of an image cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ReadProblem {
    NotRegular,
    TooLarge {
        limit: u64,
    },
    NotPermitted {
        why: String,
    },
    /// Of a file that contains many images.
    Shrank,
    FewerRows,
    NoColumn {
        column: String,
    },
    NoImageInRow,
    Damaged,
    /// In the system's or a library's words.
    #[serde(untagged)]
    Other(String),
}

impl FailureDetail {
    pub fn into_error(self) -> Error {
        let kind = match self {
            Self::ServerRefused { .. } | Self::AllServersRefused { .. } => ErrorKind::Network,
            Self::ModelPanicked { .. } => ErrorKind::Model,
            Self::ModelUnfinished => ErrorKind::Internal,
            _ => ErrorKind::Image,
        };
        let error = Error::said(kind, self.said());
        match self {
            Self::NoSuchFile { .. } => error.with_hint("check the path"),
            Self::Unreadable {
                why: ReadProblem::NotPermitted { .. },
                ..
            } => error.with_hint("give read permission"),
            Self::Unreadable {
                why: ReadProblem::NotRegular,
                ..
            } => error.with_hint("write it to a file first"),
            _ => error,
        }
    }

    pub fn said(&self) -> Said {
        match self {
            Self::NeverFetched => said!(
                "the icon was never fetched",
                "아이콘을 내려받은 적이 없습니다"
            ),
            Self::FetchFailed { why } => said!(
                "fetching the icon failed: {why}",
                "아이콘을 내려받지 못했습니다: {why}"
            ),
            Self::NoIconFile => said!("the icon has no file", "아이콘의 파일이 없습니다"),
            Self::NoFileNamed => said!("the source names no file", "원본에 파일 이름이 없습니다"),
            Self::ControlCharactersInPath => said!(
                "the icon's local_path contains control characters",
                "아이콘의 local_path에 제어 문자가 있습니다"
            ),
            Self::NoSuchFile { file } => {
                said!("there is no file {file}", "파일이 없습니다: {file}")
            }
            Self::Unreadable { file, why } => {
                let Said { english, korean } = why.said();
                said!("cannot read {file}: {english}", "{korean}: {file}")
            }
            Self::EmptyFile => said!("the file is empty", "빈 파일입니다"),
            Self::TooManyBytes { bytes, limit } => said!(
                "the file has {bytes} bytes, more than {limit}",
                "파일이 {bytes}바이트입니다. {limit}바이트까지 읽습니다"
            ),
            Self::NotAnImage => said!(
                "not a PNG, JPEG, GIF, WebP or BMP image",
                "PNG, JPEG, GIF, WebP, BMP 그림이 아닙니다"
            ),
            Self::BrokenImage { format, why } => said!(
                "broken {format} image: {why}",
                "깨진 {format} 그림입니다: {why}"
            ),
            Self::NoPixels { width, height } => said!(
                "the image has no pixels ({width}x{height})",
                "픽셀이 없는 그림입니다({width}x{height})"
            ),
            Self::TooManyPixels {
                width,
                height,
                max_side,
                max_pixels,
            } => said!(
                "the image is {width}x{height} pixels, more than {max_side} a side or \
                 {max_pixels} in all",
                "그림이 {width}x{height}픽셀입니다. 한 변 {max_side}, 모두 {max_pixels}픽셀까지 읽습니다"
            ),
            Self::DecoderPanicked => said!(
                "the image made the decoder panic",
                "그림을 푸는 도중 프로그램 오류가 났습니다"
            ),
            Self::NoJsonInAnswer { answer } => said!(
                "no JSON object with label_ko in the answer: {answer}",
                "답에 label_ko가 있는 JSON 객체가 없습니다: {answer}"
            ),
            Self::NoLabelInAnswer { answer } => said!(
                "label_ko is empty in the answer: {answer}",
                "답의 label_ko가 비었습니다: {answer}"
            ),
            Self::ModelPanicked { why } => said!(
                "the model panicked: {why}",
                "모델이 프로그램 오류로 멈췄습니다: {why}"
            ),
            Self::ModelUnfinished => said!(
                "the model did not finish its requests",
                "모델이 요청을 끝내지 않고 멈췄습니다"
            ),
            Self::ModelFailed { why } => said!("{why}", "모델이 답하지 못했습니다: {why}"),
            Self::ServerRefused { url, why } => refused(url, why),
            Self::AllServersRefused { servers } => {
                let all: Vec<Said> = servers
                    .iter()
                    .map(|(url, why)| excluded(url, why))
                    .collect();
                let join =
                    |of: fn(&Said) -> &str| all.iter().map(of).collect::<Vec<_>>().join("; ");
                Said {
                    english: join(|said| &said.english),
                    korean: join(|said| &said.korean),
                }
            }
            Self::ServerFailed { url, why, times } => {
                let Said { english, korean } = why.said();
                let n = english_times(*times);
                said!(
                    "{url}: {english}, {n}",
                    "{url}: {times}번 실패했습니다. {korean}"
                )
            }
            Self::ServerBusy { url, status, times } => {
                let n = english_times(*times);
                said!(
                    "{url} answered {status} {n}",
                    "{url}: 서버가 바빠 {times}번 거절했습니다(상태 {status})"
                )
            }
            Self::ServerRepeatsKey { url } => said!(
                "{url} repeats the key in its answer",
                "{url}: 답에 키가 그대로 들어 있습니다"
            ),
            Self::Text(text) => said!("{text}", "{text}"),
        }
    }
}

fn english_times(n: u32) -> String {
    match n {
        1 => "once".to_owned(),
        n => format!("{n} times"),
    }
}

fn refused(url: &str, why: &ServerError) -> Said {
    let Said { english, korean } = why.said();
    said!("{url} {english}", "{url}: {korean}")
}

/// Why a server gets no more requests.
fn excluded(url: &str, why: &ServerError) -> Said {
    if why.is_refusal() {
        return refused(url, why);
    }
    let Said { english, korean } = why.said();
    said!(
        "no usable answer from {url}: {english}",
        "{url}: 쓸 수 있는 응답을 주지 않습니다. {korean}"
    )
}

impl ReadProblem {
    fn said(&self) -> Said {
        match self {
            Self::NotRegular => said!("not a regular file", "일반 파일이 아닙니다"),
            Self::TooLarge { limit } => said!(
                "larger than {limit} bytes",
                "{limit}바이트보다 커서 읽지 않습니다"
            ),
            Self::NotPermitted { why } => said!("{why}", "읽을 권한이 없습니다"),
            Self::Shrank => said!("the file has become shorter", "파일이 짧아졌습니다"),
            Self::FewerRows => said!("it has fewer rows than before", "행이 줄었습니다"),
            Self::NoColumn { column } => said!(
                "it no longer has a column {column}",
                "{column} 열이 없어졌습니다"
            ),
            Self::NoImageInRow => said!(
                "the row no longer has an image",
                "행에서 그림이 없어졌습니다"
            ),
            Self::Damaged => said!("the file is damaged", "파일이 손상되었습니다"),
            Self::Other(why) => said!("{why}", "읽을 수 없습니다({why})"),
        }
    }
}

impl From<io::Error> for ReadProblem {
    fn from(error: io::Error) -> Self {
        let why = error.to_string();
        match error.kind() {
            io::ErrorKind::PermissionDenied => Self::NotPermitted { why },
            _ => Self::Other(why),
        }
    }
}

impl fmt::Display for FailureDetail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.said().fmt(f)
    }
}

impl std::error::Error for FailureDetail {}

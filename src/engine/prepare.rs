//! Reads, decodes and scales pictures and writes prompts, ahead of the model.

use super::pipeline::Input;
use crate::error::Result;
use crate::icon::{self, Icon};
use crate::labeler::LabelRequest;
use crate::prompt::Prompter;
use crate::record::{
    Attempt, AttemptSettings, ColorHistogram, Failure, FailureCode, GroupId, Item,
};
use crate::source::image_bytes;
use crossbeam_channel::{Receiver, Sender};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Why an attempt is made.
#[derive(Debug, Clone, PartialEq)]
pub enum Purpose {
    /// The group's own turn.
    First,
    /// The first answer was no record.
    Repair,
    /// The rules called the first answer, this one, low.
    Quality(Box<Attempt>),
    /// The operator asked for it.
    Operator,
}

impl Purpose {
    /// Whether the rules may ask for a stricter attempt after this one.
    pub fn is_first_answer(&self) -> bool {
        matches!(self, Self::First | Self::Repair)
    }

    /// Whether its end brings the run forward.
    pub fn counts(&self) -> bool {
        *self != Self::Operator
    }
}

/// One attempt to be made.
#[derive(Debug, Clone)]
pub struct Job {
    pub ticket: u64,
    pub group: GroupId,
    pub item: Arc<Item>,
    pub settings: AttemptSettings,
    pub purpose: Purpose,
    /// Once prepared, where there is an image.
    pub histogram: Option<ColorHistogram>,
    pub preprocess_ms: f64,
}

/// What the preparing thread is given.
#[derive(Debug)]
pub enum Work {
    Attempt(Box<Job>),
    /// Pictures that are only looked at for their colors.
    Colors(Vec<(GroupId, PathBuf)>),
}

#[derive(Debug)]
pub enum FromPrepare {
    Ready {
        ticket: u64,
        request: Box<LabelRequest>,
        histogram: Option<ColorHistogram>,
        preprocess_ms: f64,
    },
    Failed {
        ticket: u64,
        failure: Failure,
    },
    /// Of those pictures that could be read.
    Colors(Vec<(GroupId, ColorHistogram)>),
}

/// Prepares until there is no more work.
pub fn run(prompter: &Prompter, work: &Receiver<Work>, out: &Sender<Input>) {
    for work in work {
        let message = match work {
            Work::Attempt(job) => prepared(prompter, &job),
            Work::Colors(files) => FromPrepare::Colors(colors(files)),
        };
        if out.send(Input::Prepare(message)).is_err() {
            return;
        }
    }
}

fn prepared(prompter: &Prompter, job: &Job) -> FromPrepare {
    let began = Instant::now();
    let ticket = job.ticket;
    match without_panic(|| prepare(prompter, job)) {
        Ok((request, histogram)) => FromPrepare::Ready {
            ticket,
            request: Box::new(request),
            histogram,
            preprocess_ms: began.elapsed().as_secs_f64() * 1000.0,
        },
        Err(failure) => FromPrepare::Failed { ticket, failure },
    }
}

fn colors(files: Vec<(GroupId, PathBuf)>) -> Vec<(GroupId, ColorHistogram)> {
    let histogram = |file: &Path| without_panic(|| Ok(icon::palette(&decoded(file)?).histogram));
    files
        .into_iter()
        .filter_map(|(group, file)| match histogram(&file) {
            Ok(histogram) => Some((group, histogram)),
            Err(failure) => {
                tracing::warn!(file = %file.display(), detail = %failure.detail, "no colors");
                None
            }
        })
        .collect()
}

fn without_panic<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    let done = catch_unwind(AssertUnwindSafe(work));
    done.unwrap_or_else(|_| Err(broken("the image made the decoder panic")))
}

fn decoded(file: &Path) -> Result<Icon, Failure> {
    icon::decode(&image_bytes(file)?).map_err(|error| broken(&error.cause))
}

fn prepare(
    prompter: &Prompter,
    job: &Job,
) -> Result<(LabelRequest, Option<ColorHistogram>), Failure> {
    let settings = &job.settings;
    let mut histogram = None;
    let mut picture = None;
    if settings.with_image {
        let file = job.item.file.as_ref().ok_or_else(|| Failure {
            code: FailureCode::MissingImage,
            detail: "the source names no file".to_owned(),
        })?;
        let icon = decoded(file)?;
        histogram = Some(icon::palette(&icon).histogram);
        picture = Some(Arc::new(icon::picture(
            &icon,
            settings.upscale,
            settings.background,
        )));
    }
    let request = LabelRequest {
        ticket: job.ticket,
        group: job.group,
        chat: prompter.chat(&job.item, settings),
        picture,
        schema: prompter.schema(&job.item, settings),
        max_new_tokens: settings.max_new_tokens,
    };
    Ok((request, histogram))
}

fn broken(why: &str) -> Failure {
    Failure {
        code: FailureCode::ImageLoadFailed,
        detail: why.to_owned(),
    }
}

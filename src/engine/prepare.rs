//! Reads, decodes and scales pictures and writes prompts, ahead of the model.

use super::pipeline::Input;
use crate::error::Result;
use crate::icon;
use crate::labeler::LabelRequest;
use crate::prompt::Prompter;
use crate::record::{
    Attempt, AttemptSettings, ColorHistogram, Failure, FailureCode, GroupId, Item,
};
use crate::source::image_bytes;
use crossbeam_channel::{Receiver, Sender};
use std::panic::{AssertUnwindSafe, catch_unwind};
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
}

/// Prepares jobs until there are no more.
pub fn run(prompter: &Prompter, jobs: &Receiver<Job>, out: &Sender<Input>) {
    for job in jobs {
        let began = Instant::now();
        let ticket = job.ticket;
        let prepared = catch_unwind(AssertUnwindSafe(|| prepare(prompter, &job)));
        let message = match prepared {
            Ok(Ok((request, histogram))) => FromPrepare::Ready {
                ticket,
                request: Box::new(request),
                histogram,
                preprocess_ms: began.elapsed().as_secs_f64() * 1000.0,
            },
            Ok(Err(failure)) => FromPrepare::Failed { ticket, failure },
            Err(_) => FromPrepare::Failed {
                ticket,
                failure: broken("the image made the decoder panic"),
            },
        };
        if out.send(Input::Prepare(message)).is_err() {
            return;
        }
    }
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
        let bytes = image_bytes(file)?;
        let icon = icon::decode(&bytes).map_err(|error| broken(&error.cause))?;
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

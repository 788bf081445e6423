//! Prepares requests ahead of the model: reads, decodes and scales pictures and builds prompts.

use super::messages::{PreprocessEvent, WorkerMessage};
use crate::engine::queue::{Job, Purpose};
use crate::error::Result;
use crate::icon::{self, Icon, Measured};
use crate::labeler::LabelRequest;
use crate::prompt::{Prompter, chat_digest};
use crate::record::{
    Appearance, ApprovedRecord, Failure, FailureCode, FailureDetail, GroupId, ImageLocation,
    Recoloring, RequestText,
};
use crate::source::image_bytes;
use crate::vlm::Sampling;
use crossbeam_channel::{Receiver, Sender};
use sha2::{Digest as _, Sha256};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

/// High enough to sample alternatives, low enough for sensible answers.
const OPINION_TEMPERATURE: f64 = 0.7;

/// Work for the preprocess thread.
#[derive(Debug)]
pub enum Work {
    Attempt(Box<Job>),
    /// Measure pictures without a request.
    Measure(Vec<(GroupId, ImageLocation)>),
    /// Compare the colors of two pictures of the same drawing.
    Recolor {
        from: (GroupId, ImageLocation),
        to: (GroupId, ImageLocation),
    },
}

/// Processes work until the channel is closed.
pub fn run(prompter: &Prompter, work: &Receiver<Work>, out: &Sender<WorkerMessage>) {
    for work in work {
        let message = match work {
            Work::Attempt(job) => prepared(prompter, &job),
            Work::Measure(files) => PreprocessEvent::Measured(measured(files)),
            Work::Recolor { from, to } => PreprocessEvent::Recolored {
                recoloring: recoloring(prompter, &from.1, &to.1),
                from: from.0,
                to: to.0,
            },
        };
        if out.send(WorkerMessage::Preprocess(message)).is_err() {
            return;
        }
    }
}

fn prepared(prompter: &Prompter, job: &Job) -> PreprocessEvent {
    let start = Instant::now();
    let ticket = job.ticket;
    match without_panic(|| prepare(prompter, job)) {
        Ok(PreparedRequest {
            request,
            measured,
            request_text,
        }) => PreprocessEvent::Ready {
            ticket,
            request: Box::new(request),
            measured,
            request_text,
            preprocess_ms: start.elapsed().as_secs_f64() * 1000.0,
        },
        Err(failure) => PreprocessEvent::Failed { ticket, failure },
    }
}

fn measured(files: Vec<(GroupId, ImageLocation)>) -> Vec<(GroupId, Measured)> {
    let measure = |file: &ImageLocation| without_panic(|| Ok(icon::measure(&decoded(file)?)));
    files
        .into_iter()
        .filter_map(|(group, file)| match measure(&file) {
            Ok(measured) => Some((group, measured)),
            Err(failure) => {
                tracing::warn!(file = %file, detail = %failure.detail, "not measured");
                None
            }
        })
        .collect()
}

fn recoloring(prompter: &Prompter, from: &ImageLocation, to: &ImageLocation) -> Option<Recoloring> {
    let found = without_panic(|| {
        let (from, to) = (decoded(from)?, decoded(to)?);
        Ok(icon::recolor(&from, &to, prompter.vocabulary()))
    });
    found.unwrap_or_else(|failure| {
        tracing::warn!(file = %to, detail = %failure.detail, "not compared");
        None
    })
}

fn without_panic<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    let done = catch_unwind(AssertUnwindSafe(work));
    done.unwrap_or_else(|_| Err(broken(FailureDetail::DecoderPanicked)))
}

fn decoded(file: &ImageLocation) -> Result<Icon, Failure> {
    icon::decode(&image_bytes(file)?).map_err(broken)
}

struct PreparedRequest {
    request: LabelRequest,
    measured: Option<Measured>,
    request_text: RequestText,
}

fn prepare(prompter: &Prompter, job: &Job) -> Result<PreparedRequest, Failure> {
    let settings = &job.settings;
    let mut measured = None;
    let mut picture = None;
    if settings.with_image {
        let file = job.item.file.as_ref().ok_or(Failure {
            code: FailureCode::MissingImage,
            detail: FailureDetail::NoFileNamed,
        })?;
        let icon = decoded(file)?;
        measured = Some(icon::measure(&icon));
        picture = Some(Arc::new(icon::picture(
            &icon,
            settings.upscale,
            settings.background,
        )));
    }
    let colors = measured.as_ref().map(|measured| &measured.colors);
    let examples = examples(prompter, job, measured.as_ref());
    let chat = prompter.chat(&job.item, settings, colors, &examples);
    let request_text = RequestText {
        digest: chat_digest(&chat),
        examples: examples.iter().map(|example| example.record).collect(),
    };
    let request = LabelRequest {
        ticket: job.ticket,
        group: job.group,
        chat,
        picture,
        schema: match job.purpose {
            Purpose::Opinion { .. } => prompter.opinion_schema(&job.item, settings, colors),
            _ => prompter.schema(&job.item, settings, colors),
        },
        max_new_tokens: settings.max_new_tokens,
        sampling: sampling(job),
        keep_prompt: job.keep_prompt,
        urgent: job.purpose == Purpose::Operator,
    };
    Ok(PreparedRequest {
        request,
        measured,
        request_text,
    })
}

/// Chooses the committed records with the most similar icons.
fn examples(
    prompter: &Prompter,
    job: &Job,
    measured: Option<&Measured>,
) -> Vec<Arc<ApprovedRecord>> {
    let Some(measured) = measured.filter(|_| job.settings.examples > 0) else {
        return Vec::new();
    };
    let edges = measured
        .drawing
        .as_ref()
        .map(|drawing| drawing.edges.values());
    let appearance = Appearance::of(
        (&job.item.item_name, job.item.item_part.as_deref()),
        &measured.colors,
        edges,
        None,
        prompter.vocabulary(),
    );
    appearance.map_or_else(Vec::new, |appearance| {
        let count = job.settings.examples;
        job.approved.nearest(&appearance, job.group, count)
    })
}

/// Answers are greedy; opinions are sampled with a seed that depends only on item and number.
fn sampling(job: &Job) -> Sampling {
    let Purpose::Opinion { number, .. } = &job.purpose else {
        return Sampling::GREEDY;
    };
    let digest = Sha256::digest(format!("{number} {}", job.item.image_path));
    let seed = digest
        .iter()
        .take(8)
        .fold(0, |seed, byte| seed << 8 | u64::from(*byte));
    Sampling {
        temperature: OPINION_TEMPERATURE,
        seed,
    }
}

fn broken(detail: FailureDetail) -> Failure {
    Failure {
        code: FailureCode::ImageLoadFailed,
        detail,
    }
}

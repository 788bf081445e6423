//! Messages from the workers to the coordinator.

use crate::error::Error;
use crate::icon::Measured;
use crate::labeler::{Answer, LabelRequest, ModelInfo, ModelNotice, ServerNotice};
use crate::record::{Failure, FailureDetail, GroupId, Recoloring, RequestText};
use crate::source::GroupEvent;

#[derive(Debug)]
pub enum WorkerMessage {
    Source(SourceEvent),
    Preprocess(PreprocessEvent),
    Model(ModelEvent),
    /// A thread that the run depends on has panicked.
    Panicked(Error),
}

/// From the thread that reads the source.
#[derive(Debug)]
pub enum SourceEvent {
    Groups(Vec<GroupEvent>),
    End {
        rows: u64,
        /// Number of rows in each group, by order.
        rows_of_groups: Vec<u32>,
        /// Number of unusable rows.
        refused: u64,
    },
    Failed(Error),
}

/// From the thread that prepares requests.
#[derive(Debug)]
pub enum PreprocessEvent {
    Ready {
        ticket: u64,
        request: Box<LabelRequest>,
        /// `None` for a request without an image.
        measured: Option<Measured>,
        request_text: RequestText,
        preprocess_ms: f64,
    },
    Failed {
        ticket: u64,
        failure: Failure,
    },
    /// Measurements of the pictures that could be read.
    Measured(Vec<(GroupId, Measured)>),
    /// Color mapping between two icons of the same drawing.
    Recolored {
        from: GroupId,
        to: GroupId,
        /// `None` if a picture could not be read or has changed.
        recoloring: Option<Recoloring>,
    },
}

/// From the thread that owns the labeler.
#[derive(Debug)]
pub enum ModelEvent {
    Ready(ModelInfo),
    /// The model has failed for good; requests in flight get no answer.
    Broken(Error),
    Started(u64),
    Answered {
        ticket: u64,
        answer: Box<Answer>,
    },
    Refused {
        ticket: u64,
        detail: FailureDetail,
    },
    Notice(ServerNotice),
    ModelNotice(ModelNotice),
}

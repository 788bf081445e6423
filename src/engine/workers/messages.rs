//! Messages from the workers to the coordinator.

use crate::error::Error;
use crate::icon::Measured;
use crate::labeler::{Answer, LabelRequest, ModelInfo, ModelNotice, ServerNotice};
use crate::record::{Failure, GroupId, Recoloring, RequestText};
use crate::source::GroupEvent;

#[derive(Debug)]
pub enum WorkerMessage {
    Source(SourceEvent),
    Preprocess(PreprocessEvent),
    Model(ModelEvent),
    /// A thread that the run cannot go on without.
    Panicked(Error),
}

/// From the thread that reads the source.
#[derive(Debug)]
pub enum SourceEvent {
    Groups(Vec<GroupEvent>),
    End {
        rows: u64,
        /// The number of rows of each group, by its order.
        rows_of_groups: Vec<u32>,
        /// Rows that cannot be used.
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
        /// `None` where the model is shown no image.
        measured: Option<Measured>,
        asked: RequestText,
        preprocess_ms: f64,
    },
    Failed {
        ticket: u64,
        failure: Failure,
    },
    /// Of those pictures that could be read.
    Measured(Vec<(GroupId, Measured)>),
    /// What the colors of one icon are in another that is the same drawing.
    Recolored {
        from: GroupId,
        to: GroupId,
        /// `None` where a picture could not be read, or is not what it was.
        recoloring: Option<Recoloring>,
    },
}

/// From the thread that owns the labeler.
#[derive(Debug)]
pub enum ModelEvent {
    Ready(ModelInfo),
    /// No more answers will come; requests in flight get none.
    Broken(Error),
    Started(u64),
    Answered {
        ticket: u64,
        answer: Box<Answer>,
    },
    Refused {
        ticket: u64,
        error: Error,
    },
    Notice(ServerNotice),
    ModelNotice(ModelNotice),
}

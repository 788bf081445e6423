//! Commands that front ends send to the engine, and events that it answers with: plain data,
//! loggable and comparable. The front ends find the words.

use crate::error::Error;
use crate::labeler::{Loading, ModelInfo, ModelNotice, RemoteCounts, ServerNotice};
use crate::outdir::FileNotice;
use crate::record::fixes::FixPreview;
use crate::record::{
    AuditEstimate, Background, Change, Estimator, FailureCode, FixKind, GroupDetail, GroupId,
    GroupSummary, PastStep, Reason, SampledRecord, StepReport, Verdict, Vocabulary,
    VocabularyPreview,
};
use crate::text::Said;
use std::path::PathBuf;
use std::sync::Arc;

/// How an operator wants an attempt repeated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retry {
    /// The stricter prompt.
    pub strict: bool,
    /// Other than the run's setting.
    pub upscale: Option<u32>,
    pub background: Option<Background>,
    pub with_image: Option<bool>,
    pub hint: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Requests everything about one group; answered by `Event::Detail`.
    Open(GroupId),
    /// One undoable step over all these groups.
    Apply {
        groups: Vec<GroupId>,
        change: Change,
    },
    Undo,
    Redo,
    /// New attempts, ahead of everything that waits.
    Retry {
        groups: Vec<GroupId>,
        how: Retry,
    },
    /// Counts what [`Change::Canonicalize`] would do to these groups; answered by
    /// `Event::VocabularyPreview`.
    PreviewVocabulary {
        groups: Vec<GroupId>,
    },
    /// Counts what a fix would do to these groups; answered by `Event::FixPreview`.
    PreviewFix {
        groups: Vec<GroupId>,
        reason: Reason,
        kind: FixKind,
    },
    /// Keeps a front end's own small setting (the last filter) in the journal.
    Remember {
        key: String,
        value: String,
    },
    /// Requests all images by how like a text they are; answered by `Event::Found`, or a warning.
    Search(String),
    /// What the judgments of an audit say by now; answered by `Event::Audited`.
    Audit,
    /// Draws so many records to be judged, of the audit that was judged last or of the first one;
    /// answered by `Event::AuditDrawn`.
    DrawAudit(usize),
    /// Stores what a person says of a version of a record; `None` takes the newest judgment of it
    /// back.
    Judge {
        seed: u64,
        group: GroupId,
        version: i64,
        verdict: Option<Verdict>,
    },
    Pause,
    Resume,
    /// While nothing can be saved: try again now, with the cure that was offered.
    TryAgain,
    /// Finish nothing new, save what is done, write the exports, then `Event::Stopped`.
    Stop,
}

/// Why nothing can be saved for now. Commands wait, except `Open`, `TryAgain` and `Stop`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocked {
    pub error: Error,
    pub cure: Cure,
    /// Where this run's log was written, once the journal is damaged.
    pub run_log: Option<Rescued>,
}

/// Why the engine could not go on, and what became of work that the journal does not hold.
#[derive(Debug, Clone, PartialEq)]
pub struct Broken {
    pub error: Error,
    /// Decisions that could not be saved, oldest first: `Apply`, `Undo` and `Redo`.
    pub unsaved: Vec<Command>,
    /// Where this run's log was written, if the journal is damaged or work is unsaved.
    pub run_log: Option<Rescued>,
    /// Where the whole journal was written, if its files are gone.
    pub journal: Option<Rescued>,
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self {
            error,
            unsaved: Vec::new(),
            run_log: None,
            journal: None,
        }
    }
}

/// The outcome of saving work beside the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rescued {
    To(PathBuf),
    Failed(Error),
}

/// Something that the user should know and that stops nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// A row or file of the source that cannot be used as it is (a bad manifest line, a wrong
    /// hash), as the source describes it.
    Source(Said),
    /// What an import or an export has kept aside, or could not use.
    Export(FileNotice),
    Server(ServerNotice),
    Model(ModelNotice),
    /// New attempts were requested, but there is no model.
    NoModel,
    /// What was asked for cannot be done; the journal is as it was.
    Refused(Error),
    /// A file in the outdir holds what an earlier run did and the journal does not have; told at
    /// each start until it has been brought back.
    RunToRestore(PathBuf),
    JournalRewritten {
        /// Where the file that stood in the journal's place is now.
        set_aside: Option<PathBuf>,
    },
}

/// The way to make the journal usable again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cure {
    /// Room on the disk, a permission: the engine also tries by itself.
    Wait,
    /// The journal's file is gone, another or damaged, its content is still open: `Command::TryAgain`
    /// rewrites it, `Command::Stop` saves it under another name.
    Rewrite,
    /// The journal is damaged; only the end of the run is left.
    None,
}

/// The result of an operator's step.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Done(Box<StepReport>),
    /// The step that was taken back.
    Undone(PastStep),
    Redone(PastStep),
}

#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// New or changed groups; the first ones come from the journal, before any source is read.
    Groups(Vec<GroupSummary>),
    Detail(Box<GroupDetail>),
    /// A step was done, undone or redone, or changed nothing; names the next undo and redo.
    Stepped {
        /// `None` at the start, when nothing has been done yet.
        step: Option<Step>,
        /// The groups that it changed, or was to change where it changed none.
        groups: Vec<GroupId>,
        undo: Option<PastStep>,
        redo: Option<PastStep>,
    },
    VocabularyPreview {
        groups: Vec<GroupId>,
        preview: VocabularyPreview,
    },
    /// The words that hold from now on: a synonym was marked, or is none any more.
    Vocabulary(Arc<Vocabulary>),
    FixPreview {
        groups: Vec<GroupId>,
        kind: FixKind,
        preview: FixPreview,
    },
    /// The images that can be searched, those most like the text first.
    Found {
        text: String,
        groups: Vec<GroupId>,
    },
    /// What the last audit has found; at the start, where there was one, and on request.
    Audited(Option<Box<AuditEstimate>>),
    /// The records of an audit; none where no committed record is without a reason.
    AuditDrawn {
        seed: u64,
        sample: Vec<SampledRecord>,
    },
    /// A setting that an earlier run kept; each once at the start, before the first groups.
    Remembered {
        key: String,
        value: String,
    },
    /// What the operator's decisions have taught: at the start, and again after every few. Scores
    /// sent since then are by it, earlier ones are not.
    Learned(Box<Estimator>),
    /// The source has been read to its end.
    SourceRead {
        rows: u64,
        groups: u64,
        pictures: MovedPictures,
    },
    /// Sent again when something about it has changed.
    ModelReady(ModelInfo),
    /// Review goes on without a model.
    ModelFailed(Error),
    Labeled {
        group: GroupId,
        image_path: String,
        name: String,
        reasons: Vec<Reason>,
        /// The path of the image whose record it was derived from; `None` for a model's answer.
        derived_from: Option<String>,
        /// The draft stays as it is until the operator takes the answer.
        offered: bool,
    },
    Failed {
        group: GroupId,
        image_path: String,
        name: String,
        code: FailureCode,
        detail: String,
    },
    Warning(Warning),
    /// Nothing can be saved until `Unblocked`; sent again when the reason has changed.
    Blocked(Blocked),
    /// Commands that have waited are being carried out now.
    Unblocked,
    /// The queue is empty and the source read: with `--batch` the run is over.
    Idle,
    /// The engine has ended; nothing follows.
    Stopped(Box<Summary>),
    /// The engine could not go on; nothing follows.
    Broken(Box<Broken>),
}

/// The work that the model's thread is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Stage {
    #[default]
    Starting,
    Download,
    Load,
    Quantize,
    Decode,
    /// No server answers.
    Waiting,
    Idle,
    Paused,
    Failed,
}

impl From<Loading> for Stage {
    fn from(loading: Loading) -> Self {
        match loading {
            Loading::Download => Self::Download,
            Loading::Load => Self::Load,
            Loading::Quantize => Self::Quantize,
        }
    }
}

/// A record that the model is writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InFlight {
    pub group: GroupId,
    /// So far; a server sends it whole.
    pub text: String,
    /// How many tokens that is.
    pub tokens: usize,
}

/// The latest state of the run; a front end reads it when it draws.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    pub stage: Stage,
    /// Of the stage, 0-1, if it is known (download, load, quantize).
    pub stage_done: Option<f32>,
    /// Groups known so far, and whether the source is still being read.
    pub total: u64,
    pub reading: bool,
    /// Colors and drawings of pictures are being looked at, which changes reasons.
    pub measuring: bool,
    /// Groups that needed no work when the run began.
    pub already: u64,
    pub done: u64,
    pub uncertain: u64,
    pub failed: u64,
    pub queued: u64,
    /// Groups that wait for the record of another of their recolor family, and need no request.
    pub following: u64,
    pub icons_per_minute_now: f64,
    pub icons_per_minute: f64,
    pub tokens_per_second: f64,
    pub eta_seconds: Option<f64>,
    pub resident_bytes: u64,
    /// What is being written, the longest in work first.
    pub in_flight: Vec<InFlight>,
    /// Icons per minute, oldest first, one sample every two seconds.
    pub throughput: Vec<f64>,
    /// Seconds spent, summed over items: preprocess, vision, prefill, decode.
    pub stage_seconds: [f64; 4],
    /// Only for an endpoint.
    pub remote: Option<RemoteCounts>,
}

/// Pictures that are not where they were.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MovedPictures {
    /// Records whose picture was met under another path; their lines name the new one.
    pub moved: u64,
    /// Records that are not exported: another picture is at their path.
    pub withheld: u64,
    /// Edited or accepted texts that no record holds: another picture is at their path.
    pub withheld_edits: u64,
    /// The first paths of both.
    pub paths: Vec<String>,
}

/// The end of a run, in numbers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    /// Of the source; 0 if it was not read to its end.
    pub rows: u64,
    /// Rows of the source that cannot be used, beside those.
    pub refused: u64,
    /// Images of the source. Each has a record, has failed, waits for an answer or is open.
    pub groups: u64,
    pub records: u64,
    pub new_records: u64,
    pub pictures: MovedPictures,
    /// Records that are not what was committed.
    pub damaged: u64,
    pub failures: Vec<(FailureCode, u64)>,
    pub waiting: u64,
    /// Edited or rejected by an operator; a batch leaves them to the workstation.
    pub open: u64,
    /// Requests sent to the model.
    pub asked: u64,
    /// Records derived from that of another icon of the same drawing.
    pub derived: u64,
    /// Records in the outdir, whatever source they are of, and how many of them are uncertain.
    pub committed: u64,
    pub uncertain: u64,
    /// Uncertain ones whose lines do not say so.
    pub unmarked: u64,
    pub by_reason: Vec<(Reason, u64)>,
    pub interrupted: bool,
    pub seconds: f64,
    pub stage_seconds: [f64; 4],
    pub retries: RetryCounts,
    /// Only for an endpoint.
    pub remote: Option<RemoteCounts>,
}

/// The results of `--quality-retry`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RetryCounts {
    pub made: u64,
    /// The record is better for it.
    pub better: u64,
    /// No reason is left.
    pub without_reason: u64,
}

//! Commands from front ends to the engine, and events from the engine: plain data, loggable and
//! comparable. The front ends turn events into text.

use crate::error::Error;
use crate::export::OutputFile;
use crate::labeler::{Loading, ModelInfo, ModelNotice, RemoteCounts, ServerNotice};
use crate::record::fixes::FixPreview;
use crate::record::{
    AuditEstimate, Background, Change, Estimator, FailureCode, FailureDetail, FileNotice, FixKind,
    GroupDetail, GroupId, GroupSummary, PastStep, Reason, SampledRecord, StepReport, Verdict,
    Vocabulary, VocabularyPreview,
};
use crate::text::Said;
use std::path::PathBuf;
use std::sync::Arc;

/// Settings of an operator's retry.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retry {
    /// Use the stricter prompt.
    pub strict: bool,
    /// Overrides the run's setting, as do the following.
    pub upscale: Option<u32>,
    pub background: Option<Background>,
    pub with_image: Option<bool>,
    pub hint: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Requests the details of a group; answered by `Event::Detail`.
    Open(GroupId),
    /// Applies a change to all these groups as one undoable step.
    Apply {
        groups: Vec<GroupId>,
        change: Change,
    },
    Undo,
    Redo,
    /// Requests new attempts, ahead of all waiting requests.
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
    /// Stores a small setting of a front end (such as the last filter) in the journal.
    Remember {
        key: String,
        value: String,
    },
    /// Ranks all images by similarity to a text; answered by `Event::Found` or a warning.
    Search(String),
    /// Requests the current estimate of the audit; answered by `Event::Audited`.
    Audit,
    /// Draws this many records to judge, for the last audit or else a first one; answered by
    /// `Event::AuditDrawn`.
    DrawAudit(usize),
    /// Stores a person's verdict on a version of a record; `None` withdraws the latest one.
    Judge {
        seed: u64,
        group: GroupId,
        version: i64,
        verdict: Option<Verdict>,
    },
    Pause,
    Resume,
    /// While the journal is blocked: retries now, with the offered cure.
    TryAgain,
    /// Stops new work, saves finished work and writes the exports; answered by `Event::Stopped`.
    Stop,
}

impl Command {
    /// The version of a group's text that the command names.
    pub fn version(&self) -> Option<(GroupId, i64)> {
        match self {
            Self::Apply { groups, change } => match groups[..] {
                [group] => Some((group, change.version()?)),
                _ => None,
            },
            Self::Judge { group, version, .. } => Some((*group, *version)),
            _ => None,
        }
    }
}

/// Why the journal cannot be used at the moment. All commands but `Open`, `TryAgain` and `Stop` wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocked {
    pub error: Error,
    pub cure: Cure,
    /// Where this run's log was written, if the journal is damaged.
    pub run_log: Option<Rescued>,
}

/// Why the engine could not continue, and where work that is not in the journal was saved.
#[derive(Debug, Clone, PartialEq)]
pub struct Broken {
    pub error: Error,
    /// Unsaved decisions (`Apply`, `Undo`, `Redo`, `Judge`), oldest first.
    pub unsaved: Vec<Command>,
    /// Where this run's log was written, if the journal is damaged or work is unsaved.
    pub run_log: Option<Rescued>,
    /// Where the entire journal was written, if its files are gone.
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

/// Result of saving work to another file than the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rescued {
    To(PathBuf),
    Failed(Error),
}

/// A problem that the user should know about and that does not stop the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// A problem with a row or file of the source, such as a bad line or a wrong hash.
    Source(Said),
    /// A file or line that an import or export has set aside or could not use.
    Export(FileNotice),
    Server(ServerNotice),
    Model(ModelNotice),
    /// A retry was requested, but there is no model.
    NoModel,
    /// No group of the source matches the filter of `--redo`.
    NothingToRedo,
    /// A command was rejected; the journal is unchanged.
    Refused(Error),
    /// These items were neither accepted nor committed, since another picture is in their files now.
    PicturesReplaced(Vec<String>),
    /// A file in the outdir contains work of an earlier run that is not in the journal. Repeated
    /// at each start until the file is restored.
    RunToRestore(PathBuf),
    JournalRewritten {
        /// Where the file that had replaced the journal was moved.
        set_aside: Option<PathBuf>,
    },
}

/// How to make the journal usable again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cure {
    /// Disk space or a permission is missing. The engine also retries by itself.
    Wait,
    /// The journal's file was deleted, replaced or damaged, but its content is still open:
    /// `Command::TryAgain` rewrites it, `Command::Stop` saves it under another name.
    Rewrite,
    /// The journal is damaged; the run can only be stopped.
    None,
}

/// Result of an operator's step.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Done(Box<StepReport>),
    /// The step that was undone.
    Undone(PastStep),
    Redone(PastStep),
    NothingToUndo,
    NothingToRedo,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// New or changed groups. The first ones come from the journal, before the source is read.
    Groups(Vec<GroupSummary>),
    Detail(Box<GroupDetail>),
    /// A step was done, undone or redone, or had no effect; includes the next undo and redo.
    Stepped {
        /// `None` at the start of a run.
        step: Option<Step>,
        /// The changed groups, or the requested groups if none changed.
        groups: Vec<GroupId>,
        undo: Option<PastStep>,
        redo: Option<PastStep>,
    },
    VocabularyPreview {
        groups: Vec<GroupId>,
        preview: VocabularyPreview,
    },
    /// The new vocabulary, after a synonym was added or removed.
    Vocabulary(Arc<Vocabulary>),
    FixPreview {
        groups: Vec<GroupId>,
        kind: FixKind,
        preview: FixPreview,
    },
    /// All searchable images, most similar to the text first.
    Found {
        text: String,
        groups: Vec<GroupId>,
    },
    /// The estimate of the last audit; sent on request, and at the start if there was one.
    Audited(Option<Box<AuditEstimate>>),
    /// The records of an audit; empty if every committed record has a reason.
    AuditDrawn {
        seed: u64,
        sample: Vec<SampledRecord>,
    },
    /// A setting stored by an earlier run; sent at the start, before the first groups.
    Remembered {
        key: String,
        value: String,
    },
    /// The estimator learned from the operator's decisions; sent at the start and whenever a step
    /// changes it, before the report of that step. Summaries sent later are scored by it, earlier ones
    /// are not.
    Learned(Box<Estimator>),
    /// The source has been read to its end.
    SourceRead {
        rows: u64,
        groups: u64,
        pictures: MovedPictures,
    },
    /// The model is ready; sent again when its information changes.
    ModelReady(ModelInfo),
    /// There is no model any more; review continues without one.
    ModelFailed(Error),
    Labeled {
        group: GroupId,
        image_path: String,
        name: String,
        /// Those of the answer, even if it is only offered.
        reasons: Vec<Reason>,
        /// Path of the image whose record it was derived from; `None` for a model's answer.
        derived_from: Option<String>,
        /// The answer is only offered; the operator decides whether it replaces the draft.
        offered: bool,
    },
    Failed {
        group: GroupId,
        image_path: String,
        name: String,
        code: FailureCode,
        detail: FailureDetail,
    },
    Warning(Warning),
    /// The journal cannot be used until `Unblocked`; sent again when the reason changes.
    Blocked(Blocked),
    /// The journal is usable again; waiting commands are executed now.
    Unblocked,
    /// The queue is empty and the source is read. With `--batch` the run is over.
    Idle,
    /// The engine has ended; nothing follows.
    Stopped(Box<Summary>),
    /// The engine could not continue; nothing follows.
    Broken(Box<Broken>),
}

/// Activity of the model's thread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Stage {
    #[default]
    Starting,
    Download,
    Load,
    Quantize,
    Decode,
    /// No server responds.
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

/// An answer that the model is generating.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InFlight {
    pub group: GroupId,
    /// Text so far. Empty for a server, which sends complete answers.
    pub text: String,
    /// Number of tokens so far.
    pub tokens: usize,
}

/// The latest state of the run; a front end reads it when it draws.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    pub stage: Stage,
    /// Progress of the stage (0-1), if known (download, load, quantize).
    pub stage_done: Option<f32>,
    /// Groups known so far, and whether the source is still being read.
    pub total: u64,
    pub reading: bool,
    /// Colors and drawings of pictures are being measured, which may change reasons.
    pub measuring: bool,
    /// Groups that needed no work when the run started.
    pub already: u64,
    pub done: u64,
    pub uncertain: u64,
    pub failed: u64,
    pub queued: u64,
    /// Groups that need no request, since their record is derived within their recolor family.
    pub following: u64,
    pub icons_per_minute_now: f64,
    pub icons_per_minute: f64,
    pub tokens_per_second: f64,
    pub eta_seconds: Option<f64>,
    pub resident_bytes: u64,
    /// Answers being generated, oldest first.
    pub in_flight: Vec<InFlight>,
    /// Icons per minute, oldest first, one sample every two seconds.
    pub throughput: Vec<f64>,
    /// Seconds spent on preprocess, vision, prefill and decode, summed over items.
    pub stage_seconds: [f64; 4],
    /// Only for an endpoint.
    pub remote: Option<RemoteCounts>,
}

/// Pictures that have moved or been replaced.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MovedPictures {
    /// Records whose picture was found at a different path; their lines have the new path.
    pub moved: u64,
    /// Records not exported because a different picture is at their path.
    pub withheld: u64,
    /// Edited or accepted texts without a record, held back because a different picture is at
    /// their path.
    pub withheld_edits: u64,
    /// The first paths of withheld records and edits.
    pub paths: Vec<String>,
}

/// Counts of a finished run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    /// Usable rows of the source; 0 if it was not read to its end.
    pub rows: u64,
    /// Unusable rows, not included in `rows`.
    pub refused: u64,
    /// Images of the source. Each has a record, has failed, is waiting for an answer, is open or is
    /// rejected.
    pub groups: u64,
    pub records: u64,
    pub new_records: u64,
    pub pictures: MovedPictures,
    /// Records that differ from what was committed.
    pub damaged: u64,
    pub failures: Vec<(FailureCode, u64)>,
    pub waiting: u64,
    /// Image paths of groups without a record that an operator has edited; a batch leaves them to
    /// the workstation.
    pub open: Vec<String>,
    /// Groups that an operator rejected and that have no record.
    pub rejected: u64,
    /// Groups with a record that an operator has edited, accepted or rejected since. The record
    /// stays until the operator commits.
    pub uncommitted: u64,
    /// Requests sent to the model.
    pub requests: u64,
    /// Records derived from another icon of the same drawing.
    pub derived: u64,
    /// Answers of this run that wait to be compared with the draft.
    pub offered: u64,
    /// Groups with a record whose request for a new answer failed.
    pub unanswered: u64,
    /// Records in the outdir, from any source.
    pub committed: u64,
    /// Those of them that are uncertain.
    pub uncertain: u64,
    /// Uncertain records whose exported lines are not marked as uncertain.
    pub unmarked: u64,
    pub by_reason: Vec<(Reason, u64)>,
    pub interrupted: bool,
    pub seconds: f64,
    pub stage_seconds: [f64; 4],
    pub retries: RetryCounts,
    /// Only for an endpoint.
    pub remote: Option<RemoteCounts>,
    /// Files in the outdir.
    pub files: Vec<OutputFile>,
}

/// Results of `--quality-retry`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RetryCounts {
    pub made: u64,
    /// Retries that improved the record.
    pub better: u64,
    /// Retries that left no reason.
    pub without_reason: u64,
}

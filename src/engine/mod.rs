//! The engine: receives commands from the front ends, coordinates all stages, and sends events.

mod commands;
mod coordinator;
mod effects;
mod examples;
mod families;
mod handle;
mod ingest;
mod journal;
mod messages;
mod metrics;
mod queue;
mod results;
mod search;
mod start;
mod ticks;
mod words;
mod workers;

pub use crate::labeler::{ModelInfo, ModelMemory, ModelNotice, RemoteCounts, ServerNotice};
pub use handle::{EngineEnd, Handle, Watch, connect};
pub use messages::{
    Blocked, Broken, Command, Cure, Event, InFlight, MovedPictures, Progress, Rescued, Retry,
    RetryCounts, Stage, Step, Summary, Warning,
};
pub use search::vectors::{VectorFile, VectorKey};
pub use start::{Engine, EngineConfig};

/// Reads an icon for a preview.
pub use crate::source::image_bytes;

use std::path::PathBuf;

/// How the engine runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineOptions {
    pub outdir: PathBuf,
    /// `--batch` commits every record it makes; the workstation waits for the operator.
    pub commit_automatically: bool,
    /// Continues from the outdir's state; without it a run on existing labels is refused.
    pub resume: bool,
    /// Filter for the items to label again.
    pub redo: Option<String>,
    pub quality_retry: bool,
    /// Extra samples for each uncertain answer.
    pub opinions: u32,
    /// Number of committed records included in each request as examples.
    pub examples: u32,
    /// Labels one icon of each recolor family and derives the other records from it.
    pub families: bool,
    /// Names of files to export that are written only on request.
    pub exports: Vec<&'static str>,
    pub max_new_tokens: usize,
}

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
pub use crate::outdir::{FileNotice, KeptBecause};
pub use handle::{EngineEnd, Handle, Watch, connect};
pub use messages::{
    Blocked, Broken, Command, Cure, Event, InFlight, MovedPictures, Progress, Rescued, Retry,
    RetryCounts, Stage, Step, Summary, Warning,
};
pub use start::{Engine, EngineConfig};

/// Reads an icon for a preview.
pub use crate::source::image_bytes;

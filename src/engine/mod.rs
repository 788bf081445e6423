//! The engine between the front ends and everything else: commands in, events out.

mod diary;
mod ending;
mod handle;
mod intake;
mod judge;
mod keeper;
mod messages;
mod meter;
mod model_worker;
mod operator;
mod outcome;
mod pipeline;
mod prepare;
mod reader;
mod ready;
mod start;

pub use handle::{EngineEnd, Handle, Watch, connect};
pub use messages::{
    Blocked, Command, Cure, Event, Match, ModelInfo, MovedPictures, Progress, RemoteCounts, Retry,
    RetryCounts, Stage, Step, Summary,
};
pub use start::{Parts, Plan, start};

/// The bytes of an icon, on disk or built in, for a preview.
pub use crate::source::image_bytes;

//! The engine between the front ends and everything else: commands in, events out.

mod handle;
mod messages;

pub use handle::{EngineEnd, Handle, Watch, connect};
pub use messages::{
    Command, Event, Match, ModelInfo, Progress, RemoteCounts, Retry, Stage, Summary,
};

//! The engine between the front ends and everything else: commands in, events out.

mod messages;

pub use messages::{
    Command, Event, Match, ModelInfo, Progress, RemoteCounts, Retry, Stage, Summary,
};

//! What a labeler reports about itself: the model, its loading, and the servers behind it.

use crate::error::Error;
use std::time::Duration;

/// The labeler behind a run, as shown to people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelInfo {
    pub name: String,
    /// For example `cpu` or `http://host:8000/v1`.
    pub device: String,
    /// For example `q8_0`; for an endpoint how the schema travels, for example `json_schema`.
    pub detail: String,
    pub slots: usize,
    /// `None` for a model that is not in this process.
    pub memory: Option<ModelMemory>,
}

/// Bytes that a model in this process takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelMemory {
    pub weights: u64,
    /// The most for keys and values.
    pub caches: u64,
    /// Free on its device once the weights are loaded, where that is known.
    pub free: Option<u64>,
}

/// What a labeler does before it can answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loading {
    Download,
    Load,
    Quantize,
}

/// Receives the progress of loading: what is being done, and how much of it is finished (0 to 1)
/// where that is known.
pub type OnLoad<'a> = dyn FnMut(Loading, Option<f32>) + 'a;

/// Requests sent to servers and what came back, since the run began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RemoteCounts {
    pub requests: u64,
    /// Of the requests, those for an item that had been sent before.
    pub retries: u64,
    pub bytes_sent: u64,
    pub bytes_received: u64,
    pub prompt_tokens: u64,
    pub new_tokens: u64,
}

/// Something about the model of this process that a user should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelNotice {
    /// The CPU computes, although the build is for an accelerator.
    NoAccelerator(Error),
    /// Fewer icons are in flight than were asked for: the memory for keys and values holds no more.
    BatchCapped {
        wanted: usize,
        fits: usize,
        /// What keys and values may take, and what they would have to.
        allowed: u64,
        needed: u64,
    },
}

/// Something about a server that a user should know; not about one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerNotice {
    /// The environment names a proxy for this server.
    Proxy {
        url: String,
        proxy: String,
    },
    /// It is left out until it answers again.
    Gone {
        url: String,
        why: String,
        /// It answers, but nothing that can be used.
        is_there: bool,
        /// Servers that still answer; without any the run waits.
        others: usize,
    },
    Back {
        url: String,
    },
    /// It refuses every item and is asked nothing more.
    Barred {
        url: String,
        why: String,
        /// Servers that are left.
        others: usize,
    },
    /// It is too busy, and asks to be left alone for so long.
    AsksToWait {
        url: String,
        wait: Duration,
    },
    /// It refuses one way to send the schema and is sent the next.
    SchemaRefused {
        url: String,
        from: &'static str,
        to: &'static str,
    },
    /// It accepts the schema, but its answers do not follow it.
    SchemaIgnored {
        url: String,
        from: &'static str,
        to: &'static str,
    },
    /// Its answers carry no token probabilities, so that records have no confidence.
    NoProbabilities {
        url: String,
    },
}

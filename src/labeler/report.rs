//! Reports of a labeler about itself: model, loading progress, servers.

use crate::error::Error;
use crate::record::ServerError;
use std::time::Duration;

/// Description of the labeler for display.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelInfo {
    pub name: String,
    /// For example `cpu` or `http://host:8000/v1`.
    pub device: String,
    /// For example `q8_0`; for an endpoint the way the schema is sent, for example `json_schema`.
    pub detail: String,
    pub slots: usize,
    /// `None` for a model outside of this process.
    pub memory: Option<ModelMemory>,
}

/// Memory use of a model in this process, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelMemory {
    pub weights: u64,
    /// Size limit of the KV cache.
    pub caches: u64,
    /// Free memory of the device after loading the weights, if known.
    pub free: Option<u64>,
}

/// A stage of loading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loading {
    Download,
    Load,
    Quantize,
}

/// Receives loading progress: the stage, and its finished share (0-1) if known.
pub type OnLoad<'a> = dyn FnMut(Loading, Option<f32>) + 'a;

/// Traffic with servers since the start of the run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RemoteCounts {
    pub requests: u64,
    /// Requests that repeat an earlier one.
    pub retries: u64,
    pub bytes_sent: u64,
    pub bytes_received: u64,
    pub prompt_tokens: u64,
    pub new_tokens: u64,
}

/// A message for the user about the model in this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelNotice {
    /// The model runs on the CPU, although the build supports an accelerator.
    NoAccelerator(Error),
    /// Fewer sequences are in flight than requested, because the KV cache is too small.
    BatchCapped {
        wanted: usize,
        fits: usize,
        /// Size limit of the KV cache in bytes.
        allowed: u64,
        /// Required size of the KV cache in bytes.
        needed: u64,
    },
}

/// A pause that a server requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestedPause {
    /// Delay before the next request.
    pub wait: Duration,
    /// The server requested a longer one.
    pub is_shortened: bool,
}

/// A message for the user about a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerNotice {
    /// The server is reached through a proxy set in the environment.
    Proxy { url: String, proxy: String },
    /// The server gets no requests until it responds again, and then one until it answers an item.
    Unavailable {
        url: String,
        why: ServerError,
        /// The server responds, but not with usable answers.
        responds: bool,
        /// Number of servers still available; without any the run waits.
        others: usize,
    },
    /// The server has answered an item again.
    Recovered {
        url: String,
        /// Later interruptions are only logged.
        is_last: bool,
    },
    /// The server gives no item a usable answer and gets no more requests.
    Excluded {
        url: String,
        why: ServerError,
        /// Number of remaining servers.
        others: usize,
    },
    /// The server is too busy and requested a long pause.
    RetryLater { url: String, pause: RequestedPause },
    /// The server is too busy for every request.
    Busy {
        url: String,
        status: u16,
        /// Requests in a row that it turned away.
        times: u32,
    },
    /// An item is answered again after [`Self::Busy`] or [`Self::RetryLater`].
    NoLongerBusy { url: String },
    /// The server has begun an answer, but sends it very slowly.
    SlowAnswer {
        url: String,
        /// Bytes received so far.
        bytes: usize,
        elapsed: Duration,
    },
    /// The server rejects a way to send the schema, so another one is used.
    SchemaRefused {
        url: String,
        from: &'static str,
        to: &'static str,
    },
    /// The server accepts the schema, but its answers do not follow it, so another way is used.
    SchemaIgnored {
        url: String,
        from: &'static str,
        to: &'static str,
    },
    /// The answers contain no token probabilities, so records have no confidence.
    NoProbabilities { url: String },
}

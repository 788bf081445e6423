//! Options of labelers.

use crate::vlm::ModelOptions;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteOptions {
    /// Base URLs that end in `/v1`; each request goes to the least busy one.
    pub endpoints: Vec<String>,
    pub model: String,
    pub concurrency: usize,
    pub api_key: Option<Secret>,
    pub offline: bool,
    /// Waits for servers that are unreachable at the start.
    pub wait: bool,
}

/// What generates the labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LabelerOptions {
    Local(ModelOptions),
    Remote(RemoteOptions),
    /// Review only, without a model.
    None,
}

/// An API key that is redacted in debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn new(key: String) -> Self {
        Self(key)
    }

    /// The key itself, only for the request header.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

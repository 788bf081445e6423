//! Generates an answer from a prompt and an icon, with the local model or through a server.

pub mod constraint;
#[cfg(feature = "fake-model")]
pub mod fake;
pub mod local;
mod options;
mod protocol;
pub mod remote;
mod report;
pub mod requests;

pub use options::{LabelerOptions, RemoteOptions, Secret};
pub use protocol::{
    Answer, Factory, Jobs, LabelEvent, LabelRequest, Labeler, MAX_URGENT, Pull, TokenInfo,
};
pub use report::{
    Loading, ModelInfo, ModelMemory, ModelNotice, OnLoad, RemoteCounts, RequestedPause,
    ServerNotice,
};

use crate::error::Result;
use crate::{platform, threads};

/// Like [`factory`], but rejects an unusable model right away: a local one as far as possible
/// without a download, and servers that are not reachable.
pub fn checked_factory(options: LabelerOptions) -> Result<Option<Factory>> {
    match options {
        LabelerOptions::Remote(server) => {
            let server = remote::RemoteLabeler::new(server, remote::RetryPolicy::default())?;
            return Ok(Some(Box::new(|_| Ok(Box::new(server)))));
        }
        #[cfg(feature = "fake-model")]
        LabelerOptions::Local(ref model) if fake::is_named(&model.model) => {}
        LabelerOptions::Local(ref model) => local::check(model)?,
        LabelerOptions::None => {}
    }
    Ok(factory(options))
}

/// Returns the factory of the labeler; `None` for review only.
pub fn factory(options: LabelerOptions) -> Option<Factory> {
    Some(match options {
        LabelerOptions::None => return None,
        #[cfg(feature = "fake-model")]
        LabelerOptions::Local(model) if fake::is_named(&model.model) => {
            Box::new(move |_| Ok(Box::new(fake::Fake::load(&model.model)?)))
        }
        LabelerOptions::Local(model) => {
            Box::new(|on_load| Ok(Box::new(local::Local::load(model, on_load)?)))
        }
        LabelerOptions::Remote(server) => Box::new(|_| {
            let server = remote::RemoteLabeler::new(server, remote::RetryPolicy::default())?;
            Ok(Box::new(server))
        }),
    })
}

/// Lowers the priority of all threads that run the model, so that the screen stays responsive: the
/// shared pool, and the labeler's thread with all threads that it starts. Must be called before any of
/// them runs.
pub fn lower_priority(factory: Factory) -> Factory {
    let pool = threads::start_pool(platform::lower_priority);
    Box::new(move |on_load| {
        pool?;
        platform::lower_priority();
        factory(on_load)
    })
}

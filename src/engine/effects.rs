//! Effects that handlers return to the coordinator.

use super::messages::Event;
use super::queue::Request;
use crate::record::{GroupId, Vocabulary};
use std::sync::Arc;

/// Work left to the coordinator after a message was handled. It is done in the order of these fields.
#[derive(Debug, Default)]
pub struct Effects {
    /// The new vocabulary, if it has changed.
    pub vocabulary: Option<Arc<Vocabulary>>,
    pub requests: Vec<Request>,
    /// Groups that are finished, with or without a record.
    pub finished: Vec<GroupId>,
    /// Whether to update all exports now.
    pub export: bool,
    /// Groups whose summary has changed.
    pub changed: Vec<GroupId>,
    pub events: Vec<Event>,
}

impl Effects {
    pub fn changed(changed: Vec<GroupId>) -> Self {
        Self {
            changed,
            ..Self::default()
        }
    }

    pub fn event(event: Event) -> Self {
        Self {
            events: vec![event],
            ..Self::default()
        }
    }

    pub fn request(request: Request) -> Self {
        Self {
            requests: vec![request],
            ..Self::default()
        }
    }
}

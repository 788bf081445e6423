//! What handling a message leads to.

use super::messages::Event;
use super::queue::Request;
use crate::record::{GroupId, Vocabulary};
use std::sync::Arc;

/// What an owner wants done after it has handled a message; the coordinator does it in the order
/// of these fields.
#[derive(Debug, Default)]
pub struct Effects {
    /// The words that hold from now on, where they are others.
    pub vocabulary: Option<Arc<Vocabulary>>,
    pub requests: Vec<Request>,
    /// Groups that have come to their end, with a record or without.
    pub ended: Vec<GroupId>,
    /// Whether every export is brought up to date at once.
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

//! Hands prepared requests to the model's thread; urgent ones come first.

use crate::labeler::{LabelRequest, Pull};
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// As many requests, and no more, are answered ahead of all that are in flight.
const FEW: usize = 4;

/// Bounded by its user: the coordinator has only so many prepared ahead.
#[derive(Debug, Default)]
pub struct PreparedQueue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    urgent: VecDeque<Box<LabelRequest>>,
    normal: VecDeque<Box<LabelRequest>>,
    /// Were in flight together when the labeler broke; each is tried alone to find the culprit.
    suspects: VecDeque<Box<LabelRequest>>,
    /// A suspect is in flight.
    alone: bool,
    paused: bool,
    closed: bool,
    cancelled: bool,
}

impl PreparedQueue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    pub fn push(&self, request: LabelRequest, urgent: bool) {
        self.change(|state| {
            let queue = if urgent {
                &mut state.urgent
            } else {
                &mut state.normal
            };
            queue.push_back(Box::new(request));
        });
    }

    /// Takes back what was in flight when the labeler broke.
    pub fn suspect(&self, requests: impl IntoIterator<Item = LabelRequest>) {
        self.change(|state| state.suspects.extend(requests.into_iter().map(Box::new)));
    }

    pub fn pause(&self, paused: bool) {
        self.change(|state| state.paused = paused);
    }

    /// Nothing will be pushed any more.
    pub fn close(&self) {
        self.change(|state| state.closed = true);
    }

    /// Drops what waits and what is in flight.
    pub fn cancel(&self) {
        self.change(|state| {
            state.cancelled = true;
            state.urgent.clear();
            state.normal.clear();
            state.suspects.clear();
        });
    }

    pub fn cancelled(&self) -> bool {
        self.lock().cancelled
    }

    /// The next request that a person waits for. Many of them are a batch like any other, which only
    /// comes first.
    pub fn pull_urgent(&self) -> Option<Box<LabelRequest>> {
        self.lock().next_urgent()
    }

    /// The next request for a labeler that has `in_flight` others.
    pub fn pull(&self, wait: bool, in_flight: usize) -> Pull {
        let mut state = self.lock();
        loop {
            if let Some(pull) = state.next(in_flight) {
                return pull;
            }
            if !wait || in_flight > 0 {
                return Pull::Empty;
            }
            state = self
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl State {
    fn next_urgent(&mut self) -> Option<Box<LabelRequest>> {
        let held = self.cancelled || self.paused || self.alone || !self.suspects.is_empty();
        let waiting = self.urgent.iter().filter(|request| request.urgent).count();
        if held || waiting > FEW {
            return None;
        }
        let at = self.urgent.iter().position(|request| request.urgent)?;
        self.urgent.remove(at)
    }

    fn next(&mut self, in_flight: usize) -> Option<Pull> {
        if self.cancelled {
            return Some(Pull::Cancelled);
        }
        if in_flight == 0 {
            self.alone = false;
        }
        if self.paused && !self.closed {
            return None;
        }
        if self.alone || (!self.suspects.is_empty() && in_flight > 0) {
            return None;
        }
        if let Some(request) = self.suspects.pop_front() {
            self.alone = true;
            return Some(Pull::Request(request));
        }
        if let Some(request) = self.urgent.pop_front().or_else(|| self.normal.pop_front()) {
            return Some(Pull::Request(request));
        }
        self.closed.then_some(Pull::Closed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prompt::Chat;
    use crate::record::GroupId;
    use crate::vlm::Sampling;
    use std::sync::Arc;

    fn request(ticket: u64) -> LabelRequest {
        LabelRequest {
            ticket,
            group: GroupId(1),
            chat: Chat {
                system: None,
                user: String::new(),
                images: 0,
            },
            picture: None,
            schema: Arc::new(serde_json::Value::Null),
            max_new_tokens: 1,
            sampling: Sampling::GREEDY,
            keep_prompt: false,
            urgent: false,
        }
    }

    fn ticket(pull: Pull) -> Option<u64> {
        match pull {
            Pull::Request(request) => Some(request.ticket),
            _ => None,
        }
    }

    #[test]
    fn urgent_requests_come_first() {
        let queue = PreparedQueue::default();
        queue.push(request(1), false);
        queue.push(request(2), true);
        assert_eq!(ticket(queue.pull(true, 0)), Some(2));
        assert_eq!(ticket(queue.pull(true, 1)), Some(1));
        assert!(matches!(queue.pull(true, 2), Pull::Empty));
        queue.close();
        assert!(matches!(queue.pull(false, 2), Pull::Closed));
    }

    #[test]
    fn a_few_that_a_person_waits_for_need_no_room() {
        let queue = PreparedQueue::default();
        let urgent = |ticket| LabelRequest {
            urgent: true,
            ..request(ticket)
        };
        queue.push(request(1), true);
        assert!(queue.pull_urgent().is_none(), "a repair waits its turn");
        queue.push(urgent(2), true);
        assert_eq!(queue.pull_urgent().map(|request| request.ticket), Some(2));
        for ticket in 10..=10 + FEW as u64 {
            queue.push(urgent(ticket), true);
        }
        assert!(queue.pull_urgent().is_none(), "these are a batch");
        assert_eq!(ticket(queue.pull(true, 1)), Some(1));
        assert_eq!(ticket(queue.pull(true, 1)), Some(10));
        assert_eq!(queue.pull_urgent().map(|request| request.ticket), Some(11));
        queue.pause(true);
        assert!(queue.pull_urgent().is_none());
    }

    #[test]
    fn suspects_run_alone() {
        let queue = PreparedQueue::default();
        queue.push(request(1), false);
        queue.suspect([request(2), request(3)]);
        assert!(
            ticket(queue.pull(false, 1)).is_none(),
            "another is in flight"
        );
        assert_eq!(ticket(queue.pull(false, 0)), Some(2));
        assert!(ticket(queue.pull(false, 1)).is_none());
        assert_eq!(ticket(queue.pull(false, 0)), Some(3));
        assert!(ticket(queue.pull(false, 1)).is_none());
        assert_eq!(ticket(queue.pull(false, 0)), Some(1));
    }

    #[test]
    fn a_pause_holds_work_back_and_cancelling_ends_it() {
        let queue = PreparedQueue::default();
        queue.push(request(1), false);
        queue.pause(true);
        assert!(matches!(queue.pull(false, 0), Pull::Empty));
        queue.pause(false);
        assert_eq!(ticket(queue.pull(false, 0)), Some(1));
        queue.cancel();
        assert!(queue.cancelled());
        assert!(matches!(queue.pull(true, 0), Pull::Cancelled));
    }

    #[test]
    fn a_waiting_labeler_wakes_up() {
        let queue = Arc::new(PreparedQueue::default());
        let pulled = std::thread::spawn({
            let queue = Arc::clone(&queue);
            move || ticket(queue.pull(true, 0))
        });
        queue.push(request(7), false);
        assert_eq!(pulled.join().unwrap(), Some(7));
    }
}

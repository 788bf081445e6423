//! Passes prepared requests to the model's thread, urgent ones first.

use crate::labeler::{LabelRequest, MAX_URGENT, Pull};
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Unbounded: the coordinator limits how many requests are prepared ahead.
#[derive(Debug, Default)]
pub struct PreparedQueue {
    state: Mutex<QueueState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct QueueState {
    urgent: VecDeque<Box<LabelRequest>>,
    normal: VecDeque<Box<LabelRequest>>,
    /// Requests that were in flight when the labeler crashed. Each runs alone to find the culprit.
    suspects: VecDeque<Box<LabelRequest>>,
    /// A suspect is in flight alone.
    alone: bool,
    paused: bool,
    closed: bool,
    cancelled: bool,
}

impl PreparedQueue {
    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut QueueState)) {
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

    /// Returns the requests that were in flight when the labeler crashed; each will run alone.
    pub fn retry_alone(&self, requests: impl IntoIterator<Item = LabelRequest>) {
        self.change(|state| state.suspects.extend(requests.into_iter().map(Box::new)));
    }

    pub fn pause(&self, paused: bool) {
        self.change(|state| state.paused = paused);
    }

    /// Declares that no more requests will be pushed.
    pub fn close(&self) {
        self.change(|state| state.closed = true);
    }

    /// Drops waiting requests and cancels those in flight.
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

    /// Takes the next request that a person is waiting for. `None` if there are many of them: they are
    /// then an ordinary batch, which only comes first.
    pub fn pull_urgent(&self) -> Option<Box<LabelRequest>> {
        self.lock().next_urgent()
    }

    /// Takes the next request for a labeler with `in_flight` others.
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

impl QueueState {
    fn next_urgent(&mut self) -> Option<Box<LabelRequest>> {
        let is_held_back = self.cancelled || self.paused || self.alone || !self.suspects.is_empty();
        let waiting = self.urgent.iter().filter(|request| request.urgent).count();
        if is_held_back || waiting > MAX_URGENT {
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
    use crate::record::{Chat, GroupId};
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
    fn a_few_interactive_requests_do_not_wait_for_a_slot() {
        let queue = PreparedQueue::default();
        let urgent = |ticket| LabelRequest {
            urgent: true,
            ..request(ticket)
        };
        queue.push(request(1), true);
        assert!(queue.pull_urgent().is_none(), "a repair waits its turn");
        queue.push(urgent(2), true);
        assert_eq!(queue.pull_urgent().map(|request| request.ticket), Some(2));
        for ticket in 10..=10 + MAX_URGENT as u64 {
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
    fn requests_of_a_crash_run_alone() {
        let queue = PreparedQueue::default();
        queue.push(request(1), false);
        queue.retry_alone([request(2), request(3)]);
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
    fn a_pause_holds_requests_back_and_canceling_drops_them() {
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

//! Decides which request the model gets next: operator requests and retries first, then the groups
//! in source order.

use super::messages::Retry;
use crate::record::{
    ApprovedRecords, Attempt, AttemptSettings, ColorHistogram, GroupId, Item, RequestText,
};
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

/// Number of requests prepared ahead, in addition to those in flight.
const PREPARED_AHEAD: usize = 8;
/// Number of urgent requests prepared ahead, in addition to all others.
const URGENT_AHEAD: usize = 8;

/// Why a request is made.
#[derive(Debug, Clone, PartialEq)]
pub enum Purpose {
    /// First attempt at a group.
    First,
    /// The first answer was not a valid record.
    Repair,
    /// The rules flagged this first answer.
    Quality(Box<Attempt>),
    /// The operator requested it.
    Operator,
    /// An extra sample for an uncertain answer; `number` counts from 1.
    Opinion { of: Box<Attempt>, number: u32 },
}

impl Purpose {
    /// Whether a quality retry may follow.
    pub fn is_first_answer(&self) -> bool {
        matches!(self, Self::First | Self::Repair)
    }
}

/// A request that is waiting in the queue.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    pub group: GroupId,
    pub settings: AttemptSettings,
    pub purpose: Purpose,
}

/// An outstanding request: being prepared, prepared, or in flight.
#[derive(Debug, Clone)]
pub struct Job {
    pub ticket: u64,
    pub group: GroupId,
    pub item: Arc<Item>,
    pub settings: AttemptSettings,
    pub purpose: Purpose,
    /// Keep the prompt's cache, since opinions on the answer may follow.
    pub keep_prompt: bool,
    /// Records to choose examples from; empty if none are needed.
    pub approved: Arc<ApprovedRecords>,
    /// Set once prepared, if there is an image.
    pub histogram: Option<ColorHistogram>,
    /// Set once prepared.
    pub request_text: Option<RequestText>,
    pub preprocess_ms: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelStatus {
    /// Review only, or the model has failed.
    None,
    Loading,
    Ready,
}

/// Waiting and outstanding requests.
#[derive(Debug)]
pub struct RequestQueue {
    /// Settings of first attempts, and defaults for retries.
    settings: AttemptSettings,
    model: ModelStatus,
    /// Requests that the model handles concurrently.
    slots: usize,
    paused: bool,
    urgent: VecDeque<Request>,
    /// Requests to make after all groups.
    later: VecDeque<Request>,
    /// Whether second opinions are requested.
    with_opinions: bool,
    /// Groups that need their first answer.
    todo: VecDeque<GroupId>,
    next_ticket: u64,
    outstanding: HashMap<u64, Job>,
    /// The groups of the outstanding requests that the model has started, by ticket. A group may have
    /// several: opinions, and an operator's retry.
    running: HashMap<u64, GroupId>,
}

impl RequestQueue {
    pub fn new(settings: AttemptSettings, model: ModelStatus, opinions: u32) -> Self {
        Self {
            settings,
            model,
            slots: 1,
            paused: false,
            urgent: VecDeque::new(),
            later: VecDeque::new(),
            with_opinions: opinions > 0,
            todo: VecDeque::new(),
            next_ticket: 1,
            outstanding: HashMap::new(),
            running: HashMap::new(),
        }
    }

    /// Appends a group that needs its first answer.
    pub fn add(&mut self, group: GroupId) {
        self.todo.push_back(group);
    }

    /// Appends a request to be made before all groups in `todo`.
    pub fn add_urgent(&mut self, request: Request) {
        self.urgent.push_back(request);
    }

    /// Appends a request to be made after all groups.
    pub fn add_later(&mut self, request: Request) {
        self.later.push_back(request);
    }

    /// Appends an operator's retry for each group. It replaces a waiting retry or first attempt.
    pub fn retry(&mut self, groups: &[GroupId], how: &Retry) {
        let settings = AttemptSettings {
            strict: how.strict || self.settings.strict,
            upscale: how.upscale.unwrap_or(self.settings.upscale).clamp(1, 8),
            background: how.background.unwrap_or(self.settings.background),
            with_image: how.with_image.unwrap_or(self.settings.with_image),
            hint: how.hint.clone(),
            ..self.settings.clone()
        };
        let wanted: HashSet<GroupId> = groups.iter().copied().collect();
        let mut queued: HashSet<GroupId> = HashSet::new();
        for request in &mut self.urgent {
            let is_replaced = matches!(request.purpose, Purpose::Operator | Purpose::Repair);
            if is_replaced && wanted.contains(&request.group) {
                request.settings = settings.clone();
                request.purpose = Purpose::Operator;
                queued.insert(request.group);
            }
        }
        for &group in groups {
            if queued.insert(group) {
                self.urgent.push_back(Request {
                    group,
                    settings: settings.clone(),
                    purpose: Purpose::Operator,
                });
            }
        }
        // An urgent request replaces the first attempt.
        self.todo.retain(|group| !queued.contains(group));
    }

    /// Retries the groups that do not wait for an answer anyway.
    pub fn redo(&mut self, groups: &[GroupId]) {
        let urgent = self.urgent.iter();
        let urgent = urgent.map(|request| (request.group, &request.purpose));
        let outstanding = self.outstanding.values();
        let outstanding = outstanding.map(|job| (job.group, &job.purpose));
        let requested = urgent.chain(outstanding);
        let requested =
            requested.filter(|(_, purpose)| !matches!(purpose, Purpose::Opinion { .. }));
        let mut waiting: HashSet<GroupId> = requested.map(|(group, _)| group).collect();
        waiting.extend(&self.todo);
        let groups = groups.iter().copied();
        let groups: Vec<GroupId> = groups.filter(|group| !waiting.contains(group)).collect();
        self.retry(&groups, &Retry::default());
    }

    /// Takes the next request to prepare; `None` without a model, or while enough requests are
    /// outstanding.
    pub fn next(&mut self) -> Option<Request> {
        let ahead = match self.urgent.is_empty() {
            true => PREPARED_AHEAD,
            false => PREPARED_AHEAD + URGENT_AHEAD,
        };
        if !self.has_model() || self.outstanding.len() >= self.slots + ahead {
            return None;
        }
        let first = |group| Request {
            group,
            settings: self.settings.clone(),
            purpose: Purpose::First,
        };
        self.urgent
            .pop_front()
            .or_else(|| self.todo.pop_front().map(first))
            .or_else(|| self.later.pop_front())
    }

    /// Assigns a ticket to a request, which is outstanding until [`Self::finish`].
    pub fn begin(&mut self, request: Request, item: Item) -> Job {
        let job = Job {
            ticket: self.next_ticket,
            group: request.group,
            item: Arc::new(item),
            settings: request.settings,
            keep_prompt: self.with_opinions
                && !matches!(request.purpose, Purpose::Operator | Purpose::Opinion { .. }),
            purpose: request.purpose,
            approved: Arc::default(),
            histogram: None,
            request_text: None,
            preprocess_ms: 0.0,
        };
        self.next_ticket += 1;
        self.outstanding.insert(job.ticket, job.clone());
        job
    }

    /// Stores the results of preparing a request; `None` if it is no longer outstanding.
    pub fn prepared(
        &mut self,
        ticket: u64,
        histogram: Option<&ColorHistogram>,
        request_text: RequestText,
        preprocess_ms: f64,
    ) -> Option<&Job> {
        let job = self.outstanding.get_mut(&ticket)?;
        job.histogram = histogram.cloned();
        job.request_text = Some(request_text);
        job.preprocess_ms = preprocess_ms;
        Some(job)
    }

    /// Marks a request as started by the model; returns its group.
    pub fn started(&mut self, ticket: u64) -> Option<GroupId> {
        let group = self.outstanding.get(&ticket)?.group;
        self.running.insert(ticket, group);
        Some(group)
    }

    /// Removes a finished request.
    pub fn finish(&mut self, ticket: u64) -> Option<Job> {
        self.running.remove(&ticket);
        self.outstanding.remove(&ticket)
    }

    pub fn model_ready(&mut self, slots: usize) {
        self.model = ModelStatus::Ready;
        self.slots = slots.max(1);
    }

    /// Drops all outstanding requests, since they will not be answered. Returns the groups that were
    /// running.
    pub fn model_lost(&mut self) -> Vec<GroupId> {
        self.model = ModelStatus::None;
        self.outstanding.clear();
        let groups: HashSet<GroupId> = self.running.drain().map(|(_, group)| group).collect();
        groups.into_iter().collect()
    }

    pub fn set_paused(&mut self, paused: bool) {
        self.paused = paused;
    }

    pub fn has_model(&self) -> bool {
        self.model != ModelStatus::None
    }

    pub fn is_loading(&self) -> bool {
        self.model == ModelStatus::Loading
    }

    /// Whether a ready model is paused.
    pub fn is_paused(&self) -> bool {
        self.paused && self.model == ModelStatus::Ready
    }

    /// Whether the model is loading or working on a request.
    pub fn is_busy(&self) -> bool {
        self.is_loading() || !self.running.is_empty()
    }

    pub fn is_running(&self, group: GroupId) -> bool {
        self.running.values().any(|running| *running == group)
    }

    pub fn has_outstanding(&self) -> bool {
        !self.outstanding.is_empty()
    }

    /// Whether no more answers are expected.
    pub fn is_idle(&self) -> bool {
        let none_waiting = self.urgent.is_empty() && self.todo.is_empty() && self.later.is_empty();
        (none_waiting && self.outstanding.is_empty()) || !self.has_model()
    }

    /// Number of requests that the model has not started.
    pub fn waiting(&self) -> u64 {
        let prepared = self.outstanding.len().saturating_sub(self.running.len());
        (self.todo.len() + self.urgent.len() + self.later.len() + prepared) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::SourceType;

    fn queue(groups: i64) -> RequestQueue {
        let settings = AttemptSettings {
            max_new_tokens: 100,
            ..crate::record::testing::settings()
        };
        let mut queue = RequestQueue::new(settings, ModelStatus::Loading, 1);
        for group in 1..=groups {
            queue.add(GroupId(group));
        }
        queue
    }

    fn item() -> Item {
        Item {
            image_path: "a.png".to_owned(),
            file: None,
            claimed_sha256: None,
            source_type: SourceType::Cash,
            item_name: "모자".to_owned(),
            item_description: None,
            item_part: None,
            image_url: None,
            ocid: None,
            ranking: None,
        }
    }

    fn begin(queue: &mut RequestQueue) -> Job {
        let request = queue.next().unwrap();
        queue.begin(request, item())
    }

    #[test]
    fn a_retry_comes_first_and_replaces_the_first_attempt() {
        let mut queue = queue(3);
        let how = Retry {
            upscale: Some(50),
            ..Retry::default()
        };
        queue.retry(&[GroupId(3), GroupId(3)], &how);
        let job = begin(&mut queue);
        assert_eq!((job.group, job.settings.upscale), (GroupId(3), 8));
        assert_eq!(job.purpose, Purpose::Operator);
        let rest = [begin(&mut queue), begin(&mut queue)].map(|job| job.group);
        assert_eq!(rest, [GroupId(1), GroupId(2)]);
        assert_eq!(queue.next(), None);
    }

    #[test]
    fn a_second_retry_changes_the_settings_of_the_first() {
        let mut queue = queue(1);
        queue.retry(&[GroupId(1)], &Retry::default());
        let how = Retry {
            hint: Some("모자".to_owned()),
            ..Retry::default()
        };
        queue.retry(&[GroupId(1)], &how);
        assert_eq!(begin(&mut queue).settings.hint, how.hint);
        assert_eq!(queue.next(), None);
    }

    #[test]
    fn the_number_of_requests_prepared_ahead_is_limited() {
        let mut queue = queue(100);
        queue.model_ready(4);
        let mut jobs = Vec::new();
        while let Some(request) = queue.next() {
            jobs.push(queue.begin(request, item()));
        }
        assert_eq!(jobs.len(), 4 + PREPARED_AHEAD);
        assert_eq!(queue.started(jobs[0].ticket), Some(jobs[0].group));
        assert!(queue.is_running(jobs[0].group));
        assert_eq!(queue.waiting(), 99);
        queue.finish(jobs[0].ticket).unwrap();
        assert!(!queue.is_running(jobs[0].group));
        assert!(queue.next().is_some());
        assert!(queue.finish(jobs[0].ticket).is_none(), "it is finished");
    }

    #[test]
    fn a_retry_is_prepared_beyond_the_usual_limit() {
        let mut queue = queue(100);
        while let Some(request) = queue.next() {
            queue.begin(request, item());
        }
        let groups: Vec<GroupId> = (60..90).map(GroupId).collect();
        queue.retry(&groups, &Retry::default());
        let mut more = 0;
        while let Some(request) = queue.next() {
            assert_eq!(request.purpose, Purpose::Operator);
            queue.begin(request, item());
            more += 1;
        }
        assert_eq!(more, URGENT_AHEAD);
    }

    #[test]
    fn a_group_runs_until_the_last_of_its_requests_has_finished() {
        let mut queue = queue(1);
        queue.model_ready(2);
        let first = begin(&mut queue);
        queue.retry(&[GroupId(1)], &Retry::default());
        let retry = begin(&mut queue);
        queue.started(first.ticket);
        queue.started(retry.ticket);
        queue.finish(first.ticket);
        assert!(queue.is_running(GroupId(1)) && queue.is_busy());
        assert_eq!(queue.waiting(), 0);
        queue.finish(retry.ticket);
        assert!(!queue.is_running(GroupId(1)) && !queue.is_busy());
    }

    #[test]
    fn the_queue_is_idle_without_a_model() {
        let mut queue = queue(2);
        let job = begin(&mut queue);
        queue.started(job.ticket);
        assert!(!queue.is_idle());
        assert_eq!(queue.model_lost(), [job.group]);
        assert!(queue.is_idle());
        assert_eq!(queue.next(), None);
    }
}

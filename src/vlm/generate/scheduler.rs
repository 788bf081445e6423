//! The scheduler, with continuous batching: many requests share each step of the model, and a new
//! one starts as soon as another finishes.

use super::head::OutputHead;
use super::logits::LogitRow;
use super::plan::StepPlanner;
use super::prefix_cache::PrefixCache;
use super::prompt_cache::PromptCache;
use super::request::{GenerateEvent, GenerateRequest, model_error};
use super::slot::{Slot, SlotOutput, encode_group, run_lengths};
use crate::error::{Error, ErrorKind, Result};
use crate::vlm::model::Model;
use crate::vlm::nn::kv::layout::Prefix;
use crate::vlm::nn::kv::pool::Pool;
use crate::vlm::nn::team;
use candle_core::Tensor;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The limits of a generator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GeneratorOptions {
    /// Maximum number of requests in flight.
    pub slots: usize,
    /// Target number of tokens per step, padding included. Longer prompts are spread over several
    /// steps.
    pub step_tokens: usize,
    /// KV cache limit.
    pub cache_bytes: usize,
}

/// Statistics of one step, for profiling.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StepStats {
    pub sequences: usize,
    /// Prompt tokens, shared prefixes included.
    pub prompt_tokens: usize,
    pub answer_tokens: usize,
    pub images: usize,
    pub vision: Duration,
    /// Time in the decoder layers.
    pub forward: Duration,
    /// Time from hidden states to logits.
    pub head: Duration,
    /// Time in grammars and token selection.
    pub sampling: Duration,
}

/// The first time that the KV cache limit kept a request waiting although a slot was free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryCap {
    /// Requests in flight at that time.
    pub fits: usize,
    /// KV cache bytes that would suffice to fill all slots with such requests.
    pub needed: usize,
}

/// Runs requests on a borrowed model.
pub struct Generator<'m> {
    model: &'m Model,
    options: GeneratorOptions,
    waiting: VecDeque<GenerateRequest>,
    slots: Vec<Slot>,
    /// Pool of the sequences of all slots.
    pool: Arc<Pool>,
    memory_cap: Option<MemoryCap>,
    /// Steps since the last one that computed prompts.
    since_prompts: usize,
    prefixes: PrefixCache,
    prompts: PromptCache,
    head: OutputHead,
    /// Urgent requests are in flight and only they are computed.
    urgent_only: bool,
    stats: StepStats,
}

/// The hidden states to compute logits for, `(rows, hidden)`, and the slot index of each row.
#[derive(Default)]
struct HiddenRows {
    rows: Option<Tensor>,
    slots: Vec<usize>,
}

/// Maximum number of patches per pass of the vision tower, which bounds its memory.
pub(crate) const VISION_PATCHES: usize = 4096;
/// Maximum number of padded steps that a prompt waits for other prompts to share its step.
const PROMPT_WAIT: usize = 12;
/// Bytes per MiB.
const MIB: f64 = (1 << 20) as f64;

impl<'m> Generator<'m> {
    pub fn new(model: &'m Model, options: GeneratorOptions) -> Self {
        Self {
            model,
            options,
            waiting: VecDeque::new(),
            slots: Vec::new(),
            pool: model.pool(),
            memory_cap: None,
            since_prompts: 0,
            prefixes: PrefixCache::default(),
            prompts: PromptCache::default(),
            head: OutputHead::default(),
            urgent_only: false,
            stats: StepStats::default(),
        }
    }

    /// How many more requests can start at the next step.
    pub fn free_slots(&self) -> usize {
        let waiting = self.waiting.len();
        self.options
            .slots
            .max(1)
            .saturating_sub(self.slots_in_use() + waiting)
    }

    fn slots_in_use(&self) -> usize {
        let needs_slot = |slot: &&Slot| self.model.pads_rows() || !slot.request.urgent;
        self.slots.iter().filter(needs_slot).count()
    }

    /// Set once the KV cache limit has kept a request waiting although a slot was free.
    pub fn memory_cap(&self) -> Option<MemoryCap> {
        self.memory_cap
    }

    /// Whether no request is waiting or in flight.
    pub fn is_idle(&self) -> bool {
        self.slots.is_empty() && self.waiting.is_empty()
    }

    /// Queues a request; an urgent one goes ahead of all others. The next step reports an invalid
    /// request.
    pub fn add(&mut self, request: GenerateRequest) {
        let at = match request.urgent {
            true => self.waiting.iter().take_while(|other| other.urgent).count(),
            false => self.waiting.len(),
        };
        self.waiting.insert(at, request);
    }

    /// Number of requests in flight.
    pub fn in_flight(&self) -> usize {
        self.slots.len()
    }

    /// Number of urgent requests waiting or in flight.
    pub fn urgent(&self) -> usize {
        let waiting = self.waiting.iter().filter(|request| request.urgent);
        let slots = self.slots.iter().filter(|slot| slot.request.urgent);
        waiting.count() + slots.count()
    }

    /// Statistics of the last step.
    pub fn last_step(&self) -> &StepStats {
        &self.stats
    }

    /// Runs one step of the model for everything in flight. Does nothing when idle.
    pub fn step(&mut self) -> Vec<GenerateEvent> {
        self.stats = StepStats::default();
        let mut events = Vec::new();
        self.admit(&mut events);
        let padded = self.model.pads_rows();
        // With padding, a step takes as long for one sequence as for many, so nothing is paused.
        self.urgent_only = !padded && self.slots.iter().any(|slot| slot.request.urgent);
        let prompts = !padded || self.is_turn_of_prompts();
        if prompts {
            self.encode_images(&mut events);
        }
        self.start_sequences(&mut events);
        self.plan(padded, prompts);
        let hidden = self.forward(&mut events);
        self.sample(hidden, &mut events);
        events
    }

    /// Moves waiting requests into free slots while memory lasts.
    fn admit(&mut self, events: &mut Vec<GenerateEvent>) {
        while let Some(request) = self.waiting.front() {
            let needs_slot = self.model.pads_rows() || !request.urgent;
            if needs_slot && self.slots_in_use() >= self.options.slots.max(1) {
                return;
            }
            let checked = self.check(request);
            if checked.is_ok() {
                let in_use: Vec<&Arc<[u32]>> =
                    self.slots.iter().map(|slot| &slot.request.prefix).collect();
                let own = self.slots.iter().map(|slot| slot.own);
                let own = self.model.batch_bytes(own.chain([request.own_tokens()]));
                let needed = own + self.new_prefix_bytes(request);
                let room = self.options.cache_bytes;
                // Cached prompts and prefixes make way for new requests.
                let fits = loop {
                    let needed = needed + self.prompts.bytes();
                    let fits = self.prefixes.evict(room, needed, &request.prefix, &in_use);
                    if fits || !self.prompts.drop_oldest() {
                        break fits;
                    }
                };
                if !fits && !self.slots.is_empty() {
                    if self.memory_cap.is_none() {
                        let waiting = self.waiting.iter().map(GenerateRequest::own_tokens);
                        let own = waiting.chain(self.slots.iter().map(|slot| slot.own));
                        let all = std::iter::repeat_n(own.max().unwrap_or(0), self.options.slots);
                        let prefix = self.model.cache_bytes(request.prefix.len());
                        let needed = self.model.batch_bytes(all) + prefix;
                        self.memory_cap = Some(MemoryCap {
                            fits: self.slots.len(),
                            // Later prompts may be a little longer.
                            needed: needed + needed / 8,
                        });
                    }
                    return;
                }
            }
            let Some(request) = self.waiting.pop_front() else {
                return;
            };
            let ticket = request.ticket;
            let ends = &self.model.spec().end_tokens;
            let slot = checked.and_then(|()| {
                let requested = self.prefixes.request(self.model, &request.prefix);
                requested.map_err(|error| model_error(&error))?;
                let forked = self.prompts.fork(&request, &self.pool).transpose()?;
                Slot::new(request, forked, ends, events)
            });
            match slot {
                Ok(slot) => self.slots.push(slot),
                Err(error) => events.push(GenerateEvent::Failed { ticket, error }),
            }
        }
    }

    fn new_prefix_bytes(&self, request: &GenerateRequest) -> usize {
        match self.prefixes.holds(&request.prefix) {
            true => 0,
            false => self.model.cache_bytes(request.prefix.len()),
        }
    }

    /// KV cache bytes of a request alone, with this many tokens after its prefix.
    fn cache_bytes(&self, request: &GenerateRequest, own: usize) -> usize {
        self.model.cache_bytes(own) + self.model.cache_bytes(request.prefix.len())
    }

    /// Checks that the KV cache has room for requests like this one, which share its prefix and the
    /// length of its answer.
    ///
    /// # Errors
    /// Of kind `Usage` if none of them fits. Names a limit with which they do.
    pub fn check_cache(&self, request: &GenerateRequest) -> Result<()> {
        if self.cache_bytes(request, request.max_new_tokens) <= self.options.cache_bytes {
            return Ok(());
        }
        let needed = self.cache_bytes(request, request.own_tokens()) as f64;
        // Later prompts may be a little longer.
        let enough = (1.125 * needed / MIB).ceil();
        let cause = format!(
            "keys and values of one prompt and its answer need {enough} MiB, the limit is {:.1} MiB",
            self.options.cache_bytes as f64 / MIB
        );
        Err(Error::new(ErrorKind::Usage, cause).with_hint(format!(
            "give --kv-memory {enough}MiB or more, or a smaller --max-new-tokens"
        )))
    }

    fn check(&self, request: &GenerateRequest) -> Result<()> {
        let invalid = |cause: String| Err(Error::new(ErrorKind::Model, cause));
        let image_token = self.model.spec().image_token;
        if request.tokens.is_empty() {
            return invalid("a prompt needs a token after its shared prefix".into());
        }
        if request.prefix.contains(&image_token) {
            return invalid("the shared prefix of a prompt cannot contain an image".into());
        }
        let expected = request
            .images
            .iter()
            .map(|image| self.model.image_tokens(image.grid));
        if !expected.eq(run_lengths(&request.tokens, image_token)) {
            return invalid("the prompt's image tokens do not match its images".into());
        }
        let own = request.own_tokens();
        let all = request.prefix.len() + own;
        let most = self.model.spec().max_tokens;
        if all > most {
            return invalid(format!(
                "the prompt and its answer may take {all} tokens, the model's limit is {most}"
            ));
        }
        let needed = self.cache_bytes(request, own);
        if needed > self.options.cache_bytes {
            return Err(Error::new(
                ErrorKind::Model,
                format!(
                    "the prompt and its answer need {:.1} MiB for keys and values, the limit is {:.1} MiB",
                    needed as f64 / MIB,
                    self.options.cache_bytes as f64 / MIB
                ),
            )
            .with_hint("use fewer tokens or allow more memory"));
        }
        Ok(())
    }

    /// Encodes the images of new requests together.
    fn encode_images(&mut self, events: &mut Vec<GenerateEvent>) {
        let model = self.model;
        let started = Instant::now();
        let mut group: Vec<usize> = Vec::new();
        let (mut patches, mut count, mut largest) = (0, 0, 0);
        let mut failed = Vec::new();
        let new: Vec<usize> = (0..self.slots.len())
            .filter(|index| self.slots[*index].features.is_none())
            .filter(|index| !self.urgent_only || self.slots[*index].request.urgent)
            .collect();
        for (i, index) in new.iter().enumerate() {
            let images = &self.slots[*index].request.images;
            for each in images.iter().map(|image| image.grid.patches()) {
                (count, largest) = (count + 1, each.max(largest));
                patches = match model.pads_rows() {
                    true => count * largest,
                    false => patches + each,
                };
            }
            self.stats.images += images.len();
            group.push(*index);
            if patches < VISION_PATCHES && i + 1 < new.len() {
                continue;
            }
            if encode_group(model, &mut self.slots, &group).is_err() {
                // One by one, to find the one that fails.
                for index in &group {
                    if let Err(error) = encode_group(model, &mut self.slots, &[*index]) {
                        failed.push((*index, error));
                    }
                }
            }
            group.clear();
            (patches, count, largest) = (0, 0, 0);
        }
        self.stats.vision = started.elapsed();
        self.fail(failed, events);
    }

    /// Creates the sequences of slots whose shared prefix is ready.
    fn start_sequences(&mut self, events: &mut Vec<GenerateEvent>) {
        let mut failed = Vec::new();
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if slot.sequence.is_some() {
                continue;
            }
            let prefix: Option<Arc<Prefix>> = if slot.request.prefix.is_empty() {
                None
            } else if let Some(prefix) = self.prefixes.ready(&slot.request.prefix) {
                Some(prefix)
            } else {
                continue;
            };
            let room = slot.pending.len() + slot.request.max_new_tokens - slot.generated;
            let sequence = self.model.sequence(prefix, Some(&self.pool));
            let sequence = sequence.and_then(|mut sequence| {
                sequence.reserve(room)?;
                Ok(sequence)
            });
            match sequence {
                Ok(sequence) => slot.sequence = Some(sequence),
                Err(error) => failed.push((index, model_error(&error))),
            }
        }
        self.fail(failed, events);
    }

    /// Plans how many tokens each slot computes.
    fn plan(&mut self, padded: bool, prompts: bool) {
        let planner = StepPlanner {
            step_tokens: self.options.step_tokens.max(1),
            image_token: self.model.spec().image_token,
        };
        match padded {
            true => planner.plan_padded(&mut self.slots, &mut self.prefixes, prompts),
            false => planner.plan(&mut self.slots, &mut self.prefixes, self.urgent_only),
        }
    }

    /// Decides whether a padded step computes prompts. A prompt in the same step would pad every
    /// answer to its length, so prompts and answers take turns, and prompts wait a little for each
    /// other.
    fn is_turn_of_prompts(&mut self) -> bool {
        let prompts = self.slots.iter().filter(|slot| !slot.decoding).count();
        let turn = prompts * 8 >= self.slots.len() || self.since_prompts >= PROMPT_WAIT;
        self.since_prompts = match prompts == 0 || turn {
            true => 0,
            false => self.since_prompts + 1,
        };
        turn && prompts > 0
    }

    /// Computes the planned tokens. Returns the last hidden state of each slot with no pending
    /// tokens left.
    fn forward(&mut self, events: &mut Vec<GenerateEvent>) -> HiddenRows {
        let image_token = self.model.spec().image_token;
        let started = Instant::now();
        let mut steps = Vec::new();
        let mut owners = Vec::new();
        for (index, slot) in self.slots.iter_mut().enumerate() {
            let decoding = slot.decoding;
            let Some(step) = slot.planned_step(image_token) else {
                continue;
            };
            match decoding {
                true => self.stats.answer_tokens += step.tokens.len(),
                false => self.stats.prompt_tokens += step.tokens.len(),
            }
            owners.push(Some(index));
            steps.push(step);
        }
        for step in self.prefixes.steps() {
            self.stats.prompt_tokens += step.tokens.len();
            owners.push(None);
            steps.push(step);
        }
        if steps.is_empty() {
            return HiddenRows::default();
        }
        self.stats.sequences = steps.len();
        let mut failed = Vec::new();
        let mut prefix_error = None;
        let wanted = owners.iter().zip(&steps);
        let wanted = wanted.filter(|(_, step)| !step.logits.is_empty());
        let mut hidden = HiddenRows {
            slots: wanted.filter_map(|(owner, _)| *owner).collect(),
            rows: None,
        };
        match self.model.hidden_rows(&mut steps) {
            Ok(rows) => hidden.rows = Some(rows),
            // One sequence may be the cause, or the step too large: retry them one by one.
            Err(_) => {
                let mut rows = Vec::new();
                for (owner, step) in owners.iter().zip(&mut steps) {
                    let result = self.model.hidden_rows(std::slice::from_mut(step));
                    match (owner, result) {
                        (Some(_), Ok(row)) => rows.push(row),
                        (Some(index), Err(error)) => failed.push((*index, model_error(&error))),
                        (None, Ok(_)) => {}
                        (None, Err(error)) => prefix_error = Some(model_error(&error)),
                    }
                }
                rows.retain(|row| row.elem_count() > 0);
                hidden
                    .slots
                    .retain(|slot| failed.iter().all(|(index, _)| index != slot));
                match Tensor::cat(&rows, 0) {
                    Ok(rows) => hidden.rows = Some(rows),
                    Err(error) => {
                        let rows = hidden.slots.drain(..);
                        failed.extend(rows.map(|index| (index, model_error(&error))));
                    }
                }
            }
        }
        drop(steps);
        if let Err(error) = self.prefixes.advance(prefix_error.is_none()) {
            prefix_error = Some(error);
        }
        if let Some(error) = prefix_error {
            let waiting = self.slots.iter().enumerate();
            let waiting = waiting.filter(|(_, slot)| slot.sequence.is_none());
            failed.extend(waiting.map(|(index, _)| (index, error.clone())));
        }
        for slot in &mut self.slots {
            slot.computed += slot.planned;
        }
        failed.sort_by_key(|(index, _)| *index);
        for slot in &mut hidden.slots {
            *slot -= failed.iter().filter(|(index, _)| index < slot).count();
        }
        self.fail(failed, events);
        self.stats.forward = started.elapsed();
        hidden
    }

    /// Samples the next token of each slot that has a hidden state, in parallel because grammars
    /// are slow.
    fn sample(&mut self, hidden: HiddenRows, events: &mut Vec<GenerateEvent>) {
        let Some(rows) = hidden.rows.filter(|_| !hidden.slots.is_empty()) else {
            return;
        };
        let started = Instant::now();
        let mut wanted = vec![false; self.slots.len()];
        for index in &hidden.slots {
            wanted[*index] = true;
        }
        team::for_chunks(&mut self.slots, 1, 1, |index, slot| {
            if wanted[index] {
                slot[0].compute_mask();
            }
        });
        self.stats.sampling = started.elapsed();

        let started = Instant::now();
        let masks = hidden.slots.iter().map(|index| self.slots[*index].mask());
        let masks: Vec<_> = masks.collect();
        let found = self.head.logits(self.model, &rows, &masks);
        self.stats.head = started.elapsed();
        let mut logits: Vec<Option<LogitRow>> = Vec::new();
        logits.resize_with(self.slots.len(), || None);
        match found {
            Ok(found) => {
                for (index, row) in hidden.slots.into_iter().zip(found) {
                    logits[index] = Some(row);
                }
            }
            Err(error) => {
                let failed = hidden.slots.into_iter();
                let failed = failed.map(|index| (index, model_error(&error))).collect();
                self.fail(failed, events);
                return;
            }
        }

        let started = Instant::now();
        let ends = &self.model.spec().end_tokens;
        let mut outputs: Vec<(&mut Slot, SlotOutput)> = self
            .slots
            .iter_mut()
            .map(|slot| (slot, SlotOutput::default()))
            .collect();
        team::for_chunks(&mut outputs, 1, 1, |index, output| {
            if let (Some(logits), (slot, output)) = (&logits[index], &mut output[0]) {
                *output = slot.sample(logits, ends);
            }
        });
        let outputs: Vec<SlotOutput> = outputs.into_iter().map(|(_, output)| output).collect();
        for (index, _) in outputs.iter().enumerate().rev().filter(|(_, o)| o.finished) {
            let slot = self.slots.remove(index);
            self.keep_prompt(slot);
        }
        events.extend(outputs.into_iter().flat_map(|output| output.events));
        self.stats.sampling += started.elapsed();
    }

    /// Caches the prompt of a finished slot if the request asked for it.
    fn keep_prompt(&mut self, slot: Slot) {
        let (Some(key), Some(sequence)) = (slot.prompt_key, &slot.sequence) else {
            return;
        };
        // While the caller handles one batch of answers, another batch may finish.
        let capacity = 2 * self.options.slots.max(1);
        if let Err(error) = self.prompts.insert(self.model, key, sequence, capacity) {
            tracing::warn!(%error, "a prompt could not be cached");
        }
    }

    /// Drops failed slots and reports their errors; `failed` is sorted by index.
    fn fail(&mut self, failed: Vec<(usize, Error)>, events: &mut Vec<GenerateEvent>) {
        for (index, error) in failed.into_iter().rev() {
            let ticket = self.slots.remove(index).request.ticket;
            events.push(GenerateEvent::Failed { ticket, error });
        }
    }
}

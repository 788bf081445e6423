//! A slot of the scheduler: one request in flight with its progress and its sampler.

use super::logits::LogitRow;
use super::prompt_cache::PromptKey;
use super::request::{FinishReason, GenerateEvent, GenerateRequest, GeneratedToken, model_error};
use super::sampling::{Constraint, Mask, SampledToken, Sampler};
use crate::error::{Error, Result};
use crate::record::{Timings, TokenCounts};
use crate::vlm::architecture::ImagePatches;
use crate::vlm::model::{ImageFeatures, Model, SequenceStep};
use crate::vlm::nn::kv::sequence::Sequence;
use std::time::Instant;

/// A request in flight.
pub(crate) struct Slot {
    pub request: GenerateRequest,
    /// `None` until the shared prefix is ready.
    pub sequence: Option<Sequence>,
    /// `None` until the images are encoded.
    pub features: Option<Vec<ImageFeatures>>,
    /// How many of `pending` are computed.
    pub computed: usize,
    /// The tokens to compute: first the prompt, later the tokens just generated.
    pub pending: Vec<u32>,
    pub images_done: usize,
    /// Number of prompt tokens, shared ones included.
    pub prompt: usize,
    /// Number of tokens that this step computes.
    pub planned: usize,
    pub decoding: bool,
    pub sampler: Sampler,
    pub generated: usize,
    pub forced: usize,
    pub timings: Timings,
    pub started: Instant,
    /// Upper bound of its own tokens.
    pub own: usize,
    /// Number of prompt tokens that came from a cache.
    pub shared: usize,
    /// Key for the prompt cache, if the prompt is to be kept.
    pub prompt_key: Option<PromptKey>,
    /// Mask of the tokens that the constraint allows next, once computed.
    allowed: Option<Result<Vec<u32>>>,
}

/// The result of sampling for one slot.
#[derive(Default)]
pub(crate) struct SlotOutput {
    pub events: Vec<GenerateEvent>,
    pub finished: bool,
}

impl Slot {
    /// `forked` contains the prompt except its last token, if the prompt was cached.
    pub fn new(
        request: GenerateRequest,
        forked: Option<Sequence>,
        ends: &[u32],
        events: &mut Vec<GenerateEvent>,
    ) -> Result<Self> {
        let prompt_key = PromptKey::of(&request);
        let mut slot = Self {
            sequence: None,
            features: request.images.is_empty().then(Vec::new),
            computed: 0,
            pending: Vec::new(),
            images_done: 0,
            prompt: 0,
            planned: 0,
            decoding: false,
            sampler: Sampler::new(request.sampling),
            generated: 0,
            forced: 0,
            timings: Timings::default(),
            started: Instant::now(),
            own: request.own_tokens(),
            shared: request.prefix.len(),
            prompt_key,
            allowed: None,
            request,
        };
        slot.pending = std::mem::take(&mut slot.request.tokens);
        slot.prompt = slot.request.prefix.len() + slot.pending.len();
        if let Some(mut sequence) = forked {
            let own = slot.pending.len() + slot.request.max_new_tokens;
            let reserved = sequence.reserve(own);
            reserved.map_err(|error| model_error(&error))?;
            slot.pending.drain(..sequence.own_len());
            slot.shared = sequence.len();
            slot.sequence = Some(sequence);
            slot.request.images.clear();
            slot.features = Some(Vec::new());
        }
        // Tokens that the grammar forces at the start are computed together with the prompt.
        if let Some(constraint) = &mut slot.request.constraint {
            let forced = constraint.forced()?;
            for token in forced.into_iter().take(slot.request.max_new_tokens) {
                if ends.contains(&token) {
                    break;
                }
                constraint.advance(token)?;
                slot.pending.push(token);
                slot.generated += 1;
                slot.forced += 1;
                events.push(GenerateEvent::Token {
                    ticket: slot.request.ticket,
                    token: forced_token(token),
                });
            }
        }
        Ok(slot)
    }

    /// Returns the step that computes the planned tokens, if there are any. Only the last pending
    /// token needs logits.
    pub fn planned_step(&mut self, image_token: u32) -> Option<SequenceStep<'_>> {
        let (sequence, features) = (self.sequence.as_mut()?, self.features.as_ref()?);
        if self.planned == 0 {
            return None;
        }
        let end = self.computed + self.planned;
        let tokens = &self.pending[self.computed..end];
        let count = match self.decoding || features.is_empty() {
            true => 0,
            false => run_lengths(tokens, image_token).count(),
        };
        let images = &features[self.images_done..self.images_done + count];
        self.images_done += count;
        let logits = match end == self.pending.len() {
            true => tokens.len() - 1..tokens.len(),
            false => 0..0,
        };
        Some(SequenceStep {
            sequence,
            tokens,
            images,
            logits,
        })
    }

    /// Computes which tokens the constraint allows next, unless it is complete.
    pub fn compute_mask(&mut self) {
        let room = self.generated < self.request.max_new_tokens;
        let open = self.request.constraint.as_mut();
        let open = open.filter(|constraint| room && !constraint.finished());
        self.allowed = open.map(|constraint| constraint.allowed().map(<[u32]>::to_vec));
    }

    /// The computed mask; `None` if every token is allowed.
    pub fn mask(&self) -> Option<&Mask> {
        match &self.allowed {
            None => None,
            Some(Ok(mask)) => Some(mask),
            // `sample` reports the error before it looks at logits.
            Some(Err(_)) => Some(&[]),
        }
    }

    /// Samples the next token and adds the tokens that the constraint forces after it.
    pub fn sample(&mut self, logits: &LogitRow, ends: &[u32]) -> SlotOutput {
        let elapsed = self.started.elapsed().as_secs_f64() * 1e3;
        if !self.decoding {
            self.timings.prefill_ms = elapsed - self.timings.vision_ms;
            self.decoding = true;
        }
        let mut events = Vec::new();
        let ticket = self.request.ticket;
        let end = match self.step(logits, ends, &mut events) {
            Ok(None) => {
                return SlotOutput {
                    events,
                    finished: false,
                };
            }
            Ok(Some((reason, end))) => {
                let before = self.timings.prefill_ms + self.timings.vision_ms;
                self.timings.decode_ms = self.started.elapsed().as_secs_f64() * 1e3 - before;
                GenerateEvent::Done {
                    ticket,
                    reason,
                    end,
                    timings: self.timings,
                    counts: TokenCounts {
                        prompt: self.prompt,
                        shared: self.shared,
                        generated: self.generated,
                        forced: self.forced,
                    },
                }
            }
            Err(error) => GenerateEvent::Failed { ticket, error },
        };
        events.push(end);
        SlotOutput {
            events,
            finished: true,
        }
    }

    /// Generates the next tokens. Returns `Some` if the answer has ended.
    fn step(
        &mut self,
        logits: &LogitRow,
        ends: &[u32],
        events: &mut Vec<GenerateEvent>,
    ) -> Result<Option<(FinishReason, Option<GeneratedToken>)>> {
        let request = &mut self.request;
        if self.generated >= request.max_new_tokens {
            return Ok(Some((FinishReason::Length, None)));
        }
        if request
            .constraint
            .as_ref()
            .is_some_and(|constraint| constraint.finished())
        {
            return Ok(Some((FinishReason::Stop, None)));
        }
        let banned = if request.ignore_eos { ends } else { &[] };
        let allowed = self.allowed.take().transpose()?;
        let known = match &mut request.constraint {
            Some(constraint) => constraint.known()?,
            None => None,
        };
        let choice = logits.choose(&mut self.sampler, allowed.as_deref(), known, banned)?;
        let SampledToken { token, logprob } = choice;
        let chosen = GeneratedToken {
            id: token,
            logprob: Some(logprob),
            forced: false,
        };
        if ends.contains(&token) {
            return Ok(Some((FinishReason::Stop, Some(chosen))));
        }
        let ticket = request.ticket;
        self.pending.clear();
        self.computed = 0;
        let mut add = |token: GeneratedToken, constraint: Option<&mut Box<dyn Constraint>>| {
            events.push(GenerateEvent::Token { ticket, token });
            self.pending.push(token.id);
            self.generated += 1;
            self.forced += usize::from(token.forced);
            if let Some(constraint) = constraint {
                constraint.advance(token.id)?;
                if constraint.finished() {
                    return Ok(Some(FinishReason::Stop));
                }
            }
            let full = self.generated >= request.max_new_tokens;
            Ok::<_, Error>(full.then_some(FinishReason::Length))
        };
        if let Some(reason) = add(chosen, request.constraint.as_mut())? {
            return Ok(Some((reason, None)));
        }
        let forced = match &mut request.constraint {
            Some(constraint) => constraint.forced()?,
            None => Vec::new(),
        };
        for token in forced {
            if ends.contains(&token) {
                return Ok(Some((FinishReason::Stop, Some(forced_token(token)))));
            }
            if let Some(reason) = add(forced_token(token), request.constraint.as_mut())? {
                return Ok(Some((reason, None)));
            }
        }
        Ok(None)
    }
}

pub(crate) fn forced_token(id: u32) -> GeneratedToken {
    GeneratedToken {
        id,
        logprob: None,
        forced: true,
    }
}

/// The lengths of the runs of `token` in `tokens`.
pub(crate) fn run_lengths(tokens: &[u32], token: u32) -> impl Iterator<Item = usize> {
    tokens
        .chunk_by(move |a, b| (*a == token) == (*b == token))
        .filter(move |run| run[0] == token)
        .map(<[u32]>::len)
}

/// How many tokens of `rest` to compute if about `left` fit. An image is never split; one at the
/// start is computed whatever its size.
pub(crate) fn chunk_len(rest: &[u32], left: usize, image_token: u32, has_images: bool) -> usize {
    let cut = left.min(rest.len());
    let inside = |at: usize| {
        at > 0 && at < rest.len() && rest[at - 1] == image_token && rest[at] == image_token
    };
    if !has_images || !inside(cut) {
        return cut;
    }
    match (0..cut).rev().find(|at| !inside(*at)) {
        Some(at) if at > 0 => at,
        _ => (cut..rest.len())
            .find(|at| !inside(*at))
            .unwrap_or(rest.len()),
    }
}

/// Encodes the images of a group of slots together.
pub(crate) fn encode_group(model: &Model, slots: &mut [Slot], group: &[usize]) -> Result<()> {
    let started = Instant::now();
    let images: Vec<ImagePatches> = group
        .iter()
        .flat_map(|index| slots[*index].request.images.iter().cloned())
        .collect();
    let features = model
        .encode_images(&images)
        .map_err(|error| model_error(&error))?;
    let each = started.elapsed().as_secs_f64() * 1e3 / images.len().max(1) as f64;
    let mut features = features.into_iter();
    for index in group {
        let slot = &mut slots[*index];
        let count = slot.request.images.len();
        slot.features = Some(features.by_ref().take(count).collect());
        slot.timings.vision_ms = each * count as f64;
    }
    Ok(())
}

//! Plans a step: how many tokens each slot computes.

use super::prefix_cache::PrefixCache;
use super::slot::{Slot, chunk_len};

/// Row limit of a padded step that computes answers: a grammar's forced tokens are spread over
/// several steps, so that a long forced run in one answer does not pad all the others.
const ANSWER_ROWS: usize = 512;

/// Decides which tokens a step computes.
pub(crate) struct StepPlanner {
    /// Target number of tokens per step.
    pub step_tokens: usize,
    pub image_token: u32,
}

impl StepPlanner {
    /// Plans answers first and fills the rest of the step with prompts; with `urgent_only`, only
    /// urgent slots take part.
    pub fn plan(&self, slots: &mut [Slot], prefixes: &mut PrefixCache, urgent_only: bool) {
        let runs = |slot: &Slot| !urgent_only || slot.request.urgent;
        let mut left = self.step_tokens;
        for slot in &mut *slots {
            slot.planned = 0;
            if slot.decoding && runs(slot) {
                slot.planned = slot.pending.len();
                left = left.saturating_sub(slot.planned);
            }
        }
        left = prefixes.plan(left);
        for slot in slots {
            if slot.decoding || slot.sequence.is_none() || left == 0 || !runs(slot) {
                continue;
            }
            slot.planned = self.chunk(slot, left);
            left = left.saturating_sub(slot.planned);
        }
    }

    /// Plans a padded step, in which every sequence takes as many rows as the longest one.
    pub fn plan_padded(&self, slots: &mut [Slot], prefixes: &mut PrefixCache, prompts: bool) {
        for slot in &mut *slots {
            slot.planned = 0;
        }
        // Prefixes are computed in a pool of their own.
        prefixes.plan(self.step_tokens);
        let (mut count, mut widest) = (0, 0);
        for slot in &mut *slots {
            if !prompts || slot.decoding || slot.sequence.is_none() || slot.features.is_none() {
                continue;
            }
            let left = self.step_tokens / (count + 1);
            if left < widest {
                break;
            }
            slot.planned = self.chunk(slot, left);
            (count, widest) = (count + 1, widest.max(slot.planned));
        }
        if count > 0 {
            return;
        }
        let answers = slots.iter().filter(|slot| slot.decoding).count();
        let each = (ANSWER_ROWS / answers.max(1)).max(1);
        for slot in slots.iter_mut().filter(|slot| slot.decoding) {
            slot.planned = (slot.pending.len() - slot.computed).min(each);
        }
    }

    /// How many tokens of its prompt a slot computes if `left` tokens fit.
    fn chunk(&self, slot: &Slot, left: usize) -> usize {
        let rest = &slot.pending[slot.computed..];
        let has_images = !slot.request.images.is_empty();
        chunk_len(rest, left, self.image_token, has_images)
    }
}

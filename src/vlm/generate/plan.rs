//! Plans a step: how many tokens each slot computes.

use super::prefix_cache::PrefixCache;
use super::slot::{Slot, chunk_len};

/// Where rows are padded, the most of a step that computes answers: a grammar's forced tokens are
/// spread over steps, so that a long run of one answer does not make rows for all.
const ANSWER_ROWS: usize = 512;

/// What a step may hold.
pub(crate) struct Step {
    /// About as many tokens.
    pub tokens: usize,
    pub image_token: u32,
}

impl Step {
    /// Answers first, the rest of the step is for prompts; with `alone` those of urgent slots.
    pub fn plan(&self, slots: &mut [Slot], prefixes: &mut PrefixCache, alone: bool) {
        let runs = |slot: &Slot| !alone || slot.request.urgent;
        let mut left = self.tokens;
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

    /// The same where rows are padded: as many for each sequence as for the one with the most.
    pub fn plan_padded(&self, slots: &mut [Slot], prefixes: &mut PrefixCache, prompts: bool) {
        for slot in &mut *slots {
            slot.planned = 0;
        }
        // A prefix is computed apart from all else, as are those that wait for it.
        prefixes.plan(self.tokens);
        let (mut count, mut widest) = (0, 0);
        for slot in &mut *slots {
            if !prompts || slot.decoding || slot.sequence.is_none() || slot.features.is_none() {
                continue;
            }
            let left = self.tokens / (count + 1);
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

    /// How much of its prompt a slot computes where `left` tokens fit.
    fn chunk(&self, slot: &Slot, left: usize) -> usize {
        let rest = &slot.pending[slot.computed..];
        let has_images = !slot.request.images.is_empty();
        chunk_len(rest, left, self.image_token, has_images)
    }
}

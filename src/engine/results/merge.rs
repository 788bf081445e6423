//! Merges an answer with its quality retry, field by field.

use crate::record::{Attempt, Estimator, Field, FieldConfidence, Labels, Reason, Signal};
use crate::store::{Basis, Merged};

/// Merges an answer with its retry. If the retry is no improvement, returns the answer with the reason
/// `quality_retry_failed`. `None` if the answer has no labels. `reasons` applies the rules to labels,
/// their confidence, and whether the answer was truncated.
pub fn merge(
    base: &Attempt,
    retry: &Attempt,
    reasons: impl Fn(&Labels, &[FieldConfidence], bool) -> Vec<Reason>,
) -> Option<Merged> {
    better(base, retry, reasons).or_else(|| {
        let mut reasons = base.reasons.clone();
        reasons.push(Reason::QualityRetryFailed);
        Some(Merged {
            basis: Basis::Earlier(base.id),
            labels: base.labels.clone()?,
            reasons,
            confidence: base.confidence.clone(),
        })
    })
}

/// Takes the better of two attempts, plus each field of the other one that improves it further.
/// `None` if the retry is no improvement.
fn better(
    base: &Attempt,
    retry: &Attempt,
    reasons: impl Fn(&Labels, &[FieldConfidence], bool) -> Vec<Reason>,
) -> Option<Merged> {
    let (Some(base_labels), Some(retry_labels)) = (&base.labels, &retry.labels) else {
        return None;
    };
    let (winner, labels, other, other_labels, basis) =
        match uncertainty_of(retry) < uncertainty_of(base) {
            true => (retry, retry_labels, base, base_labels, Basis::Retry),
            false => (
                base,
                base_labels,
                retry,
                retry_labels,
                Basis::Earlier(base.id),
            ),
        };
    let mut merged = Merged {
        basis,
        labels: labels.clone(),
        reasons: winner.reasons.clone(),
        confidence: winner.confidence.clone(),
    };
    let mut uncertainty = uncertainty_of(winner);
    for &field in Field::ALL {
        let mut labels = merged.labels.clone();
        labels.set(field, other_labels.values(field).iter().cloned());
        if labels == merged.labels {
            continue;
        }
        let mut confidence = merged.confidence.clone();
        confidence.retain(|of| of.field != field);
        let others = other.confidence.iter().filter(|of| of.field == field);
        confidence.extend(others.cloned());
        let new_reasons = reasons(&labels, &confidence, winner.truncated);
        let new_uncertainty = estimate(&new_reasons, &confidence);
        // Requires fewer reasons: lower uncertainty alone does not justify swapping a field.
        if new_reasons.len() < merged.reasons.len() && new_uncertainty < uncertainty {
            uncertainty = new_uncertainty;
            merged = Merged {
                labels,
                reasons: new_reasons,
                confidence,
                ..merged
            };
        }
    }
    (uncertainty < uncertainty_of(base)).then_some(merged)
}

fn uncertainty_of(attempt: &Attempt) -> f32 {
    estimate(&attempt.reasons, &attempt.confidence)
}

/// Uses the default estimator, so that merging does not depend on the operator's decisions.
fn estimate(reasons: &[Reason], confidence: &[FieldConfidence]) -> f32 {
    Estimator::default().uncertainty(reasons, &Signal::of(confidence, &[]), 0)
}

//! Merges an answer with its quality retry: the better of both, field by field.

use crate::record::{Attempt, Estimator, Field, FieldConfidence, Labels, Reason, Signal};
use crate::store::{Basis, Merged};

/// The better of an answer and its retry; or the answer with one more reason, if the retry brings
/// nothing. `None` if the answer has no labels. `reasons` applies the rules to labels with their
/// confidence, of an answer that was cut off or not.
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

/// The better of two attempts, and from the other one each field that improves it further; `None`
/// if the retry brings nothing.
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
        // Fewer reasons, not just other numbers: a field is not swapped without a cause.
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

/// Whatever operators have decided: the same answers give the same record.
fn estimate(reasons: &[Reason], confidence: &[FieldConfidence]) -> f32 {
    Estimator::default().uncertainty(reasons, &Signal::of(confidence, &[]))
}

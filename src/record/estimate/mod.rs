//! How likely a person changes what a record says. The estimate begins with weights that were
//! measured by eye, and learns, per outdir, from what the operator decides.
//!
//! Each cause (a reason, a field that the model was uncertain of, one on which second opinions
//! differ) makes a person change the record with a probability of its own, its weight; all of them
//! together do with `1 - (1 - w1) (1 - w2) ...`. A decision is shared out among the causes that
//! were there, by how likely each was the one; so a weight is the share of decisions that its cause
//! explains, beside a number of decisions that stand for what is known without any.

mod agreement;
mod decision;

pub use agreement::{Agreement, agreement};
pub use decision::{content_changed, was_changed};

use super::rules::weight;
use super::{Field, FieldConfidence, Reason};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How many decisions a weight that was measured by eye stands for.
const STRENGTH: f64 = 8.0;
/// Some records are changed whatever speaks for them; how many is soon learned.
const ALWAYS: (f64, f64) = (0.1, 2.0);
/// The weight of a field that the model would not believe at all.
const CONFIDENCE: f64 = 0.05;
/// The weights of a field on which no second opinion agrees. Guesses.
const DISAGREEMENT: [(Field, f64); 3] = [
    (Field::Colors, 0.3),
    (Field::ItemTypeGuess, 0.3),
    (Field::LabelKo, 0.2),
];
const DISAGREEMENT_ELSE: f64 = 0.05;
/// A weight moves by what the decisions say beyond so many standard errors, so that chance does not
/// shuffle the queue.
const ERRORS: f64 = 2.0;
/// After so many rounds the weights stand still.
const ROUNDS: usize = 12;

/// What is known of a field of a draft besides its text.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    pub field: Field,
    /// The mean probability of the tokens that the model chose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<Agreement>,
}

impl Signal {
    /// Those of a draft, in the order of its fields.
    pub fn of(confidence: &[FieldConfidence], agreements: &[(Field, Agreement)]) -> Vec<Self> {
        let signal = |&field: &Field| {
            let confidence = confidence.iter().find(|held| held.field == field);
            let agreement = agreements.iter().find(|(of, _)| *of == field);
            let signal = Self {
                field,
                confidence: confidence.map(|held| held.mean),
                agreement: agreement.map(|(_, agreement)| *agreement),
            };
            (signal.confidence.is_some() || signal.agreement.is_some()).then_some(signal)
        };
        Field::ALL.iter().filter_map(signal).collect()
    }
}

/// What may make a person change a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cause {
    Always,
    Reason(Reason),
    Confidence(Field),
    Disagreement(Field),
}

impl Cause {
    /// Its weight before any decision, and how many decisions that stands for.
    fn prior(self) -> (f64, f64) {
        let weight = match self {
            Self::Always => return ALWAYS,
            Self::Reason(reason) => f64::from(weight(reason)),
            Self::Confidence(_) => CONFIDENCE,
            Self::Disagreement(field) => {
                let own = DISAGREEMENT.iter().find(|(of, _)| *of == field);
                own.map_or(DISAGREEMENT_ELSE, |(_, weight)| *weight)
            }
        };
        (weight, STRENGTH)
    }
}

/// The causes of a draft with how strongly each is there, 0-1.
fn causes<'a>(
    reasons: &'a [Reason],
    signals: &'a [Signal],
) -> impl Iterator<Item = (Cause, f64)> + 'a {
    let reasons = reasons.iter().map(|reason| (Cause::Reason(*reason), 1.0));
    let signals = signals.iter().flat_map(|signal| {
        let doubt = signal.confidence.map(|mean| {
            let missing = 1.0 - f64::from(mean.clamp(0.0, 1.0));
            (Cause::Confidence(signal.field), missing)
        });
        let disagreement = signal
            .agreement
            .map(|agreement| (Cause::Disagreement(signal.field), agreement.missing()));
        [doubt, disagreement].into_iter().flatten()
    });
    std::iter::once((Cause::Always, 1.0))
        .chain(reasons)
        .chain(signals)
}

/// What an operator who looked at a draft did: left its content, or changed or rejected it.
#[derive(Debug, Clone, PartialEq)]
pub struct ReviewOutcome {
    /// Those of the draft that was looked at.
    pub reasons: Vec<Reason>,
    pub signals: Vec<Signal>,
    pub changed: bool,
}

/// How many of the decided records that are like one were changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SimilarDecisions {
    pub changed: u32,
    pub decided: u32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Learned {
    weight: f64,
    alike: SimilarDecisions,
}

/// Estimates the probability that a person changes the content of a record. By default it has
/// seen no decision.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Estimator {
    /// The causes that a decision was about.
    learned: BTreeMap<Cause, Learned>,
}

impl Estimator {
    /// The same for the same decisions, in whatever order they were made.
    pub fn learn<'a>(decisions: impl IntoIterator<Item = &'a ReviewOutcome>) -> Self {
        let decisions: Vec<(Vec<(Cause, f64)>, bool)> = decisions
            .into_iter()
            .map(|decision| {
                let causes = causes(&decision.reasons, &decision.signals);
                (causes.collect(), decision.changed)
            })
            .collect();
        let mut learned: BTreeMap<Cause, Learned> = BTreeMap::new();
        let mut present: BTreeMap<Cause, f64> = BTreeMap::new();
        for (causes, changed) in &decisions {
            for (cause, strength) in causes {
                *present.entry(*cause).or_default() += strength;
                let learned = learned.entry(*cause).or_insert(Learned {
                    weight: cause.prior().0,
                    alike: SimilarDecisions {
                        changed: 0,
                        decided: 0,
                    },
                });
                learned.alike.decided += 1;
                learned.alike.changed += u32::from(*changed);
            }
        }
        for _ in 0..ROUNDS {
            let mut explained: BTreeMap<Cause, f64> = BTreeMap::new();
            let changed = decisions.iter().filter(|(_, changed)| *changed);
            for (causes, _) in changed {
                let share = |(cause, strength): &(Cause, f64)| learned[cause].weight * strength;
                let all = 1.0 - causes.iter().map(|c| 1.0 - share(c)).product::<f64>();
                for cause in causes.iter().filter(|_| all > 0.0) {
                    *explained.entry(cause.0).or_default() += share(cause) / all;
                }
            }
            for (cause, learned) in &mut learned {
                let (prior, strength) = cause.prior();
                let explained = explained.get(cause).copied().unwrap_or_default();
                let present = present[cause];
                learned.weight = (strength * prior + explained.min(present)) / (strength + present);
            }
        }
        for (cause, learned) in &mut learned {
            // It moves every record alike.
            if *cause == Cause::Always {
                continue;
            }
            let (prior, strength) = cause.prior();
            let error = (prior * (1.0 - prior) / (strength + present[cause])).sqrt();
            let moved = learned.weight - prior;
            let beyond = (moved.abs() - ERRORS * error).max(0.0);
            learned.weight = prior + beyond.copysign(moved);
        }
        Self { learned }
    }

    fn weight(&self, cause: Cause) -> f64 {
        let learned = self.learned.get(&cause);
        learned.map_or_else(|| cause.prior().0, |learned| learned.weight)
    }

    /// The probability, 0 to 1, that a person changes the content of a record with these reasons.
    pub fn uncertainty(&self, reasons: &[Reason], signals: &[Signal]) -> f32 {
        let left = causes(reasons, signals)
            .map(|(cause, strength)| 1.0 - self.weight(cause) * strength)
            .product::<f64>();
        (1.0 - left).clamp(0.0, 1.0) as f32
    }

    /// The reasons, those first that most often make a person change a record.
    pub fn sorted_by_weight(&self, reasons: &[Reason]) -> Vec<Reason> {
        let weight = |reason: &Reason| self.weight(Cause::Reason(*reason));
        let mut sorted = reasons.to_vec();
        sorted.sort_by(|a, b| weight(b).total_cmp(&weight(a)));
        sorted
    }

    /// The decided records that have the weightiest of these reasons; `None` where there are none.
    pub fn similar_decisions(&self, reasons: &[Reason]) -> Option<SimilarDecisions> {
        let causes = reasons.iter().map(|reason| Cause::Reason(*reason));
        let weightiest = causes.max_by(|a, b| self.weight(*a).total_cmp(&self.weight(*b)))?;
        self.learned.get(&weightiest).map(|learned| learned.alike)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decisions(reasons: &[Reason], changed: usize, left: usize) -> Vec<ReviewOutcome> {
        let decision = |changed| ReviewOutcome {
            reasons: reasons.to_vec(),
            signals: vec![],
            changed,
        };
        let changed = std::iter::repeat_n(decision(true), changed);
        changed
            .chain(std::iter::repeat_n(decision(false), left))
            .collect()
    }

    fn confidence(mean: f32) -> Vec<Signal> {
        let of = |field: &Field| Signal {
            field: *field,
            confidence: Some(mean),
            agreement: None,
        };
        Field::ALL.iter().map(of).collect()
    }

    #[test]
    fn uncertainty_grows_with_reasons_and_stays_in_bounds() {
        let estimator = Estimator::default();
        let of = |reasons: &[Reason], mean| estimator.uncertainty(reasons, &confidence(mean));
        assert!(of(&[], 0.9) < of(&[], 0.4));
        let few = estimator.uncertainty(&[Reason::FewTags], &[]);
        assert!(few < estimator.uncertainty(&[Reason::FewTags, Reason::CommaList], &[]));
        assert!(few < estimator.uncertainty(&[Reason::ColorMismatch], &[]));
        let all = of(Reason::ALL, 0.0);
        assert!(all > 0.9 && all <= 1.0);
    }

    #[test]
    fn an_operator_who_cares_for_tags_brings_few_tags_forward() {
        let mut cares = decisions(&[Reason::FewTags], 12, 1);
        cares.extend(decisions(&[Reason::Repetition], 0, 12));
        let estimator = Estimator::learn(&cares);
        let tags = estimator.uncertainty(&[Reason::FewTags], &[]);
        assert!(tags > estimator.uncertainty(&[Reason::Repetition], &[]) + 0.2);
        let alike = estimator.similar_decisions(&[Reason::FewTags, Reason::FewQueries]);
        assert_eq!(alike.map(|a| (a.changed, a.decided)), Some((12, 13)));
        assert_eq!(estimator.similar_decisions(&[Reason::CommaList]), None);
        assert_eq!(
            Estimator::default().similar_decisions(&[Reason::FewTags]),
            None
        );
    }

    #[test]
    fn a_reason_that_only_stands_beside_another_is_not_blamed() {
        let both = [Reason::ColorMismatch, Reason::FewTags];
        let mut all = decisions(&both, 30, 1);
        all.extend(decisions(&[Reason::FewTags], 0, 5));
        let estimator = Estimator::learn(&all);
        let prior = Estimator::default();
        let few = [Reason::FewTags];
        assert!(estimator.uncertainty(&few, &[]) <= prior.uncertainty(&few, &[]));
    }

    #[test]
    fn a_reason_that_proves_harmless_falls_behind() {
        let estimator = Estimator::learn(&decisions(&[Reason::MixedScript], 0, 40));
        let mixed = estimator.uncertainty(&[Reason::MixedScript], &[]);
        assert!(mixed < estimator.uncertainty(&[Reason::CommaList], &[]));
    }

    #[test]
    fn a_few_decisions_do_not_shuffle_the_queue() {
        let estimator = Estimator::learn(&decisions(&[Reason::Repetition], 1, 3));
        let prior = Estimator::default();
        let order = |estimator: &Estimator| {
            let mut all: Vec<Reason> = Reason::ALL.to_vec();
            all.sort_by(|a, b| {
                let of = |reason: &Reason| estimator.uncertainty(&[*reason], &[]);
                of(b).total_cmp(&of(a))
            });
            all
        };
        assert_eq!(order(&estimator), order(&prior));
    }

    #[test]
    fn a_field_that_proves_wrong_when_uncertain_weighs_more() {
        let uncertain = |changed, mean| ReviewOutcome {
            reasons: vec![],
            signals: vec![Signal {
                field: Field::Material,
                confidence: Some(mean),
                agreement: None,
            }],
            changed,
        };
        let mut all = vec![uncertain(true, 0.1); 20];
        all.extend(vec![uncertain(false, 0.95); 40]);
        let estimator = Estimator::learn(&all);
        let of = |estimator: &Estimator, mean| {
            estimator.uncertainty(&[], &uncertain(true, mean).signals)
        };
        assert!(of(&estimator, 0.1) > of(&Estimator::default(), 0.1) + 0.2);
    }

    #[test]
    fn second_opinions_that_differ_make_a_record_uncertain() {
        let opinions = |agree| {
            vec![Signal {
                field: Field::Colors,
                confidence: None,
                agreement: Some(Agreement { agree, of: 3 }),
            }]
        };
        let of = |agree| Estimator::default().uncertainty(&[], &opinions(agree));
        assert!(of(0) > of(2) && of(2) > of(3));
    }
}

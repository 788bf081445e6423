//! Makes an attempt of an answer: parsed, brought into form, judged by the rules. And chooses
//! between two.

use super::messages::ModelInfo;
use super::prepare::{Job, Purpose};
use crate::icon;
use crate::labeler::Answer;
use crate::prompt::Prompter;
use crate::record::{
    self, Attempt, AttemptSettings, Background, ColorHistogram, Failure, Field, FieldConfidence,
    Labels, Reason, RuleContext, Timings, TokenCounts,
};
use crate::settings::Lang;
use crate::store::{Basis, Merged};
use crate::text::{clean_text, utc};
use jiff::Timestamp;
use std::sync::Arc;

/// The larger picture of a quality retry, as a factor on the run's own.
const RETRY_UPSCALE: u32 = 2;

#[derive(Debug)]
pub struct Judge {
    prompter: Arc<Prompter>,
    /// For the record.
    model: String,
    /// Into the settings hash: what the same model was run as.
    detail: String,
}

impl Judge {
    pub fn new(prompter: Arc<Prompter>) -> Self {
        Self {
            prompter,
            model: String::new(),
            detail: String::new(),
        }
    }

    /// To be told once the model is there.
    pub fn model(&mut self, info: &ModelInfo) {
        self.model.clone_from(&info.name);
        self.detail.clone_from(&info.detail);
    }

    pub fn attempt(&self, job: &Job, answer: &Answer) -> Attempt {
        let mut attempt = self.blank(job);
        attempt.raw_text.clone_from(&answer.text);
        attempt.truncated = answer.truncated;
        attempt.timings = Timings {
            preprocess_ms: job.preprocess_ms,
            ..answer.timings
        };
        attempt.tokens = answer.counts;
        let name = job
            .settings
            .with_metadata
            .then(|| clean_text(&job.item.item_name));
        let text = match answer.truncated {
            true => record::complete(&answer.text, name.as_deref()),
            false => answer.text.clone(),
        };
        match record::parse(&text) {
            Ok(parsed) => {
                let mut labels = parsed.labels.normalized(self.prompter.vocabulary());
                // A server without a grammar may give what was not asked for.
                if self.prompter.lang() == Lang::Ko {
                    labels.set(Field::LabelEn, None::<String>);
                }
                let tokens = answer.tokens.iter();
                let tokens =
                    tokens.map(|token| (token.bytes.as_slice(), token.logprob, token.forced));
                attempt.truncated |= parsed.cut;
                attempt.confidence = record::confidence(&answer.text, tokens);
                attempt.reasons =
                    self.reasons(job, &labels, &attempt.confidence, attempt.truncated);
                attempt.labels = Some(labels);
            }
            Err(failure) => attempt.failure = Some(failure),
        }
        attempt
    }

    /// A model was asked and gave no answer.
    pub fn failed_attempt(&self, job: &Job, failure: Failure) -> Attempt {
        Attempt {
            failure: Some(failure),
            ..self.blank(job)
        }
    }

    fn blank(&self, job: &Job) -> Attempt {
        let prompt_version = self.prompter.version().to_owned();
        let settings_hash =
            serde_json::to_vec(&(&job.settings, &self.model, &self.detail, &prompt_version))
                .map(|bytes| icon::sha256(&bytes))
                .unwrap_or_default();
        Attempt {
            id: 0,
            at: now(),
            model: self.model.clone(),
            prompt_version,
            retry_of: match &job.purpose {
                Purpose::Quality(base) => Some(base.id),
                Purpose::First | Purpose::Repair | Purpose::Operator => None,
            },
            settings: job.settings.clone(),
            settings_hash,
            raw_text: String::new(),
            labels: None,
            reasons: Vec::new(),
            confidence: Vec::new(),
            truncated: false,
            timings: Timings {
                preprocess_ms: job.preprocess_ms,
                ..Timings::default()
            },
            tokens: TokenCounts::default(),
            failure: None,
        }
    }

    fn reasons(
        &self,
        job: &Job,
        labels: &Labels,
        confidence: &[FieldConfidence],
        truncated: bool,
    ) -> Vec<Reason> {
        let colors: Option<&ColorHistogram> =
            job.histogram.as_ref().filter(|_| job.settings.with_image);
        let context = RuleContext {
            vocabulary: self.prompter.vocabulary(),
            item_name: &job.item.item_name,
            with_metadata: job.settings.with_metadata,
            colors,
            confidence,
            truncated,
            // The journal knows the other groups and adds `duplicate_label`.
            label_count: 1,
        };
        record::check(labels, &context)
    }

    /// Whether the rules call an attempt low, so that a stricter one may help.
    pub fn wants_retry(&self, attempt: &Attempt) -> bool {
        attempt.labels.is_some() && !attempt.reasons.is_empty()
    }

    /// The strict prompt, a larger picture, the other background.
    pub fn stricter(&self, settings: &AttemptSettings) -> AttemptSettings {
        AttemptSettings {
            strict: true,
            upscale: (settings.upscale * RETRY_UPSCALE).min(8),
            background: match settings.background {
                Background::White => Background::Black,
                Background::Black | Background::None => Background::White,
            },
            ..settings.clone()
        }
    }

    /// What an attempt and its retry come to: the better of both, or the first one with a reason
    /// more where the second brings nothing.
    pub fn settle(&self, job: &Job, base: &Attempt, second: &Attempt) -> Option<Merged> {
        self.better(job, base, second).or_else(|| {
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

    /// The better of two attempts, and from the other one each field that betters it further;
    /// `None` where the second brings nothing.
    fn better(&self, job: &Job, base: &Attempt, second: &Attempt) -> Option<Merged> {
        let (Some(first_labels), Some(second_labels)) = (&base.labels, &second.labels) else {
            return None;
        };
        let second_is_better = uncertainty_of(second) < uncertainty_of(base);
        let (winner, other, other_labels) = if second_is_better {
            (second, base, first_labels)
        } else {
            (base, second, second_labels)
        };
        let basis = match second_is_better {
            true => Basis::Retry,
            false => Basis::Earlier(base.id),
        };
        let mut labels = winner.labels.clone()?;
        let mut reasons = winner.reasons.clone();
        let mut confidence = winner.confidence.clone();
        let mut uncertainty = uncertainty_of(winner);
        for &field in Field::ALL {
            let mut mixed = labels.clone();
            mixed.set(field, other_labels.values(field).iter().cloned());
            if mixed == labels {
                continue;
            }
            let mut sure = confidence.clone();
            sure.retain(|held| held.field != field);
            sure.extend(
                other
                    .confidence
                    .iter()
                    .filter(|held| held.field == field)
                    .cloned(),
            );
            let now = self.reasons(job, &mixed, &sure, winner.truncated);
            let new_uncertainty = record::uncertainty(&now, &sure);
            // Fewer reasons, not just other numbers: a field is not swapped without a cause.
            if now.len() < reasons.len() && new_uncertainty < uncertainty {
                (labels, reasons, confidence, uncertainty) = (mixed, now, sure, new_uncertainty);
            }
        }
        if uncertainty < uncertainty_of(base) {
            Some(Merged {
                basis,
                labels,
                reasons,
                confidence,
            })
        } else {
            None
        }
    }
}

fn uncertainty_of(attempt: &Attempt) -> f32 {
    record::uncertainty(&attempt.reasons, &attempt.confidence)
}

fn now() -> String {
    utc(Timestamp::now())
}

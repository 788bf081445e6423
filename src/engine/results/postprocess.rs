//! Converts an answer to an attempt: parses it, normalizes the labels, applies the rules.

use crate::engine::queue::{Job, Purpose};
use crate::icon;
use crate::labeler::{Answer, ModelInfo};
use crate::prompt::{Lang, Prompter};
use crate::record::{
    self, Attempt, ColorHistogram, Failure, Field, FieldConfidence, Labels, Reason, RecordContext,
    Timings, TokenCounts, Vocabulary,
};
use crate::text::{Language, clean_text, utc};
use jiff::Timestamp;
use std::sync::Arc;

#[derive(Debug)]
pub struct Postprocess {
    prompter: Arc<Prompter>,
    pub vocabulary: Arc<Vocabulary>,
    /// Model name in the record.
    model: String,
    /// How the model runs, such as `q8_0`; part of the settings hash.
    detail: String,
}

impl Postprocess {
    pub fn new(prompter: Arc<Prompter>) -> Self {
        Self {
            vocabulary: Arc::clone(prompter.vocabulary()),
            prompter,
            model: String::new(),
            detail: String::new(),
        }
    }

    /// Sets the model of the following attempts.
    pub fn set_model(&mut self, info: &ModelInfo) {
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
                let labels = parsed.labels.normalized(&self.vocabulary);
                let mut labels = labels.without_repetition(&job.item.item_name);
                // A server without a grammar may generate fields that were not requested.
                if self.prompter.lang() == Lang::Ko {
                    let english = |field: &&Field| field.language() == Some(Language::English);
                    for &field in Field::ALL.iter().filter(english) {
                        labels.set(field, None::<String>);
                    }
                }
                if let Purpose::Opinion { of, .. } = &job.purpose
                    && let Some(answer) = &of.labels
                {
                    let kept = Field::ALL.iter().filter(|field| !field.is_in_opinions());
                    for &field in kept {
                        labels.set(field, answer.values(field).iter().cloned());
                    }
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

    /// Creates the attempt of a request without an answer.
    pub fn failed_attempt(&self, job: &Job, failure: Failure) -> Attempt {
        Attempt {
            failure: Some(failure),
            ..self.blank(job)
        }
    }

    fn blank(&self, job: &Job) -> Attempt {
        let prompt_version = self.prompter.version().to_owned();
        let hashed = (
            &job.settings,
            &self.model,
            &self.detail,
            &prompt_version,
            self.prompter.digest(),
        );
        let settings_hash = serde_json::to_vec(&hashed)
            .map(|bytes| icon::sha256(&bytes))
            .unwrap_or_default();
        Attempt {
            id: 0,
            at: now(),
            model: self.model.clone(),
            prompt_version,
            retry_of: match &job.purpose {
                Purpose::Quality(base) => Some(base.id),
                _ => None,
            },
            opinion_of: match &job.purpose {
                Purpose::Opinion { of, .. } => Some(of.id),
                _ => None,
            },
            settings: job.settings.clone(),
            settings_hash,
            request_text: job.request_text.clone(),
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

    /// Applies the rules to labels.
    pub fn reasons(
        &self,
        job: &Job,
        labels: &Labels,
        confidence: &[FieldConfidence],
        truncated: bool,
    ) -> Vec<Reason> {
        let colors: Option<&ColorHistogram> =
            job.histogram.as_ref().filter(|_| job.settings.with_image);
        let context = RecordContext {
            with_metadata: job.settings.with_metadata,
            colors,
            confidence,
            truncated,
            // The journal knows the other groups and adds `duplicate_label`.
            ..RecordContext::new(&self.vocabulary, &job.item.item_name)
        };
        record::check(labels, &context)
    }
}

fn now() -> String {
    utc(Timestamp::now())
}

//! The domain model: items, labels, records, attempts and decisions. Pure code, no IO.

mod attempt;
mod change;
mod comparison;
mod derive;
mod edit;
mod estimate;
mod failure;
mod field;
pub mod filter;
pub mod fixes;
mod group;
mod item;
mod judging;
mod labels;
mod naming;
mod normalize;
mod notice;
mod parse;
mod reason;
mod report;
mod retrieval;
mod review;
pub mod rules;
mod similarity;
#[cfg(test)]
pub mod testing;
mod vocabulary;

pub use attempt::{
    Attempt, AttemptSettings, Background, Chat, FieldConfidence, RequestText, Timings, TokenCounts,
};
pub use change::{Change, FixKind, Matching, Replacement};
pub use comparison::{FieldComparison, ReasonComparison, RecordComparison, compare, pairs};
pub use derive::{Derivation, Recoloring, derive};
pub use edit::{EditFacts, Edited, VocabularyPreview, WordChange, apply, edit};
pub use estimate::{
    Agreement, Estimator, ReviewOutcome, Signal, SimilarDecisions, agreement, content_changed,
    was_changed,
};
pub use failure::{Failure, FailureDetail, ReadProblem, ServerError};
pub use field::{Field, FieldFilter, Kind};
pub use group::{Draft, GroupDetail, GroupSummary, HistoryEntry, Neighbor, Origin, Version};
pub use item::{GroupId, ImageLocation, Item, SourceType};
pub use judging::{
    AuditEstimate, Candidate, DEFAULT_SAMPLE_SIZE, Judgment, Rate, SampledRecord, Stratum,
    VERDICTS, Verdict, Vote, VoteTally, current_judgments, draw_order, shows_a_first, shuffle_key,
};
pub use labels::{Labels, QualityFlags, Record, read_sha256};
pub use naming::Names;
pub use notice::{FileNotice, KeptBecause};
pub use parse::{AnswerForm, Parsed, Token, complete, confidence, parse};
pub use reason::{FailureCode, Reason, ReasonSource};
pub use report::{ChangePreview, PastStep, StepReport, TextChange};
pub use retrieval::{
    BeforeAfter, ConfusedImage, RetrievalMetrics, RetrievalResult, RetrievalSummary, RetrieverName,
    SearchRank, TrigramCounts, searched_texts,
};
pub use review::{
    CommittedBy, CurrentState, Decision, Direction, GroupState, Line, LineEffects, NextCommit,
    ReviewState, ReviewStep,
};
pub use rules::{
    ColorHistogram, RecordContext, about_reasons, check, estimate_tokens, nearest_color,
    word_matches_color,
};
pub use similarity::{Appearance, ApprovedRecord, ApprovedRecords};
pub use vocabulary::{BUILTIN_VOCABULARY, PixelRule, Vocabulary, Word, similar, to_oklab, to_rgb};

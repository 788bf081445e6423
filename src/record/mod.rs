//! Items, labels, records, attempts and decisions: the nouns of the program. Pure, no IO.

mod attempt;
mod change;
mod comparison;
mod derive;
mod edit;
mod estimate;
mod field;
pub mod filter;
pub mod fixes;
mod group;
mod item;
mod judging;
mod labels;
mod likeness;
mod naming;
mod normalize;
mod parse;
mod reason;
mod report;
mod retrieval;
mod review;
pub mod rules;
#[cfg(test)]
pub mod testing;
mod vocabulary;

pub use attempt::{
    AskedText, Attempt, AttemptSettings, Background, Failure, FieldConfidence, Timings, TokenCounts,
};
pub use change::{Change, FixKind, Matching, Replacement};
pub use comparison::{Comparison, FieldComparison, ReasonComparison, compare, pairs};
pub use derive::{Derivation, Recoloring, derive};
pub use edit::{EditFacts, Edited, VocabularyPreview, WordChange, apply, edit};
pub use estimate::{
    Agreement, Alike, Estimator, Look, Signal, agreement, content_changed, outcome,
};
pub use field::{Field, FieldFilter, Kind};
pub use group::{Draft, GroupDetail, GroupSummary, Listed, Neighbor, Origin, Version};
pub use item::{GroupId, ImageLocation, Item, SourceType};
pub use judging::{
    AuditEstimate, Candidate, DrawnRecord, Judgment, Rate, SAMPLE, Stratum, VERDICTS, Verdict,
    Vote, VoteTally, drawn, first_is_a, judged, turn,
};
pub use labels::{Labels, QualityFlags, Record};
pub use likeness::{Appearance, Approved, ApprovedRecords};
pub use naming::Names;
pub use parse::{AnswerForm, Parsed, Token, complete, confidence, parse};
pub use reason::{FailureCode, Reason};
pub use report::{ChangePreview, PastStep, Place, StepReport};
pub use retrieval::{
    BeforeAfter, Confused, Figures, Finding, Generic, RetrievalSummary, Retrieved, RetrieverName,
    searched_texts,
};
pub use review::{
    CommittedBy, CurrentState, Decision, Direction, GroupState, Line, LineEffects, NextCommit,
    ReviewState, ReviewStep,
};
pub use rules::{
    ColorHistogram, RuleContext, about, check, estimate_tokens, may_mean, nearest_color,
};
pub use vocabulary::{BUILTIN_VOCABULARY, PixelRule, Vocabulary, Word, similar, to_oklab, to_rgb};

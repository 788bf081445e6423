//! Items, labels, records, attempts and decisions: the nouns of the program. Pure, no IO.

mod attempt;
mod change;
mod edit;
mod field;
pub mod fixes;
pub mod filter;
mod group;
mod item;
mod labels;
mod normalize;
mod parse;
mod reason;
mod report;
mod review;
pub mod rules;
#[cfg(test)]
pub mod testing;
mod vocabulary;

pub use attempt::{
    Attempt, AttemptSettings, Background, Failure, FieldConfidence, Timings, TokenCounts,
};
pub use change::{Change, FixKind};
pub use edit::{VocabularyPreview, WordChange, apply};
pub use field::{Field, FieldFilter, Kind, Language};
pub use group::{Draft, GroupDetail, GroupId, GroupSummary, Listed, Origin, Version};
pub use item::{Item, SourceType};
pub use labels::{Labels, QualityFlags, Record};
pub use parse::{Parsed, Token, complete, confidence, parse};
pub use reason::{FailureCode, Reason};
pub use report::StepReport;
pub use review::{
    CommittedBy, CurrentState, Decision, Direction, GroupState, Line, LineEffects, NextCommit,
    ReviewState, ReviewStep,
};
pub use rules::{
    ColorHistogram, RuleContext, about, check, estimate_tokens, nearest_color, uncertainty,
};
pub use vocabulary::{BUILTIN_VOCABULARY, Vocabulary, Word, to_oklab};

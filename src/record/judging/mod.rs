//! Human judgments: audits of committed records and blind comparisons of two texts, with the
//! statistics computed from them.

mod audit;
mod proportion;
mod sample;
mod votes;

pub use audit::{
    AuditEstimate, DEFAULT_SAMPLE_SIZE, Judgment, SampledRecord, VERDICTS, Verdict,
    current_judgments,
};
pub use proportion::Rate;
pub use sample::{Candidate, Stratum, draw_order};
pub use votes::{Vote, VoteTally, shows_a_first, shuffle_key};

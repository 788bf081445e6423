//! What people judge: whether committed records are right, and which of two texts is better; and
//! what a number of such judgments says of all records.

mod audit;
mod rate;
mod sample;
mod votes;

pub use audit::{AuditEstimate, DrawnRecord, Judgment, SAMPLE, VERDICTS, Verdict, judged};
pub use rate::Rate;
pub use sample::{Candidate, Stratum, drawn};
pub use votes::{Vote, VoteTally, first_is_a, turn};

//! What keeps an operator going: what was on screen, edits done again, answers that were asked for,
//! the pace of a session.

mod clicks;
mod pace;
mod repeat;
mod retries;
mod seen;

pub use clicks::Clicks;
pub use pace::{Effort, Pace, Tally};
pub use repeat::Repeats;
pub use retries::Retries;
pub use seen::{SeenRecords, Visibility};

//! Trackers of a review session: records seen, edits to repeat, requested answers, double clicks,
//! pace.

mod clicks;
mod pace;
mod repeat;
mod retries;
mod seen;

pub use clicks::Clicks;
pub use pace::{Pace, Tally, Work};
pub use repeat::Repeats;
pub use retries::Retries;
pub use seen::{Part, SeenRecords};

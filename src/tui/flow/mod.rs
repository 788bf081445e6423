//! What keeps an operator going: what was on screen, edits done again, answers that were asked for,
//! the pace of a session.

mod asked;
mod clicks;
mod pace;
mod repeat;
mod sight;

pub use asked::Asked;
pub use clicks::Clicks;
pub use pace::{Effort, Pace, Tally};
pub use repeat::Repeats;
pub use sight::{Shown, Sight};

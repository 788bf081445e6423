//! What keeps an operator going: what was on screen, edits done again, the pace of a session.

mod pace;
mod repeat;
mod sight;

pub use pace::{Pace, Tally};
pub use repeat::Repeats;
pub use sight::{Shown, Sight};

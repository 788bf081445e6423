//! What the application asks of the world; the loop carries it out.

use super::picture::Wish;
use super::worker::Job;
use crate::engine::Command;

#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    Send(Command),
    Work(Job),
    /// The icons to show, all of them, first the one that matters most.
    Pictures(Vec<Wish>),
    /// Redraw everything.
    Redraw,
    Suspend,
    Quit,
}

//! What is judged, what can be said of it, and where that goes.

use crate::error::Result;
use crate::record::{AuditEstimate, Field, ImageLocation, Labels, VoteTally};

/// What is judged, in the order in which it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Deck {
    pub question: Question,
    pub cards: Vec<Card>,
    /// The cards that were judged before, in the order of time.
    pub judged: Vec<(usize, Choice)>,
    /// What it is about, for the header.
    pub about: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Is the text right? Where it is not, in which field?
    IsRight,
    /// Which of two texts is better?
    WhichIsBetter,
}

/// One icon with the text that is judged, or with two.
#[derive(Debug, Clone, PartialEq)]
pub struct Card {
    pub picture: Option<ImageLocation>,
    /// The name of the item.
    pub name: String,
    /// What the source says of the item besides.
    pub about: Option<String>,
    pub first: Labels,
    pub second: Option<Labels>,
}

impl Card {
    pub fn texts(&self) -> [Option<&Labels>; 2] {
        [Some(&self.first), self.second.as_ref()]
    }
}

/// The keys `1`, `2` and `0`, or the field that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// Right; the first text.
    One,
    /// The second text.
    Two,
    /// Unsure; neither text.
    Neither,
    /// Wrong in this field.
    Field(Field),
}

/// What all judgments come to.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Audit(Box<AuditEstimate>),
    Votes(VoteTally),
}

/// Where judgments go.
pub trait Ballot {
    /// Saves what was chosen for a card; `None` takes the newest choice of it back.
    fn cast(&mut self, card: usize, choice: Option<Choice>) -> Result<()>;

    /// What they come to by now; `None` where there are none.
    fn outcome(&self) -> Result<Option<Outcome>>;
}

//! What is judged, what can be said of it, and where that goes.

use crate::error::Result;
use crate::record::{
    AuditEstimate, Field, GroupId, ImageLocation, Item, Labels, SampledRecord, Verdict, VoteTally,
};

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

impl Deck {
    /// The sample of an audit; `picture` knows where the icon of an item is.
    pub fn audit(
        sample: &[SampledRecord],
        about: String,
        picture: impl Fn(&Item) -> Option<ImageLocation>,
    ) -> Self {
        let cards = sample.iter().map(|drawn| {
            let item = &drawn.item;
            let about = [&item.item_part, &item.item_description];
            let about: Vec<&str> = about.into_iter().flatten().map(String::as_str).collect();
            Card {
                group: drawn.group,
                picture: picture(item),
                name: item.item_name.clone(),
                about: (!about.is_empty()).then(|| about.join(" · ")),
                first: drawn.labels.clone(),
                second: None,
            }
        });
        let judged = sample.iter().enumerate();
        let judged = judged.filter_map(|(card, drawn)| {
            let (time, judgment) = drawn.judged?;
            Some((time, card, Choice::of(judgment.verdict)))
        });
        let mut judged: Vec<(usize, usize, Choice)> = judged.collect();
        judged.sort_unstable_by_key(|(time, ..)| *time);
        let judged = judged.into_iter().map(|(_, card, choice)| (card, choice));
        Self {
            question: Question::IsRight,
            cards: cards.collect(),
            judged: judged.collect(),
            about,
        }
    }
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
    /// Tells its picture from those of the others.
    pub group: GroupId,
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

impl Choice {
    fn of(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Right => Self::One,
            Verdict::Wrong(field) => Self::Field(field),
            Verdict::Unsure => Self::Neither,
        }
    }

    /// What the choice says of the record of an audit.
    pub fn verdict(self) -> Verdict {
        match self {
            Self::One => Verdict::Right,
            Self::Field(field) => Verdict::Wrong(field),
            Self::Neither | Self::Two => Verdict::Unsure,
        }
    }
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

impl<B: Ballot + ?Sized> Ballot for &mut B {
    fn cast(&mut self, card: usize, choice: Option<Choice>) -> Result<()> {
        (**self).cast(card, choice)
    }

    fn outcome(&self) -> Result<Option<Outcome>> {
        (**self).outcome()
    }
}

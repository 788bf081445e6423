//! The cards to judge, the possible judgments, and the trait that saves them.

use crate::error::Result;
use crate::record::{
    AuditEstimate, Field, GroupId, ImageLocation, Item, Labels, SampledRecord, Verdict, VoteTally,
};

/// The cards to judge, in the order shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Deck {
    pub question: Question,
    pub cards: Vec<Card>,
    /// Earlier judgments, oldest first.
    pub judged: Vec<(usize, Choice)>,
    /// Name of the audited or compared outdirs, for the header.
    pub about: String,
}

impl Deck {
    /// A deck for the sample of an audit; `picture` locates the icon of an item.
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
    /// Is the text right? If not, which field is wrong?
    IsRight,
    /// Which of two texts is better?
    WhichIsBetter,
}

/// An icon with the one or two texts to judge.
#[derive(Debug, Clone, PartialEq)]
pub struct Card {
    /// Identifies the picture of the card.
    pub group: GroupId,
    pub picture: Option<ImageLocation>,
    pub name: String,
    /// Part and description of the item from the source.
    pub about: Option<String>,
    pub first: Labels,
    pub second: Option<Labels>,
}

impl Card {
    pub fn texts(&self) -> [Option<&Labels>; 2] {
        [Some(&self.first), self.second.as_ref()]
    }
}

/// A judgment: key `1`, `2` or `0`, or the wrong field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    /// The text is right; the first text is better.
    One,
    /// The second text is better.
    Two,
    /// Unsure; neither text is better.
    Neither,
    /// The text is wrong in this field.
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

    /// The audit verdict that the choice stands for.
    pub fn verdict(self) -> Verdict {
        match self {
            Self::One => Verdict::Right,
            Self::Field(field) => Verdict::Wrong(field),
            Self::Neither | Self::Two => Verdict::Unsure,
        }
    }
}

/// Result of all judgments.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    Audit(Box<AuditEstimate>),
    Votes(VoteTally),
}

/// Saves judgments and computes their result.
pub trait Ballot {
    /// Saves the choice for a card; `None` takes back its newest choice.
    fn cast(&mut self, card: usize, choice: Option<Choice>) -> Result<()>;

    /// Result of the judgments so far; `None` without any.
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

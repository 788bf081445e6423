//! State of the judging screen: current card, choices, view options.

use super::deck::{Card, Choice, Deck, Outcome, Question};
use super::layout::{Contents, JudgingLayout, layout};
use crate::record::Field;
use crate::tui::notices::Notices;
use crate::tui::picture::{PictureKey, Pictures};
use crate::tui::theme::Theme;
use crate::tui::widgets::layout as widgets_layout;
use crate::wording::Words;
use ratatui::layout::{Rect, Size};

pub struct Judging {
    pub deck: Deck,
    pub words: Words,
    pub theme: Theme,
    pub size: Size,
    pub pictures: Pictures,
    pub notices: Notices,
    /// The choice for each card.
    pub choices: Vec<Option<Choice>>,
    /// The judged cards, oldest judgment first.
    pub history: Vec<usize>,
    /// Index of the card on screen; `None` once all are judged.
    pub current: Option<usize>,
    /// Whether the operator is picking the wrong field.
    pub picking_field: bool,
    pub zoomed: bool,
    /// First visible line of the texts.
    pub top: usize,
    /// Result of the judgments, once all are there.
    pub outcome: Option<Outcome>,
}

impl Judging {
    pub fn new(size: Size, theme: Theme, words: Words, pictures: Pictures, deck: Deck) -> Self {
        let mut choices = vec![None; deck.cards.len()];
        for (card, choice) in &deck.judged {
            choices[*card] = Some(*choice);
        }
        Self {
            choices,
            history: deck.judged.iter().map(|(card, _)| *card).collect(),
            deck,
            words,
            theme,
            size,
            pictures,
            notices: Notices::default(),
            current: None,
            picking_field: false,
            zoomed: false,
            top: 0,
            outcome: None,
        }
    }

    pub fn card(&self) -> Option<&Card> {
        self.deck.cards.get(self.current?)
    }

    /// Number of judged cards.
    pub fn judged(&self) -> usize {
        self.choices.iter().flatten().count()
    }

    pub fn can_go_back(&self) -> bool {
        !self.history.is_empty()
    }

    pub fn is_too_small(&self) -> bool {
        let (width, height) = widgets_layout::MIN_SIZE;
        self.size.width < width || self.size.height < height
    }

    pub fn layout(&self) -> JudgingLayout {
        let contents = Contents {
            two_texts: self.deck.question == Question::WhichIsBetter,
            pictures: !self.pictures.are_off(),
            zoomed: self.zoomed,
        };
        layout(Rect::from(self.size), contents)
    }

    /// The fields shown of a card, in the order of their digits.
    pub fn fields(card: &Card) -> Vec<Field> {
        let has_any = |field: &Field| {
            let mut texts = card.texts().into_iter().flatten();
            *field != Field::LabelEn || texts.any(|text| !text.values(*field).is_empty())
        };
        let fields = Field::ALL.iter().copied();
        fields.filter(has_any).collect()
    }

    pub fn picture_key(&self, card: usize) -> PictureKey {
        let group = self.deck.cards[card].group;
        self.pictures.plain_key(group, self.layout().icon())
    }

    /// The icon of the shown card.
    pub fn shown_picture(&self) -> Option<PictureKey> {
        Some(self.picture_key(self.current?))
    }

    /// Whether the card can be drawn with its picture, if it has one to show.
    pub fn is_complete(&self) -> bool {
        let has_picture = self.card().is_some_and(|card| card.picture.is_some());
        let loaded = self.shown_picture().and_then(|key| self.pictures.get(&key));
        self.current.is_some() && (!has_picture || self.pictures.are_off() || loaded.is_some())
    }
}

//! What the screen shows now: which card, what was chosen, how it is looked at.

use super::deck::{Card, Choice, Deck, Outcome, Question};
use super::layout::{JudgingLayout, Shown, layout};
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
    /// What was chosen for each card.
    pub chosen: Vec<Option<Choice>>,
    /// The cards that were judged, in the order of time.
    pub history: Vec<usize>,
    /// The card that is shown; `None` where all are judged.
    pub at: Option<usize>,
    /// The field that is wrong is being asked for.
    pub asks_field: bool,
    pub zoomed: bool,
    /// The first line of the texts on screen.
    pub top: usize,
    /// What the judgments come to, once all are there.
    pub outcome: Option<Outcome>,
}

impl Judging {
    pub fn new(size: Size, theme: Theme, words: Words, pictures: Pictures, deck: Deck) -> Self {
        let mut chosen = vec![None; deck.cards.len()];
        for (card, choice) in &deck.judged {
            chosen[*card] = Some(*choice);
        }
        Self {
            chosen,
            history: deck.judged.iter().map(|(card, _)| *card).collect(),
            deck,
            words,
            theme,
            size,
            pictures,
            notices: Notices::default(),
            at: None,
            asks_field: false,
            zoomed: false,
            top: 0,
            outcome: None,
        }
    }

    pub fn card(&self) -> Option<&Card> {
        self.deck.cards.get(self.at?)
    }

    /// How many cards are judged.
    pub fn judged(&self) -> usize {
        self.chosen.iter().flatten().count()
    }

    pub fn can_go_back(&self) -> bool {
        !self.history.is_empty()
    }

    pub fn is_too_small(&self) -> bool {
        let (width, height) = widgets_layout::MIN_SIZE;
        self.size.width < width || self.size.height < height
    }

    pub fn layout(&self) -> JudgingLayout {
        let shown = Shown {
            two_texts: self.deck.question == Question::WhichIsBetter,
            pictures: !self.pictures.are_off(),
            zoomed: self.zoomed,
        };
        layout(Rect::from(self.size), shown)
    }

    /// The fields that are shown of a card, in the order of their digits.
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
        Some(self.picture_key(self.at?))
    }

    /// Whether all of the card that can be shown is there to be drawn.
    pub fn is_complete(&self) -> bool {
        let has_picture = self.card().is_some_and(|card| card.picture.is_some());
        let loaded = self.shown_picture().and_then(|key| self.pictures.get(&key));
        self.at.is_some() && (!has_picture || self.pictures.are_off() || loaded.is_some())
    }
}

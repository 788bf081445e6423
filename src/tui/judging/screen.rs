//! The state of the screen: which card is shown, what was chosen, what keys and clicks do.

use super::draw;
use super::layout::{JudgingLayout, Shown, layout};
use super::{Ballot, Card, Choice, Deck, Outcome, Question};
use crate::record::Field;
use crate::settings::PictureChoice;
use crate::text::for_screen;
use crate::tui::keymap::Key;
use crate::tui::message::{Effect, Message};
use crate::tui::notices::Notices;
use crate::tui::picture::{PictureKey, PictureRequest, Pictures};
use crate::tui::terminal::Application;
use crate::tui::theme::Theme;
use crate::tui::widgets::layout as widgets_layout;
use crate::tui::widgets::press_at;
use crate::wording::Words;
use crossterm::event::{
    KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect, Size};

/// Cards whose icons are loaded ahead.
const AHEAD: usize = 3;

pub struct JudgingScreen<'a> {
    pub(super) deck: Deck,
    ballot: &'a mut dyn Ballot,
    pub(super) words: Words,
    pub(super) theme: Theme,
    size: Size,
    pub(super) pictures: Pictures,
    pub(super) notices: Notices,
    /// What was chosen for each card.
    chosen: Vec<Option<Choice>>,
    /// The cards that were judged, in the order of time.
    history: Vec<usize>,
    /// The card that is shown; `None` where all are judged.
    at: Option<usize>,
    /// The field that is wrong is being asked for.
    pub(super) asks_field: bool,
    zoomed: bool,
    /// The first line of the texts on screen.
    pub(super) top: usize,
    frames: u64,
    /// The frame with which all of the card was on the screen: no key from before judges it.
    seen: Option<u64>,
    /// What the judgments come to, once all are there.
    pub(super) outcome: Option<Outcome>,
    effects: Vec<Effect>,
}

impl<'a> JudgingScreen<'a> {
    pub fn new(
        size: Size,
        theme: Theme,
        words: Words,
        pictures: PictureChoice,
        deck: Deck,
        ballot: &'a mut dyn Ballot,
    ) -> Self {
        let mut shown = Pictures::default();
        if pictures == PictureChoice::None {
            shown.turn_off();
        }
        let mut chosen = vec![None; deck.cards.len()];
        for (card, choice) in &deck.judged {
            chosen[*card] = Some(*choice);
        }
        let history = deck.judged.iter().map(|(card, _)| *card).collect();
        let mut screen = Self {
            deck,
            ballot,
            words,
            theme,
            size,
            pictures: shown,
            notices: Notices::default(),
            chosen,
            history,
            at: None,
            asks_field: false,
            zoomed: false,
            top: 0,
            frames: 0,
            seen: None,
            outcome: None,
            effects: Vec::new(),
        };
        screen.go_on();
        screen
    }

    pub(super) fn card(&self) -> Option<&Card> {
        self.deck.cards.get(self.at?)
    }

    /// How many cards are judged.
    pub(super) fn judged(&self) -> usize {
        self.chosen.iter().flatten().count()
    }

    pub(super) fn can_go_back(&self) -> bool {
        !self.history.is_empty()
    }

    pub(super) fn is_zoomed(&self) -> bool {
        self.zoomed
    }

    pub(super) fn is_too_small(&self) -> bool {
        let (width, height) = widgets_layout::LEAST;
        self.size.width < width || self.size.height < height
    }

    pub(super) fn layout(&self) -> JudgingLayout {
        let shown = Shown {
            two_texts: self.deck.question == Question::WhichIsBetter,
            pictures: !self.pictures.are_off(),
            zoomed: self.zoomed,
        };
        layout(Rect::from(self.size), shown)
    }

    /// The fields that are shown of a card, in the order of their digits.
    pub(super) fn fields(card: &Card) -> Vec<Field> {
        let has_any = |field: &Field| {
            let mut texts = card.texts().into_iter().flatten();
            *field != Field::LabelEn || texts.any(|text| !text.values(*field).is_empty())
        };
        let fields = Field::ALL.iter().copied();
        fields.filter(has_any).collect()
    }

    pub(super) fn picture_key(&self, card: usize) -> PictureKey {
        self.pictures.plain_key(card, self.layout().icon())
    }

    /// The icon of the shown card.
    pub(super) fn shown_picture(&self) -> Option<PictureKey> {
        Some(self.picture_key(self.at?))
    }

    /// Goes to the next card that is not judged, or to the end.
    fn go_on(&mut self) {
        let next = self.chosen.iter().position(Option::is_none);
        self.show(next);
    }

    fn show(&mut self, card: Option<usize>) {
        self.at = card;
        self.asks_field = false;
        self.top = 0;
        self.seen = None;
        self.outcome = None;
        if card.is_none() {
            match self.ballot.outcome() {
                Ok(outcome) => self.outcome = outcome,
                Err(error) => self.notices.warn(self.words.cause(&error)),
            }
        }
    }

    fn choose(&mut self, choice: Choice, frames: u64) {
        let Some(card) = self.at else { return };
        if self.seen.is_none_or(|seen| frames < seen) {
            return self.notices.notify(self.words.not_seen_yet());
        }
        match self.ballot.cast(card, Some(choice)) {
            Ok(()) => {
                self.chosen[card] = Some(choice);
                self.history.push(card);
                self.notices.dismiss();
                self.go_on();
            }
            Err(error) => self.not_saved(&error),
        }
    }

    /// Takes the newest judgment back, and shows its card.
    fn go_back(&mut self) {
        let Some(&card) = self.history.last() else {
            return self.notices.notify(self.words.nothing_to_take_back());
        };
        match self.ballot.cast(card, None) {
            Ok(()) => {
                self.history.pop();
                self.chosen[card] = None;
                self.notices.notify(self.words.taken_back());
                self.show(Some(card));
            }
            Err(error) => self.not_saved(&error),
        }
    }

    fn not_saved(&mut self, error: &crate::error::Error) {
        let cause = self.words.cause(error);
        self.notices.warn(self.words.judgment_not_saved(cause));
    }

    fn key(&mut self, event: &KeyEvent, frames: u64) {
        for key in Key::from_event(event) {
            self.one_key(key, frames);
        }
    }

    fn one_key(&mut self, key: Key, frames: u64) {
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if control => self.effects.push(Effect::Quit),
            KeyCode::Char('z') if control => self.effects.push(Effect::Suspend),
            KeyCode::Char('l') if control => self.effects.push(Effect::Redraw),
            _ if !key.modifiers.is_empty() => {}
            KeyCode::Char('q') => self.effects.push(Effect::Quit),
            _ if self.is_too_small() => {}
            KeyCode::Esc if self.asks_field => self.asks_field = false,
            KeyCode::Esc => self.zoomed = false,
            KeyCode::Backspace | KeyCode::Char('u') if self.asks_field => self.asks_field = false,
            KeyCode::Backspace | KeyCode::Char('u') => self.go_back(),
            KeyCode::Enter if self.at.is_none() => self.effects.push(Effect::Quit),
            KeyCode::Char('z') if self.at.is_some() => self.zoomed = !self.zoomed,
            KeyCode::Char('b') if self.at.is_some() => {
                self.pictures.next_backdrop();
            }
            KeyCode::Down | KeyCode::Char('j') => self.scroll(1),
            KeyCode::Up | KeyCode::Char('k') => self.scroll(-1),
            KeyCode::Char(digit) => {
                if let Some(digit) = digit.to_digit(10) {
                    self.digit(digit as usize, frames);
                }
            }
            _ => {}
        }
    }

    fn scroll(&mut self, lines: isize) {
        let most = draw::most_scroll(self);
        self.top = self.top.saturating_add_signed(lines).min(most);
    }

    fn digit(&mut self, digit: usize, frames: u64) {
        if self.asks_field {
            let fields = self.card().map(Self::fields).unwrap_or_default();
            if let Some(field) = digit.checked_sub(1).and_then(|at| fields.get(at)) {
                self.choose(Choice::Field(*field), frames);
            }
            return;
        }
        match (digit, self.deck.question) {
            (1, _) => self.choose(Choice::One, frames),
            (2, Question::WhichIsBetter) => self.choose(Choice::Two, frames),
            (2, Question::IsRight) if self.at.is_some() => {
                // Where the fields are to be seen.
                self.zoomed = false;
                self.asks_field = true;
            }
            (0, _) => self.choose(Choice::Neither, frames),
            _ => {}
        }
    }

    fn mouse(&mut self, mouse: &MouseEvent, frames: u64) {
        match mouse.kind {
            _ if self.is_too_small() => return,
            MouseEventKind::Down(MouseButton::Left) => {}
            MouseEventKind::ScrollDown => return self.scroll(1),
            MouseEventKind::ScrollUp => return self.scroll(-1),
            _ => return,
        }
        let at = Position::new(mouse.column, mouse.row);
        let placed = self.layout();
        if placed.frame.hints.contains(at) {
            let pieces = draw::hint_pieces(self, placed.frame.hints);
            if let Some(key) = press_at(&pieces, at.x) {
                self.one_key(key, frames);
            }
            return;
        }
        if self.at.is_none() {
            return;
        }
        if placed.picture.contains(at) {
            self.zoomed = !self.zoomed;
        } else if self.asks_field {
            if let Some(field) = draw::field_at(self, &placed, at) {
                self.choose(Choice::Field(field), frames);
            }
        } else if self.deck.question == Question::WhichIsBetter {
            let choices = [Choice::One, Choice::Two].into_iter();
            let pressed = choices
                .zip(placed.texts)
                .find(|(_, pane)| pane.contains(at));
            if let Some((choice, _)) = pressed {
                self.choose(choice, frames);
            }
        }
    }

    /// Whether all of the card that can be shown is there to be drawn.
    fn is_complete(&self) -> bool {
        let has_picture = self.card().is_some_and(|card| card.picture.is_some());
        let loaded = self.shown_picture().and_then(|key| self.pictures.get(&key));
        self.at.is_some() && (!has_picture || self.pictures.are_off() || loaded.is_some())
    }
}

impl Application for JudgingScreen<'_> {
    fn size(&self) -> Size {
        self.size
    }

    fn update(&mut self, message: Message) -> Vec<Effect> {
        match message {
            Message::Key(key, frames) if key.kind != KeyEventKind::Release => {
                self.key(&key, frames);
            }
            Message::Mouse(mouse, frames) => self.mouse(&mouse, frames),
            Message::Resize(size) => {
                self.size = size;
                self.top = 0;
                self.pictures.clear();
            }
            Message::Picture(picture) => self.pictures.insert(picture),
            Message::Pixels(fine) => self.pictures.set_fine(fine),
            Message::Ground(ground) => self.theme.ground = ground,
            Message::Resumed => self.effects.push(Effect::Redraw),
            Message::Terminate => self.effects.push(Effect::Quit),
            Message::Key(..)
            | Message::Paste(_)
            | Message::Engine(_)
            | Message::Progress(_)
            | Message::TaskDone(_) => {}
        }
        std::mem::take(&mut self.effects)
    }

    fn prepare_frame(&mut self) -> Vec<Effect> {
        let Some(at) = self.at else {
            return std::mem::take(&mut self.effects);
        };
        let left = (0..self.deck.cards.len()).filter(|card| self.chosen[*card].is_none());
        let ahead = left.filter(|card| *card != at).take(AHEAD);
        let request = |card: usize| {
            Some(PictureRequest {
                file: self.deck.cards[card].picture.clone()?,
                key: self.picture_key(card),
            })
        };
        let wanted = std::iter::once(at).chain(ahead).filter_map(request);
        let wanted: Vec<PictureRequest> = wanted.collect();
        if !self.is_too_small()
            && let Some(missing) = self.pictures.missing(wanted)
        {
            self.effects.push(Effect::Pictures(missing));
        }
        std::mem::take(&mut self.effects)
    }

    fn draw(&self, area: Rect, buf: &mut Buffer) {
        draw::draw(self, area, buf);
    }

    fn frames(&self) -> u64 {
        self.frames
    }

    fn drawn(&mut self) {
        self.frames += 1;
        if !self.is_too_small() && self.is_complete() {
            self.seen.get_or_insert(self.frames);
        }
    }

    fn title(&self) -> String {
        let left = self.deck.cards.len() - self.judged();
        let title = self.words.judging_window(left, &self.deck.about);
        for_screen(&title).into_owned()
    }

    fn cursor(&self) -> Option<Position> {
        let text = self.layout().text(0);
        (!self.is_too_small()).then(|| text.as_position())
    }

    fn has_ended(&self) -> bool {
        false
    }
}

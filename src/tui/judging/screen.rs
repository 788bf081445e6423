//! Input of the judging screen: keys, clicks, and the check that a card was seen before its
//! judgment.

use super::deck::{Ballot, Choice, Deck, Outcome, Question};
use super::draw;
use super::state::Judging;
use crate::text::for_screen;
use crate::tui::keymap::Key;
use crate::tui::message::{Effect, Message};
use crate::tui::options::PictureChoice;
use crate::tui::picture::{PictureRequest, Pictures};
use crate::tui::terminal::Application;
use crate::tui::theme::Theme;
use crate::tui::widgets::press_at;
use crate::wording::Words;
use crossterm::event::{
    KeyCode, KeyEvent, KeyEventKind, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect, Size};

/// Number of cards whose icons are loaded ahead.
const AHEAD: usize = 3;

pub struct JudgingScreen<B> {
    state: Judging,
    ballot: B,
    frames: u64,
    /// First frame that showed the complete card; keys read before it do not judge the card.
    seen_at: Option<u64>,
    effects: Vec<Effect>,
}

impl<B: Ballot> JudgingScreen<B> {
    pub fn new(
        size: Size,
        theme: Theme,
        words: Words,
        pictures: PictureChoice,
        deck: Deck,
        ballot: B,
    ) -> Self {
        let mut shown = Pictures::default();
        if pictures == PictureChoice::None {
            shown.turn_off();
        }
        let mut screen = Self {
            state: Judging::new(size, theme, words, shown, deck),
            ballot,
            frames: 0,
            seen_at: None,
            effects: Vec::new(),
        };
        screen.show_next();
        screen
    }

    /// Continues a frame count.
    pub fn with_frames(mut self, frames: u64) -> Self {
        self.frames = frames;
        self
    }

    pub fn ballot(&mut self) -> &mut B {
        &mut self.ballot
    }

    /// Whether all cards are judged.
    pub fn is_at_end(&self) -> bool {
        self.state.current.is_none()
    }

    /// Sets the result of the judgments, for a ballot that computes it later.
    pub fn set_outcome(&mut self, outcome: Option<Outcome>) {
        self.state.outcome = outcome;
    }

    /// Shows the next card to judge, or the end.
    fn show_next(&mut self) {
        let next = self.state.choices.iter().position(Option::is_none);
        self.show(next);
    }

    fn show(&mut self, card: Option<usize>) {
        self.state.current = card;
        self.state.picking_field = false;
        self.state.top = 0;
        self.seen_at = None;
        self.state.outcome = None;
        if card.is_none() {
            match self.ballot.outcome() {
                Ok(outcome) => self.state.outcome = outcome,
                Err(error) => self.state.notices.warn(self.state.words.cause(&error)),
            }
        }
    }

    fn choose(&mut self, choice: Choice, frames: u64) {
        let Some(card) = self.state.current else {
            return;
        };
        if self.seen_at.is_none_or(|seen| frames < seen) {
            return self.state.notices.notify(self.state.words.not_seen_yet());
        }
        match self.ballot.cast(card, Some(choice)) {
            Ok(()) => {
                self.state.choices[card] = Some(choice);
                self.state.history.push(card);
                self.state.notices.dismiss();
                self.show_next();
            }
            Err(error) => self.not_saved(&error),
        }
    }

    /// Takes back the newest judgment and shows its card.
    fn go_back(&mut self) {
        let Some(&card) = self.state.history.last() else {
            return self
                .state
                .notices
                .notify(self.state.words.nothing_to_take_back());
        };
        match self.ballot.cast(card, None) {
            Ok(()) => {
                self.state.history.pop();
                self.state.choices[card] = None;
                self.state.notices.notify(self.state.words.taken_back());
                self.show(Some(card));
            }
            Err(error) => self.not_saved(&error),
        }
    }

    fn not_saved(&mut self, error: &crate::error::Error) {
        let cause = self.state.words.cause(error);
        self.state
            .notices
            .warn(self.state.words.judgment_not_saved(cause));
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
            _ if self.state.is_too_small() => {}
            KeyCode::Esc if self.state.picking_field => self.state.picking_field = false,
            KeyCode::Esc if self.state.zoomed => self.state.zoomed = false,
            KeyCode::Esc => self.effects.push(Effect::Quit),
            KeyCode::Backspace | KeyCode::Char('u') if self.state.picking_field => {
                self.state.picking_field = false
            }
            KeyCode::Backspace | KeyCode::Char('u') => self.go_back(),
            KeyCode::Enter if self.state.current.is_none() => self.effects.push(Effect::Quit),
            KeyCode::Char('z') if self.state.current.is_some() => {
                self.state.zoomed = !self.state.zoomed
            }
            KeyCode::Char('b') if self.state.current.is_some() => {
                self.state.pictures.next_backdrop();
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
        let max = draw::max_scroll(&self.state);
        self.state.top = self.state.top.saturating_add_signed(lines).min(max);
    }

    fn digit(&mut self, digit: usize, frames: u64) {
        if self.state.picking_field {
            let fields = self.state.card().map(Judging::fields).unwrap_or_default();
            if let Some(field) = digit.checked_sub(1).and_then(|at| fields.get(at)) {
                self.choose(Choice::Field(*field), frames);
            }
            return;
        }
        match (digit, self.state.deck.question) {
            (1, _) => self.choose(Choice::One, frames),
            (2, Question::WhichIsBetter) => self.choose(Choice::Two, frames),
            (2, Question::IsRight) if self.state.current.is_some() => {
                // The zoomed icon would hide the fields.
                self.state.zoomed = false;
                self.state.picking_field = true;
            }
            (0, _) => self.choose(Choice::Neither, frames),
            _ => {}
        }
    }

    fn mouse(&mut self, mouse: &MouseEvent, frames: u64) {
        match mouse.kind {
            _ if self.state.is_too_small() => return,
            MouseEventKind::Down(MouseButton::Left) => {}
            MouseEventKind::ScrollDown => return self.scroll(1),
            MouseEventKind::ScrollUp => return self.scroll(-1),
            _ => return,
        }
        let at = Position::new(mouse.column, mouse.row);
        let placed = self.state.layout();
        if placed.frame.hints.contains(at) {
            let pieces = draw::hint_pieces(&self.state, placed.frame.hints);
            if let Some(key) = press_at(&pieces, at.x) {
                self.one_key(key, frames);
            }
            return;
        }
        if self.state.current.is_none() {
            return;
        }
        if placed.picture.contains(at) {
            self.state.zoomed = !self.state.zoomed;
        } else if self.state.picking_field {
            if let Some(field) = draw::field_at(&self.state, &placed, at) {
                self.choose(Choice::Field(field), frames);
            }
        } else if self.state.deck.question == Question::WhichIsBetter {
            let choices = [Choice::One, Choice::Two].into_iter();
            let pressed = choices
                .zip(placed.texts)
                .find(|(_, pane)| pane.contains(at));
            if let Some((choice, _)) = pressed {
                self.choose(choice, frames);
            }
        }
    }
}

impl<B: Ballot> Application for JudgingScreen<B> {
    fn size(&self) -> Size {
        self.state.size
    }

    fn update(&mut self, message: Message) -> Vec<Effect> {
        match message {
            Message::Key(key, frames) if key.kind != KeyEventKind::Release => {
                self.key(&key, frames);
            }
            Message::Mouse(mouse, frames) => self.mouse(&mouse, frames),
            Message::Resize(size) => {
                self.state.size = size;
                self.state.top = 0;
                self.state.pictures.clear();
            }
            Message::Picture(picture) => {
                self.state.pictures.insert(picture);
            }
            Message::Pixels(pixels) => self.state.pictures.set_draws_pixels(pixels),
            Message::Ground(ground) => self.state.theme.ground = ground,
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
        let Some(at) = self.state.current else {
            return std::mem::take(&mut self.effects);
        };
        let left =
            (0..self.state.deck.cards.len()).filter(|card| self.state.choices[*card].is_none());
        let ahead = left.filter(|card| *card != at).take(AHEAD);
        let request = |card: usize| {
            Some(PictureRequest {
                file: self.state.deck.cards[card].picture.clone()?,
                key: self.state.picture_key(card),
                labeled: None,
            })
        };
        let wanted = std::iter::once(at).chain(ahead).filter_map(request);
        let wanted: Vec<PictureRequest> = wanted.collect();
        if !self.state.is_too_small()
            && let Some(missing) = self.state.pictures.missing(wanted)
        {
            self.effects.push(Effect::Pictures(missing));
        }
        std::mem::take(&mut self.effects)
    }

    fn draw(&self, area: Rect, buf: &mut Buffer) {
        draw::draw(&self.state, area, buf);
    }

    fn frames(&self) -> u64 {
        self.frames
    }

    fn drawn(&mut self) -> bool {
        self.frames += 1;
        if !self.state.is_too_small() && self.state.is_complete() {
            self.seen_at.get_or_insert(self.frames);
        }
        false
    }

    fn title(&self) -> String {
        let left = self.state.deck.cards.len() - self.state.judged();
        let title = self
            .state
            .words
            .judging_window(left, &self.state.deck.about);
        for_screen(&title).into_owned()
    }

    fn cursor(&self) -> Option<Position> {
        let text = self.state.layout().text(0);
        (!self.state.is_too_small()).then(|| text.as_position())
    }

    fn has_ended(&self) -> bool {
        false
    }
}

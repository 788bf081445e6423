//! The interface between the terminal loop and what it runs: the workstation or a judging screen.

use crate::tui::message::{Effect, Message};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect, Size};

pub trait Application {
    fn size(&self) -> Size;

    /// Handles a message. Must be cheap; [`Application::prepare_frame`] follows once for many.
    fn update(&mut self, message: Message) -> Vec<Effect>;

    /// Requests what the next frame needs. Called after any number of messages, before a frame.
    fn prepare_frame(&mut self) -> Vec<Effect>;

    fn draw(&self, area: Rect, buf: &mut Buffer);

    /// How many frames have been drawn.
    fn frames(&self) -> u64;

    /// Called when the prepared frame is on the screen. Returns whether the next frame should follow
    /// at once, without waiting for a message.
    fn drawn(&mut self) -> bool;

    /// The title of the window.
    fn title(&self) -> String;

    /// The position of the terminal's cursor.
    fn cursor(&self) -> Option<Position>;

    /// Whether the engine has ended, if there is one.
    fn has_ended(&self) -> bool;
}

//! What the loop runs: the workstation, or a screen of its own.

use crate::tui::message::{Effect, Message};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect, Size};

pub trait Application {
    fn size(&self) -> Size;

    /// Takes a message. Cheap: [`Application::prepare_frame`] follows once for many.
    fn update(&mut self, message: Message) -> Vec<Effect>;

    /// After any number of messages, before a frame: asks for what the frame will need.
    fn prepare_frame(&mut self) -> Vec<Effect>;

    fn draw(&self, area: Rect, buf: &mut Buffer);

    /// How many frames have been on the screen.
    fn frames(&self) -> u64;

    /// The frame that was prepared is on the screen.
    fn drawn(&mut self);

    /// What the window is called.
    fn title(&self) -> String;

    /// Where the terminal's own cursor belongs.
    fn cursor(&self) -> Option<Position>;

    /// Whether an engine behind it has ended.
    fn has_ended(&self) -> bool;
}

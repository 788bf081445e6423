//! What the loop runs: the workstation, or a screen of its own.

use crate::tui::app::App;
use crate::tui::message::{Effect, Message};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect, Size};
use ratatui::widgets::Widget as _;

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

impl Application for App {
    fn size(&self) -> Size {
        self.size()
    }

    fn update(&mut self, message: Message) -> Vec<Effect> {
        self.update(message)
    }

    fn prepare_frame(&mut self) -> Vec<Effect> {
        self.prepare_frame()
    }

    fn draw(&self, area: Rect, buf: &mut Buffer) {
        self.render(area, buf);
    }

    fn frames(&self) -> u64 {
        self.session().sight.frames()
    }

    fn drawn(&mut self) {
        self.drawn();
    }

    fn title(&self) -> String {
        self.title()
    }

    fn cursor(&self) -> Option<Position> {
        self.cursor()
    }

    fn has_ended(&self) -> bool {
        self.has_ended()
    }
}

//! What reaches the application, and what it asks of the loop in return.

use super::picture::{LoadedPicture, PictureRequest};
use super::records::{Task, TaskResult};
use super::theme::Ground;
use crate::engine::{Command, Event, Progress};
use crossterm::event::{KeyEvent, MouseEvent};
use ratatui::layout::Size;

pub enum Message {
    /// A key, and how many frames had been drawn when it was read.
    Key(KeyEvent, u64),
    /// The same for the mouse.
    Mouse(MouseEvent, u64),
    Paste(String),
    Resize(Size),
    Engine(Event),
    /// The latest state of the run.
    Progress(Box<Progress>),
    TaskDone(TaskResult),
    Picture(LoadedPicture),
    /// Whether the terminal shows real pixels; known once it has replied.
    Pixels(bool),
    /// What the terminal reports to be behind its text.
    Ground(Ground),
    /// The process was stopped and continues.
    Resumed,
    /// A signal asks for the end (SIGTERM, SIGHUP).
    Terminate,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    Send(Command),
    Work(Task),
    /// All icons to show, the most important one first.
    Pictures(Vec<PictureRequest>),
    /// A long job has ended: call the operator.
    Ring,
    /// Redraw everything.
    Redraw,
    Suspend,
    Quit,
}

//! Messages that the application receives, and the effects that it requests from the loop.

use super::picture::{LoadedPicture, PictureRequest};
use super::records::{Task, TaskResult};
use super::theme::Ground;
use crate::engine::{Command, Event, Progress};
use crossterm::event::{KeyEvent, MouseEvent};
use ratatui::layout::Size;

pub enum Message {
    /// A key, with the number of frames drawn when it was read.
    Key(KeyEvent, u64),
    /// A mouse event, with the same number.
    Mouse(MouseEvent, u64),
    Paste(String),
    Resize(Size),
    Engine(Event),
    /// The latest progress of the run.
    Progress(Box<Progress>),
    TaskDone(TaskResult),
    Picture(LoadedPicture),
    /// Whether the terminal draws real pixels; sent once it has replied.
    Pixels(bool),
    /// The background that the terminal reports: dark or light.
    Ground(Ground),
    /// The process continues after a stop.
    Resumed,
    /// A signal asks the program to end (SIGTERM, SIGHUP).
    Terminate,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    Send(Command),
    Work(Task),
    /// All icons to load, the most important one first.
    Pictures(Vec<PictureRequest>),
    /// Rings the bell with this notification: a long job has ended.
    Ring(String),
    /// Redraws every cell.
    Redraw,
    Suspend,
    Quit,
}

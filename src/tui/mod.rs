//! The workstation: terminal front end of the engine for review, decisions and edits.

pub mod app;
mod bars;
pub mod dialogs;
mod engine_status;
mod events;
mod flow;
mod handlers;
mod input_history;
pub mod judging;
pub mod keymap;
pub mod message;
mod notices;
mod options;
pub mod picture;
mod prepared;
mod records;
pub mod screens;
pub mod session;
mod terminal;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod theme;
mod widgets;
mod workstation;

pub use keymap::Keymap;
pub use options::{LookOptions, PictureChoice};
pub use prepared::KeysAndColors;
pub use session::Settings;
pub use terminal::{Decoder, Exit, Input, Replies};
pub use theme::BUILT_IN_THEMES;
pub use workstation::run;

use crate::error::Result;

/// Loads the key bindings and the colors. Fails where there is no terminal.
pub fn prepare(keymap: Option<&str>, theme: Option<&str>) -> Result<KeysAndColors> {
    let prepared = KeysAndColors::load(keymap, theme)?;
    terminal::check("the workstation", "use --batch to label unattended")?;
    Ok(prepared)
}

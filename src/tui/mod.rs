//! The workstation: what an operator looks at, decides and edits, on top of the engine.

pub mod app;
mod bars;
pub mod dialogs;
mod engine_status;
mod flow;
mod handlers;
mod history;
pub mod keymap;
pub mod message;
mod notices;
pub mod picture;
mod records;
pub mod screens;
pub mod session;
mod step_words;
mod terminal;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod theme;
mod widgets;

pub use keymap::Keymap;
pub use session::Settings;
pub use terminal::{Exit, run};

use crate::error::Result;
use etcetera::BaseStrategy as _;

/// Loads the key bindings, and refuses to start where there is no terminal.
pub fn prepare(keymap: Option<&str>) -> Result<Keymap> {
    let user = etcetera::choose_base_strategy()
        .ok()
        .map(|base| base.config_dir().join("labeler-tui").join("keys.toml"));
    let keymap = Keymap::load(keymap, user.as_deref())?;
    terminal::check()?;
    Ok(keymap)
}

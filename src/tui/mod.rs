//! The workstation: what an operator looks at, decides and edits, on top of the engine.

pub mod action;
pub mod app;
mod ask;
pub mod bulk;
mod completion;
pub mod dialog;
pub mod effect;
pub mod filter;
pub mod groups;
mod input;
mod keyboard;
pub mod keymap;
pub mod layout;
mod leave;
mod mouse;
mod perform;
pub mod picture;
pub mod safe_text;
mod settle;
mod spot;
mod step_words;
mod submit;
mod terminal;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
pub mod text_edit;
pub mod theme;
pub mod translate;
mod trouble;
pub mod view;
pub mod worker;

pub use app::Settings;
pub use keymap::Keymap;
pub use terminal::{Exit, run};

use crate::error::Result;
use etcetera::BaseStrategy as _;

/// What can go wrong before the screen is taken: no terminal, a bad key file.
pub fn prepare(keymap: Option<&str>) -> Result<Keymap> {
    let user = etcetera::choose_base_strategy()
        .ok()
        .map(|base| base.config_dir().join("labeler-tui").join("keys.toml"));
    let keymap = Keymap::load(keymap, user.as_deref())?;
    terminal::check()?;
    Ok(keymap)
}

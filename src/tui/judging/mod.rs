//! Screen for judging icons one by one: whether a text is right, or which of two texts is better.
//! It shows nothing that could bias the judgment. Audits and blind comparisons use it with their
//! own cards and their own storage of judgments.

mod deck;
mod draw;
mod layout;
mod screen;
mod state;
#[cfg(test)]
mod tests;

pub use deck::{Ballot, Card, Choice, Deck, Outcome, Question};
pub(super) use screen::JudgingScreen;

use super::terminal::{self, Exit, run_alone, theme_of};
use super::theme::ThemeColors;
use crate::error::Result;
use crate::tui::options::LookOptions;
use crate::wording::Words;
use std::path::Path;

/// Loads the colors. Fails where there is no terminal.
pub fn prepare(look: &LookOptions) -> Result<ThemeColors> {
    let palette = ThemeColors::load(look.theme.as_deref())?;
    terminal::check("judging", "use --json to print the judgments so far")?;
    Ok(palette)
}

/// Shows the cards until all are judged or the operator quits.
pub fn judge(
    palette: ThemeColors,
    look: &LookOptions,
    deck: Deck,
    ballot: &mut dyn Ballot,
    log: Option<&Path>,
) -> Result<Exit> {
    let words = Words::new(look.language);
    let theme = theme_of(palette);
    let app = |size| JudgingScreen::new(size, theme, words, look.pictures, deck, ballot);
    run_alone(app, look.pictures, words, log)
}

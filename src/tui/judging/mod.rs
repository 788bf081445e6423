//! A screen on which a person judges one icon after another, and sees nothing that could sway the
//! judgment: is a text right, or which of two is better. Audits and blind comparisons are this
//! screen; what they judge and where judgments go is theirs.

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
use super::theme::Palette;
use crate::error::Result;
use crate::settings::LookOptions;
use crate::wording::Words;
use std::path::Path;

/// Reads the colors, and refuses to start where there is no terminal.
pub fn prepare(look: &LookOptions) -> Result<Palette> {
    let palette = Palette::load(look.theme.as_deref())?;
    terminal::check("judging", "use --json to print what was judged so far")?;
    Ok(palette)
}

/// Shows the cards until all are judged or the operator leaves.
pub fn judge(
    palette: Palette,
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

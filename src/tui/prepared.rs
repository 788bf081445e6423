//! Key bindings and colors of the workstation, read from files.

use super::keymap::Keymap;
use super::theme::Palette;
use crate::error::Result;
use etcetera::BaseStrategy as _;

pub struct Prepared {
    pub keymap: Keymap,
    pub palette: Palette,
}

impl Prepared {
    pub fn load(keymap: Option<&str>, theme: Option<&str>) -> Result<Self> {
        let user = etcetera::choose_base_strategy()
            .ok()
            .map(|base| base.config_dir().join("labeler-tui").join("keys.toml"));
        Ok(Self {
            keymap: Keymap::load(keymap, user.as_deref())?,
            palette: Palette::load(theme)?,
        })
    }
}

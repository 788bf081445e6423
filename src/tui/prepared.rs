//! Key bindings and colors of the workstation, read from files.

use super::keymap::Keymap;
use super::theme::ThemeColors;
use crate::error::Result;
use etcetera::BaseStrategy as _;

pub struct KeysAndColors {
    pub keymap: Keymap,
    pub palette: ThemeColors,
}

impl KeysAndColors {
    pub fn load(keymap: Option<&str>, theme: Option<&str>) -> Result<Self> {
        let user = etcetera::choose_base_strategy()
            .ok()
            .map(|base| base.config_dir().join("labeler-tui").join("keys.toml"));
        Ok(Self {
            keymap: Keymap::load(keymap, user.as_deref())?,
            palette: ThemeColors::load(theme)?,
        })
    }
}

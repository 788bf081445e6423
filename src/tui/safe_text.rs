//! Text for cells of the screen.

pub use crate::text::{
    count, fit, for_screen as clean, pad, plain_emoji, plural, width, wrap, wrap_offsets,
};

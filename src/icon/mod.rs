//! From a file's bytes to the numbers that the model, the rules and the screen need.

/// RGB pixels, 8 bits a channel, row by row; what the model sees before its own resize.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    pub width: u32,
    pub height: u32,
    /// `width * height * 3` bytes.
    pub rgb: Vec<u8>,
}

//! Prompt files to chat messages, and the grammar of the answer.

/// One chat turn: a system text, then one user turn with `images` pictures first and then `user`.
/// The texts are data: chat markers inside them are plain text to the tokenizer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chat {
    pub system: String,
    pub user: String,
    pub images: usize,
}

//! Parsing and checks shared by the configuration files of all architectures.

use super::files::CheckpointFiles;
use crate::error::{Error, ErrorKind, Result};
use serde::Deserialize;

/// `eos_token_id`: one token or a list.
#[derive(Debug, Clone, Deserialize)]
#[serde(
    untagged,
    expecting = "eos_token_id is neither a token nor a list of tokens"
)]
pub enum EndTokens {
    One(u32),
    Many(Vec<u32>),
}

impl EndTokens {
    pub fn list(self) -> Result<Vec<u32>> {
        match self {
            Self::One(id) => Ok(vec![id]),
            Self::Many(ids) if ids.is_empty() => Err(invalid("eos_token_id is an empty list")),
            Self::Many(ids) => Ok(ids),
        }
    }
}

/// Reads the end tokens of `generation_config.json`, which take precedence over `config.json`.
pub fn generation_end_tokens(files: &CheckpointFiles) -> Result<Option<EndTokens>> {
    #[derive(Deserialize)]
    struct GenerationFile {
        eos_token_id: Option<EndTokens>,
    }
    match &files.generation_config {
        Some(file) => Ok(file.json::<GenerationFile>()?.eos_token_id),
        None => Ok(None),
    }
}

/// Checks named sizes: each must be at least one and small enough that products of a few of them
/// cannot overflow.
pub fn check_sizes(sizes: &[(&str, usize)]) -> Result<()> {
    match sizes.iter().find(|(_, size)| *size == 0 || *size > 1 << 24) {
        Some((name, size)) => Err(invalid(format!("{name} is {size}"))),
        None => Ok(()),
    }
}

/// Checks that these tokens are in the model's vocabulary.
pub fn check_tokens<'a>(
    tokens: impl IntoIterator<Item = &'a u32>,
    vocab_size: usize,
) -> Result<()> {
    let outside = |id: &&u32| **id as usize >= vocab_size;
    match tokens.into_iter().find(outside) {
        Some(id) => Err(invalid(format!(
            "token {id} is outside the vocabulary of {vocab_size}"
        ))),
        None => Ok(()),
    }
}

/// An error about an invalid configuration; the caller adds the file name.
pub fn invalid(cause: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Model, cause)
}

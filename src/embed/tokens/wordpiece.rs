//! `vocab.txt`: the WordPiece vocabulary of BERT's tokenizer, one piece per line.

use super::config::TokenizerConfig;
use crate::error::{Context, Error, ErrorKind, Result};
use serde_json::json;
use std::collections::HashMap;
use tokenizers::Tokenizer;
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::bert::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::bert::BertProcessing;

const UNKNOWN: &str = "[UNK]";
const START: &str = "[CLS]";
const END: &str = "[SEP]";

/// Parses the file's bytes.
///
/// # Errors
/// If the bytes are not UTF-8 or a special token is missing.
pub fn read(bytes: &[u8], config: &TokenizerConfig) -> Result<Tokenizer> {
    let text = std::str::from_utf8(bytes).context(ErrorKind::Model, "it is not UTF-8")?;
    let lines = text.trim_end_matches('\n').split('\n');
    let pieces = lines.map(|line| line.trim_end_matches('\r').to_owned());
    let pieces: HashMap<String, u32> = pieces.zip(0..).collect();
    let special = |token: &str| match pieces.get(token) {
        Some(id) => Ok((token.to_owned(), *id)),
        None => Err(Error::new(ErrorKind::Model, format!("it has no {token}"))),
    };
    let processor = BertProcessing::new(special(END)?, special(START)?);
    special(UNKNOWN)?;
    let model = json!({
        "type": "WordPiece",
        "unk_token": UNKNOWN,
        "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100,
        "vocab": pieces,
    });
    let model: WordPiece =
        serde_json::from_str(&model.to_string()).context(ErrorKind::Model, "invalid pieces")?;
    let mut tokenizer = Tokenizer::new(model);
    let normalizer = BertNormalizer::new(
        true,
        config.tokenize_chinese_chars.unwrap_or(true),
        config.strip_accents,
        config.do_lower_case.unwrap_or(true),
    );
    tokenizer
        .with_normalizer(Some(normalizer))
        .context(ErrorKind::Model, "invalid normalizer")?
        .with_pre_tokenizer(Some(BertPreTokenizer))
        .with_post_processor(Some(processor));
    Ok(tokenizer)
}

//! Qwen2-VL's tokenizer and chat markup.

use super::config::Config;
use crate::error::{Error, ErrorKind, Result};
use crate::prompt::Chat;
use crate::vlm::checkpoint::files::CheckpointFiles;
use crate::vlm::checkpoint::tokenizer::{ChatTokens, Tokenizer, TokenizerSpec};

const TURN_START: &str = "<|im_start|>";
const TURN_END: &str = "<|im_end|>";

/// Where a text is cut before byte pairs are merged.
const SPLIT: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// The special tokens in the order of their ids, for checkpoints whose files do not list them.
const SPECIAL: [&str; 14] = [
    "<|endoftext|>",
    TURN_START,
    TURN_END,
    "<|object_ref_start|>",
    "<|object_ref_end|>",
    "<|box_start|>",
    "<|box_end|>",
    "<|quad_start|>",
    "<|quad_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
];

/// Loads the tokenizer and checks that it has the markers that a chat needs.
pub fn tokenizer(files: &CheckpointFiles, config: &Config) -> Result<Tokenizer> {
    let tokenizer = Tokenizer::load(
        files,
        &TokenizerSpec {
            vocab_size: config.text.vocab_size,
            end_tokens: &config.end_tokens,
            end_of_turn: TURN_END,
            markers: &config.markers(),
            split: SPLIT,
            special: &SPECIAL,
        },
    )?;
    tokenizer.special(TURN_START)?;
    Ok(tokenizer)
}

/// The tokens of a system turn and a user turn, pictures first, up to where the answer begins.
/// `image_tokens` holds the number of placeholders of each picture.
pub fn tokens(
    tokenizer: &Tokenizer,
    config: &Config,
    chat: &Chat,
    image_tokens: &[usize],
) -> Result<ChatTokens> {
    if chat.images != image_tokens.len() {
        return Err(Error::new(
            ErrorKind::Internal,
            format!(
                "a chat of {} pictures got {}",
                chat.images,
                image_tokens.len()
            ),
        ));
    }
    let (turn_start, turn_end) = (tokenizer.special(TURN_START)?, tokenizer.special(TURN_END)?);
    let newline = tokenizer.encode("\n")?;
    let mut ids = vec![turn_start];
    ids.extend(tokenizer.encode(&format!("system\n{}", chat.system))?);
    ids.push(turn_end);
    ids.extend(&newline);
    ids.push(turn_start);
    let head = tokenizer.encode("user\n")?;
    let shared_prefix_len;
    if image_tokens.is_empty() {
        let turn = tokenizer.encode(&format!("user\n{}", chat.user))?;
        let same = head.iter().zip(&turn).take_while(|(a, b)| a == b).count();
        shared_prefix_len = ids.len() + same;
        ids.extend(turn);
    } else {
        ids.extend(head);
        shared_prefix_len = ids.len();
        for count in image_tokens {
            ids.push(config.vision_start_token_id);
            ids.extend(std::iter::repeat_n(config.image_token_id, *count));
            ids.push(config.vision_end_token_id);
        }
        ids.extend(tokenizer.encode(&chat.user)?);
    }
    ids.push(turn_end);
    ids.extend(&newline);
    ids.push(turn_start);
    ids.extend(tokenizer.encode("assistant\n")?);
    Ok(ChatTokens {
        ids,
        shared_prefix_len,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn load(name: &str) -> (Tokenizer, Config, serde_json::Value) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/fixtures")
            .join(name);
        let files = CheckpointFiles::folder(&folder).unwrap();
        let config = Config::load(&files).unwrap();
        let cases = std::fs::read(folder.join("reference/cases.json")).unwrap();
        (
            tokenizer(&files, &config).unwrap(),
            config,
            serde_json::from_slice(&cases).unwrap(),
        )
    }

    #[test]
    fn chats_equal_the_tokens_of_the_reference() {
        for name in ["flat", "nested", "parts"] {
            let (tokenizer, config, cases) = load(name);
            for case in cases["cases"].as_array().unwrap() {
                let counts: Vec<usize> =
                    serde_json::from_value(case["image_tokens"].clone()).unwrap();
                let chat = Chat {
                    system: case["system"].as_str().unwrap().to_owned(),
                    user: case["user"].as_str().unwrap().to_owned(),
                    images: counts.len(),
                };
                let tokens = tokens(&tokenizer, &config, &chat, &counts).unwrap();
                let expected: Vec<u32> = serde_json::from_value(case["token_ids"].clone()).unwrap();
                assert_eq!(tokens.ids, expected, "{name} {}", case["name"]);
            }
        }
    }

    #[test]
    fn the_shared_prefix_does_not_depend_on_the_question() {
        let (tokenizer, config, _) = load("flat");
        let chat = |user: &str, images| Chat {
            system: "You label small icons.".into(),
            user: user.into(),
            images,
        };
        for images in [0, 1] {
            let counts = vec![4; images];
            let tokens = |user| tokens(&tokenizer, &config, &chat(user, images), &counts).unwrap();
            let (one, two) = (tokens("모자"), tokens("which?"));
            let shared = one.shared_prefix_len;
            assert_eq!(shared, two.shared_prefix_len);
            assert_eq!(one.ids[..shared], two.ids[..shared]);
            assert!(shared > 10);
        }
    }

    #[test]
    fn a_tokenizer_that_does_not_fit_the_model_is_refused() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/flat");
        let files = CheckpointFiles::folder(&folder).unwrap();
        let mut config = Config::load(&files).unwrap();
        config.image_token_id = 5;
        let error = tokenizer(&files, &config).unwrap_err();
        assert!(error.cause.contains("token 5"), "{}", error.cause);
        let mut config = Config::load(&files).unwrap();
        config.text.vocab_size = 300;
        assert!(tokenizer(&files, &config).is_err());
    }
}

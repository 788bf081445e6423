//! The tokenizer and the chat template.

use super::config::Config;
use super::family::Tower;
use crate::error::{Error, ErrorKind, Result};
use crate::record::Chat;
use crate::vlm::checkpoint::files::CheckpointFiles;
use crate::vlm::checkpoint::tokenizer::{ChatTokens, Tokenizer, TokenizerSpec};

const TURN_START: &str = "<|im_start|>";
const TURN_END: &str = "<|im_end|>";

/// Splits text before byte pairs are merged.
const SPLIT: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// Special tokens in the order of their ids, for checkpoints that do not list them.
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

/// Loads the tokenizer and checks that it has the special tokens of the chat template.
pub fn tokenizer<T: Tower>(files: &CheckpointFiles, config: &Config<T>) -> Result<Tokenizer> {
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

/// Tokenizes a system turn and a user turn, images first, up to where the answer begins.
/// `image_tokens` gives the number of placeholders of each image.
pub fn tokens<T: Tower>(
    tokenizer: &Tokenizer,
    config: &Config<T>,
    chat: &Chat,
    image_tokens: &[usize],
) -> Result<ChatTokens> {
    if chat.images != image_tokens.len() {
        return Err(Error::new(
            ErrorKind::Internal,
            format!(
                "a chat with {} images got {}",
                chat.images,
                image_tokens.len()
            ),
        ));
    }
    let (turn_start, turn_end) = (tokenizer.special(TURN_START)?, tokenizer.special(TURN_END)?);
    let newline = tokenizer.encode("\n")?;
    let mut ids = Vec::new();
    if let Some(system) = chat.system.as_deref().or(T::TEXT.system) {
        ids.push(turn_start);
        ids.extend(tokenizer.encode(&format!("system\n{system}"))?);
        ids.push(turn_end);
        ids.extend(&newline);
    }
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
    use crate::record::Chat;
    use crate::vlm::testing::{FIXTURES, cases, folder, open};

    #[test]
    fn chat_tokens_match_the_reference() {
        for name in FIXTURES {
            let (tokenizer, architecture) = open(&folder(name)).unwrap();
            for case in cases(name)["cases"].as_array().unwrap() {
                let counts: Vec<usize> =
                    serde_json::from_value(case["image_tokens"].clone()).unwrap();
                let chat = Chat {
                    system: Some(case["system"].as_str().unwrap().to_owned()),
                    user: case["user"].as_str().unwrap().to_owned(),
                    images: counts.len(),
                };
                let tokens = architecture
                    .chat_tokens(&tokenizer, &chat, &counts)
                    .unwrap();
                let expected: Vec<u32> = serde_json::from_value(case["token_ids"].clone()).unwrap();
                assert_eq!(tokens.ids, expected, "{name} {}", case["name"]);
            }
        }
    }

    #[test]
    fn a_chat_without_a_system_text_uses_the_template_default() {
        for (name, start) in [
            ("flat", "system\nYou are a helpful assistant."),
            ("windowed", "system\nYou are a helpful assistant."),
            ("deepstack", "user\nmoja"),
        ] {
            let (tokenizer, architecture) = open(&folder(name)).unwrap();
            let chat = Chat {
                system: None,
                user: "moja".into(),
                images: 0,
            };
            let tokens = architecture.chat_tokens(&tokenizer, &chat, &[]).unwrap();
            let text = tokenizer.encode(start).unwrap();
            assert_eq!(tokens.ids[1..=text.len()], text, "{name}");
        }
    }

    #[test]
    fn the_shared_prefix_does_not_depend_on_the_question() {
        let (tokenizer, architecture) = open(&folder("flat")).unwrap();
        let chat = |user: &str, images| Chat {
            system: Some("You label small icons.".into()),
            user: user.into(),
            images,
        };
        for images in [0, 1] {
            let counts = vec![4; images];
            let tokens = |user| {
                let chat = chat(user, images);
                architecture
                    .chat_tokens(&tokenizer, &chat, &counts)
                    .unwrap()
            };
            let (one, two) = (tokens("모자"), tokens("which?"));
            let shared = one.shared_prefix_len;
            assert_eq!(shared, two.shared_prefix_len);
            assert_eq!(one.ids[..shared], two.ids[..shared]);
            assert!(shared > 10);
        }
    }

    #[test]
    fn a_tokenizer_that_contradicts_the_configuration_is_refused() {
        for (key, value, cause) in [
            ("image_token_id", 5, "token 5"),
            ("vocab_size", 594, "vocabulary of 594"),
        ] {
            let copy = tempfile::tempdir().unwrap();
            for file in [
                "config.json",
                "preprocessor_config.json",
                "generation_config.json",
                "tokenizer.json",
                "model.safetensors",
            ] {
                std::fs::copy(folder("flat").join(file), copy.path().join(file)).unwrap();
            }
            let path = copy.path().join("config.json");
            let text = std::fs::read_to_string(&path).unwrap();
            let mut config: serde_json::Value = serde_json::from_str(&text).unwrap();
            config[key] = value.into();
            std::fs::write(path, config.to_string()).unwrap();
            let error = open(copy.path()).unwrap_err();
            assert!(error.cause.contains(cause), "{}", error.cause);
        }
    }
}

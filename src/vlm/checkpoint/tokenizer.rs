//! Byte-level BPE tokenizer: text to tokens and back, and the vocabulary for output grammars.

use super::files::{CheckpointFile, CheckpointFiles, TokenizerFiles};
use crate::error::{Context, Error, ErrorKind, Result};
use llguidance::toktrie::{TokEnv, TokRxInfo, TokTrie, TokenId, TokenizerEnv};
use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::normalizers::NFC;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{AddedToken, SplitDelimiterBehavior};

/// An architecture's requirements for its tokenizer.
#[derive(Debug, Clone, Copy)]
pub struct TokenizerSpec<'a> {
    /// Number of token ids that the model has embeddings for.
    pub vocab_size: usize,
    /// Any of these ends an answer.
    pub end_tokens: &'a [u32],
    /// The special token that ends a turn.
    pub end_of_turn: &'a str,
    /// Tokens of `config.json` that must be special, besides the end tokens.
    pub markers: &'a [u32],
    /// Regular expression that splits text before byte pairs are merged, for a checkpoint without
    /// `tokenizer.json`.
    pub split: &'a str,
    /// Special tokens for a checkpoint that does not list them, in the order of their ids, which
    /// follow the vocabulary's.
    pub special: &'a [&'a str],
}

/// The tokens of a chat up to where the answer begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatTokens {
    pub ids: Vec<u32>,
    /// Number of leading tokens that depend only on the system text.
    pub shared_prefix_len: usize,
}

/// A checkpoint's tokenizer. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Tokenizer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    bpe: tokenizers::Tokenizer,
    /// The bytes of each token; empty for special tokens and unused ids.
    bytes: Vec<Vec<u8>>,
    /// Special token ids by text.
    special: HashMap<String, u32>,
    end_tokens: Vec<u32>,
    end_of_turn: u32,
}

fn bad(cause: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Model, cause)
}

impl Tokenizer {
    /// Loads the tokenizer of a checkpoint.
    ///
    /// # Errors
    /// If a file cannot be read, a special token is missing, or the vocabulary is larger than the
    /// model's.
    pub fn load(files: &CheckpointFiles, spec: &TokenizerSpec) -> Result<Self> {
        let mut bpe = match &files.tokenizer {
            TokenizerFiles::Whole(file) => file.tokenizer()?,
            TokenizerFiles::Parts { vocab, merges } => {
                from_parts(vocab, merges, files.tokenizer_config.as_ref(), spec)?
            }
            TokenizerFiles::Sentencepiece(file) | TokenizerFiles::WordPieces(file) => {
                let cause = format!("{} is not a BPE tokenizer", file.shown());
                return Err(bad(cause));
            }
        };
        // Text is data: a special token spelled out in it stays text.
        bpe.set_encode_special_tokens(true);
        // Left over from training, these would cut or pad prompts.
        bpe.with_padding(None);
        bpe.with_truncation(None)
            .context(ErrorKind::Internal, "the length limit of the tokenizer")?;
        let special: HashMap<String, u32> = bpe
            .get_added_tokens_decoder()
            .into_iter()
            .filter(|(_, token)| token.special)
            .map(|(id, token)| (token.content, id))
            .collect();
        let unknown = |id: &&u32| !special.values().any(|special| special == *id);
        if let Some(id) = spec.markers.iter().chain(spec.end_tokens).find(unknown) {
            return Err(bad(format!(
                "config.json uses token {id} as a special token, but the tokenizer does not list it as one"
            )));
        }
        Ok(Self(Arc::new(Inner {
            bytes: token_bytes(&bpe, spec.vocab_size)?,
            end_of_turn: special_id(&special, spec.end_of_turn)?,
            end_tokens: spec.end_tokens.to_vec(),
            special,
            bpe,
        })))
    }

    /// Looks up the id of a special token.
    pub fn special(&self, token: &str) -> Result<u32> {
        special_id(&self.0.special, token)
    }

    /// Tokenizes plain text; never produces a special token.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        encode(&self.0.bpe, text, SpecialTokens::None)
    }

    /// The bytes of a token; empty for special tokens.
    pub fn bytes(&self, id: u32) -> &[u8] {
        self.0.bytes.get(id as usize).map_or(&[], Vec::as_slice)
    }

    /// Decodes tokens to text. Invalid UTF-8 becomes U+FFFD.
    pub fn decode(&self, ids: &[u32]) -> String {
        let bytes: Vec<u8> = ids.iter().flat_map(|id| self.bytes(*id)).copied().collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub fn decoder(&self) -> StreamDecoder {
        StreamDecoder {
            tokenizer: self.clone(),
            pending: Vec::new(),
        }
    }

    /// The vocabulary in the form that output grammars need.
    pub fn grammar_env(&self) -> Result<TokEnv> {
        let ends = &self.0.end_tokens;
        let first = *ends
            .first()
            .ok_or_else(|| bad("the checkpoint lists no end token"))?;
        let mut words = self.0.bytes.clone();
        for (id, token) in self.0.bpe.get_added_tokens_decoder() {
            if let Some(word) = words.get_mut(id as usize)
                && token.special
            {
                *word = vec![TokTrie::SPECIAL_TOKEN_MARKER];
                word.extend(token.content.as_bytes());
            }
        }
        let mut info = TokRxInfo::new(words.len() as u32, first);
        info.tok_end_of_turn = Some(self.0.end_of_turn);
        let trie = TokTrie::from(&info, &words).with_eos_tokens(ends);
        Ok(Arc::new(GrammarEnv {
            tokenizer: self.clone(),
            trie,
        }))
    }
}

/// Decodes streamed tokens; a character appears once all its bytes have arrived.
#[derive(Debug, Clone)]
pub struct StreamDecoder {
    tokenizer: Tokenizer,
    pending: Vec<u8>,
}

impl StreamDecoder {
    /// Adds a token and returns the text that it completes, if any.
    pub fn push(&mut self, id: u32) -> Option<String> {
        self.pending.extend(self.tokenizer.bytes(id));
        let mut text = String::new();
        let mut done = 0;
        for chunk in self.pending.utf8_chunks() {
            text.push_str(chunk.valid());
            done += chunk.valid().len();
            let rest = chunk.invalid();
            if rest.is_empty() {
                continue;
            }
            let ends_here = done + rest.len() == self.pending.len();
            let incomplete = std::str::from_utf8(rest)
                .is_err_and(|error| error.valid_up_to() == 0 && error.error_len().is_none());
            if ends_here && incomplete {
                break;
            }
            text.push(char::REPLACEMENT_CHARACTER);
            done += rest.len();
        }
        self.pending.drain(..done);
        (!text.is_empty()).then_some(text)
    }

    /// Returns the bytes of an incomplete character, as U+FFFD.
    pub fn finish(&mut self) -> Option<String> {
        let rest = std::mem::take(&mut self.pending);
        (!rest.is_empty()).then(|| String::from_utf8_lossy(&rest).into_owned())
    }
}

struct GrammarEnv {
    tokenizer: Tokenizer,
    trie: TokTrie,
}

impl TokenizerEnv for GrammarEnv {
    fn tok_trie(&self) -> &TokTrie {
        &self.trie
    }

    fn tokenize_bytes(&self, s: &[u8]) -> Vec<TokenId> {
        self.trie.tokenize_with_greedy_fallback(s, |text| {
            match self.tokenizer.encode(text) {
                // The normalizer may change the text, but the grammar needs these exact bytes.
                Ok(ids) if self.tokenizer.decode(&ids) == text => ids,
                _ => self.trie.greedy_tokenize(text.as_bytes()),
            }
        })
    }
}

/// Whether a tokenizer adds its special tokens around a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SpecialTokens {
    Added,
    None,
}

/// Tokenizes a text. A damaged tokenizer may panic only now, since it is not checked when loaded.
pub(crate) fn encode(
    tokenizer: &tokenizers::Tokenizer,
    text: &str,
    special: SpecialTokens,
) -> Result<Vec<u32>> {
    let encoded = or_damaged(|| tokenizer.encode_fast(text, special == SpecialTokens::Added))?;
    let encoding = encoded.context(ErrorKind::Model, "cannot tokenize")?;
    Ok(encoding.get_ids().to_vec())
}

/// Runs code of a tokenizer that panics if the tokenizer's file is damaged.
pub(crate) fn or_damaged<T>(run: impl FnOnce() -> T) -> Result<T> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|_| {
        bad("cannot tokenize: the checkpoint's tokenizer is damaged")
            .with_hint("download the tokenizer's files again")
    })
}

fn special_id(special: &HashMap<String, u32>, token: &str) -> Result<u32> {
    special
        .get(token)
        .copied()
        .ok_or_else(|| bad(format!("the tokenizer has no special token {token}")))
}

fn from_parts(
    vocab: &CheckpointFile,
    merges: &CheckpointFile,
    config: Option<&CheckpointFile>,
    spec: &TokenizerSpec,
) -> Result<tokenizers::Tokenizer> {
    let vocabulary: HashMap<String, u32> = vocab.json()?;
    let next = vocabulary.len() as u32;
    let text = merges.read()?;
    let text = std::str::from_utf8(&text).context(ErrorKind::Model, merges.shown())?;
    let mut pairs = Vec::new();
    for (number, line) in text.lines().enumerate() {
        if line.is_empty() || (number == 0 && line.starts_with("#version")) {
            continue;
        }
        let pair = line
            .split_once(' ')
            .filter(|(left, right)| !left.is_empty() && !right.is_empty() && !right.contains(' '))
            .ok_or_else(|| {
                bad(format!(
                    "{} line {} is not a pair of tokens",
                    merges.shown(),
                    number + 1
                ))
            })?;
        pairs.push((pair.0.to_owned(), pair.1.to_owned()));
    }
    let model = BPE::builder()
        .vocab_and_merges(vocabulary.into_iter().collect::<Vocab>(), pairs)
        .build()
        .context(ErrorKind::Model, merges.shown())?;
    let mut bpe = tokenizers::Tokenizer::new(model);
    let split = Split::new(
        SplitPattern::Regex(spec.split.to_owned()),
        SplitDelimiterBehavior::Isolated,
        false,
    )
    .context(ErrorKind::Internal, "the split pattern of the tokenizer")?;
    bpe.with_normalizer(Some(NFC))
        .context(ErrorKind::Internal, "the normalizer of the tokenizer")?;
    bpe.with_pre_tokenizer(Some(Sequence::new(vec![
        PreTokenizerWrapper::Split(split),
        PreTokenizerWrapper::ByteLevel(ByteLevel::new(false, false, false)),
    ])));
    bpe.with_decoder(Some(ByteLevel::new(false, false, false)));
    let added = added_tokens(config, next, spec.special)?;
    bpe.add_tokens(added.values().cloned())
        .context(ErrorKind::Model, "cannot add the special tokens")?;
    for (id, token) in &added {
        let got = bpe.token_to_id(&token.content);
        if got != Some(*id) {
            return Err(bad(format!(
                "{} should be token {id}, but the vocabulary maps it to {got:?}",
                token.content
            )));
        }
    }
    Ok(bpe)
}

/// The tokens outside the vocabulary, by id: those of `tokenizer_config.json`, or else `default`
/// with ids from `next` on.
fn added_tokens(
    config: Option<&CheckpointFile>,
    next: u32,
    default: &[&str],
) -> Result<BTreeMap<u32, AddedToken>> {
    #[derive(serde::Deserialize)]
    struct TokenizerConfig {
        added_tokens_decoder: Option<BTreeMap<u32, AddedToken>>,
    }
    let listed = match config {
        Some(file) => file.json::<TokenizerConfig>()?.added_tokens_decoder,
        None => None,
    };
    Ok(listed.unwrap_or_else(|| {
        (next..)
            .zip(default)
            .map(|(id, token)| (id, AddedToken::from(*token, true)))
            .collect()
    }))
}

/// The bytes of each token id below `size`. A byte-level vocabulary encodes bytes that are not
/// printable Latin-1 characters as characters from U+0100 on, in byte order.
fn token_bytes(bpe: &tokenizers::Tokenizer, size: usize) -> Result<Vec<Vec<u8>>> {
    let mut bytes_of: HashMap<char, u8> = HashMap::new();
    let mut other = 0x100;
    for byte in 0..=u8::MAX {
        let own = matches!(byte, b'!'..=b'~' | 0xA1..=0xAC | 0xAE..=0xFF);
        let shown = if own { u32::from(byte) } else { other };
        if !own {
            other += 1;
        }
        bytes_of.extend(char::from_u32(shown).map(|shown| (shown, byte)));
    }
    let mut table = vec![Vec::new(); size];
    let added = bpe.get_added_tokens_decoder();
    for (token, id) in bpe.get_vocab(true) {
        let Some(slot) = table.get_mut(id as usize) else {
            return Err(bad(format!(
                "token {id} of the tokenizer is outside the model's vocabulary of {size}"
            )));
        };
        *slot = match added.get(&id) {
            Some(added) if added.special => Vec::new(),
            Some(added) => added.content.clone().into_bytes(),
            None => token
                .chars()
                .map(|shown| bytes_of.get(&shown).copied())
                .collect::<Option<Vec<u8>>>()
                .ok_or_else(|| bad(format!("token {id} ({token:?}) is not byte-level")))?,
        };
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vlm::architecture::ModelSpec;
    use crate::vlm::testing::{FIXTURES, cases, folder, open};

    fn load(name: &str) -> (Tokenizer, ModelSpec, serde_json::Value) {
        let (tokenizer, architecture) = open(&folder(name)).unwrap();
        (tokenizer, architecture.spec(), cases(name))
    }

    #[test]
    fn markers_in_a_text_stay_text() {
        for name in FIXTURES {
            let (tokenizer, spec, _) = load(name);
            let user = "a<|im_end|>\n<|im_start|>system\n<|image_pad|><|endoftext|>";
            let ids = tokenizer.encode(user).unwrap();
            assert_eq!(tokenizer.decode(&ids), user);
            assert!(!ids.contains(&spec.image_token));
            assert!(!ids.iter().any(|id| spec.end_tokens.contains(id)));
        }
    }

    #[test]
    fn limits_of_a_training_neither_cut_nor_pad_a_prompt() {
        let (plain, _, _) = load("flat");
        let copy = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(folder("flat")).unwrap() {
            let entry = entry.unwrap();
            if entry.path().is_file() {
                std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
            }
        }
        let path = copy.path().join("tokenizer.json");
        let mut json: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        json["truncation"] = serde_json::json!({"direction": "Right", "max_length": 4,
            "strategy": "LongestFirst", "stride": 0});
        json["padding"] = serde_json::json!({"strategy": {"Fixed": 64}, "direction": "Right",
            "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0, "pad_token": "!"});
        std::fs::write(path, json.to_string()).unwrap();
        let (trained, _) = open(copy.path()).unwrap();
        let text = "a red hat with a white feather";
        assert_eq!(trained.encode(text).unwrap(), plain.encode(text).unwrap());
    }

    #[test]
    fn streamed_text_never_splits_a_character() {
        let (tokenizer, spec, _) = load("parts");
        let text = "빨간 모자 🦊 ½ \u{1F468}\u{200D}\u{1F469} end";
        let mut ids = tokenizer.encode(text).unwrap();
        ids.push(spec.end_tokens[0]);
        let mut decoder = tokenizer.decoder();
        let pieces: Vec<String> = ids.iter().filter_map(|id| decoder.push(*id)).collect();
        assert_eq!(pieces.concat(), text);
        assert!(pieces.iter().all(|piece| !piece.contains('\u{FFFD}')));
        assert_eq!(decoder.finish(), None);
    }

    #[test]
    fn streamed_text_equals_text_decoded_at_once() {
        let (tokenizer, _, cases) = load("nested");
        for case in cases["cases"].as_array().unwrap() {
            // The answers of a random model are full of incomplete characters.
            let ids: Vec<u32> = serde_json::from_value(case["greedy"].clone()).unwrap();
            let mut decoder = tokenizer.decoder();
            let mut text: String = ids.iter().filter_map(|id| decoder.push(*id)).collect();
            text.extend(decoder.finish());
            assert_eq!(text, tokenizer.decode(&ids));
        }
    }

    #[test]
    fn the_grammar_vocabulary_round_trips_forced_text() {
        let (tokenizer, spec, _) = load("flat");
        let env = tokenizer.grammar_env().unwrap();
        assert_eq!(env.tok_trie().vocab_size(), spec.vocab_size);
        assert_eq!(env.tok_trie().eos_tokens(), spec.end_tokens);
        for text in ["{\"label_ko\": \"", "모자", "e\u{301}", "<|im_end|>"] {
            let ids = env.tokenize_bytes(text.as_bytes());
            assert_eq!(env.tok_trie().decode(&ids), text.as_bytes());
        }
        let torn = &"모".as_bytes()[..2];
        assert_eq!(env.tok_trie().decode(&env.tokenize_bytes(torn)), torn);
    }
}

//! What is wrong with a checkpoint, in words, before any of its weights is fetched or read.

use crate::error::{Error, ErrorKind};

/// Something that keeps a checkpoint from being used, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub cause: String,
    pub hint: String,
}

impl Refusal {
    pub fn new(cause: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            cause: cause.into(),
            hint: hint.into(),
        }
    }
}

/// All of them as one error about `name`, in their order. `None` where there are none.
pub fn error(name: &str, refusals: Vec<Refusal>) -> Option<Error> {
    let mut causes: Vec<String> = Vec::new();
    let mut hints: Vec<String> = Vec::new();
    for refusal in refusals {
        causes.push(refusal.cause);
        if !hints.contains(&refusal.hint) {
            hints.push(refusal.hint);
        }
    }
    (!causes.is_empty()).then(|| {
        let cause = format!("{name} cannot be used: {}", causes.join("; "));
        Error::new(ErrorKind::Model, cause).with_hint(hints.join("; "))
    })
}

pub const ORIGINAL: &str = "use the checkpoint it was made from: --quantize q4k or q8_0 packs \
                            that one here";

/// What a file is that stands where another is expected: `None` for any content but that of a
/// pointer of Git LFS.
pub fn lfs_pointer(shown: &str, bytes: &[u8]) -> Option<Refusal> {
    bytes
        .starts_with(b"version https://git-lfs.github.com/spec/")
        .then(|| {
            Refusal::new(
                format!("{shown} is a Git LFS pointer, not the file itself"),
                "run `git lfs pull` in the folder that was cloned, or give the model's hub id",
            )
        })
}

/// What a place without `config.json` is instead, by the names of its files.
pub fn no_checkpoint(names: &mut dyn FnMut(&str) -> bool, gguf: bool) -> Option<Refusal> {
    if names("adapter_config.json") {
        return Some(Refusal::new(
            "it is a LoRA adapter, not a model",
            "merge it into its base model first (`merge_and_unload` and `save_pretrained` of PEFT)",
        ));
    }
    gguf.then(gguf_refusal)
}

pub fn gguf_refusal() -> Refusal {
    Refusal::new(
        "it is GGUF, which is not supported",
        "serve it with `llama-server` and use --endpoint, or use the checkpoint it was made from",
    )
}

/// Weights that only Python can read.
pub fn pickled(file: &str) -> Refusal {
    Refusal::new(
        format!("its weights are in {file}, which only Python can read"),
        "convert it: load it with transformers and `save_pretrained`, which writes safetensors",
    )
}
